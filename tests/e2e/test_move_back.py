"""A worker that was switched goes back to its source, and what is left then.

One live worker a test, kept running by cron; the channel and the agent see
whether each message was asked and answered, once.
"""

import re

import pytest

from bed import jobs
from bed.wait import wait_for
from bed.worker import manifest

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
    for host in (src, dst):
        host.run(["sh", "-c", f"rm -rf {worker.home}.sanctumctl-*"])


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
    assert beside(dst, live) and sums(src, live)
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
