"""A node of ours is upgraded, and goes back.

Its account, unit and environment file have the names that the new server's
have.  The way forth to its end is that of any server: test_upgrade.
"""

import os

import pytest

from bed import old_seed
from bed.node_home import ENV_FILE, NODE, NodeHome, PROGRAM


@pytest.fixture(scope="module")
def home(bed):
    with NodeHome(bed, "0.16.2") as up:
        up.seeded = up.seed(1, 6, 1)
        yield up


def state_of(home, path):
    meta = home.path(path).stat()
    return (home.path(path).read_bytes(), meta.st_uid, meta.st_gid,
            oct(meta.st_mode))


def test_a_node_comes_back(home):
    client = home.client(home.password)
    before = old_seed.everything(client)
    files = [state_of(home, p) for p in (ENV_FILE, PROGRAM)]
    job = home.job(to="0.16.8")
    killed = home.sanctumctl(
        "apply", job, program=os.environ["SANCTUMCTL_FAULTS"],
        env={"SANCTUMCTL_FAULT_STOP": "plan_acted letta.new.environment"})
    assert killed.rc == 99, killed
    assert home.answers() is None
    home.path(ENV_FILE).open("a").write("MINE=edited since\n")
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    assert f"{ENV_FILE}.edited" in back.out, back.out
    assert "MINE=" in home.path(f"{ENV_FILE}.edited").read_text()
    assert home.path(f"{ENV_FILE}.edited").stat().st_mode & 0o777 == 0o600
    assert [state_of(home, p) for p in (ENV_FILE, PROGRAM)] == files
    assert home.answers() == "0.16.2"
    assert old_seed.everything(client) == before
    node = home.sanctumctl("plan", NODE)
    assert "letta.node" not in node.err, node.err
