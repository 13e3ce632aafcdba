"""Passages, blocks and identities, which no agent file carries.

Sources and targets are real servers; what goes wrong on the way is done by a
proxy before the target (bed/quirk.py).
"""

import itertools
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from bed import jobs, look, mixed_seed, seed
from bed.paths import TOP
from bed.quirk import Quirk
from bed.seed import Client
from bed.site import TARGET_PASSWORD

NEW, OLD = "0.16.8", "0.16.2"
PREFIX = "memory moves"
#: More than one page of a listing, and three batches.
PASSAGES = 110
BATCH, ONE = "POST .*/passages/batch", "POST .*/archival-memory"
LIST = "GET .*/archival-memory"
LONG = "word " * 9000  # over the 8192 tokens of the agent's own route
STOPPED = 99

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clients(bed):
    found = {v: Client(s.url, TARGET_PASSWORD)
             for v, s in zip((NEW, OLD), bed.lettas(NEW, OLD))}
    yield found
    for client in found.values():
        for agent in client("GET", "/v1/agents/?limit=1000"):
            if agent["name"].startswith(PREFIX):
                mixed_seed.remove_agent(client, agent["id"])


@pytest.fixture(scope="module")
def make(bed, clients):
    """Function that makes an agent with passages on a server."""
    def made(version, passages=()):
        client = clients[version]
        whole = seed.agent_file(f"{PREFIX} {next(numbers)}", 20,
                                bed.stub_port)
        for block in whole["blocks"]:
            block["value"] += f" ({PREFIX})"
        agent_id = client.import_agent(whole)
        one = mixed_seed.Planted(client, version, set())
        one.agent = agent_id
        mixed_seed.insert(one, list(passages))
        return agent_id
    return made


@pytest.fixture(scope="module")
def rich(make):
    """An agent with many passages, some of them twice, on a new server."""
    return make(NEW, seed.passages(PASSAGES))


class Move:
    """A job of some agents, with a proxy before its target."""

    def __init__(self, folder, run, source, target, agents, **keys):
        self.folder, self._run = folder, run
        self.source = Client(source.url, TARGET_PASSWORD)
        self.target = Client(target.url, TARGET_PASSWORD)
        self.agents, self.keys = agents, keys
        self.name = f"memory-{next(numbers)}"
        self.here, self.there = Quirk(source.url), Quirk(target.url)

    def __enter__(self):
        self.here.start()
        self.there.start()
        self.job = jobs.agents_job(
            self.folder / "move.conf", self.here, self.there, self.agents,
            job_name=self.name, **self.keys)
        self.env = jobs.environment(TARGET_PASSWORD)
        return self

    def __exit__(self, *_):
        self.here.clear()
        self.there.clear()
        self.run("cancel")
        self.here.stop()
        self.there.stop()

    def run(self, command, *options):
        return self._run(command, *options, self.job, env=self.env)

    def apply(self, rc=0):
        done = self.run("apply")
        assert done.rc == rc, done.err[-1500:]
        return done

    def checks(self, rc=0):
        """{check: (state, reason)} of a verify."""
        done = self.run("verify", "--json")
        assert done.rc == rc, done.out[-1500:]
        lines = map(json.loads, done.out.splitlines())
        return {c["check"]: (c["state"], c.get("reason", ""))
                for c in lines if c["type"] == "verdict_check"}

    def id(self, word):
        """Id of an agent on the target, by the journal."""
        path = self._run.state / self.name / "journal.db"
        found = subprocess.run(
            ["sqlite3", "-readonly", path, "SELECT target FROM id WHERE "
             f"kind = 'agent' AND source = '{self.agents[word]}'"],
            text=True, capture_output=True, check=True).stdout.strip()
        assert found
        return found

    def rejects(self, word):
        path = (self._run.state / self.name
                / f"rejects/{word}-passages.jsonl")
        return path, ([json.loads(li) for li in
                       path.read_text().splitlines()]
                      if path.exists() else [])


@pytest.fixture
def move(bed, program_at, tmp_path):
    """Function that gives a Move from one version to another."""
    def moved(here, there, agents, **keys):
        return Move(tmp_path, program_at(tmp_path), bed.lettas(here)[0],
                    bed.lettas(there)[0], agents, **keys)
    return moved


def test_batches_bring_every_passage_once(move, rich):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.apply()
        assert look.passages(m.target, m.id("rich")) == look.passages(
            m.source, rich)
        # The first one makes the archive.
        assert m.there.count(ONE) == 1
        assert m.there.count(BATCH) == 3


def test_a_server_without_the_route_gets_them_one_by_one(move, rich):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.there.rules({"on": BATCH, "do": "status", "status": 405})
        m.apply()
        assert look.passages(m.target, m.id("rich")) == look.passages(
            m.source, rich)
        assert m.there.count(BATCH) == 1
        assert m.there.count(ONE) == PASSAGES


@pytest.mark.parametrize("rule", [
    {"do": "cut"}, {"do": "acted", "status": 500},
    {"do": "acted", "status": 502}, {"do": "status", "status": 500},
    {"do": "status", "status": 429, "headers": {"Retry-After": "1"}}],
    ids=["cut", "acted-500", "acted-502", "500", "429"])
def test_a_batch_without_its_answer_is_looked_up(move, rich, rule):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.there.rules({"on": BATCH, "first": 2, "times": 1, **rule})
        m.apply()
        assert look.passages(m.target, m.id("rich")) == look.passages(
            m.source, rich)


def test_a_first_passage_without_its_answer_is_looked_up(move, rich):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.there.rules({"on": ONE, "times": 1, "do": "cut"})
        m.apply()
        assert look.passages(m.target, m.id("rich")) == look.passages(
            m.source, rich)


def test_a_batch_that_is_refused_is_halved(move, rich):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.there.rules({"on": BATCH, "times": 2, "do": "status",
                       "status": 400, "body": '{"detail":"no"}'})
        m.apply()
        assert look.passages(m.target, m.id("rich")) == look.passages(
            m.source, rich)
        assert m.rejects("rich")[1] == []


@pytest.mark.parametrize("pages", [(2,), (2, 4)], ids=["once", "twice"])
def test_a_listing_that_ends_early_is_read_to_its_end(move, rich, pages):
    """So it looks when the passage of the cursor was deleted meanwhile."""
    with move(NEW, NEW, {"rich": rich}) as m:
        m.here.rules(*({"on": LIST, "do": "status", "status": 200,
                        "body": "[]", "first": n, "times": 1}
                       for n in pages))
        plan = m.run("plan")
        assert plan.rc == 4, plan.err
        assert f"{PASSAGES} passages" in plan.out
        assert not m.here.count("POST .*")


def test_a_passage_over_the_limit_is_rejected_and_said(move, make):
    passages = [{"text": "short", "tags": ["b", "a"],
                 "created_at": "2024-01-02T03:04:05.678901Z"},
                {"text": LONG, "tags": ["long"],
                 "created_at": "2024-01-02T03:04:06Z"}]
    agent_id = make(NEW, passages)
    with move(NEW, OLD, {"long": agent_id}) as m:
        done = m.apply(rc=14)
        path, (line,) = m.rejects("long")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert (line["text"], line["tags"]) == (LONG, ["long"])
        assert line["created_at"] == "2024-01-02T03:04:06Z"
        assert line["size_bytes"] == len(LONG)
        assert "token limit" in line["reason"]
        assert str(path) in done.err and "1 rejected" in done.err
        # What the target takes is there, and the job can go on without.
        assert [p[0] for p in look.passages(m.target, m.id("long"))] == [
            "short"]
        m.job.write_text(m.job.read_text() + "rejects = accept\n")
        partly = m.apply(rc=3)
        assert "1 passages that the target refused" in partly.err
        checks = m.checks()
        assert checks["agent.long.archival passages"][0] == "same"
        state, reason = checks["agent.long.rejected passages"]
        assert state == "not compared" and str(path) in reason
        m.run("cancel")
        assert not path.exists()


def test_one_of_a_batch_that_is_refused_alone_is_rejected(move, make):
    texts = [f"text {n}" for n in range(6)]
    agent_id = make(NEW, [{"text": t} for t in texts])
    with move(NEW, NEW, {"six": agent_id}) as m:
        # Five, the first two of them, the first one of these.
        m.there.rules({"on": BATCH, "times": 3, "do": "status",
                       "status": 422, "body": '{"detail":"it is odd"}'})
        m.apply(rc=14)
        _, (line,) = m.rejects("six")
        assert "it is odd" in line["reason"]
        there = {p[0] for p in look.passages(m.target, m.id("six"))}
        assert there == set(texts) - {line["text"]}


def test_a_server_that_takes_none_is_no_list_of_rejects(move, rich):
    with move(NEW, NEW, {"rich": rich}) as m:
        m.there.rules({"on": f"{BATCH}|{ONE}", "do": "status",
                       "status": 400, "body": '{"detail":"no embedding"}'})
        done = m.apply(rc=1)
        assert "takes none of the passages" in done.err
        assert "no embedding" in done.err


def board(client, agent_id, label="house_rules"):
    found, = [b for b in client(
        "GET", f"/v1/agents/{agent_id}/core-memory/blocks")
        if b["label"] == label]
    return found


def attach(client, agent_id, block_id, how="attach"):
    client("PATCH",
           f"/v1/agents/{agent_id}/core-memory/blocks/{how}/{block_id}")


@pytest.fixture(scope="module")
def pair(clients, make):
    """Two agents of a new server with one block and one identity together."""
    client = clients[NEW]
    left, right = make(NEW), make(NEW)
    shared = board(client, left)["id"]
    own = board(client, right)["id"]
    attach(client, right, own, "detach")
    client("DELETE", f"/v1/blocks/{own}")
    attach(client, right, shared)
    client("PATCH", f"/v1/blocks/{board(client, left, 'persona')['id']}",
           {"tags": ["zeta", "alpha"], "metadata": {"origin": "bed", "n": 7}})
    key = f"{PREFIX} {left}"
    identity = client("POST", "/v1/identities/", {
        "identifier_key": key, "name": "Ann", "identity_type": "user",
        "properties": [{"key": "k", "value": "v", "type": "string"}]})["id"]
    for one in (left, right):
        client("PATCH", f"/v1/agents/{one}/identities/attach/{identity}")
    yield {"left": left, "right": right}
    client("DELETE", f"/v1/identities/{identity}")


def lying_about(client):
    """Agents, blocks and identities of this file on a server, by id.

    Other tests have some there as well.
    """
    def ours(what, key, mark):
        return {x["id"] for x in client("GET", f"/v1/{what}/?limit=1000")
                if mark in x[key]}
    return {"agents": ours("agents", "name", PREFIX)
            | ours("agents", "name", "left-incoming-")
            | ours("agents", "name", "right-incoming-"),
            "blocks": ours("blocks", "value", PREFIX),
            "identities": ours("identities", "identifier_key", PREFIX)}


def identities(client, agent_id):
    return [(i["identifier_key"], i["identity_type"], i["name"],
             i["properties"]) for i in client(
                 "GET", f"/v1/agents/{agent_id}")["identities"]]


def judge_pair(m):
    """What must be true of the pair on the target."""
    left, right = m.id("left"), m.id("right")
    shared = board(m.target, left)["id"]
    assert board(m.target, right)["id"] == shared
    sharers = m.target("GET", f"/v1/blocks/{shared}/agents")
    assert {a["id"] for a in sharers} == {left, right}
    for here, there in ((m.agents["left"], left),
                        (m.agents["right"], right)):
        assert look.blocks(m.source, here) == look.blocks(m.target, there)
        assert identities(m.source, here) == identities(m.target, there)
    return left, right


@pytest.mark.parametrize("there", [OLD, NEW])
def test_what_two_agents_share_they_share_again(move, pair, clients, there):
    before = lying_about(clients[there])
    with move(NEW, there, pair) as m:
        m.apply()
        left, _ = judge_pair(m)
        checks = m.checks()
        for one in pair:
            for what in ("block details", "block sharing", "identities",
                         "messages"):
                assert checks[f"agent.{one}.{what}"][0] == "same"
        persona = board(m.target, left, "persona")
        assert persona["metadata"] == {"origin": "bed", "n": 7}
        if there == NEW:
            assert sorted(persona["tags"]) == ["alpha", "zeta"]
        else:
            assert checks["agent.left.block tags"][0] == "not compared"
        # Three blocks each, one of them common; the private copy is gone.
        made = lying_about(clients[there])["blocks"] - before["blocks"]
        assert len(made) == 5
        assert m.run("cancel").rc == 0
    assert lying_about(clients[there]) == before


@pytest.fixture(scope="module")
def three(clients, make):
    """Three agents of a new server with one block together."""
    client = clients[NEW]
    agents = {word: make(NEW) for word in ("one", "two", "three")}
    shared = board(client, agents["one"])["id"]
    for word in ("two", "three"):
        own = board(client, agents[word])["id"]
        attach(client, agents[word], own, "detach")
        client("DELETE", f"/v1/blocks/{own}")
        attach(client, agents[word], shared)
    return agents


IMPORT = "POST /v1/agents/import"


def sharers(m, words):
    """Ids of who has the shared block of these agents on the target."""
    shared, = {board(m.target, m.id(word))["id"] for word in words}
    return {a["id"] for a in m.target("GET", f"/v1/blocks/{shared}/agents")}


def test_what_fails_of_three_is_taken_up(move, three):
    """The first one behind its blocks, the one in the middle at its import.

    So the last one gets a block that was made for the first one.
    """
    with move(NEW, NEW, three) as m:
        m.there.rules(
            {"on": "GET .*/archival-memory", "times": 1, "do": "status",
             "status": 403},
            {"on": IMPORT, "first": 2, "times": 1, "do": "status",
             "status": 500})
        done = m.run("apply", "--json")
        lines = [json.loads(li) for li in done.out.splitlines()]
        assert done.rc == 3, (done.out[-1500:], done.err[-1500:])
        assert [(li["unit"], li["step"]) for li in lines
                if li["type"] == "failure"] == [
                    ("agent.one", "agent.one.archival"),
                    ("agent.two", "agent.two.import")]
        assert "2 of 3 failed" in done.err
        status = m.run("status").out
        assert "  ! agent.one failed at agent.one.archival" in status
        last = m.id("three")
        assert "incoming" not in m.target("GET", f"/v1/agents/{last}")["name"]
        m.there.clear()
        m.apply()
        # Taken up, not done again.
        assert m.id("three") == last
        assert "  ! " not in m.run("status").out
        assert sharers(m, three) == {m.id(w) for w in three}
        checks = m.checks()
        for w in three:
            assert checks[f"agent.{w}.block sharing"][0] == "same"
            assert checks[f"agent.{w}.messages"][0] == "same"


def test_sharing_with_an_agent_outside_is_said(move, pair):
    with move(NEW, NEW, {"left": pair["left"]}) as m:
        m.apply()
        state, reason = m.checks()["agent.left.block sharing outside"]
        assert state == "not compared" and pair["right"] in reason


def stopped_after_import(m):
    """Begin a move that ends before its blocks are looked at."""
    m.there.rules({"on": "GET .*/tools", "do": "status", "status": 404})
    m.apply(rc=1)
    m.there.clear()


@pytest.mark.parametrize("there", [OLD, NEW])
def test_what_a_file_lost_is_brought(move, make, clients, there):
    agent_id = make(NEW)
    with move(NEW, there, {"bare": agent_id}) as m:
        stopped_after_import(m)
        moved = m.id("bare")
        first = m.target.listing(moved)[0]
        lost = board(m.target, moved, "persona")["id"]
        attach(m.target, moved, lost, "detach")
        m.target("DELETE", f"/v1/blocks/{lost}")
        rules = board(m.target, moved)
        attach(m.target, moved, rules["id"], "detach")
        m.target("PATCH", f"/v1/blocks/{rules['id']}",
                 {"read_only": False, "description": "x", "limit": 4000})
        attach(m.target, moved, rules["id"])
        tool, = m.target("GET", f"/v1/agents/{moved}/tools")
        m.target("PATCH", f"/v1/agents/{moved}/tools/detach/{tool['id']}")
        m.apply()
        assert look.blocks(m.target, moved) == look.blocks(m.source,
                                                           agent_id)
        assert board(m.target, moved)["id"] == rules["id"]
        assert m.target("GET", f"/v1/agents/{moved}/tools")
        # A server may write its prompt anew when a block is changed.
        assert m.target.listing(moved)[0]["content"] == first["content"]


def test_an_identity_that_is_there_is_taken_and_stays(move, pair, clients):
    client = clients[OLD]
    key = identities(clients[NEW], pair["left"])[0][0]
    theirs = client("POST", "/v1/identities/", {
        "identifier_key": key, "name": "Anna", "identity_type": "user"})
    try:
        with move(NEW, OLD, {"left": pair["left"]}) as m:
            m.apply()
            found = m.target("GET", f"/v1/agents/{m.id('left')}")
            assert found["identity_ids"] == [theirs["id"]]
            checks = m.checks()
            assert checks["agent.left.identities"][0] == "same"
            assert checks["agent.left.names of identities"][0] == (
                "not compared")
            m.run("cancel")
        assert client("GET", f"/v1/identities/{theirs['id']}")["name"] == (
            "Anna")
    finally:
        client("DELETE", f"/v1/identities/{theirs['id']}")


def test_a_server_that_refuses_identities_is_said(move, pair):
    with move(NEW, OLD, {"left": pair["left"]}) as m:
        m.there.rules({"on": ".* /v1/identities/", "do": "status",
                       "status": 404, "body": '{"detail":"gone"}'})
        m.apply()
        state, reason = m.checks()["agent.left.identities"]
        assert state == "not compared" and "gone" in reason


@pytest.fixture(scope="module")
def faults():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name "
                    "another, configured with --enable-fault-points")
    return path


def points_of(names, first, last):
    """Numbers of the points from the first to the last step that acts."""
    begun = [k for k, name in enumerate(names, 1) if name == "plan_begun"]
    acted = [k for k, name in enumerate(names, 1) if name == "plan_acted"]
    return range(begun[first - 1], acted[last - 1] + 1)


#: Each agent's steps that act: import, tools, blocks, identities, passages,
#: compare, promote.
STEPS, BLOCKS, IDENTITIES = 7, 3, 4


@pytest.mark.parametrize("agent", [0, 1], ids=["left", "right"])
def test_a_stop_at_any_point_is_resumed_or_cancelled(
        move, pair, clients, faults, tmp_path, agent):
    before = lying_about(clients[OLD])
    with move(NEW, OLD, pair) as m:
        def run(command, **env):
            return subprocess.run(
                [faults, "--state", m._run.state, command, m.job],
                env={**m.env, **env}, capture_output=True, text=True,
                cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=300)

        count = tmp_path / "points"
        whole = run("apply", SANCTUMCTL_FAULT_COUNT=str(count))
        assert whole.returncode == 0, whole.stderr
        assert run("cancel").returncode == 0
        names = count.read_text().split()
        points = points_of(names, agent * STEPS + BLOCKS,
                           agent * STEPS + IDENTITIES)
        # Each is some seconds; the whole move has its own test of them all.
        for k in points[::3]:
            at = f"stop {k}, {names[k - 1]}"
            stopped = run("apply", SANCTUMCTL_FAULT_STOP=str(k))
            assert stopped.returncode == STOPPED, at
            if k % 2:
                done = run("apply")
                assert done.returncode == 0, (at, done.stderr)
                judge_pair(m)
                made = lying_about(clients[OLD])["blocks"]
                assert len(made - before["blocks"]) == 5, at
            done = run("cancel")
            assert done.returncode == 0, (at, done.stderr)
            assert lying_about(clients[OLD]) == before, at
