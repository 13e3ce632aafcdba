"""A worker's directory between two hosts, where a mistake costs data."""

import contextlib
import re
import threading

import pytest

from bed import jobs, worker

from conftest import OTHER_AGENT


@pytest.fixture
def write_job(bed, src, dst, worker_letta, tmp_path):
    """Function that writes the job of a worker, with other keys of it."""
    written = []

    def write(made, *, token=jobs.TARGET_TOKEN, **more):
        written.append(made)
        server = {"url": worker_letta.url, "token": token and f"env:{token}"}
        return jobs.write(tmp_path / "worker.conf", [
            jobs.job("workers", f"{made.name}-worker"),
            jobs.host("old", bed.src), jobs.host("node1", bed.dst),
            ("letta new", server),
            jobs.worker(made.name, made, agent=OTHER_AGENT, server="new",
                        **more)])

    yield write
    for made in written:
        dst.run(["sh", "-c", f"rm -rf {made.home} {made.home}.sanctumctl-*"])


def put_older(dst, made):
    """A directory that is at the target before; returns what it holds."""
    at = dst.path(made.home)
    at.mkdir(parents=True)
    (at / "mine.txt").write_text("was here first\n")
    (at / "broca").mkdir()
    (at / "broca/main.py").write_text("# my own\n")
    return worker.manifest(at)


def found(dst, made):
    """Everything of the two directories, by their names."""
    parent = dst.path(made.home).parent
    return {p.name: worker.manifest(p) for p in parent.iterdir()}


def forget(at):
    """As `git clean -fd` does it."""
    sign, = at.glob(".sanctumctl-*")
    sign.unlink()
    return sign


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("command", ["plan", "apply", "cancel", "verify"])
def test_without_its_mark_nothing_is_touched(write_job, worker_tree, dst,
                                             sanctumctl, command, older):
    job = write_job(worker_tree)
    before = put_older(dst, worker_tree) if older else None
    assert sanctumctl("apply", job).rc == 0
    at = dst.path(worker_tree.home)
    sign = forget(at)
    there = found(dst, worker_tree)
    done = sanctumctl(command, job)
    assert done.rc == 15, done.err
    for word in (worker_tree.home, sign.name, "nothing was touched"):
        assert word in done.err
    assert found(dst, worker_tree) == there
    # What the message says helps.
    sign.write_text("")
    assert sanctumctl("cancel", job).rc == 0
    assert found(dst, worker_tree) == (
        {worker_tree.name: before} if older else {})


def test_a_strange_staging_directory_is_not_touched(
        write_job, worker_tree, dst, sanctumctl):
    job = write_job(worker_tree)
    assert sanctumctl("apply", job).rc == 0
    mark = forget(dst.path(worker_tree.home)).name.removeprefix(".")
    at = dst.path(worker_tree.home)
    at.rename(f"{at}.{mark}")
    there = found(dst, worker_tree)
    for command in ("plan", "apply", "cancel"):
        done = sanctumctl(command, job)
        assert done.rc == 15 and f".{mark}" in done.err, done.err
        assert found(dst, worker_tree) == there


def test_trees_without_broca(write_job, worker_tree, dst, sanctumctl):
    """Its database stays, and is not what the steps wait for."""
    job = write_job(worker_tree, trees="smcp")
    planned = sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert "broca is not among the trees" in planned.out
    assert re.search("stay behind, beside the trees: 1 .*: broca",
                     planned.out)
    applied = sanctumctl("apply", job)
    assert applied.rc == 0, applied.err
    assert not dst.path(f"{worker_tree.home}/broca").exists()
    verified = sanctumctl("verify", job)
    assert verified.rc == 0, verified.out
    assert "broca is not among the trees" in verified.out
    again = sanctumctl("apply", job)
    assert again.rc == 0 and again.out.startswith("nothing to do")


def test_trees_that_name_no_agent(write_job, worker_tree, sanctumctl):
    """Then .env has nothing that could be wrong."""
    env = worker_tree.smcp / ".env"
    env.write_text("MCP_PORT=8000\n")
    job = write_job(worker_tree, trees="smcp")
    assert sanctumctl("apply", job).rc == 0
    verified = sanctumctl("verify", job)
    assert verified.rc == 0, verified.out
    assert re.search(r"\.env .*not compared.*assigns an agent's id",
                     verified.out)


def test_the_old_servers_token_does_not_go_to_the_new_one(
        write_job, worker_tree, dst, sanctumctl):
    job = write_job(worker_tree, token=None)
    for command in ("plan", "apply"):
        done = sanctumctl(command, job)
        assert done.rc == 1
        for word in ("broca/.env", "AGENT_API_KEY", "[letta new]"):
            assert word in done.err
        assert "old-token" not in done.out + done.err
    assert not dst.path(worker_tree.home).exists()


def test_verify_sees_another_byte_of_an_env(write_job, worker_tree, dst,
                                            worker_letta, sanctumctl):
    job = write_job(worker_tree)
    assert sanctumctl("apply", job).rc == 0
    env = dst.path(f"{worker_tree.home}/broca/.env")
    text = env.read_text()
    env.write_text(text.replace(worker_letta.url, "http://127.0.0.1:9"))
    differs = sanctumctl("verify", job)
    assert differs.rc == 14
    assert "broca/.env is not what this job would write" in differs.out
    env.write_text(text)
    (worker_tree.smcp / ".env").unlink()
    gone = sanctumctl("verify", job)
    assert gone.rc == 0 and "gone at the source" in gone.out


def test_what_stays_behind_is_said(write_job, worker_tree, sanctumctl):
    (worker_tree.path / "photos").mkdir()
    job = write_job(worker_tree)
    planned = sanctumctl("plan", job)
    assert re.search("stay behind, beside the trees: 1 .*: photos",
                     planned.out)
    assert re.search("stay behind, in and right below the trees: .*"
                     "broca/logs", planned.out)
    assert sanctumctl("apply", job).rc == 0
    verified = sanctumctl("verify", job)
    assert verified.rc == 0
    assert re.search("left at the source .*photos", verified.out)


@contextlib.contextmanager
def kept_changing(path):
    """Give a file other bytes all the time."""
    ended = threading.Event()

    def change():
        n = 0
        while not ended.is_set():
            n += 1
            path.write_text(f"{n:09d}\n")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_what_is_put_in_place_was_listed_at_the_source(
        write_job, worker_tree, dst, sanctumctl):
    """A file that never rests is not taken as it happened to be."""
    job = write_job(worker_tree)
    with kept_changing(worker_tree.broca / "data/beat"):
        done = sanctumctl("apply", job)
    assert done.rc == 15 and "broca/data/beat" in done.err, done.err
    assert not dst.path(worker_tree.home).exists()
    assert sanctumctl("apply", job).rc == 0
    assert sanctumctl("verify", job).rc == 0
    sign, = dst.path(worker_tree.home).glob(".sanctumctl-*")
    assert sign.stat().st_mode & 0o7777 == 0o600


def test_cancel_brings_back_what_came_since(write_job, worker_tree, dst,
                                            sanctumctl):
    """The row that a killed worker left is settled on the way."""
    job = write_job(worker_tree)
    before = worker_tree.queue_states()
    assert sanctumctl("apply", job).rc == 0
    dst.run(["sqlite3", worker_tree.database,
             "INSERT INTO messages (letta_user_id,"
             " platform_profile_id, role, message, timestamp)"
             " VALUES (1, 1, 'user', 'since', CURRENT_TIMESTAMP);"
             "INSERT INTO queue (letta_user_id, message_id, status,"
             " attempts) VALUES (1, last_insert_rowid(), 'pending',"
             " 0); UPDATE queue SET status = 'completed'"
             " WHERE id = 10;"])
    cancelled = sanctumctl("cancel", job)
    assert cancelled.rc == 0, cancelled.err
    assert worker_tree.queue_states() == {
        "completed": before["completed"] + 1, "failed": before["failed"],
        "pending": before["pending"] + before["processing"]}
    assert worker_tree.query("SELECT message FROM messages"
                             " ORDER BY id DESC LIMIT 1") == [
        {"message": "since"}]
    assert not dst.path(worker_tree.home).exists()
