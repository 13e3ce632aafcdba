"""What is on a server or a host, read without the program under test."""

import json
import os
import stat
from pathlib import Path

from bed.http import HttpError
from bed.paths import PYTHON
from bed.seed import Client
from bed.worker import manifest

_CALL = ("import json, sys; from bed.http import HttpError, call\n"
         "try: print(json.dumps([200, call(**json.load(sys.stdin))]))\n"
         "except HttpError as e: print(json.dumps([e.status, e.body]))")

#: What tells one item of a listing from another, whichever server has it.
_ITEM = ("message_type", "content", "reasoning", "tool_return", "status",
         "tool_call_id", "stdout", "stderr", "name", "sender_id")


class HostClient(Client):
    """Client of a server that only `host` reaches; calls are made there."""

    def __init__(self, host, url, token=None):
        super().__init__(url, token)
        self.host = host

    def __call__(self, method, path, body=None, **kw):
        said = self.host.run([PYTHON, "-c", _CALL], input=json.dumps(
            {"method": method, "url": self.url + path, "body": body,
             "token": self.token, **kw})).stdout
        status, answer = json.loads(said)
        if status != 200:
            raise HttpError(method, self.url + path, status, answer)
        return answer


def item(listed):
    """Return what must be the same of one item on either server."""
    call = listed.get("tool_call") or {}
    return ({k: listed[k] for k in _ITEM if listed.get(k) is not None},
            {k: call[k] for k in ("name", "arguments", "tool_call_id")
             if k in call})


def rows(client, agent_id):
    """Return each stored row in order: its second, and its items."""
    found = {}
    for listed in client.listing(agent_id):
        found.setdefault(listed["id"], (listed["date"][:19], []))[1].append(
            item(listed))
    return list(found.values())


def passages(client, agent_id):
    """Return text, tags and date of each passage, sorted."""
    return sorted((p["text"], sorted(p["tags"] or []), p["created_at"])
                  for p in client.passages(agent_id))


def blocks(client, agent_id):
    """Return {label: its fields} of an agent."""
    return {b["label"]: {k: b[k] for k in ("value", "limit", "description",
                                           "read_only")}
            for b in client("GET", f"/v1/agents/{agent_id}")
            ["memory"]["blocks"]}


def tools(client, agent_id):
    """Return {name: source} of an agent's own tools."""
    return {t["name"]: t["source_code"]
            for t in client("GET", f"/v1/agents/{agent_id}")["tools"]
            if t["tool_type"] == "custom"}


def custom_tools(client):
    """Return {name: tool} of the tools that a server did not come with."""
    return {t["name"]: t for t in client("GET", "/v1/tools/?limit=1000")
            if t["tool_type"] == "custom"}


def server(client):
    """Return all of a server that a move could change, to compare later."""
    agents = client("GET", "/v1/agents/?limit=1000")
    return {
        "agents": {a["id"]: a for a in agents},
        "items": {a["id"]: client.listing(a["id"]) for a in agents},
        "passages": {a["id"]: [p["id"] for p in client.passages(a["id"])]
                     for a in agents},
        "blocks": {b["id"]: b for b in client("GET",
                                              "/v1/blocks/?limit=1000")},
        "tools": custom_tools(client)}


def differences(before, after, at=""):
    """Return where two such states are not the same, in a few words each."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [one for key in sorted({*before, *after}, key=str)
                for one in differences(before.get(key), after.get(key),
                                       f"{at}/{key}")]
    if before == after:
        return []
    return [f"{at}: {str(before)[:200]} became {str(after)[:200]}"]


def tree(host, *tops):
    """Return {path: what it is} of folders on a host; absent ones are {}."""
    return {top: manifest(host.path(top)) for top in tops}


def files_with(needles, top):
    """Yield (path, mode, needle) of the files below top that hold one."""
    needles = [n.encode() for n in needles]
    for folder, _, files in os.walk(top):
        for name in files:
            path = Path(folder) / name
            info = path.lstat()
            if not stat.S_ISREG(info.st_mode):
                continue
            text = path.read_bytes()
            for needle in needles:
                if needle in text:
                    yield path, stat.S_IMODE(info.st_mode), needle.decode()
