"""What a Letta server finds in its PostgreSQL, asked by Letta's own Python.

usage: python -I database.py look|glance|create     the URI on stdin

look    changes nothing.  Prints NAME=VALUE lines:
            tables    how many the schema `public` has
            vector    installed, available or missing: the extension
            sequence  ok, missing or none (no such column): the default of
                      messages.sequence_id, by which Letta orders a history
            lacks     columns that this Letta's models have and the tables
                      have not, by blanks; only where there are tables
            agents    how many rows; 0 without the table
glance  the same without `lacks', which takes seconds: for tables that were
        compared with this version's models before
create  an empty database gets the tables of this Letta's models, and the
        default that they leave out: the release on PyPI has no migrations.
        One transaction; a database with any table is refused.
"""

import os
import sys

SEQUENCE = "messages_sequence_id_seq"

TABLES = ("SELECT count(*) FROM information_schema.tables"
          " WHERE table_schema = 'public'")
VECTOR = ("SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_extension"
          " WHERE extname = 'vector') THEN 'installed'"
          " WHEN EXISTS (SELECT 1 FROM pg_available_extensions"
          " WHERE name = 'vector') THEN 'available' ELSE 'missing' END")
DEFAULT = ("SELECT CASE WHEN column_default IS NOT NULL"
           " OR is_identity = 'YES' THEN 'ok' ELSE 'missing' END"
           " FROM information_schema.columns WHERE table_schema = 'public'"
           " AND table_name = 'messages' AND column_name = 'sequence_id'")
COLUMNS = ("SELECT table_name, column_name FROM information_schema.columns"
           " WHERE table_schema = 'public'")
AGENTS = "SELECT count(*) FROM agents"


def models():
    """The tables that this Letta's models describe."""
    import letta.orm  # noqa: F401  (registers them)
    from letta.orm.base import Base
    return Base.metadata


def look(db, text, deep=True):
    tables = db.execute(text(TABLES)).scalar()
    print(f"tables={tables}")
    print(f"vector={db.execute(text(VECTOR)).scalar()}")
    print(f"sequence={db.execute(text(DEFAULT)).scalar() or 'none'}")
    have = {(t, c) for t, c in db.execute(text(COLUMNS))}
    if tables and deep:
        lacks = [f"{t.name}.{c.name}" for t in models().sorted_tables
                 for c in t.columns if (t.name, c.name) not in have]
        print(f"lacks={' '.join(lacks[:8])}")
    agents = 0
    if ("agents", "id") in have:
        agents = db.execute(text(AGENTS)).scalar()
    print(f"agents={agents}")


def glance(db, text):
    look(db, text, deep=False)


def create(db, text):
    db.execute(text("SELECT pg_advisory_xact_lock(18283)"))
    if db.execute(text(TABLES)).scalar():
        sys.exit("the database has tables: nothing was made in it")
    db.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    models().create_all(db)
    db.execute(text(f"CREATE SEQUENCE IF NOT EXISTS {SEQUENCE}"
                    " OWNED BY messages.sequence_id"))
    db.execute(text("ALTER TABLE messages ALTER COLUMN sequence_id"
                    f" SET DEFAULT nextval('{SEQUENCE}')"))


def open_database(uri):
    """An engine of the driver that Letta's extra `postgres' brings."""
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    url = make_url(uri)
    ssl = url.query.get("sslmode") or url.query.get("ssl")
    options = {}
    if ssl in ("require", "prefer", "verify-ca", "verify-full"):
        import ssl as tls
        context = tls.create_default_context()
        if ssl in ("require", "prefer"):
            context.check_hostname = False
            context.verify_mode = tls.CERT_NONE
        options["ssl_context"] = context
    return create_engine(url.set(drivername="postgresql+pg8000", query={}),
                         connect_args=options)


def cause(error):
    """One line of what went wrong, without the URI."""
    first = getattr(error, "orig", None) or error
    if first.args and isinstance(first.args[0], dict):
        return first.args[0].get("M", "refused")
    return str(first).split("\n")[0]


def main():
    # Letta's settings would read a `.env' of wherever we were started.
    os.chdir(os.environ.get("HOME", "/"))
    act = {"look": look, "glance": glance, "create": create}[sys.argv[1]]
    uri = sys.stdin.read().strip()
    # The models have other types where Letta would use SQLite.
    os.environ["LETTA_PG_URI"] = uri
    try:
        engine = open_database(uri)
        from sqlalchemy import text
        with engine.begin() as db:
            if act is not create:
                db.execute(text("SET TRANSACTION READ ONLY"))
            act(db, text)
    except Exception as error:  # its traceback would hold the URI
        sys.exit(f"{type(error).__name__}: {cause(error)}")


if __name__ == "__main__":
    main()
