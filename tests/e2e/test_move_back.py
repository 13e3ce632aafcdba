"""A worker that was switched goes back to its source, and what is left then.

One live worker a test, kept running by cron; the channel and the agent see
whether each message was asked and answered, once.
"""

import json
import os
import re
from pathlib import Path

import pytest

from bed import jobs
from bed.fake_letta import FakeLetta
from bed.moved_worker import LiveWorker
from bed.paths import TOP
from bed.wait import wait_for
from bed.worker import manifest

STOPPED = 99
#: Where a reverse is killed, by the names of its fault points.
STOPS = ("worker_target_disabled", "worker_target_removed",
         "worker_unfenced", "worker_released", "worker_settled",
         "worker_enabled")
NEWCOMER = "7001"

#: What a run leaves in a worker's directory by itself.
OWN = re.compile(r"(^|/)(run|logs|__pycache__|sanctum\.db.*)(/|$)")


@pytest.fixture
def live(make_live, cron, src, dst):
    """A worker that cron keeps running on src, beside a line of another."""
    worker = make_live()
    cron.set("# mine, by hand", "MAILTO=ops", worker.crontab_line,
             "7 4 * * * true   # not a worker's")
    dst.run(["crontab", "-"], input="# of the target\n")
    yield worker.start()
    dst.run(["crontab", "-r"], check=False)


@pytest.fixture
def job(tmp_path, bed, live):
    """Function that writes the job of `live` anew, with other keys."""
    def write(keys=None, **more):
        return jobs.live_job(tmp_path / "move.conf", bed, live, keys=keys,
                             **{"trees": "broca", **more})
    return write


def crontab(host):
    return host.run(["crontab", "-l"], check=False).stdout


def must(done, rc=0):
    assert done.rc == rc, f"{done.rc}\n{done.out}{done.err}"
    return done


def beside(host, live):
    """What of this job's lies beside the worker's directory, or of it."""
    return sorted(p.name for p in host.path(live.home).parent.glob(
        f"{live.name}.sanctumctl-*"))


def sums(host, live):
    at = host.path("/root/.cache/sanctumctl")
    return sorted(p.name for p in at.glob(f"sums-*-{live.name}-*"))


def add_user(worker, sender):
    """Broca makes a user at his first message."""
    identity, block = worker.letta.make_user("new", "About a newcomer")
    worker.sql(
        "BEGIN IMMEDIATE; INSERT INTO letta_users (letta_identity_id,"
        f" letta_block_id, is_active) VALUES ('{identity}', '{block}', 1);"
        " INSERT INTO platform_profiles (letta_user_id, platform,"
        " platform_user_id, username, display_name, metadata) SELECT id,"
        f" 'telegram', '{sender}', 'new', 'New', '{{}}' FROM letta_users"
        f" WHERE letta_block_id = '{block}'; COMMIT;")


def talk(live, count=3, sender=None):
    """Let users write, and wait for the answers."""
    said = ([live.channel.say(live.token, sender, "new here")
             for _ in range(count)] if sender else live.say(count))
    live.wait_answered(said)
    return said


def at_rest(live, said):
    """Wait until all is in its last state, which a delivery is not."""
    wait_for("rest", lambda: all(
        live.rows()[n]["status"] == "completed" for n in said))


def files(live):
    return {k: v for k, v in manifest(live.path).items()
            if not OWN.search(k)}


def test_there_and_back_and_there(live, job, sanctumctl, src, dst):
    before, tree = crontab(src), files(live)
    said = talk(live, 5)
    path = job()
    must(sanctumctl("apply", path))
    moved = live.at(dst)
    assert crontab(src) != before
    add_user(moved, NEWCOMER)
    said += talk(moved, 4) + talk(moved, 2, NEWCOMER)
    back = must(sanctumctl("reverse", path))
    assert "work as before" in back.out
    live.wait_up()
    assert not moved.processes()
    assert crontab(src) == before
    assert crontab(dst) == "# of the target\n"
    assert files(live) == tree
    said += talk(live, 3) + talk(live, 1, NEWCOMER)
    at_rest(live, said)
    live.check(said)
    again = must(sanctumctl("reverse", path))
    assert again.out.startswith("0 steps"), again.out
    assert live.processes()
    # There once more, with what came since.
    must(sanctumctl("apply", path))
    assert moved.processes() and not live.processes()
    said += talk(moved, 2) + talk(moved, 1, NEWCOMER)
    at_rest(moved, said)
    moved.check(said)
    must(sanctumctl("verify", path))
    # And back once more: marks and lists are this switch's.
    must(sanctumctl("reverse", path))
    said += talk(live, 2)
    at_rest(live, said)
    live.check(said)
    assert crontab(src) == before


def test_discard_brings_nothing_new_and_answers_nothing_twice(
        live, job, sanctumctl, fake_letta, dst):
    path = job()
    fake_letta.hold()
    said = live.say(4)
    wait_for("rows", lambda: len(live.rows()) == 4)
    wait_for("a turn", fake_letta.in_flight)
    applied = sanctumctl.spawn("apply", path)
    # Three wait at the source for ever, and are answered by the target.
    wait_for("the freeze", lambda: live.queue_states().get("held") == 3)
    fake_letta.release()
    assert applied.wait(60) == 0, applied.stderr.read()
    moved = live.at(dst)
    moved.wait_answered(said)
    assert live.queue_states()["held"] == 3
    new = talk(moved, 3)
    must(sanctumctl("reverse", "--discard", path))
    live.wait_up()
    rows = live.rows()
    assert not set(new) & set(rows), rows
    after = talk(live, 2)
    at_rest(live, said + after)
    live.check(said + after)
    assert [live.asked()[n] for n in new] == [1, 1, 1]


def test_after_complete_nothing_leads_back(live, job, sanctumctl, src, dst):
    older = dst.path(live.home)
    older.mkdir(parents=True)
    (older / "mine.txt").write_text("was here first\n")
    path = job()
    early = sanctumctl("complete", path)
    assert early.rc == 15 and "not switched yet" in early.err, early.err
    must(sanctumctl("apply", path))
    assert beside(dst, live)
    must(sanctumctl("complete", path))
    assert not beside(dst, live)
    assert not sums(src, live) and not sums(dst, live)
    for command in ("reverse", "cancel"):
        done = sanctumctl(command, path)
        assert done.rc == 15 and "was completed" in done.err, done.err
    moved = live.at(dst)
    assert moved.processes() and not live.processes()
    moved.check(talk(moved))
    must(sanctumctl("complete", path))
    must(sanctumctl("apply", path))


@pytest.fixture
def stop_at(sanctumctl):
    """Function that kills a command at a fault point; as test_resume.py."""
    program = Path(os.environ.get("SANCTUMCTL_FAULTS")
                   or TOP / "build/faults/sanctumctl").resolve()
    if not program.is_file():
        pytest.fail(f"{program} is not built; SANCTUMCTL_FAULTS may name "
                    "another, configured with --enable-fault-points")

    def stop(command, path, point):
        done = sanctumctl(command, path, program=program,
                          env={"SANCTUMCTL_FAULT_STOP": point})
        must(done, STOPPED)
    return stop


def test_a_reverse_that_is_killed_is_finished(live, job, sanctumctl, stop_at,
                                              src, dst):
    before, path, moved = crontab(src), job(), live.at(dst)
    said = talk(live)
    for point in STOPS:
        must(sanctumctl("apply", path))
        said += talk(moved, 2)
        stop_at("reverse", path, point)
        # There is no way but back.
        onward = sanctumctl("apply", path)
        assert onward.rc == 15 and "`reverse'" in onward.err, onward.err
        must(sanctumctl("reverse", path))
        live.wait_up()
        assert not moved.processes()
        assert crontab(src) == before
        assert crontab(dst) == "# of the target\n"
        said += talk(live, 1)
    at_rest(live, said)
    live.check(said)


def untouched(live, src, dst, before):
    """The source is as it was, and nothing of the job is at the target."""
    assert crontab(src) == before[0] and files(live) == before[1]
    assert crontab(dst) == "# of the target\n"
    assert not dst.path(live.home).exists() and not beside(dst, live)
    assert not sums(src, live) and not sums(dst, live)


def test_cancel_in_every_phase(live, job, sanctumctl, stop_at, src, dst):
    before = crontab(src), files(live)
    said = talk(live)
    path = job({"switch": "manual"})
    done = must(sanctumctl("apply", path))
    assert "next: sanctumctl switch" in done.out, done.out
    pids = live.processes()
    must(sanctumctl("cancel", path))
    assert live.processes() == pids
    untouched(live, src, dst, before)
    # In the freeze, behind final, install, fence and start.
    for point in ("worker_disabled", "worker_held", "worker_judged",
                  "worker_fenced", "worker_supervisor_installed"):
        stop_at("switch", path, point)
        must(sanctumctl("cancel", path))
        live.wait_up()
        untouched(live, src, dst, before)
        said += talk(live, 1)
    must(sanctumctl("switch", path))
    said += talk(live.at(dst), 2)
    must(sanctumctl("cancel", path))
    live.wait_up()
    untouched(live, src, dst, before)
    said += talk(live, 1)
    at_rest(live, said)
    live.check(said)


def test_a_freeze_that_is_too_long_ends_at_the_source(live, job, sanctumctl,
                                                      src, dst):
    before = crontab(src)
    short = sanctumctl("plan", job({"max_freeze": 1}))
    assert short.rc == 2, short.err
    assert "stand for about 3 s" in short.err, short.err
    assert "max_freeze is 1 s" in short.err, short.err
    # The second SIGTERM, which ends it, comes 10 s after the first.
    live.stop()
    env = live.broca / ".env"
    env.write_text(env.read_text() + "BED_HANG=1\n")
    live.start()
    said = talk(live)
    done = must(sanctumctl("apply", job({"max_freeze": 5})), 75)
    assert "max_freeze is 5 s" in done.err, done.err
    assert "works at the source as before" in done.err, done.err
    assert crontab(src) == before
    live.wait_up()
    assert not dst.path(live.home).exists()
    said += talk(live)
    path = job({"max_freeze": 60})
    must(sanctumctl("apply", path))
    moved = live.at(dst)
    said += talk(moved)
    at_rest(moved, said)
    moved.check(said)
    # Its figures: expected, allowed, measured.
    text = sanctumctl("status", path).out
    assert re.search(rf"worker {live.name}: stood 1\d\.\d s; expected "
                     r"3\.\d s, at most 60 s", text), text
    lines = [json.loads(line) for line in
             sanctumctl("status", "--json", path).out.splitlines()]
    found, = [x for x in lines if x["type"] == "freeze"]
    assert found["worker"] == live.name and found["max_ms"] == 60_000
    assert found["stood_ms"] >= 10_000 and found["standing_ms"] == 0
    assert 3000 <= found["predicted_ms"] < 10_000
    assert any("stood 1" in x["summary"] for x in lines
               if x["type"] == "step" and x["step"].endswith(".start"))


def test_two_brocas_of_one_token_are_no_switch(live, job, make_live,
                                               sanctumctl, src, dst):
    """Nothing is stopped; and the agent that it will serve counts."""
    pids, before = live.processes(), crontab(src)
    twin = make_live(on=dst, token=live.token)
    spawned = twin.spawn()
    for command in ("plan", "apply"):
        done = must(sanctumctl(command, job()), 15)
        assert twin.name in done.err and "Telegram token" in done.err
        assert live.token not in done.out + done.err
    spawned.stop()
    other = make_live(on=dst)
    spawned = other.spawn()
    path = job({"name": "other"}, agent_id=other.agent)
    done = must(sanctumctl("apply", path), 15)
    assert other.name in done.err and "one agent" in done.err, done.err
    assert live.processes() == pids and crontab(src) == before
    spawned.stop()
    must(sanctumctl("apply", path))


def test_without_a_fence_the_source_stays_as_it_is(live, job, sanctumctl,
                                                   src, dst):
    tree, path = files(live), job(fence="no")
    must(sanctumctl("apply", path))
    assert files(live) == tree
    fenced = job()
    must(sanctumctl("apply", fenced))
    assert (live.broca / ".sanctumctl-fenced-main.py").exists()
    must(sanctumctl("reverse", fenced))
    live.wait_up()
    assert files(live) == tree


def test_somebody_else_starts_and_stops(make_live, bed, tmp_path, sanctumctl,
                                        dst):
    """supervisor = none: who runs is refused, and nothing is started."""
    live = make_live()
    path = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca",
                         supervisor="none")
    live.spawn()
    said = talk(live)
    done = must(sanctumctl("apply", path), 15)
    assert "runs (pid" in done.err, done.err
    live.stop()
    must(sanctumctl("apply", path))
    moved = live.at(dst)
    assert not moved.processes()
    moved.spawn()
    said += talk(moved)
    done = must(sanctumctl("reverse", path), 15)
    assert "runs (pid" in done.err and moved.processes(), done.err
    moved.stop()
    must(sanctumctl("reverse", path))
    assert not live.processes()
    live.spawn()
    said += talk(live)
    at_rest(live, said)
    live.check(said)


def test_another_agent_on_the_same_host(live, bed, fake_letta, tmp_path,
                                        sanctumctl, src):
    """One host, one server: another directory and another agent."""
    before, agent = crontab(src), fake_letta.make_agent()
    there = f"{live.home}-next"
    path = jobs.write(tmp_path / "move.conf", [
        jobs.job("workers", "again"), jobs.host("old", bed.src),
        jobs.letta("new", fake_letta, jobs.TARGET_TOKEN),
        jobs.worker(live.name, live, agent=agent, server="new", to="old",
                    to_path=there, trees="broca")])
    said = talk(live)
    must(sanctumctl("apply", path))
    moved = LiveWorker(live.name, there, src, letta=fake_letta,
                       channel=live.channel, agent=agent, token=live.token,
                       senders=live.senders)
    try:
        assert moved.processes() and not live.processes()
        new = talk(moved)
        assert all(moved.asked()[n] == 1 for n in new)
        assert not any(live.asked()[n] for n in new)
        must(sanctumctl("reverse", path))
        live.wait_up()
        assert crontab(src) == before and not moved.processes()
        said += talk(live)
        at_rest(live, said)
        live.check(said)
        must(sanctumctl("cancel", path))
    finally:
        moved.signal(9)
        src.run(["rm", "-rf", there])


def test_back_to_another_server(live, job, sanctumctl, src, dst):
    """New users are made at the source's server, each once."""
    before = crontab(src)
    with FakeLetta([src, dst]) as second:
        agent = second.make_agent()
        path = job(target=second, agent_id=agent)
        first = talk(live)
        must(sanctumctl("apply", path))
        moved = LiveWorker(live.name, live.home, dst, letta=second,
                           channel=live.channel, agent=agent,
                           token=live.token, senders=live.senders)
        add_user(moved, NEWCOMER)
        new = talk(moved) + talk(moved, 2, NEWCOMER)
        assert all(moved.asked()[n] == 1 for n in new)
        must(sanctumctl("reverse", path))
        live.wait_up()
        assert crontab(src) == before and not moved.processes()
        for user in live.query("SELECT * FROM letta_users"):
            assert user["letta_identity_id"] in live.letta.identities
            assert user["letta_block_id"] in live.letta.blocks
        assert len(live.letta.identities) == 4
        after = talk(live, 1) + talk(live, 1, NEWCOMER)
        at_rest(live, first + new + after)
        live.check(first + after)
        assert not any(live.asked()[n] for n in new)
        # Once more, and all of it away.
        must(sanctumctl("apply", path))
        more = talk(moved, 1, NEWCOMER)
        assert moved.asked()[more[0]] == 1
        must(sanctumctl("cancel", path))
        live.wait_up()
        after += talk(live, 1, NEWCOMER)
        at_rest(live, first + new + more + after)
        live.check(first + after)
        assert len(live.letta.identities) == 4
        assert not dst.path(live.home).exists()


def test_a_turn_that_a_vain_freeze_cuts_off(live, job, sanctumctl,
                                            fake_letta):
    """Its row is not asked again, and its user's block is off the agent."""
    live.stop()
    env = live.broca / ".env"
    env.write_text(env.read_text().replace("BED_GRACE=2", "BED_GRACE=5"))
    live.start()
    fake_letta.hold()
    cut = live.say(1)
    wait_for("a turn", fake_letta.in_flight)
    done = must(sanctumctl("apply", job({"max_freeze": 4}, stop_wait=1)), 75)
    assert "1 unclear" in done.out, done.out
    live.wait_up()
    assert fake_letta.agents[live.agent]["blocks"] == []
    fake_letta.release()
    said = talk(live)
    at_rest(live, said)
    live.check(said)
    assert live.asked()[cut[0]] == 1
    assert live.rows()[cut[0]]["status"] == "held"
