"""A backup back onto a server, and compared with the one it is of."""

import json
import shutil
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import pytest

from bed import look, seed
from bed.quirk import Quirk
from bed.seed import Client
from bed.site import TARGET_PASSWORD
from bed.wait import wait_for

NAME = "AI/ML Expert"
#: As a server takes it.
MAPPED = "AI-ML Expert"
NAMES = ["Restore one", "Restore two", MAPPED, "Restore four"]
STRANGER = "Restore stranger"
KEY = {"LETTA_API_KEY": TARGET_PASSWORD}

Planted = namedtuple("Planted", "agents shared folder")


@pytest.fixture(scope="module")
def target(bed):
    return bed.letta("0.16.8")


@pytest.fixture(scope="module")
def old(bed):
    return Client(bed.need("source", "second").source.url)


@pytest.fixture(scope="module")
def backup(bed, old, program_at, tmp_path_factory):
    """Four agents of the source, two with a block together; their bundles.

    {name on the target: id}
    """
    folder = tmp_path_factory.mktemp("backup")
    run = program_at(folder)
    agents = {name: seed.seed(old.url, messages=30, archival=4, name=name,
                              stub_port=bed.stub_port, check=False)
              for name in NAMES}
    shared = old("POST", "/v1/blocks/", {
        "label": "common_ground", "value": "Both of us know this.",
        "limit": 5000})["id"]
    for name in NAMES[:2]:
        old("PATCH", f"/v1/agents/{agents[name]}/core-memory/blocks/attach/"
            f"{shared}")
    # A PATCH takes any name.
    old("PATCH", f"/v1/agents/{agents[MAPPED]}", {"name": NAME})
    done = run("letta", "backup", old.url, "all")
    assert done.rc == 0, done.out + done.err
    yield Planted(agents, shared, trim(folder / "all", agents.values()))
    for agent in agents.values():
        remove(old, agent)


def trim(folder, agents):
    """Take what other tests left on the server out of a backup."""
    index = json.loads((folder / "index.json").read_text())
    for agent in [a["id"] for a in index["agents"]]:
        if agent not in agents:
            shutil.rmtree(folder / "agents" / agent)
    index["agents"] = [a for a in index["agents"] if a["id"] in agents]
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def new(target, backup):
    """Client of the target; what the test made there is removed."""
    client = Client(target.url, TARGET_PASSWORD)
    before = set(ids(client))
    tools = look.custom_tools(client)
    yield client
    for agent in set(ids(client)) - before:
        remove(client, agent)
    for name, tool in look.custom_tools(client).items():
        if name not in tools:
            client("DELETE", f"/v1/tools/{tool['id']}")


def ids(client):
    return {a["id"]: a["name"]
            for a in client("GET", "/v1/agents/?limit=1000")}


def remove(client, agent):
    """Remove an agent and those of its blocks that no other has."""
    own = client("GET", f"/v1/agents/{agent}")["memory"]["blocks"]
    client("DELETE", f"/v1/agents/{agent}")
    for block in own:
        if not client("GET", f"/v1/blocks/{block['id']}/agents"):
            client("DELETE", f"/v1/blocks/{block['id']}")


def restored(client):
    """{name: id} of the agents that are there by now; each name once."""
    found = [(name, i) for i, name in ids(client).items()
             if name in NAMES or "incoming" in name]
    assert len(dict(found)) == len(found), found
    return dict(found)


@contextmanager
def changed(folder, **keys):
    """The first entry of the index with other keys, for a while."""
    index = Path(folder) / "index.json"
    text = index.read_text()
    found = json.loads(text)
    found["agents"][0].update(keys)
    index.write_text(json.dumps(found))
    try:
        yield found["agents"][0]
    finally:
        index.write_text(text)


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def totals(result):
    found, = [one for one in lines(result) if one["type"] == "restore"]
    return found


def test_a_killed_restore_goes_on_to_one_of_each(
        backup, target, new, sanctumctl):
    words = ("letta", "restore", backup.folder, target.url)
    stranger = seed.seed(target.url, TARGET_PASSWORD, name=STRANGER,
                         messages=6, archival=0, check=False,
                         stub_port=15999)
    before = look.server(new)
    planned = sanctumctl(*words, "--dry-run", env=KEY)
    assert planned.rc == 4, planned.err
    assert f'"{NAME}" -> "{MAPPED}"' in planned.out
    assert not look.differences(before, look.server(new))

    running = sanctumctl.spawn(*words, env=KEY)
    wait_for("one to have its name, and one to be on its way", lambda: {
        name.split("-incoming-")[-1] in NAMES
        for name in restored(new)} == {True, False})
    running.kill()
    running.communicate()

    done = sanctumctl(*words, "--json", env=KEY)
    assert done.rc == 0, done.out + done.err
    there = restored(new)
    assert sorted(there) == sorted(NAMES)
    counted = totals(done)
    assert counted["agents"] == counted["same"] == counted["ours"] == 4
    assert counted["there"] == counted["others"] + 4 == len(ids(new))
    assert {"id": stranger, "name": STRANGER} in counted["named"]
    assert counted["missing"] == []
    assert sorted(one["to"] for one in lines(done)
                  if one["type"] == "agent_id") == sorted(there.values())
    for name, agent in there.items():
        assert len(new.row_ids(agent)) == 30, name
        assert len(new.passages(agent)) == 4, name
    state = new("GET", f"/v1/agents/{there[MAPPED]}")
    assert state["metadata"]["sanctumctl_original_name"] == NAME
    commons = [[b["id"] for b in new("GET", f"/v1/agents/{there[name]}")[
        "memory"]["blocks"] if b["label"] == "common_ground"]
        for name in NAMES[:2]]
    assert commons[0] == commons[1] and len(commons[0]) == 1

    again = sanctumctl(*words, env=KEY)
    assert again.rc == 0 and "nothing to do" in again.out
    assert "4 of 4 agents are restored" in again.out
    assert restored(new) == there
    job = lines(done)[0]["path"]
    # Of a directory that holds something else since, none comes twice.
    with changed(backup.folder, gone=True):
        other = sanctumctl(*words, env=KEY)
        assert other.rc == 15, other
        assert f"sanctumctl cancel {job}" in other.err
    assert restored(new) == there
    verified = sanctumctl("verify", job, "--json", env=KEY)
    assert verified.rc == 0, verified.out + verified.err
    checks = {c["check"]: c for c in lines(verified)
              if c["type"] == "verdict_check"}
    sharing = [c["state"] for name, c in checks.items()
               if name.endswith(".block sharing")]
    assert sharing == ["same"] * 4
    assert not [n for n in checks if n.endswith("block sharing outside")]
    assert sanctumctl("cancel", job, env=KEY).rc == 0
    assert not look.differences(before, look.server(new))


def test_one_that_is_refused_does_not_stop_the_others(
        backup, target, new, sanctumctl, tmp_path):
    names = NAMES[2:]
    wanted = {name: backup.agents[name] for name in names}
    two = trim(shutil.copytree(backup.folder, tmp_path / "two"),
               wanted.values())
    with Quirk(target.url, tmp_path / "quirk.log") as quirk:
        quirk.rules({"on": "POST /v1/agents/import", "do": "status",
                     "first": 1, "times": 1, "status": 400,
                     "body": '{"detail":"not this one"}'})
        words = ("letta", "restore", two, quirk.url, "--json")
        done = sanctumctl(*words, env=KEY)
        assert done.rc == 3, done.out + done.err
        assert "not this one" in done.out + done.err
        counted = totals(done)
        assert (counted["agents"], counted["same"], counted["ours"]) == (
            2, 1, 1)
        missing, = counted["missing"]
        assert missing["id"] in wanted.values()
        assert missing["id"][len("agent-"):][:8] in missing["agent"]
        assert len(restored(new)) == 1
        verified = sanctumctl("verify", lines(done)[0]["path"], env=KEY)
        assert verified.rc == 14
        again = sanctumctl(*words, env=KEY)
        assert again.rc == 0, again.out + again.err
        assert totals(again)["same"] == 2
    assert sorted(restored(new)) == sorted(names)


def test_an_old_server_can_be_no_target(
        backup, target, new, sanctumctl, tmp_path):
    with Quirk(target.url, tmp_path / "quirk.log") as quirk:
        quirk.rules({"on": "GET /v1/health/?", "do": "replace",
                     "old": "0.16.8", "new": "0.11.3"})
        for more in ((), ("--dry-run",)):
            done = sanctumctl("letta", "restore", backup.folder, quirk.url,
                              *more, env=KEY)
            assert done.rc == 1
            assert "Letta 0.11.3 can be a source only" in done.err
            assert quirk.count("POST .*") == 0
    assert not restored(new)


def test_a_backup_that_is_none(sanctumctl, target, tmp_path):
    for name in ("nowhere", "empty"):
        (tmp_path / "empty/agents").mkdir(parents=True, exist_ok=True)
        for verb in ("restore", "compare"):
            none = sanctumctl("letta", verb, name, target.url, env=KEY)
            assert none.rc == 1 and name in none.err


def test_a_backup_against_the_server_it_is_of(
        backup, old, sanctumctl, tmp_path):
    words = ("letta", "compare", backup.folder, old.url)
    same = sanctumctl(*words, "--json")
    assert same.rc == 0, same.out + same.err
    checks = {c["check"]: c for c in lines(same)
              if c["type"] == "verdict_check"}
    assert (checks["agents"]["source"], checks["agents"]["target"]) == (4, 4)
    assert len([n for n in checks if n.endswith(".messages")]) == 4
    with changed(backup.folder, failed="no route") as entry:
        checks = {c["check"]: c for c in lines(sanctumctl(*words, "--json"))
                  if c["type"] == "verdict_check"}
        reason = checks[f"agent.{entry['id']}.current"]["reason"]
        assert entry["read_at"] in reason and "no route" in reason
    moved = Path(backup.folder) / entry["path"]
    moved.rename(tmp_path / "away")
    gone = sanctumctl(*words)
    (tmp_path / "away").rename(moved)
    assert gone.rc == 14 and "is not on the server" not in gone.out, gone
    old("PATCH", f"/v1/blocks/{backup.shared}", {"value": "Or do we?"})
    other = sanctumctl(*words)
    assert other.rc == 14
    wrong = [line for line in other.out.splitlines() if "different" in line
             and line.startswith("agent.")]
    assert len(wrong) == 2
    assert all("Restore-one" in w or "Restore-two" in w for w in wrong)
    old("PATCH", f"/v1/blocks/{backup.shared}",
        {"value": "Both of us know this."})
