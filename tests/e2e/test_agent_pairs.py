"""An agent with everything, from each version to each one it can go to.

The verdict of the program is one thing; bed/proof.py has its own.
"""

import itertools
import json
from collections import namedtuple

import pytest

from bed import jobs, mixed, mixed_seed, proof
from bed.moving import clean
from bed.seed import Client
from bed.site import TARGET_PASSWORD

PAIRS = (("0.11.3", "0.16.2"), ("0.11.3", "0.16.8"), ("0.16.2", "0.16.8"),
         ("0.16.8", "0.16.2"))
# Rows of one turn may become one: more than the thousand that must arrive.
MESSAGES, PASSAGES, LEAST = 1050, 300, 1000
PREFIX = "pairs "
OUTCOMES = {"same", "not compared"}

Moved = namedtuple("Moved", "planted source target there companion shown "
                   "applied verified")

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clients(bed):
    """{version: client of a server}; all that this file made is removed."""
    versions = sorted({v for pair in PAIRS for v in pair})
    found = {v: Client(s.url, TARGET_PASSWORD)
             for v, s in zip(versions, bed.lettas(*versions))}
    yield found
    for client in found.values():
        # The second are left where a move was not finished.
        for prefix in (PREFIX, "sage-incoming-", "companion-incoming-"):
            clean(client, prefix)


@pytest.fixture(scope="module")
def planted(bed, clients):
    """Function that gives the agent of a version, made when first asked."""
    made = {}

    def plant(version):
        if version not in made:
            made[version] = mixed_seed.plant(
                clients[version], name_of(version),
                messages=MESSAGES, passages=PASSAGES,
                stub_port=bed.stub_port)
        return made[version]

    yield plant
    for one in made.values():
        one.remove()


@pytest.fixture(scope="module", params=PAIRS, ids="-to-".join)
def moved(request, clients, planted, bed, program_at, tmp_path_factory):
    """Both agents of a version, moved by one job to another version."""
    here, there = request.param
    made = planted(here)
    folder = tmp_path_factory.mktemp("pair")
    run = program_at(folder)
    before = set(agents(clients[there]))
    job = jobs.agents_job(
        folder / "pair.conf", bed.letta(here), bed.letta(there),
        {"sage": made.agent, "companion": made.companion},
        job_name=f"pair-{next(numbers)}")
    env = jobs.environment(TARGET_PASSWORD)
    applied = run("apply", job, env=env)
    verified = run("verify", "--json", job, env=env)
    shown = run("verify", job, env=env)
    new = {name: i for i, name in agents(clients[there]).items()
           if i not in before}
    yield Moved(made, clients[here], clients[there],
                new.get(name_of(here)),
                new.get(f"{name_of(here)} companion"), shown, applied,
                verified)
    for agent_id in new.values():
        mixed_seed.remove_agent(clients[there], agent_id)


def name_of(version):
    """A name that every server takes: no full stops."""
    return PREFIX + version.replace(".", "-")


def agents(client):
    return {a["id"]: a["name"] for a in client("GET",
                                               "/v1/agents/?limit=1000")
            if a["name"].startswith(PREFIX)}


def test_the_source_has_everything(moved):
    side = proof.Side(moved.source, moved.planted.agent)
    acts = {one[1] for one in side.history()}
    wanted = {"system", "user", "thinks", "says", "tool_call_message",
              "returns"}
    if not side.old:
        wanted |= {"hides", "approval_request_message", "decides"}
    assert wanted <= acts
    assert len(side.rows()) > MESSAGES
    assert len(side.passages()) == PASSAGES
    backs = [one for one in side.history() if one[1] == "returns"]
    assert {b[3] for b in backs} == {"success", "error"}
    assert any(b[5] for b in backs) and any(b[6] for b in backs)
    # The last turns were written by the server itself; one tool broke.
    assert [b[4] for b in backs if "it broke: ✗" in b[4]]
    calls = [one for one in side.history() if one[1] == "tool_call_message"]
    assert {mixed.ROLL, mixed.BREAK} <= {c[2] for c in calls}
    texts = [p[0] for p in side.passages()]
    assert len(set(texts)) < len(texts)


def test_apply_and_verify_find_both_sides_the_same(moved):
    assert moved.applied.rc == 0, moved.applied.err[-2000:]
    assert moved.verified.rc == 0, moved.verified.out[-2000:]
    checks = [json.loads(li) for li in moved.verified.out.splitlines()]
    checks = [c for c in checks if c["type"] == "verdict_check"]
    assert len(checks) > 10
    assert {c["state"] for c in checks} <= OUTCOMES
    assert not [c for c in checks if c["state"] == "not compared"
                and not c.get("reason")]
    by_name = {c["check"]: c for c in checks}
    for what, least in (("messages", LEAST), ("archival passages", PASSAGES)):
        assert by_name[f"agent.sage.{what}"]["source"] >= least


def test_everything_is_there(moved):
    assert moved.there, moved.applied.err[-2000:]
    assert not proof.differences(
        proof.Side(moved.source, moved.planted.agent),
        proof.Side(moved.target, moved.there))


def test_the_companion_came_along(moved):
    assert moved.companion, moved.applied.err[-2000:]
    assert not proof.differences(
        proof.Side(moved.source, moved.planted.companion),
        proof.Side(moved.target, moved.companion))


def test_the_shared_block_is_one_block(moved):
    def board(agent_id):
        block, = [b for b in moved.target(
            "GET", f"/v1/agents/{agent_id}")["memory"]["blocks"]
            if b["label"] == "shared board"]
        return block["id"]

    shared = board(moved.there)
    assert shared == board(moved.companion)
    sharers = moved.target("GET", f"/v1/blocks/{shared}/agents")
    assert {a["id"] for a in sharers} == {moved.there, moved.companion}
    # The copies that the imports made are gone.
    words = f"written by {name_of(moved.planted.version)}:"
    boards = [b for b in moved.target("GET", "/v1/blocks/?limit=1000")
              if b["value"].startswith(words)]
    assert len(boards) == 1


def test_what_is_lost_is_said(moved):
    for name in mixed_seed.SECRET_NAMES:
        assert name in moved.shown.out
    assert "value of MIXED" not in moved.shown.out + moved.shown.err
