"""Where the bed's programs and caches are."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TOP = TESTS.parent

#: What `scripts/setup bed` filled: Letta servers and PostgreSQL.
CACHE = Path(os.environ.get("SANCTUM_BED_CACHE") or TOP / ".bed-cache")

#: Debian's Python, whatever else the machine has.
PYTHON = "/usr/bin/python3"

#: Where a namespace of the bed sees CACHE and TESTS.  Fixed, because the
#: tree may lie in a folder that a host hides, such as /root.
INSIDE = Path("/mnt/bed")
INSIDE_CACHE = INSIDE / "cache"
INSIDE_TESTS = INSIDE / "tests"
INSIDE_STATE = INSIDE / "state"


class BedError(Exception):
    """Something of the bed itself did not work."""


def need_cache(name):
    """Return the entry `name` of the cache; say what to run if it is absent."""
    entry = CACHE / name
    if not (entry / ".complete").exists():
        raise BedError(f"{entry} is not there: run scripts/setup bed")
    return entry
