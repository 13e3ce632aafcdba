"""An upgrade is killed at the beginning and the end of its steps.

Each run goes on where the one before was killed, to the next point; so one
upgrade and one way back of a small server, 0.16.2 with two agents, pass them
all.  What a step does within is for the tests of that step.
"""

import os
from pathlib import Path

import pytest

from bed import old_home, old_seed, proof
from bed.http import HttpError
from bed.old_home import OldHome
from bed.paths import TOP

OLD, NEW = "0.16.2", "0.16.8"
PROGRAM = "/etc/supervisor/conf.d/sanctumctl-letta.conf"

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
    ("plan_acted", "upgrade.home", "restore"))]

#: `open' is begun, the environment that opens it is written, it was not
#: started again: who asks it now with the password of the file gets 401.
FORTH += [("upgrade_open_written",)]

#: Here its server ends, too, and nobody but the job starts it again.
ENDED = ("plan_acted", "upgrade.home.restore")

#: Where the new server is up, and closed to its clients.
CLOSED = FORTH[FORTH.index(("plan_acted", "letta.new.ready")):]

#: It is open; what is left finds nothing to do.
OPENED = ("journal_step", "upgrade.home.clients")

#: The way back: each is taken back, and not recorded as such.
BACK = [("plan_undone", f"{group}.{word}") for group, word in (
    ("upgrade.home", "clients"), ("upgrade.home", "open"),
    ("upgrade.home", "restore"),
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
    return done.out + done.err


def is_closed(home):
    """Nobody sees an agent or writes one; health is for all."""
    assert home.answers() == NEW
    body = {"name": "early bird", "agent_type": "letta_v1_agent"}
    for token in (None, "not-asked-for", old_home.NEW_PASSWORD):
        for call in (("GET", "/v1/agents/?limit=100"),
                     ("POST", "/v1/agents/", body),
                     ("POST", "/v1/blocks/", {"label": "x", "value": "y"})):
            with pytest.raises(HttpError) as refused:
                home.client(token)(*call)
            assert refused.value.status == 401, (token, call)


def drawn(home):
    """The password that closes the server; it is on the host alone."""
    env = home.path("/etc/letta/letta.env")
    assert env.stat().st_mode & 0o077 == 0
    line, = (one for one in env.read_text().splitlines()
             if one.startswith("LETTA_SERVER_PASSWORD="))
    password = line.partition("=")[2].strip("'\"")
    assert password.startswith("closed-"), "not one that was drawn"
    for one in home.path("/root/state").rglob("*"):
        assert not one.is_file() or password.encode() not in one.read_bytes()
    return password


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
    passwords = set()
    for at in FORTH:
        kill_at(home, at, "apply", job)
        if at in CLOSED:
            is_closed(home)
        if at in CLOSED[:-1]:
            passwords.add(drawn(home))
        if at == ENDED:
            home.supervisord.ctl("stop", "letta")
            assert home.answers() is None
    assert "closed-" not in home.path("/etc/letta/letta.env").read_text()
    assert len(passwords) == 1
    kill_at(home, OPENED, "apply", job)
    done = home.sanctumctl("apply", job)
    assert done.rc == 0, done.err + done.out
    again = home.sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out, again
    with pytest.raises(HttpError, match="401"):
        home.client(passwords.pop())("GET", "/v1/agents/?limit=1")
    assert home.answers() == NEW
    new = home.client(old_home.NEW_PASSWORD)
    found = {a["name"]: a["id"] for a in new("GET", "/v1/agents/?limit=100")}
    for name, side in agents.items():
        if name != old_seed.LEGACY_NAME:
            assert proof.differences(side, proof.Side(new, found[name])) == []
    assert len(found) == len(agents)
    assert home.databases() == databases

    other = home.sanctumctl("plan", home.job("/root/other.conf", to=NEW,
                                             name="other"))
    assert other.rc == 15 and "job home upgrades" in other.err, other
    # By hand, which nothing but the way back may undo.
    with home.path(PROGRAM).open("a") as program:
        program.write("; by hand\n")
    said = "".join(kill_at(home, at, "letta", "rollback", job)
                   for at in BACK)
    assert f"{PROGRAM}.edited" in said, said
    assert not home.path(PROGRAM).exists()
    assert "; by hand" in home.path(f"{PROGRAM}.edited").read_text()
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    as_before(home, before)
    assert home.databases() == databases
