"""Give a Letta server an agent with history, memory and a tool.

    python3 -m bed.seed URL --stub-port PORT      prints the agent's id
"""

import argparse
import json
import os

from bed import history, legacy
from bed.http import call, form
from bed.letta import STUB_PORT
from bed.paths import BedError

TOOL_SOURCE = '''\
def roll_die(sides: int) -> str:
    """
    Roll a die of the test bed; it always shows the same.

    Args:
        sides (int): how many sides the die has

    Returns:
        str: the number shown
    """
    if sides < 1:
        raise ValueError("a die has sides")
    return str((sides + 1) // 2)
'''

PAGE = 100


def llm_config(stub_port):
    return {"model": "gpt-4o-mini", "model_endpoint_type": "openai",
            "model_endpoint": f"http://127.0.0.1:{stub_port}/v1",
            "context_window": 32000, "handle": "openai-proxy/gpt-4o-mini"}


def embedding_config(stub_port):
    return {"embedding_endpoint_type": "openai",
            "embedding_endpoint": f"http://127.0.0.1:{stub_port}/v1",
            "embedding_model": "text-embedding-3-small",
            "embedding_dim": 1536, "embedding_chunk_size": 300,
            "batch_size": 32,
            "handle": "openai-proxy/text-embedding-3-small"}


def blocks():
    """Three blocks that differ in all that a copy must keep."""
    return [
        {"id": "block-0", "label": "persona", "limit": 8000,
         "value": "I am Sage. I keep my word. 🌿",
         "description": "who the agent is", "read_only": False,
         "metadata": {"origin": "bed"}},
        {"id": "block-1", "label": "project notes", "limit": 12345,
         "value": "Line one\nLine two: naïve café\n",
         "description": "what is being worked on", "read_only": False,
         "metadata": {}},
        {"id": "block-2", "label": "house_rules", "limit": 5000,
         "value": "Never roll a die without sides.",
         "description": "rules nobody may change", "read_only": True,
         "metadata": {}}]


def tool():
    return {"id": "tool-0", "name": history.TOOL_NAME, "tool_type": "custom",
            "description": "Roll a die of the test bed; it always shows the "
            "same.", "source_type": "python", "source_code": TOOL_SOURCE,
            "tags": ["bed", "dice"], "return_char_limit": 6000,
            "json_schema": {
                "name": history.TOOL_NAME,
                "description": "Roll a die of the test bed.",
                "parameters": {
                    "type": "object", "required": ["sides"],
                    "properties": {"sides": {
                        "type": "integer",
                        "description": "how many sides the die has"}}}}}


def agent_file(name, messages, stub_port):
    """Return an agent file of version 2 as an object."""
    made = history.rows(messages)
    own_blocks = blocks()
    return {
        "agents": [{
            "id": "agent-0", "name": name, "agent_type": "letta_v1_agent",
            "system": made[0]["content"][0]["text"],
            "description": "seeded by the test bed", "tags": ["bed", "sage"],
            "metadata": {"seeded": "yes"}, "memory_blocks": [], "tools": [],
            "tool_ids": ["tool-0"], "source_ids": [], "tool_rules": [],
            "block_ids": [b["id"] for b in own_blocks],
            "initial_message_sequence": None, "include_base_tools": False,
            "include_multi_agent_tools": False,
            "include_base_tool_rules": False,
            "include_default_source": False,
            "llm_config": llm_config(stub_port),
            "embedding_config": embedding_config(stub_port),
            "in_context_message_ids": history.context_ids(made, 12),
            "messages": made, "files_agents": [], "group_ids": []}],
        "groups": [], "blocks": own_blocks, "files": [], "sources": [],
        "tools": [tool()], "mcp_servers": [], "metadata": {},
        "created_at": history.when(0)}


def passages(count):
    """Texts, tags and dates; every fifth repeats the text before it."""
    for i in range(count):
        same_as = i - 1 if i % 5 == 4 else i
        yield {"text": f"Fact {same_as}: "
               + history.TRICKY[same_as % 9],
               "tags": sorted({"bed", f"t{i % 3}"}),
               "created_at": history.when(i * 100)}


class Users(list):
    """(identity id, block id) of users whom a server knows from now on.

    What bed.worker.make_worker() takes for the worker's three.
    """

    def __init__(self, client, count=3):
        super().__init__()
        self._client = client
        for i in range(1, count + 1):
            identity = client("POST", "/v1/identities/", {
                "identifier_key": f"broca_user_{os.urandom(4).hex()}",
                "name": f"Üser {i}", "identity_type": "user"})["id"]
            self.append((identity, client("POST", "/v1/blocks/", {
                "label": "human", "value": f"About user {i}"})["id"]))

    def remove(self):
        for identity, block in self:
            self._client("DELETE", f"/v1/identities/{identity}")
            self._client("DELETE", f"/v1/blocks/{block}")


class Client:
    """The few calls of Letta's API that the bed makes."""

    def __init__(self, url, token=None):
        self.url, self.token = url.rstrip("/"), token

    def __call__(self, method, path, body=None, **kw):
        return call(method, self.url + path, body, token=self.token, **kw)

    def import_agent(self, agent):
        """Import a version 2 file, or its older shape for an old server."""
        version = self("GET", "/v1/health/")["version"]
        if version in legacy.VERSIONS:
            agent = legacy.legacy_file(agent, version)
        data, headers = form(
            {"append_copy_suffix": "false",
             "override_existing_tools": "false"}, "agent.af",
            json.dumps(agent, ensure_ascii=False).encode())
        made = self("POST", "/v1/agents/import", data=data, headers=headers)
        return made["agent_ids"][0] if "agent_ids" in made else made["id"]

    def export_agent(self, agent_id):
        return self("GET", f"/v1/agents/{agent_id}/export")

    def listing(self, agent_id, page=PAGE):
        """Return every item of the history; one row may give several.

        From the newest page backward, the one way that all versions know.
        """
        items, before = [], ""
        while True:
            got = self("GET", f"/v1/agents/{agent_id}/messages?limit={page}"
                       "&use_assistant_message=false&include_err=true"
                       f"{before}")
            if not got:
                return items
            items = got + items
            before = f"&before={got[0]['id']}"

    def row_ids(self, agent_id):
        """Return the ids of the stored rows in order."""
        return list(dict.fromkeys(m["id"] for m in self.listing(agent_id)))

    def passages(self, agent_id):
        return self("GET",
                    f"/v1/agents/{agent_id}/archival-memory?limit=10000")

    def say(self, agent_id, words):
        """Let the agent take a turn; return its items."""
        return self("POST", f"/v1/agents/{agent_id}/messages", {
            "messages": [{"role": "user", "content": words}]})["messages"]

    def delete_agent(self, agent_id):
        """Delete an agent with its blocks, which would stay otherwise."""
        own = self("GET", f"/v1/agents/{agent_id}")["memory"]["blocks"]
        self("DELETE", f"/v1/agents/{agent_id}")
        for block in own:
            self("DELETE", f"/v1/blocks/{block['id']}")


def seed(url, token=None, *, name="sage", messages=320, archival=12,
         stub_port=STUB_PORT, check=True):
    """Make the agent and return its id.

    check   page through all that was made and compare the counts
    """
    client = Client(url, token)
    agent_id = client.import_agent(agent_file(name, messages, stub_port))
    for passage in passages(archival):
        client("POST", f"/v1/agents/{agent_id}/archival-memory", passage)
    if check:
        listed = len(client.row_ids(agent_id))
        stored = len(client.passages(agent_id))
        if (listed, stored) != (messages, archival):
            raise BedError(f"seeded {messages} rows and {archival} passages, "
                           f"listed {listed} and {stored}")
    return agent_id


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("url")
    options.add_argument("--name", default="sage")
    options.add_argument("--messages", type=int, default=320)
    options.add_argument("--passages", type=int, default=12)
    options.add_argument("--stub-port", type=int, default=STUB_PORT)
    chosen = options.parse_args()
    print(seed(chosen.url, os.environ.get("LETTA_API_KEY"),
               name=chosen.name, messages=chosen.messages,
               archival=chosen.passages, stub_port=chosen.stub_port))


if __name__ == "__main__":
    main()
