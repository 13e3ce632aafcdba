"""What runs an old server, put out of use and back by an upgrade.

systemd, cron and screen are real, the server is sleep(1).  supervisord's is
in test_upgrade_stop, compose's in test_upgrade_compose; so
tests/unit/drive_upgrade does this one thing alone.
"""

from pathlib import Path

import pytest

from bed import jobs
from bed.supervisors import Cron
from bed.wait import wait_for

UNIT = """\
[Service]
ExecStart=/bin/sleep 100000
[Install]
WantedBy=multi-user.target
"""
LINE = "/etc/cron.d/sanctumctl-letta"
HOME = "/var/lib/letta"
SCRIPT = f"""\
#!/bin/sh
cd {HOME} || exit 1
screen -ls letta | grep -q '[.]letta' && exit 0
exec screen -dmS letta sleep 100000
"""


@pytest.fixture
def drive(sanctumctl, program_path, tmp_path, monkeypatch):
    """Function: what a verb says of the host's service."""
    built = Path(program_path).resolve().parent
    if not (built / "tests/unit/drive_upgrade").is_file():
        pytest.fail("drive_upgrade is not built: make it there")
    monkeypatch.setenv("SANCTUMCTL_REMOTE", str(built / "sanctumctl-remote"))
    monkeypatch.setenv("PG", "postgresql://x@127.0.0.1:1/x")

    def run(verb, host, name="letta"):
        there = {"host": "there", "url": "http://127.0.0.1:9",
                 "token": f"env:{jobs.SOURCE_TOKEN}"}
        job = jobs.write(tmp_path / "up.conf", [
            jobs.job("upgrade", "up", break_glass="yes"),
            jobs.host("there", host),
            ("letta old", {**there, "service": name, "database": "env:PG"}),
            ("letta new", {**there, "version": "0.16.2", "redis": "none",
                           "runtime": "venv"}),
            ("upgrade home", {"from": "old", "to": "new"})])
        done = sanctumctl(verb, job,
                          program=built / "tests/unit/drive_upgrade")
        return done.out.strip() if done.rc == 0 else done.err
    return run


def test_a_unit_of_systemd(machine, drive):
    assert "no unit aged.service of systemd" in drive("service", machine,
                                                      "aged")
    machine.unit("aged.service", UNIT)
    at = "systemd /etc/systemd/system/aged.service"
    assert drive("service", machine, "aged") == f"{at} enabled active"
    for _ in range(2):
        assert drive("off", machine, "aged") == f"{at} - -"
    assert machine.unit_state("aged") == ("inactive", "disabled")
    pids = []
    for _ in range(2):
        assert drive("on", machine, "aged") == f"{at} enabled active"
        pids.append(machine.systemctl("show", "-p", "MainPID", "--value",
                                      "aged"))
    assert pids[0] == pids[1] != "0"
    assert machine.unit_state("aged") == ("active", "enabled")
    machine.systemctl("disable", "--now", "aged")
    machine.run(["rm", "/etc/systemd/system/aged.service"])


@pytest.fixture
def node(src):
    """A host on which cron keeps a server running, as we have set it up."""
    src.run(["useradd", "--system", "--home-dir", HOME, "--shell",
             "/usr/sbin/nologin", "letta"])
    src.run(["install", "-d", "-o", "letta", "-m", "750", HOME])
    src.path(f"{HOME}/start-letta.sh").write_text(SCRIPT)
    with Cron(src) as cron:
        src.path(LINE).write_text(
            f"* * * * * letta sh {HOME}/start-letta.sh\n"
            f"@reboot letta sh {HOME}/start-letta.sh\n")
        yield src, cron
        src.path(LINE).unlink(missing_ok=True)
    src.run(["sh", "-c", "pkill -KILL -u letta; userdel letta;"
             f" rm -rf {HOME}"], check=False)


def runs(host):
    return host.run(["pgrep", "-u", "letta", "-x", "sleep"],
                    check=False).stdout.split()


def test_a_line_of_cron(node, drive):
    host, cron = node
    at = f"cron {LINE}"
    wait_for("cron to start it", lambda: runs(host))
    assert drive("service", host) == f"{at} enabled active"
    for _ in range(2):
        assert drive("off", host) == f"{at} - -"
    cron.wait_minutes()
    assert runs(host) == [] and not host.path(LINE).exists()
    for _ in range(2):
        assert drive("on", host) == f"{at} enabled active"
    assert len(runs(host)) == 1
    assert [p.name for p in host.path("/etc/cron.d").glob("sanctumctl*")
            ] == ["sanctumctl-letta"]
