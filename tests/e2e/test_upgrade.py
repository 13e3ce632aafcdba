"""A Letta server gets another version, all of it, and goes back.

Real servers, PostgreSQL and supervisord on a host of the test's own, on which
sanctumctl runs; bed/old_home.py says what stands in for a download.

SANCTUM_BED_FULL=1 gives each of the sixteen agents 1,000 messages and 30
passages, which takes minutes; by default one of them has a long history.
"""

import os

import pytest

from bed import old_home, old_seed, proof
from bed.old_home import OldHome

AGENTS = 16

#: Messages and passages of an agent, and of the first.
SIZE, LONG = (((1000, 30), ()) if os.environ.get("SANCTUM_BED_FULL") else
              ((24, 1), (1, 1000, 12)))

#: Checks that every agent must have passed, and those that may be without a
#: verdict: what no export holds, and what only some agents have.
COMPARED = {"messages", "archival passages", "blocks", "tools", "tool rules",
            "agent", "name", "identities"}
UNCOMPARED = {"secret values", "model settings", "runs and steps",
              "packing of user texts", "conversations", "live chat",
              "first system row", "visible reply", "block tags", "secrets",
              "tool schemas", "embedding", "model"}


@pytest.fixture(scope="module")
def home(bed):
    with OldHome(bed, "0.11.3") as up:
        up.seeded = up.seed(AGENTS, *SIZE, LONG)
        yield up


def no_secret(home, *said):
    """No password of the machine is in what was said or written down."""
    files = b"".join(p.read_bytes() for d in ("/root/state", "/var/backups")
                     for p in home.path(d).rglob("*") if p.is_file())
    for secret in (old_home.PASSWORD, old_home.ADMIN_PASSWORD,
                   old_home.NEW_PASSWORD):
        assert secret.encode() not in files
        assert all(secret not in one for one in said), secret


def kept(client):
    """{name: all of the agent}, read now."""
    return {a["name"]: proof.Kept(client, a["id"])
            for a in client("GET", "/v1/agents/?limit=100")}


def arrived(client, before):
    """What is not the same of the agents, by a reader of the bed's own.

    A name that no server takes is mapped to one that can be exported again.
    """
    found = {a["name"]: a["id"]
             for a in client("GET", "/v1/agents/?limit=100")}
    lines = []
    for old, side in before.items():
        name = old.replace("/", "-")
        lines += [f"{old}: {line}" for line in proof.differences(
            side, proof.Side(client, found.pop(name)), name)
            ] if name in found else [f"{old} is missing"]
    return lines + [f"{name} is too much" for name in found]


def verdicts(result):
    """{agent's name in the job: states of its checks}."""
    found = {}
    for one in old_home.events(result, "verdict_check"):
        words = one["check"].split(".")
        if words[0] == "agent":
            found.setdefault(words[1], []).append((words[-1], one["state"]))
    return found


def compared(result, agents):
    """Each agent has a verdict, on all that must have one."""
    found = verdicts(result)
    assert len(found) == agents
    for checks in found.values():
        states = dict(checks)
        assert set(states.values()) <= {"same", "not compared"}, states
        assert all(states[one] == "same" for one in COMPARED), states
        assert {one for one in states if states[one] == "not compared"
                } <= UNCOMPARED, states


def shared(client, label):
    """Names of the agents that one block of that label is attached to."""
    # Not ?label=, which 0.16.2 lets have no blank.
    block, = (b for b in client("GET", "/v1/blocks/?limit=1000")
              if b["label"] == label)
    return sorted(a["name"] for a in client(
        "GET", f"/v1/blocks/{block['id']}/agents"))


def test_sixteen_agents_and_back(home):
    old = home.client()
    job = home.job()
    before, books = old_seed.everything(old), home.dump()
    databases, agents = home.databases(), kept(old)
    assert len(agents) == AGENTS and old_seed.LEGACY_NAME in agents

    assert home.sanctumctl("check", job).rc == 0
    planned = home.sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert "DROP DATABASE" in planned.out and (
        "CREATE DATABASE" in planned.out), planned.out
    assert home.answers() == "0.11.3"
    assert old_seed.everything(old) == before

    done = home.sanctumctl("letta", "upgrade", job, timeout_s=900)
    assert done.rc == 0, done.err + done.out
    assert home.answers() == "0.16.2"
    new = home.client(old_home.NEW_PASSWORD)
    assert arrived(new, agents) == []
    assert shared(new, "common ground") == ["sage 01", "sage 02"]
    assert home.dump() == books and home.databases() == databases
    seen = home.sanctumctl("verify", "--json", job)
    assert seen.rc == 0, seen.out + seen.err
    compared(seen, AGENTS)
    again = home.sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out, again.err

    ids = home.path("/root/state/home/restore/ids.tsv")
    assert ids.stat().st_mode & 0o777 == 0o600
    follow = dict(line.split("\t")[:2] for line in
                  ids.read_text().splitlines())
    there = {a["name"]: a["id"]
             for a in new("GET", "/v1/agents/?limit=100")}
    assert follow == {side.agent_id: there[name.replace("/", "-")]
                      for name, side in agents.items()}
    assert all(f"{a} -> {b}" in done.out for a, b in follow.items())
    assert "sanctumctl worker repoint DIR NEW_ID" in done.out

    back = home.sanctumctl("letta", "rollback", job, timeout_s=900)
    assert back.rc == 0, back.err + back.out
    assert home.answers() == "0.11.3"
    after = old_seed.everything(old)
    assert sorted(after) == sorted(before)
    assert [k for k in before if after[k] != before[k]] == []
    assert home.dump() == books and home.databases() == databases
    assert "letta rollback" in done.out + done.err
    no_secret(home, planned.out, done.out, done.err, seen.out, back.out,
              back.err)


def test_two_agents_to_the_newest(bed):
    """By the role of Letta's own, which is a superuser, as in its image."""
    with OldHome(bed, "0.16.2", superuser=True) as home:
        home.seed(3, 30, 2)
        agents = kept(home.client())
        job = home.job(to="0.16.8")
        done = home.sanctumctl("apply", job, timeout_s=900)
        assert done.rc == 0, done.err + done.out
        assert home.answers() == "0.16.8"
        new = home.client(old_home.NEW_PASSWORD)
        assert arrived(new, agents) == []
        seen = home.sanctumctl("verify", "--json", job)
        assert seen.rc == 0, seen.out + seen.err
        compared(seen, len(agents))
        asked_before_it_drops(home, new, job, max(agents))


def asked_before_it_drops(home, new, job, name):
    """A block that somebody has changed since stops the way back."""
    agent = next(a for a in new("GET", "/v1/agents/?limit=100")
                 if a["name"] == name)
    block = new("GET", f"/v1/agents/{agent['id']}/core-memory/blocks")[0]
    new("PATCH", f"/v1/blocks/{block['id']}", {"value": "since"})
    done = home.sanctumctl("complete", job)
    assert done.rc == 14 and "nothing was removed" in done.err, done.err
    assert "complete --discard" in done.err, done.err
    completed_and_not(home, job)
    asked = home.sanctumctl("letta", "rollback", job)
    assert asked.rc == 15 and "block: " in asked.err, asked.err
    assert "not at its end" not in asked.err
    assert home.answers() == "0.16.8"
    back = home.sanctumctl("letta", "rollback", "--discard", job)
    assert back.rc == 0 and "block: " in back.err, back.err
    assert "the old server is as it was" in back.out
    assert home.answers() == "0.16.2"


def completed_and_not(home, job):
    """What was edited since is named, and let be; then all is put back."""
    ours = home.path("/var/lib/sanctumctl")
    folders = "/root/state", "/var/lib/sanctumctl", "/etc/letta"

    def files():
        return sorted(p.suffix for p in ours.rglob("*") if p.is_file())

    before = files()
    assert before == [".dump", ".json", ".properties"], before
    for one in folders:
        home.run(["cp", "-a", one, f"{one}.kept"])
    done = home.sanctumctl("complete", "--discard", job)
    assert done.rc == 0, done.err
    assert "as --discard says: agent." in done.err, done.err
    assert ".blocks (" in done.err, done.err
    assert files() == [], files()
    refused = home.sanctumctl("letta", "rollback", "--discard", job)
    assert refused.rc == 15, refused.err
    for one in folders:
        home.run(["rm", "-rf", one])
        home.run(["mv", f"{one}.kept", one])
    assert files() == before
