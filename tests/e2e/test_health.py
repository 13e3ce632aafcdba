"""What `letta health' sees of real servers: sound ones, ones whose database
is another version's, and of a host with clients."""

import json
import os

import pytest

from bed import jobs
from bed.paths import CACHE, INSIDE_CACHE
from bed.postgres import BIN
from bed.site import TARGET_PASSWORD

SCHEMA = {"schema-agents", "schema-runs", "schema-steps", "schema-messages",
          "schema-conversations"}

#: A column that an upgrade by accident leaves out, and what shows it.
BREAKS = {
    ("runs", "conversation_id"): {"schema-runs"},
    ("steps", "request_id"): {"schema-steps"},
    ("messages", "conversation_id"): {"schema-messages"},
    ("conversations", "summary"): {"schema-conversations"},
    ("agents", "system"): SCHEMA,
}

CODE = "/usr/local/lib/node_modules/@letta-ai/letta-code/package.json"


def sql(server, text):
    server._space.run([BIN / "psql", "-h", "127.0.0.1", "-p",
                       str(server._pg_port), "-U", "postgres", "-XAqc",
                       text])


@pytest.fixture
def health(sanctumctl, second_letta):
    def ask(*words, url=second_letta.url):
        done = sanctumctl("letta", "health", url, *words, "--json",
                          env={"LETTA_API_KEY": TARGET_PASSWORD})
        assert done.rc in (0, 3), done.err
        assert TARGET_PASSWORD not in done.out + done.err
        return [json.loads(line) for line in done.out.splitlines()]
    return ask


def of(lines, known=True):
    return {one["trap"] for one in lines
            if one["type"] == "doctor_finding" and one["known"] == known}


def test_a_sound_server_and_broken_ones(health, second_letta, sanctumctl):
    sound = health()
    assert not of(sound) & SCHEMA and not of(sound, False) & SCHEMA
    # No request shows that default, and this is said.
    assert "letta-sequence" in of(sound, False)
    first = sound[0]
    assert first["type"] == "letta_health" and first["letta"] == "0.16.2"
    assert first["known"] and first["target"]
    assert [(n["since"], n["letta"], n["met"])
            for n in first["letta_code"]] == [
        ("0.13.0", "0.16.2", True), ("0.18.0", "0.16.6", False)]
    for (table, column), traps in BREAKS.items():
        sql(second_letta, f"ALTER TABLE {table} RENAME {column} TO away")
        try:
            found = health()
        finally:
            sql(second_letta,
                f"ALTER TABLE {table} RENAME away TO {column}")
        seen = of(found) & SCHEMA
        assert seen == traps & (
            {"schema-agents"} if table == "agents" else traps), table
        assert of(found, False) & SCHEMA == traps - seen, table
    # Nothing that reads shows the default.
    sql(second_letta, "ALTER TABLE messages ALTER sequence_id DROP DEFAULT")
    try:
        assert of(health()) == of(sound)
    finally:
        sql(second_letta, "ALTER TABLE messages ALTER sequence_id SET "
            "DEFAULT nextval('messages_sequence_id_seq')")
    text = sanctumctl("letta", "health", second_letta.url)
    assert f"{second_letta.url}: Letta 0.16.2, known as source and target" \
        in text.out
    # Without a token the tables are not asked.
    assert "[api-token]\n          not compared" in text.out
    assert "schema-" not in text.out


def test_a_host_with_clients(health, src, tmp_path, second_letta,
                             sanctumctl):
    port = second_letta.port
    job = jobs.write(tmp_path / "up.conf", [
        jobs.job("upgrade", "up", break_glass="yes"),
        jobs.host("here", src),
        ("letta old", {"host": "here", "port": port,
                       "url": second_letta.url, "version": "0.16.2",
                       "database": "env:PG", "token": "env:T"}),
        ("letta new", {"host": "here", "port": port + 1,
                       "url": f"http://127.0.0.1:{port + 1}",
                       "version": "0.16.8", "runtime": "venv",
                       "redis": "none", "token": "env:T"}),
        ("upgrade home", {"from": "old", "to": "new",
                          "clients": "/root/health/.env"})])
    address = f"http://localhost:{port}"
    files = {"/root/health/.bashrc": f"# {address}\nexport "
             f"LETTA_BASE_URL={address}\nexport KEY=hunter2\n",
             "/root/health/.env": f"AGENT_ENDPOINT={address}\n",
             "/root/health/compose.yaml": "services:\n  l:\n"
             "    image: letta/letta:latest\n"
             f"    environment:\n      U: {address}/v1\n",
             "/root/health/.profile": f"export U={address}0\n",
             CODE: '{"name": "x", "version": "0.19.2"}'}
    for path, text in files.items():
        src.run(["mkdir", "-p", path.rpartition("/")[0]])
        src.path(path).write_text(text)
    try:
        found = health("--on", f"{job}#here")
        names = {(f["trap"], f["where"].partition(":")[2])
                 for f in found if f["type"] == "doctor_finding"
                 and ("/root/health" in f["where"] or CODE in f["where"])}
        assert {t for t, _ in names} == {
            "client-address", "compose-latest", "letta-code-server"}
        assert sorted(w.rpartition("/")[2] for t, w in names
                      if t == "client-address") == [
            ".bashrc:2", ".env:1", "compose.yaml:5"]
        assert "hunter2" not in json.dumps(found)
        # A job says what changes, and what it changes by itself.
        done = sanctumctl("letta", "health", f"{job}#old",
                          env={"T": TARGET_PASSWORD, "PG": "x"})
        assert done.rc == 3, done.err
        assert "here:/root/health/.bashrc:2  [client-address]" in done.out
        assert "/root/health/.env" not in done.out
        assert "which this job changes" in done.out
    finally:
        src.run(["rm", "-rf", "/root/health", CODE])


def test_a_database_is_asked(sanctumctl, second_letta, tmp_path):
    """The default that no request shows, and the very column."""
    port = second_letta.port
    job = jobs.write(tmp_path / "here.conf", [
        jobs.job("upgrade", "here", break_glass="yes"),
        ("host here", {"address": "local"}),
        ("letta old", {"host": "here", "port": port, "version": "0.16.2",
                       "database": "env:PG", "token": "env:T"}),
        ("letta new", {"host": "here", "port": port, "version": "0.16.8",
                       "runtime": "venv", "redis": "none",
                       "token": "env:T"}),
        ("upgrade home", {"from": "old", "to": "new"})])
    where = f"here:127.0.0.1:{second_letta._pg_port}/postgres"

    def ask():
        done = sanctumctl("letta", "health", job, "--json", env={
            "T": TARGET_PASSWORD, "PG": second_letta._db.uri,
            "PATH": f"{CACHE / BIN.relative_to(INSIDE_CACHE)}:"
                    f"{os.environ['PATH']}"})
        assert done.rc in (0, 3), done.err
        assert not (sanctumctl.state / "here").exists()
        return [json.loads(line) for line in done.out.splitlines()]

    def at_database(lines):
        return {one["trap"] for one in lines if one.get("where") == where}

    sound = ask()
    assert sum(one["type"] == "letta_health" for one in sound) == 1
    assert not at_database(sound)
    assert "letta-sequence" not in of(sound, False)
    sql(second_letta, "ALTER TABLE messages ALTER sequence_id DROP DEFAULT")
    sql(second_letta, "ALTER TABLE runs RENAME conversation_id TO away")
    try:
        assert at_database(ask()) == {"letta-sequence", "schema-runs"}
    finally:
        sql(second_letta, "ALTER TABLE runs RENAME away TO conversation_id")
        sql(second_letta, "ALTER TABLE messages ALTER sequence_id SET "
            "DEFAULT nextval('messages_sequence_id_seq')")


def test_what_is_no_server(sanctumctl, tmp_path):
    assert sanctumctl("letta", "health").rc == 2
    assert sanctumctl("letta", "health", "nowhere").rc == 2
    gone = sanctumctl("letta", "health", "http://127.0.0.1:9")
    assert gone.rc == 3 and "[api-unreachable]" in gone.out
    listed = sanctumctl("letta", "health", "--list").out
    assert "schema-runs (critical)" in listed
    assert "worker-" not in listed
