"""An upgrade of a Letta server that is a service of docker compose.

The engine is a stand-in (bed/runtime/engine.py); PostgreSQL and the Letta
servers of both versions are real, on a host of the test's own.
"""

import json
import os
from contextlib import contextmanager

import pytest

from bed import old_seed, proof
from bed.compose_home import FILE, SECRET, TOKEN, ComposeHome
from bed.http import HttpError
from bed.old_home import PASSWORD

#: What closes the new server until its agents are back.
CLOSING = f"{FILE}.sanctumctl-letta-closed"

OLD_VERSION, NEW_VERSION = "0.11.3", "0.16.2"
OLD = f"'letta/letta:{OLD_VERSION}'".encode()
NEW = f"'letta/letta:{NEW_VERSION}'".encode()


@pytest.fixture(scope="module")
def home(bed):
    with ComposeHome(bed, OLD_VERSION) as up:
        first = up.seed(2, 12, 2).ids[0]
        # How a name is mapped is the other upgrade's test.
        up.client(TOKEN)("PATCH", f"/v1/agents/{first}", {"name": "sage 00"})
        yield up


def changes(home, since=0):
    """What the engine was asked to change, of all it was asked for."""
    return [one for one in home.asked()[since:] if any(
        f" {word} " in f" {one} " for word in ("up", "stop", "pull", "rm"))]


@contextmanager
def written(home, was, now):
    """The compose file with something else in it, for a while."""
    at, before = home.path(FILE), home.text()
    assert was in before
    at.write_bytes(before.replace(was, now))
    yield
    at.write_bytes(before)


REFUSED = {
    "another tag than runs": (
        b":0.11.3'", b":0.11.2'",
        f"was made of the image letta/letta:{OLD_VERSION}"),
    "no database outside": (
        b"LETTA_PG_URI:", b"LETTA_OTHER:", "sets no LETTA_PG_URI"),
    "another database": (
        b"@db:5432/letta", b"@db:5432/books",
        "the database of the service letta is books, by its LETTA_PG_URI"),
    "another database's service": (
        b"@db:5432/letta", b"@old-db:5432/letta",
        "the database of the service letta is on old-db"),
    "extended by another": (
        b"\n  db:", b"\n  two: { extends: letta, image: x }\n  db:",
        "compose.yaml:5: this service extends"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(home, what):
    was, now, why = REFUSED[what]
    job, asked = home.job(to=NEW_VERSION), len(home.asked())
    with written(home, was, now):
        planned = home.sanctumctl("plan", job)
    assert planned.rc == (15 if "database" in what and "another" in what
                          else 1) and why in planned.err, planned
    assert PASSWORD not in planned.err
    assert changes(home, asked) == []
    assert home.answers() == OLD_VERSION


def test_no_such_image(home):
    """Noticed while the old server still works."""
    job = home.job("/root/gone.conf", name="gone", to="0.16.9")
    asked = len(home.asked())
    done = home.sanctumctl("apply", job)
    assert done.rc == 1, done
    assert "letta/letta:0.16.9 is not to be had" in done.err, done.err
    assert "manifest unknown" in done.err, done.err
    assert [one.split()[0] for one in changes(home, asked)] == ["pull"]
    assert home.sanctumctl("cancel", job).rc == 0
    assert home.answers() == OLD_VERSION


def kept(client):
    """{name: all of the agent}, read now."""
    return {a["name"]: proof.Kept(client, a["id"])
            for a in client("GET", "/v1/agents/?limit=100")}


def arrived(client, before):
    """What is not the same of the agents, by a reader of the bed's own."""
    found = {a["name"]: a["id"]
             for a in client("GET", "/v1/agents/?limit=100")}
    assert sorted(found) == sorted(before)
    return [f"{name}: {line}" for name, side in before.items()
            for line in proof.differences(side, proof.Side(client,
                                                           found[name]))]


def no_secret(home, *said, secrets=(PASSWORD, SECRET, TOKEN)):
    files = b"".join(p.read_bytes() for d in ("/root/state", "/var/backups")
                     for p in home.path(d).rglob("*") if p.is_file())
    asked = "\n".join(home.asked())
    for secret in secrets:
        assert secret.encode() not in files
        assert secret not in asked + "".join(said)


def kill_at(home, point, *words):
    done = home.sanctumctl(*words, program=os.environ["SANCTUMCTL_FAULTS"],
                           env={"SANCTUMCTL_FAULT_STOP": point})
    assert done.rc == 99, f"{point}: {done.out}{done.err}"
    return done


def is_closed(home):
    for token in (None, TOKEN):
        for call in (("GET", "/v1/agents/?limit=1"),
                     ("POST", "/v1/blocks/", {"label": "x", "value": "y"})):
            with pytest.raises(HttpError) as refused:
                home.client(token)(*call)
            assert refused.value.status == 401, token


#: The file is written, the container the old one.
WRITTEN = "upgrade_compose_written"
#: It serves, and nobody but the job.
CLOSED = ("plan_acted upgrade.home.compose", "plan_acted upgrade.home.restore",
          "journal_step upgrade.home.open")
#: Points in their order; the last: its container is made anew by `open', and
#: the file that closes it is still there.
POINTS = ("plan_acted upgrade.home.pull", "plan_begun upgrade.home.compose",
          WRITTEN, *CLOSED, "upgrade_compose_started")


def killed_half_way(home, *words):
    """`docker compose up' is, and leaves two containers; none is started."""
    home.halve()
    done = home.sanctumctl(*words)
    assert done.rc == 1 and "killed between the two" in done.err, done
    known = json.loads(home.path("/srv/docker/containers").read_text())
    assert [one["service"] for one in known.values()].count("letta") == 2


def closed_until_opened(home, job, agents):
    """Killed at each; the server is as it is to be, and the job goes on."""
    closing = home.path(CLOSING)
    for at in POINTS:
        killed = kill_at(home, at, "apply", job)
        if at == WRITTEN:
            assert "letta" not in home.reboot()
            killed_half_way(home, "apply", job)
        elif at in CLOSED:
            is_closed(home)
            assert closing.stat().st_mode & 0o777 == 0o600
            password = json.loads(closing.read_text())["services"]["letta"][
                "environment"]["LETTA_SERVER_PASSWORD"]
            assert "closed-" in password
            no_secret(home, killed.out, killed.err, secrets=[password])
        elif at == POINTS[-1]:
            assert len(home.client(TOKEN)(
                "GET", "/v1/agents/?limit=100")) == agents
    with pytest.raises(HttpError, match="401"):
        home.client(password)("GET", "/v1/agents/?limit=1")
    assert closing.exists()


def labels(home):
    known = json.loads(home.path("/srv/docker/containers").read_text())
    return next((one["labels"] for one in known.values()
                 if one["service"] == "letta"), None)


def test_the_engine_starts_nothing_that_was_stopped(home):
    """With `restart: always' it would, at the next boot."""
    job = home.job("/root/early.conf", name="early",
                   to=NEW_VERSION)
    assert home.policies()["letta"] == "always"
    kill_at(home, "plan_acted upgrade.home.stop", "apply", job)
    assert "letta" not in home.reboot()
    made = labels(home)
    home.prune()
    assert labels(home) is None
    kill_at(home, WRITTEN, "apply", job)
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    assert home.answers() == OLD_VERSION
    assert home.policies()["letta"] == "always"
    assert labels(home) == made


def test_there_and_back(home):
    job, client = home.job(to=NEW_VERSION), home.client(TOKEN)
    text = home.text()
    before, books = old_seed.everything(client), home.dump()
    agents, asked = kept(client), len(home.asked())
    planned = home.sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert f"-{OLD.decode()}" not in planned.out
    assert f"+      image:   {NEW.decode()}\n" in planned.out, planned.out
    assert changes(home, asked) == [] and home.text() == text

    closed_until_opened(home, job, len(agents))
    done = home.sanctumctl("letta", "upgrade", job)
    assert done.rc == 0, done.err + done.out
    assert home.policies()["letta"] == "always"
    assert home.answers() == NEW_VERSION
    assert home.text() == text.replace(OLD, NEW)
    assert not home.path(CLOSING).exists()
    assert home.path(FILE).stat().st_mode & 0o777 == 0o640
    assert arrived(client, agents) == []
    with pytest.raises(HttpError, match="401"):
        home.client()("GET", "/v1/agents/?limit=1")
    assert home.dump() == books
    again = home.sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out, again

    for step in ("compose", "stop", "pull"):
        kill_at(home, f"plan_undone upgrade.home.{step}", "letta", "rollback",
                job)
        if step == "compose":
            killed_half_way(home, "letta", "rollback", job)
    back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    assert home.answers() == OLD_VERSION
    assert home.text() == text
    assert old_seed.everything(client) == before
    assert home.dump() == books
    no_secret(home, planned.out, done.out, done.err, back.out, back.err)
