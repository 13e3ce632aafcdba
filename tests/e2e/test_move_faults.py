"""A worker whose move is disturbed is moved by the same command, whole.

After each fault no row of the queue is lost, each message was asked of the
agent once and answered once, and a source that was not left works as before.
"""

import os
import random
import signal
import sqlite3

import pytest

from bed import jobs
from bed.disturbed import Disturbed, Meddler, program
from bed.paths import BedError
from bed.wait import wait_for

STOPPED = 99
UNREACHABLE = 10
SEED = 5

#: Points behind which something may have changed for a run that goes on.
CHANGES = {"crontab", "host_db_script", "host_signal", "host_db_delta",
           "host_rename", "host_replace", "worker_again", "journal_meta",
           "worker_supervisor_started", "plan_acted"}
SWITCH_STEPS = 5

#: Answers that may be lost with a worker that is ended in its work: that of
#: the turn in flight, and of the one that it begins at the signal.
IN_FLIGHT = 2


@pytest.fixture
def make_move(bed, make_live, cron, tmp_path):
    """Function that starts a worker under cron and returns its move."""
    made = []

    def make(env="", start=True, **keys):
        live = make_live()
        with (live.broca / ".env").open("a") as f:
            f.write(env)
        cron.set(live.crontab_line)
        if start:
            live.start()
        folder = tmp_path / live.name
        folder.mkdir()
        made.append(Disturbed(bed, live, folder, **keys))
        return made[-1]

    yield make
    for one in made:
        one.end_users()


def late_points(names):
    """Numbers of the points of the switch to stop at."""
    begun = [k for k, name in enumerate(names, 1) if name == "plan_begun"]
    return [k for k in range(begun[-SWITCH_STEPS], len(names) + 1)
            if names[k - 1] in CHANGES]


def test_apply_goes_on_after_a_kill_behind_each_change(make_move, channel):
    faults = program("SANCTUMCTL_FAULTS", "faults")
    move = make_move()
    path = move.folder / "points"
    done = move.run("apply", path=faults, SANCTUMCTL_FAULT_COUNT=str(path))
    assert done.rc == 0, done.said
    move.has_moved()
    names = path.read_text().split()
    failed, stops = [], late_points(names)
    for k in stops:
        # Each worker's updates are numbered from 1.
        channel.sent.clear()
        move = make_move()
        done = move.run("apply", path=faults, SANCTUMCTL_FAULT_STOP=str(k))
        try:
            assert done.rc == STOPPED, done.said
            move.finish()
        except (AssertionError, BedError) as e:
            failed.append(f"{k}, {names[k - 1]}: {e}")
        move.chatter.stop()
        move.live.signal(signal.SIGKILL)
        move.moved.signal(signal.SIGKILL)
    print(f"{len(stops) - len(failed)} of {len(stops)} stops resumed")
    assert len(stops) > 15 and not failed, "\n".join(failed)


def instants():
    """(step, seconds after its begin) of kills."""
    draw = random.Random(SEED)
    return ([("copy", round(draw.uniform(0, 0.4), 3)) for _ in range(3)] +
            [("freeze", round(draw.uniform(0, 0.8), 3)) for _ in range(3)])


@pytest.mark.parametrize("step, after_s", instants())
def test_apply_goes_on_after_a_kill_at_any_instant(make_move, step, after_s):
    move = make_move()
    with move.start() as running:
        move.wait_step(running, step)
        try:
            running.wait(after_s)
        except Exception:
            running.kill()
    move.finish()


def test_files_that_change_in_the_first_pass(make_move):
    move = make_move()
    meddler = move.meddle(0.02)
    with move.start() as running:
        move.wait_step(running, "freeze")
        meddler.stop()
        done = move.end(running)
    assert done.rc == 0, done.said
    move.has_moved()


def test_files_that_change_for_ever(make_move, cron):
    move = make_move()
    with move.start() as running:
        move.wait_step(running, "freeze")
        meddler = move.meddle()
        done = move.end(running)
    meddler.stop()
    assert done.rc != 0, done.said
    assert "works at the source as before" in done.said
    move.works_at_source(cron)
    move.finish()


def test_of_two_workers_the_other_one_is_moved(bed, make_live, cron, dst,
                                               sanctumctl, tmp_path):
    first, other = make_live(), make_live()
    lines = [first.crontab_line, other.crontab_line]
    cron.set(*lines)
    first.start()
    other.start()
    sections = [jobs.job("workers", "two"), jobs.host("old", bed.src),
                jobs.host("node1", bed.dst),
                jobs.letta("new", first.letta, jobs.TARGET_TOKEN)]
    sections += [jobs.worker(w.name, w, agent=w.agent, server="new",
                             trees="broca", stop_wait=2)
                 for w in (first, other)]
    job = jobs.write(tmp_path / "two.conf", sections)
    # Files that never stand still end a switch, and not a first pass.
    meddler = Meddler(first.broca)
    done = sanctumctl("apply", job)
    meddler.stop()
    assert done.rc == 3, done.err[-2000:]
    assert f"[worker {first.name}] works at the source as before" in done.err
    assert f"  ! worker.{first.name} failed at" in done.out
    assert first.processes() and not first.at(dst).processes()
    assert other.at(dst).processes() and not other.processes()
    assert lines[0] in cron.text().splitlines()
    first.wait_answered(first.say())

    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err[-2000:]
    assert first.at(dst).processes() and not first.processes()


def test_a_worker_that_only_sigkill_ends(make_move):
    move = make_move("BED_HANG=kill\n")
    done = move.run("apply")
    assert done.rc == 0 and "SIGKILL" in done.said, done.said
    move.has_moved()


def test_a_worker_that_keeps_the_lock_with_a_turn_in_flight(
        make_move, fake_letta):
    move = make_move("BED_HANG=1\nBED_GRACE=0\nBED_LINGER=5\n")
    in_flight(move, fake_letta)
    with move.start() as running:
        answer_late(move, fake_letta)
        done = move.end(running)
    assert done.rc == 0, done.said
    move.has_moved(lost=IN_FLIGHT)


def in_flight(move, letta):
    """Let a turn begin that does not end."""
    letta.hold()
    wait_for("a turn in flight", letta.in_flight)


def answer_late(move, letta):
    """Let it end once the worker has left it."""
    pid_file = move.live.broca / "run/broca.pid"
    wait_for("a signal to end", lambda: not pid_file.exists())
    wait_for("the turn to be left", lambda: "initiating" in
             move.live.host.path(f"/root/logs/broca-{move.live.name}.log")
             .read_text())
    letta.release()


def test_messages_in_processing_are_judged(make_move, fake_letta):
    move = make_move("BED_GRACE=0\nBED_LINGER=5\n")
    in_flight(move, fake_letta)
    # One that never got to the agent.
    move.extra.append(move.live.put("hello", status="processing"))
    with move.start() as running:
        answer_late(move, fake_letta)
        done = move.end(running)
    assert done.rc == 0, done.said
    move.has_moved(lost=IN_FLIGHT)


LOOP = "while true; do python3 main.py >>/root/logs/loop.log 2>&1; done"


def start_loop(move, *words):
    """Let a shell start the worker again and again."""
    before = move.live.channel.polls(move.live.token)
    process = move.live.host.spawn(
        ["sh", *words], cwd=f"{move.live.home}/broca")
    move.live.wait_up(before)
    return process


def test_a_script_that_restarts_the_worker_is_ended(make_move):
    move = make_move(start=False)
    script = move.live.host.path("/root/loop.sh")
    script.write_text(LOOP)
    process = start_loop(move, "/root/loop.sh")
    done = move.run("apply")
    assert not process.alive()
    if done.rc != 0:
        # A start script of cron's that had begun before.
        assert "works at the source as before" in done.said, done.said
        move.finish()
    else:
        move.has_moved()


def test_a_restart_by_something_unknown(make_move, cron):
    move = make_move(start=False)
    process = start_loop(move, "-c", LOOP)
    try:
        done = move.run("apply")
        assert done.rc != 0 and "find what starts it" in done.said, done.said
        assert "works at the source as before" in done.said
        move.works_at_source(cron)
    finally:
        process.stop(signal.SIGKILL)
    move.finish()


@pytest.fixture
def small_disk(dst):
    """A small filesystem for the workers of dst; function that changes it."""
    path = "/root/sanctum/agents"
    dst.small_tmpfs(path, "40m")
    yield lambda option: dst.run(["mount", "-o", f"remount,{option}", path])
    dst.run(["umount", "-l", path])


def freeze_lasts(move):
    """Let the freeze wait for a row, as long as stop_wait is."""
    move.extra.append(move.live.put("hello", status="processing"))


def test_a_disk_that_gets_full_in_the_switch(make_move, small_disk, dst,
                                             cron):
    move = make_move()
    freeze_lasts(move)
    filler = dst.path("/root/sanctum/agents/filler")
    with move.start() as running:
        move.wait_step(running, "freeze")
        (move.live.broca / "late.bin").write_bytes(os.urandom(200_000))
        with pytest.raises(OSError), filler.open("wb", buffering=0) as f:
            while True:
                f.write(bytes(65536))
        done = move.end(running)
    assert done.rc != 0 and "no space left" in done.said, done.said
    assert "works at the source as before" in done.said
    move.works_at_source(cron)
    filler.unlink()
    move.finish()


def test_a_disk_that_gets_read_only_in_the_switch(make_move, small_disk,
                                                  cron):
    move = make_move()
    freeze_lasts(move)
    with move.start() as running:
        move.wait_step(running, "freeze")
        small_disk("ro")
        done = move.end(running)
    small_disk("rw")
    assert done.rc != 0 and "Read-only" in done.said, done.said
    assert "works at the source as before" in done.said
    move.works_at_source(cron)
    move.finish()


@pytest.mark.parametrize("which", ["src", "dst"])
def test_a_cut_line_in_the_switch(make_move, which, bed, cron):
    move = make_move()
    freeze_lasts(move)
    with move.start() as running:
        move.wait_step(running, "freeze")
        getattr(bed, which).cut()
        done = move.end(running)
    assert done.rc == UNREACHABLE, done
    assert "works at the source as before" in done.said
    move.works_at_source(cron)
    move.finish()


def test_a_source_that_is_out_of_reach_in_the_switch(make_move, src):
    move = make_move()
    freeze_lasts(move)
    with move.start() as running:
        move.wait_step(running, "freeze")
        src.out_of_reach()
        done = move.end(running)
    src.start_sshd()
    assert done.rc == UNREACHABLE and "stands, and could not be" in done.said, done
    move.finish()


def stop_before(move, step):
    """Kill an apply as a step of the switch begins."""
    with move.start() as running:
        move.wait_step(running, step)
        running.kill()


def test_a_target_that_is_gone_after_a_kill(make_move, dst, cron):
    move = make_move()
    stop_before(move, "final")
    dst.out_of_reach()
    done = move.run("apply")
    dst.start_sshd()
    assert done.rc == UNREACHABLE, done
    assert "works at the source as before" in done.said
    move.works_at_source(cron)
    move.finish()


@pytest.mark.parametrize("step", ["final", "fence"])
def test_a_kill_long_ago(make_move, step):
    move = make_move()
    stop_before(move, step)
    journal, = (move.folder / "state").glob("*/journal.db")
    with sqlite3.connect(journal) as db:
        db.execute("UPDATE meta SET value = value - 3600000 WHERE key ="
                   " ? AND value > 0",
                   (f"worker.{move.live.name}.stood-from",))
    db.close()
    move.finish()
