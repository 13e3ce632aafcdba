"""An upgrade of a Letta server that is a service of docker compose.

The engine is a stand-in (bed/runtime/engine.py); PostgreSQL and the Letta
servers of both versions are real, on a host of the test's own.
"""

import pytest

from bed import compose_home
from bed.compose_home import ENV_FILE, FILE, OVERRIDE, ComposeHome


@pytest.fixture(scope="module")
def home(bed):
    with ComposeHome(bed, "0.16.2") as up:
        yield up


def test_steps(home):
    job = home.job()
    was = home.text()
    home.compose("stop", "letta")
    home.psql("DROP DATABASE letta;", "template1")
    home.psql("CREATE DATABASE letta OWNER letta;", "template1")
    done = home.sanctumctl("apply", job)
    print(done)
    assert home.answers() == "0.16.8"
    now = home.text()
    assert now == was.replace(b"'letta/letta:0.16.2'", b"'letta/letta:0.16.8'")
    again = home.sanctumctl("apply", job)
    print(again)
    back = home.sanctumctl("cancel", job)
    print(back)
    print([one for one in home.asked() if not one.startswith("ps")])
    assert home.text() == was
    assert home.answers() is None
    assert 0
