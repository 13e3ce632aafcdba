"""The queue of sanctum.db, as a worker uses it (stand-in)."""

import sqlite3
from collections import namedtuple

Row = namedtuple("Row", "id message_id text")


class Queue:
    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)

    def take(self):
        """Mark the oldest pending row as processing and return it."""
        self.db.execute("BEGIN IMMEDIATE")
        found = self.db.execute(
            "SELECT q.id, m.id, m.message FROM queue q JOIN messages m"
            " ON m.id = q.message_id WHERE q.status = 'pending'"
            " ORDER BY q.timestamp, q.id LIMIT 1").fetchone()
        if found:
            self._mark(found[0], "processing")
        self.db.execute("COMMIT")
        return Row(*found) if found else None

    def complete(self, row, answer):
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute("UPDATE messages SET agent_response = ?,"
                        " processed = 1 WHERE id = ?",
                        (answer, row.message_id))
        self._mark(row.id, "completed")
        self.db.execute("COMMIT")

    def give_back(self, row):
        self._mark(row.id, "pending")

    def _mark(self, row_id, status):
        self.db.execute("UPDATE queue SET status = ?, attempts = attempts"
                        " + (? = 'processing'), timestamp = datetime('now')"
                        " WHERE id = ?", (status, status, row_id))
