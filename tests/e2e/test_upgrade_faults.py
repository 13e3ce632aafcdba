"""What goes wrong in an upgrade, and what is as it was then.

One small home for all of them.  Each test leaves the old server as it has
found it.
"""

import json
import signal
import threading

import pytest

from bed import old_home, old_seed
from bed.old_home import OldHome
from bed.wait import wait_for

OLD_PASSWORD = "old-server-password"

#: What an upgrade or its rehearsal makes there.
PLACES = ("/root/state", "/opt/letta", "/etc/letta", "/var/lib/letta",
          "/var/lib/letta-rehearsal")

#: Where a job that names no other place has its bundles.
BACKUPS = "/var/backups/sanctumctl"

#: There from the moment on that a rehearsal has a database and a port.
REHEARSAL = "/var/lib/letta-rehearsal/environment"

#: More than the new version's embedding takes; the old one has it already.
TOO_LONG = "word " * 9000

#: Ends half-way, as when the disk is full.
HALF = """\
#!/bin/sh
# A stand-in of the test bed: pg_restore that writes a part and fails.
for word; do
	case $word in --list|-l|--version|-V) exec {real} "$@" ;; esac
done
{real} --section=pre-data "$@"
echo 'pg_restore: error: stand-in of the test bed, half-way' >&2
exit 1
"""


@pytest.fixture(scope="module")
def machine(bed):
    with OldHome(bed, "0.11.3", password=OLD_PASSWORD) as up:
        up.seeded = up.seed(2, 20, 2)
        up.before = old_seed.everything(up.client(OLD_PASSWORD))
        up.books = up.dump()
        up.had = up.databases()
        yield up


@pytest.fixture
def home(machine):
    """The machine, on which no job has done anything."""
    yield machine
    machine.run(["rm", "-rf", "/root/state", BACKUPS])


def as_before(home):
    """The old server answers as before, and nothing stands beside it."""
    assert home.answers() == "0.11.3"
    after = old_seed.everything(home.client(OLD_PASSWORD))
    assert sorted(after) == sorted(home.before)
    assert [k for k in after if after[k] != home.before[k]] == []
    assert home.databases() == home.had and home.dump() == home.books
    assert not home.path("/var/lib/letta-rehearsal").exists()
    assert "rehearsal" not in home.run(["supervisorctl", "status"],
                                       check=False).stdout


def other_agents(home, result):
    """Ids of the seeded agents that a run does not name."""
    return [one for one in home.seeded.ids if one not in result.err]


class Broken:
    """A row of one agent as no version would write it."""

    def __init__(self, home, agent_id):
        self.home, self.agent_id = home, agent_id

    def __enter__(self):
        self.home.psql(
            "UPDATE messages SET role = 'nobody' WHERE role = 'user' AND "
            f"agent_id = '{self.agent_id}' AND sequence_id = (SELECT "
            f"max(sequence_id) FROM messages WHERE role = 'user' AND "
            f"agent_id = '{self.agent_id}')")

    def __exit__(self, *_):
        self.home.psql("UPDATE messages SET role = 'user' "
                       "WHERE role = 'nobody'")


class Moved:
    """An agent that belongs to another user: the server does not list it."""

    ORG = "org-00000000-0000-4000-8000-0000000000aa"
    USER = "user-00000000-0000-4000-8000-0000000000bb"

    def __init__(self, home, agent_id):
        self.home, self.agent_id = home, agent_id

    def __enter__(self):
        self.home.psql(
            "INSERT INTO organizations (id, name, privileged_tools) VALUES "
            f"('{self.ORG}', 'other', false); INSERT INTO users (id, name, "
            f"organization_id) VALUES ('{self.USER}', 'Ann', '{self.ORG}'); "
            f"UPDATE agents SET organization_id = '{self.ORG}', "
            f"_created_by_id = '{self.USER}' WHERE id = '{self.agent_id}'")

    def __exit__(self, *_):
        self.home.psql(
            "UPDATE agents SET organization_id = o.id, _created_by_id = "
            f"u.id FROM organizations o, users u WHERE o.id <> '{self.ORG}' "
            f"AND u.id <> '{self.USER}' AND agents.id = '{self.agent_id}'; "
            f"DELETE FROM users WHERE id = '{self.USER}'; "
            f"DELETE FROM organizations WHERE id = '{self.ORG}'")


class Swollen:
    """A passage of one agent that the new version does not take."""

    def __init__(self, home, agent_id):
        self.home = home
        self.where = (
            "WHERE id = (SELECT min(p.id) FROM archival_passages p JOIN "
            "archives_agents a ON a.archive_id = p.archive_id WHERE "
            f"a.agent_id = '{agent_id}')")

    def __enter__(self):
        self.text = self.home.psql(
            f"SELECT text FROM archival_passages {self.where}")
        self.set(TOO_LONG)

    def __exit__(self, *_):
        self.set(self.text)

    def set(self, text):
        self.home.psql(f"UPDATE archival_passages SET text = $bed${text}$bed$"
                       f" {self.where}")


class Writer:
    """Somebody who changes a block of an agent again and again."""

    def __init__(self, home, agent_id):
        self._home, self._client = home, home.client(OLD_PASSWORD)
        self._block = self._client(
            "GET", f"/v1/agents/{agent_id}/core-memory/blocks")[0]
        self._end, self.written = threading.Event(), 0
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self._thread.start()
        wait_for("the first word of the writer", lambda: self.written)
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._put(self._block["value"])
        # It says when it was written to last.
        self._home.before = old_seed.everything(self._client)

    def _put(self, value):
        self._client("PATCH", f"/v1/blocks/{self._block['id']}",
                     {"value": value})

    def _write(self):
        while not self._end.wait(0.05):
            self.written += 1
            self._put(f"{self._block['value']} {self.written}")


def test_a_wrong_password_changes_nothing(home):
    wrong = home.uri(password="not-the-password")
    home.path("/root/wrong.uri").write_text(f"{wrong}\n")
    home.path("/root/wrong.uri").chmod(0o600)
    at_server = home.sanctumctl("apply", home.job(),
                                env={old_home.OLD_TOKEN: "not-the-token"})
    assert at_server.rc == 12, at_server.err
    for key in ("database", "database_admin"):
        at_database = home.sanctumctl("apply", home.job(old={
            key: "file:/root/wrong.uri"}))
        assert at_database.rc == 12, at_database.err
        assert "not-the-password" not in at_database.err
    as_before(home)
    assert not any(home.path(p).exists() for p in PLACES[1:])


def test_the_disk_of_the_backup_is_full(home):
    home.run(["mkdir", "-p", "/mnt/small"])
    home.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
              "/mnt/small"])
    try:
        job = home.job(upgrade={"backup": "/mnt/small/backup"},
                       break_glass=None)
        full = home.sanctumctl("apply", job)
        assert full.rc == 1, full.err
        assert "no space left on the filesystem /mnt/small" in full.err
        home.run(["mount", "-o", "remount,size=64m", "/mnt/small"])
        # The same command goes on, and comes to what it has no leave for.
        again = home.sanctumctl("apply", job)
        assert again.rc == 2 and "break_glass" in again.err, again.err
        checked = home.sanctumctl("letta", "check", "/mnt/small/backup")
        assert checked.rc == 0, checked.err
    finally:
        home.run(["umount", "/mnt/small"])
    as_before(home)


def test_the_agents_of_other_users_do_not_go_with_the_database(home):
    """They are named before anything is stopped, and may be left."""
    _, other = home.seeded.ids
    with Moved(home, other):
        refused = home.sanctumctl("apply", home.job())
        assert refused.rc == 3, refused.err
        assert not home.path(BACKUPS).exists()
        assert f"{other} (" in refused.err, refused.err
        assert (f") of {Moved.USER} (Ann) in {Moved.ORG}, "
                in refused.err), refused.err
        assert "leave" in refused.err and home.answers() == "0.11.3"
        left = home.sanctumctl("apply", home.job(upgrade={"leave": other},
                                                 break_glass=None))
        assert left.rc == 2 and "break_glass" in left.err, left.err
        backup, = home.path(f"{BACKUPS}/home").glob("letta-backup-*")
        assert backup.stat().st_mode & 0o777 == 0o700
        whats = {one["what"] for one in json.loads(
            (backup / "index.json").read_text())["losses"]}
        assert {"2 users", "2 organizations"} <= whats, whats
        told = home.sanctumctl("plan", home.job(upgrade={"leave": other}))
        assert told.out.count("\n      2 users: do not come back") + (
            told.out.count("\n          2 users: do not come back")) == 2, (
            told.out)
        again = home.sanctumctl("plan", home.job())
        assert again.rc == 3 and other in again.err, again.err
    as_before(home)


def test_leave_hides_no_write_to_an_agent_that_can_be_read(home):
    one, bad = home.seeded.ids
    with Broken(home, bad):
        assert home.sanctumctl("apply", home.job()).rc == 3
    with Writer(home, one):
        pass
    planned = home.sanctumctl("plan", home.job(
        upgrade={"leave": f"{one} {bad}"}))
    assert "1 agents have changed since" in planned.out, planned.out
    as_before(home)


def test_an_agent_that_cannot_be_exported_is_left_and_the_rest_rehearsed(home):
    good, bad = home.seeded.ids
    with Broken(home, bad):
        stopped = home.sanctumctl("apply", home.job())
        assert stopped.rc == 3 and bad in stopped.err, stopped.err
        assert "leave" in stopped.err, stopped.err
        assert home.answers() == "0.11.3"
        left = home.job(upgrade={"leave": bad, "rehearse": "yes"},
                        break_glass=None)
        killed = home.spawn_sanctumctl("apply", left)
        wait_for("a rehearsal", home.path(REHEARSAL).exists)
        killed.stop(signal.SIGKILL)
        assert any("rehearsal" in one for one in home.databases())
        # Taken away, made anew, and then there is no leave for what follows.
        again = home.sanctumctl("apply", left)
        assert again.rc == 2 and "break_glass" in again.err, again.err
        assert "1 of 1 agents the same" in again.out, again.out
        same = home.sanctumctl("plan", left)
        assert "1 of 1 agents the same" in same.out, same
        # A rehearsal of another server is none of this one.
        other = home.sanctumctl("plan", home.job(
            upgrade={"leave": bad, "rehearse": "yes"}, break_glass=None,
            env={"LETTA_PG_POOL_SIZE": "20"}))
        assert "every agent restored to a server" in other.out, other
    as_before(home)


def test_what_lacks_for_a_rehearsal_is_said(home):
    home.path("/root/meminfo").write_text("MemAvailable:  900000 kB\n")
    home.run(["mount", "--bind", "/root/meminfo", "/proc/meminfo"])
    try:
        for word, code in (("auto", 4), ("yes", 1)):
            said = home.sanctumctl("plan", home.job(
                upgrade={"rehearse": word}))
            assert said.rc == code, said.err
            assert "878 MiB of memory are" in said.out + said.err, said.out
    finally:
        home.run(["umount", "/proc/meminfo"])


def test_who_writes_during_a_backup_is_named(home):
    writer = home.seeded.ids[1]
    job = home.job()
    with Writer(home, writer):
        backup = home.sanctumctl(
            "letta", "backup", f"{job}#old", "/root/backup")
        assert backup.rc == 3, backup.err
        assert other_agents(home, backup) == home.seeded.ids[:1], backup.err
        # Nothing is taken from somebody who is at work.
        tried = home.sanctumctl("apply", job)
        assert tried.rc == 75 and writer in tried.err, tried.err
        assert home.answers() == "0.11.3"
    home.run(["rm", "-rf", "/root/backup"])
    as_before(home)


def test_an_agent_that_is_refused_stops_at_the_rehearsal(home):
    refused = home.seeded.ids[1]
    with Swollen(home, refused):
        tried = home.sanctumctl("apply", home.job(
            upgrade={"rehearse": "yes"}))
        assert tried.rc == 3, tried.err
        assert "rehearse" in tried.err, tried.err
        assert home.answers() == "0.11.3"
    as_before(home)


class HalfRestore:
    """The machine's pg_restore, until it is put back, is HALF."""

    def __init__(self, home):
        self._path = home.path(f"{old_home.BIN}/pg_restore")

    def __enter__(self):
        self._real = self._path.readlink()
        self._path.unlink()
        self._path.write_text(HALF.format(real=self._real))
        self._path.chmod(0o755)

    def __exit__(self, *_):
        self._path.unlink()
        self._path.symlink_to(self._real)


def test_a_broken_version_a_refused_agent_and_a_rollback_that_fails(home):
    refused = home.seeded.ids[1]
    with Swollen(home, refused):
        # As it would be with `rehearse = yes' before anything stops.
        job = home.job(env={"LETTA_PG_POOL_SIZE": "many"})
        broken = home.sanctumctl("letta", "upgrade", job)
        assert broken.rc == 1 and "pg_pool_size" in broken.err, broken.err
        assert f"letta rollback {job}" in broken.err, broken.err
        assert home.answers() is None

        # A line that is taken out of the job goes from the file, too.
        done = home.sanctumctl("letta", "upgrade", home.job())
        assert done.rc == 3 and "letta rollback" in done.err, done.err
        assert home.answers() == "0.16.2"
        # Closed until all are back, so by what the job has drawn.
        drawn, = (one.split("=", 1)[1].strip("'\"") for one in home.path(
            "/etc/letta/letta.env").read_text().splitlines()
            if one.startswith("LETTA_SERVER_PASSWORD="))
        new = home.client(drawn)
        names = [a["name"] for a in new("GET", "/v1/agents/?limit=100")]
        assert old_seed.MAPPED_NAME in names, names
        assert "sage 01" not in names, names

        with HalfRestore(home):
            failed = home.sanctumctl("letta", "rollback", job)
            assert failed.rc == 1 and "half-way" in failed.err, failed.err
            assert home.answers() is None
        back = home.sanctumctl("letta", "rollback", job)
        assert back.rc == 0, back.err
    as_before(home)
