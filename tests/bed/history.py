"""A made-up conversation as rows of an agent file, the same on every run."""

import itertools
import json
from datetime import datetime, timedelta, timezone

START = datetime(2025, 3, 1, 8, 0, 0, tzinfo=timezone.utc)
TOOL_NAME = "roll_die"

#: Texts that a careless copy would damage.
TRICKY = (
    "Plain words.",
    "Grüße aus Köln, señor — naïve café",
    "日本語のメッセージと中文字符",
    "שלום עולם / مرحبا بالعالم",
    "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, e\u0301 combined",
    "Quotes \"double\" 'single' `back` \\ backslash \\n not a newline",
    "line one\nline two\r\n\ttabbed\n\n",
    "{\"looks\": \"like JSON\", \"n\": 1e400}",
    "<script>alert('x')</script> &amp; ${HOME} $(id) %s %n",
    "A long text. " + "The quick brown fox jumps over the lazy dog. " * 200,
)


def when(i):
    """Return the date of row i as text: 37 s apart, microseconds in it."""
    t = START + timedelta(seconds=37 * i, microseconds=1001 * (i % 900))
    return t.isoformat().replace("+00:00", "Z")


def text(words):
    return {"type": "text", "text": words}


def reasoning(words):
    return {"type": "reasoning", "is_native": True, "reasoning": words}


def call(i, sides):
    return [{"id": f"call_{i:06d}", "type": "function", "function": {
        "name": TOOL_NAME, "arguments": json.dumps({"sides": sides})}}]


def tool_return(i, ok):
    """The body that Letta itself writes; `i` is the row of the call."""
    clock = (START + timedelta(seconds=37 * i)).strftime(
        "%Y-%m-%d %I:%M:%S %p UTC+0000")
    body = {"status": "OK" if ok else "Failed",
            "message": str(i % 6 + 1) if ok else
            f"Error: ValueError: die {i} has no sides ✗", "time": clock}
    return {"role": "tool", "tool_call_id": f"call_{i:06d}",
            "content": [text(json.dumps(body, ensure_ascii=False))]}


def scene(i, number):
    """Return the rows of exchange `number`, whose first row has index i.

    Of five, two have no tool call and the last has one that failed.
    """
    words = TRICKY[number % len(TRICKY)]
    kind = (number + number // len(TRICKY)) % 5
    user = {"role": "user", "content": [text(f"[{i}] {words}")]}
    spoken = {"role": "assistant", "content": [
        reasoning(f"Thinking about row {i}: {words[:60]}"),
        text(f"Answer {i}. {words}")]}
    if kind in (0, 1):
        return [user, spoken]
    asks = {"role": "assistant", "content": [], "tool_calls":
            call(i + 1, 6 if kind != 4 else 0)}
    if kind == 3:
        asks["content"] = [reasoning(f"A die is needed at {i}")]
    return [user, asks, tool_return(i + 1, ok=kind != 4),
            {"role": "assistant", "content": [text(f"It fell, {i}.")]}]


def rows(count):
    """Return exactly `count` rows, a system row first, whole exchanges.

    What whole exchanges do not fill, user rows do.
    """
    made = [{"role": "system", "content": [
        text("You are Sage, an agent of the test bed.")]}]
    for number in itertools.count():
        if len(made) >= count:
            break
        new = scene(len(made), number)
        if len(made) + len(new) > count:
            new = [{"role": "user", "content": [
                text(f"[{len(made)}] last words")]}]
        made += new
    for i, row in enumerate(made):
        row.update(type="message", id=f"message-{i}", agent_id="agent-0",
                   created_at=when(i))
    return made


def context_ids(made, last):
    """Return ids of the system row and about the `last` newest rows.

    Starts at a user row, so that no tool call is cut from its return.
    """
    first = max(1, len(made) - last)
    while first < len(made) - 1 and made[first]["role"] != "user":
        first += 1
    return ["message-0"] + [r["id"] for r in made[first:]]
