"""A fake of the few routes of Letta that a worker and its move use.

For faults and for speed only: turns that last as long as a test wants, that
fail, or whose answer gets lost.  What real Letta does is tested against real
Letta.  The shapes are those of 0.16.2, as far as Broca reads them.

    GET   /v1/health/
    GET, PATCH /v1/agents/{id}                  (its secrets; ?include=)
    GET   /v1/runs/                                        those in flight
    GET   /v1/agents/{id}/messages                         ?limit after order
    POST  /v1/agents/{id}/messages                         one turn
    PATCH /v1/agents/{id}/core-memory/blocks/attach/{block}
    PATCH /v1/agents/{id}/core-memory/blocks/detach/{block}
    GET   /v1/agents/{id}/core-memory/blocks
    GET, POST /v1/blocks/
    GET, PATCH, DELETE /v1/blocks/{id}, GET /v1/blocks/{id}/agents
    GET, POST, PUT /v1/identities/
    GET, DELETE /v1/identities/{id}, GET /v1/identities/{id}/agents
    GET   /v1/mcp-servers/                                 there are none
"""

import itertools
import re
import threading
import time
import uuid
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlparse

from bed.standin import Refuse, StandIn
from bed.worker import USERS

VERSION = "0.16.2"


def new_id(kind):
    return f"{kind}-{uuid.uuid4()}"


def missing(what):
    return Refuse(404, {"detail": f"{what} not found"})


class FakeLetta(StandIn):
    """The fake; a test reads and sets what it holds.

    agents      {id: {"secrets": [...], "blocks": [block ids]}}
    messages    {agent id: list of messages, oldest first}
    blocks      {id: {"label", "value", ...}}; identities likewise
    turn_s      how long a turn lasts;  fail   status that turns answer, if
                set, without having taken place
    """

    def __init__(self, hosts=(), port=0):
        self.agents, self.messages = {}, {}
        self.blocks, self.identities = {}, {}
        self.turn_s, self.fail, self._waiting = 0, None, 0
        self._gate, self._lock = threading.Event(), threading.RLock()
        self._gate.set()
        self._numbers = itertools.count()
        super().__init__(hosts, port)

    # What a test does

    def make_agent(self, agent=None, **secrets):
        agent = agent or new_id("agent")
        self.agents[agent] = {"blocks": [], "secrets": [
            {"key": k, "value": v} for k, v in secrets.items()]}
        self.messages[agent] = []
        return agent

    def make_user(self, name="user", value="About me"):
        """Return (identity id, block id) of a new user."""
        identity = self.post_identity({
            "identifier_key": f"broca_user_{uuid.uuid4().hex[:8]}",
            "name": name, "identity_type": "user"})["id"]
        return identity, self.post_block({"label": "human",
                                          "value": value})["id"]

    def know_worker(self, *agents):
        """Have these agents, and the users of bed.worker.fill_database()."""
        for agent in agents:
            self.make_agent(agent)
        for identity, block in USERS:
            self.post_identity({"id": identity, "identifier_key":
                                f"broca_user_{identity[9:17]}",
                                "name": "user", "identity_type": "user"})
            self.post_block({"id": block, "label": "human",
                             "value": "About me"})

    def hold(self):
        """Let turns wait from now on, until release()."""
        self._gate.clear()

    def release(self):
        self._gate.set()

    def in_flight(self):
        """Return how many turns have begun and not ended."""
        with self._lock:
            return self._waiting

    def said_by_users(self, agent):
        """Return the text of every user message, oldest first."""
        with self._lock:
            return [m["content"] for m in self.messages[agent]
                    if m["message_type"] == "user_message"]

    # Routes

    def answer(self, method, path, body, _request):
        at = urlparse(path)
        query = {k: v[0] for k, v in parse_qs(at.query).items()}
        words = [w for w in at.path.split("/") if w][1:]
        for route, call in self.ROUTES.items():
            want_method, want = route.split(" ", 1)
            found = re.fullmatch(want, "/".join(words))
            if method == want_method and found:
                return call(self, *found.groups(), body=body, query=query)
        raise missing(path)

    def health(self, **_):
        return {"version": VERSION, "status": "ok"}

    def find(self, kept, key, what):
        if key not in kept:
            raise missing(what)
        return kept[key]

    def get_agent(self, agent, **_):
        kept = self.find(self.agents, agent, "Agent")
        return {"id": agent, "name": agent[:14], "secrets": kept["secrets"],
                "tool_exec_environment_variables": [],
                "memory": {"blocks": self.agent_blocks(agent)}}

    def patch_agent(self, agent, body, **_):
        kept = self.find(self.agents, agent, "Agent")
        kept["secrets"] = [{"key": k, "value": v}
                           for k, v in body["secrets"].items()]
        return self.get_agent(agent)

    def list_agents(self, **_):
        return [self.get_agent(a) for a in self.agents]

    def agent_blocks(self, agent, **_):
        kept = self.find(self.agents, agent, "Agent")
        return [self.blocks[b] for b in kept["blocks"]]

    def attach(self, agent, block, **_):
        with self._lock:
            kept = self.find(self.agents, agent, "Agent")["blocks"]
            label = self.find(self.blocks, block, "Block")["label"]
            if block not in kept:
                if label in [self.blocks[b]["label"] for b in kept]:
                    raise Refuse(409, {"detail": "unique_agent_block_label"})
                kept.append(block)
        return self.get_agent(agent)

    def detach(self, agent, block, **_):
        with self._lock:
            kept = self.find(self.agents, agent, "Agent")["blocks"]
            if block not in kept:
                raise missing("Block of this agent")
            kept.remove(block)
        return self.get_agent(agent)

    def turn(self, agent, body, **_):
        self.find(self.agents, agent, "Agent")
        if self.fail:
            raise Refuse(self.fail, {"detail": "as the test wanted"})
        said = body["messages"][0]
        # The user's message is kept before the model is asked.
        self.add(agent, "user_message", said["content"],
                 said.get("sender_id"))
        self._count(1)
        self._gate.wait()
        time.sleep(self.turn_s)
        self._count(-1)
        text = f"You said: {said['content']}"
        return {"messages": [self.add(agent, "assistant_message", text)],
                "stop_reason": {"stop_reason": "end_turn"}, "usage": {}}

    def _count(self, change):
        with self._lock:
            self._waiting += change

    def list_runs(self, **_):
        """Those in flight; none has an agent, whatever is asked for."""
        now = datetime.now(timezone.utc).isoformat()
        return [{"id": new_id("run"), "status": "running", "created_at": now,
                 "completed_at": None} for _ in range(self.in_flight())]

    def add(self, agent, kind, text, sender=None):
        with self._lock:
            # As with the real one, an answer comes after its question.
            date = datetime.fromtimestamp(
                time.time() + next(self._numbers) * 1e-6, timezone.utc)
            message = {"id": new_id("message"), "message_type": kind,
                       "date": date.isoformat(), "content": text,
                       "sender_id": sender, "otid": str(uuid.uuid4()),
                       "name": None, "run_id": None, "step_id": None}
            self.messages[agent].append(message)
            return message

    def list_messages(self, agent, query, **_):
        with self._lock:
            found = list(self.find(self.messages, agent, "Agent"))
        if "order" not in query:
            return self.newest(found, query)
        if query["order"] == "desc":
            found.reverse()
        after = query.get("after")
        ids = [m["id"] for m in found]
        if after in ids:
            found = found[ids.index(after) + 1:]
        before = query.get("before")
        if before in ids:
            found = found[:[m["id"] for m in found].index(before)]
        return found[:int(query.get("limit", 100))]

    @staticmethod
    def newest(found, query):
        """Those before a message, the last of them, in the order of time."""
        ids = [m["id"] for m in found]
        if query.get("before") in ids:
            found = found[:ids.index(query["before"])]
        return found[-int(query.get("limit", 100)):]

    def list_none(self, **_):
        return []

    def get_block(self, block, **_):
        return self.find(self.blocks, block, "Block")

    def list_blocks(self, query, **_):
        return [b for b in self.blocks.values()
                if query.get("label", b["label"]) == b["label"]]

    def patch_block(self, block, body, **_):
        self.find(self.blocks, block, "Block").update(body)
        return self.blocks[block]

    def delete_block(self, block, **_):
        self.find(self.blocks, block, "Block")
        return self.blocks.pop(block)

    def block_agents(self, block, **_):
        self.find(self.blocks, block, "Block")
        return [self.get_agent(agent) for agent, kept in self.agents.items()
                if block in kept["blocks"]]

    def delete_identity(self, identity, **_):
        self.find(self.identities, identity, "Identity")
        return self.identities.pop(identity)

    def identity_agents(self, identity, **_):
        self.find(self.identities, identity, "Identity")
        return []

    def post_block(self, body, **_):
        block = {"id": new_id("block"), "limit": 20000, "metadata": {},
                 "description": None, "read_only": False, **body}
        self.blocks[block["id"]] = block
        return block

    def list_identities(self, query, **_):
        key = query.get("identifier_key")
        return [i for i in self.identities.values()
                if key in (None, i["identifier_key"])]

    def get_identity(self, identity, **_):
        return self.find(self.identities, identity, "Identity")

    def by_key(self, body):
        return [i for i in self.identities.values()
                if i["identifier_key"] == body["identifier_key"]]

    def put_identity(self, body, **_):
        # Seen with 0.16.2: no creation of one that is not there.
        for kept in self.by_key(body):
            kept.update(body)
            return kept
        raise missing("Identity")

    def post_identity(self, body, **_):
        if self.by_key(body):
            raise Refuse(409, {"detail": "unique violation"})
        kept = {"id": new_id("identity"), "properties": [], "agent_ids": [],
                "block_ids": [], **body}
        self.identities[kept["id"]] = kept
        return kept

    ROUTES = {
        "GET health": health,
        "GET agents": list_agents,
        "GET runs": list_runs,
        r"GET agents/([^/]+)": get_agent,
        r"PATCH agents/([^/]+)": patch_agent,
        r"GET agents/([^/]+)/messages": list_messages,
        r"POST agents/([^/]+)/messages": turn,
        r"GET agents/([^/]+)/core-memory/blocks": agent_blocks,
        r"PATCH agents/([^/]+)/core-memory/blocks/attach/([^/]+)": attach,
        r"PATCH agents/([^/]+)/core-memory/blocks/detach/([^/]+)": detach,
        "GET mcp-servers": list_none,
        "GET blocks": list_blocks,
        "POST blocks": post_block,
        r"GET blocks/([^/]+)": get_block,
        r"PATCH blocks/([^/]+)": patch_block,
        r"DELETE blocks/([^/]+)": delete_block,
        r"GET blocks/([^/]+)/agents": block_agents,
        "GET identities": list_identities,
        "POST identities": post_identity,
        "PUT identities": put_identity,
        r"GET identities/([^/]+)": get_identity,
        r"DELETE identities/([^/]+)": delete_identity,
        r"GET identities/([^/]+)/agents": identity_agents,
    }
