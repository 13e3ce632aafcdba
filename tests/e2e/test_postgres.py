"""The database of an upgrade: copied, made anew, brought back.

PostgreSQL and its programs are real; the tables are made by hand and no
Letta is there (bed/old_database.py).  So tests/unit/drive_upgrade runs these
steps of the job alone.
"""

import os
from pathlib import Path

import pytest

from bed import jobs
from bed.old_database import (ADMIN, ADMIN_URI, AGENT, LETTA, OldDatabase,
                              PORT, PROGRAMS, URI)
from bed.paths import TOP
from bed.postgres import BIN
from bed.wait import wait_for

WRONG = "hunter9-is-wrong"

#: No server is here that would list them.
ALL = " ".join(f"{AGENT}{n}" for n in (1, 2, 3))


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


def driver(beside):
    path = Path(beside).resolve().parent / "tests/unit/drive_upgrade"
    if not path.is_file():
        pytest.fail(f"{path} is not built: make {path.name} there")
    return path


@pytest.fixture
def faults():
    return driver(os.environ.get("SANCTUMCTL_FAULTS")
                  or TOP / "build/faults/sanctumctl")


@pytest.fixture
def drive(sanctumctl, program_path, monkeypatch):
    """Function as sanctumctl(), of the steps of the database alone."""
    monkeypatch.setenv("SANCTUMCTL_REMOTE",
                       str(program_path.parent / "sanctumctl-remote"))

    def run(verb, job, program=driver(program_path), **more):
        return sanctumctl(verb, job, program=program, **more)

    run.state = sanctumctl.state
    return run


@pytest.fixture
def write_job(src, tmp_path):
    """Function that writes the job; keys are those of the old server."""
    def write(uri=URI, admin=ADMIN_URI, glass="yes", other=None, leave=ALL,
              **keys):
        for name, text in (("uri", uri), ("admin", admin or ""),
                           ("other", other or "")):
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
            ("letta new", {
                **there, "version": "0.16.2", "redis": "none",
                "database": f"file:{tmp_path}/other" if other else None,
                "runtime": "compose" if "compose" in keys else "venv"}),
            ("upgrade home", {"from": "old", "to": "new",
                              "backup": f"{tmp_path}/backup",
                              "leave": leave})])
    return write


def no_secret(run, *said):
    kept = b"".join(p.read_bytes() for p in run.state.rglob("*")
                    if p.is_file())
    for secret in (LETTA, ADMIN, WRONG, "hunter3%2Fof", "hunter4"):
        assert secret.encode() not in kept
        assert all(secret not in one.out + one.err for one in said)


DUMPS = "/var/lib/sanctumctl/up"


def dump(server):
    """The safety copy; its name has the job's mark."""
    copy, = server.host.path(DUMPS).glob("home-????????????.dump")
    return copy


def asides(server):
    return server.sql("SELECT count(*) FROM pg_database WHERE datname ~ "
                      "'^sanctumctl'")


def test_made_anew_and_brought_back(old, write_job, drive):
    before = (old.contents(), old.properties(), old.contents("shop"))
    planned = drive("plan", write_job(glass=None))
    for said in ('ALTER DATABASE "letta" RENAME TO "sanctumctl_old_',
                 'DROP DATABASE IF EXISTS "sanctumctl_old_',
                 'DROP DATABASE IF EXISTS "sanctumctl_new_',
                 'DROP DATABASE IF EXISTS "letta" WITH (FORCE);'):
        assert said in planned.out, said
    assert "SET \"app.jwt_secret\" TO E'***';" in planned.out
    assert "not without `break_glass = yes'" in planned.out
    refused = drive("apply", write_job(glass=None))
    assert refused.rc == 2 and "break_glass = yes" in refused.err
    assert (old.contents(), old.properties()) == before[:2]

    job, oid = write_job(), old.oid()
    done = drive("apply", job)
    assert done.rc == 0, done.err
    meta = dump(old).stat()
    assert meta.st_mode & 0o777 == 0o600 and meta.st_uid == 0
    properties = dump(old).with_suffix(".dump.properties")
    assert properties.stat().st_mode & 0o777 == 0o600
    assert old.oid() != oid and old.properties() == before[1]
    assert old.sql("SELECT extname FROM pg_extension ORDER BY 1",
                   "letta") == "plpgsql\nvector"
    assert old.contents("shop") == before[2] and asides(old) == "0"
    again = drive("apply", job)
    assert again.rc == 0 and "\n0 steps" in again.out

    restore_dies(old, drive, job, before)
    back = drive("cancel", job)
    assert back.rc == 0, back.err
    assert (old.contents(), old.properties(), old.contents("shop")) == before
    assert asides(old) == "0" and dump(old) and not properties.exists()
    no_secret(drive, planned, refused, done, again, back)


def restore_dies(old, drive, job, before):
    """Neither a spoiled copy nor half a restore costs what is there."""
    new = old.oid()
    copy = dump(old)
    data = copy.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    spoiled = drive("cancel", job)
    assert spoiled.rc == 15 and "SHA-256" in spoiled.err
    copy.write_bytes(data)
    old.stand_in("pg_restore", 'head -c 9000 | "$real" "$@"\nkill -9 $$')
    try:
        died = drive("cancel", job)
    finally:
        old.put_back("pg_restore")
    assert died.rc == 1 and "`rollback' goes on" in died.err, died.err
    assert old.oid() == new and asides(old) == "0"


def test_whatever_is_written_moves_the_rows_of_its_agent(old, write_job,
                                                         drive):
    job = write_job()

    def rows():
        done = drive("rows", job)
        assert done.rc == 0, done.err
        return {line.split("\t")[0]: line for line in done.out.splitlines()}

    old.sql("SET ROLE letta; CREATE TABLE block (id text, value text); INSERT"
            " INTO block VALUES ('block-1', 'x'), ('block-2', 'x')", "letta")
    before = rows()
    assert sorted(before) == ALL.split()
    # Its row, 133 messages, 20 passages, a link and what it links.
    assert before[f"{AGENT}1"].split("\t")[1] == str(1 + 133 + 20 + 1 + 1)
    writes = {
        f"{AGENT}3": "UPDATE messages SET text = 'edited' WHERE id = "
                     "'message-2'",
        f"{AGENT}2": "DELETE FROM messages WHERE id = 'message-1'; INSERT INTO "
                     "messages (id, agent_id, updated_at) VALUES "
                     f"('message-1', '{AGENT}2', '2001-01-01')",
        f"{AGENT}1": "UPDATE block SET value = 'y' WHERE id = 'block-1'"}
    for agent, sql in writes.items():
        old.sql(sql, "letta")
        after = rows()
        assert [a for a in after if after[a] != before[a]] == [agent], sql
        before = after
    # What writes nothing: a reader, the manager's own cleaning.
    old.sql("UPDATE block SET value = 'z' WHERE id = 'block-2'", "letta")
    old.sql("VACUUM FULL messages; VACUUM FREEZE", "letta")
    assert rows() == before


def test_an_agent_that_is_in_no_backup_is_not_dropped(old, write_job, drive):
    """Another user's: the server has not listed it."""
    old.sql("""SET ROLE letta;
        CREATE TABLE users (id text, name text);
        INSERT INTO users VALUES ('user-2', 'Ann');
        ALTER TABLE agents ADD _created_by_id text, ADD is_deleted bool;
        INSERT INTO agents (id, name, is_deleted) VALUES ('x', 'x', true);
        UPDATE agents SET _created_by_id = 'user-2'""", "letta")
    oid = old.oid()
    refused = drive("apply", write_job(leave=f"{AGENT}1 {AGENT}2"))
    assert refused.rc == 3, refused.err
    assert "1 agents that the server does not list" in refused.err
    assert (f"{AGENT}3 (sage 3) of user-2 (Ann) in -, 133 messages."
            in refused.err), refused.err
    assert old.oid() == oid and asides(old) == "0"
    assert drive("apply", write_job()).rc == 0 and old.oid() != oid


def test_the_default_of_sequence_id(old, write_job, drive, killed):
    job = write_job()
    assert drive("apply", job).rc == 0
    old.sql("SET ROLE letta; CREATE TABLE messages (id text, sequence_id "
            "bigint NOT NULL); INSERT INTO messages VALUES ('a', 41)",
            "letta")
    planned = drive("plan", job)
    assert "ALTER COLUMN sequence_id SET DEFAULT" in planned.out
    refused = drive("apply", write_job(glass=None))
    assert refused.rc == 2, refused.err
    for at in ("plan_begun", "plan_acted"):
        killed("apply", write_job(), f"{at} upgrade.home.sequence")
    assert drive("apply", write_job()).rc == 0
    old.sql("INSERT INTO messages VALUES ('b')", "letta")
    assert old.sql("SELECT max(sequence_id) FROM messages", "letta") == "42"
    assert "\n0 steps" in drive("apply", job).out


def test_a_rollback_asks_for_what_was_written_since(old, write_job, drive):
    job, oid = write_job(), old.oid()
    assert drive("back", job).rc == 0
    assert drive("apply", job).rc == 0
    old.sql("SET ROLE letta; CREATE TABLE agents (id text, name text, "
            "updated_at timestamptz DEFAULT now()); CREATE TABLE messages ("
            "id text, agent_id text, updated_at timestamptz DEFAULT now());"
            "CREATE TABLE tools (id text, updated_at timestamptz DEFAULT "
            "now()); INSERT INTO agents VALUES ('agent-1', 'Sage'), "
            "('agent-2', 'Thalia'); INSERT INTO tools VALUES ('tool-1'); "
            "INSERT INTO messages VALUES ('a', 'agent-1')", "letta")
    # Half restored: nobody is asked.
    assert drive("back", job).rc == 0
    assert drive("restored", job).rc == 0
    old.sql("UPDATE tools SET updated_at = now()", "letta")
    assert drive("back", job).rc == 0
    old.sql("UPDATE messages SET agent_id = 'agent-2'", "letta")
    asked = drive("back", job)
    assert asked.rc == 15 and "tables:" not in asked.err, asked.err
    assert "Thalia (agent-2), messages: 1, new" in asked.err, asked.err
    old.sql("UPDATE messages SET agent_id = 'agent-1'", "letta")
    old.sql("INSERT INTO messages VALUES ('b', 'agent-1')", "letta")
    # Noted once: what came since is not taken for its own.
    assert drive("restored", job).rc == 0
    asked = drive("back", job)
    assert asked.rc == 15 and "nothing was taken back" in asked.err
    assert "Sage (agent-1), messages: 2, had 1" in asked.err, asked.err
    assert "tables: messages: 2, had 1" in asked.err
    assert "Thalia" not in asked.err and "tools" not in asked.err
    said = drive("discard", job)
    assert said.rc == 0 and "Sage (agent-1)" in said.err, said.err

    other = old.host.path("/var/lib/sanctumctl/upgrades/0123456789ab.json")
    other.parent.mkdir()
    other.write_text('{"job": "next", "file": "/root/next.conf", "database": '
                     f'"127.0.0.1:{PORT}/letta"}}\n')
    refused = drive("discard", job)
    assert refused.rc == 15, refused.err
    assert "job next upgrades this server" in refused.err, refused.err
    other.unlink()
    old.sql('ALTER DATABASE letta RENAME TO mine; CREATE DATABASE letta')
    refused = drive("discard", job)
    assert refused.rc == 15 and "neither found nor made" in refused.err
    old.sql('DROP DATABASE letta; ALTER DATABASE mine RENAME TO letta')

    copy = dump(old)
    data = copy.read_bytes()
    copy.unlink()
    gone = drive("discard", job)
    assert gone.rc == 15 and "there is no way back" in gone.err, gone.err
    copy.write_bytes(data)
    assert drive("cancel", job).rc == 0 and old.oid() != oid
    assert drive("back", job).rc == 0


@pytest.fixture
def killed(drive, faults):
    """Function that runs a verb until its first point of a name."""
    def kill(verb, job, name):
        r = drive(verb, job, program=faults,
                  env={"SANCTUMCTL_FAULT_STOP": name})
        assert r.rc == 99, (verb, name, r)
    return kill


def aside(server, what):
    return server.sql("SELECT datname FROM pg_database WHERE datname ~ "
                      f"'^sanctumctl_{what}_'")


def test_killed_on_the_way_and_back(old, write_job, drive, killed):
    before = (old.contents(), old.properties(), old.contents("shop"))
    job, oid = write_job(), old.oid()
    # Each goes on from where the one before was killed.
    for at, there in (("host_run", oid), ("host_rename", oid),
                      ("host_replace", oid), ("database_whole", oid),
                      ("database_aside", ""), ("host_run", None),
                      ("host_run", None)):
        killed("apply", job, at)
        assert there in (None, old.oid()), at
    assert old.oid() not in ("", oid) and asides(old) == "0"
    done = drive("apply", job)
    assert done.rc == 0, done.err
    assert old.properties() == before[1] and asides(old) == "0"
    assert old.sql("SELECT count(*) FROM pg_class WHERE relname = 'agents'",
                   "letta") == "0"
    new = old.oid()
    for at, there in (("host_run", new), ("database_whole", new),
                      ("host_run", ""), ("database_back", None),
                      ("host_run", None)):
        killed("cancel", job, at)
        assert there in (None, old.oid()), at
    back = drive("cancel", job)
    assert back.rc == 0, back.err
    assert asides(old) == "0"
    assert (old.contents(), old.properties(), old.contents("shop")) == before


def test_what_came_back_is_counted_after_a_kill(old, write_job, drive,
                                                killed):
    before, job = old.contents(), write_job()
    assert drive("apply", job).rc == 0
    new = old.oid()
    killed("cancel", job, "database_whole")
    old.sql("DELETE FROM messages WHERE id = 'message-3'",
            aside(old, "restore"))
    spoiled = drive("cancel", job)
    assert spoiled.rc == 14 and "not what was dumped" in spoiled.err, spoiled
    assert old.oid() == new and asides(old) == "0"
    assert drive("cancel", job).rc == 0 and old.contents() == before


def test_the_old_one_is_there_until_the_last(old, write_job, drive, killed):
    """Somebody writes to it, then is in the new one; the way back is short."""
    job, oid = write_job(), old.oid()
    killed("apply", job, "database_aside")
    old.sql("UPDATE messages SET updated_at = '2031-01-01' WHERE id = "
            "'message-3'", aside(old, "old"))
    moved = drive("apply", job)
    assert moved.rc == 15 and f"messages {AGENT}1" in moved.err, moved.err
    assert old.oid() == oid
    dump(old).unlink()
    killed("apply", job, "database_aside")
    assert old.oid() == "" and old.oid(aside(old, "old")) == oid
    copy = dump(old)
    away = copy.rename(copy.with_suffix(".away"))
    planned = drive("plan", job)
    assert "the old database still is" in planned.out, planned
    assert drive("back", job).rc == 0
    away.rename(copy)
    someone = old.host.spawn(
        [BIN / "psql", "-Xqc", "SELECT pg_sleep(600)",
         f"postgresql://boss:hunter3%2Fof%40boss@127.0.0.1:{PORT}/"
         + aside(old, "new")])
    try:
        wait_for("a session in the new database", lambda: old.sql(
            "SELECT 1 FROM pg_stat_activity WHERE usesysid IS NOT NULL AND "
            "datname ~ '^sanctumctl_new_'"))
        killed("apply", job, "database_placed")
        assert old.oid() not in ("", oid)
    finally:
        someone.stop()
    back = drive("cancel", job)
    assert back.rc == 0 and old.oid() == oid, back
    assert asides(old) == "0"


def test_a_copy_that_cannot_be_read_drops_nothing(old, write_job, drive):
    """Its list is whole, and the last of its data is not."""
    job, oid = write_job(), old.oid()
    old.stand_in("pg_dump", "case $1 in --version) exec $real $1; esac\n"
                 '"$real" "$@" | head -c -500')
    try:
        short = drive("apply", job)
    finally:
        old.put_back("pg_dump")
    assert short.rc == 1 and "check the dump" in short.err, short
    assert old.oid() == oid and asides(old) == "0"
    assert list(old.host.path(DUMPS).glob("*.dump")) == []
    done = drive("apply", job)
    assert done.rc == 0, done.err


def test_no_room_for_the_copy(old, write_job, drive):
    job, oid = write_job(), old.oid()
    old.host.run(["mkdir", "-p", "/var/lib/sanctumctl"])
    mount = ["mount", "-t", "tmpfs", "-o"]
    old.host.run([*mount, "size=8m", "small", "/var/lib/sanctumctl"])
    old.stand_in("pg_dump", "case $1 in --version) exec $real $1; esac\n"
                 "dd if=/dev/zero of=/var/lib/sanctumctl/full bs=64k "
                 '2>/dev/null\nexec "$real" "$@"')
    try:
        small = drive("apply", job)
        old.host.run([*mount, "remount,size=120m", "/var/lib/sanctumctl"])
        full = drive("apply", job)
        left = sorted(p.name for p in old.host.path(DUMPS).iterdir())
    finally:
        old.put_back("pg_dump")
        old.host.run(["umount", "/var/lib/sanctumctl"])
    assert small.rc == 1 and "make room there" in small.err, small.err
    assert full.rc == 1 and "No space left" in full.err, full.err
    assert left == [] and old.oid() == oid
    back = drive("cancel", job)
    assert back.rc == 0 and old.oid() == oid and asides(old) == "0"


def test_others_who_write(old, write_job, drive, killed):
    job, oid = write_job(), old.oid()
    killed("apply", job, "database_whole")
    old.sql("UPDATE messages SET updated_at = '2031-01-01' WHERE id = "
            "'message-3'", "letta")
    moved = drive("apply", job)
    assert moved.rc == 15 and f"messages {AGENT}1" in moved.err, moved.err
    assert old.oid() == oid
    dump(old).unlink()
    killed("apply", job, "database_placed")
    old.sql("UPDATE sold SET what = 'nothing' WHERE n = 7", "shop")
    seen = drive("apply", job)
    assert seen.rc == 14 and "shop.public.sold" in seen.err, seen.err
    assert "other contents in its 300 rows" in seen.err
    # It goes on writing: that was reported, and stops nobody any more.
    old.sql("UPDATE sold SET what = 'less' WHERE n = 7", "shop")
    done = drive("apply", job)
    assert done.rc == 0, done.err
    assert "but for what was reported of shop" in done.out
    killed("cancel", job, "database_back")
    old.sql("UPDATE sold SET what = 'more' WHERE n = 7", "shop")
    back = drive("cancel", job)
    assert back.rc == 0 and "shop.public.sold" in back.err, back


def test_a_database_that_lets_nobody_in(old, write_job, drive):
    """By pg_hba.conf: the same as without the right to connect."""
    rules = old.host.path("/srv/old-database/pg_hba.conf")
    text = rules.read_text()

    def set_rules(first):
        loaded = old.sql("SELECT pg_conf_load_time()")
        rules.write_text(first + text)
        old.sql("SELECT pg_reload_conf()")
        wait_for("pg_hba.conf to be read", lambda: old.sql(
            "SELECT pg_conf_load_time()") != loaded)

    set_rules("host shop boss 127.0.0.1/32 reject\n")
    try:
        done = drive("apply", write_job())
    finally:
        set_rules("")
    assert done.rc == 0, done.err
    assert "1 not readable and not compared" in done.out


@pytest.mark.parametrize("uri, admin, rc, says", [
    (URI.replace(LETTA, WRONG), None, 12, "authentication failed"),
    (URI, ADMIN_URI.replace("hunter3", WRONG), 12, "authentication failed"),
    (URI, None, 1, "ALTER ROLE letta CREATEDB"),
    (URI.replace("15999", "15998"), None, 10, "Connection refused"),
    (URI[:-1] + "e", None, 1, "does not exist"),
    (URI.replace(":15999", f":{WRONG}"), None, 2, "a port that is no"),
], ids=["password", "admin", "createdb", "port", "name", "uri"])
def test_refused_before_anything_is_made(old, write_job, drive, uri,
                                         admin, rc, says):
    oid = old.oid()
    r = drive("apply", write_job(uri, admin))
    assert r.rc == rc and says in r.err, r
    assert old.oid() == oid and asides(old) == "0"
    assert WRONG not in r.out + r.err
    no_secret(drive, r)


def test_tables_in_another_schema(old, write_job, drive):
    """Else each count would be empty, and the same as the one before."""
    old.sql("ALTER SCHEMA public RENAME TO mine; CREATE SCHEMA public",
            "letta")
    r = drive("apply", write_job())
    assert "public.messages are not there" in r.err, r
    assert asides(old) == "0" and not old.host.path(DUMPS).exists()


#: Whoever calls it as a superuser runs a program on the host, in a
#: transaction that is read only, too; SET ROLE is taken back before.
TRAP = """
CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$BEGIN
    BEGIN
        RESET ROLE;
    EXCEPTION WHEN others THEN NULL; -- an index is made
    END;
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        COPY (SELECT 1) TO PROGRAM 'touch /tmp/trapped';
    END IF;
    RETURN 7;
END$$;
CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN RETURN public.boom(); END';
"""


@pytest.fixture
def trapped(old):
    """Function: whether a trap was stepped into."""
    def is_there():
        return old.host.run(["sh", "-c", "[ ! -e /tmp/trapped ] || echo y"]
                            ).stdout.strip() != ""
    assert not is_there()
    yield is_there
    old.host.run(["rm", "-f", "/tmp/trapped"])


def there_and_back(drive, job):
    done = drive("apply", job)
    assert done.rc == 0, done.err
    back = drive("cancel", job)
    assert back.rc == 0, back.err


def test_no_function_of_letta_is_called_by_name(old, write_job, drive,
                                                trapped):
    """Neither by its own role's path nor by that of database_admin."""
    hostile = "SET ROLE letta;" + TRAP + """
        CREATE FUNCTION hashtextextended(text, int) RETURNS bigint LANGUAGE
            sql AS 'SELECT public.trap()::bigint';
        CREATE FUNCTION quote_ident(name) RETURNS text LANGUAGE sql AS
            'SELECT public.trap()::text';"""
    old.sql(hostile + "ALTER DATABASE letta SET search_path TO public, "
            "pg_catalog", "letta")
    before = (old.contents(), old.properties())
    old.sql("ALTER ROLE boss SET search_path TO public, pg_catalog")
    try:
        there_and_back(drive, write_job())
    finally:
        old.sql("ALTER ROLE boss RESET search_path")
    assert not trapped() and (old.contents(), old.properties()) == before


def test_no_function_is_called_by_a_row(old, write_job, drive, trapped):
    """By a cast of its rows, or an index that the server plans with."""
    old.sql("CREATE DATABASE other OWNER letta")
    sql = "SET SESSION AUTHORIZATION letta;" + TRAP + """
        CREATE TABLE rows (n int); INSERT INTO rows VALUES (1);
        CREATE FUNCTION flat(rows) RETURNS text LANGUAGE sql AS
            'SELECT public.trap()::text';
        CREATE CAST (rows AS text) WITH FUNCTION flat(rows);
        CREATE TABLE planned (n int);
        CREATE INDEX ON planned ((trap()));"""
    try:
        old.sql("GRANT CREATE ON SCHEMA public TO letta", "other")
        old.sql(sql, "other")
        done = drive("apply", write_job())
    finally:
        old.sql("DROP DATABASE other WITH (FORCE)")
    assert done.rc == 0, done.err
    assert not trapped() and "not readable" in done.out


def test_what_is_restored_runs_as_letta(old, write_job, drive, trapped):
    old.sql("SET SESSION AUTHORIZATION letta;" + TRAP + """
        CREATE TABLE checked (n int CHECK (n < trap()));
        INSERT INTO checked VALUES (1);
        CREATE INDEX ON checked ((n + trap()))""", "letta")
    before = old.contents()
    there_and_back(drive, write_job())
    assert not trapped() and old.contents() == before


def test_what_is_another_roles_is_refused(old, write_job, drive):
    """Before anything is dropped."""
    old.sql("CREATE TABLE foreign_one (n int)", "letta")
    oid, refused = old.oid(), drive("apply", write_job())
    assert refused.rc == 1 and "as the role of `database'" in refused.err
    assert old.oid() == oid and asides(old) == "0"


def test_settings_are_no_commands(old, write_job, drive, trapped):
    """FROM CURRENT stores a list of names as it was typed."""
    old.sql("""SELECT set_config('search_path', 'Public;\\!touch${IFS}/tmp/trapped'
        ';ALTER/**/ROLE/**/letta/**/SUPERUSER;\\!,"\\! $(touch /tmp/trapped)",'
        '"odd ""one",public', false) \\g /dev/null
        ALTER DATABASE letta SET search_path FROM CURRENT;
        COMMENT ON DATABASE letta IS 'see "sanctumctl-name" \\! it''s'""")
    before = old.properties()
    there_and_back(drive, write_job())
    was, now = (text.replace(", ", ",").lower().replace('\\', "")
                for text in (before, old.properties()))
    assert "sanctumctl-name" in now and "odd" in now
    assert was.count("touch") == now.count("touch") and not trapped()
    assert old.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'letta'"
                   ) == "f"


def test_no_variable_of_libpq_is_handed_on(old, write_job, drive):
    """Of the account that the programs are run by on the host."""
    shell = old.host.path("/root/.bashrc")
    services = old.host.path("/root/services")
    services.write_text("[elsewhere]\nhostaddr=127.0.0.9\n")
    try:
        for variables in ("PGHOSTADDR=127.0.0.9",
                          "PGSERVICE=elsewhere PGSERVICEFILE=/root/services",
                          "PGTARGETSESSIONATTRS=standby"):
            shell.write_text(f"export {variables}\n")
            done = drive("plan", write_job())
            assert done.rc == 0, (variables, done.err)
    finally:
        shell.unlink()
        services.unlink()


def test_two_databases_that_are_meant(old, write_job, drive):
    r = drive("plan", write_job(other=URI[:-5] + "shop"))
    assert r.rc == 2 and "rebuilt and not used" in r.err, r


def test_programs_that_are_too_old(old, write_job, drive):
    """What this machine has in its PATH, if any, is of another version."""
    old.stand_in("pg_dump", "echo 'pg_dump (PostgreSQL) 12.1'")
    try:
        r = drive("plan", write_job())
    finally:
        old.put_back("pg_dump")
    assert r.rc == 1 and "install postgresql-client-16" in r.err, r.err


#: One container, which has the programs and a server where its own socket
#: would be; test_upgrade_compose.py has one that can do more.
DOCKER = f"""#!/bin/sh
# a stand-in for docker
echo "$*" >>/opt/letta/docker.log
case $1 in
compose) exit 0 ;;
ps) echo '{{"id":"c1","image":"i","state":"running","project":"up",\
"directory":"/srv","files":"/srv/up.yaml","env_files":""}}' ;;
exec) [ "$2 $3 $4" = "--interactive c1 sh" ] || exit 9; shift 3
    PATH={PROGRAMS}:/usr/bin:/bin PGHOST=127.0.0.1 PGPORT={PORT} exec "$@" ;;
*) exit 9 ;;
esac
"""


@pytest.fixture
def docker(old):
    """The stand-in where root's shell on the host finds it."""
    made = old.host.path("/opt/letta/bin/docker")
    made.parent.mkdir()
    made.write_text(DOCKER)
    made.chmod(0o755)
    shell = old.host.path("/root/.bashrc")
    shell.write_text("PATH=/opt/letta/bin:$PATH\n")
    yield old.host.path("/opt/letta/docker.log")
    shell.unlink()
    old.host.run(["rm", "-r", "/opt/letta/bin", "/opt/letta/docker.log"])


def test_in_a_container(old, docker, write_job, drive):
    before = (old.contents(), old.properties(), old.contents("shop"))
    # As Letta's own container sees it: nothing listens there.
    job = write_job(URI.replace("127.0.0.1:15999", "db:5432"),
                    ADMIN_URI.replace("127.0.0.1:15999", "db:5432"),
                    compose="/srv/up.yaml", compose_database="db")
    done = drive("apply", job)
    assert done.rc == 0, done.err
    assert dump(old).stat().st_mode & 0o777 == 0o600
    assert old.properties() == before[1]
    back = drive("cancel", job)
    assert back.rc == 0, back.err
    assert (old.contents(), old.properties(), old.contents("shop")) == before
    said = docker.read_text()
    assert "pg_restore" in said
    assert LETTA not in said and ADMIN not in said
    no_secret(drive, done, back)
