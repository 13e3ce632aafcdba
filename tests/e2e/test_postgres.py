"""The database of an upgrade: copied, made anew, brought back.

PostgreSQL and its programs are real; the tables are made by hand and no
Letta is there, so a job's other steps are never reached (bed/old_database.py).
"""

import os
from pathlib import Path

import pytest

from bed import jobs
from bed.old_database import ADMIN, ADMIN_URI, LETTA, OldDatabase, URI
from bed.paths import TOP

STEPS = "upgrade.home."


@pytest.fixture(scope="module")
def server(src):
    up = OldDatabase(src)
    try:
        yield up.start()
    finally:
        up.stop()


@pytest.fixture
def old(server):
    yield server
    server.reset()


@pytest.fixture
def faults():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name another")
    return path


@pytest.fixture
def write_job(src, tmp_path):
    """Function that writes the job; keys are those of the old server."""
    def write(uri=URI, admin=ADMIN_URI, glass="yes", **keys):
        for name, text in (("uri", uri), ("admin", admin or "")):
            path = tmp_path / name
            path.write_text(text)
            path.chmod(0o600)
        there = {"host": "node1", "url": "http://127.0.0.1:9"}
        return jobs.write(tmp_path / "up.conf", [
            jobs.job("upgrade", "up", break_glass=glass),
            jobs.host("node1", src),
            ("letta old", {
                **there, "token": f"env:{jobs.SOURCE_TOKEN}",
                "database": f"file:{tmp_path}/uri",
                "database_admin": f"file:{tmp_path}/admin" if admin
                                  else None, **keys}),
            ("letta new", {**there, "version": "0.16.2", "runtime": "venv",
                           "redis": "none"}),
            ("upgrade home", {"from": "old", "to": "new"})])
    return write


def no_secret(run, *said):
    kept = b"".join(p.read_bytes() for p in run.state.rglob("*")
                    if p.is_file())
    for secret in (LETTA, ADMIN, "hunter3%2Fof"):
        assert secret.encode() not in kept
        assert all(secret not in one.out + one.err for one in said)


DUMP = "/var/lib/sanctumctl/up/home.dump"


def asides(server):
    return server.sql("SELECT count(*) FROM pg_database WHERE datname ~ "
                      "'^sanctumctl'")


def test_made_anew_and_brought_back(old, write_job, sanctumctl):
    before = (old.contents(), old.properties(), old.contents("shop"))
    planned = sanctumctl("plan", write_job(glass=None))
    assert 'DROP DATABASE IF EXISTS "letta" WITH (FORCE);' in planned.out
    assert "not without `break_glass = yes'" in planned.out
    refused = sanctumctl("apply", write_job(glass=None))
    assert refused.rc == 2 and "break_glass = yes" in refused.err
    assert (old.contents(), old.properties()) == before[:2]

    job, oid = write_job(), old.oid()
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    meta = old.host.path(DUMP).stat()
    assert meta.st_mode & 0o777 == 0o600 and meta.st_uid == 0
    assert old.oid() != oid and old.properties() == before[1]
    assert old.sql("SELECT extname FROM pg_extension ORDER BY 1",
                   "letta") == "plpgsql\nvector"
    assert old.contents("shop") == before[2] and asides(old) == "0"
    again = sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out

    restore_dies(old, sanctumctl, job, before)
    back = sanctumctl("cancel", job)
    assert back.rc == 0, back.err
    assert (old.contents(), old.properties(), old.contents("shop")) == before
    assert asides(old) == "0" and old.host.path(DUMP).exists()
    no_secret(sanctumctl, planned, refused, done, again, back)


def restore_dies(old, sanctumctl, job, before):
    """Neither a spoiled copy nor half a restore costs what is there."""
    new = old.oid()
    copy = old.host.path(DUMP)
    data = copy.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    spoiled = sanctumctl("cancel", job)
    assert spoiled.rc == 15 and "SHA-256" in spoiled.err
    copy.write_bytes(data)
    old.stand_in("pg_restore", 'head -c 9000 | "$real" "$@"\nkill -9 $$')
    try:
        died = sanctumctl("cancel", job)
    finally:
        old.put_back("pg_restore")
    assert died.rc == 1 and "`rollback' goes on" in died.err, died.err
    assert old.oid() == new and asides(old) == "0"


def test_the_default_of_sequence_id(old, write_job, sanctumctl):
    job = write_job()
    assert sanctumctl("apply", job).rc == 0
    old.sql("SET ROLE letta; CREATE TABLE messages (id text, sequence_id "
            "bigint NOT NULL); INSERT INTO messages VALUES ('a', 41)",
            "letta")
    planned = sanctumctl("plan", job)
    assert "ALTER COLUMN sequence_id SET DEFAULT" in planned.out
    refused = sanctumctl("apply", write_job(glass=None))
    assert refused.rc == 2, refused.err
    assert sanctumctl("apply", write_job()).rc == 0
    old.sql("INSERT INTO messages VALUES ('b')", "letta")
    assert old.sql("SELECT max(sequence_id) FROM messages", "letta") == "42"
    assert "nothing to do" in sanctumctl("apply", job).out


@pytest.fixture
def killed(sanctumctl, faults):
    """Function that runs a verb until the n-th point; it must get there."""
    def kill(verb, job, n):
        r = sanctumctl(verb, job, program=faults,
                       env={"SANCTUMCTL_FAULT_STOP": str(n)})
        assert r.rc == 99, (verb, n, r)
    return kill


def test_killed_on_the_way_and_back(old, write_job, sanctumctl, killed):
    before = (old.contents(), old.properties(), old.contents("shop"))
    job, absent = write_job(), 0
    # The copy: made anew until its step has ended; then up to the new
    # database's oid; then, from run to run, one point on.
    for n in (8, 9, 10, 13, 15, 16, 4, 2, 3, 4, 5, 6, 7, 8, 5, 4, 3):
        killed("apply", job, n)
        absent += old.oid() == ""
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    assert absent and old.properties() == before[1]
    assert old.sql("SELECT count(*) FROM pg_class WHERE relname = 'agents'",
                   "letta") == "0"
    for n in (2, 3, 4, 2, 3, 2, 4):
        killed("cancel", job, n)
        absent += old.oid() == ""
    back = sanctumctl("cancel", job)
    assert back.rc == 0, back.err
    assert absent >= 2 and asides(old) == "0"
    assert (old.contents(), old.properties(), old.contents("shop")) == before


def test_no_room_for_the_copy(old, write_job, sanctumctl):
    job, oid = write_job(), old.oid()
    old.host.run(["mkdir", "-p", "/var/lib/sanctumctl"])
    mount = ["mount", "-t", "tmpfs", "-o"]
    old.host.run([*mount, "size=8m", "small", "/var/lib/sanctumctl"])
    old.stand_in("pg_dump", "case $1 in --version) exec $real $1; esac\n"
                 "dd if=/dev/zero of=/var/lib/sanctumctl/full bs=64k "
                 '2>/dev/null\nexec "$real" "$@"')
    try:
        small = sanctumctl("apply", job)
        old.host.run([*mount, "remount,size=120m", "/var/lib/sanctumctl"])
        full = sanctumctl("apply", job)
        left = sorted(p.name for p in old.host.path(DUMP).parent.iterdir())
    finally:
        old.put_back("pg_dump")
        old.host.run(["umount", "/var/lib/sanctumctl"])
    assert small.rc == 1 and "make room there" in small.err, small.err
    assert full.rc == 1 and "No space left" in full.err, full.err
    assert left == [] and old.oid() == oid
    back = sanctumctl("cancel", job)
    assert back.rc == 0 and old.oid() == oid and asides(old) == "0"


def test_others_who_write(old, write_job, sanctumctl, killed):
    job, oid = write_job(), old.oid()
    killed("apply", job, 22)
    old.sql("UPDATE messages SET updated_at = '2031-01-01' WHERE id = "
            "'message-3'", "letta")
    moved = sanctumctl("apply", job)
    assert moved.rc == 15 and "messages agent-1" in moved.err, moved.err
    assert old.oid() == oid
    old.host.path(DUMP).unlink()
    for n in (34, 12):
        pass
    killed("apply", job, 28)
    assert False
