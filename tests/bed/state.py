"""What a move leaves behind, in words that any two runs of it share.

    python3 -m bed.state URL      prints the state of a server as JSON

Ids, dates of making and the marks of a run are left out or replaced; all
else is kept, so that two states are equal only if nothing came twice, nothing
is missing and nothing was left behind.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

from bed.database import dump
from bed.paths import PYTHON
from bed.seed import Client
from bed.worker import manifest

MARKED = re.compile(r"(incoming|sanctumctl|snapshot|sums)-[0-9a-f]{12}")

#: What says in a block's metadata who has made it, and of which.
BLOCK_MARK, BLOCK_SOURCE = "sanctumctl_mark", "sanctumctl_block"

#: What two imports of one agent do not have in common.
OWN = {"id", "otid", "created_at", "updated_at", "created_by_id",
       "last_updated_by_id", "archive_id", "organization_id", "embedding",
       "message_ids", "blocks", "memory", "tools", "identities",
       "identity_ids", "agent_id", "agent_ids", "block_ids"}

#: The helper program stays on a host, for the next job.
HELPER = re.compile(r"\.cache(/sanctumctl(/remote-[0-9a-f]{64})?)?$")


def unmarked(text):
    return MARKED.sub(r"\1-MARK", text)


def general(thing):
    """A copy of an answer without what is a server's own.

    Tags are a set: a server gives them in any order.
    """
    def value(key, v):
        if isinstance(v, list) and v and isinstance(v[0], dict):
            return [general(one) for one in v]
        if key == "metadata" and v and BLOCK_MARK in v:
            return {**v, BLOCK_MARK: "MARK"}
        return unmarked(v) if isinstance(v, str) else (
            sorted(v) if key == "tags" else v)

    return {k: value(k, v) for k, v in thing.items() if k not in OWN}


def in_order(things):
    return sorted(things, key=lambda t: json.dumps(t, sort_keys=True))


def server(client):
    """The state of a Letta server: each agent, and all that lies about."""
    def every(what):
        return client("GET", f"/v1/{what}/?limit=1000")
    return {"agents": in_order(agent(client, a) for a in every("agents")),
            "blocks": in_order(general(b) for b in every("blocks")),
            "archives": in_order(general(a) for a in every("archives")),
            "identities": in_order(general(i) for i in every("identities")),
            "tools": in_order(tool(t) for t in every("tools"))}


def agent(client, found):
    items = client.listing(found["id"], page=1000)
    rows = {i: n for n, i in enumerate(
        dict.fromkeys(item["id"] for item in items))}
    return {
        "itself": general(found),
        "blocks": in_order(general(b) for b in found["blocks"]),
        "tools": in_order(tool(t) for t in found["tools"]),
        "identities": in_order(
            general(client("GET", f"/v1/identities/{i}"))
            for i in found["identity_ids"] or []),
        "messages": [{"row": rows[i["id"]], **general(i)} for i in items],
        "context": [rows[i] for i in found["message_ids"]],
        # Their dates are the source's, so they are part of them.
        "passages": in_order({**general(p), "date": p["created_at"]}
                             for p in client.passages(found["id"]))}


def tool(found):
    return {k: found[k] for k in ("name", "tool_type", "source_code")}


def server_on(host, url, token):
    """The same of a server that only the host reaches."""
    said = host.run([PYTHON, "-m", "bed.state", url],
                    env={"LETTA_API_KEY": token}).stdout
    return json.loads(said)


def users(client):
    """The users of workers that a server knows."""
    return {"blocks": in_order(general(b) for b in client(
                "GET", "/v1/blocks/?limit=1000")),
            "identities": in_order(general(i) for i in client(
                "GET", "/v1/identities/?limit=1000"))}


def names(client):
    """{id: a word that any two runs share}, of what a worker's files name."""
    agents, identities, blocks = (
        client("GET", f"/v1/{what}/?limit=1000")
        for what in ("agents", "identities", "blocks"))
    return {
        **({agents[0]["id"]: "THE-AGENT"} if len(agents) == 1 else {}),
        **{i["id"]: i["identifier_key"] for i in identities},
        **{b["id"]: f"of {b['metadata'][BLOCK_SOURCE]}" for b in blocks
           if BLOCK_SOURCE in (b["metadata"] or {})}}


def folder(host, top, named=None):
    """{path: what it is} below a folder; none is an empty one.

    A .env file is its text and a sanctum.db its dump, in both of them the ids
    that names() gives are words.
    """
    at = host.path(top)
    found = manifest(at) if at.is_dir() else {}
    return {unmarked(name): content(host, top, name, what, named or {})
            for name, what in found.items() if not HELPER.match(name)}


def content(host, top, name, what, named):
    if Path(name).name == "sanctum.db":
        text = renamed(dump(f"{top}/{name}", host), named)
        return [what[0], hashlib.sha256(text.encode()).hexdigest()]
    if Path(name).name == ".env":
        text = host.path(f"{top}/{name}").read_text()
        return [what[0], renamed(text, named)]
    return list(what)


def renamed(text, named):
    for one, word in named.items():
        text = text.replace(one, word)
    return text


def differences(want, got, where=""):
    """Say where two states are not the same, a line each."""
    if type(want) is not type(got) or not isinstance(want, (dict, list)):
        return [] if want == got else [
            f"{where}: {str(want)[:80]!r} became {str(got)[:80]!r}"]
    if isinstance(want, list) and len(want) != len(got):
        return [f"{where}: {len(want)} became {len(got)}"]
    keys = range(len(want)) if isinstance(want, list) else sorted(
        {*want, *got})
    lines = []
    for key in keys:
        at = f"{where}/{key}"
        if isinstance(want, dict) and key not in got:
            lines.append(f"{at}: missing")
        elif isinstance(want, dict) and key not in want:
            lines.append(f"{at}: too much")
        else:
            lines += differences(want[key], got[key], at)
    return lines


if __name__ == "__main__":
    json.dump(server(Client(sys.argv[1], os.environ.get("LETTA_API_KEY"))),
              sys.stdout)
