"""A stand-in for Telegram's bot API, as far as a worker polls and sends.

    POST /bot<token>/getUpdates   {offset, limit, timeout}
    POST /bot<token>/sendMessage  {chat_id, text}
    POST /bot<token>/getMe        and any other: true

Updates wait for 24 hours or until an offset beyond them acknowledges them.
Of two polls of one token at the same time the older one is answered 409
Conflict, as Telegram does; each is counted, unless the older one's process
has gone in the meantime.  What was sent is kept, so that a
test can say that each update was answered, and once.
"""

import re
import threading
import time
from collections import Counter

from bed.standin import Refuse, StandIn

KEPT_S = 24 * 3600
ME = {"id": 1, "is_bot": True, "first_name": "bed", "username": "bed_bot"}
NUMBER = re.compile(r"\[#(\d+)\]")


class Token:
    """What is kept of one bot."""

    def __init__(self):
        self.updates = []      # of [when, update]
        self.last_id = 0
        self.poll = 0          # number of the newest poll
        self.conflicts = 0


class Channel(StandIn):
    """The channel; `tokens` and `sent` are for the test to read."""

    def __init__(self, hosts=(), port=0):
        self.changed = threading.Condition()
        self.tokens, self.sent = {}, []
        super().__init__(hosts, port)

    def token(self, token):
        return self.tokens.setdefault(token, Token())

    def say(self, token, sender, text=""):
        """A user writes; returns the number, which the text shows as [#n]."""
        with self.changed:
            bot = self.token(token)
            bot.last_id += 1
            bot.updates.append([time.time(), {
                "update_id": bot.last_id,
                "message": {"message_id": bot.last_id,
                            "from": {"id": int(sender), "is_bot": False,
                                     "first_name": "User",
                                     "username": f"user{int(sender) - 1000}"},
                            "chat": {"id": int(sender),
                                     "type": "private"},
                            "date": int(time.time()),
                            "text": f"[#{bot.last_id}] {text}".strip()}}])
            self.changed.notify_all()
            return bot.last_id

    def answer(self, method, path, body, request):
        found = re.fullmatch(r"/bot([^/]*)/(\w+)", path)
        if not found or method != "POST":
            raise Refuse(404, {"ok": False, "error_code": 404})
        with self.changed:
            bot = self.token(found[1])
            if found[2] == "getUpdates":
                result = self.get_updates(bot, body, request)
            elif found[2] == "sendMessage":
                result = self.send_message(body)
            else:
                result = ME if found[2] == "getMe" else True
        return {"ok": True, "result": result}

    def get_updates(self, bot, body, request):
        bot.poll += 1
        mine, offset = bot.poll, int(body.get("offset", 0))
        self.changed.notify_all()
        until = time.monotonic() + int(body.get("timeout", 0))
        bot.updates = [u for u in bot.updates
                       if u[1]["update_id"] >= offset
                       and u[0] > time.time() - KEPT_S]
        while True:
            found = [u[1] for u in bot.updates]
            left = until - time.monotonic()
            if found or left <= 0:
                return found[:int(body.get("limit", 100))]
            self.changed.wait(left)
            if bot.poll != mine:
                if request.peer_is_gone():
                    return []
                bot.conflicts += 1
                raise Refuse(409, {
                    "ok": False, "error_code": 409,
                    "description": "Conflict: terminated by other getUpdates"
                    " request; make sure that only one bot instance is"
                    " running"})

    def send_message(self, body):
        self.sent.append((body["chat_id"], body["text"]))
        self.changed.notify_all()
        return {"message_id": len(self.sent), "date": int(time.time()),
                "chat": {"id": int(body["chat_id"]), "type": "private"}}

    def waiting(self, token):
        """Return how many updates nobody has acknowledged."""
        with self.changed:
            return len(self.token(token).updates)

    def conflicts(self, token):
        with self.changed:
            return self.token(token).conflicts

    def polls(self, token):
        """Return how many polls there were: it grows while one is alive."""
        with self.changed:
            return self.token(token).poll

    def answers(self):
        """Return how often each update's number was sent back."""
        with self.changed:
            return Counter(int(n) for _, text in self.sent
                           for n in NUMBER.findall(text)[:1])


class Chatter:
    """A user who writes at a rate, from a thread, until stop()."""

    def __init__(self, channel, token, sender, rate=10):
        self.said = []
        self._end = threading.Event()
        self._args = channel, token, sender
        self._pause = 1 / rate
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self):
        channel, token, sender = self._args
        while not self._end.wait(self._pause):
            self.said.append(channel.say(token, sender, "a message"))

    def stop(self):
        """Return the numbers of all that was written."""
        self._end.set()
        self._thread.join()
        return self.said
