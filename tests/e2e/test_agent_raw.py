"""raw_read: the source's rows as they are stored, and its list put back."""

import json
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from bed import jobs, seed
from bed.paths import TOP
from bed.quirk import Quirk
from bed.wait import wait_for

STOPPED = 99
PACKED = json.dumps({"type": "user_message", "message": "packed ✉",
                     "time": "2025-03-01 08:00:00 AM UTC+0000",
                     "location": "Köln"}, ensure_ascii=False)


@pytest.fixture
def packed_id(bed, source):
    """An agent with packed user texts out of context, which a listing
    unpacks."""
    made = seed.agent_file("packed", 200, bed.stub_port)
    rows = made["agents"][0]["messages"]
    for row in rows[60:120]:
        if row["role"] == "user":
            row["content"] = [{"type": "text", "text": PACKED}]
    return source.import_agent(made)


@pytest.fixture
def job(tmp_path, bed, packed_id, second):
    path = jobs.agent_job(tmp_path / "raw.conf", bed.source, bed.second,
                          packed_id)
    path.write_text(path.read_text().rstrip() + "\nraw_read = yes\n")
    return path


def faulty():
    return Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()


def context(source, agent_id):
    return source("GET", f"/v1/agents/{agent_id}")["message_ids"]


def staged(state, what):
    with sqlite3.connect(f"file:{state}/sage-agent/journal.db?mode=ro",
                         uri=True) as db:
        return [json.loads(b) for b, in db.execute(
            "SELECT body FROM row WHERE scope = (SELECT id FROM scope WHERE"
            " name = ?) ORDER BY seq", (what,))]


def test_every_row_comes_as_it_is_stored(sanctumctl, job, source, packed_id):
    before = context(source, packed_id)
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    assert context(source, packed_id) == before
    rows = staged(sanctumctl.state, "source/sage/messages")
    texts = [r["content"][0]["text"] for r in rows if r["role"] == "user"]
    assert texts.count(PACKED) > 5
    assert len(rows) == 200
    assert sanctumctl("verify", job).rc == 0


def test_a_plan_opens_no_window(sanctumctl, job, bed):
    with Quirk(bed.source.url) as quirk:
        job.write_text(job.read_text().replace(bed.source.url, quirk.url))
        done = sanctumctl("plan", job)
        assert done.rc == 4, done.err
        assert "is exchanged for that, and put back" in done.out
        assert sanctumctl("rehearse", job).rc == 0
        assert quirk.count("(PATCH|POST|PUT|DELETE) .*") == 0


def test_without_it_a_listing_is_all_there_is(sanctumctl, job, source):
    job.write_text(job.read_text().replace("raw_read = yes",
                                           "raw_read = no"))
    assert sanctumctl("plan", job).rc == 4
    rows = staged(sanctumctl.state, "source/sage/messages")
    texts = [r["content"][0]["text"] for r in rows if r["role"] == "user"]
    assert PACKED not in texts
    assert "packed ✉" in texts


def test_the_list_is_put_back_after_a_stop_at_every_point(
        job, source, packed_id, tmp_path):
    program = faulty()
    before = context(source, packed_id)

    def run(command, state, **env):
        return subprocess.run(
            [program, "--state", tmp_path / state, command, job],
            env={**jobs.environment(), **env}, capture_output=True,
            text=True, timeout=120)

    count = tmp_path / "points"
    assert run("apply", "whole",
               SANCTUMCTL_FAULT_COUNT=str(count)).returncode == 0
    names = count.read_text().split()
    first = names.index("plan_begun") + 1
    last = names.index("plan_acted") + 1
    exchanged = 0
    for point in range(first, last + 1):
        done = run("apply", f"at-{point}", SANCTUMCTL_FAULT_STOP=str(point))
        assert done.returncode == STOPPED, (point, done.stderr)
        exchanged += context(source, packed_id) != before
        # Not by a plan, which changes nothing but what is to be put back.
        done = run("plan", f"at-{point}")
        assert done.returncode == 4, (point, done.stderr)
        assert context(source, packed_id) == before, point
    assert exchanged > 0


def test_a_signal_closes_the_window_first(sanctumctl, job, bed, source,
                                          packed_id):
    before = context(source, packed_id)
    with Quirk(bed.source.url) as quirk:
        # The export within the window hangs until we have asked.
        quirk.rules({"on": "GET .*/export", "first": 2, "do": "slow",
                     "seconds": 3})
        job.write_text(job.read_text().replace(bed.source.url, quirk.url))
        started = sanctumctl.spawn("apply", job)
        wait_for("the window", lambda: context(source, packed_id) != before,
                 alive=lambda: started.poll() is None)
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=60)
    assert started.returncode == 130
    assert context(source, packed_id) == before


def test_a_stopped_window_is_closed_by_cancel(job, source, packed_id,
                                              tmp_path):
    """Nobody need run the move again to have the source as it was."""
    program = faulty()
    before = context(source, packed_id)

    def run(command, **env):
        return subprocess.run(
            [program, "--state", tmp_path / "state", command, job],
            env={**jobs.environment(), **env}, capture_output=True,
            text=True, timeout=120)

    for point in range(1, 40):
        run("apply", SANCTUMCTL_FAULT_STOP=str(point))
        if context(source, packed_id) != before:
            break
    assert context(source, packed_id) != before
    assert packed_id in run("status").stdout
    assert run("verify").returncode != 0
    assert run("cancel").returncode == 0
    assert context(source, packed_id) == before


def test_an_agent_at_work_is_left_alone(sanctumctl, job, bed, source,
                                        packed_id, tmp_path):
    """The proxy says that a run is not ended: no real one waits for us."""
    with Quirk(bed.source.url) as quirk:
        quirk.rules({"on": "GET /v1/runs/", "do": "status", "status": 200,
                     "headers": {"Content-Type": "application/json"},
                     "body": '[{"id": "run-1", "status": "running"}]'})
        text = job.read_text().replace(bed.source.url, quirk.url)
        job.write_text(text)
        before = context(source, packed_id)
        done = sanctumctl("apply", job)
        assert done.rc == 75
        assert "is at work" in done.err
        assert quirk.count("PATCH .*") == 0
        assert context(source, packed_id) == before
