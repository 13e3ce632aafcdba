"""A history with everything in it that a move could lose.

Rows of an agent file, the same on every run.  NEW is what a letta_v1_agent
of 0.16 writes; OLD is what send_message agents of 0.11 hold: thoughts as text
beside a call, replies as calls of send_message, no approvals.
"""

import itertools
import json

from bed.history import TRICKY, reasoning, text, when

NEW, OLD = "new", "old"

ROLL, BREAK = "mixed_roll", "mixed_break"

#: A PNG of one pixel.
PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
         "DwADhgGAWjR9awAAAABJRU5ErkJggg==")

CLOCK = "2025-03-01 08:00:00 AM UTC+0000"

PERSON = "identity-00000000-0000-4000-8000-00000000cafe"


class Scene:
    """Rows of one exchange; `i` is the index of its first row."""

    def __init__(self, i, words, dialect):
        self.i, self.words, self.old = i, words, dialect == OLD
        self.rows = []

    def id(self, n=0):
        return f"call_{self.i:06d}_{n}"

    def user(self, words=None, **more):
        words = f"[{self.i}] {self.words}" if words is None else words
        self.rows.append({"role": "user", "content": [text(words)], **more})
        return self

    def parts(self, role, *content, **more):
        self.rows.append({"role": role, "content": list(content), **more})
        return self

    def think(self):
        words = f"Thinking at {self.i}: {self.words[:80]}"
        return text(words) if self.old else reasoning(words)

    def call(self, *names, thought=True, role="assistant", **arguments):
        arguments = json.dumps(arguments or {"sides": 6}, ensure_ascii=False)
        return self.parts(role, *([self.think()] if thought else []),
                          tool_calls=[
            {"id": self.id(n), "type": "function", "function": {
                "name": name, "arguments": arguments}}
            for n, name in enumerate(names)])

    def body(self, message, ok=True, **more):
        return json.dumps({"status": "OK" if ok else "Failed",
                           "message": message, "time": CLOCK, **more},
                          ensure_ascii=False)

    def back(self, *messages, ok=True, first=0, outputs=False):
        """What tools returned: one row, or in the old way a row each."""
        returns = [(self.id(first + n), self.body(m, ok))
                   for n, m in enumerate(messages)]
        if self.old:
            for call_id, body in returns:
                self.parts("tool", text(body), tool_call_id=call_id,
                           tool_returns=[self.outcome(ok)]
                           if outputs else [])
            return self
        more = {"tool_returns": [
            {"tool_call_id": call_id, "func_response": body,
             **self.outcome(ok)} for call_id, body in returns]}
        return self.parts("tool", text(returns[0][1]),
                          tool_call_id=returns[0][0],
                          **(more if outputs or len(messages) > 1 else {}))

    def outcome(self, ok):
        return {"status": "success" if ok else "error",
                "stdout": [f"rolled at {self.i}\n"],
                "stderr": [] if ok else ["Traceback …\nValueError: ✗\n"]}

    def reply(self, words=None, thought=True):
        words = f"Answer {self.i}. {self.words}" if words is None else words
        if not self.old:
            return self.parts("assistant", *([self.think()] if thought else
                                             []), text(words))
        # A call of its own, so that a scene may roll before it replies.
        self.parts("assistant", *([self.think()] if thought else []),
                   tool_calls=[{"id": self.id(9), "type": "function",
                                "function": {
                                    "name": "send_message",
                                    "arguments": json.dumps(
                                        {"message": words},
                                        ensure_ascii=False)}}])
        return self.parts("tool", text(self.body("None")),
                          tool_call_id=self.id(9))


def talk(s):
    s.user().reply()


def plain(s):
    s.user().reply(thought=False)


def rolled(s):
    s.user().call(ROLL, thought=False).back("3").reply()


def rolled_with_output(s):
    s.user().call(ROLL).back(f"3, as JSON: {json.dumps([s.words[:40]])}",
                             outputs=True).reply(thought=False)


def failed(s):
    s.user().call(ROLL, sides=0).back(
        f"Error: ValueError: no sides at {s.i} ✗", ok=False).reply()


def failed_with_output(s):
    s.user().call(BREAK).back(f"Error executing {BREAK}: at {s.i}", ok=False,
                              outputs=True).reply(thought=False)


def parallel(s):
    s.user().call(ROLL, BREAK).back("1", "2", outputs=True).reply()


def picture(s):
    # An old server stores no image of the type base64.
    kept = {"type": "letta", "file_id": f"file-{s.i}"} if s.old else {
        "type": "base64"}
    s.parts("user", text(f"[{s.i}] see: {s.words[:50]}"), {
        "type": "image", "source": {**kept, "data": PIXEL,
                                    "media_type": "image/png"}}).reply()


def named(s):
    s.user(name=f"Ann-{s.i % 7}", **({} if s.old else {"sender_id": PERSON}))
    s.reply()


def packed(s):
    s.user(json.dumps({"type": "user_message", "message": s.words[:300],
                       "time": CLOCK}, ensure_ascii=False)).reply()


def packed_twice(s):
    inner = json.dumps({"type": "user_message", "message": f"in {s.i}"})
    s.user(json.dumps({"type": "user_message", "message": inner,
                       "time": CLOCK})).reply()


def alert(s):
    s.user(json.dumps({"type": "system_alert", "message":
                       f"prior messages were hidden: {s.words[:60]}",
                       "time": CLOCK}, ensure_ascii=False)).reply()


def heartbeat(s):
    s.user().call(ROLL).back("6")
    s.user(json.dumps({"type": "heartbeat", "reason": "Function called",
                       "time": CLOCK})).reply()


def long_text(s):
    s.user(f"[{s.i}] " + "Weit hinten, hinter den Wortbergen. " * 600)
    s.reply("Ünd so weiter. " * 900)


def nearly_empty(s):
    s.user(" ").reply(".", thought=False)


def split(s):
    """Thoughts and reply in rows of their own, as older agents left them."""
    if s.old:
        s.user().parts("assistant", text(f"Alone at {s.i}.")).reply()
    else:
        s.user().parts("assistant", s.think())
        s.reply(thought=False)


def deep_thought(s):
    s.user().parts("assistant", {**reasoning(f"native {s.i}"),
                                 "signature": f"sig{s.i}=="},
                   text(f"Signed {s.i}."))


def hidden_thought(s):
    s.user().parts("assistant", {"type": "redacted_reasoning",
                                 "data": f"opaque{s.i}"}, text(f"R {s.i}"))
    s.user().parts("assistant", {"type": "omitted_reasoning"},
                   text(f"O {s.i}"))


def late_system(s):
    s.parts("system", text(f"Remember at {s.i}: {s.words[:60]}"))
    s.user().reply()


def approved(s):
    s.user().call(ROLL, role="approval")
    s.parts("approval", approve=True, approvals=[
        {"type": "approval", "tool_call_id": s.id(), "approve": True}])
    s.back("4", outputs=True).reply()


def denied(s):
    s.user().call(ROLL, role="approval")
    s.parts("approval", approve=False, denial_reason=f"not at {s.i}",
            approvals=[{"type": "approval", "tool_call_id": s.id(),
                        "approve": False, "reason": f"not at {s.i}"}])
    s.back("Error: request to call tool denied", ok=False,
           outputs=True).reply()


BOTH = (talk, rolled, failed, plain, parallel, picture, named, packed,
        rolled_with_output, alert, heartbeat, split, failed_with_output,
        nearly_empty, packed_twice, late_system)
SCENES = {NEW: BOTH + (approved, denied, deep_thought, hidden_thought),
          OLD: BOTH}
LONG_EVERY = 23


def boot():
    """What a send_message agent has before its first user row."""
    return Scene(1, "More human than human.", OLD).reply().rows


def rows(count, dialect=NEW):
    """Return exactly `count` rows, a system row first."""
    made = [{"role": "system", "content": [
        text("You are Sage, an agent of many words.")]}]
    made += boot() if dialect == OLD else []
    for number in itertools.count():
        if len(made) >= count:
            break
        kinds = SCENES[dialect]
        scene = Scene(len(made), TRICKY[number % len(TRICKY)], dialect)
        act = kinds[number % len(kinds)]
        (long_text if number % LONG_EVERY == LONG_EVERY - 1 else act)(scene)
        if len(made) + len(scene.rows) > count:
            scene = Scene(len(made), "last words", dialect).user()
        made += scene.rows
    for i, row in enumerate(made):
        row.update(type="message", id=f"message-{i}", agent_id="agent-0",
                   created_at=when(i))
    return made


def passages(count):
    """Texts, tags and dates; of every ten the last two are equal twins.

    Others have one text and different tags, or dates.
    """
    for i in range(count):
        twin = i - 1 if i % 10 == 9 else i
        alike = twin - 1 if twin % 10 in (3, 5) else twin
        dated = twin - 1 if twin % 10 == 3 else twin
        yield {"text": f"Fact {alike}: " + TRICKY[alike % 9],
               "tags": sorted({"mixed", f"t{twin % 4}", "日本"[twin % 2]}),
               "created_at": when(dated * 100)}
