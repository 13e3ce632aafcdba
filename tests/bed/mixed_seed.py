"""An agent with a mixed history on a real server, and its companion.

    made = plant(client, "sage", stub_port=..., messages=1000, passages=300)
    made.agent, made.companion, made.shared_block     ids
    made.remove()

The companion is a second, small agent that shares a block with the first.
What a version cannot hold is not given to it: `made.lacks` names it.
"""

import hashlib

from bed import legacy, mixed
from bed.http import HttpError
from bed.seed import agent_file, embedding_config, llm_config

SYSTEM = "You are a companion."
SECRET_NAMES = ("MIXED_API_KEY", "MIXED_OTHER_KEY")
TAGS = ["mixed", "sage", "zwölf"]
BATCH = 50

ROLL_SOURCE = '''\
def mixed_roll(sides: int) -> str:
    """
    Roll a die that always shows the same.

    Args:
        sides (int): how many sides the die has

    Returns:
        str: the number shown — ¾ of the sides
    """
    print("rolling", sides)
    if sides < 1:
        raise ValueError("a die has sides")
    return str((3 * sides + 3) // 4)
'''

BREAK_SOURCE = '''\
def mixed_break(sides: int) -> str:
    """
    Fail whatever is asked.

    Args:
        sides (int): not looked at

    Returns:
        str: nothing
    """
    raise RuntimeError("it broke: ✗")
'''


def tool(number, name, source):
    return {"id": f"tool-{number}", "name": name, "tool_type": "custom",
            "description": source.split('"""')[1].strip().split("\n")[0],
            "source_type": "python", "source_code": source,
            "tags": ["mixed"], "return_char_limit": 6000 + number,
            "json_schema": {
                "name": name, "description": f"{name} of the test bed.",
                "parameters": {
                    "type": "object", "required": ["sides"],
                    "properties": {"sides": {
                        "type": "integer", "description": "how many"}}}}}


TOOLS = (tool(0, mixed.ROLL, ROLL_SOURCE), tool(1, mixed.BREAK, BREAK_SOURCE))


class Planted:
    """What plant() made on one server."""

    def __init__(self, client, version, lacks):
        self.client, self.version, self.lacks = client, version, lacks
        self.agent = self.companion = self.shared_block = None
        self.identity = None
        self.blocks = []

    def remove(self):
        """Delete it all; what an agent brought goes with the agent."""
        for agent_id in filter(None, (self.agent, self.companion)):
            remove_agent(self.client, agent_id)
        for block_id in self.blocks:
            quietly(self.client, f"/v1/blocks/{block_id}")
        if self.identity:
            quietly(self.client, f"/v1/identities/{self.identity}")
        remove_tools(self.client)


def quietly(client, path):
    """Delete what may be gone already."""
    try:
        client("DELETE", path)
    except HttpError as e:
        if e.status not in (404, 422):
            raise


def remove_agent(client, agent_id):
    """Delete an agent and its blocks, of which another may have one too."""
    blocks = client("GET", f"/v1/agents/{agent_id}")["memory"]["blocks"]
    client("DELETE", f"/v1/agents/{agent_id}")
    for block in blocks:
        quietly(client, f"/v1/blocks/{block['id']}")


def remove_tools(client):
    for one in client("GET", "/v1/tools/?limit=1000"):
        if one["name"] in (mixed.ROLL, mixed.BREAK):
            quietly(client, f"/v1/tools/{one['id']}")


def file_of(name, made, stub_port, dialect):
    """Return the agent file, of version 2."""
    whole = agent_file(name, 2, stub_port)
    agent = whole["agents"][0]
    agent.update(
        messages=made, tool_ids=["tool-0", "tool-1"], tags=TAGS,
        in_context_message_ids=[m["id"] for m in made[:1] + made[-9:]],
        description="mixed by the test bed: ünïcode",
        metadata={"seeded": "mixed", "deep": {"list": [1, 2.5, None]}},
        system=made[0]["content"][0]["text"],
        tool_rules=[{"type": "continue_loop", "tool_name": mixed.ROLL},
                    {"type": "max_count_per_step", "tool_name": mixed.BREAK,
                     "max_count_limit": 7}])
    if dialect == mixed.OLD:
        agent["agent_type"] = "memgpt_v2_agent"
    whole["tools"] = list(TOOLS)
    return whole


def plant(client, name, *, stub_port, messages=1000, passages=300, live=True,
          companion=True):
    """Make agent and companion; returns a Planted.

    messages   rows before the live turns
    live       let the agent take three turns, one with a tool that fails
    """
    version = client("GET", "/v1/health/")["version"]
    old = version in legacy.VERSIONS
    made = Planted(client, version, {"tags of passages", "dates of passages",
                                     "approvals", "sender_id"} if old
                   else set())
    try:
        dialect = mixed.OLD if old else mixed.NEW
        made.agent = client.import_agent(file_of(
            name, mixed.rows(messages, dialect), stub_port, dialect))
        if old:
            attach_base_tools(client, made.agent)
        furnish(made, name, stub_port, companion)
        insert(made, list(mixed.passages(passages)))
        if live:
            speak(made)
    except BaseException:
        made.remove()
        raise
    return made


def attach_base_tools(client, agent_id):
    """A send_message agent without send_message could not answer."""
    for one in client("GET", "/v1/tools/?limit=1000"):
        if one["name"] in ("send_message", "archival_memory_search"):
            client("PATCH",
                   f"/v1/agents/{agent_id}/tools/attach/{one['id']}")


def furnish(made, name, stub_port, companion):
    """Blocks, identity and names of secrets, which no agent file holds."""
    client = made.client
    shared = client("POST", "/v1/blocks/", {
        "label": "shared board", "value": f"written by {name}: 共有\n",
        "limit": 4321, "description": "read by two", "read_only": False,
        "metadata": {"shared": True}, **(
            {"tags": ["board"]} if made.version == "0.16.8" else {})})
    made.shared_block = shared["id"]
    made.blocks.append(shared["id"])
    attach(client, made.agent, shared["id"])
    own = client("POST", "/v1/blocks/", {
        "label": "sealed", "value": "not to be changed", "limit": 999,
        "description": "read only", "read_only": True,
        "metadata": {"sealed": "yes", "n": 7}})
    made.blocks.append(own["id"])
    attach(client, made.agent, own["id"])
    key = hashlib.sha256(f"{name}{made.agent}".encode()).hexdigest()[:12]
    made.identity = client("POST", "/v1/identities/", {
        "identifier_key": f"mixed-{key}", "name": f"Ann of {name}",
        "identity_type": "user", "properties": [
            {"key": "colour", "value": "blü", "type": "string"}]})["id"]
    client("PATCH", f"/v1/agents/{made.agent}", {
        "identity_ids": [made.identity],
        "tool_exec_environment_variables": {
            n: f"value of {n}" for n in SECRET_NAMES}})
    if companion:
        made.companion = client("POST", "/v1/agents/", {
            "name": f"{name} companion", "system": SYSTEM,
            "agent_type": ("memgpt_v2_agent" if made.lacks else
                           "letta_v1_agent"),
            "llm_config": llm_config(stub_port),
            "embedding_config": embedding_config(stub_port),
            "include_base_tools": False, "memory_blocks": [
                {"label": "persona", "value": "I only read."}],
            "block_ids": [made.shared_block]})["id"]


def attach(client, agent_id, block_id):
    client("PATCH",
           f"/v1/agents/{agent_id}/core-memory/blocks/attach/{block_id}")


def insert(made, passages):
    """By the batch route where there is one, which is much faster."""
    client, agent_id = made.client, made.agent
    if made.version != "0.16.8" or not passages:
        for one in passages:
            client("POST", f"/v1/agents/{agent_id}/archival-memory", one)
        return
    # The first one makes the agent's archive.
    client("POST", f"/v1/agents/{agent_id}/archival-memory", passages[0])
    archive, = client("GET", f"/v1/archives/?agent_id={agent_id}")
    for at in range(1, len(passages), BATCH):
        client("POST", f"/v1/archives/{archive['id']}/passages/batch",
               {"passages": passages[at:at + BATCH]})


def speak(made):
    """Real turns, written by the server itself."""
    client, agent_id = made.client, made.agent
    client.say(agent_id, "Good morning, señor Sage.")
    for name in (mixed.ROLL, mixed.BREAK):
        client.say(agent_id, f"Please use the tool {name} once.")
