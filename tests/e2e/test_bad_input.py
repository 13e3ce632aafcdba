"""What cannot work is refused with its exit code, by name, and harms nothing.

Each test runs `plan` and `apply` and looks at source and target before and
after; where only `apply` can find out, at what it leaves behind.
"""

import contextlib
import re
import signal
import socket

import pytest

from bed import history, jobs, look
from bed.hosts import Host, make_client_key
from bed.site import TARGET_PASSWORD
from bed.wait import free_port, wait_for

from conftest import OTHER_AGENT

TARGET = "http://127.0.0.1:18283"
OTHER = "agent-33333333-3333-4333-8333-333333333333"

#: What sshd logs once a client has tried to be let in.
TRIED = re.compile("authenticating user|Accepted|Failed|Postponed|Invalid")


def state(part):
    """All that a job may change on a server or a host."""
    if isinstance(part, Host):
        return look.tree(part, "/root/sanctum", "/srv", "/etc/nginx",
                         "/etc/letsencrypt", "/var/lib/sanctumctl")
    return look.server(part)


@contextlib.contextmanager
def unchanged(*parts):
    before = [state(part) for part in parts]
    yield
    for part, was in zip(parts, before):
        assert not look.differences(was, state(part))


@pytest.fixture
def refused(sanctumctl):
    """Function that runs a command, by default plan and apply, and looks at
    exit code and words of the message; returns the last Result."""
    def check(code, job, *words, commands=("plan", "apply"), env=None):
        for command in commands:
            done = sanctumctl(command, job, env=env)
            assert done.rc == code, (command, done.rc, done.err)
            assert done.err.splitlines()[-1].startswith("sanctumctl: ")
            for word in words:
                assert str(word) in done.err, (command, done.err)
        return done
    return check


def edited(job, old, new):
    """Put other words into a job file; return the number of their line."""
    text = job.read_text()
    assert text.count(old) == 1, (old, text)
    job.write_text(text.replace(old, new))
    return text[:text.index(old)].count("\n") + 1


@pytest.fixture
def agent_job(source, second, source_letta, second_letta, agent_id,
              tmp_path):
    """The job of a fresh agent."""
    return jobs.agent_job(tmp_path / "agent.conf", source_letta,
                          second_letta, agent_id)


@pytest.fixture
def workers_job(bed, src, dst, worker_tree, worker_letta, tmp_path,
                transport):
    """The job of a fresh worker."""
    yield jobs.workers_job(tmp_path / "workers.conf", bed, worker_tree,
                           OTHER_AGENT, server_url=worker_letta.url,
                           transport=transport)
    dst.run(["sh", "-c",
             f"rm -rf {worker_tree.home} {worker_tree.home}.sanctumctl-*"])


@pytest.fixture
def target(target_letta, dst):
    return look.HostClient(dst, TARGET, TARGET_PASSWORD)


@pytest.fixture
def greenfield_job(bed, acme, source, target, src, dst, agent_id, users,
                   make_worker, sanctumctl, tmp_path):
    """The job of a fresh agent and worker; it is taken back."""
    made = make_worker(agent_id=agent_id, users=users)
    job = jobs.greenfield_job(tmp_path / "greenfield.conf", bed, made,
                              agent_id)
    yield job
    sanctumctl("cancel", job)
    wait_for("nginx to end", lambda: not nginx_runs(dst))


def nginx_runs(dst):
    return "nginx: master" in dst.run(["ps", "-A", "-o", "args="]).stdout


# Words of the command line and the job file


def test_a_mistyped_command_gets_a_suggestion(sanctumctl):
    done = sanctumctl("aply", "job.conf")
    assert done.rc == 2 and "`aply' (did you mean `apply'?)" in done.err
    assert done.out == ""


@pytest.mark.parametrize("command", ["check", "plan", "apply", "verify",
                                     "status", "cancel"])
def test_a_command_wants_a_job_that_is_there(refused, sanctumctl, tmp_path,
                                             command):
    done = sanctumctl(command)
    assert done.rc == 2
    assert re.search(rf"usage: sanctumctl {command} (\[--.*\] )?JOB\n",
                     done.err)
    refused(2, tmp_path / "none.conf", "none.conf", "No such file",
            commands=[command])
    assert not (tmp_path / "state").exists()


def test_an_unknown_key_gets_a_suggestion(agent_job, refused, source, second):
    line = edited(agent_job, "to = new", "tto = new")
    with unchanged(source, second):
        refused(2, agent_job, f"{agent_job}:{line}", "tto", "`to'",
                commands=["check", "plan", "apply"])


def test_a_secret_that_is_not_there(agent_job, refused, source, second,
                                    tmp_path):
    given = f"env:{jobs.TARGET_TOKEN}"
    with unchanged(source, second):
        refused(2, agent_job, given, "is not set",
                commands=["check", "plan", "apply"],
                env={jobs.TARGET_TOKEN: ""})
        for ref, why in ((f"file:{tmp_path}/none", "No such file"),
                         ("cmd:/bin/false", "exit code 1"),
                         ("cmd:/bin/true", "is empty"),
                         ("cmd:/no/such/program", "No such file")):
            edited(agent_job, given, ref)
            refused(2, agent_job, ref, why, commands=["check", "plan"])
            given = ref


def test_a_secret_that_others_can_read(agent_job, refused, source, second,
                                       tmp_path):
    secret = tmp_path / "token"
    secret.write_text(TARGET_PASSWORD + "\n")
    secret.chmod(0o644)
    edited(agent_job, f"env:{jobs.TARGET_TOKEN}", f"file:{secret}")
    with unchanged(source, second):
        done = refused(2, agent_job, f"file:{secret}", f"chmod 600 {secret}",
                       commands=["check", "plan", "apply"])
    assert TARGET_PASSWORD not in done.err


def test_version_latest_is_refused(agent_job, refused, second_letta, source,
                                   second):
    line = edited(agent_job, f"url = {second_letta.url}\n",
                  f"url = {second_letta.url}\nversion = latest\n")
    with unchanged(source, second):
        refused(2, agent_job, f"{agent_job}:{line + 1}", "latest", "0.16.2",
                commands=["check", "plan", "apply"])


# Servers


def test_a_server_of_another_version_is_refused(agent_job, refused, source,
                                                second_letta, second):
    edited(agent_job, f"url = {second_letta.url}\n",
           f"url = {second_letta.url}\nversion = 0.16.3\n")
    with unchanged(source, second):
        refused(1, agent_job, "new", second_letta.url, "0.16.3",
                second_letta.version, "nothing was changed")


def test_a_wrong_token_is_refused(agent_job, refused, source, second,
                                  second_letta):
    with unchanged(source, second):
        done = refused(12, agent_job, "new", second_letta.url, "401",
                       "check the token",
                       env={jobs.TARGET_TOKEN: "not-the-password"})
    assert "not-the-password" not in done.err + done.out


def test_a_server_that_is_down(agent_job, refused, source, second,
                               second_letta):
    nobody = f"http://127.0.0.1:{free_port()}"
    edited(agent_job, second_letta.url, nobody)
    with unchanged(source, second):
        refused(10, agent_job, "new", nobody, commands=["plan"])


def test_an_agent_that_is_not_there(agent_job, refused, source, second,
                                    agent_id):
    edited(agent_job, agent_id, OTHER)
    with unchanged(source, second):
        refused(1, agent_job, "cloud", OTHER, "404")


def test_a_tool_of_the_same_name_and_another_source(agent_job, refused,
                                                    source, second):
    second("POST", "/v1/tools/", {"source_type": "python", "source_code":
           look.custom_tools(source)[history.TOOL_NAME]["source_code"]
           .replace("a die has sides", "no sides, no die")})
    with unchanged(source, second):
        refused(1, agent_job, history.TOOL_NAME, "another source",
                "nothing was changed", "tools = override")
    assert second("GET", "/v1/agents/?limit=10") == []


# Hosts

over_both = pytest.mark.parametrize("transport", jobs.TRANSPORTS)


def log_since(host, size):
    """Return what sshd has logged since its log was of that size."""
    return host.log.read_bytes()[size:].decode()


@over_both
def test_an_unknown_host_key(workers_job, refused, src, dst, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("")
    edited(workers_job, str(dst.known_hosts), str(known))
    with unchanged(src, dst):
        refused(13, workers_job, "node1", dst.fingerprint(),
                f"host_key = {dst.fingerprint()}")
    assert known.read_text() == ""


@over_both
def test_a_changed_host_key(workers_job, refused, src, dst):
    old = dst.fingerprint()
    dst.change_host_key()
    try:
        seen = dst.log.stat().st_size
        with unchanged(src, dst):
            refused(13, workers_job, "node1", "CHANGED", old,
                    dst.fingerprint(), str(dst.known_hosts))
        text = wait_for("sshd's log", lambda: log_since(dst, seen))
        assert "Connection from" in text
        assert not TRIED.search(text), text
    finally:
        dst.write_known_hosts()


@over_both
def test_a_host_key_that_is_not_the_pinned_one(workers_job, refused, src,
                                               dst):
    pin = src.fingerprint()
    edited(workers_job, f"user_known_hosts_file = {dst.known_hosts}\n",
           f"host_key = {pin}\n")
    seen = dst.log.stat().st_size
    with unchanged(src, dst):
        refused(13, workers_job, "node1", pin, dst.fingerprint())
    text = wait_for("sshd's log", lambda: log_since(dst, seen))
    assert "Connection from" in text
    assert not TRIED.search(text), text


@over_both
def test_a_key_that_the_host_does_not_accept(workers_job, refused, src, dst,
                                             tmp_path):
    key = make_client_key(tmp_path / "other_key")
    text = workers_job.read_text().replace(str(dst.client_key), str(key))
    workers_job.write_text(text)
    seen = src.log.stat().st_size, dst.log.stat().st_size
    with unchanged(src, dst):
        refused(12, workers_job, "no key was accepted", "root", str(key),
                env={"SSH_AUTH_SOCK": ""})
    # What TRIED looks for is what sshd logs.
    wait_for("sshd's log", lambda: TRIED.search(
        log_since(src, seen[0]) + log_since(dst, seen[1])))


@over_both
def test_a_host_that_is_down(workers_job, refused, src, dst):
    dst.stop_sshd()
    try:
        with unchanged(src, dst):
            refused(10, workers_job, "node1", dst.address)
    finally:
        dst.start_sshd()


def test_a_host_that_has_no_room(workers_job, refused, worker_tree, src, dst,
                                 sanctumctl):
    dst.small_tmpfs("/srv/small", "20m")
    try:
        dst.run(["dd", "if=/dev/zero", "of=/srv/small/full", "bs=1M",
                 "count=8", "status=none"])
        edited(workers_job, f"to = node1:{worker_tree.home}",
               "to = node1:/srv/small/agents/sage")
        with unchanged(src, dst):
            done = refused(1, workers_job, "node1:/srv/small", "make room")
        needs, free = re.search(r"need (\d+) bytes .* (\d+) free",
                                done.err).groups()
        assert int(free) == 12 << 20 < int(needs)
        dst.path("/srv/small/full").unlink()
        assert sanctumctl("apply", workers_job).rc == 0
    finally:
        dst.run(["umount", "/srv/small"])


@over_both
def test_a_host_whose_disk_fills_up_under_way(workers_job, refused, src, dst,
                                              worker_tree, sanctumctl):
    small = "/srv/small"
    dst.small_tmpfs(small, "64m")
    try:
        dst.run(["mount", "-o", "remount,nr_inodes=20", small])
        edited(workers_job, f"to = node1:{worker_tree.home}",
               f"to = node1:{small}/agents/sage")
        with unchanged(src):
            refused(1, workers_job, "node1", small, "no space left",
                    commands=["apply"])
        assert not dst.path(f"{small}/agents/sage").exists()
        dst.run(["mount", "-o", "remount,nr_inodes=2000", small])
        applied = sanctumctl("apply", workers_job)
        assert applied.rc == 0, applied.err
        assert sanctumctl("verify", workers_job).rc == 0
    finally:
        dst.run(["umount", small])


# Trees of a worker


def byte_order_mark(made):
    env = made.broca / ".env"
    env.write_bytes(b"\xef\xbb\xbf" + env.read_bytes())


def link(made):
    (made.broca / ".env").rename(made.broca / "env.real")
    (made.broca / ".env").symlink_to("env.real")


def folder(made):
    (made.broca / ".env").unlink()
    (made.broca / ".env").mkdir()


def no_agent(made):
    env = made.broca / ".env"
    env.write_text(env.read_text().replace("AGENT_ID=agent-1", "X=agent-1"))


@pytest.mark.parametrize("spoil, words", [
    (byte_order_mark, [".env:1: ", "byte order mark"]),
    (link, ["/broca/.env", "not a regular file"]),
    (folder, ["/broca/.env", "not a regular file"]),
    (no_agent, ["AGENT_ID", "broca/.env"]),
])
def test_an_env_file_that_cannot_be_changed(workers_job, worker_tree, refused,
                                            src, dst, spoil, words):
    spoil(worker_tree)
    with unchanged(src, dst):
        refused(1, workers_job, "old:", worker_tree.home, *words)


def test_a_link_that_leaves_the_tree(workers_job, worker_tree, refused, src,
                                     dst):
    (worker_tree.broca / "data/away").symlink_to("../../../../secrets")
    with unchanged(src, dst):
        refused(1, workers_job, "old", worker_tree.home, "broca/data/away",
                "leads out of the tree")


def test_a_fifo_in_the_tree(workers_job, worker_tree, refused, src, dst):
    src.run(["mkfifo", f"{worker_tree.home}/broca/data/pipe"])
    try:
        refused(1, workers_job, "old", "broca/data/pipe", "FIFO")
        assert not dst.path(worker_tree.home).exists()
    finally:
        (worker_tree.broca / "data/pipe").unlink()


def not_a_database(made):
    (made.broca / "sanctum.db").write_text("these are words\n" * 400)


def zero_bytes(made):
    (made.broca / "sanctum.db").write_bytes(b"")


def corrupt_page(made):
    root = made.query("SELECT rootpage FROM sqlite_schema"
                      " WHERE name = 'messages'")[0]["rootpage"]
    with open(made.broca / "sanctum.db", "r+b") as f:
        f.seek((root - 1) * 4096)
        f.write(b"\xff" * 4096)


@pytest.mark.parametrize("spoil, word", [
    (not_a_database, "not an SQLite database"), (zero_bytes, "0 bytes"),
    (corrupt_page, "malformed|damaged")])
def test_a_database_that_is_damaged(workers_job, worker_tree, refused, src,
                                    dst, spoil, word):
    spoil(worker_tree)
    with unchanged(src, dst):
        done = refused(1, workers_job, "old:", worker_tree.database)
    assert re.search(word, done.err), done.err


# The journal


@contextlib.contextmanager
def silent_server():
    """A server that accepts and never answers; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield f"http://127.0.0.1:{s.getsockname()[1]}"


def test_a_journal_that_another_process_holds(agent_job, refused, source,
                                              source_letta, second,
                                              sanctumctl):
    with silent_server() as url, unchanged(source, second):
        edited(agent_job, source_letta.url, url)
        holder = sanctumctl.spawn("apply", agent_job)
        try:
            lock = sanctumctl.state / "sage-agent/journal.db.lock"
            wait_for("the lock", lambda: str(holder.pid) in lock.read_text(),
                     alive=lambda: holder.poll() is None)
            refused(11, agent_job, f"pid {holder.pid}", "journal.db",
                    commands=["plan", "apply", "cancel"])
            assert holder.poll() is None
            # Who only reads need not wait.
            assert sanctumctl("status", agent_job).rc == 0
        finally:
            holder.send_signal(signal.SIGTERM)
            holder.communicate(timeout=60)
    assert holder.returncode == 130


def test_a_journal_of_another_job(agent_job, refused, source, second,
                                  sanctumctl, agent_id):
    assert sanctumctl("plan", agent_job).rc == 4
    edited(agent_job, agent_id, OTHER)
    with unchanged(source, second):
        refused(15, agent_job, str(agent_job), "journal.db",
                "another name in [job]",
                commands=["plan", "apply", "verify", "status", "cancel"])
    edited(agent_job, OTHER, agent_id)
    assert sanctumctl("plan", agent_job).rc == 4


# The edge


def test_nothing_listens_behind_the_edge(greenfield_job, refused, source,
                                         target, src, dst):
    edited(greenfield_job, "host = node1\n", "host = node1\nport = 18299\n")
    with unchanged(source, target, src, dst):
        refused(10, greenfield_job, "node1", "127.0.0.1:18299",
                "letta server --host 127.0.0.1 --port 18299")
    assert not nginx_runs(dst)


THEIRS = "/etc/nginx/conf.d/theirs.conf"
BROKEN = "/etc/nginx/conf.d/broken.conf"


def test_somebody_elses_vhost_is_broken(greenfield_job, refused, source,
                                        target, src, dst, sanctumctl):
    def serves():
        return dst.run(["curl", "-s", "http://127.0.0.1:8099/"],
                       check=False).stdout == "theirs"

    dst.path(THEIRS).write_text(
        'server { listen 8099; return 200 "theirs"; }\n')
    dst.run(["nginx"])
    try:
        wait_for("their vhost", serves)
        dst.path(BROKEN).write_text("server { listen 8098; nonsense; }\n")
        with unchanged(source, target, src):
            before = look.tree(dst, "/etc/nginx")
            refused(1, greenfield_job, "node1", "nonsense",
                    f"{BROKEN}:1", "not ours", "nothing was changed")
            assert not look.differences(before, look.tree(dst, "/etc/nginx"))
            assert serves()
        broken = dst.path(BROKEN).read_text()
        dst.path(BROKEN).unlink()
        applied = sanctumctl("apply", greenfield_job)
        assert applied.rc == 0, applied.err
        assert serves()
        # It was running before this job: taking that back leaves it alone.
        cancelled = sanctumctl("cancel", greenfield_job)
        assert cancelled.rc == 0, cancelled.err
        assert serves() and nginx_runs(dst)
        dst.path(BROKEN).write_text(broken)
        assert not look.differences(before, look.tree(dst, "/etc/nginx"))
    finally:
        for path in (THEIRS, BROKEN):
            dst.path(path).unlink(missing_ok=True)
        dst.run(["nginx", "-s", "stop"], check=False)


def test_the_name_points_to_another_host(greenfield_job, refused, source,
                                         target, src, dst, bed, acme,
                                         sanctumctl):
    acme.set_address(bed.site, src.address)
    try:
        with unchanged(source, target, src):
            failed = refused(1, greenfield_job, "node1", "certbot",
                             f"Domain: {bed.site}", src.address,
                             commands=["apply"])
        assert "\\x0a" not in failed.err
        assert not dst.path(f"/etc/letsencrypt/live/{bed.site}").exists()
    finally:
        acme.set_address(bed.site, dst.address)
    applied = sanctumctl("apply", greenfield_job)
    assert applied.rc == 0, applied.err
    assert sanctumctl("verify", greenfield_job).rc == 0
