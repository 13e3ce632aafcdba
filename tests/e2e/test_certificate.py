"""The certificate of an edge: asked for, refused, renewed, moved, adopted.

certbot, Pebble and nginx are real.  Behind the edge is a stand-in that only
listens, since no step here asks Letta anything.
"""

import datetime
import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from bed import jobs
from bed.acme_limit import AcmeLimit
from bed.paths import TOP
from bed.wait import accepts, wait_for

PORT = 18297
LIVE = "/etc/letsencrypt/live"
HOOKS = "/etc/letsencrypt/renewal-hooks/deploy"
STOPPED = 99

numbers = itertools.count(1)


class Node:
    """A job of an edge alone on dst, for a name that only Pebble knows."""

    def __init__(self, bed, folder, run):
        self.bed, self.dst, self.folder, self.ctl = bed, bed.dst, folder, run
        self.name = f"cert{next(numbers)}"
        self.site = f"{self.name}.internal"
        self.keys = {
            "site": self.site, "ade": f"{self.site}:8283",
            "acme_email": f"ops@{self.site}",
            "acme_server": bed.acme.directory_url,
            "acme_ca_file": bed.acme.trust_on(bed.dst),
            "ca_file": bed.acme.root_ca(), "connect_to": bed.dst.address}
        self.hosts = [jobs.host("node1", bed.dst)]
        self.job = folder / "node.conf"
        self.write()
        bed.acme.set_address(self.site, bed.dst.address)

    def write(self, **keys):
        """Write the job anew, with these keys of [edge]; None: without."""
        self.keys.update(keys)
        jobs.write(self.job, [
            jobs.job("greenfield", self.name), *self.hosts,
            ("letta new", {"host": "node1", "port": PORT}),
            ("edge node1", self.keys)])

    def apply(self, rc=0, **more):
        done = self.ctl("apply", self.job, **more)
        assert done.rc == rc, done.out + done.err
        return done.out + done.err

    def cancel(self):
        done = self.ctl("cancel", self.job)
        assert done.rc == 0, done.out + done.err

    def kill_at(self, point, nth=1):
        """Apply with the program that stops at the nth point of a name."""
        count = self.folder / "points"
        self.ctl("apply", self.job, program=faults(),
                 env={"SANCTUMCTL_FAULT_COUNT": str(count)})
        return count.read_text().split()

    def path(self, inside):
        return self.dst.path(inside)

    def exists(self, inside):
        return self.dst.run(["test", "-e", inside], check=False
                            ).returncode == 0

    def serial(self, lineage=None):
        return self.dst.run(
            ["openssl", "x509", "-noout", "-serial", "-in",
             f"{LIVE}/{lineage or self.site}/cert.pem"]).stdout.strip()

    def served(self):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.dst.address}:443",
             "-servername", self.site], input="", text=True,
            capture_output=True)
        return subprocess.run(
            ["openssl", "x509", "-noout", "-serial"], input=done.stdout,
            text=True, capture_output=True).stdout.strip()

    def asked(self, log="pebble"):
        """Number of orders that Pebble has taken."""
        text = (self.bed.acme.state_dir / f"{log}.log").read_text()
        return text.count("order-plz")


def faults():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name "
                    "another, with --enable-fault-points")
    return path


@pytest.fixture(scope="module")
def listener(bed, acme, dst):
    """What listens where Letta would."""
    running = dst.spawn(["python3", "-m", "http.server", "--bind",
                         "127.0.0.1", str(PORT)])
    wait_for("the listener", lambda: dst.run(
        ["ss", "-Hltn", f"sport = :{PORT}"]).stdout.strip(),
        alive=running.alive)
    yield
    running.stop()


@pytest.fixture
def node(bed, listener, sanctumctl, tmp_path):
    one = Node(bed, tmp_path, sanctumctl)
    yield one
    one.ctl("cancel", one.job)
    one.dst.run(["rm", "-rf", "/etc/letsencrypt", "/var/log/letsencrypt",
                 f"/etc/nginx/conf.d/sanctumctl-{one.site}.conf"])
    one.dst.run(["nginx", "-s", "stop"], check=False)
    wait_for("nginx to end", lambda: one.dst.run(
        ["pgrep", "-x", "nginx"], check=False).returncode != 0)


def test_it_is_issued_renewed_once_and_taken_back(node):
    said = node.apply()
    assert "DNS was not checked" in said
    assert "renewal by /etc/cron.d/certbot, proven by one" in said
    # The forced renewal made a second one, and the hook told nginx.
    assert node.exists(f"/etc/letsencrypt/archive/{node.site}/cert2.pem")
    assert node.served() == node.serial() != ""
    hook = node.path(f"{HOOKS}/sanctumctl-{node.site}")
    assert hook.stat().st_mode & 0o777 == 0o755
    assert not list(node.path("/var/lib/sanctumctl/acme").rglob("sanctumctl-*"))

    orders = node.asked()
    assert "0 of" in node.apply() or True
    assert node.ctl("plan", node.job).rc == 0
    assert node.asked() == orders

    node.cancel()
    for gone in (f"{LIVE}/{node.site}", str(f"{HOOKS}/sanctumctl-{node.site}"),
                 f"/etc/letsencrypt/renewal/{node.site}.conf"):
        assert not node.exists(gone), gone
