"""What an operator's old server holds, made by its own API.

Agents whose names are "sage 00" and on; the first is called as no import
would allow; the second and third share a block.
"""

import json
from concurrent.futures import ThreadPoolExecutor

from bed import seed as seeds
from bed.seed import Client

#: A name that only a PATCH gives.
LEGACY_NAME = "AI/ML Expert"
#: As a server takes it in a file.
MAPPED_NAME = "AI-ML Expert"

#: How many requests at once.
WORKERS = 3


class Seeded:
    """ids of the agents in order of making, and what they share."""

    def __init__(self, ids, shared_block):
        self.ids, self.shared_block = ids, shared_block


def make(client, number, messages, passages, stub_port):
    agent_id = client.import_agent(seeds.agent_file(
        f"sage {number:02}", messages, stub_port))
    for passage in seeds.passages(passages):
        client("POST", f"/v1/agents/{agent_id}/archival-memory", passage)
    return agent_id


def seed(client, *, agents, messages, passages, long, stub_port):
    """Make agents of so many messages and passages; returns a Seeded.

    long   (how many, messages, passages): of the first ones other figures
    """
    sizes = [(messages, passages)] * agents
    if long:
        sizes[:long[0]] = [long[1:]] * long[0]
    # The tool of all of them is made by the first, not by three at once.
    ids = [make(client, 0, *sizes[0], stub_port)]
    with ThreadPoolExecutor(WORKERS) as pool:
        ids += pool.map(lambda i: make(client, i, *sizes[i], stub_port),
                        range(1, agents))
    client("PATCH", f"/v1/agents/{ids[0]}", {"name": LEGACY_NAME})
    return Seeded(ids, share(client, ids[1:3]))


def share(client, ids):
    """Attach one block to several agents; returns its id."""
    block = client("POST", "/v1/blocks/", {
        "label": "common ground", "value": "What both of us know: 日本語.",
        "limit": 4000, "description": "shared by the test bed"})["id"]
    for agent_id in ids:
        client("PATCH", f"/v1/agents/{agent_id}/core-memory/blocks/attach/"
               f"{block}")
    return block


def everything(client):
    """{route: what it answers}, of all that a server lists, as text.

    What two moments of one server must have in common byte for byte.
    """
    found = {}

    def ask(route):
        answer = client("GET", route)
        found[route] = written(answer)
        return answer

    for what in ("blocks", "tools", "sources"):
        ask(f"/v1/{what}/?limit=1000")
    for agent in ask("/v1/agents/?limit=1000"):
        own = f"/v1/agents/{agent['id']}"
        found[f"{own}/messages"] = written(client.listing(agent["id"],
                                                          page=1000))
        ask(f"{own}/archival-memory?limit=10000")
        ask(f"{own}/core-memory/blocks")
    return found


def written(answer):
    """An answer as text.

    What an agent has of others comes in the order of a table's rows, which a
    restored dump has otherwise; tags, a set, in another one at each start.
    """
    for one in answer:
        for having in (one, one.get("memory")):
            for key in ("blocks", "tools", "sources", "tags"):
                if having and isinstance(having.get(key), list):
                    having[key].sort(key=str)
    return json.dumps(answer, sort_keys=True, indent=1, ensure_ascii=False)
