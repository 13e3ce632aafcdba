"""Questions to an SQLite database, on this machine or on a host."""

import json
import sqlite3


def query(sql, path, host=None):
    """Return the rows of a SELECT as dictionaries.

    path   as `host` sees it.  SQLite resolves links in the name of a file,
           so bed.hosts.Host.path() would lead it to this machine's file.
    """
    if host is not None:
        said = host.run(["sqlite3", "-readonly", "-json", "-cmd",
                         ".timeout 10000", str(path), sql]).stdout
        return json.loads(said) if said.strip() else []
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute(sql)]
    finally:
        db.close()


def dump(path, host):
    """Return a database on a host as SQL."""
    return host.run(["sqlite3", "-readonly", str(path), ".dump"]).stdout
