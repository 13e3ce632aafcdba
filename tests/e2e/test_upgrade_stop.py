"""What an upgrade looks at, and how it stops the old server and starts it.

A real server 0.16.2 with two agents, a program of the real supervisord.
"""

import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from bed import old_home, old_seed
from bed.old_home import BIN, ENV_FILE, FOREIGN, OldHome, SUPERVISOR
from bed.paths import TOP
from bed.postgres import BIN as PG_BIN

OLD, NEW = "0.16.2", "0.16.8"
STOP = "upgrade.home.stop"
MARKERS = "/var/lib/sanctumctl/upgrades"

#: What somebody writes to the database of a server that is stopped.
NIGHT = "written at night "

#: What is left of the server when it has hung up, as long as a file says so.
LINGER, LINGERED = "/root/linger", "/root/lingered"


class SlowToEnd(OldHome):
    first = ("(while kill -0 $$ 2>/dev/null; do sleep 0.5; done;"
             f" test ! -e {LINGER} || {{ sleep 12; touch {LINGERED}; }}) &")


@pytest.fixture(scope="module")
def home(bed):
    with SlowToEnd(bed, OLD, superuser=True) as up:
        up.seeded = up.seed(2, 6, 1)
        yield up


def faults():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl")
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name another")
    return path


def files(home):
    """What must be as it was: {path: bytes}."""
    return {path: home.path(path).read_bytes()
            for path in (SUPERVISOR, ENV_FILE)}


def kill_at(home, point, *words):
    """Run it up to a fault point; returns what it has said."""
    done = home.sanctumctl(*words, program=faults(),
                           env={"SANCTUMCTL_FAULT_STOP": point})
    assert done.rc == 99, f"{point}: {done.out}{done.err}"
    return done


def other_uri(home):
    home.path("/root/other.uri").write_text(home.uri(database=FOREIGN) + "\n")
    home.path("/root/other.uri").chmod(0o600)
    return "file:/root/other.uri"


def markers(home):
    return [p.name for p in home.path(MARKERS).glob("*")]


def refused_for(home, job):
    """Another job, of another name, is told of this one."""
    other = home.job("/root/another.conf", to=NEW, name="another")
    for verb in "plan", "apply":
        done = home.sanctumctl(verb, other)
        assert done.rc == 15, done
        assert "job home upgrades this server" in done.err, done.err
        assert f"`sanctumctl letta upgrade {job}'" in done.err, done.err


@contextmanager
def another_manager(home):
    """A systemd that has a unit of that name, too, and never starts it."""
    systemctl, system = (home.path(f"{BIN}/systemctl"),
                         home.path("/run/systemd/system"))
    system.mkdir(parents=True)
    systemctl.write_text(
        '#!/bin/sh\ncase "$*" in *show*) echo LoadState=loaded;'
        " echo ActiveState=inactive;"
        " echo FragmentPath=/etc/systemd/system/letta.service;; esac\n")
    systemctl.chmod(0o755)
    yield
    systemctl.unlink()
    system.rmdir()


def test_what_is_not_as_the_job_says_is_named(home):
    home.supervisord.set("idler", "[program:idler]\n"
                         "command=/bin/sleep 1000\n")
    cases = {
        "service": ({"service": "lette"}, {}, 1,
                    "no program lette of supervisord"),
        "wrong": ({"service": "idler"}, {}, 15,
                  "supervisord idler has not started"),
        "port": ({"port": 8284}, {}, 10, "nobody answers"),
        "version": ({"version": "0.11.3"}, {}, 15, f"Letta {OLD} answers"),
        "database": ({"database": other_uri(home)}, {}, 15,
                     f"`database' of [letta old] is {FOREIGN}"),
        "older": ({}, {"to": OLD}, 2, "goes to a newer version"),
    }
    before = files(home)
    for name, (old, keys, code, words) in cases.items():
        job = home.job(f"/root/{name}.conf", **{"to": NEW, **keys}, old=old,
                       name=name)
        done = home.sanctumctl("plan", job)
        assert (done.rc, words in done.err) == (code, True), (
            f"{name}: {done.rc} {done.err}")
        assert old_home.PASSWORD not in done.out + done.err
    assert home.answers() == OLD and files(home) == before
    home.path("/etc/supervisor/conf.d/idler.conf").unlink()
    home.supervisord.ctl("update")


def test_without_break_glass_nothing_is_stopped(home):
    job = home.job(to=NEW, break_glass=None, env={"OPENAI_BASE_URL": None})
    planned = home.sanctumctl("plan", job)
    assert "the old server has OPENAI_BASE_URL, which" in planned.out
    users = re.search("refused or do not answer: ([0-9]+) agents?: (.*)",
                      planned.out)
    assert users and users[1] == "2" and "(agent-" in users[2], planned.out
    assert "-- only if the new tables lack it:" in planned.out
    assert "apply will refuse at `stop'" in planned.out, planned.out
    done = home.sanctumctl("letta", "upgrade", job)
    assert done.rc == 2 and "break_glass = yes" in done.err, done.err
    assert "has OPENAI_BASE_URL" in done.err and users[2] in done.err
    assert "letta rollback" not in done.err
    assert home.answers() == OLD


def test_a_writer_is_named(home):
    """It writes all the time; the third backup is not the last, either."""
    job = home.job(to=NEW)
    client, ended = home.client(), threading.Event()
    agent = home.seeded.ids[1]

    def write():
        for i in range(1000):
            if ended.is_set():
                return
            try:
                client("PATCH", f"/v1/agents/{agent}",
                       {"description": f"round {i}"})
            except OSError:
                pass    # stopped meanwhile
            ended.wait(0.2)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = home.sanctumctl("apply", job)
    finally:
        ended.set()
        writer.join()
    assert done.rc == 75, done.err
    assert agent in done.err and "Stop these clients" in done.err, done.err
    assert home.answers() == OLD and markers(home) == []


def write_unseen(home):
    """What no fingerprint tells; returns texts that a backup has then.

    A passage with a date before all others, and an old message edited where
    it is.
    """
    client, (one, other) = home.client(), home.seeded.ids
    client("POST", f"/v1/agents/{one}/archival-memory",
           {"text": "put in behind them all",
            "created_at": "2001-01-01T00:00:00Z"})
    user = next(m["id"] for m in client.listing(other)
                if m["message_type"] == "user_message")
    client("PATCH", f"/v1/agents/{other}/messages/{user}",
           {"message_type": "user_message", "content": "not as it was"})
    return "put in behind them all", "not as it was"


def backed_up(home):
    """All bundles of the job, rows and settings, as one text."""
    index, = home.path("/var/backups/sanctumctl/home").glob("*/index.json")
    return "".join(p.read_text() for end in ("*.jsonl", "shell.json")
                   for p in index.parent.rglob(end))


@contextmanager
def edited_while_dumped(home, agent):
    """A row edited where it is, which no census of tables tells."""
    pg_dump = home.path(f"{BIN}/pg_dump")
    pg_dump.unlink()
    pg_dump.write_text(
        "#!/bin/sh\n"
        f"case $1 in --version) ;; *) {PG_BIN}/psql -Xq -h 127.0.0.1"
        f" -p {old_home.PG_PORT} -U postgres -d {old_home.DATABASE} -c"
        f" \"UPDATE agents SET description = '{NIGHT}' || description"
        f" WHERE id = '{agent}'\" >/dev/null;; esac\n"
        f'exec {PG_BIN}/pg_dump "$@"\n')
    pg_dump.chmod(0o755)
    yield
    pg_dump.unlink()
    pg_dump.symlink_to(PG_BIN / "pg_dump")


def copy_made_ns(home):
    copy, = home.path("/var/lib/sanctumctl/home").glob("home-*.dump")
    return copy.stat().st_mtime_ns


def what_is_written_behind_it_is_backed_up(home, job):
    """Stopped, and its database is the old one yet."""
    agent = home.seeded.ids[1]
    with edited_while_dumped(home, agent):
        refused = home.sanctumctl("apply", job)
    assert refused.rc == 75, refused.err
    assert f"agent {agent}" in refused.err, refused.err
    assert "nothing was dropped" in refused.err, refused.err
    assert NIGHT not in backed_up(home)
    made_ns = copy_made_ns(home)
    planned = home.sanctumctl("plan", job)
    assert "written to since it was stopped" in planned.out, planned
    said = kill_at(home, "plan_begun upgrade.home.database", "apply", job)
    assert "made again" in said.err, said.err
    assert NIGHT in backed_up(home) and copy_made_ns(home) > made_ns
    assert not home.listens(old_home.PORT)


def test_stop_survives_a_kill_at_each_of_its_changes(home):
    """So does its way back; what was written before is in the backup."""
    before = files(home)
    # One that may stay behind is backed up as any other.
    leave = {"leave": home.seeded.ids[0]}
    done = home.sanctumctl("apply", home.job(to=NEW, break_glass=None,
                                             upgrade=leave))
    assert done.rc == 2, done.err
    texts = write_unseen(home)
    assert [t for t in texts if t in backed_up(home)] == []
    job = home.job(to=NEW, upgrade=leave)
    everything = old_seed.everything(home.client())

    said = kill_at(home, f"journal_meta {STOP}.was", "apply", job)
    assert "made again" in said.err, said.err
    for agent in home.seeded.ids:
        assert agent in said.err, said.err
    assert "rows in the database" in said.err, said.err
    kill_at(home, "supervisord", "apply", job)
    home.path(LINGER).touch()
    kill_at(home, "service_supervisorctl", "apply", job)
    assert not home.path(LINGERED).exists()
    kill_at(home, f"plan_acted {STOP}", "apply", job)
    assert home.path(LINGERED).exists()
    home.path(LINGER).unlink()
    assert not home.listens(old_home.PORT)
    refused_for(home, job)
    assert home.supervisord.ctl("status") == ""
    assert [t for t in texts if t not in backed_up(home)] == []
    planned = home.sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    what_is_written_behind_it_is_backed_up(home, job)

    for point in ("journal_meta upgrade.home.down", "supervisord",
                  f"journal_meta {STOP}.was"):
        kill_at(home, point, "letta", "rollback", job)
    with another_manager(home):
        back = home.sanctumctl("letta", "rollback", job)
    assert back.rc == 0, back.err + back.out
    assert home.answers() == OLD and files(home) == before
    assert markers(home) == []
    home.psql(f"UPDATE agents SET description = replace(description, "
              f"'{NIGHT}', '')")
    after = old_seed.everything(home.client())
    assert [k for k in everything if after.get(k) != everything[k]] == []
