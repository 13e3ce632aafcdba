"""A rehearsal moves, compares, and leaves the target as it was."""

import json
import os
import signal

import pytest

from bed import jobs, seed, state
from bed.site import TARGET_PASSWORD
from bed.wait import wait_for


@pytest.fixture
def target(second):
    """Client of the target, whose every agent is one of this test."""
    return second


@pytest.fixture
def job(tmp_path, bed, agent_id, target):
    def write(**keys):
        path = jobs.agent_job(tmp_path / "rehearse.conf", bed.source,
                              bed.second, agent_id)
        lines = [f"{k} = {v}" for k, v in keys.items()]
        path.write_text(path.read_text().rstrip() + "\n" +
                        "\n".join(lines) + "\n")
        return path
    return write


def checks(result):
    found = [json.loads(line) for line in result.out.splitlines()]
    return {c["check"]: c for c in found if c["type"] == "verdict_check"}


def test_a_rehearsal_leaves_nothing(sanctumctl, job, source, target):
    before = state.server(target), state.server(source)
    done = sanctumctl("rehearse", "--json", job())
    assert done.rc == 0, done.err
    assert (state.server(target), state.server(source)) == before
    found = checks(done)
    assert found["agent.sage.messages"]["state"] == "same"
    assert found["new as before"]["state"] == "same"
    assert found["new as before"]["source"] > 0
    # The job itself was not begun by it.
    assert sanctumctl("status", job()).rc != 0
    assert not (sanctumctl.state / "sage-agent/journal.db").exists()


def test_a_rehearsal_can_be_followed_by_the_move(sanctumctl, job, target):
    assert sanctumctl("rehearse", job()).rc == 0
    assert sanctumctl("apply", job()).rc == 0
    assert sanctumctl("rehearse", job()).rc == 0
    assert sanctumctl("verify", job()).rc == 0


def test_a_killed_rehearsal_is_cleaned_up_by_the_next(sanctumctl, job,
                                                      target):
    before = state.server(target)
    started = sanctumctl.spawn("rehearse", job())
    wait_for("the agent under its temporary name", lambda: any(
        "-incoming-" in a["name"] for a in target("GET", "/v1/agents/")),
        alive=lambda: started.poll() is None)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert state.server(target) != before
    done = sanctumctl("rehearse", job())
    assert done.rc == 0, done.err
    assert state.server(target) == before


def test_what_somebody_else_does_meanwhile_is_said(sanctumctl, job, target,
                                                   bed):
    """The listings tell it, and cannot tell who it was."""
    started = sanctumctl.spawn("rehearse", "--json", job())
    wait_for("the agent under its temporary name", lambda: any(
        "-incoming-" in a["name"] for a in target("GET", "/v1/agents/")),
        alive=lambda: started.poll() is None)
    other = seed.seed(bed.second.url, TARGET_PASSWORD, name="another",
                      messages=3, archival=0, stub_port=bed.stub_port)
    out, _ = started.communicate(timeout=120)
    found = [json.loads(line) for line in out.splitlines()]
    found = {c["check"]: c for c in found if c["type"] == "verdict_check"}
    assert found["new as before"]["state"] == "different"
    assert other in found["new as before"]["reason"]
    assert started.returncode == 14


def test_only_agents_are_rehearsed(sanctumctl, tmp_path, bed, src, dst,
                                   worker_tree):
    path = jobs.workers_job(tmp_path / "w.conf", bed, worker_tree,
                            "agent-11111111-1111-4111-8111-111111111111",
                            server_url="http://127.0.0.1:8283")
    done = sanctumctl("rehearse", path)
    assert done.rc == 2
    assert "only a job of kind agent" in done.err


def test_a_copy_takes_a_turn(sanctumctl, job, target):
    before = state.server(target)
    done = sanctumctl("rehearse", "--json", job(live_check="yes"))
    assert done.rc == 0, done.err
    live = checks(done)["agent.sage.live chat"]
    assert live["state"] == "same"
    assert "conversation_search" in live["reason"]
    assert state.server(target) == before
