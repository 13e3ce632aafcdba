"""Whether two agents hold the same, found without the program under test.

    lines = proof.differences(Side(here, agent_id), Side(there, moved_id))

is empty when all that a person or a model could see is the same.  It has its
own paging and its own idea of what is the same: the program's verdict is not
asked.
"""

import collections
import json

from bed import legacy

PAGE = 211


class Side:
    """One agent on one server, read when something is first asked for."""

    def __init__(self, client, agent_id):
        self.client, self.agent_id = client, agent_id
        self.version = client("GET", "/v1/health/")["version"]
        self.agent = client("GET", f"/v1/agents/{agent_id}")
        self.old = self.version in legacy.VERSIONS

    def rows(self):
        """Return [(id, its items)] in order, from backward pages."""
        found, before = collections.OrderedDict(), ""
        while True:
            page = self.client(
                "GET", f"/v1/agents/{self.agent_id}/messages?limit={PAGE}"
                f"&use_assistant_message=false&include_err=true{before}")
            if not page:
                return list(reversed(found.items()))
            for item in reversed(page):
                found.setdefault(item["id"], []).insert(0, item)
            before = f"&before={page[0]['id']}"

    def history(self):
        """Return what was said and done, in order, with its second.

        A thought has the date of the reply behind it: a move may make one
        row of two.
        """
        found = [(item["date"][:19], *one) for _, items in self.rows()
                 for item in items for one in acts(item, self.spoken(items))]
        for n in range(len(found) - 2, -1, -1):
            if (found[n][1], found[n + 1][1]) == ("thinks", "says"):
                found[n] = (found[n + 1][0], *found[n][1:])
        return found

    def spoken(self, items):
        """Whether text of this row was for the user.

        In old agents all text is listed as thought: it is one where the row
        calls a tool as well.
        """
        return self.old and not any(
            i["message_type"] == "tool_call_message" for i in items)

    def passages(self):
        found, after = [], ""
        while True:
            page = self.client(
                "GET", f"/v1/agents/{self.agent_id}/archival-memory"
                f"?limit=97&ascending=true{after}")
            found += page
            if not page:
                return sorted((p["text"], p["created_at"],
                               sorted(p.get("tags") or [])) for p in found)
            after = f"&after={page[-1]['id']}"

    def blocks(self):
        return {b["label"]: {k: b[k] for k in (
            "value", "limit", "description", "read_only", "metadata")}
            for b in self.agent["memory"]["blocks"]}

    def tools(self):
        return {t["name"]: {k: t[k] for k in (
            "source_code", "source_type", "tags", "return_char_limit")}
            for t in self.agent["tools"] if t["tool_type"] == "custom"}

    def rules(self):
        return sorted((r["type"], r["tool_name"])
                      for r in self.agent["tool_rules"] or [])

    def identities(self):
        found = [self.client("GET", f"/v1/identities/{i}")
                 for i in self.agent["identity_ids"] or []]
        return sorted((i["identifier_key"], i["name"], i["identity_type"],
                       json.dumps(i["properties"], sort_keys=True))
                      for i in found)

    def context(self):
        """Places in the history of the rows that are in context."""
        place = {name: n for n, (name, _) in enumerate(self.rows())}
        return [place[name] for name in self.agent["message_ids"]]

    def secret_names(self):
        return sorted(v["key"] for v in
                      self.agent["tool_exec_environment_variables"] or [])


class Kept(Side):
    """The same, all of it read at once: of a server that will be gone."""

    def __init__(self, client, agent_id):
        super().__init__(client, agent_id)
        self._rows, self._passages = super().rows(), super().passages()
        self._identities = super().identities()

    def rows(self):
        return self._rows

    def passages(self):
        return self._passages

    def identities(self):
        return self._identities


def acts(item, spoken):
    """Yield what one item of a listing shows."""
    kind = item["message_type"]
    if kind == "system_message":
        yield "system", item["content"]
    elif kind == "user_message":
        yield ("user", content(item["content"]), item.get("name"),
               item.get("sender_id"))
    elif kind == "reasoning_message":
        yield ("says" if spoken else "thinks", item["reasoning"],
               item.get("signature"))
    elif kind == "hidden_reasoning_message":
        yield "hides", item["state"], item["hidden_reasoning"]
    elif kind == "assistant_message":
        yield "says", content(item["content"]), None
    elif kind in ("tool_call_message", "approval_request_message"):
        for call in item.get("tool_calls") or [item["tool_call"]]:
            yield (kind, call["name"], call["arguments"],
                   call["tool_call_id"])
    elif kind == "tool_return_message":
        for back in item.get("tool_returns") or [item]:
            yield ("returns", back["tool_call_id"], back["status"],
                   back["tool_return"], back.get("stdout") or [],
                   back.get("stderr") or [])
    elif kind == "approval_response_message":
        yield ("decides", item["approve"], item["reason"], json.dumps(
            item["approvals"], sort_keys=True))
    else:
        yield kind, json.dumps(item, sort_keys=True)


def content(told):
    """Text as it is; of parts what can be seen of them."""
    if isinstance(told, str):
        return told
    return [part["text"] if part["type"] == "text" else
            (part["type"], part["source"].get("media_type"),
             part["source"].get("data")) for part in told]


def first(what, here, there):
    """The first difference of two lists, or nothing."""
    for n, (a, b) in enumerate(zip(here, there)):
        if a != b:
            return [f"{what} {n}: {str(a)[:300]} became {str(b)[:300]}"]
    if len(here) != len(there):
        return [f"{what}: {len(here)} became {len(there)}"]
    return []


def differences(source, target, name=None):
    """Return a line for each thing that is not the same.

    name   what the target's is to be called, if not as the source's
    """
    here, there = source.history(), target.history()
    lines = []
    if here[0][1] == there[0][1] == "system":
        # Servers write the prompt that they compile over the first one.
        here, there = here[1:], there[1:]
    lines += first("history", here, there)
    lines += first("passage", source.passages(), target.passages())
    for what in ("blocks", "tools", "rules", "identities", "secret_names"):
        a, b = getattr(source, what)(), getattr(target, what)()
        if a != b:
            lines.append(f"{what}: {a} became {b}")
    for key in ("name", "description", "system"):
        wanted = name if name and key == "name" else source.agent[key]
        if wanted != target.agent[key]:
            lines.append(f"{key}: {wanted!r} became {target.agent[key]!r}")
    if sorted(source.agent["tags"]) != sorted(target.agent["tags"]):
        lines.append(f"tags: {target.agent['tags']}")
    lost = {k: v for k, v in (source.agent["metadata"] or {}).items()
            if (target.agent["metadata"] or {}).get(k) != v}
    if lost:
        lines.append(f"metadata: without {lost}")
    if target.agent["agent_type"] != "letta_v1_agent":
        lines.append(f"agent_type: {target.agent['agent_type']}")
    return lines + context_faults(target)


def context_faults(target):
    """What is wrong with the rows in context, which a model starts from."""
    places = target.context()
    if not places or places[0] != 0:
        return [f"context: begins at {places[:1]}"]
    if places[-1] != len(target.rows()) - 1:
        return ["context: the newest row is not in it"]
    return []

