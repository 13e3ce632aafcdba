"""A program that keeps writing to a sanctum.db, as a busy worker does.

    python3 -m bed.writer DB [--rate 200] [--seconds 60] [--beat FILE]

Each commit adds one row to `messages` and one to `queue`, in one transaction,
so any consistent copy of the database holds as many of one as of the other
(rows with role 'writer', and queue rows that name them).  The number of
commits so far is kept in the file --beat (DB.beat by default), together with
the longest commit in milliseconds; it ends by itself, or on SIGTERM.
"""

import argparse
import os
import signal
import sqlite3
import time
from pathlib import Path

from bed.database import query
from bed.paths import PYTHON
from bed.wait import wait_for

ROLE = "writer"


def counts(path, host=None):
    """Return (messages, queue rows) that writers have made in a database."""
    row = query(
        f"SELECT (SELECT count(*) FROM messages WHERE role = '{ROLE}') AS m,"
        " (SELECT count(*) FROM queue q JOIN messages m"
        f" ON m.id = q.message_id WHERE m.role = '{ROLE}') AS q",
        path, host)[0]
    return row["m"], row["q"]


class Writer:
    """A writer that runs on a host, on the database `inside` there."""

    def __init__(self, host, inside, *, rate=200, seconds=60):
        # Not beside the database: there it would be part of the worker.
        self.host = host
        self.beat = "/tmp/beat" + str(inside).replace("/", "-")
        self.process = host.spawn(
            [PYTHON, "-m", "bed.writer", str(inside), "--rate", str(rate),
             "--seconds", str(seconds), "--beat", self.beat])
        self.wait_written(1)

    def written(self):
        """Return how many commits there have been."""
        return int(self.host.path(self.beat).read_text().split()[0])

    def wait_written(self, more, timeout_s=30):
        """Wait for so many further commits."""
        try:
            goal = self.written() + more
        except OSError:
            goal = more
        wait_for("writer", lambda: self.written() >= goal, timeout_s,
                 alive=self.process.alive)

    def stop(self):
        """End it after its commit; return the number of commits."""
        self.process.stop()
        return self.written()


def commit_one(db, n):
    """Add one message and its queue row in one transaction."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    db.execute("BEGIN IMMEDIATE")
    row = db.execute(
        "INSERT INTO messages (letta_user_id, platform_profile_id, role,"
        " message, timestamp) VALUES (1, 1, ?, ?, ?)",
        (ROLE, f"written {n} " + "x" * 200, now)).lastrowid
    db.execute("INSERT INTO queue (letta_user_id, message_id, status,"
               " timestamp) VALUES (1, ?, 'flushed', ?)", (row, now))
    db.execute("COMMIT")


def report(path, n, longest_s):
    """Replace the heartbeat file, so that a reader never sees half."""
    part = f"{path}.part"
    Path(part).write_text(f"{n} {longest_s * 1000:.1f}\n")
    os.rename(part, path)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("db")
    options.add_argument("--rate", type=float, default=200)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--beat")
    chosen = options.parse_args()
    beat = chosen.beat or f"{chosen.db}.beat"
    going = True

    def end(*_):
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, end)
    db = sqlite3.connect(chosen.db, timeout=30, isolation_level=None)
    start = time.monotonic()
    n, longest = 0, 0.0
    while going and time.monotonic() < start + chosen.seconds:
        before = time.monotonic()
        commit_one(db, n)
        longest = max(longest, time.monotonic() - before)
        n += 1
        report(beat, n, longest)
        time.sleep(max(0.0, start + n / chosen.rate - time.monotonic()))
    db.close()


if __name__ == "__main__":
    main()
