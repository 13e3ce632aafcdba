"""What starts a worker: found, put out of use and back, installed, started.

The calls are made by tests/unit/supervisor_hand, over SSH; cron, screen,
systemd and supervisord are real.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bed import jobs
from bed.wait import wait_for

MARK = "0123456789ab"
OFF = f"#sanctumctl-{MARK}# "


@pytest.fixture
def job_of(bed, tmp_path):
    """Function: a job file with a host, as a command's word names it."""
    def write(host):
        path = jobs.write(tmp_path / "hosts.conf", [
            jobs.job("workers", "hosts"), jobs.host("there", host),
            ("letta new", {"url": "http://127.0.0.1:8283"}),
            ("worker x", {"from": "there:/srv/a", "to": "there:/srv/b",
                          "agent": "agent-" + "1" * 8 + "-1111-4111-8111-"
                          + "1" * 12, "server": "new"})])
        return f"{path}#there"

    return write


@pytest.fixture
def hand(job_of, program_path):
    """Function that runs supervisor_hand on a host; returns its lines."""
    def run(host, verb, *words, rc=0):
        built = Path(program_path).parent
        done = subprocess.run(
            [str(built / "tests/unit/supervisor_hand"), job_of(host), verb,
             *map(str, words)], text=True, capture_output=True, timeout=120,
            env={**jobs.environment(),
                 "SANCTUMCTL_REMOTE": str(built / "sanctumctl-remote")})
        assert done.returncode == rc, done.stderr
        return ([line.split("\t") for line in done.stdout.splitlines()]
                if rc == 0 else done.stderr)

    return run


def test_a_cron_line_goes_off_and_on(make_live, cron, hand, src):
    worker = make_live()
    before = ["# my own", "", "MAILTO=\"\"", "  17 3 * * *  true % x",
              worker.crontab_line]
    cron.set(*before)
    text = cron.text()
    worker.wait_up()
    first = worker.processes()
    found, = hand(src, "find", worker.home)
    assert found[:4] == ["cron", "crontab of root", "broca", "-"]
    for _ in range(2):
        hand(src, "disable", worker.home, MARK)
        assert cron.text() == text.replace(worker.crontab_line,
                                           OFF + worker.crontab_line)
    worker.stop()
    cron.wait_minutes(2)
    assert not worker.processes()
    assert hand(src, "find", worker.home)[0][3] == MARK
    hand(src, "start", worker.home, rc=15)
    for _ in range(2):
        hand(src, "enable", worker.home, MARK)
        assert cron.text() == text
    wait_for("another process", lambda: worker.processes()
             and worker.processes() != first)
    cron.set()
    assert hand(src, "find", worker.home) == []


def test_a_cron_line_moves(make_live, cron, hand, src):
    worker = make_live()
    cron.set("A='secret'", worker.crontab_line)
    text = cron.text()
    to = f"{worker.home}-new"
    src.run(["cp", "-a", str(worker.home), to])
    for _ in range(2):
        hand(src, "install", "/root", worker.home, to, MARK)
    moved = worker.crontab_line.replace(f"{worker.home}/", f"{to}/")
    assert cron.text() == (f"{text}#sanctumctl-{MARK} begin\nA='secret'\n"
                           f"{moved}\n#sanctumctl-{MARK} end\n")
    assert len(hand(src, "find", to)) == 1
    for _ in range(2):
        hand(src, "remove", "/root", worker.home, to, MARK)
        assert cron.text() == text
    src.run(["rm", "-rf", to])


FAILING = """\
#!/bin/sh
# What it lists once, it cannot list again: a full disk, a quota, a lock.
case "$*" in *-l) mkdir /root/listed || exit 1 ;; esac
exec /usr/bin/crontab "$@"
"""


def test_a_crontab_that_cannot_be_read_stays(make_live, cron, hand, src):
    """Taken for empty, it would be replaced by our lines alone."""
    worker = make_live()
    cron.set("# theirs", worker.crontab_line)
    text = cron.text()
    profile, program = src.path("/root/.bashrc"), src.path("/root/crontab")
    program.write_text(FAILING)
    program.chmod(0o755)
    profile.write_text("PATH=/root:$PATH\n")
    src.run(["mkdir", "/srv/x"])
    try:
        said = hand(src, "install", "/root", worker.home, "/srv/x", MARK,
                    rc=1)
    finally:
        profile.unlink()
        program.unlink()
        src.run(["rmdir", "/root/listed", "/srv/x"])
    assert "nothing was written" in said
    assert cron.text() == text


def test_a_cron_line_is_run_once_as_cron_would(worker_tree, hand, src):
    """In the account's home, with cron's environment and input alone."""
    home = Path(worker_tree.home)
    script = worker_tree.path / "go.sh"
    script.write_text('#!/bin/sh\nenv | sort >"$HOME/got"; pwd >>"$HOME/got"'
                      '\ncat >>"$HOME/got"; echo end >>"$HOME/got"\n')
    script.chmod(0o755)
    src.run(["useradd", "-m", "ann"])
    tab = src.path("/etc/cron.d/worker")
    tab.write_text(f"AGENT=x y\n@reboot ann {home}/go.sh a\\%b%in%put\n")
    src.run(["sh", "-c", f"chmod 755 /root; chmod -R a+rX {home}"])
    hand(src, "start", home)
    got = src.path("/home/ann/got")
    wait_for("the script", lambda: got.read_text().endswith("end\n"))
    lines = got.read_text().splitlines()
    assert "AGENT=x y" in lines and "LOGNAME=ann" in lines
    assert "PATH=/usr/bin:/bin" in lines and "HOME=/home/ann" in lines
    assert not any(line.startswith("SSH_") for line in lines)
    assert lines[-4:] == ["/home/ann", "in", "put", "end"]
    tab.unlink()
    src.run(["sh", "-c", "chmod 700 /root; userdel -r ann 2>/dev/null; :"])


def test_a_unit_goes_off_and_on(machine, make_unit_live, hand):
    worker = make_unit_live()
    name = f"broca-{worker.name}.service"
    machine.unit(name, worker.unit)
    worker.wait_up()
    found, = hand(machine, "find", worker.home)
    assert found[0] == "systemd" and found[2] == "broca"
    for _ in range(2):
        hand(machine, "disable", worker.home, MARK)
    worker.stop()
    machine.run(["systemctl", "start", name])
    assert machine.unit_state(name)[0] in ("inactive", "failed")
    assert not worker.processes()
    assert hand(machine, "find", worker.home)[0][3] == MARK
    for _ in range(2):
        hand(machine, "enable", worker.home, MARK)
    assert not machine.path(f"/etc/systemd/system/{name}.d").exists()
    hand(machine, "start", worker.home)
    worker.wait_up()
    # As `systemctl link' leaves it.
    at = f"/etc/systemd/system/{name}"
    machine.run(["mv", at, f"{worker.home}/{name}"])
    machine.run(["ln", "-s", f"{worker.home}/{name}", at])
    assert len(hand(machine, "find", worker.home)) == 1


def test_a_unit_moves(machine, make_unit_live, hand):
    worker = make_unit_live()
    name = f"broca-{worker.name}.service"
    at = machine.path(f"/etc/systemd/system/{name}")
    at.write_text(worker.unit)
    machine.run(["sh", "-c", "mkdir -p /usr/local/lib/systemd/system; mv"
                 f" /etc/systemd/system/{name} /usr/local/lib/systemd/system"])
    to = f"{worker.home}-new"
    machine.run(["cp", "-a", str(worker.home), to])
    for _ in range(2):
        hand(machine, "install", "/root", worker.home, to, MARK)
    assert at.read_text() == (f"# sanctumctl-{MARK}\n" + worker.unit.replace(
        f"{worker.home}/", f"{to}/"))
    assert machine.unit_state(name)[1] == "enabled"
    hand(machine, "install", "/root", worker.home, to, "ffff", rc=15)
    for _ in range(2):
        hand(machine, "remove", "/root", worker.home, to, MARK)
    assert not at.exists()
    machine.run(["rm", "-rf", to,
                 f"/usr/local/lib/systemd/system/{name}"])


def test_a_program_goes_off_and_on_and_moves(make_live, supervisord, hand,
                                             src):
    worker = make_live()
    name = f"broca-{worker.name}"
    conf = src.path(f"/etc/supervisor/conf.d/{name}.conf")
    supervisord.set(name, "; my own\n" + worker.program)
    text = conf.read_text()
    worker.wait_up()
    found, = hand(src, "find", worker.home)
    assert found[0] == "supervisord" and found[2] == "broca"
    for _ in range(2):
        hand(src, "disable", worker.home, MARK)
    assert not worker.processes()
    assert f";sanctumctl-{MARK}; command" in conf.read_text()
    to = f"{worker.home}-new"
    src.run(["cp", "-a", str(worker.home), to])
    for _ in range(2):
        hand(src, "install", "/root", worker.home, to, MARK)
    assert "RUNNING" == supervisord.state(name)
    for _ in range(2):
        hand(src, "remove", "/root", worker.home, to, MARK)
    assert supervisord.state(name) != "RUNNING"
    for _ in range(2):
        hand(src, "enable", worker.home, MARK)
    assert conf.read_text() == text
    hand(src, "start", worker.home)
    worker.wait_up()
    conf.unlink()
    src.run(["rm", "-rf", to])


def listed(sanctumctl, word):
    done = sanctumctl("worker", "list", word, "--json")
    assert done.rc == 0, done.err
    return {(line["program"], line["path"]): line
            for line in map(json.loads, done.out.splitlines())}


def test_workers_are_listed_by_their_content(make_live, cron, sanctumctl,
                                             job_of, src):
    worker = make_live()
    cron.set(worker.crontab_line)
    worker.wait_up()
    home = str(worker.home)
    os.rename(worker.path / "broca/.env", worker.path / ".env")
    env = (worker.path / ".env").read_text()
    (worker.path / ".env").write_text(env.replace("DEBUG_MODE", "DEBUG"))
    (worker.path / "broca/run/broca.pid").write_text("1\n")
    (worker.path / "broca/absolute").symlink_to("/usr/bin/python3")
    other = src.path(f"{home}-link")
    other.mkdir()
    (other / "main.py").symlink_to(f"{home}/broca/main.py")
    found = listed(sanctumctl, job_of(src))
    broca = found["broca", f"{home}/broca"]
    assert broca["env"] == f"{home}/.env"
    assert broca["agent_id"] == worker.agent
    assert len(broca["pids"]) == 1
    assert [s["kind"] for s in broca["supervisors"]] == ["cron", "screen"]
    traps = " ".join(broca["traps"])
    for what in ("above the tree", "DEBUG_MODE is missing", "names pid 1,",
                 "shared code root"):
        assert what in traps
    assert "split brain" not in traps
    assert ("smcp", f"{home}/smcp") in found
    assert ("otto", f"{home}/broca/run/otto_bridge") in found
    assert ("broca", f"{home}-link") in found
    shown = sanctumctl("worker", "list", job_of(src))
    assert shown.rc == 0 and f"{home}/broca" in shown.out
    assert worker.token not in shown.out
    src.run(["rm", "-rf", f"{home}-link"])


def test_two_live_brocas_are_told(make_live, hand, src, sanctumctl, job_of):
    worker = make_live()
    worker.spawn()
    copy = f"{worker.home}-copy"
    src.run(["cp", "-a", str(worker.home), copy])
    assert hand(src, "twins", worker.home, copy, "now") == []
    said, = hand(src, "twins", worker.home, copy, "coming")[0]
    assert "have one Telegram token and one agent" in said
    assert "to be started" in said and worker.token not in said
    # Another token in the process's environment, the agent in both.
    src.run(["rm", f"{copy}/broca/run/broca.pid"])
    second = src.spawn(["/usr/bin/python3", "main.py"], cwd=f"{copy}/broca",
                       env={"TELEGRAM_BOT_TOKEN": "9:another"})
    wait_for("the twin", lambda: hand(src, "twins", worker.home, copy,
                                      "now"), 10, alive=second.alive)
    said, = hand(src, "twins", worker.home, copy, "now")[0]
    assert said.endswith("have one agent")
    found = listed(sanctumctl, job_of(src))
    assert any("split brain" in t for t in
               found["broca", f"{copy}/broca"]["traps"])
    second.stop()
    src.run(["rm", "-rf", copy])


def test_holders_of_an_id_are_found(make_live, cron, sanctumctl, job_of,
                                    src):
    worker = make_live()
    cron.set("# none", f"@daily echo {worker.agent}")
    src.path("/etc/systemd/system/x.service").write_text(
        f"[Service]\nEnvironment=A=1 AGENT_ID={worker.agent}\n")
    (worker.path / f"dir-{worker.agent}").mkdir()
    (worker.path / "go.sh").write_text(f"#!/bin/sh\n\n: {worker.agent}\n")
    process = worker.spawn(AGENT_ID=worker.agent)
    done = sanctumctl("worker", "whereis", worker.agent, job_of(src),
                      "--json")
    assert done.rc == 0, done.err
    found = {(one["kind"], one["where"], one["line"])
             for one in map(json.loads, done.out.splitlines())}
    home = worker.home
    assert (".env", f"{home}/broca/.env", 2) in found
    assert ("script", f"{home}/go.sh", 3) in found
    assert ("unit", "/etc/systemd/system/x.service", 2) in found
    assert ("crontab", "crontab of root", 2) in found
    assert ("directory", f"{home}/dir-{worker.agent}", 0) in found
    assert any(kind == "process" for kind, _, _ in found)
    assert sanctumctl("worker", "whereis", "*", job_of(src)).rc == 2
    process.stop()
    src.path("/etc/systemd/system/x.service").unlink()
