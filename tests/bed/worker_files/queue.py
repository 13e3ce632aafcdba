"""The queue of sanctum.db and the one worker that empties it (stand-in).

A row goes pending, processing, completed; after a failed turn back to
pending with one more attempt, at a new place, as each change of status sets
the timestamp by which rows are ordered.  The answer is stored first, then the
row is completed, then the answer is delivered; nothing redelivers it.
"""

import os
import sqlite3
import threading
import time
from collections import namedtuple
from contextlib import contextmanager
from datetime import datetime, timedelta

from runtime.core.web import Refused, call

STALE = timedelta(seconds=300)

Row = namedtuple("Row", "id user message attempts text platform to name"
                 " identity block")

TAKE = """\
SELECT q.id, q.letta_user_id, q.message_id, q.attempts, m.message,
       p.platform, p.platform_user_id, p.username,
       u.letta_identity_id, u.letta_block_id
  FROM queue q JOIN messages m ON m.id = q.message_id
  JOIN letta_users u ON u.id = q.letta_user_id
  JOIN platform_profiles p ON p.letta_user_id = u.id
 WHERE q.status = 'pending' ORDER BY q.timestamp LIMIT 1
"""


def say(text):
    print(datetime.utcnow().isoformat(), text, flush=True)


def now():
    return datetime.utcnow().isoformat()


def wire_form(row):
    """Return a message as the agent gets it."""
    label = f"{row.platform.title()} ID" if row.platform else "Platform ID"
    parts = [f"Username: @{row.name}"] if row.name else []
    parts += [f"{label}: {row.to}"] if row.to else []
    return (f"[{', '.join(parts)}] " if parts else "") + row.text


class Queue:
    """Each call opens the database for itself: callers are threads."""

    def __init__(self, path):
        self.path = path

    @contextmanager
    def change(self):
        """One transaction that has the write lock from its start."""
        db = sqlite3.connect(self.path, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()

    def take(self):
        """Mark the oldest pending row as processing and return it."""
        with self.change() as db:
            found = db.execute(TAKE).fetchone()
            if found:
                db.execute("UPDATE queue SET status = 'processing',"
                           " timestamp = ? WHERE id = ?", (now(), found[0]))
        return Row(*found) if found else None

    def complete(self, row, answer):
        with self.change() as db:
            db.execute("UPDATE messages SET agent_response = ?,"
                       " processed = 1 WHERE id = ?", (answer, row.message))
        with self.change() as db:
            db.execute("UPDATE queue SET status = 'completed', timestamp = ?"
                       " WHERE id = ?", (now(), row.id))

    def requeue(self, row):
        with self.change() as db:
            db.execute("UPDATE queue SET status = 'pending', timestamp = ?,"
                       " attempts = attempts + 1 WHERE id = ?",
                       (now(), row.id))

    def requeue_stale(self):
        """At start: rows that a process left 300 s ago or earlier.

        Their attempts stay as they are; younger ones are not touched.  The
        lock is taken only if there are any.
        """
        stale = [number for number, stamp in self.processing()
                 if is_stale(stamp)]
        if not stale:
            return
        with self.change() as db:
            db.executemany("UPDATE queue SET status = 'pending',"
                           " timestamp = ? WHERE id = ?",
                           [(now(), number) for number in stale])

    def processing(self):
        db = sqlite3.connect(self.path)
        try:
            return db.execute("SELECT id, timestamp FROM queue"
                              " WHERE status = 'processing'").fetchall()
        finally:
            db.close()

    def put(self, message):
        """Enqueue an update's message; its sender must be known.

        The profile takes the sender's name of now, which the wire form of
        all rows that wait has from then on.
        """
        sender = message["from"]["id"]
        with self.change() as db:
            db.execute("UPDATE platform_profiles SET username = ?,"
                       " last_active = ? WHERE platform = 'telegram'"
                       " AND platform_user_id = ?",
                       (message["from"].get("username"), now(), str(sender)))
            user, profile = db.execute(
                "SELECT letta_user_id, id FROM platform_profiles WHERE"
                " platform = 'telegram' AND platform_user_id = ?",
                (str(sender),)).fetchone()
            number = db.execute(
                "INSERT INTO messages (letta_user_id, platform_profile_id,"
                " role, message, timestamp) VALUES (?, ?, 'user', ?, ?)",
                (user, profile, message["text"],
                 datetime.utcnow().strftime("%Y-%m-%d %H:%M UTC"))).lastrowid
            db.execute("INSERT INTO queue (letta_user_id, message_id, status,"
                       " timestamp, attempts) VALUES (?, ?, 'pending', ?, 0)",
                       (user, number, now()))


def is_stale(stamp):
    """True for an old time, and for what is not a time."""
    try:
        return bool(stamp) and (datetime.utcnow()
                                - datetime.fromisoformat(stamp) > STALE)
    except ValueError:
        return True


class Agent:
    """The agent that the environment names, on its Letta server."""

    def __init__(self):
        # A quirk of the original: absent is on.
        self.debug = os.environ.get("DEBUG_MODE", "true").lower() == "true"
        self.id = os.environ["AGENT_ID"]
        self.url = (os.environ["AGENT_ENDPOINT"].rstrip("/")
                    + f"/v1/agents/{self.id}")

    def is_there(self):
        """Ask for the agent; without one the original does not start."""
        if self.debug:
            return True
        try:
            self.call("GET", "")
        except (OSError, Refused) as e:
            say(f"agent {self.id} not found: {e}")
            return False
        return True

    def call(self, method, path, body=None):
        return call(method, self.url + path, body,
                    token=os.environ.get("AGENT_API_KEY", ""))

    def attach(self, block):
        try:
            self.call("PATCH", f"/core-memory/blocks/attach/{block}")
        except Refused as e:
            # Also when it is another block of that label.
            if e.status != 409:
                raise

    def detach(self, block):
        self.call("PATCH", f"/core-memory/blocks/detach/{block}")

    def turn(self, row, is_left):
        """One turn under the user's block; None if it failed.

        is_left   asked after the turn: then nothing is tidied up any more
        """
        try:
            self.attach(row.block)
            answer = wire_form(row) if self.debug else self.send(row)
            if is_left(row):
                return None
            self.detach(row.block)
        except (OSError, Refused) as e:
            say(f"row {row.id}: {e}")
            self.clean_up(row.block)
            return None
        return answer

    def send(self, row):
        message = {"role": "user", "content": wire_form(row)}
        if row.identity:
            message["sender_id"] = row.identity
        items = self.call("POST", "/messages",
                          {"messages": [message]})["messages"]
        return " ".join(text_of(i["content"]) for i in items
                        if i["message_type"] == "assistant_message") or None

    def clean_up(self, block):
        try:
            self.detach(block)
        except (OSError, Refused) as e:
            say(f"detach after a failure: {e}")


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


class Worker:
    """Takes one row at a time.  send(chat, text) delivers an answer."""

    def __init__(self, queue, end, send, mode):
        self.queue, self.end, self.send, self.mode = queue, end, send, mode
        self.agent = Agent()
        self.slot = threading.Semaphore(1)
        self.turns, self.left = {}, set()  # by the row's id
        self.leaving = False
        self.last_taken = threading.Event()

    def run(self):
        """Empty the queue until the end; last_taken is set when it is over."""
        try:
            self.loop()
        finally:
            self.last_taken.set()

    def loop(self):
        # If there is one and the database is locked just now, this thread
        # alone dies and the process stays up idle, as the original's does.
        self.queue.requeue_stale()
        # The slot is waited for inside the loop: when a turn ends, or is
        # left, after the signal to end, one more row is taken and asked, as
        # the original does.
        while not self.end.is_set():
            self.slot.acquire()
            try:
                row = self.queue.take()
            except sqlite3.OperationalError as e:
                say(f"queue: {e}")
                row = None
            if row is None:
                self.slot.release()
                self.end.wait(0.1)
            else:
                if self.leaving:
                    self.left.add(row.id)
                self.turns[row.id] = threading.Thread(
                    target=self.turn, args=(row,), daemon=True)
                self.turns[row.id].start()

    def is_left(self, row):
        return row.id in self.left

    def turn(self, row):
        try:
            answer = (wire_form(row) if self.mode == "echo"
                      else self.agent.turn(row, self.is_left))
            if self.is_left(row):
                return
            if answer is None:
                first = float(os.environ.get("BED_BACKOFF", "5"))
                time.sleep(min(first * 2 ** row.attempts, 300))
                self.queue.requeue(row)
                return
            self.queue.complete(row, answer)
            if row.platform == "telegram":
                self.deliver(row, answer)
        except sqlite3.OperationalError as e:
            say(f"row {row.id}: {e}")
        finally:
            if not self.is_left(row):
                self.slot.release()

    def deliver(self, row, answer):
        try:
            self.send(row.to, answer)
        except (OSError, Refused) as e:
            say(f"row {row.id}: not delivered: {e}")

    def wait_idle(self, seconds):
        """Wait for the turn in flight; false if it is still there then."""
        if not self.slot.acquire(timeout=seconds):
            return False
        self.slot.release()
        return True

    def leave(self):
        """Leave the turn in flight and one that may follow: `processing`.

        Letta goes on with them all the same.
        """
        self.leaving = True
        self.left.update(self.turns)
        self.slot.release()

    def wait_requests(self, seconds):
        """Wait for the requests that nothing can end, the left ones too."""
        until = time.monotonic() + seconds
        for turn in list(self.turns.values()):
            turn.join(max(0, until - time.monotonic()))
