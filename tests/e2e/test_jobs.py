"""Jobs of each kind on real parts, from plan to cancel."""

import http.client
import json
import re
import socket
import ssl
import subprocess

import pytest

from bed import history, jobs, look, seed, worker, writer
from bed.paths import CACHE

from bed.site import TARGET_PASSWORD
from bed.wait import wait_for

from conftest import OTHER_AGENT

AGENT_STEPS = ["read", "import", "tools", "blocks", "identities",
               "archival", "compare", "promote"]
WORKER_STEPS = ["copy", "snapshot", "env", "venv", "users", "smcp", "freeze",
                "final", "install", "fence", "start"]
EDGE_STEPS = ["backend", "http", "certificate", "tls"]

#: What a copy of a worker is not expected to hold, below its directory.
LEFT_BEHIND = ("broca/run/broca.pid", "broca/__pycache__", "broca/venv",
               "broca/logs", "smcp/logs")
#: What it holds, but not byte for byte; the marker is the program's own.
REWRITTEN = ("broca/.env", "smcp/.env", "broca/sanctum.db")
#: What SQLite has beside a database while somebody writes to it.
OF_A_WRITER = tuple(f"broca/sanctum.db-{kind}"
                    for kind in ("journal", "wal", "shm"))


def objects(result):
    """Return the lines of --json; each must be an object that says what."""
    found = [json.loads(line) for line in result.out.splitlines()]
    assert found
    for one in found:
        assert isinstance(one["type"], str), one
        assert one["version"] == 1, one
    return found


def step_lines(result, glyphs="+~-"):
    """Return {step: its glyph} of the plan's steps that are to be done."""
    found = {}
    for line in result.out.splitlines():
        step = re.match(r"  ([+~-]) ((?:edge|agent|worker)\.\S+): ", line)
        if step and step[1] in glyphs:
            found[step[2]] = step[1]
    return found


def changed_env(before, after, values):
    """Assert that two .env files differ in the values of these keys alone."""
    old, read = before.splitlines(keepends=True), dotenv_values(before)
    for i, line in enumerate(old):
        key = line.strip().removeprefix("export ").split("=")[0].strip()
        if key in values:
            assert line.count(read[key]) == 1
            old[i] = line.replace(read[key], values[key])
    assert after == "".join(old)


def dotenv_values(text):
    """Return what the real python-dotenv reads in a text."""
    script = ("import io, json, sys; from dotenv import dotenv_values;"
              "print(json.dumps(dotenv_values(stream=io.StringIO("
              "sys.stdin.read()))))")
    done = subprocess.run(
        [CACHE / "letta-0.16.2/bin/python", "-c", script], input=text,
        text=True, capture_output=True, check=True, env={})
    return json.loads(done.stdout)


# One agent, from one server to another


@pytest.fixture
def agent_job(source, second, source_letta, second_letta, tmp_path):
    """Function that writes the job of an agent."""
    def write(agent_id):
        return jobs.agent_job(tmp_path / "agent.conf", source_letta,
                              second_letta, agent_id)
    return write


@pytest.fixture
def moved(agent_job, agent_id, sanctumctl, second):
    """An agent's job that was applied: (job, id on the target)."""
    job = agent_job(agent_id)
    assert sanctumctl("apply", job).rc == 0
    there, = second("GET", "/v1/agents/?limit=1000")
    return job, there["id"]


def changes(before, *clients):
    """Return what is not as look.server() found it before."""
    return [one for was, client in zip(before, clients)
            for one in look.differences(was, look.server(client))]


def test_plan_of_an_agent_changes_nothing(agent_job, agent_id, sanctumctl,
                                          source, second):
    before = look.server(source), look.server(second)
    planned = sanctumctl("plan", agent_job(agent_id))
    assert planned.rc == 4, planned.err
    assert step_lines(planned) == {
        "agent.sage.import": "+", "agent.sage.tools": "+",
        "agent.sage.blocks": "~", "agent.sage.archival": "+",
        "agent.sage.compare": "+", "agent.sage.promote": "~"}
    assert "60 messages and 4 passages" in planned.out
    assert "nothing was changed" in planned.out
    assert "next: sanctumctl apply" in planned.out
    assert not changes(before, source, second)


def test_apply_moves_the_whole_agent(agent_job, make_agent, sanctumctl,
                                     source, second):
    agent_id = make_agent(messages=320, archival=12, name="Sage of old")
    before = look.server(source)
    job = agent_job(agent_id)
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert "next: sanctumctl verify" in applied.out

    there, = second("GET", "/v1/agents/?limit=1000")
    assert there["name"] == "Sage of old"
    assert there["agent_type"] == "letta_v1_agent"
    state = source("GET", f"/v1/agents/{agent_id}")
    for key in ("system", "description", "tags"):
        assert there[key] == state[key], key

    rows = look.rows(second, there["id"])
    assert len(rows) == 320
    assert rows == look.rows(source, agent_id)
    passages = look.passages(second, there["id"])
    assert len(passages) == 12
    assert passages == look.passages(source, agent_id)
    blocks = look.blocks(second, there["id"])
    assert blocks == look.blocks(source, agent_id)
    assert blocks["project notes"]["limit"] == 12345
    assert blocks["house_rules"]["read_only"] is True
    tools = look.tools(second, there["id"])
    assert list(tools) == [history.TOOL_NAME]
    assert tools == look.tools(source, agent_id)
    every = json.dumps(look.server(second)["agents"]) + json.dumps(
        look.custom_tools(second))
    assert "_copy" not in every and "-incoming-" not in every

    said = second.say(there["id"], f"please use the tool {history.TOOL_NAME}")
    assert "tool_return_message" in [m["message_type"] for m in said]
    assert not look.differences(before, look.server(source))


def test_second_apply_of_an_agent_does_nothing(moved, sanctumctl, source,
                                               second):
    job, _ = moved
    before = look.server(source), look.server(second)
    again = sanctumctl("apply", job)
    assert again.rc == 0 and again.out.startswith("nothing to do")
    planned = sanctumctl("plan", job)
    assert planned.rc == 0 and "nothing to do" in planned.out
    assert step_lines(planned) == {}
    assert not changes(before, source, second)


def test_verify_sees_a_changed_block(moved, sanctumctl, second):
    job, there = moved
    same = sanctumctl("verify", job)
    assert same.rc == 0, same.err
    assert same.out.splitlines()[-1].split()[-1] == "same"

    second("PATCH", f"/v1/agents/{there}/core-memory/blocks/persona",
           {"value": "I am somebody else."})
    before = look.server(second)
    differs = sanctumctl("verify", job)
    assert differs.rc == 14
    assert "different" in differs.out.splitlines()[-1]
    line, = [li for li in differs.out.splitlines()
             if "different" in li and "blocks" in li]
    assert "persona" in line
    assert not look.differences(before, look.server(second))


def test_verify_counts_what_was_said_after_the_move(moved, sanctumctl,
                                                    second):
    job, there = moved
    second.say(there, "how do you like it here?")
    after = sanctumctl("verify", job)
    assert after.rc == 0, after.out
    line, = [li for li in after.out.splitlines() if ".messages" in li]
    assert "same" in line and "after the move" in line
    assert "first system row" in after.out


def test_verify_sees_a_row_that_is_missing(agent_job, make_agent, sanctumctl,
                                           source, second):
    agent_id = make_agent(messages=20, archival=1)
    job = agent_job(agent_id)
    assert sanctumctl("apply", job).rc == 0
    source.say(agent_id, "one thing more")
    differs = sanctumctl("verify", job)
    assert differs.rc == 14
    line, = [li for li in differs.out.splitlines() if ".messages" in li]
    assert "lacks the last" in line


def test_status_lists_the_steps(moved, sanctumctl):
    job, _ = moved
    status = sanctumctl("status", job)
    assert status.rc == 0
    head, *lines = status.out.splitlines()
    assert head.startswith("job sage-agent, journal ")
    assert [li.split()[2].rstrip(":") for li in lines] == [
        f"agent.sage.{word}" for word in AGENT_STEPS]
    assert {li.split()[0] for li in lines} == {"done"}


def test_json_is_an_object_a_line(agent_job, agent_id, sanctumctl):
    job = agent_job(agent_id)
    expected = [("check", 0), ("plan", 4), ("apply", 0), ("plan", 0),
                ("verify", 0), ("status", 0), ("cancel", 0), ("verify", 14)]
    for command, code in expected:
        done = sanctumctl(command, "--json", job)
        assert done.rc == code, (command, done.err)
        found = objects(done)
        if code == 14:
            assert found[-1]["type"] == "error"
            assert (found[-1]["kind"], found[-1]["exit"]) == ("verdict", 14)
        elif command in ("plan", "apply", "cancel", "check"):
            assert found[-1]["type"] == command
        steps = [o["step"] for o in found if o["type"] == "step"]
        if command in ("plan", "apply", "status"):
            assert steps == [f"agent.sage.{w}" for w in AGENT_STEPS]


def test_cancel_takes_the_agent_away_and_apply_brings_it_again(
        agent_job, agent_id, sanctumctl, source, second):
    before = look.server(source), look.server(second)
    job = agent_job(agent_id)
    assert sanctumctl("apply", job).rc == 0
    assert len(look.server(second)["blocks"]) > len(before[1]["blocks"])
    assert history.TOOL_NAME in look.custom_tools(second)

    cancelled = sanctumctl("cancel", job)
    assert cancelled.rc == 0, cancelled.err
    assert "the source is as it was" in cancelled.out
    assert not changes(before, source, second)
    again = sanctumctl("cancel", job)
    assert again.rc == 0 and again.out.startswith("0 steps")

    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    there, = second("GET", "/v1/agents/?limit=1000")
    assert look.rows(second, there["id"]) == look.rows(source, agent_id)
    assert look.passages(second, there["id"]) == look.passages(
        source, agent_id)
    assert sanctumctl("verify", job).rc == 0


def own_tool(client, text):
    """Make a tool of the seeded one's name; returns its source."""
    client("POST", "/v1/tools/", {"source_code": text,
                                  "source_type": "python"})
    return look.custom_tools(client)[history.TOOL_NAME]


def test_cancel_keeps_a_tool_that_was_there(agent_job, agent_id, sanctumctl,
                                            source, second):
    # Planned once before the tool is there: what counts is the import.
    job = agent_job(agent_id)
    assert sanctumctl("plan", job).rc == 4
    seeded = look.custom_tools(source)[history.TOOL_NAME]
    own = own_tool(second, seeded["source_code"])
    before = look.server(second)
    assert sanctumctl("apply", job).rc == 0
    there, = second("GET", "/v1/agents/?limit=1000")
    assert [t["id"] for t in there["tools"]
            if t["tool_type"] == "custom"] == [own["id"]]
    assert sanctumctl("cancel", job).rc == 0
    assert list(look.custom_tools(second)) == [history.TOOL_NAME]
    after = look.server(second)
    for side in (before, after):
        side["tools"] = {n: t["id"] for n, t in side["tools"].items()}
    assert not look.differences(before, after)


# Workers, from one host to another


TARGET = "http://127.0.0.1:18283"


@pytest.fixture
def workers_job(bed, src, dst, worker_letta, tmp_path):
    """Function that writes the job of a worker."""
    written = []

    def write(made, **more):
        written.append(made)
        return jobs.workers_job(tmp_path / "workers.conf", bed, made,
                                OTHER_AGENT, server_url=worker_letta.url,
                                **more)

    yield write
    for made in written:
        dst.run(["sh", "-c", f"rm -rf {made.home} {made.home}.sanctumctl-*"])


def expected_manifest(made):
    """What is to be on the target, but for what is rewritten there."""
    there = worker.unfenced(worker.manifest(made.path))
    return {path: what for path, what in there.items()
            if path not in REWRITTEN + OF_A_WRITER
            and not path.endswith(".pyc")
            and not path.startswith(LEFT_BEHIND)}


def found_manifest(dst, made):
    return {path: what
            for path, what in worker.manifest(dst.path(made.home)).items()
            if path not in REWRITTEN
            and not path.startswith(".sanctumctl-")}


def check_env(dst, made, agent_id, url, token):
    """The .env files on dst, against the ones of the source."""
    new = {"broca": {"AGENT_ID": agent_id, "AGENT_ENDPOINT": url,
                     "AGENT_API_KEY": token},
           "smcp": {"LETTA_AGENT_ID": agent_id, "LETTA_SERVER_URL": url,
                    "LETTA_API_KEY": token}}
    for name, values in new.items():
        there = dst.path(f"{made.home}/{name}/.env")
        assert there.stat().st_mode & 0o7777 == 0o600
        before = (made.path / name / ".env").read_text()
        after = there.read_text()
        changed_env(before, after, values)
        assert dotenv_values(after) == {**dotenv_values(before), **values}


def worker_steps(name, users="~"):
    """What a plan has to do for a worker without an environment to make."""
    return {f"worker.{name}.{step}": glyph for step, glyph in (
        ("copy", "+"), ("snapshot", "+"), ("env", "~"), ("users", users),
        ("smcp", "+"), ("freeze", "~"), ("final", "~"), ("install", "+"),
        ("fence", "~"), ("start", "+"))}


def test_plan_of_a_worker_changes_nothing(workers_job, worker_tree, src, dst,
                                          worker_letta, sanctumctl):
    job = workers_job(worker_tree)
    before = look.tree(src, "/root/sanctum"), look.tree(dst, "/root/sanctum")
    planned = sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert step_lines(planned) == worker_steps(worker_tree.name)
    assert f"+AGENT_ID={OTHER_AGENT}" in planned.out
    assert f'+AGENT_ENDPOINT="{worker_letta.url}"' in planned.out
    for secret in (TARGET_PASSWORD, "old-token", "123456:not-a-real-token"):
        assert secret not in planned.out + planned.err
    assert before == (look.tree(src, "/root/sanctum"),
                      look.tree(dst, "/root/sanctum"))


def test_apply_brings_a_worker(workers_job, worker_tree, src, dst,
                               worker_letta, sanctumctl):
    job = workers_job(worker_tree)
    busy = writer.Writer(src, worker_tree.database, rate=200, seconds=300)
    try:
        busy.wait_written(50)
        before = expected_manifest(worker_tree)
        applied = sanctumctl("apply", job)
        assert applied.rc == 0, applied.err
        # The source is still being written, and was not stopped for it.
        busy.wait_written(50)
    finally:
        made = busy.stop()
    assert expected_manifest(worker_tree) == before
    assert found_manifest(dst, worker_tree) == before
    for path in LEFT_BEHIND:
        assert not dst.path(f"{worker_tree.home}/{path}").exists(), path
    spool = dst.path(f"{worker_tree.home}/broca/run/otto_bridge")
    assert len(list((spool / "inbox").iterdir())) == 3
    assert len(list((spool / "outbox").iterdir())) == 1
    check_env(dst, worker_tree, OTHER_AGENT, worker_letta.url,
              TARGET_PASSWORD)

    there = worker.Worker(worker_tree.name, worker_tree.home, dst)
    assert there.query("PRAGMA integrity_check") == [
        {"integrity_check": "ok"}]
    assert there.query("PRAGMA foreign_key_check") == []
    messages, queued = writer.counts(there.database, dst)
    assert messages == queued
    assert 50 <= messages < made
    seeded = "SELECT * FROM messages WHERE role != 'writer' ORDER BY id"
    assert there.query(seeded) == worker_tree.query(seeded)
    assert not src.path("/root/.cache/sanctumctl").joinpath(
        "snapshot").exists()
    assert not [p for p in src.path("/root/.cache/sanctumctl").iterdir()
                if p.name.startswith("snapshot")]
    parent = dst.path(worker_tree.home).parent
    assert [p.name for p in parent.iterdir()] == [worker_tree.name]


def test_second_apply_of_a_worker_does_nothing(workers_job, worker_tree, dst,
                                               sanctumctl):
    job = workers_job(worker_tree)
    assert sanctumctl("apply", job).rc == 0
    # What the worker has written there since must stay.
    dst.path(f"{worker_tree.home}/broca/data/since").write_text("mine")
    before = look.tree(dst, "/root/sanctum")
    again = sanctumctl("apply", job)
    assert again.rc == 0 and again.out.startswith("nothing to do")
    planned = sanctumctl("plan", job)
    assert planned.rc == 0 and step_lines(planned) == {}
    assert look.tree(dst, "/root/sanctum") == before


def test_verify_of_a_worker(workers_job, worker_tree, dst, sanctumctl):
    job = workers_job(worker_tree)
    for command in ("verify", "status"):
        early = sanctumctl(command, job)
        assert early.rc == 1 and "run `plan' first" in early.err
    assert sanctumctl("plan", job).rc == 4
    early = sanctumctl("verify", job)
    assert early.rc == 14 and "run `apply' first" in early.out
    assert sanctumctl("apply", job).rc == 0
    same = sanctumctl("verify", job)
    assert same.rc == 0, same.out
    dst.path(f"{worker_tree.home}/broca/main.py").write_text("# changed\n")
    differs = sanctumctl("verify", job)
    assert differs.rc == 14
    assert "broca/main.py" in differs.out


def source_tree(src, made):
    """All of a source; its database by content, as a way back writes it."""
    found = look.tree(src, "/root/sanctum")["/root/sanctum"]
    name = f"agents/{made.name}/broca/sanctum.db"
    return {**found, name: (found[name][0], made.dump())}


def test_cancel_removes_a_worker(workers_job, worker_tree, src, dst,
                                 sanctumctl):
    job = workers_job(worker_tree)
    before = source_tree(src, worker_tree)
    assert sanctumctl("apply", job).rc == 0
    assert source_tree(src, worker_tree) != before
    cancelled = sanctumctl("cancel", job)
    assert cancelled.rc == 0, cancelled.err
    assert list(dst.path(worker_tree.home).parent.iterdir()) == []
    assert source_tree(src, worker_tree) == before
    assert sanctumctl("apply", job).rc == 0
    assert found_manifest(dst, worker_tree) == expected_manifest(worker_tree)


def test_a_directory_at_the_target_is_kept_and_comes_back(
        workers_job, worker_tree, dst, sanctumctl):
    job = workers_job(worker_tree)
    at = dst.path(worker_tree.home)
    at.mkdir(parents=True)
    (at / "mine.txt").write_text("was here first\n")
    (at / "mine.txt").chmod(0o640)
    before = worker.manifest(at)
    planned = sanctumctl("plan", job)
    assert step_lines(planned)[f"worker.{worker_tree.name}.install"] == "~"
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert found_manifest(dst, worker_tree) == expected_manifest(worker_tree)
    kept, = [p for p in at.parent.iterdir() if p.name != worker_tree.name]
    assert kept.name.startswith(f"{worker_tree.name}.sanctumctl-")
    assert kept.name in applied.out
    assert worker.manifest(kept) == before
    assert sanctumctl("cancel", job).rc == 0
    assert [p.name for p in at.parent.iterdir()] == [worker_tree.name]
    assert worker.manifest(at) == before


# Greenfield: a host with nothing but a Letta server on its loopback


class Site:
    """The edge of dst, as this machine sees it."""

    def __init__(self, bed):
        self.name, self.address = bed.site, bed.dst.address
        self.context = ssl.create_default_context(cafile=bed.acme.root_ca())

    def get(self, port, path="/v1/health/", token=None):
        """Return (status, body), over TLS that was verified."""
        raw = socket.create_connection((self.address, port), timeout=30)
        with self.context.wrap_socket(raw,
                                      server_hostname=self.name) as tls:
            connection = http.client.HTTPConnection(self.name)
            connection.sock = tls
            connection.request("GET", path, headers={
                "Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def plain(self, path):
        """Return (status, Location) of port 80."""
        connection = http.client.HTTPConnection(self.address, 80, timeout=30)
        connection.request("GET", path, headers={"Host": self.name})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location")


def dst_state(dst, client):
    """All that a greenfield job changes on dst."""
    found = {"server": look.server(client), **look.tree(
        dst, "/etc/nginx", "/root/sanctum", "/var/lib/sanctumctl",
        "/etc/letsencrypt/live", "/etc/letsencrypt/renewal")}
    # certbot leaves its own explanation of the folder there.
    found["/etc/letsencrypt/live"].pop("README", None)
    return found


def nginx_runs(dst):
    return "nginx: master" in dst.run(["ps", "-A", "-o", "args="]).stdout


class Greenfield:
    """A greenfield job that was planned and applied once."""

    def __init__(self, bed, run, folder):
        self.bed, self.dst, self.run = bed, bed.dst, run
        self.source = seed.Client(bed.source.url)
        self.target = look.HostClient(bed.dst, TARGET, TARGET_PASSWORD)
        self.agent_id = seed_agent(bed)
        self.users = seed.Users(self.source)
        self.made = worker.make_worker("sage", agent_id=self.agent_id,
                                       url=bed.source.url, token="old-token",
                                       on=bed.src, users=self.users)
        self.job = jobs.greenfield_job(folder / "greenfield.conf", bed,
                                       self.made, self.agent_id)
        self.conf = f"/etc/nginx/conf.d/sanctumctl-{bed.site}.conf"
        self.before = dst_state(self.dst, self.target)
        self.source_before = self.source_state()
        self.planned = run("plan", self.job)
        self.after_plan = dst_state(self.dst, self.target)
        self.applied = run("apply", self.job)

    def source_state(self):
        return {"server": look.server(self.source),
                "tree": source_tree(self.bed.src, self.made)}

    def close(self):
        self.run("cancel", self.job)
        self.source.delete_agent(self.agent_id)
        self.users.remove()
        self.made.remove()


def seed_agent(bed):
    return seed.seed(bed.source.url, messages=60, archival=4, name="Sage",
                     stub_port=bed.stub_port)


@pytest.fixture(scope="module")
def green(bed, acme, source_letta, target_letta, src, program_at,
          tmp_path_factory):
    folder = tmp_path_factory.mktemp("greenfield")
    one = Greenfield(bed, program_at(folder), folder)
    yield one
    one.close()


def test_plan_of_a_new_host_changes_nothing(green):
    assert green.planned.rc == 4, green.planned.err
    todo = step_lines(green.planned)
    assert todo == {
        "edge.node1.http": "+", "edge.node1.certificate": "+",
        "edge.node1.tls": "+", "edge.node1.renewal": "+",
        "agent.sage.import": "+",
        "agent.sage.tools": "+", "agent.sage.blocks": "~",
        "agent.sage.archival": "+", "agent.sage.compare": "+",
        "agent.sage.promote": "~", "worker.sage.delta": "~",
        **worker_steps("sage", users="+")}
    assert not look.differences(green.before, green.after_plan)


def test_apply_brings_up_a_new_host(green):
    assert green.applied.rc == 0, green.applied.err
    site = Site(green.bed)
    for port in (443, 8283):
        status, body = site.get(port)
        assert status == 200
        assert json.loads(body)["version"] == green.bed.target_version
        assert site.get(port, "/v1/agents/")[0] == 401
        status, body = site.get(port, "/v1/agents/", TARGET_PASSWORD)
        assert [a["name"] for a in json.loads(body)] == ["Sage"]
    assert site.plain("/v1/health/") == (
        301, f"https://{green.bed.site}/v1/health/")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address, 18283), timeout=30)
    green.dst.run(["nginx", "-t"])

    there, = green.target("GET", "/v1/agents/?limit=1000")
    rows = look.rows(green.target, there["id"])
    assert len(rows) == 60
    assert rows == look.rows(green.source, green.agent_id)
    assert look.passages(green.target, there["id"]) == look.passages(
        green.source, green.agent_id)
    assert look.blocks(green.target, there["id"]) == look.blocks(
        green.source, green.agent_id)
    check_env(green.dst, green.made, there["id"],
              f"https://{green.bed.site}", TARGET_PASSWORD)
    assert found_manifest(green.dst, green.made) == expected_manifest(
        green.made)
    source = green.source_state()
    assert source["tree"] != green.source_before["tree"]
    source["tree"] = worker.unfenced(source["tree"])
    assert not look.differences(green.source_before, source)


def test_second_apply_of_a_new_host_does_nothing(green):
    before = dst_state(green.dst, green.target)
    again = green.run("apply", green.job)
    assert again.rc == 0, again.err
    assert again.out.startswith("nothing to do")
    planned = green.run("plan", green.job)
    assert planned.rc == 0 and step_lines(planned) == {}
    verified = green.run("verify", green.job)
    assert verified.rc == 0, verified.out
    for name in ("edge.node1.site", "edge.node1.ade", "edge.node1.raw port"):
        assert name in verified.out
    assert not look.differences(before, dst_state(green.dst, green.target))


def test_a_drift_of_the_edge_is_shown_and_repaired(green):
    conf = green.dst.path(green.conf)
    right = conf.read_text()
    conf.write_text(right + "# somebody was here\n")
    planned = green.run("plan", green.job)
    assert planned.rc == 4
    assert step_lines(planned, "~") == {"edge.node1.tls": "~"}
    assert "-# somebody was here" in planned.out
    assert conf.read_text() == right + "# somebody was here\n"
    applied = green.run("apply", green.job)
    assert applied.rc == 0, applied.err
    assert "1 of" in applied.out
    assert conf.read_text() == right
    assert green.run("plan", green.job).rc == 0
    assert Site(green.bed).get(443)[0] == 200


def test_cancel_leaves_a_new_host_as_it_was(green):
    cancelled = green.run("cancel", green.job)
    assert cancelled.rc == 0, cancelled.err
    assert not look.differences(green.before,
                                dst_state(green.dst, green.target))
    wait_for("nginx to end", lambda: not nginx_runs(green.dst))
    for port in (80, 443, 8283):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((green.dst.address, port), timeout=30)
    assert not look.differences(green.source_before, green.source_state())
