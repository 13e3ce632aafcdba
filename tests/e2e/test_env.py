"""One .env, four readers: what the program says of each, and the real ones.

docker has no part here, as its command line needs an engine: what it made of
files stands in tests/golden/env-dialect-cases.json.
"""

import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from bed import jobs, worker
from bed.paths import CACHE
from bed.wait import wait_for

#: Shares its parser with EnvironmentFile=; expands $ in values besides.
SYSTEMD = ("/usr/lib/systemd/user-environment-generators/"
           "30-systemd-environment-d-generator")
AGENT = "agent-22222222-2222-4222-8222-222222222222"


def by_dotenv(path):
    script = ("import json, sys; from dotenv import dotenv_values;"
              "print(json.dumps(dotenv_values(sys.argv[1])))")
    done = subprocess.run(
        [CACHE / "letta-0.16.2/bin/python", "-c", script, path], text=True,
        capture_output=True, check=True, env={})
    return {k: v for k, v in json.loads(done.stdout).items()
            if v is not None}


def by_sh(path):
    """Of dash; None when it complains."""
    done = subprocess.run(
        ["/bin/dash", "-c", "set -a; . ./.env; exec /usr/bin/env -0"],
        cwd=path.parent, env={}, capture_output=True)
    found = dict(pair.split("=", 1)
                 for pair in done.stdout.decode().split("\0") if pair)
    for own in ("PWD", "OLDPWD", "_"):
        found.pop(own, None)
    return None if done.returncode or done.stderr else found


def by_systemd(path):
    folder = path.parent / "environment.d"
    folder.mkdir(exist_ok=True)
    (folder / "50.conf").write_bytes(path.read_bytes())
    done = subprocess.run(
        [SYSTEMD], text=True, capture_output=True, check=True,
        env={"XDG_CONFIG_HOME": str(path.parent), "HOME": "/nonexistent"})
    found = {}
    for line in done.stdout.splitlines():
        key, value = line.split("=", 1)
        found[key] = unquoted(value)
    return {k: v for k, v in found.items() if not k.startswith("QT_")}


def unquoted(value):
    """Undo how the generator quotes for a shell."""
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(
        m[1], m[1]), value[1:-1])


READERS = {"python-dotenv": by_dotenv, "sh": by_sh, "systemd": by_systemd}

#: Values as people have them, and as generators of passwords make them.
VALUES = ["plain", "", "two words", "it's", 'say "x"', "a'b\"c d", "a#b",
          "a #b", "back\\slash", "a\\nb", "$HOME", "a&b;c|d", "`id`",
          "https://u:p%40@h.example:8283/v1?a=b", "~/x", "Grüße", " lead",
          "trail ", "*", "(x)", "!x", "'quoted'", "=", "#", "a\\'b"]

#: Files before: each line is one that all readers take.
BASES = ["K=old\nA=1\nB='x y'\n", "A=1\nK='old'\n# K=no\nB=2",
         'A="p q"\nK="old"\nK=again\nB=\'it is\'\n', "A=1\n", "",
         "K=old\nA=1\nMY_K=2\nKK=3\n"]


@pytest.fixture
def env(tmp_path):
    return tmp_path / ".env"


@pytest.mark.parametrize("base", range(len(BASES)))
def test_a_value_that_is_set_reads_so_in_the_real_readers(env, sanctumctl,
                                                          base):
    """Whoever is not named in `disagree' has it; nobody lost another key."""
    chosen = random.Random(base).sample(VALUES, 4)
    for value in chosen:
        env.write_text(BASES[base])
        before = {name: read(env) for name, read in READERS.items()}
        done = sanctumctl("worker", "env", "set", ".env", "K", "--json",
                          stdin=value + "\n")
        assert done.rc == 0, done.err
        disagree = json.loads(done.out)["disagree"]
        for name, read in READERS.items():
            there = read(env)
            if name == "systemd" and ("$" in value or value == ""):
                continue    # the generator, not EnvironmentFile=
            if name in disagree:
                assert there is None or there.get("K") != value
            else:
                assert there == {**before[name], "K": value}, (name, value)
        assert "python-dotenv" not in disagree
        got = sanctumctl("worker", "env", "get", ".env", "K")
        assert (got.rc, got.out) == (0, value + "\n")


def test_lint_says_what_the_real_readers_have(env, sanctumctl):
    env.write_text("A=1\nB=x y z\nC=\"p\" # note\nexport D=4\nE=a\\b\n"
                   "F='#'\nG=old\nG=new\n")
    done = sanctumctl("worker", "env", "lint", ".env", "--json")
    assert done.rc == 3, done.err
    *rows, last = map(json.loads, done.out.splitlines())
    assert last["type"] == "env_lint" and last["keys"] == 7
    real = {name: read(env) for name, read in READERS.items()}
    assert real["sh"] is None    # B= runs a command
    for row in rows:
        for reader in row["readers"]:
            name = reader["reader"]
            if name == "docker" or name == "sh":
                assert reader["verdict"] == "refused"
                continue
            same = (real[name].get(row["key"]) ==
                    real["python-dotenv"].get(row["key"]))
            assert reader["verdict"] == ("same" if same else "differs")
    env.write_text("A=1\nB='x'\n")
    plain = sanctumctl("worker", "env", "lint", ".env")
    assert plain.rc == 3 and "docker, line 2: another value" in plain.out
    env.write_bytes(b"\xef\xbb\xbfA=1\n")
    spoilt = sanctumctl("worker", "env", "lint", ".env")
    assert spoilt.rc == 14 and ".env:1: cannot be edited" in spoilt.out


def test_set_keeps_mode_and_owner_and_refuses_a_link(env, sanctumctl):
    def put(value):
        return sanctumctl("worker", "env", "set", ".env", "K", stdin=value)

    assert put("hush").rc == 0
    assert env.stat().st_mode & 0o7777 == 0o600
    env.chmod(0o640)
    os.chown(env, 1234, 4321)
    assert put("other").rc == 0
    info = env.stat()
    assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == (
        0o640, 1234, 4321)
    inode = info.st_ino
    assert put("other").rc == 0 and env.stat().st_ino == inode
    env.rename(env.with_name("real"))
    env.symlink_to("real")
    done = put("third")
    assert done.rc == 1 and "regular file" in done.err
    assert env.read_text() == "K=other\n"
    unset = sanctumctl("worker", "env", "get", ".env", "NOT")
    assert unset.rc == 1 and unset.out == ""


def test_a_file_on_a_host(bed, worker_tree, src, sanctumctl, tmp_path):
    job = jobs.write(tmp_path / "hosts.conf", [
        jobs.job("workers", "hosts"), jobs.host("old", bed.src),
        ("letta new", {"url": "http://127.0.0.1:18283"}),
        jobs.worker("sage", worker_tree, agent=AGENT, server="new",
                    to="old", to_path="/root/elsewhere")])
    word = f"{job}#old:{worker_tree.home}/broca/.env"
    done = sanctumctl("worker", "env", "set", word, "AGENT_ID", stdin=AGENT)
    assert done.rc == 0, done.err
    assert by_dotenv(worker_tree.broca / ".env")["AGENT_ID"] == AGENT
    got = sanctumctl("worker", "env", "get", word, "AGENT_ID")
    assert got.out == AGENT + "\n"
    wrong = sanctumctl("worker", "env", "get", f"{job}#odl:/x/.env", "K")
    assert wrong.rc == 2 and "[host odl]" in wrong.err


# In a job


@pytest.fixture
def write_job(bed, src, dst, worker_letta, tmp_path):
    """Function that writes a worker's job with an [env] section."""
    written = []

    def write(made, env, **more):
        written.append(made)
        return jobs.write(tmp_path / "worker.conf", [
            jobs.job("workers", f"{made.name}-worker", switch="manual"),
            jobs.host("old", bed.src), jobs.host("node1", bed.dst),
            ("letta new", {"url": worker_letta.url,
                           "token": f"env:{jobs.TARGET_TOKEN}"}),
            jobs.worker(made.name, made, agent=AGENT, server="new", **more),
            (f"env {made.name}", env)])

    yield write
    for made in written:
        dst.run(["sh", "-c", f"rm -rf {made.home} {made.home}.sanctumctl-*"])


def planned_env(result, made):
    """What the plan says below the step of the .env files."""
    return result.out.split(f"worker.{made.name}.env:")[1].split(
        f"worker.{made.name}.")[0]


def test_the_plan_shows_lines_of_env_without_secrets(
        write_job, worker_tree, sanctumctl):
    job = write_job(worker_tree, {
        "USE_BACKGROUND_PROCESSING": "false", "LOG_LEVEL": "DEBUG",
        "MCP_API_KEY@smcp": "env:CANARY"})
    planned = sanctumctl("plan", job, env={"CANARY": "hush-hush"})
    assert planned.rc == 4, planned.err
    text = planned_env(planned, worker_tree)
    assert "+USE_BACKGROUND_PROCESSING=***" in text
    assert "+MCP_API_KEY=***" in text and "Redis" not in text
    assert "hush" not in planned.out + planned.err
    job = write_job(worker_tree, {"LOG_LEVEL": "DEBUG"})
    planned = sanctumctl("plan", job)
    assert "new must have Redis" in planned_env(planned, worker_tree)


#: What Broca would refuse or garble: lines put into its .env, words of error.
REFUSED = {
    "debug": ("DEBUG_MODE=true", "DEBUG_MODE is not `false'"),
    "no debug": ("DEBUG_MODE", "DEBUG_MODE is not given"),
    "owners": ("TELEGRAM_OWNER_ID=1\nTELEGRAM_OWNER_USERNAME=me",
               "both given"),
    "hidden": ("X='\nAGENT_ID=agent-1\n'", "lies inside another value"),
    "database": ("DB_PATH=/srv/x.db", "DB_PATH"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_broca_would_refuse_is_refused(write_job, worker_tree, dst,
                                            sanctumctl, case):
    line, words = REFUSED[case]
    path = worker_tree.broca / ".env"
    path.write_text(path.read_text() + line + "\n")
    job = write_job(worker_tree, {"LOG_LEVEL": "INFO"})
    planned = sanctumctl("plan", job)
    assert planned.rc == 1 and words in planned.err, planned.err
    assert f"old:{worker_tree.home}/broca/.env" in planned.err
    assert not dst.path(worker_tree.home).exists()


def test_start_scripts_name_the_new_agent(write_job, worker_tree, dst,
                                          worker_letta, sanctumctl):
    """SMCP has its environment from the script, never from smcp/.env."""
    script = worker_tree.path / "start-smcp.sh"
    old = "agent-11111111-1111-4111-8111-111111111111"
    before = ("#!/bin/sh\n# LETTA_AGENT_ID=agent-in-a-comment\n"
              f"export LETTA_AGENT_ID={old}  # mine\n"
              'LETTA_SERVER_URL="http://127.0.0.1:8283" \\\n'
              "  LETTA_API_KEY=$AGENT_API_KEY exec python3 smcp.py\n")
    worker.write(script, before, 0o750)
    job = write_job(worker_tree, {"LOG_LEVEL": "INFO"})
    planned = sanctumctl("plan", job)
    assert "start-smcp.sh: 2 assignments" in planned.out, planned.err
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    at, = [p for p in dst.path(worker_tree.home).parent.iterdir()
           if p.name.startswith(worker_tree.name)
           and (p / "start-smcp.sh").exists()]
    there = at / "start-smcp.sh"
    assert there.stat().st_mode & 0o7777 == 0o750
    assert there.read_text() == before.replace(old, AGENT).replace(
        '"http://127.0.0.1:8283"', worker_letta.url)
    assert script.read_text() == before


def test_a_file_above_the_worker_is_carried(write_job, worker_tree, dst,
                                            sanctumctl):
    """Broca takes the nearest .env upward; at the target none is above."""
    mine, above = worker_tree.broca / ".env", worker_tree.path.parent / ".env"
    text = mine.read_text()
    above.write_text(text)
    mine.unlink()
    try:
        job = write_job(worker_tree, {"LOG_LEVEL": "DEBUG"})
        planned = sanctumctl("plan", job)
        assert planned.rc == 4, planned.err
        assert "becomes broca/.env" in planned_env(planned, worker_tree)
        assert above.read_text() == text
    finally:
        above.unlink()


def test_agents_that_share_code_are_refused(write_job, worker_tree,
                                            sanctumctl):
    below = worker_tree.broca / "agent-1234"
    worker.write(below / ".env", "AGENT_ID=agent-1234\n")
    job = write_job(worker_tree, {"LOG_LEVEL": "INFO"})
    planned = sanctumctl("plan", job)
    assert planned.rc == 1 and "all of them read broca/.env" in planned.err
    (below / ".env").unlink()
    (worker_tree.broca / "main.py").rename(worker_tree.path / "main.py")
    job = write_job(worker_tree, {"LOG_LEVEL": "INFO"})
    planned = sanctumctl("plan", job)
    assert planned.rc == 1 and "a directory of its own" in planned.err


@pytest.mark.parametrize("variable", ["AGENT_ID", "AGENT_ENDPOINT", "same"])
def test_an_environment_that_beats_the_file_is_found(
        write_job, worker_tree, src, sanctumctl, variable):
    """A process started with another AGENT_ID than its .env has."""
    own = by_dotenv(worker_tree.broca / ".env")["AGENT_ID"]
    setting = {"AGENT_ID": "AGENT_ID=agent-from-a-unit",
               "AGENT_ENDPOINT": "AGENT_ENDPOINT=http://hush.example",
               "same": f"AGENT_ID={own}"}[variable]
    process = src.spawn(["env", setting, "sleep", "300"],
                        cwd=f"{worker_tree.home}/broca")
    try:
        wait_for("the process", lambda: b"sleep\0" in Path(
            f"/proc/{process.pid}/cmdline").read_bytes()[:6])
        planned = sanctumctl("plan", write_job(
            worker_tree, {"LOG_LEVEL": "INFO"}))
    finally:
        process.stop()
    assert "hush" not in planned.out + planned.err
    if variable == "AGENT_ID":
        assert planned.rc == 1, planned.out
        assert "has AGENT_ID in its environment" in planned.err
    else:
        assert planned.rc == 4, planned.err
        assert ("has AGENT_ENDPOINT from elsewhere" in planned.out) == (
            variable == "AGENT_ENDPOINT")


@pytest.mark.parametrize("key, value", [
    ("AGENT_ID", AGENT.replace("2", "7")),
    ("AGENT_ENDPOINT", "http://hush.example:8283")])
def test_a_crontab_that_beats_the_file_is_refused(
        write_job, worker_tree, src, sanctumctl, key, value):
    start = f"{worker_tree.home}/start-{worker_tree.name}-broca.sh"
    src.run(["crontab", "-"],
            input=f"{key} = {value}\n0 0 1 1 * {start}\n")
    try:
        planned = sanctumctl("plan", write_job(
            worker_tree, {"LOG_LEVEL": "INFO"}))
    finally:
        src.run(["crontab", "-r"])
    assert planned.rc == 1 and f"cron gives {key}" in planned.err
    assert "hush" not in planned.out + planned.err


def test_the_readers_of_this_file_are_there():
    for path in (SYSTEMD, "/bin/dash"):
        assert Path(path).exists()
