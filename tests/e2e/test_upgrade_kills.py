"""An upgrade is killed at the beginning and the end of its steps.

Each run goes on where the one before was killed, to the next point; so one
upgrade and one way back of a small server, 0.16.2 with two agents, pass them
all.  What a step does within is for the tests of that step.
"""

import os
from pathlib import Path

import pytest

from bed import old_home, old_seed, proof
from bed.old_home import OldHome
from bed.paths import TOP

OLD, NEW = "0.16.2", "0.16.8"

#: (fault point, its step): begun and nothing done; all done, not recorded.
#: `rehearse', `sequence' and `clients' find nothing to do here; what kills
#: them at work is in test_upgrade_faults, test_postgres, test_upgrade_clients.
FORTH = [(point, f"{group}.{word}") for point, group, word in (
    ("plan_acted", "upgrade.home", "look"),
    ("journal_step", "upgrade.home", "backup"),
    ("plan_acted", "upgrade.home", "backup"),
    ("plan_acted", "letta.new", "account"),
    ("plan_acted", "letta.new", "install"),
    ("journal_step", "upgrade.home", "rehearse"),
    ("journal_step", "upgrade.home", "stop"),
    ("plan_acted", "upgrade.home", "stop"),
    ("plan_acted", "upgrade.home", "dump"),
    ("journal_step", "upgrade.home", "database"),
    ("plan_acted", "upgrade.home", "database"),
    ("plan_acted", "letta.new", "environment"),
    ("plan_acted", "letta.new", "schema"),
    ("journal_step", "letta.new", "service"),
    ("plan_acted", "letta.new", "service"),
    ("plan_acted", "letta.new", "ready"),
    ("journal_step", "upgrade.home", "sequence"),
    ("journal_step", "upgrade.home", "restore"),
    ("plan_acted", "upgrade.home", "restore"),
    ("journal_step", "upgrade.home", "clients"))]

#: The way back: each is taken back, and not recorded as such.
BACK = [("plan_undone", f"{group}.{word}") for group, word in (
    ("upgrade.home", "clients"), ("upgrade.home", "restore"),
    ("letta.new", "service"), ("letta.new", "environment"),
    ("upgrade.home", "database"), ("upgrade.home", "dump"),
    ("upgrade.home", "stop"), ("upgrade.home", "rehearse"),
    ("letta.new", "install"), ("letta.new", "account"),
    ("upgrade.home", "backup"), ("upgrade.home", "look"))]

#: Where another way back begins: the new server was never started.
EARLY = ("plan_acted", "letta.new.environment")


@pytest.fixture(scope="module")
def home(bed):
    with OldHome(bed, OLD, superuser=True) as up:
        up.seeded = up.seed(2, 6, 1)
        yield up


def kill_at(home, at, *words):
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl")
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name another")
    done = home.sanctumctl(*words, program=path,
                           env={"SANCTUMCTL_FAULT_STOP": " ".join(at)})
    assert done.rc == 99, f"{at}: {done.rc} {done.out}{done.err}"


def as_before(home, before):
    assert home.answers() == OLD
    after = old_seed.everything(home.client())
    assert sorted(after) == sorted(before)
    assert [k for k in before if after[k] != before[k]] == []


def test_back_from_before_the_new_server(home):
    before, books = old_seed.everything(home.client()), home.dump()
    job = home.job("/root/early.conf", to=NEW, name="early")
    kill_at(home, EARLY, "letta", "upgrade", job)
    assert home.answers() is None
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    as_before(home, before)
    assert home.dump() == books
    assert not home.path("/etc/letta").exists()


def test_a_kill_at_each_step_and_on_the_way_back(home):
    before, databases = old_seed.everything(home.client()), home.databases()
    agents = {a["name"]: proof.Kept(home.client(), a["id"])
              for a in home.client()("GET", "/v1/agents/?limit=100")}
    job = home.job(to=NEW)
    for at in FORTH:
        kill_at(home, at, "apply", job)
    done = home.sanctumctl("apply", job)
    assert done.rc == 0, done.err + done.out
    assert home.answers() == NEW
    new = home.client(old_home.NEW_PASSWORD)
    found = {a["name"]: a["id"] for a in new("GET", "/v1/agents/?limit=100")}
    for name, side in agents.items():
        if name != old_seed.LEGACY_NAME:
            assert proof.differences(side, proof.Side(new, found[name])) == []
    assert len(found) == len(agents)
    assert home.databases() == databases

    for at in BACK:
        kill_at(home, at, "letta", "rollback", job)
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    as_before(home, before)
    assert home.databases() == databases
