"""The import: tools, model and name on the target, and half-made ones."""

import json
import re
import sqlite3
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bed import history, jobs, look, seed
from bed.http import HttpError
from bed.jobs import SOURCE_TOKEN, TARGET_TOKEN

OFFERED = "openai-proxy/gpt-4o-mini"
OTHER_SOURCE = seed.TOOL_SOURCE.replace("sides + 1", "sides + 2")


@pytest.fixture
def write_job(source, second, source_letta, second_letta, tmp_path):
    """Function that writes an agent's job with keys of its own."""
    def write(agent_id, target=None, **keys):
        title, own = jobs.agent("sage", agent_id)
        letta = jobs.letta("new", second_letta, TARGET_TOKEN)
        if target:
            letta[1]["url"] = target
        return jobs.write(tmp_path / "agent.conf", [
            jobs.job("agent", "sage-agent"),
            jobs.letta("cloud", source_letta, SOURCE_TOKEN), letta,
            (title, {**own, **keys})])
    return write


def the_agent(client):
    """Return the state of the only agent."""
    there, = client("GET", "/v1/agents/?limit=1000")
    return there


def all_of(client):
    """Return the ids of everything that an import makes."""
    return {what: sorted(o["id"] for o in client(
        "GET", f"/v1/{what}/?limit=10000"))
        for what in ("agents", "blocks", "tools", "archives")}


def checks(result):
    """Return {name: its line} of a verdict."""
    return dict(re.match(r"agent\.sage\.(.+?)  +(.*)", line).groups()
                for line in result.out.splitlines()
                if line.startswith("agent.sage.") and "  " in line)


# The mark and the name


def test_the_mark_goes_with_the_promotion(write_job, agent_id, sanctumctl,
                                          source, second):
    job = write_job(agent_id)
    assert sanctumctl("apply", job).rc == 0
    there = the_agent(second)
    assert there["metadata"] == source(
        "GET", f"/v1/agents/{agent_id}")["metadata"]
    assert "sanctumctl" not in json.dumps(there)


def test_a_stranger_of_our_name_is_left_alone(write_job, agent_id,
                                              sanctumctl, source, second,
                                              bed):
    job = write_job(agent_id)
    assert sanctumctl("plan", job).rc == 4
    name = f"sage-incoming-{mark_of(sanctumctl)}"
    stranger = second.import_agent(seed.agent_file(name, 4, bed.stub_port))
    planned = sanctumctl("plan", job)
    assert "are not of this job" in planned.out
    assert sanctumctl("apply", job).rc == 0
    assert sanctumctl("cancel", job).rc == 0
    assert the_agent(second)["id"] == stranger
    assert the_agent(second)["name"] == name


def mark_of(sanctumctl):
    """Return the mark of the job in its journal."""
    path, = sanctumctl.state.glob("*/journal.db")
    with sqlite3.connect(path) as db:
        return db.execute(
            "select value from meta where key like '%mark'").fetchone()[0]


def test_a_name_that_servers_refuse_is_mapped(write_job, make_agent,
                                              sanctumctl, source, second):
    # A PATCH takes it, and then the source's own export fails.
    agent_id = make_agent()
    source("PATCH", f"/v1/agents/{agent_id}", {"name": "AI/ML Expert"})
    with pytest.raises(HttpError):
        source.export_agent(agent_id)
    job = write_job(agent_id)
    planned = sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert '"AI/ML Expert" -> "AI-ML Expert"' in planned.out
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    there = the_agent(second)
    assert there["name"] == "AI-ML Expert"
    assert there["metadata"] == {
        "seeded": "yes", "sanctumctl_original_name": "AI/ML Expert"}
    assert second.export_agent(there["id"])
    assert look.rows(second, there["id"]) == look.rows(source, agent_id)
    assert look.blocks(second, there["id"]) == look.blocks(source, agent_id)
    verified = sanctumctl("verify", job)
    assert verified.rc == 0, verified.out
    assert sanctumctl("apply", job).out.startswith("nothing to do")


# Tools


@pytest.fixture
def other_tool(second):
    """A tool of the agent's tool's name and another source."""
    return second("POST", "/v1/tools/", {
        "source_code": OTHER_SOURCE, "source_type": "python",
        "tags": ["theirs"], "description": "Another die."})


def test_another_tool_stops_the_job(write_job, agent_id, sanctumctl, second,
                                    other_tool):
    before = look.server(second)
    job = write_job(agent_id)
    planned = sanctumctl("plan", job)
    assert planned.rc == 1
    assert "-    return str((sides + 2) // 2)" in planned.out
    assert "+    return str((sides + 1) // 2)" in planned.out
    for command in ("plan", "apply"):
        said = sanctumctl(command, job).err
        assert history.TOOL_NAME in said and "nothing was changed" in said
        assert "(sides + 2)" in said and "(sides + 1)" in said
        assert "tools = override" in said
    assert not look.differences(before, look.server(second))


def unstamped(tool):
    """Return what an operator gave a tool, without the server's notes."""
    return {k: v for k, v in tool.items()
            if k not in ("metadata_", "last_updated_by_id")}


def test_override_replaces_a_tool_and_cancel_puts_it_back(
        write_job, agent_id, sanctumctl, source, second, other_tool):
    before = all_of(second)
    job = write_job(agent_id, tools="override")
    planned = sanctumctl("plan", job)
    assert planned.rc == 4 and "replaces it" in planned.out
    assert "-    return str((sides + 2) // 2)" in planned.out
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    there = look.custom_tools(second)[history.TOOL_NAME]
    assert there["id"] == other_tool["id"]
    seeded = look.custom_tools(source)[history.TOOL_NAME]
    for key in ("source_code", "json_schema", "tags", "description"):
        assert there[key] == seeded[key], key
    assert sanctumctl("verify", job).rc == 0

    assert sanctumctl("cancel", job).rc == 0
    there = look.custom_tools(second)[history.TOOL_NAME]
    assert unstamped(there) == unstamped(other_tool)
    assert all_of(second) == before


def test_keep_gives_the_agent_the_tool_that_is_there(
        write_job, agent_id, sanctumctl, second, other_tool):
    job = write_job(agent_id, tools="keep")
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert look.tools(second, the_agent(second)["id"]) == {
        history.TOOL_NAME: OTHER_SOURCE}
    found = checks(sanctumctl("verify", job))
    assert found["tools"].startswith("same")
    assert found["tools kept"].startswith("not compared")
    assert history.TOOL_NAME in found["tools kept"]
    assert sanctumctl("cancel", job).rc == 0
    assert look.custom_tools(second)[history.TOOL_NAME][
        "source_code"] == OTHER_SOURCE


# Model


def test_the_model_is_where_the_target_has_it(write_job, bed, sanctumctl,
                                              source, second):
    file = seed.agent_file("sage far", 12, bed.stub_port)
    file["agents"][0]["llm_config"].update(
        model_endpoint="http://127.0.0.1:9/v1", temperature=0.25,
        context_window=900000)
    job = write_job(source.import_agent(file))
    planned = sanctumctl("plan", job)
    assert f"model {OFFERED}, as the target has it" in planned.out
    assert 'model_endpoint: "http://127.0.0.1:9/v1" -> ' in planned.out
    assert "context_window: 900000 -> 128000" in planned.out
    assert sanctumctl("apply", job).rc == 0
    config = the_agent(second)["llm_config"]
    assert config["model_endpoint"].endswith(f":{bed.stub_port}/v1")
    assert config["temperature"] == 0.25
    assert config["context_window"] == 128000
    found = checks(sanctumctl("verify", job))
    assert found["model"].startswith("same")
    assert "900000 -> 128000" in found["model"]


def test_a_model_that_is_asked_for(write_job, bed, sanctumctl, source,
                                   second):
    file = seed.agent_file("sage other", 12, bed.stub_port)
    file["agents"][0]["llm_config"].update(
        model="gone", handle="far/gone", model_endpoint="http://127.0.0.1:9")
    agent_id = source.import_agent(file)
    planned = sanctumctl("plan", write_job(agent_id))
    assert planned.rc == 4
    assert "model far/gone: the target does not offer it" in planned.out
    near = sanctumctl("plan", write_job(agent_id,
                                        model="openai-proxy/gpt-4o-min"))
    assert near.rc == 2 and OFFERED in near.err
    job = write_job(agent_id, model=OFFERED,
                    embedding="openai/text-embedding-3-small")
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    there = the_agent(second)
    assert there["llm_config"]["handle"] == OFFERED
    assert there["embedding_config"][
        "handle"] == "openai/text-embedding-3-small"
    found = checks(sanctumctl("verify", job))
    for check in ("model", "embedding"):
        assert "mapped as asked" in found[check]
    assert second.say(there["id"], "are you there?")


def test_names_of_secrets_are_told(write_job, bed, sanctumctl, source):
    file = seed.agent_file("sage secret", 12, bed.stub_port)
    file["agents"][0]["tool_exec_environment_variables"] = {
        "API_KEY": "swordfish", "OTHER_KEY": "swordfish"}
    job = write_job(source.import_agent(file))
    planned = sanctumctl("plan", job)
    assert "secrets to be supplied again: API_KEY, OTHER_KEY" in planned.out
    assert sanctumctl("apply", job).rc == 0
    verified = sanctumctl("verify", job)
    assert "2 to be supplied again: API_KEY, OTHER_KEY" in checks(verified)[
        "secrets"]
    assert "swordfish" not in planned.out + verified.out


# What an import leaves that failed


class Between(ThreadingHTTPServer):
    """A proxy that changes the import on its way, or loses its answer.

    change  (old, new) bytes of the file, or None
    lose    True: the server's answer is not handed on
    """

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Hands)
        self.upstream, self.change, self.lose = upstream, None, False
        self.imports = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is no error."""


class Hands(BaseHTTPRequestHandler):
    """One connection to the proxy."""

    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def forward(self):
        data = self.body()
        is_import = self.path == "/v1/agents/import"
        if is_import:
            self.server.imports += 1
            if self.server.change:
                assert data.count(self.server.change[0]) == 1
                data = data.replace(*self.server.change)
        request = urllib.request.Request(
            self.server.upstream + self.path, data=data or None,
            method=self.command, headers={
                k: v for k, v in self.headers.items() if k.lower() in (
                    "authorization", "content-type")})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read()
        if is_import and self.server.lose:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = forward

    def log_message(self, form, *args):
        """Quiet."""


@pytest.fixture
def between(second_letta):
    """A proxy before the target."""
    proxy = Between(second_letta.url)
    yield proxy
    proxy.shutdown()
    proxy.server_close()


#: A change of the file, and where the server stops for it: with tools and
#: blocks and no agent; with the agent, and without its rows.
STOPS = {
    "before the agent": (b'"tools":[],"tool_ids"',
                         b'"tools":["no_such_tool"],"tool_ids"'),
    "before its rows": (b'"id":"message-0"',
                        b'"id":"message-0","role":"nobody"'),
    "after its rows": (b'"in_context_message_ids":["message-0"',
                       b'"in_context_message_ids":["message-99999"')}


@pytest.mark.parametrize("stop", STOPS)
def test_nothing_stays_of_an_import_that_failed(
        stop, write_job, agent_id, sanctumctl, source, second, between):
    # A block without an agent that looks like one of the file's.
    twin = {k: seed.blocks()[1][k] for k in ("label", "value", "limit",
                                             "description")}
    second("POST", "/v1/blocks/", twin)
    before = all_of(second)
    job = write_job(agent_id, target=between.url)
    between.change = STOPS[stop]
    failed = sanctumctl("apply", job)
    assert failed.rc == 1, failed.err
    assert "nothing of it is left" in failed.err
    assert between.imports == 1
    assert all_of(second) == before

    between.change = None
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert look.rows(second, the_agent(second)["id"]) == look.rows(
        source, agent_id)
    assert sanctumctl("cancel", job).rc == 0
    assert all_of(second) == before
    for block in second("GET", "/v1/blocks/?limit=10000"):
        if block["label"] == twin["label"]:
            second("DELETE", f"/v1/blocks/{block['id']}")


def test_an_answer_that_was_lost_is_looked_up(write_job, agent_id,
                                              sanctumctl, source, second,
                                              between):
    before = all_of(second)
    job = write_job(agent_id, target=between.url)
    between.lose = True
    lost = sanctumctl("apply", job)
    assert lost.rc == 75, lost.err
    assert "run the same command again" in lost.err
    there = the_agent(second)
    assert there["name"] == f"sage-incoming-{mark_of(sanctumctl)}"
    assert there["metadata"] == {"seeded": "yes", "sanctumctl": {
        "mark": mark_of(sanctumctl), "from": f"cloud {agent_id}",
        "name": source("GET", f"/v1/agents/{agent_id}")["name"]}}
    between.lose = False
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert between.imports == 1
    there = the_agent(second)
    assert look.rows(second, there["id"]) == look.rows(source, agent_id)
    assert "sanctumctl" not in json.dumps(there["metadata"])
    assert sanctumctl("cancel", job).rc == 0
    assert all_of(second) == before


def test_a_half_made_import_without_an_answer_is_removed(
        write_job, agent_id, sanctumctl, source, second, between):
    """The server stopped before the agent, and nobody was told."""
    before = all_of(second)
    job = write_job(agent_id, target=between.url)
    between.change, between.lose = STOPS["before the agent"], True
    assert sanctumctl("apply", job).rc == 75
    assert len(all_of(second)["blocks"]) == len(before["blocks"]) + 3
    between.change, between.lose = None, False
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    now = all_of(second)
    assert len(now["blocks"]) == len(before["blocks"]) + 3
    assert len(now["agents"]) == len(before["agents"]) + 1
    assert sanctumctl("cancel", job).rc == 0
    assert all_of(second) == before


def test_a_refused_row_is_named(write_job, agent_id, sanctumctl, source,
                                second, between):
    job = write_job(agent_id, target=between.url)
    between.change = (b'"id":"message-7"', b'"id":"message-7","content":3')
    failed = sanctumctl("apply", job)
    assert failed.rc == 1
    rows = source.row_ids(agent_id)
    assert f"row 7 of the file is {rows[7]} of the source" in failed.err



def test_an_archive_of_somebody_else_outlives_a_cancel(
        sanctumctl, bed, make_agent, second, tmp_path):
    job = jobs.agent_job(tmp_path / "job.conf", bed.source, bed.second,
                         make_agent(archival=0))
    assert sanctumctl("apply", job).rc == 0
    moved, = [a["id"] for a in second("GET", "/v1/agents/?limit=1000")
              if a["name"].startswith("sage ")]
    archive = second("POST", "/v1/archives/", {
        "name": "the operator's",
        "embedding_config": seed.embedding_config(bed.stub_port)})
    second("POST", f"/v1/archives/{archive['id']}/passages",
           {"text": "not the job's"})
    second("PATCH", f"/v1/agents/{moved}/archives/attach/{archive['id']}")
    done = sanctumctl("cancel", job)
    assert done.rc == 0, done.err
    assert second("GET", f"/v1/archives/{archive['id']}")["name"] == \
        "the operator's"
    second("DELETE", f"/v1/archives/{archive['id']}")
