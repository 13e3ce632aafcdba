"""What starts a worker at its target, when that is ours.

systemd and cron are real, the worker is the bed's stand-in, its server the
bed's fake of Letta's routes.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from bed import jobs
from bed.paths import TOP
from bed.supervisors import Cron, Supervisord
from bed.wait import wait_for

SYSTEMD = TOP / "templates/systemd"
SUPERVISORS = {"cron": Cron, "supervisord": Supervisord}

#: Values for a template of a unit; what it starts is on every host.
VALUES = {
    "name": "a1", "account": "sync", "directory": "/srv/agents/a1",
    "tree": "/srv/agents/a1/broca", "python": "/usr/bin/python3",
    "venv": "/usr", "interpreter": "/usr", "port": "8000",
    "environment": "/etc/letta.env", "program": "/usr/bin/true",
    "readonly": "/usr"}


def job_here(path, host, live, account, **more):
    """Job of a worker that goes to an account of its host."""
    return jobs.write(path, [
        jobs.job("workers", f"{live.name}-worker"),
        jobs.host("node1", host),
        jobs.letta("new", live.letta, jobs.TARGET_TOKEN),
        jobs.worker(live.name, live, agent=live.agent, server="new",
                    source="node1", account=account,
                    to_path=f"/home/{account}/agents/{live.name}", **more)])


@pytest.mark.parametrize("name", ["letta", "broca@", "smcp@"])
def test_a_unit_is_hardened_and_sound(machine, name):
    text = re.sub(r"@\{(\w+)\}", lambda m: VALUES[m[1]],
                  (SYSTEMD / f"{name}.service.in").read_text())
    at = f"/root/{name.replace('@', '@a1')}.service"
    machine.path(at).write_text(text)
    machine.run(["systemd-analyze", "security", "--offline=true",
                 "--threshold=20", "--no-pager", at])
    done = machine.run(["systemd-analyze", "verify", "--man=no", at])
    assert done.stdout + done.stderr == ""
    machine.run(["rm", at])


def confined(machine, pid, user, script):
    """Run a shell where a process of a unit lives; True: it succeeds."""
    return machine.run(["nsenter", "-t", pid, "-m", "runuser", "-u", user,
                        "--", "sh", "-c", script], check=False).returncode == 0


def test_a_worker_gets_units_of_ours(machine, make_unit_live, sanctumctl,
                                     tmp_path):
    live = make_unit_live()
    old = f"broca-{live.name}.service"
    unit, smcp = (f"{tree}@{live.name}.service" for tree in ("broca", "smcp"))
    account = f"u{live.name}"
    machine.unit(old, live.unit)
    live.wait_up()
    job = job_here(tmp_path / "move.conf", machine, live, account,
                   supervisor="systemd")
    moved = live.at(machine, f"/home/{account}/agents/{live.name}")
    env = live.path / "smcp/.env"
    text = env.read_text()
    env.write_text(text + "A B\n")
    refused = sanctumctl("plan", job)
    assert refused.rc == 1 and "smcp/.env" in refused.err
    env.write_text(text)
    planned = sanctumctl("plan", job)
    assert planned.rc == 4 and f"account {account}" in planned.out
    said = live.say(2)
    live.wait_answered(said)
    # Killed as the account is there and its home is not; as a unit is.
    for stop in ("worker_account", "worker_supervisor_installed"):
        killed = sanctumctl("apply", job, program=faults(),
                            env={"SANCTUMCTL_FAULT_STOP": stop})
        assert killed.rc == 99, killed.err
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err + done.out
    assert machine.unit_state(unit) == ("active", "enabled")
    # It did not run before.
    assert machine.unit_state(smcp) == ("inactive", "enabled")
    assert machine.run(["find", moved.home, "!", "-user", account, "!",
                        "-name", ".sanctumctl-*"]).stdout == ""
    said += moved.say(2)
    moved.wait_answered(said)
    moved.check(said)
    again = sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out

    # Its directory is all that it can write, and its home all that it sees.
    pid = machine.systemctl("show", "-p", "MainPID", "--value", unit)
    assert confined(machine, pid, account, f"touch {moved.home}/broca/x")
    for path in ("/srv/x", "/etc/x", f"/home/{account}/x", "/var/lib/x"):
        assert not confined(machine, pid, account, f"touch {path}"), path
    # An empty place of its own stands there instead.
    confined(machine, pid, account, "touch /root/x /tmp/x")
    assert not machine.path("/root/x").exists()
    assert not machine.path("/tmp/x").exists()
    assert not confined(machine, pid, account, f"ls {live.home}")
    machine.run(["rm", f"{moved.home}/broca/x"])

    # Killed, with a pid file left that names a stranger, it is back.
    first = moved.processes()
    moved.signal(signal.SIGKILL)
    moved.path.joinpath("broca/run/broca.pid").write_text("1")
    wait_for("its unit starts it again", lambda: moved.processes() and
             moved.processes() != first)
    said += moved.say(1)
    moved.wait_answered(said)
    log = machine.run(["journalctl", "-q", "-o", "cat", "-u", unit]).stdout
    assert "Application started successfully" in log

    # SMCP, too: its environment is its .env, which has lines of `export'.
    machine.systemctl("start", smcp)
    wait_for("SMCP", moved.smcp_processes)
    pid = machine.systemctl("show", "-p", "MainPID", "--value", smcp)
    env = machine.run(["cat", f"/proc/{pid}/environ"]).stdout.split("\0")
    assert f"LETTA_AGENT_ID={live.agent}" in env
    machine.systemctl("stop", smcp)

    back = sanctumctl("reverse", job)
    assert back.rc == 0, back.err
    assert machine.unit_state(old)[0] == "active"
    live.wait_up()
    gone = sanctumctl("cancel", job)
    assert gone.rc == 0, gone.err
    left = machine.run(["find", "/etc/systemd", "-name", "*sanctumctl*", "-o",
                        "-name", f"*{live.name}*"]).stdout
    assert sorted(left.split()) == [
        f"/etc/systemd/system/{old}",
        f"/etc/systemd/system/multi-user.target.wants/{old}"]
    assert machine.run(["id", account], check=False).returncode != 0
    assert not machine.path(f"/home/{account}").exists()


@pytest.mark.parametrize("kind", ["cron", "supervisord"])
def test_a_worker_gets_another_supervisor(bed, make_live, cron, dst, kind,
                                          sanctumctl, tmp_path):
    live = make_live()
    moved = live.at(dst)
    cron.set(live.crontab_line)
    live.start()
    job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca",
                        supervisor=kind)
    before = dst.run(["crontab", "-l"], check=False).stdout
    if kind == "supervisord":
        # Nothing is stopped for what could not be started.
        dst.run(["mv", "/etc/supervisor/conf.d", "/etc/supervisor/x"])
        refused = sanctumctl("plan", job)
        dst.run(["mv", "/etc/supervisor/x", "/etc/supervisor/conf.d"])
        assert refused.rc == 1 and live.processes()
        assert "no supervisord" in refused.err
    with SUPERVISORS[kind](dst) as there:
        said = live.say(2)
        live.wait_answered(said)
        killed = sanctumctl("apply", job, program=faults(), env={
            "SANCTUMCTL_FAULT_STOP": "worker_supervisor_installed"})
        assert killed.rc == 99, killed.err
        done = sanctumctl("apply", job)
        assert done.rc == 0, done.err + done.out
        said += moved.say(2)
        moved.wait_answered(said)
        if kind == "cron":
            assert (f"* * * * * {moved.home}/.sanctumctl-start-broca.sh >>"
                    f"~/logs/{live.name}-broca-cron.log 2>&1"
                    in there.text().splitlines())
            # One that was killed is back within a minute; two there are not.
            first = moved.processes()
            moved.path.joinpath("broca/run/broca.pid").write_text("1")
            moved.signal(signal.SIGKILL)
            wait_for("cron starts it again", lambda: moved.processes() and
                     moved.processes() != first)
            # And stays: one that is turned away lives for a second too.
            again = moved.processes()
            there.wait_minutes(2)
            assert moved.processes() == again
        else:
            assert there.state(f"broca-{live.name}") == "RUNNING"
        assert len(moved.processes()) == 1
        assert "Application started" in (moved.path /
                                         "broca.log").read_text()
        assert sanctumctl("verify", job).rc == 0
        back = sanctumctl("reverse", job)
        assert back.rc == 0, back.err
        assert not moved.processes()
        assert dst.run(["crontab", "-l"], check=False).stdout == before
        assert dst.run(["find", "/etc/supervisor/conf.d", "-name",
                        f"*{live.name}*"]).stdout == ""
    live.wait_up()
    live.check(said)


#: What stands for a Letta server: `letta server --host A --port P'.
LETTA = """\
#!/usr/bin/python3
import http.server, os, sys
words = sys.argv
assert words[1] == "server" and words[2:4] == ["--host", "127.0.0.1"]
if os.environ.get("FAIL"):
    sys.exit("no database")
http.server.HTTPServer((words[3], int(words[5])),
                       http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def faults():
    """Path of a program with fault points."""
    path = Path(os.environ.get("SANCTUMCTL_FAULTS") or
                TOP / "build/faults/sanctumctl")
    assert path.is_file(), f"{path} is not built"
    return path


class Hand:
    """service_hand on one host, whose letta1 is a unit."""

    NAME = "letta1.service"

    def __init__(self, host, folder, program):
        self.host, self.program = host, Path(program).parent
        self.faults = faults().parent
        self.state = folder / "state"
        self.job = jobs.write(folder / "hand.conf", [
            jobs.job("workers", "hand"), jobs.host("there", host),
            ("letta new", {"url": "http://127.0.0.1:8283"}),
            ("worker x", {"from": "there:/srv/a", "to": "there:/srv/b",
                          "agent": "agent-" + "1" * 8 + "-1111-4111-8111-"
                          + "1" * 12, "server": "new"})])
        host.run(["sh", "-c", "useradd -r letta1; mkdir -p /opt/letta1/bin"
                  " /var/lib/letta1; chown letta1 /var/lib/letta1;"
                  " echo A=1 >/etc/letta1.env; chmod 600 /etc/letta1.env"])
        self.path("/opt/letta1/bin/letta").write_text(LETTA)
        self.path("/opt/letta1/bin/letta").chmod(0o755)

    def path(self, name):
        return self.host.path(name)

    def __call__(self, verb, word="1", rc=0, stop=None, count=None):
        built = self.faults if stop or count else self.program
        done = subprocess.run(
            [str(built / "tests/unit/service_hand"), str(self.state),
             str(self.job), verb, word], text=True, capture_output=True,
            timeout=120, env={
                **jobs.environment(),
                "SANCTUMCTL_REMOTE": str(built / "sanctumctl-remote"),
                **({"SANCTUMCTL_FAULT_STOP": str(stop)} if stop else {}),
                **({"SANCTUMCTL_FAULT_COUNT": str(count)} if count else {})})
        if stop:
            return done.returncode
        assert done.returncode == rc, done.stderr + done.stdout
        return done.stdout.splitlines() if rc == 0 else done.stderr

    def pid(self):
        return self.host.systemctl("show", "-p", "MainPID", "--value",
                                   self.NAME)


@pytest.fixture
def hand(machine, tmp_path, program_path):
    made = Hand(machine, tmp_path, program_path)
    yield made
    machine.remove_unit(made.NAME)
    machine.run(["sh", "-c", "userdel letta1; rm -rf /opt/letta1"
                 " /var/lib/letta1 /etc/letta1.env"], check=False)


def test_a_service_is_brought_up_and_taken_back(hand, machine):
    assert hand("look")[0] == "systemd no"
    assert hand("up")[0] == "systemd yes"
    assert machine.unit_state(hand.NAME) == ("active", "enabled")
    first = hand.pid()
    assert hand("up")[0] == "systemd no" and hand.pid() == first
    assert hand("look")[0] == "systemd yes"
    # Another environment, another text.
    assert hand("up", "2")[0] == "systemd yes" and hand.pid() != first
    at = machine.path(f"/etc/systemd/system/{hand.NAME}")
    at.write_text(at.read_text().replace("RestartSec=5", "RestartSec=6"))
    drifted = hand("look", "2")
    assert drifted[0] == "systemd no" and "-RestartSec=6" in drifted
    assert hand("up", "2")[0] == "systemd yes"
    assert hand("look", "2")[0] == "systemd yes"
    machine.path("/etc/letta1.env").write_text("FAIL=1\n")
    assert "no database" in hand("up", "3", rc=1)
    assert hand("look", "3")[0] == "systemd no"
    assert hand("down", "3")[0] == "systemd no"
    assert not at.exists()
    assert machine.unit_state(hand.NAME)[1] != "enabled"
    assert hand("down", "3")[0] == "systemd no"


def test_a_service_that_will_be_gone_is_not_started_at_boot(hand, machine):
    assert hand("up", "transient")[0] == "systemd yes"
    assert machine.unit_state(hand.NAME) == ("active", "disabled")
    assert hand("look", "transient")[0] == "systemd yes"
    assert hand("up", "transient")[0] == "systemd no"
    assert hand("down", "transient")[0] == "systemd no"
    assert not machine.path(f"/etc/systemd/system/{hand.NAME}").exists()


def test_a_service_of_somebody_else_comes_back(hand, machine):
    text = ("[Service]\nExecStart=/usr/bin/sleep 1000\n[Install]\n"
            "WantedBy=multi-user.target\n")
    machine.unit(hand.NAME, text)
    at = machine.path(f"/etc/systemd/system/{hand.NAME}")
    hand("up")
    assert at.read_text() != text
    hand("down")
    assert at.read_text() == text
    assert machine.unit_state(hand.NAME) == ("active", "enabled")
    exe = machine.run(["readlink", f"/proc/{hand.pid()}/exe"]).stdout
    assert exe.strip().endswith("sleep")
    assert hand("ensure", "letta1") == ["no"]
    machine.systemctl("stop", hand.NAME)
    assert hand("ensure", "letta1") == ["yes"]
    assert "no service" in hand("ensure", "nothing-of-the-kind", rc=1)


def test_a_service_is_met_half_way(hand, machine):
    """Killed in up or in down, the same call ends it."""
    for stop in ("service_file", "service_systemctl"):
        assert hand("up", stop, stop=stop) == 99
        hand("up", stop)
        assert hand("look", stop)[0] == "systemd yes", stop
    at = machine.path(f"/etc/systemd/system/{hand.NAME}")
    for stop in ("service_systemctl", "service_file_undone"):
        assert hand("down", "1", stop=stop) == 99
        hand("down")
        assert not at.exists(), stop
        assert machine.unit_state(hand.NAME)[0] != "active", stop
        hand("up")


#: What apt would do, in a host that shares /usr with this machine: screen is
#: hidden there, and installing it is to show it again.
APT = """\
#!/bin/sh
echo "$*" >>/root/apt.log
case " $* " in
*" update "*)
	if rmdir /root/locked 2>/dev/null; then
		echo "E: Could not get lock /var/lib/apt/lists/lock." >&2
		exit 100
	fi ;;
*" --download-only "*)
	if rmdir /root/offline 2>/dev/null; then
		echo "E: Failed to fetch screen: 404 Not Found" >&2
		exit 100
	fi ;;
*" install "*)
	/usr/sbin/policy-rc.d screen start
	echo "policy $?" >>/root/apt.log
	umount /usr/bin/screen ;;
esac
"""


@pytest.fixture
def without_screen(dst):
    """dst without screen, and with an apt and a dpkg of its own."""
    dst.run(["sh", "-c", "mkdir -p /root/bin /mnt/own/sbin /mnt/own/work"
             " && mount -t overlay -o lowerdir=/usr/sbin,upperdir="
             "/mnt/own/sbin,workdir=/mnt/own/work overlay /usr/sbin"
             " && rm -f /usr/sbin/policy-rc.d"
             " && mount --bind /dev/null /usr/bin/screen"])
    for name, text in (("apt-get", APT),
                       ("dpkg-query", "#!/bin/sh\nexit 1\n")):
        dst.path(f"/root/bin/{name}").write_text(text)
        dst.path(f"/root/bin/{name}").chmod(0o755)
    dst.path("/root/.bashrc").write_text("PATH=/root/bin:$PATH\n")
    yield dst
    dst.run(["sh", "-c", "umount /usr/bin/screen 2>/dev/null; umount"
             " /usr/sbin; rm -rf /root/bin /root/.bashrc /root/apt.log"
             " /root/locked /root/offline"])


def test_packages_come_with_nothing_started(bed, make_live, without_screen,
                                            sanctumctl, tmp_path):
    """The apt is a stand-in: tests of a bare host have the real one."""
    dst, live = without_screen, make_live()
    policy = dst.path("/usr/sbin/policy-rc.d")
    text = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca",
                         keys={"switch": "manual"},
                         supervisor="cron").read_text()
    job = tmp_path / "move.conf"
    job.write_text(text.replace("[host node1]\n",
                                "[host node1]\npackages = check\n"))
    checked = sanctumctl("plan", job)
    assert checked.rc == 1 and "apt-get install screen" in checked.err
    job.write_text(text)
    planned = sanctumctl("plan", job)
    assert "+ node.node1.packages: apt-get install screen" in planned.out
    dst.run(["mkdir", "/root/locked", "/root/offline"])
    failed = sanctumctl("apply", job)
    assert failed.rc == 1 and "404 Not Found" in failed.err
    assert "another apt or dpkg is at work" in failed.err
    assert not policy.exists()
    # One that a killed run has left is taken away.
    killed = sanctumctl("apply", job, program=faults(),
                        env={"SANCTUMCTL_FAULT_STOP": "node_policy"})
    assert killed.rc == 99 and policy.exists()
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    log = dst.path("/root/apt.log").read_text()
    assert "policy 101" in log and not policy.exists()
    assert sanctumctl("apply", job).rc == 0
    assert dst.path("/root/apt.log").read_text() == log
    gone = sanctumctl("cancel", job)
    assert gone.rc == 0 and "packages stay on node1" in gone.out
    assert "screen" in gone.out
