"""transport = openssh: what only the user's own ssh can reach.

The host `old` is one that this machine has no address of: a second sshd on
the loopback of src, behind src itself, under an alias of ~/.ssh/config, with
an RSA key.  OpenSSH takes a home directory from the list of users and not from
HOME: so the program runs where /root has our file on top of it.
"""

import subprocess

import pytest

from bed import jobs, worker
from bed.wait import wait_for

from conftest import OTHER_AGENT

HIDDEN_PORT = 2022

CONFIG = """\
Host hidden-old
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {rsa}
    IdentitiesOnly yes
    ProxyJump way-in
    RemoteCommand echo this is not for us
    LocalForward 18999 127.0.0.1:22
    StrictHostKeyChecking no

Host way-in
    HostName {src}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {way_in_known}
    GlobalKnownHostsFile /dev/null
"""


@pytest.fixture
def rsa_key(src, tmp_path):
    """A key of RSA that src takes."""
    path = tmp_path / "rsa_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "",
                    "-f", str(path)], check=True)
    let_in = src.path("/root/.ssh/authorized_keys")
    before = let_in.read_text()
    let_in.write_text(before + path.with_suffix(".pub").read_text())
    yield path
    let_in.write_text(before)


@pytest.fixture
def hidden(src):
    """An sshd that only src can reach; gives its line for known_hosts."""
    server = src.spawn(
        ["/usr/sbin/sshd", "-D", "-p", str(HIDDEN_PORT), "-o",
         "ListenAddress=127.0.0.1", "-o", "PidFile=none"], cwd="/")
    wait_for("a second sshd", lambda: src.run(
        ["ssh-keyscan", "-p", str(HIDDEN_PORT), "127.0.0.1"],
        check=False).stdout, alive=server.alive)
    yield f"[127.0.0.1]:{HIDDEN_PORT} {src.public_key()}\n"
    server.stop()


@pytest.fixture
def at_home(src, rsa_key, tmp_path, program_path):
    """Function that runs the program with a ~/.ssh of its own."""
    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    config = ssh / "config"
    config.write_text(CONFIG.format(
        src=src.address, port=HIDDEN_PORT, rsa=rsa_key, key=src.client_key,
        way_in_known=src.known_hosts))
    config.chmod(0o600)
    (ssh / "known_hosts").write_text("")

    def run(*words):
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             'mount -t overlay -o lowerdir="$0":/root none /root && exec "$@"',
             str(ssh.parent), str(program_path), "--state",
             str(tmp_path / "state"), *map(str, words)],
            text=True, capture_output=True, stdin=subprocess.DEVNULL,
            cwd=tmp_path, env=jobs.environment(), timeout=120)

    run.known_hosts = ssh / "known_hosts"
    return run


@pytest.fixture
def job(bed, dst, worker_tree, worker_letta, tmp_path):
    made = worker_tree
    yield jobs.write(tmp_path / "hidden.conf", [
        jobs.job("workers", f"{made.name}-hidden"),
        ("host old", {"address": "hidden-old", "transport": "openssh"}),
        jobs.host("node1", bed.dst),
        ("letta new", {"url": worker_letta.url,
                       "token": f"env:{jobs.TARGET_TOKEN}"}),
        jobs.worker(made.name, made, agent=OTHER_AGENT, server="new",
                    trees="smcp")])
    dst.run(["sh", "-c", f"rm -rf {made.home} {made.home}.sanctumctl-*"])


def pin(job, fingerprint):
    text = job.read_text()
    job.write_text(text.replace(
        "address = hidden-old\n",
        f"address = hidden-old\nhost_key = {fingerprint}\n"))


def test_an_alias_behind_a_jump_host(at_home, job, hidden, src, dst,
                                     worker_tree):
    # Whatever the file says, an unknown key is refused, and told.
    unknown = at_home("plan", job)
    assert unknown.returncode == 13, unknown.stderr
    for word in ("old:", "is unknown", f"host_key = {src.fingerprint()}"):
        assert word in unknown.stderr
    at_home.known_hosts.write_text(hidden)
    applied = at_home("apply", job)
    assert applied.returncode == 0, applied.stderr
    there = worker.manifest(dst.path(worker_tree.home) / "smcp/plugins")
    assert there == worker.manifest(worker_tree.smcp / "plugins")


def test_a_pinned_key_behind_a_jump_host(at_home, job, hidden, src, dst):
    text = job.read_text()
    pin(job, dst.fingerprint())
    # The pin counts, and not what known_hosts says.
    at_home.known_hosts.write_text(hidden)
    refused = at_home("plan", job)
    assert refused.returncode == 13, refused.stderr
    for word in (src.fingerprint(), dst.fingerprint(), "pins"):
        assert word in refused.stderr
    job.write_text(text)
    pin(job, src.fingerprint())
    at_home.known_hosts.write_text("")
    planned = at_home("plan", job)
    assert planned.returncode == 4, planned.stderr


def test_a_jump_host_that_is_unknown(at_home, job, hidden, src):
    """It would ask; there is nobody, and nothing is trusted."""
    at_home.known_hosts.write_text(hidden)
    known = src.known_hosts.read_text()
    src.known_hosts.write_text("")
    try:
        refused = at_home("plan", job)
    finally:
        src.known_hosts.write_text(known)
    assert refused.returncode == 13, refused.stderr
    assert "old:" in refused.stderr
    assert "Host key verification failed" in refused.stderr


def test_libssh2_names_the_way_to_use_rsa(bed, rsa_key, job, src, dst,
                                          sanctumctl):
    text = job.read_text()
    job.write_text(text.replace(
        "address = hidden-old\ntransport = openssh\n",
        f"address = {src.address}\nuser = root\nport = {src.port}\n"
        f"identity_file = {rsa_key}\n"
        f"user_known_hosts_file = {src.known_hosts}\n"))
    refused = sanctumctl("plan", job)
    assert refused.rc == 12 and "transport = openssh" in refused.err
    job.write_text(job.read_text().replace(
        "user = root\n", "user = root\ntransport = openssh\n", 1))
    assert sanctumctl("plan", job).rc == 4
