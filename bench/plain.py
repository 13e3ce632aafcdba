"""Move a Letta agent to another server, the straightforward way.

usage: bench/plain.py SOURCE_URL TARGET_URL AGENT_ID [--one-by-one] [--check]

What one would write in an afternoon, to measure sanctumctl against: each
listing whole in memory as the objects that json makes of it, nothing written
down on the way, so nothing to go on from when it is killed.  Tokens are in
SOURCE_TOKEN and TARGET_TOKEN.

--one-by-one   passages by the route of the agent, not in batches
--check        then read both sides and compare them, as sanctumctl does

Prints a line of JSON after each phase: its name, seconds and CPU seconds
since the start, KiB of peak memory; the last one names the new agent.
"""

import argparse
import json
import os
import resource
import sys
import time

import httpx

PAGE = 1000
PASSAGES = 100
BATCH = 50
BEGUN = time.monotonic()


def phase(name, **more):
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "phase": name, "wall_s": time.monotonic() - BEGUN,
        "cpu_s": use.ru_utime + use.ru_stime, "peak_kib": use.ru_maxrss,
        **more}), flush=True)


def client(url, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Peers are near: no proxy that the environment may name.
    return httpx.Client(base_url=url, headers=headers, timeout=3600,
                        trust_env=False)


def get(at, path, **params):
    answer = at.get(path, params=params)
    answer.raise_for_status()
    return answer.json()


def post(at, path, **body):
    answer = at.post(path, **body)
    answer.raise_for_status()
    return answer.json()


def listing(at, path, limit, **params):
    """Return all items of a listing that is paged from the oldest on."""
    items = []
    while True:
        page = get(at, path, limit=limit, **params)
        if not page:
            return items
        items += page
        params["after"] = page[-1]["id"]


def messages(at, agent):
    return rows(listing(at, f"/v1/agents/{agent}/messages", PAGE, order="asc",
                        use_assistant_message="false", include_err="true",
                        conversation_id="default"))


def passages(at, agent):
    return listing(at, f"/v1/agents/{agent}/archival-memory", PASSAGES,
                   ascending="true")


def tool_return(item, ret):
    body = {"status": "OK" if ret["status"] == "success" else "Failed",
            "message": ret["tool_return"], "time": item["date"]}
    return {**{k: ret[k] for k in ("tool_call_id", "status", "stdout",
                                   "stderr") if ret.get(k) is not None},
            "func_response": json.dumps(body, ensure_ascii=False)}


def packed(text):
    """A user's text so that a server, which unpacks it once, shows it."""
    try:
        inner = json.loads(text)
    except ValueError:
        return text
    if inner.get("type") != "user_message" or "message" not in inner:
        return text
    return json.dumps({"type": "user_message", "message": text},
                      ensure_ascii=False)


def add(row, item):
    """Put one item of a listing into the row that it comes from."""
    kind = item["message_type"]
    if kind == "reasoning_message":
        row["content"].append({"type": "reasoning", "is_native": True,
                               "reasoning": item["reasoning"]})
        if item.get("signature"):
            row["content"][-1]["signature"] = item["signature"]
    elif kind == "hidden_reasoning_message":
        row["content"].append(
            {"type": "omitted_reasoning"} if item["state"] == "omitted" else
            {"type": "redacted_reasoning", "data": item["hidden_reasoning"]})
    elif kind in ("tool_call_message", "approval_request_message"):
        row["tool_calls"] = [
            {"id": c["tool_call_id"], "type": "function", "function": {
                "name": c["name"], "arguments": c["arguments"]}}
            for c in item["tool_calls"]]
    elif kind == "tool_return_message":
        returns = [tool_return(item, r)
                   for r in item.get("tool_returns") or [item]]
        row["tool_returns"] = returns
        row["tool_call_id"] = returns[0]["tool_call_id"]
        row["content"].append({"type": "text",
                               "text": returns[0]["func_response"]})
    elif kind == "approval_response_message":
        row.update(approve=item["approve"], denial_reason=item.get("reason"),
                   approval_request_id=item["approval_request_id"],
                   approvals=item.get("approvals"))
    elif isinstance(item["content"], str):
        text = item["content"]
        if kind == "user_message" and text.startswith("{"):
            text = packed(text)
        row["content"].append({"type": "text", "text": text})
    else:
        row["content"] += item["content"]


ROLES = {"system_message": "system", "user_message": "user",
         "reasoning_message": "assistant", "assistant_message": "assistant",
         "hidden_reasoning_message": "assistant",
         "tool_call_message": "assistant", "tool_return_message": "tool",
         "approval_request_message": "approval",
         "approval_response_message": "approval"}


def rows(items):
    """Return the stored rows behind the items of a listing."""
    made = []
    for item in items:
        if not made or made[-1]["id"] != item["id"]:
            made.append({"type": "message", "id": item["id"],
                         "content": [], "created_at": item["date"],
                         **{k: item[k] for k in ("name", "sender_id",
                                                 "step_id")
                            if item.get(k)}})
        made[-1]["role"] = ROLES[item["message_type"]]
        add(made[-1], item)
    return made


def only_reasoning(row):
    return (row["role"] == "assistant" and row["content"] and
            not row.get("tool_calls") and
            all(p["type"] == "reasoning" for p in row["content"]))


def merge(listed):
    """Make one row of a reasoning row and the reply that follows it."""
    made, held = [], None
    for row in listed:
        if held and row["role"] == "assistant" and (
                held.get("step_id") == row.get("step_id")):
            row = {**row, "content": held["content"] + row["content"]}
        elif held:
            made.append(held)
        held = row if only_reasoning(row) else None
        if not held:
            made.append(row)
    return made + [held] if held else made


def agent_file(shell, listed, in_context):
    """Return the bytes of the agent file to import."""
    agent = shell["agents"][0]
    number = {}
    agent["messages"] = []
    for i, row in enumerate(merge(listed)):
        number[row["id"]] = f"message-{i}"
        agent["messages"].append({**row, "id": f"message-{i}",
                                  "agent_id": agent["id"]})
    agent["in_context_message_ids"] = [number[i] for i in in_context
                                       if i in number]
    return json.dumps(shell, ensure_ascii=False).encode()


def insert_batches(to, agent, found):
    """By the archive's route (0.16.4 and later), which an insert makes."""
    first, rest = found[0], found[1:]
    insert_one(to, agent, first)
    archive = get(to, "/v1/archives/", agent_id=agent)[0]["id"]
    for i in range(0, len(rest), BATCH):
        post(to, f"/v1/archives/{archive}/passages/batch", json={
            "passages": [passage(p) for p in rest[i:i + BATCH]]})


def insert_one(to, agent, found):
    post(to, f"/v1/agents/{agent}/archival-memory", json=passage(found))


def passage(found):
    return {k: found[k] for k in ("text", "tags", "created_at")}


def same_text(row):
    """Text that is equal for rows that hold the same on both sides."""
    content = []
    for part in row["content"]:
        part = {k: v for k, v in part.items() if v is not None}
        last = content[-1] if content else None
        if row["role"] != "user" and last and last["type"] == part["type"]:
            for key in ("text", "reasoning"):
                if key in part:
                    last[key] += part[key]
        else:
            content.append(part)
    if row["role"] == "tool":
        content = [{"id": r["tool_call_id"], "stdout": r.get("stdout"),
                    "stderr": r.get("stderr"), "status": r["status"],
                    "text": json.loads(r["func_response"])["message"]}
                   for r in row["tool_returns"]]
    return json.dumps([row["role"], content, row.get("tool_calls"),
                       row.get("name"), row.get("sender_id"),
                       row.get("approve"), row["created_at"][:19]],
                      sort_keys=True)


def compare(source, target):
    """Exit unless two sides, as (rows, passages), hold the same."""
    left = [same_text(r) for r in merge(source[0])]
    right = [same_text(r) for r in target[0]]
    if left != right:
        at = next((i for i, two in enumerate(zip(left, right))
                   if two[0] != two[1]), min(len(left), len(right)))
        sys.exit(f"plain: row {at} of {len(left)} and {len(right)}: "
                 f"{left[at:at + 1]} is not {right[at:at + 1]}")
    left, right = (sorted(json.dumps(passage(p), sort_keys=True)
                          for p in side[1]) for side in (source, target))
    if left != right:
        sys.exit("plain: passages differ")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("source")
    options.add_argument("target")
    options.add_argument("agent")
    options.add_argument("--one-by-one", action="store_true")
    options.add_argument("--check", action="store_true")
    given = options.parse_args()

    source = client(given.source, os.environ.get("SOURCE_TOKEN"))
    target = client(given.target, os.environ.get("TARGET_TOKEN"))
    state = get(source, f"/v1/agents/{given.agent}")
    shell = get(source, f"/v1/agents/{given.agent}/export")
    listed = messages(source, given.agent)
    archival = passages(source, given.agent)
    phase("read")

    shell["agents"][0]["name"] = f"plain {os.getpid()}"
    made = agent_file(shell, listed, state["message_ids"])
    new = post(target, "/v1/agents/import",
               files={"file": ("agent.af", made, "application/json")},
               data={"append_copy_suffix": "false",
                     "override_existing_tools": "false"})["agent_ids"][0]
    phase("import", agent=new)

    if given.one_by_one:
        for one in archival:
            insert_one(target, new, one)
    elif archival:
        insert_batches(target, new, archival)
    phase("archival")

    if given.check:
        compare((messages(source, given.agent),
                 passages(source, given.agent)),
                (messages(target, new), passages(target, new)))
        phase("compare")


if __name__ == "__main__":
    main()
