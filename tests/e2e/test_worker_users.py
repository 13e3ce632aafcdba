"""A worker's users and its SMCP between two Letta servers, part by part."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
from collections import namedtuple

import pytest

from bed import jobs, seed, worker
from bed.database import query
from bed.site import TARGET_PASSWORD
from bed.wait import free_port, wait_for

from conftest import Result, program

FROM, TO = "0.16.2", "0.16.8"
LOCAL = {"address": "local"}


def is_open(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


User = namedtuple("User", "identity block key value")


def parts_program(folder):
    subprocess.run(["make", "-s", "-C", folder, "tests/unit/worker_parts"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / "tests/unit/worker_parts"


@pytest.fixture(scope="module")
def plain():
    return parts_program(program().parent)


@pytest.fixture(scope="module")
def faults():
    path = os.environ.get("SANCTUMCTL_FAULTS")
    return parts_program(type(program())(path).resolve().parent)


@pytest.fixture(scope="module")
def old(bed):
    return seed.Client(bed.letta(FROM).url, TARGET_PASSWORD)


@pytest.fixture(scope="module")
def new(bed):
    return seed.Client(bed.letta(TO).url, TARGET_PASSWORD)


@pytest.fixture(scope="module")
def third(bed):
    """A second server of the source's version."""
    return seed.Client(bed.need("source", "second").source.url)


def new_agent(client, bed, name):
    return client("POST", "/v1/agents/", {
        "name": name, "memory_blocks": [], "include_base_tools": False,
        "llm_config": seed.llm_config(bed.stub_port),
        "embedding_config": seed.embedding_config(bed.stub_port)})["id"]


@pytest.fixture
def agents(bed, old, new):
    made = new_agent(old, bed, "users old"), new_agent(new, bed, "users new")
    yield made
    for client, one in zip((old, new), made):
        client.delete_agent(one)


def make_user(client, n):
    key = f"broca_user_{os.urandom(4).hex()}"
    identity = client("POST", "/v1/identities/", {
        "identifier_key": key, "name": f"Üser {n}", "identity_type": "user"})
    value = json.dumps({"type": "human_core", "data": {"name": f"user{n}"}})
    block = client("POST", "/v1/blocks/", {"label": "human", "value": value})
    return User(identity["id"], block["id"], key, value)


@pytest.fixture
def users(old):
    return [make_user(old, n) for n in (1, 2, 3)]


def rows(path):
    return [(r["identity"], r["block"]) for r in query(
        "SELECT letta_identity_id AS identity, letta_block_id AS block"
        " FROM letta_users ORDER BY id", path)]


def set_rows(path, users):
    db = sqlite3.connect(path)
    for i, user in enumerate(users, 1):
        db.execute("UPDATE letta_users SET letta_identity_id = ?,"
                   " letta_block_id = ? WHERE id = ?",
                   (user.identity, user.block, i))
    db.commit()
    db.close()


class Move:
    """A worker on this machine, its database as it is staged, its job."""

    def __init__(self, folder, made, program):
        self.folder, self.made, self.program = folder, made, program
        self.job, self.db = folder / "users.conf", folder / "staged.db"
        shutil.copyfile(made.broca / "sanctum.db", self.db)

    def write(self, agent, source, target, *, old=LOCAL, to=LOCAL,
              to_path=None, **keys):
        jobs.write(self.job, [
            jobs.job("workers", "users"),
            ("host old", old), ("host node1", to),
            ("letta cloud", {"url": source,
                             "token": f"env:{jobs.SOURCE_TOKEN}"}),
            ("letta new", {"url": target,
                           "token": f"env:{jobs.TARGET_TOKEN}"}),
            jobs.worker("sage", self.made, agent=agent, server="new",
                        to_path=to_path or self.folder / "to",
                        from_server="cloud", **keys)])

    def __call__(self, part, program=None, state="state", env=None):
        done = subprocess.run(
            [program or self.program, self.folder / state, self.job, part,
             self.db], text=True, capture_output=True, timeout=120,
            env={**jobs.environment(source_token=TARGET_PASSWORD),
                 "SANCTUMCTL_REMOTE": str(
                     program_folder(program or self.program) /
                     "sanctumctl-remote"), **(env or {})})
        return Result(done.returncode, done.stdout, done.stderr)

    def good(self, part, **more):
        done = self(part, **more)
        assert done.rc == 0, done
        return done.out


def program_folder(path):
    return path.parent.parent.parent


@pytest.fixture
def move(bed, tmp_path, agents, users, plain):
    made = worker.make_worker("sage", agent_id=agents[0],
                              url=bed.letta(FROM).url,
                              home=tmp_path / "from", random_bytes=1000)
    set_rows(made.database, users)
    found = Move(tmp_path, made, plain)
    found.write(agents[1], bed.letta(FROM).url, bed.letta(TO).url)
    return found


def made_blocks(client, users):
    wanted = {u.block for u in users}
    return {b["metadata"]["sanctumctl_block"]: b for b in client(
        "GET", "/v1/blocks/?label=human&limit=1000")
        if (b.get("metadata") or {}).get("sanctumctl_block") in wanted}


def all_made(client, users):
    wanted = {u.block for u in users}
    return [b["id"] for b in client(
        "GET", "/v1/blocks/?label=human&limit=1000")
        if (b.get("metadata") or {}).get("sanctumctl_block") in wanted]


def identity(client, key):
    return client("GET", f"/v1/identities/?identifier_key={key}")


def check_moved(client, users, values, db):
    assert len(all_made(client, users)) == len(users)
    blocks = made_blocks(client, users)
    for user, value, row in zip(users, values, rows(db)):
        found = identity(client, user.key)
        assert [i["id"] for i in found] == [row[0]]
        assert blocks[user.block]["id"] == row[1]
        assert blocks[user.block]["value"] == value
        assert blocks[user.block]["label"] == "human"


def test_users_go_to_another_server(move, old, new, users):
    said = move.good("users.probe")
    assert "3 users: make 3 identities and 3 blocks" in said
    assert not all_made(new, users)
    before = rows(move.db)

    # One is there already, with a name of its own.
    kept = new("POST", "/v1/identities/", {
        "identifier_key": users[2].key, "name": "theirs",
        "identity_type": "user"})
    assert "made 2 identities and 3 blocks" in move.good("map")
    assert rows(move.db) == before
    assert "made 0 identities and 0 blocks" in move.good("map")

    # The agent goes on writing until the switch.
    old("PATCH", f"/v1/blocks/{users[0].block}", {"value": "newer ✍"})
    move.good("apply")
    values = ["newer ✍", users[1].value, users[2].value]
    check_moved(new, users, values, move.db)
    done = rows(move.db)
    assert identity(new, users[2].key)[0]["name"] == "theirs"
    move.good("map")
    move.good("apply")
    assert rows(move.db) == done
    move.good("detach")

    # One that an agent has stays when the job is taken back.
    held = done[1][1]
    agent = new("GET", "/v1/agents/?name=users%20new")[0]["id"]
    new("PATCH", f"/v1/agents/{agent}/core-memory/blocks/attach/{held}")
    move.good("users.undo")
    assert all_made(new, users) == [held]
    assert [bool(identity(new, u.key)) for u in users] == [False, False, True]
    new("DELETE", f"/v1/blocks/{held}")
    set_rows(move.db, users)
    assert "made 2 identities and 3 blocks" in move.good("map")
    move.good("users.undo")
    new("DELETE", f"/v1/identities/{kept['id']}")


def test_killed_anywhere(move, new, users, faults, tmp_path):
    def run(part, state, stop):
        return move(part, program=faults, state=state,
                    env={"SANCTUMCTL_FAULT_STOP": str(stop)})

    log = tmp_path / "points"
    for part in ("map", "apply"):
        move.good(part, program=faults, state="count",
                  env={"SANCTUMCTL_FAULT_COUNT": str(log)})
    points = len(log.read_text().splitlines())
    move.good("users.undo", state="count")
    assert points > 15
    # Every third: three users go the same way.
    for stop in range(1, points, 3):
        set_rows(move.db, users)
        state = f"stop{stop}"
        if run("map", state, stop).rc == 0:
            done = run("apply", state, stop)
            assert done.rc in (0, 99), done
        move.good("map", state=state)
        move.good("apply", state=state)
        check_moved(new, users, [u.value for u in users], move.db)
        move.good("users.undo", state=state)
        assert not all_made(new, users), stop
        assert not any(identity(new, u.key) for u in users), stop


def test_what_is_gone_is_named(move, old, new, users):
    old("DELETE", f"/v1/blocks/{users[1].block}")
    done = move("users.probe")
    assert done.rc == 1
    assert f"letta_users row 2 of sanctum.db names block {users[1].block}" \
        in done.err
    assert move("map").rc == 1
    before = rows(move.db)
    done = move("apply")
    assert done.rc == 1 and "no row was changed" in done.err, done
    assert rows(move.db) == before
    move.good("users.undo")


def test_a_block_of_the_agent_that_clashes(move, new, agents, users):
    own = new("POST", "/v1/blocks/", {"label": "human", "value": "default"})
    at = f"/v1/agents/{agents[1]}/core-memory/blocks"
    new("PATCH", f"{at}/attach/{own['id']}")
    for part in ("users.probe", "map"):
        done = move(part)
        assert done.rc == 1 and own["id"] in done.err, done
    assert not all_made(new, users)
    new("PATCH", f"{at}/detach/{own['id']}")

    # One that a killed turn left is the user's, and goes at the switch.
    move.good("map")
    move.good("apply")
    new("PATCH", f"{at}/attach/{rows(move.db)[0][1]}")
    move.good("map")
    move.good("detach")
    assert new("GET", at) == []
    move.good("users.undo")
    new("DELETE", f"/v1/blocks/{own['id']}")


def test_the_same_server(bed, move, old, agents, users):
    other = new_agent(old, bed, "users same")
    move.write(other, bed.letta(FROM).url, bed.letta(FROM).url)
    at = f"/v1/agents/{agents[0]}/core-memory/blocks"
    old("PATCH", f"{at}/attach/{users[0].block}")
    before = rows(move.db)
    assert "keep their identities" in move.good("users.probe")
    move.good("map")
    move.good("apply")
    assert rows(move.db) == before
    assert len(old("GET", at)) == 1
    # The agent of the source is known by its .env.
    move.good("users.undo")
    move.good("detach")
    assert old("GET", at) == []
    old.delete_agent(other)


class Smcp:
    """The stand-in for SMCP on this machine, of a worker of `move`."""

    def __init__(self, made, agent):
        self.port = free_port()
        shutil.copyfile(worker.FILES / "plugin.py",
                        made.smcp / "plugins/demo_text/cli.py")
        shutil.rmtree(made.smcp / "plugins/imap", ignore_errors=True)
        (made.smcp / ".env").write_text(
            f"LETTA_AGENT_ID={agent}\nMCP_PORT={self.port}\n"
            "MCP_API_KEY=the-smcp-key\n")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(made.smcp / "smcp.py"), "--port",
             str(self.port), "--require-auth"],
            env={**os.environ, "MCP_API_KEY": "the-smcp-key"},
            stderr=subprocess.DEVNULL)
        wait_for("SMCP listens", lambda: is_open(self.port))
        self.url = f"http://127.0.0.1:{self.port}/sse"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.fixture
def smcp(move, agents):
    found = Smcp(move.made, agents[0])
    yield found
    found.stop()


def entry(client, name):
    return next((e for e in client("GET", "/v1/mcp-servers/")
                 if e["server_name"] == name), None)


def make_entry(client, smcp, name):
    return client("POST", "/v1/mcp-servers/", {
        "server_name": name, "config": {
            "mcp_server_type": "sse", "server_url": smcp.url,
            "auth_header": "Authorization",
            "auth_token": "Bearer the-smcp-key"}})


def secrets(client, agent):
    found = client("GET", f"/v1/agents/{agent}?include=agent.secrets")
    return {s["key"]: s["value"] for s in found["secrets"]}


def test_secrets_of_the_agent(move, old, new, agents, smcp):
    old("PATCH", f"/v1/agents/{agents[0]}", {"secrets": {
        "IMAP_PASS": "s3cr3t-value", "SHARED": "theirs",
        "LETTA_AGENT_ID": agents[0]}})
    new("PATCH", f"/v1/agents/{agents[1]}", {"secrets": {
        "SHARED": "ours", "OTHER": "stays"}})
    said = move.good("smcp.probe")
    assert "secrets, by name: IMAP_PASS" in said
    assert "stays: SHARED" in said and "anew: LETTA_AGENT_ID" in said
    said += move.good("smcp.act")
    assert "3 tools of the source's SMCP" in said
    want = {"IMAP_PASS": "s3cr3t-value", "SHARED": "ours", "OTHER": "stays"}
    assert secrets(new, agents[1]) == want
    move.good("smcp.act")
    assert secrets(new, agents[1]) == want
    for file in (move.folder / "state").rglob("*"):
        if file.is_file():
            assert b"s3cr3t-value" not in file.read_bytes(), file
    assert "s3cr3t-value" not in said
    move.good("smcp.undo")
    assert secrets(new, agents[1]) == {"SHARED": "ours", "OTHER": "stays"}


def test_an_address_that_is_not_public(move, old, smcp):
    made = make_entry(old, smcp, "sage-smcp")
    done = move("smcp.probe")
    assert done.rc == 1 and "smcp_url" in done.err, done
    old("DELETE", f"/v1/mcp-servers/{made['id']}")


def test_the_entry_at_the_target(bed, move, old, agents, third, smcp):
    made = make_entry(old, smcp, "sage-smcp")
    tools = old("GET", f"/v1/mcp-servers/{made['id']}/tools")
    assert {t["name"] for t in tools} == {
        "demo_text__echo", "demo_text__agent", "sanctum__tools"}
    for tool in tools:
        old("PATCH", f"/v1/agents/{agents[0]}/tools/attach/{tool['id']}")
    target = new_agent(third, bed, "users third")
    move.write(target, bed.letta(FROM).url, bed.source.url)
    assert smcp.url in move.good("smcp.probe")
    move.good("smcp.act")
    assert entry(third, "sage-smcp") is None
    for _ in range(2):
        assert "3 tools" in move.good("connect")
    found = entry(third, "sage-smcp")
    assert found["server_url"] == smcp.url
    assert found["auth_token"] == "Bearer the-smcp-key"
    attached = third("GET", f"/v1/agents/{target}/tools")
    assert {t["name"] for t in attached} == {t["name"] for t in tools}
    move.good("smcp.undo")
    assert entry(third, "sage-smcp") is None
    assert third("GET", f"/v1/agents/{target}/tools") == []

    # One that was there gets its address, and has it back.
    third("POST", "/v1/mcp-servers/", {
        "server_name": "sage-smcp", "config": {
            "mcp_server_type": "sse", "server_url": "http://127.0.0.1:9/sse",
            "auth_header": "Authorization",
            "auth_token": "Bearer the-smcp-key"}})
    move.good("connect")
    assert entry(third, "sage-smcp")["server_url"] == smcp.url
    assert entry(third, "sage-smcp")["auth_token"] == "Bearer the-smcp-key"
    move.good("smcp.undo")
    assert entry(third, "sage-smcp")["server_url"] == "http://127.0.0.1:9/sse"
    third("DELETE", f"/v1/mcp-servers/{entry(third, 'sage-smcp')['id']}")
    old("DELETE", f"/v1/mcp-servers/{made['id']}")
    third.delete_agent(target)


def test_smcp_is_asked_on_its_host(bed, move, agents, smcp, dst):
    """Over SSH: it listens on the loopback of dst alone."""
    to = "/root/smcp-asked"
    shutil.copytree(move.made.path / "smcp", dst.path(to) / "smcp")
    move.write(agents[1], bed.letta(FROM).url, bed.letta(TO).url,
               to=jobs.host("node1", dst)[1], to_path=to)
    move.good("smcp.act")
    words = ["/usr/bin/python3", f"{to}/smcp/smcp.py", "--require-auth",
             "--port", str(smcp.port)]
    done = move("ask")
    assert done.rc == 10, done
    there = dst.spawn(["env", "MCP_API_KEY=the-smcp-key", *words])
    try:
        wait_for("SMCP on dst listens", lambda: move("ask").rc != 10)
        assert "called" in move.good("ask")
        shutil.rmtree(dst.path(to) / "smcp/plugins/demo_text")
    finally:
        there.stop()
    there = dst.spawn(["env", "MCP_API_KEY=the-smcp-key", *words])
    try:
        wait_for("SMCP on dst listens again", lambda: move("ask").rc != 10)
        done = move("ask")
        assert done.rc == 14 and "demo_text__echo" in done.err, done
        (dst.path(to) / "smcp/.env").write_text(
            f"MCP_PORT={smcp.port}\nMCP_API_KEY=wrong\n")
        done = move("ask")
        assert done.rc == 12 and "wrong" not in done.err, done
    finally:
        there.stop()
        shutil.rmtree(dst.path(to))
