"""The nginx file of an edge after a stop, a failure and a cancel.

The job pins another version than the server behind the edge has, so that an
apply ends there, once the edge serves.  SANCTUMCTL_FAULTS names a program that was configured with
--enable-fault-points (default: the tree's build/faults/sanctumctl).
"""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from bed import jobs
from bed.paths import TOP
from bed.wait import wait_for

STOPPED = 99
OTHER_VERSION = "0.0.1"
BROKEN = "/etc/nginx/conf.d/broken.conf"
WEBROOTS = "/var/lib/sanctumctl/acme"


class Edge:
    """A job whose apply makes the edge and then meets another version."""

    def __init__(self, bed, made, agent_id, folder):
        self.dst, self.folder = bed.dst, folder
        self.state = folder / "state"
        self.job = jobs.greenfield_job(folder / "edge.conf", bed, made,
                                       agent_id)
        self.job.write_text(self.job.read_text().replace(
            f"version = {bed.target_version}\n",
            f"version = {OTHER_VERSION}\n"))
        self.conf = bed.dst.path(
            f"/etc/nginx/conf.d/sanctumctl-{bed.site}.conf")
        self.program = Path(os.environ.get("SANCTUMCTL_FAULTS")
                            or TOP / "build/faults/sanctumctl").resolve()
        if not self.program.is_file():
            pytest.fail(f"{self.program} is not built; SANCTUMCTL_FAULTS may "
                        "name another, with --enable-fault-points")

    def start(self, command, **env):
        return subprocess.Popen(
            [self.program, "--state", self.state, command, self.job],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=self.folder,
            env={**jobs.environment(), **env})

    def run(self, command, **env):
        """Return exit code and output."""
        with self.start(command, **env) as started:
            said = started.communicate(timeout=300)[0]
        return started.returncode, said

    def make(self, **env):
        """Apply: the edge is made, and nothing else can be."""
        code, said = self.run("apply", **env)
        assert code == 1 and OTHER_VERSION in said, said

    def cancel(self):
        code, said = self.run("cancel")
        assert code == 0, said
        wait_for("nginx to end", lambda: not self.nginx_runs())

    def nginx_runs(self):
        return self.dst.run(["pgrep", "-x", "nginx"],
                            check=False).returncode == 0

    def tls_is_written(self):
        """Number of the point behind the file of the last phase."""
        path = self.folder / "points"
        self.make(SANCTUMCTL_FAULT_COUNT=str(path))
        names = path.read_text().split()
        self.cancel()
        # A journal that was used already would have fewer points.
        self.state = self.folder / "fresh"
        tls = [i for i, name in enumerate(names) if name == "plan_begun"][2]
        return names.index("host_replace", tls) + 1


@pytest.fixture
def edge(bed, acme, target_letta, make_worker, users, agent_id, tmp_path):
    made = make_worker(agent_id=agent_id, users=users)
    one = Edge(bed, made, agent_id, tmp_path)
    yield one
    one.dst.path(BROKEN).unlink(missing_ok=True)
    one.run("cancel")
    one.conf.unlink(missing_ok=True)
    one.dst.run(["nginx", "-s", "stop"], check=False)
    wait_for("nginx to end", lambda: not one.nginx_runs())


def test_a_file_that_was_not_proven_is_not_what_comes_back(edge):
    point = edge.tls_is_written()
    code, said = edge.run("apply", SANCTUMCTL_FAULT_STOP=str(point))
    assert code == STOPPED, said
    assert "ssl_certificate" in edge.conf.read_text()

    edge.dst.path(BROKEN).write_text("server { listen 8098; nonsense; }\n")
    for words in ("nginx does not read it again", "is not ours"):
        code, said = edge.run("apply")
        assert code == 1 and "nonsense" in said, said
        assert words in said
        assert "ssl_certificate" not in edge.conf.read_text()
        assert "listen 80;" in edge.conf.read_text()

    edge.dst.path(BROKEN).unlink()
    edge.make()
    assert "ssl_certificate" in edge.conf.read_text()
    edge.cancel()
    assert not edge.conf.exists()


def test_two_jobs_do_not_change_one_node(edge):
    lock = edge.dst.path("/run/sanctumctl.lock")
    lock.write_text('{"job": "theirs", "host": "desk", "pid": 4711,'
                    ' "since": "2026-01-02T03:04:05Z"}')
    points = edge.folder / "points"
    code, said = edge.run("apply", SANCTUMCTL_FAULT_COUNT=str(points))
    assert code == 11, said
    assert "node1 is being changed by the job theirs (pid 4711 on desk," in (
        said)
    assert not edge.conf.exists()
    lock.unlink()

    # Killed with the lock, the same job has it still, and others do not.
    taken = len(points.read_text().split()) + 2
    edge.state = edge.folder / "fresh"
    code, said = edge.run("apply", SANCTUMCTL_FAULT_STOP=str(taken))
    assert code == STOPPED and lock.exists(), said
    edge.state = edge.folder / "other"
    code, said = edge.run("apply")
    assert code == 11 and "whose process is no more" in said, said
    assert lock.exists()
    edge.state = edge.folder / "fresh"
    edge.make()
    assert not lock.exists()
    edge.cancel()
    assert not list(lock.parent.glob(lock.name + "*"))


def test_a_signal_while_it_is_proven_leaves_it_to_the_next_apply(edge, bed):
    # Another certificate authority than the one that signs: no proof.
    right = edge.job.read_text()
    other = edge.folder / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=other", "-keyout", os.devnull, "-out", other], check=True,
        capture_output=True)
    edge.job.write_text(right.replace(str(bed.acme.root_ca()), str(other)))

    def has_tls():
        return (edge.conf.exists()
                and "ssl_certificate" in edge.conf.read_text())

    with edge.start("apply") as started:
        wait_for("the file", has_tls)
        started.send_signal(signal.SIGINT)
        said = started.communicate(timeout=60)[0]
    assert started.returncode == 130, said
    assert "the next `apply' proves it or puts" in said
    assert "back in service" not in said
    assert has_tls()

    code, said = edge.run("apply")
    assert code != 0 and "back in service" in said, said
    assert edge.conf.exists() and not has_tls()
    edge.job.write_text(right)
    edge.make()
    assert has_tls()


def test_cancel_restores_what_this_apply_found(edge):
    edge.make()
    edge.cancel()
    assert not edge.conf.exists()
    for text in ("# by hand\n", ""):
        edge.conf.write_text(text)
        edge.make()
        assert edge.conf.read_text() != text
        edge.cancel()
        assert edge.conf.read_text() == text
    edge.conf.unlink()
    edge.make()
    edge.cancel()
    assert not edge.conf.exists()


def test_cancel_needs_no_template_and_keeps_the_webroot_of_others(edge):
    edge.make()
    other = edge.dst.path(f"{WEBROOTS}/other.internal")
    other.mkdir()
    code, said = edge.run("cancel", SANCTUMCTL_TEMPLATES="/nowhere")
    assert code == 0, said
    assert [p.name for p in edge.dst.path(WEBROOTS).iterdir()] == [other.name]
    other.rmdir()
    edge.make()
    edge.cancel()
    assert not edge.dst.path(WEBROOTS).exists()
