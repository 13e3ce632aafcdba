"""Create Letta's tables in an empty database, with Letta's own Python.

usage: <letta venv>/bin/python schema.py create|forget-models postgresql://...

Letta's release on PyPI carries no migrations, so its models are asked to
create the tables.  They leave out one thing that the migrations would add:
the default of messages.sequence_id, by which Letta orders a history.

`forget-models` drops the rows of a first start that hold the address of the
language model: the next start finds another one, and writes them again.
"""

import sys

import letta.orm  # noqa: F401  (registers the tables)
from letta.orm.base import Base
from sqlalchemy import create_engine, text

SEQUENCE = "messages_sequence_id_seq"


def create(db):
    db.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    Base.metadata.create_all(db)
    db.execute(text(f"CREATE SEQUENCE IF NOT EXISTS {SEQUENCE} "
                    "OWNED BY messages.sequence_id"))
    db.execute(text("ALTER TABLE messages ALTER COLUMN sequence_id "
                    f"SET DEFAULT nextval('{SEQUENCE}')"))


def forget_models(db):
    for table in ("provider_models", "providers"):
        if table in Base.metadata.tables:
            db.execute(text(f"DELETE FROM {table}"))


def main():
    engine = create_engine(
        sys.argv[2].replace("postgresql://", "postgresql+pg8000://"))
    with engine.begin() as db:
        {"create": create, "forget-models": forget_models}[sys.argv[1]](db)


if __name__ == "__main__":
    main()
