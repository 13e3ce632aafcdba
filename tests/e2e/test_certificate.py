"""The certificate of an edge: asked for, refused, renewed, moved, adopted.

certbot, Pebble and nginx are real.  Behind the edge is a stand-in that only
listens, since no step here asks Letta anything.
"""

import contextlib
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
        """Run `edge apply'; return what it said."""
        done = self.ctl("edge", "apply", self.job, **more)
        assert done.rc == rc, done.out + done.err
        return done.out + done.err

    def cancel(self):
        done = self.ctl("cancel", self.job)
        assert done.rc == 0, done.out + done.err

    def cert(self, *words, rc=0):
        """Run `edge cert'; return its object."""
        done = self.ctl("--json", "edge", "cert", *words, self.job)
        assert done.rc == rc, done.out + done.err
        return json.loads(done.out.splitlines()[0])

    def journal(self):
        return b"".join(p.read_bytes() for p in self.ctl.state.rglob("*")
                        if p.is_file())

    def hosts_file(self, *lines):
        """Return a program for which these are the names of this machine."""
        names = self.folder / "hosts"
        names.write_text("127.0.0.1 localhost\n" + "\n".join(lines) + "\n")
        program = self.folder / "with-names"
        program.write_text(
            "#!/bin/sh\nexec unshare -m sh -c 'mount --bind "
            f"{names} /etc/hosts && exec {program_path()} \"$@\"' sh "
            '"$@"\n')
        program.chmod(0o755)
        return program

    def path(self, inside):
        return self.dst.path(inside)

    def certbot(self, *words, on=None, name=None):
        """Ask Pebble for a certificate by hand, without sanctumctl."""
        on = on or self.dst
        return on.run(
            ["certbot", "certonly", "--standalone", "-n", "--agree-tos",
             "--register-unsafely-without-email", "--server",
             self.bed.acme.directory_url, "--cert-name", name or self.site,
             "-d", self.site, *words],
            env={"REQUESTS_CA_BUNDLE": self.bed.acme.trust_on(on)})

    def exists(self, inside):
        return self.dst.run(["test", "-e", inside], check=False
                            ).returncode == 0

    def serial(self, lineage=None):
        return self.dst.run(
            ["openssl", "x509", "-noout", "-serial", "-in",
             f"{LIVE}/{lineage or self.site}/cert.pem"]).stdout.strip()

    def mode(self, inside):
        return self.dst.run(["stat", "-Lc", "%a", inside]).stdout.strip()

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


def program_path():
    return Path(os.environ.get("SANCTUMCTL")
                or TOP / "build/plain/sanctumctl").resolve()


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
    hook = f"{HOOKS}/sanctumctl-{node.site}"
    assert node.mode(hook) == "755"
    # No token of the check before is left.
    assert not list(node.path("/var/lib/sanctumctl/acme")
                    .rglob("sanctumctl-*"))
    shown = node.cert()
    assert shown["lineage"] == node.site and shown["names"] == [node.site]
    assert shown["seconds_left"] > 86400 and shown["served"] is True
    assert shown["renewal"] == "proven" and shown["deploy_hook"] is True

    orders = node.asked()
    assert "nothing to do" in node.apply()
    assert node.asked() == orders

    # Renewed by somebody without the hook: nginx is told, nothing is asked.
    hidden = node.path(hook).rename(node.path("/etc/letsencrypt/renewal-hooks/hook"))
    node.dst.run(["certbot", "renew", "-n", "--force-renewal",
                  "--no-random-sleep-on-renew", "--cert-name", node.site],
                 env={"REQUESTS_CA_BUNDLE": node.keys["acme_ca_file"]})
    hidden.rename(node.path(hook))
    assert node.served() != node.serial()
    orders = node.asked()
    node.apply()
    assert node.served() == node.serial() and node.asked() == orders

    node.cancel()
    for gone in (f"{LIVE}/{node.site}", hook,
                 f"/etc/letsencrypt/renewal/{node.site}.conf"):
        assert not node.exists(gone), gone


def test_a_first_issue_is_rehearsed_once(node, acme):
    with AcmeLimit(acme) as limit:
        # The rehearsal passes, the real authority refuses.
        node.write(acme_server=limit.directory_url,
                   acme_staging=acme.directory_url)
        orders = node.asked()
        assert limit.directory_url in node.apply(75)
        assert node.asked() == orders + 1 and len(limit.asked) == 1
        node.write(acme_server=acme.directory_url,
                   acme_staging=limit.directory_url)
        said = node.apply(75)
        assert "the real one was not asked" in said
        assert node.asked() == orders + 1
    node.write(acme_staging=acme.directory_url)
    orders = node.asked()
    node.apply()
    # Rehearsal, issue, and the renewal as a dry run, with the hook by itself.
    assert node.asked() == orders + 3
    assert not node.exists(f"/etc/letsencrypt/archive/{node.site}/cert2.pem")
    assert node.served() == node.serial() != ""


def test_a_rate_limit_is_respected(node, acme):
    now = datetime.datetime.now(datetime.timezone.utc)
    with AcmeLimit(acme, 7200, "too many orders") as limit:
        node.write(acme_server=limit.directory_url, acme_staging="none")
        said = node.apply(75)
        assert "too many orders" in said
        assert len(limit.asked) == 1
        again = node.apply(75)
        until = re.search(r"not asked again before (\S+Z)", again)[1]
        wait = datetime.datetime.fromisoformat(until[:-1] + "+00:00") - now
        assert 7000 <= wait.total_seconds() <= 7300
        assert until in said and len(limit.asked) == 1
    # Another authority has refused nothing.
    node.write(acme_server=acme.directory_url)
    node.apply()


def test_a_bad_nonce_is_worth_another_try(node, acme):
    with AcmeLimit(acme, None, "JWS has an invalid nonce", 400,
                   "badNonce") as limit:
        node.write(acme_server=limit.directory_url, acme_staging="none")
        for n in (1, 2):
            assert "nonce" in node.apply(75)
            assert len(limit.asked) == 2 * n


def test_failed_validations_are_counted(node, acme, src):
    node.write(acme_staging="none")
    acme.set_address(node.site, src.address)
    for rc in (1, 1, 75):
        said = node.apply(rc)
        assert "Some challenges have failed" in said
    orders = node.asked()
    assert "is not asked again before" in node.apply(75)
    assert node.asked() == orders
    assert not node.exists(f"{LIVE}/{node.site}")


def test_dns_is_checked_before_anybody_is_asked(node, src, dst, acme):
    node.write(connect_to=None, acme_staging="none")
    orders = node.asked()

    def fails(*lines):
        said = node.apply(1, program=node.hosts_file(*lines))
        assert node.asked() == orders, said
        return said

    right, wrong = (f"{a} {node.site}" for a in (dst.address, src.address))
    said = fails()
    assert f"set an A record of {node.site} to this host" in said
    assert dst.address in said
    node.write(connect_to=dst.address)
    said = fails(wrong)
    assert f"{node.site} leads to {src.address}" in said
    assert f"its own: {dst.address}" in said and "set the A record" in said
    said = fails(right, f"2001:db8::5 {node.site}")
    assert "2001:db8::5" in said and "set the AAAA record" in said
    node.write(connect_to=None)
    said = node.apply(program=node.hosts_file(right))
    assert "was not checked" not in said


def test_port_80_is_taken(node, dst):
    other = dst.spawn(["python3", "-m", "http.server", "80"])
    wait_for("the other program", lambda: accepts(dst.address, 80),
             alive=other.alive)
    orders = node.asked()
    said = node.apply(1)
    assert "port 80 is taken by python3 (process " in said
    assert node.asked() == orders
    assert not node.exists(f"/etc/nginx/conf.d/sanctumctl-{node.site}.conf")
    other.stop()


def test_a_kill_while_it_is_issued(node, acme):
    count = node.folder / "points"
    node.write(acme_staging="none")
    with AcmeLimit(acme) as limit:
        node.write(acme_server=limit.directory_url)
        node.apply(75, program=faults(),
                   env={"SANCTUMCTL_FAULT_COUNT": str(count)})
    names = count.read_text().split()
    asked = max(i for i, n in enumerate(names) if n == "host_run") + 1
    node.write(acme_server=acme.directory_url)

    def fresh():
        node.cancel()
        for p in sorted(node.ctl.state.rglob("*"), reverse=True):
            p.unlink() if p.is_file() else p.rmdir()

    # certbot has ended, and nobody wrote that down.
    fresh()
    node.apply(STOPPED, program=faults(),
               env={"SANCTUMCTL_FAULT_STOP": str(asked)})
    serial, orders = node.serial(), node.asked()
    node.apply()
    assert node.serial() == serial and node.asked() == orders

    # certbot itself was killed: what stands in for its leavings.
    fresh()
    node.apply(STOPPED, program=faults(),
               env={"SANCTUMCTL_FAULT_STOP": str(asked - 1)})
    assert not node.exists(f"{LIVE}/{node.site}")
    for folder in ("renewal", "live", "archive"):
        node.path(f"/etc/letsencrypt/{folder}").mkdir(parents=True,
                                                      exist_ok=True)
    node.path(f"/etc/letsencrypt/renewal/{node.site}.conf").write_text("")
    node.path(f"/etc/letsencrypt/archive/{node.site}").mkdir()
    node.apply()
    assert node.served() == node.serial() != ""
    node.cancel()
    assert not node.exists(f"{LIVE}/{node.site}")


def test_leavings_of_others_stay(node):
    folder = node.path(f"/etc/letsencrypt/archive/{node.site}")
    folder.mkdir(parents=True)
    assert "parts of a lineage" in node.apply(1)
    assert folder.exists()


def test_another_lineage_is_used_as_it_is(node):
    node.write(acme_staging="none")
    node.certbot(name="by-hand")
    before = node.dst.run(["sh", "-c", "cd /etc/letsencrypt; find archive "
                           "live renewal -type f | sort | xargs sha256sum"]
                          ).stdout
    node.apply()
    assert node.cert()["lineage"] == "by-hand"
    assert node.served() == node.serial("by-hand") != ""
    assert f"{LIVE}/by-hand/privkey.pem" in node.path(
        f"/etc/nginx/conf.d/sanctumctl-{node.site}.conf").read_text()
    assert "nothing to do" in node.apply()
    node.cancel()
    assert before == node.dst.run(
        ["sh", "-c", "cd /etc/letsencrypt; find archive live renewal "
         "-type f | sort | xargs sha256sum"]).stdout


@contextlib.contextmanager
def without(host, *programs):
    """As if their packages were taken away."""
    hidden = []
    try:
        for name in programs:
            folder = host.run(["sh", "-c", f"dirname $(command -v {name})"]
                              ).stdout.strip()
            hidden.append(folder)
            host.run(["sh", "-c", f"mkdir /srv/no-{name} /srv/{name}-work && "
                      f"mknod /srv/no-{name}/{name} c 0 0 && mount -t overlay "
                      f"-o lowerdir={folder},upperdir=/srv/no-{name},"
                      f"workdir=/srv/{name}-work none {folder}"])
        yield
    finally:
        for folder in reversed(hidden):
            host.run(["umount", "-l", folder], check=False)


@pytest.fixture
def moved(node, src, acme):
    """A lineage on src, made by another client's hands, and a job for it."""
    acme.set_address(node.site, src.address)
    # The authority is on dst's link.
    route = [f"{acme.address}/32", "via", src.gateway, "dev", "eth0"]
    src.run(["ip", "route", "add", *route])
    node.certbot(on=src, name="old-name")
    node.hosts = [jobs.host("old", src), *node.hosts]
    node.write(certificate_from="old")
    yield node
    src.run(["ip", "route", "del", *route])
    src.run(["rm", "-rf", "/etc/letsencrypt"])


def test_a_lineage_comes_from_the_old_host(moved, src, dst, acme):
    node = moved
    sums = ["sh", "-c", "cd /etc/letsencrypt; find . -type f | sort | "
            "xargs sha256sum"]
    before = src.run(sums).stdout
    orders = node.asked()
    said = node.apply()
    assert "certificate for" in said and "from old" in said
    assert "DNS does not lead here yet" in said
    assert node.asked() == orders and src.run(sums).stdout == before
    serial = src.run(["openssl", "x509", "-noout", "-serial", "-in",
                      f"{LIVE}/old-name/cert.pem"]).stdout.strip()
    assert node.served() == node.serial() == serial
    assert node.mode(f"{LIVE}/{node.site}/privkey.pem") == "600"
    key = src.path("/etc/letsencrypt/archive/old-name/privkey1.pem"
                   ).read_bytes().splitlines()[1]
    assert key not in node.journal()
    assert "nothing to do" in node.apply()
    assert node.cert()["renewal"] == "waits for DNS"

    # The name leads here: renewed with the account that came along.
    acme.set_address(node.site, dst.address)
    assert node.cert("--renew")["renewal"] == "proven"
    assert node.served() == node.serial() != serial

    # A lineage of somebody's is renewed by the account since: it stays.
    renewal = "/etc/letsencrypt/renewal"
    dst.run(["cp", f"{renewal}/{node.site}.conf", f"{renewal}/theirs.conf"])
    with without(dst, "certbot", "nginx"):
        node.cancel()
    assert not node.exists(f"{LIVE}/{node.site}")
    assert dst.run(["find", "/etc/letsencrypt/accounts", "-name",
                    "private_key.json"]).stdout
    dst.run(["rm", "-r", f"{renewal}/theirs.conf",
             "/etc/letsencrypt/accounts"])


def test_what_came_with_a_lineage_goes_with_it(moved, dst):
    node = moved
    node.apply()
    node.cancel()
    assert not dst.run(["find", "/etc/letsencrypt/accounts", "-name",
                        "private_key.json"]).stdout


def test_a_kill_while_it_comes(moved):
    node = moved
    node.write(acme_staging="none")
    count = node.folder / "points"
    node.apply(program=faults(), env={"SANCTUMCTL_FAULT_COUNT": str(count)})
    serial = node.serial()
    names = count.read_text().split()
    begun = [i for i, n in enumerate(names) if n == "plan_begun"]
    first = begun[1] + 1
    last = names.index("plan_acted", first)
    for point in ((first + last) // 2, last - 2):
        node.cancel()
        for p in sorted(node.ctl.state.rglob("*"), reverse=True):
            p.unlink() if p.is_file() else p.rmdir()
        node.apply(STOPPED, program=faults(),
                   env={"SANCTUMCTL_FAULT_STOP": str(point)})
        if point == last - 2:
            node.cancel()
            assert not node.exists(f"/etc/letsencrypt/archive/{node.site}")
        node.apply()
        assert node.served() == node.serial() == serial


def test_a_foreign_key_does_not_come(moved, src):
    src.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-out",
             "/etc/letsencrypt/archive/old-name/privkey1.pem"])
    assert "the key is not that of the certificate" in moved.apply(1)
    assert not moved.exists(f"/etc/letsencrypt/archive/{moved.site}")


CLIENT = """\
#!/bin/sh
[ -e /root/refuse ] && { echo "not today" >&2; exit 1; }
printenv | grep ^SANCTUM_ | sort >/root/client.env
umask 077
cp /root/made.key "$SANCTUM_CERTIFICATE_KEY"
cp /root/made.pem "$SANCTUM_CERTIFICATE"
"""


def test_another_client_brings_it(node, dst):
    dst.path("/root/client").write_text(CLIENT)
    dst.path("/root/client").chmod(0o755)
    dst.path("/root/refuse").write_text("")
    dst.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj",
             f"/CN={node.site}", "-addext", f"subjectAltName=DNS:{node.site}",
             "-keyout", "/root/made.key", "-out", "/root/made.pem"])
    trusted = node.folder / "made.pem"
    trusted.write_bytes(dst.path("/root/made.pem").read_bytes())
    node.write(acme_command="/root/client --now", ca_file=trusted,
               certificate="/root/edge.pem", certificate_key="/root/edge.key")
    assert "not today" in node.apply(1)
    dst.path("/root/refuse").unlink()
    node.apply()
    env = dst.path("/root/client.env").read_text()
    for line in (f"SANCTUM_DOMAINS={node.site}",
                 f"SANCTUM_WEBROOT=/var/lib/sanctumctl/acme/{node.site}",
                 "SANCTUM_CERTIFICATE=/root/edge.pem",
                 "SANCTUM_CERTIFICATE_KEY=/root/edge.key"):
        assert line in env.splitlines()
    assert "nothing to do" in node.apply()
    shown = node.cert()
    assert shown["lineage"] is None
    assert shown["scheduler"] == "acme_command's own"
    node.cancel()
    assert node.exists("/root/edge.pem")


TIMER = """\
[Timer]
OnCalendar=daily
[Install]
WantedBy=timers.target
"""


def test_what_renews_where_systemd_runs(machine, bed, acme, sanctumctl,
                                        tmp_path):
    job = jobs.write(tmp_path / "unit.conf", [
        jobs.job("greenfield", "unit-cert"), jobs.host("node1", machine),
        ("letta new", {"host": "node1"}),
        ("edge node1", {"site": "unit.internal",
                        "acme_email": "ops@unit.internal"})])

    def look():
        done = sanctumctl("--json", "edge", "cert", job)
        assert done.rc == 0, done.err
        found = json.loads(done.out)
        assert found["present"] is False and "names" not in found
        return found["scheduled"], found["scheduler"]

    # A cron file as Debian's does nothing there.
    machine.run(["mkdir", "-p", "/etc/cron.d"])
    machine.path("/etc/cron.d/certbot").write_text("# the package's\n")
    assert look() == (False, "/etc/cron.d/sanctumctl-certbot (not there)")
    machine.path("/etc/systemd/system/certbot.service").write_text(
        "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    machine.unit("certbot.timer", TIMER)
    assert look() == (True, "certbot.timer")
    machine.systemctl("disable", "-q", "--now", "certbot.timer")
    assert look() == (False, "certbot.timer (not enabled)")
    machine.remove_unit("certbot.timer")
    machine.run(["rm", "/etc/systemd/system/certbot.service",
                 "/etc/cron.d/certbot"])
