"""A worker that runs moves to another host, with its queue and its users."""

import json

import pytest

from bed import jobs
from bed.channel import Chatter
from bed.database import query

KEY = "SANCTUM_BED_KEY"
AGENT = "agent-22222222-2222-4222-8222-222222222222"


def write_job(path, bed, live, **more):
    """Job of one live worker, from src to dst, server and agent the same."""
    top = {k: more.pop(k) for k in ("switch", "max_freeze") if k in more}
    hosts = {k: more.pop(k) for k in ("slow", "transport") if k in more}
    return jobs.write(path, [
        jobs.job("workers", f"{live.name}-moves", **top),
        jobs.host("old", bed.src, **hosts),
        jobs.host("node1", bed.dst, **hosts),
        ("letta home", {"url": live.letta.url, "token": f"env:{KEY}"}),
        jobs.worker(live.name, live, agent=live.agent, server="home",
                    **{"trees": "broca", **more})])


@pytest.fixture
def run(sanctumctl):
    """The program, with the worker's key in its environment."""
    def go(*words, **more):
        return sanctumctl(*words, env={KEY: "bed-key"}, **more)
    go.spawn = lambda *words: sanctumctl.spawn(*words, env={KEY: "bed-key"})
    return go


@pytest.fixture
def live(make_live, cron, src):
    """A worker that cron keeps running on src."""
    worker = make_live()
    cron.set(worker.crontab_line)
    return worker.start()


def test_a_running_worker_moves(live, bed, run, tmp_path, dst):
    job = write_job(tmp_path / "move.conf", bed, live)
    before = live.say(5)
    live.wait_answered(before)
    # What a killed Broca left long ago is not waited for, and is answered.
    stale = live.put("left long ago", "processing", age_s=4000)
    planned = run("plan", job)
    assert planned.rc == 4, planned.err
    assert "crontab" in planned.out and "stands about" in planned.out
    assert live.processes()
    chatter = Chatter(live.channel, live.token, live.senders[0], rate=5)
    done = run("apply", job)
    assert done.rc == 0, done.err + done.out
    moved = live.at(dst)
    assert moved.processes() and not live.processes()
    chatter.stop()
    after = moved.say(5)
    moved.wait_answered(after)
    said = [*before, stale, *chatter.said, *after]
    moved.wait_answered(said)
    moved.check(said, conflicts=0)
    seen = run("verify", job)
    assert seen.rc == 0, seen.out + seen.err
    again = run("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out, again.err


def test_a_queue_of_no_broca_is_refused_in_the_plan(live, bed, run, tmp_path):
    live.stop()
    live.sql("ALTER TABLE queue RENAME TO q; "
             "CREATE VIEW queue AS SELECT * FROM q")
    planned = run("plan", write_job(tmp_path / "move.conf", bed, live))
    assert planned.rc == 1, planned.out
    assert "has no queue.id" in planned.err


def test_a_snapshot_by_hand(bed, make_worker, src, sanctumctl, tmp_path):
    worker = make_worker()
    job = jobs.write(tmp_path / "hosts.conf", [
        jobs.job("workers", "hosts"), jobs.host("old", src),
        ("letta home", {"url": "http://127.0.0.1:8283"}),
        jobs.worker("sage", worker, agent=AGENT, server="home", to="old",
                    to_path="/srv/elsewhere")])
    copy = f"{worker.home}/copy.db"
    done = sanctumctl("worker", "snapshot", "--json",
                      f"{job}#old:{worker.database}", copy)
    assert done.rc == 0, done.err
    assert json.loads(done.out)["rows"]["messages"] == 40
    assert query("SELECT count(*) AS n FROM queue", copy, src)[0]["n"] == 40
    again = sanctumctl("worker", "snapshot", f"{job}#old:{worker.database}",
                       copy)
    assert again.rc == 2 and "replaces nothing" in again.err
