"""A worker that runs moves in other settings than cron between two hosts."""

import re

import pytest

from bed import jobs
from bed.channel import Chatter
from bed.supervisors import Supervisord
from bed.wait import wait_for

#: Where a worker goes that stays on its host.
SUFFIX = "-new"


def move(sanctumctl, live, job, moved, env=None, **kinds):
    """Apply a job while a user writes; check worker and verdict.

    Returns what apply said.
    """
    before = live.say(3)
    live.wait_answered(before)
    chatter = Chatter(live.channel, live.token, live.senders[0], rate=5)
    try:
        done = sanctumctl("apply", job, env=env)
    finally:
        chatter.stop()
    assert done.rc == 0, done.err + done.out
    assert moved.processes() and not live.processes()
    after = moved.say(3)
    said = [*before, *chatter.said, *after]
    moved.wait_answered(said)
    moved.check(said)
    seen = sanctumctl("verify", job, env=env)
    assert seen.rc == 0, seen.out + seen.err
    return done.out


def stood(text):
    """Seconds that the start step says the worker stood."""
    return float(re.search(r"stood (\d+\.\d) s", text)[1])


def here_job(path, host, live, **more):
    """Job of a worker that goes to another directory of its host."""
    return jobs.write(path, [
        jobs.job("workers", f"{live.name}-worker"),
        jobs.host("node1", host),
        jobs.letta("new", live.letta, jobs.TARGET_TOKEN),
        jobs.worker(live.name, live, agent=live.agent, server="new",
                    source="node1", to_path=f"{live.home}{SUFFIX}",
                    **{"trees": "broca", **more})])


def test_under_supervisord(bed, make_live, supervisord, dst, sanctumctl,
                           tmp_path):
    live = make_live()
    name = f"broca-{live.name}"
    text = "; my own\n" + live.program
    with Supervisord(dst) as there:
        supervisord.set(name, text)
        live.wait_up()
        job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca")
        move(sanctumctl, live, job, live.at(dst))
        assert there.state(name) == "RUNNING"
        assert supervisord.state(name) != "RUNNING"
        back = sanctumctl("reverse", job)
        assert back.rc == 0, back.err
        live.wait_up()
        said = live.say(2)
        live.wait_answered(said)
        live.check(said)
        assert there.state(name) != "RUNNING"
    conf = live.host.path(f"/etc/supervisor/conf.d/{name}.conf")
    assert conf.read_text() == text
    conf.unlink()


def test_a_unit_on_its_host(machine, make_unit_live, sanctumctl, tmp_path):
    live = make_unit_live()
    name = f"broca-{live.name}.service"
    machine.unit(name, live.unit)
    live.wait_up()
    moved = live.at(machine, f"{live.home}{SUFFIX}")
    job = here_job(tmp_path / "move.conf", machine, live)
    try:
        move(sanctumctl, live, job, moved)
        assert machine.unit_state(name)[0] != "active"
        machine.run(["systemctl", "start", name], check=False)
        assert not live.processes()
        moved.stop()
        wait_for("its unit starts it again", moved.processes)
        back = sanctumctl("reverse", job)
        assert back.rc == 0, back.err
        assert machine.unit_state(name)[0] == "active"
        live.wait_up()
        left = machine.run(["find", "/etc/systemd", "-name", "*sanctumctl*",
                            "-o", "-name", f"*{live.name}*"]).stdout
        assert sorted(left.split()) == [
            f"/etc/systemd/system/{name}",
            f"/etc/systemd/system/multi-user.target.wants/{name}"]
        said = live.say(2)
        live.wait_answered(said)
        live.check(said)
    finally:
        moved.stop()
        machine.run(["rm", "-rf", str(moved.home)])


def test_a_cron_line_on_its_host(make_live, cron, src, sanctumctl,
                                 tmp_path):
    live = make_live()
    cron.set(live.crontab_line)
    live.start()
    moved = live.at(src, f"{live.home}{SUFFIX}")
    job = here_job(tmp_path / "move.conf", src, live)
    try:
        move(sanctumctl, live, job, moved)
        cron.wait_minutes(2)
        assert len(moved.processes()) == 1 and not live.processes()
    finally:
        cron.set()
        moved.stop()
        src.run(["rm", "-rf", str(moved.home)])


@pytest.mark.parametrize("options", [
    {"slow": True}, {"slow": True, "transport": "openssh"},
    {"transport": "openssh"}], ids=["40ms", "40ms-openssh", "openssh"])
def test_by_another_line(bed, make_live, cron, dst, sanctumctl, tmp_path,
                         options):
    if options.get("slow"):
        bed.need("slow")
    live = make_live()
    cron.set(live.crontab_line)
    live.start()
    job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca",
                        host_options=options)
    said = move(sanctumctl, live, job, live.at(dst))
    print(f"stood {stood(said)} s by {options}")
