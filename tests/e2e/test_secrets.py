"""No secret gets anywhere but into the .env files that are to hold it."""

import os
import pwd
import re
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from bed import jobs, look
from bed.site import TARGET_PASSWORD
from bed.space import child_of
from bed.wait import wait_for

from conftest import OTHER_AGENT

TARGET = "http://127.0.0.1:18283"

#: Never the value of anything else; none is part of another.
SOURCE_TOKEN = "canary-source-4b1f6b0c"
OLD_KEY = "canary-old-key-9d27aa31"
BOT_TOKEN = "987654:canary-bot-57c1e0d2"
CANARIES = (SOURCE_TOKEN, OLD_KEY, BOT_TOKEN, TARGET_PASSWORD)

#: Where a program may write on a host.  .env files are below /root/sanctum.
WRITTEN = ("/root", "/var/log", "/var/lib", "/tmp", "/etc", "/run", "/srv",
           "/home", "/opt")


def parent_of(pid):
    """Return the parent of a process; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[1])


def ancestors(pid):
    while pid > 1:
        yield pid
        pid = parent_of(pid)


def program_of(pid):
    """Return what a process runs: a fork runs its parent's until its exec,
    and has its environment so long."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def space_of(pid):
    """Return what tells the processes of one host from all others."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def read(path):
    """Return the text of a file of /proc, "" once its process is gone."""
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


class Watch:
    """Looks at all processes while a program runs.

    found holds where a canary was seen: in the words of the program, or in
    words or environment of what it started, here or over SSH; started holds
    the names of the latter.
    """

    def __init__(self, program, hosts):
        self.pid, self.found, self.started = program.pid, set(), set()
        self.before = set(self._pids())
        self.hosts = {space_of(h.space.pid): h.space.pid for h in hosts}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @staticmethod
    def _pids():
        return [int(p) for p in os.listdir("/proc") if p.isdigit()]

    def stop(self):
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.wait(0.005):
            self._note(self.pid, "cmdline")
            for pid in self._pids():
                if pid not in self.before and self._is_ours(pid):
                    self._note(pid, "cmdline")
                    self.started.add(read(f"/proc/{pid}/comm").strip())
                    if program_of(pid) != program_of(self.pid):
                        self._note(pid, "environ")

    def _is_ours(self, pid):
        above = list(ancestors(pid))[1:]
        if self.pid in above:
            return True
        first = self.hosts.get(space_of(pid))
        return first is not None and (first in above or any(
            read(f"/proc/{p}/comm").startswith("sshd") for p in above))

    def _note(self, pid, what):
        text = read(f"/proc/{pid}/{what}")
        for canary in CANARIES:
            if canary in text:
                self.found.add((what, read(f"/proc/{pid}/comm").strip(),
                                canary))


class Trial:
    """Runs every command of a job and keeps all that it says.

    exported   canaries that a worker gets in its environment from what
               starts it
    """

    def __init__(self, sanctumctl, hosts, exported=()):
        self.sanctumctl, self.hosts = sanctumctl, hosts
        self.exported = exported
        self.said, self.started = {}, set()

    def run(self, code, command, job, *options):
        program = self.sanctumctl.spawn(
            command, "-vv", *options, job,
            env={jobs.SOURCE_TOKEN: SOURCE_TOKEN,
                 jobs.TARGET_TOKEN: TARGET_PASSWORD})
        watch = Watch(program, self.hosts)
        try:
            out, err = program.communicate(timeout=300)
        finally:
            watch.stop()
        assert program.returncode == code, (command, err)
        assert not {f for f in watch.found
                    if f[0] != "environ" or f[2] not in self.exported}
        self.started |= watch.started
        for canary in CANARIES:
            assert canary not in out, (command, canary)
            assert canary not in err, (command, canary)
        self.said[command, options] = out + err
        if command != "check":
            self.check_state()

    def run_all(self, job, plan=4):
        for options in ((), ("--json",)):
            self.run(0, "check", job, *options)
            self.run(plan, "plan", job, *options)
        self.run(0, "apply", job)
        self.run(0, "apply", job, "--json")
        for options in ((), ("--json",)):
            self.run(0, "verify", job, *options)
            self.run(0, "status", job, *options)
        if self.hosts:
            assert any(name.startswith("remote-") for name in self.started)

    def check_state(self):
        top = self.sanctumctl.state
        files = [p for p in top.rglob("*") if p.is_file()]
        assert any(p.name == "journal.db" for p in files)
        assert not list(look.files_with(CANARIES, top))
        for path in files:
            assert path.stat().st_mode & 0o077 == 0, path
        for path in [top, *top.rglob("*")]:
            assert path.stat().st_mode & 0o022 == 0, path


def homes_of_canaries(host):
    """Return {path on the host: canaries} and assert each file's mode."""
    found = {}
    for top in WRITTEN:
        for path, mode, canary in look.files_with(CANARIES, host.path(top)):
            inside = "/" + str(path).split("/root/", 1)[1]
            assert mode == 0o600, (inside, canary)
            found.setdefault(inside, set()).add(canary)
    return found


def hide_canaries(made):
    """Give a worker's .env files the canaries, as a user would have them."""
    env = made.broca / ".env"
    env.write_text(env.read_text().replace("123456:not-a-real-token",
                                           BOT_TOKEN))
    assert BOT_TOKEN in env.read_text() and OLD_KEY in env.read_text()


def check_homes(made, src, dst):
    """The old secrets stay on src; dst has the new one and the bot's."""
    assert homes_of_canaries(src) == {
        f"{made.home}/broca/.env": {OLD_KEY, BOT_TOKEN},
        f"{made.home}/smcp/.env": {OLD_KEY}}
    assert homes_of_canaries(dst) == {
        f"{made.home}/broca/.env": {TARGET_PASSWORD, BOT_TOKEN},
        f"{made.home}/smcp/.env": {TARGET_PASSWORD}}


def test_an_agent_job_keeps_its_secrets(source, second, source_letta,
                                        second_letta, agent_id, sanctumctl,
                                        tmp_path):
    job = jobs.agent_job(tmp_path / "agent.conf", source_letta, second_letta,
                         agent_id)
    # A tool's variables are secrets that only the server needs to know.
    source("PATCH", f"/v1/agents/{agent_id}", {
        "tool_exec_environment_variables": {"PASSWORD": OLD_KEY}})
    assert OLD_KEY in str(source("GET", f"/v1/agents/{agent_id}"))
    trial = Trial(sanctumctl, [])
    trial.run_all(job)
    trial.run(0, "cancel", job)
    assert not list(look.files_with(CANARIES, tmp_path))


def test_a_workers_job_keeps_its_secrets(bed, src, dst, make_worker,
                                         worker_letta, sanctumctl, tmp_path):
    made = make_worker(token=OLD_KEY)
    hide_canaries(made)
    job = jobs.workers_job(tmp_path / "workers.conf", bed, made,
                           OTHER_AGENT, server_url=worker_letta.url)
    trial = Trial(sanctumctl, [src, dst])
    trial.run_all(job)
    assert not list(look.files_with(CANARIES, tmp_path))
    check_homes(made, src, dst)
    # A plan shows which keys change, and that is all.
    assert "AGENT_API_KEY=" in trial.said["plan", ()]
    trial.run(0, "cancel", job)
    assert homes_of_canaries(dst) == {}


def test_a_greenfield_job_keeps_its_secrets(bed, acme, source, source_letta,
                                            target_letta, src, dst, agent_id,
                                            users, make_worker, sanctumctl,
                                            tmp_path):
    made = make_worker(agent_id=agent_id, token=OLD_KEY, users=users)
    hide_canaries(made)
    job = jobs.greenfield_job(tmp_path / "greenfield.conf", bed, made,
                              agent_id)
    trial = Trial(sanctumctl, [src, dst])
    try:
        trial.run_all(job)
        assert not list(look.files_with(CANARIES, tmp_path))
        check_homes(made, src, dst)
    finally:
        trial.run(0, "cancel", job)
    assert homes_of_canaries(dst) == {}


def test_failures_do_not_show_a_secret(source, second, source_letta,
                                       second_letta, agent_id, sanctumctl,
                                       tmp_path):
    job = jobs.agent_job(tmp_path / "agent.conf", source_letta, second_letta,
                         agent_id)
    for token in (OLD_KEY, f"{OLD_KEY} with a blank", f"{OLD_KEY}\u00fc"):
        for options in ((), ("--json",)):
            done = sanctumctl("plan", "-vv", *options, job,
                              env={jobs.TARGET_TOKEN: token})
            assert done.rc in (2, 12), done.err
            assert OLD_KEY not in done.out + done.err


def test_a_command_that_gives_a_secret_gets_none(source, second, source_letta,
                                                 second_letta, agent_id,
                                                 sanctumctl, tmp_path):
    """Only what it inherits; no value passes through its words."""
    script = tmp_path / "give"
    words = tmp_path / "words"
    script.write_text(f"#!/bin/sh\necho \"$0 $*\" >>{words}\n"
                      f"echo {TARGET_PASSWORD}\n")
    script.chmod(0o700)
    job = jobs.agent_job(tmp_path / "agent.conf", source_letta, second_letta,
                         agent_id)
    job.write_text(job.read_text().replace(f"env:{jobs.TARGET_TOKEN}",
                                           f"cmd:{script} show letta"))
    done = sanctumctl("plan", job)
    assert done.rc == 4, done.err
    assert set(words.read_text().splitlines()) == {f"{script} show letta"}
    assert TARGET_PASSWORD not in done.out + done.err


@pytest.fixture
def running(sanctumctl, tmp_path, source_letta, second_letta):
    """The program, while it waits for a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = jobs.agent_job(tmp_path / "agent.conf", source_letta,
                             second_letta, OTHER_AGENT)
        job.write_text(job.read_text().replace(
            source_letta.url,
            f"http://127.0.0.1:{silent.getsockname()[1]}"))
        program = sanctumctl.spawn("plan", job)
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            yield program
        program.terminate()
        program.communicate(timeout=60)
    assert program.returncode == 130


def test_the_program_leaves_no_core(running):
    limits = Path(f"/proc/{running.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits


@pytest.fixture
def open_folder():
    """A folder that every user can get into, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="sanctum-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_the_program_cannot_be_dumped(open_folder, program_path):
    """/proc gives a process to root when it may not be dumped or traced."""
    job = jobs.write(open_folder / "job.conf", [
        jobs.job("agent", "sage"),
        ("letta one", {"url": TARGET, "token": "cmd:tail -f /dev/null"}),
        ("letta two", {"url": TARGET, "token": "env:NONE"}),
        jobs.agent("sage", OTHER_AGENT, source="one", to="two")])
    job.chmod(0o644)
    # By descriptor, since the tree may lie where this user cannot go.
    fd = os.open(program_path, os.O_PATH)
    try:
        program = subprocess.Popen(
            [f"/proc/self/fd/{fd}", "check", str(job)], pass_fds=[fd],
            user="nobody", group="nogroup", extra_groups=[], cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(open_folder),
                 "NONE": "not-asked-for"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
    finally:
        os.close(fd)
    try:
        tail = wait_for("the command", lambda: child_that_runs(
            program.pid, "tail"), alive=lambda: program.poll() is None)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert os.stat(f"/proc/{tail}/environ").st_uid == nobody
        assert os.stat(f"/proc/{program.pid}/environ").st_uid == 0
    finally:
        program.terminate()
        program.communicate(timeout=60)
    assert not Path(f"/proc/{tail}").exists()


def child_that_runs(pid, name):
    """Return the child of a process that runs a program, or None."""
    child = child_of(pid)
    return child if child and read(f"/proc/{child}/comm") == f"{name}\n" \
        else None


#: Of a worker that moves while it runs, and where each stands on a host.
LIVE = {"AGENT_API_KEY": "canary-agent-key-b7704f1e",
        "PLUGIN_KEY": "canary-plugin-3f6a2c90",
        "CRON_KEY": "canary-cron-77e0a4d1",
        "START_KEY": "canary-start-51d8b3e2"}


def test_a_switch_keeps_its_secrets(bed, src, dst, cron, make_live,
                                    sanctumctl, tmp_path, monkeypatch):
    """What starts it and what it reads has secrets; all of it moves."""
    live = make_live(api_key=LIVE["AGENT_API_KEY"], token=BOT_TOKEN)
    env = live.broca / ".env"
    env.write_text(env.read_text() + f"PLUGIN_KEY='{LIVE['PLUGIN_KEY']}'\n")
    script = live.path / f"start-{live.name}-broca.sh"
    script.write_text(script.read_text().replace(
        "#!/bin/sh\n", f"#!/bin/sh\nexport START_KEY={LIVE['START_KEY']}\n"))
    script.chmod(0o700)
    keyed = live.path / "start-keyed.sh"
    keyed.write_text("#!/bin/sh\nexport LETTA_API_KEY=none\n")
    keyed.chmod(0o755)
    cron.set(f"CRON_KEY={LIVE['CRON_KEY']}", live.crontab_line)
    live.start()
    said = live.say(3)
    live.wait_answered(said)
    monkeypatch.setattr("test_secrets.CANARIES", (
        *LIVE.values(), BOT_TOKEN, TARGET_PASSWORD))
    job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca")
    trial = Trial(sanctumctl, [src, dst], (LIVE["CRON_KEY"],
                                           LIVE["START_KEY"]))
    trial.run(4, "plan", job)
    for command in ("apply", "verify"):
        trial.run(0, command, job)
    found = [(path.name, mode) for host in (src, dst) for top in WRITTEN
             for path, mode, _ in look.files_with(
                 (*LIVE.values(), TARGET_PASSWORD), host.path(top))]
    assert (keyed.name, 0o700) in found
    assert not [one for one in found if one[1] & 0o077]
    trial.run(0, "reverse", job)
