"""A stand-in for Broca's main.py: its process, its .env and its channel.

What a move depends on is as in the original (1b368f9), seen in runs of both:

  .env      the nearest one above this file; the process environment wins
  folders   run/ and settings.json are of the working directory, sanctum.db
            is beside this file (TEST_DB_PATH, DB_PATH name another)
  pid file  run/broca.pid: written at start; any live process of that number
            means "already running"; removed when the signal to end comes,
            which is before the process has ended
  SIGTERM   a turn in flight gets 10 s, then it is left: its row stays
            `processing`, its block attached; one more pending row is taken
            and its turn begun, and left too; the process goes when its
            requests have ended; the exit status is always 0
  channel   long poll of getUpdates, acknowledged by the next poll's offset

What tests may set besides, in the environment or .env:

  CHANNEL_URL  the channel's stand-in (bed.channel); unset: none is polled
  BED_GRACE    seconds that a turn gets at SIGTERM, instead of 10
  BED_LINGER   at most so many seconds for its requests to end, instead of
               the 60 after which they are given up
  BED_BACKOFF  first seconds before a failed turn is asked again, instead
               of 5
  BED_HANG     the first SIGTERM leaves a process that takes SQLite's write
               lock and stays, as the original can do with a turn in flight:
               "1" until the second SIGTERM, "kill" until SIGKILL

Python's own library only.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path

from runtime.core.queue import Queue, Worker, say
from runtime.core.web import Refused, call

HERE = Path(__file__).absolute().parent
PID_FILE = Path("run/broca.pid")


def read_env(path):
    """Read the plain part of a .env: KEY=value, quotes, comments."""
    values = {}
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        key = key.strip().removeprefix("export ").strip()
        if not equals or not key or key.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in ("'", '"'):
            value = value[1:].split(value[0])[0]
        else:
            value = value.split(" #")[0].rstrip()
        values[key] = value
    return values


def load_env():
    """Add the nearest .env above this file to the environment."""
    for folder in (HERE, *HERE.parents):
        if (folder / ".env").is_file():
            for key, value in read_env(folder / ".env").items():
                os.environ.setdefault(key, value)
            return


def seconds(name, default):
    return float(os.environ.get(name, default))


def database_path():
    return (os.environ.get("TEST_DB_PATH") or os.environ.get("DB_PATH")
            or str(HERE / "sanctum.db"))


def claim_pid_file():
    """Write the pid file; end if some process has the number in it."""
    PID_FILE.parent.mkdir(exist_ok=True)
    try:
        number = int(PID_FILE.read_text())
    except (OSError, ValueError):
        number = None
    if number is not None and Path(f"/proc/{number}").exists():
        say("Another instance is already running (PID file exists)")
        sys.exit(0)
    PID_FILE.write_text(str(os.getpid()))


class Channel:
    """Polls the channel and enqueues what it gets; sends the answers."""

    def __init__(self, queue, end):
        self.queue, self.end = queue, end
        self.url = os.environ.get("CHANNEL_URL", "").rstrip("/")
        self.token = os.environ.get("TELEGRAM_BOT_TOKEN", "")
        #: Held from an update's arrival until it is acknowledged: killed in
        #: between, the update comes again and is a second row.
        self.busy = threading.Lock()

    def ask(self, method, body):
        return call("POST", f"{self.url}/bot{self.token}/{method}",
                    body)["result"]

    def updates(self, offset, timeout):
        return self.ask("getUpdates", {"offset": offset, "limit": 1,
                                       "timeout": timeout})

    def send(self, chat, text):
        if self.url:
            self.ask("sendMessage", {"chat_id": int(chat), "text": text})

    def poll(self):
        """Take updates one at a time until told to end."""
        offset = 0
        while not self.end.is_set():
            try:
                found = self.updates(offset, 10)
                while found and not self.end.is_set():
                    with self.busy:
                        self.queue.put(found[0]["message"])
                        offset = found[0]["update_id"] + 1
                        found = self.updates(offset, 0)
            except (OSError, Refused, sqlite3.OperationalError) as e:
                say(f"channel: {e}")
                self.end.wait(1)


def hold_the_lock(path, terms):
    """Stay, with the database locked for writers, until enough signals."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute("BEGIN IMMEDIATE")
    say("holding the write lock")
    needed = 2 if os.environ["BED_HANG"] == "1" else None
    while needed is None or terms[0] < needed:
        time.sleep(0.02)


def start(worker, channel):
    if not worker.agent.is_there():
        PID_FILE.unlink(missing_ok=True)
        sys.exit(0)
    threading.Thread(target=worker.run, daemon=True).start()
    if channel.url:
        threading.Thread(target=channel.poll, daemon=True).start()
    say("Application started successfully")


def main():
    load_env()
    claim_pid_file()
    end, terms = threading.Event(), [0]

    def on_signal(*_):
        terms[0] += 1
        PID_FILE.unlink(missing_ok=True)
        end.set()

    queue = Queue(database_path())
    channel = Channel(queue, end)
    settings = json.loads(Path("settings.json").read_text())
    worker = Worker(queue, end, channel.send,
                    settings.get("message_mode", "echo"))
    start(worker, channel)
    # Not before: until now a signal ends it and leaves the pid file.
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    while not end.is_set():
        end.wait(0.05)
    say("Received signal, initiating graceful shutdown...")
    if not worker.wait_idle(seconds("BED_GRACE", 10)):
        worker.leave()
    worker.last_taken.wait(6)
    if os.environ.get("BED_HANG"):
        hold_the_lock(queue.path, terms)
    worker.wait_requests(seconds("BED_LINGER", 60))
    channel.busy.acquire(timeout=5)
    say("Application stopped")
    os._exit(0)  # without waiting for the threads


if __name__ == "__main__":
    main()
