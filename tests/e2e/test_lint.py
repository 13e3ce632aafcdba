"""agent lint against what real servers do with the same file.

Every file of tests/golden/af, and one file a rule, is sent to a server of
each version: what the server does with it is what lint has to say.
"""

import copy
import json
import os
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from bed import http
from bed.paths import TOP
from conftest import client_that_cleans, program

GOLDEN = sorted((TOP / "tests/golden/af").glob("*.af"))
VERSIONS = ["0.16.2", "0.16.8"]
EFFECTS = ["notice", "spoiled", "listing", "refused"]

SENT = {"append_copy_suffix": "false", "override_existing_tools": "false"}


@pytest.fixture(scope="module")
def later_letta(bed):
    server = bed.new_server("later", version="0.16.8")
    yield server
    server.stop()


@pytest.fixture(params=VERSIONS)
def server(request):
    """Client of a server of each version; blocks go after the test, too."""
    letta = request.getfixturevalue(
        "source_letta" if request.param == "0.16.2" else "later_letta")
    cleaning = client_that_cleans(letta.url, None)
    client = next(cleaning)
    blocks = {b["id"] for b in client("GET", "/v1/blocks/?limit=1000")}
    yield client
    for block in client("GET", "/v1/blocks/?limit=1000"):
        if block["id"] not in blocks:
            client("DELETE", f"/v1/blocks/{block['id']}")
    next(cleaning, None)


def status_of(client, method, path, **kw):
    """Return (status, answer); the answer of an error is None."""
    try:
        return 200, client(method, path, **kw)
    except http.HttpError as e:
        return e.status, None


def behaviour(client, text):
    """Return what the server does: refused, listing, spoiled or ok.

    The agent goes by its id: one that spoils the listing of all agents would
    be found by nobody after.
    """
    data, headers = http.form(SENT, "agent.af", text)
    status, answer = status_of(client, "POST", "/v1/agents/import",
                               data=data, headers=headers)
    if status != 200:
        return "refused"
    worst = "ok"
    for agent in answer["agent_ids"]:
        worst = shown_as(client, agent) if worst == "ok" else worst
        client("DELETE", f"/v1/agents/{agent}")
    return worst


def shown_as(client, agent):
    """Return what the server makes of an agent that it has taken."""
    path = f"/v1/agents/{agent}"
    listed = status_of(
        client, "GET",
        path + "/messages?limit=1000&use_assistant_message=false")[0]
    shown = status_of(client, "GET", path + "/messages?limit=1000")[0]
    exported = status_of(client, "GET", path + "/export")[0]
    if listed != 200:
        return "listing"
    if shown != 200 or exported != 200:
        return "spoiled"
    return "ok"


def lint(path, *words, **kw):
    """Run it; return (exit code, findings, the last object, stderr)."""
    done = subprocess.run(
        [program(), "agent", "lint", "--json", *words, str(path)],
        text=True, capture_output=True, timeout=300, **kw)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return (done.returncode, [o for o in objects if o["type"] == "finding"],
            objects[-1], done.stderr)


def judged(path, version):
    """Return the worst effect that lint finds, and its words."""
    rc, findings, last, err = lint(path, "--for", version)
    assert last["type"] == "lint", err
    worst = max((EFFECTS.index(f["effect"]) for f in findings), default=0)
    return "ok" if worst == 0 else EFFECTS[worst], rc, findings


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_golden_files(server, path):
    version = server("GET", "/v1/health/")["version"]
    effect, rc, findings = judged(path, version)
    done = behaviour(server, path.read_bytes())
    name = path.stem
    if name.startswith("corrupt"):      # taken, and spoiled by the first chat
        assert (done, effect) == ("ok", "spoiled")
    else:
        assert effect == done, findings
    assert effect == ("ok" if name.startswith("ok") else
                      "refused" if name.startswith("import") else
                      "listing" if name.startswith("list") else "spoiled")
    serious = [f for f in findings if f["effect"] != "notice"]
    assert rc == (0 if not serious else
                  3 if all(f["repaired"] for f in serious) else 14)


def base():
    """A fit file: a system row, a user's, a call, its return, a reply."""
    def row(n, role, text=None, **more):
        content = [] if text is None else [{"type": "text", "text": text}]
        return {"type": "message", "id": f"message-{n}", "role": role,
                "agent_id": "agent-0", "content": content,
                "created_at": f"2026-01-01T00:00:0{n}Z", **more}
    call = {"id": "call_1", "type": "function",
            "function": {"name": "f", "arguments": "{}"}}
    agent = json.loads(GOLDEN[-1].read_text())["agents"][0]
    agent.update(name="lint", messages=[
        row(0, "system", "s"), row(1, "user", "u"),
        row(2, "assistant", tool_calls=[call]),
        row(3, "tool", '{"status": "OK", "message": "m"}',
            tool_call_id="call_1"), row(4, "assistant", "a")],
        in_context_message_ids=[f"message-{n}" for n in range(5)])
    return {"agents": [agent], "groups": [], "blocks": [], "files": [],
            "sources": [], "tools": [], "mcp_servers": []}


def on_row(n, **members):
    return lambda file: file["agents"][0]["messages"][n].update(members)


def on_agent(**members):
    return lambda file: file["agents"][0].update(members)


def without(*keys):
    def change(file):
        for key in keys:
            del file[key]
    return change


def with_block(**members):
    def change(file):
        file["blocks"] = [{"id": "block-0", "label": "lint", "value": "v",
                           "limit": 100, **members}]
        file["agents"][0]["block_ids"] = ["block-0"]
    return change


def with_tool(**members):
    def change(file):
        file["tools"] = [{
            "id": "tool-0", "name": "lint_tool", "tool_type": "custom",
            "source_type": "python", "tags": [],
            "source_code": "def lint_tool():\n    return 1\n",
            "json_schema": {"name": "lint_tool", "parameters": {}},
            **members}]
    return change


def texts(*parts):
    return [{"type": "text", "text": part} for part in parts]


RETURN = {"tool_call_id": "call_1", "status": "success"}

# What differs from the fit file, by name; the server says what it means.
CHANGES = {
    "nothing": lambda file: None,
    "content null": on_row(4, content=None),
    "content text": on_row(4, content="x"),
    "content of an unknown type": on_row(4, content=[{"type": "x"}]),
    "no content": on_row(4, content=[]),
    "system of two texts": on_row(0, content=texts("a", "b")),
    "user without content": on_row(1, content=[]),
    "image by url": on_row(1, content=[
        {"type": "image", "source": {"type": "url", "url": "http://h/"}}]),
    "summary": on_row(1, role="summary"),
    "function": on_row(1, role="function"),
    "lone surrogate": on_row(1, content=texts("a\ud83d")),
    "id of another form": on_row(4, id="message-x"),
    "id twice": on_row(4, id="message-1"),
    "name that is a number": on_row(1, name=5),
    "date null": on_row(1, created_at=None),
    "no date": on_row(1, created_at="soon"),
    "first date of all": on_row(0, created_at="0001-01-01T00:00:00Z"),
    "year 3000": on_row(0, created_at="3000-01-01T00:00:00Z"),
    "return raw": on_row(3, content=texts("done")),
    "return a list": on_row(3, content=texts("[1]")),
    "return of status ok": on_row(3, content=texts('{"status": "ok"}')),
    "return of status Failed": on_row(
        3, content=texts('{"status": "Failed"}')),
    "return without content": on_row(3, content=[]),
    "return without call": on_row(3, tool_call_id=None),
    "return of another call": on_row(3, tool_call_id="call_9"),
    "text wins over one return": on_row(
        3, tool_returns=[{**RETURN, "func_response": "x"}]),
    "one return alone": on_row(
        3, content=[], tool_returns=[{**RETURN, "func_response": "x"}]),
    "second return bad": on_row(3, tool_returns=[
        {**RETURN, "func_response": "{}"}, {**RETURN, "func_response": "x"}]),
    "return without status": on_row(3, tool_returns=[{}]),
    "call of an object": on_row(2, tool_calls=[
        {"id": "c", "type": "function",
         "function": {"name": "f", "arguments": {}}}]),
    "send_message without message": on_row(2, tool_calls=[
        {"id": "call_1", "type": "function",
         "function": {"name": "send_message", "arguments": "{}"}}]),
    "approval of nothing": on_row(4, role="approval", content=[]),
    "unknown id in context": on_agent(in_context_message_ids=["message-9"]),
    "name with a slash": on_agent(name="AI/ML Expert"),
    "name of marks": on_agent(name="\u0939\u093f"),
    "name of letters": on_agent(name="\u6f22 \u00e9 O'x_1-\u00b2"),
    "no llm_config": on_agent(llm_config=None),
    "unknown agent_type": on_agent(agent_type="x"),
    "unknown tool id": on_agent(tool_ids=["tool-9"]),
    "unknown block id": on_agent(block_ids=["block-9"]),
    "system of NUL": on_agent(system="a\0"),
    "metadata of a surrogate": on_agent(metadata={"k": "\ud83d"}),
    "no tools": without("tools"),
    "no groups": without("groups"),
    "a block": with_block(),
    "block over its limit": with_block(limit=0),
    "block of NUL": with_block(label="a\0"),
    "block without label": with_block(label=None),
    "a tool": with_tool(),
    "tool with created_at": with_tool(created_at=None),
    "tool without name": with_tool(name=None),
    "skill of nothing": lambda file: file.update(skills=[{"name": "s"}]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_rule(server, tmp_path, name):
    file = copy.deepcopy(base())
    CHANGES[name](file)
    path = tmp_path / "changed.af"
    path.write_bytes(json.dumps(file).encode())
    version = server("GET", "/v1/health/")["version"]
    effect, _, findings = judged(path, version)
    done = behaviour(server, path.read_bytes())
    assert effect == done, findings


def poured(path, pieces):
    """Make a FIFO at path that pieces are written to, for one reader."""
    os.mkfifo(path)

    def write():
        try:
            with open(path, "wb", buffering=0) as pipe:
                for piece in pieces:
                    pipe.write(piece)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def limited():
    """For a child: 160 MiB of addresses."""
    resource.setrlimit(resource.RLIMIT_AS, (160 << 20, 160 << 20))


HEAD = b'{"agents":[{"messages":[{"content":'
FIT = (b'{"agents":[{"messages":[{"id":"message-0","role":"system","content":'
       b'[{"type":"text","text":"s"}]},')


@pytest.mark.parametrize("pieces, why", [
    ((HEAD, b'"', *[b"x" * (1 << 20)] * 2048, b'"}]}]}'),
     "/agents/0/messages/0: a value larger than 64 MiB"),
    ((HEAD, b"[" * 100_000, b"]" * 100_000, b"}]}]}"),
     "/agents/0/messages/0, which begins at byte 24: JSON: nested too"),
    ((FIT, b"{"), "/agents/0/messages/1: cut short at byte 99"),
    ((b'"{\\"agents\\":[]}"',), "encoded twice"),
    ((b'{"core_memory":[],"messages":[]}',), "version 1"),
    ((b'{"agents":[]}{',), "more behind its end at byte 13"),
    ((b"",), "empty"),
], ids=["2 GB", "deep", "truncated", "encoded twice", "legacy",
        "more behind", "empty"])
def test_what_is_no_agent_file(tmp_path, pieces, why):
    """A clear error, in bounded memory, and no verdict."""
    path = tmp_path / "agent.af"
    writer = poured(path, pieces)
    rc, findings, last, err = lint(path, preexec_fn=limited)
    writer.join(timeout=60)
    assert (rc, findings, last["type"]) == (1, [], "error")
    assert why in err and why in last["text"]


def history(path, rows):
    """Write a fit file of that many rows, and a bad one at its end."""
    agent = base()["agents"][0]
    messages = agent.pop("messages")
    with open(path, "w", encoding="utf-8") as out:
        out.write('{"groups":[],"blocks":[],"files":[],"sources":[],'
                  '"tools":[],"mcp_servers":[],"agents":[')
        out.write(json.dumps(agent)[:-1] + ',"messages":[')
        for n in range(rows):
            row = dict(messages[n % len(messages)])
            row.update(id=f"message-{n}", role="user", content=texts(
                "x" * (300 + n % 200)))
            if n == 0:
                row["role"] = "system"
            out.write(json.dumps(row) + ",")
        out.write(json.dumps(dict(messages[1], id="message-x")))
        out.write("]}]}")


def peak_kib(path, tmp_path):
    """Lint it; return (exit code, peak resident set in KiB).

    All but the end goes through a FIFO, so that the process still waits when
    its own peak is looked up; what wait4(2) tells begins with that of the
    process that made it.
    """
    fifo = tmp_path / f"{path.stem}.fifo"
    os.mkfifo(fifo)
    text = path.read_bytes()
    with subprocess.Popen([program(), "agent", "lint", "-q", str(fifo)],
                          stdout=subprocess.DEVNULL) as child:
        with open(fifo, "wb", buffering=0) as pipe:
            pipe.write(text[:-2])
            status = Path(f"/proc/{child.pid}/status").read_text()
            pipe.write(text[-2:])
        rc = child.wait(timeout=60)
    peak = next(line for line in status.splitlines()
                if line.startswith("VmHWM:"))
    return rc, int(peak.split()[1])


def test_memory_does_not_grow_with_a_history(tmp_path):
    small, large = tmp_path / "small.af", tmp_path / "large.af"
    history(small, 10_000)
    history(large, 100_000)
    rc, base_kib = peak_kib(small, tmp_path)
    assert rc == 3
    rc, kib = peak_kib(large, tmp_path)
    assert rc == 3
    # 8 bytes an id, in a table that is at most 22 bytes an id and grows.
    assert kib - base_kib < 90_000 * 40 // 1024 + 512
    assert kib < 32 * 1024


def test_words(tmp_path):
    path = GOLDEN[0]
    assert lint(path, "--for", "0.11.3")[0] == 2
    assert lint(tmp_path / "none.af")[0] == 1
    assert lint(tmp_path)[0] == 14      # a directory, and no bundle
    many = tmp_path / "many.af"
    file = base()
    file["agents"][0]["messages"] += [
        {"role": "user", "id": f"message-{n}"} for n in range(100, 130)]
    many.write_text(json.dumps(file))
    done = subprocess.run([program(), "agent", "lint", str(many)],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 3
    assert done.stdout.count("content is null or missing") == 10
    assert "and 20 more of content-null" in done.stdout
    assert "30 found" in done.stdout
    _, findings, last, _ = lint(many)
    assert len(findings) == last["found"] == last["repaired"] == 30
