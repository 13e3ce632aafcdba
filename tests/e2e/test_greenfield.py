"""A bare Debian host becomes a node, stays one, and is given back.

All of it is real: the packages of Debian, Letta from the registry (what this
machine has downloaded already is used), systemd, nginx, certbot against
Pebble, and a worker that answers its users before and after its move.
"""

import contextlib
import http.client
import json
import re
import socket
import ssl

import pytest

from bed import jobs, look, seed
from bed.channel import Channel
from bed.loopback import Forward
from bed.moved_worker import RealLetta, make_live
from bed.node import HOST, SERVER, Node
from bed.paths import TOP
from bed.supervisors import Cron

ACCOUNT = "sanctum"
SERVER_URL = "http://127.0.0.1:18283"

#: Where an operator would look for what was put on a host.
TOPS = ("/etc", "/home", "/opt", "/root", "/srv", "/usr/local", "/var/lib",
        "/var/spool")

#: What packages write there besides their own files; they stay.
OF_PACKAGES = re.compile(
    r"/etc/(alternatives|apt|ca-certificates|systemd/system/[a-z-]+\.target"
    r"\.wants|rc\d\.d|ssl|logrotate\.d|letsencrypt|nginx|cron\.\w+|default"
    r"|init\.d|python3[.\d]*|perl|ld\.so|mime|mailcap|.*-$)"
    r"|/etc/(passwd|group|g?shadow|subuid|subgid|ca-certificates\.conf"
    r"|shells|\.pwd\.lock)$"
    r"|/var/lib/(apt|dpkg|systemd|ucf|python|misc|nginx|letsencrypt|logrotate"
    r"|pam|shells\.state|private)"
    r"|/var/spool/cron$|/usr/local/(lib/python3[.\d]*|share/ca-cert)"
    r"|/root/\.(cache|local)$"
    # The helper program, which any later job uses.
    r"|/root/\.cache/sanctumctl"
    # Of redis-server, which a purge leaves; of ours, and empty.
    r"|/etc/systemd/system/redis\.service$|/var/lib/redis(/dump\.rdb)?$"
    r"|/var/lib/sanctumctl$")

#: What was on the host before, and has nothing to do with us.
OTHERS = {
    "/etc/systemd/system/mine.service":
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=basic.target\n",
    "/etc/cron.d/mine": "# mine\n",
    "/etc/nginx/conf.d/mine.conf":
        "server { listen 8090; server_name mine.internal; return 204; }\n",
    "/opt/mine/file": "mine\n", "/var/lib/mine/file": "mine\n",
    "/etc/logrotate.d/mine": "/var/log/mine { weekly }\n"}


def listing(host):
    """{path: what it is} below TOPS, but for what packages own."""
    owned = set(host.run(
        ["sh", "-c", "cat /var/lib/dpkg/info/*.list /var/lib/dpkg/info/"
         "*.conffiles"]).stdout.split("\n"))
    found = {f"{top}/{path}": what
             for top, below in look.tree(host, *TOPS).items()
             for path, what in below.items()}
    return {path: what for path, what in found.items()
            if path not in owned and not OF_PACKAGES.match(path)}


def settled(host):
    """The same without what running programs write."""
    return {path: what for path, what in listing(host).items()
            if not path.startswith(("/var/lib/letta", f"/home/{ACCOUNT}"))}


def step_lines(result):
    """{name: glyph} of the steps that a plan or an apply printed."""
    return {m[2]: m[1] for m in re.finditer(
        r"^  ([-+~]) ((?:node|letta|edge|agent|worker)\.\S+):", result.out,
        re.M)}


class Greenfield:
    """The job, and what it moves: an agent and its worker on src."""

    def __init__(self, bed, run, folder, node, channel):
        self.bed, self.run, self.node, self.host = bed, run, node, node.host
        self.source = seed.Client(bed.source.url)
        self.letta = RealLetta(self.source)
        self.agent_id = seed.seed(
            bed.source.url, messages=60, archival=4, name="Sage",
            stub_port=bed.stub_port)
        self.live = make_live("sage", bed.src, self.letta, channel,
                              agent=self.agent_id)
        self.home = f"/home/{ACCOUNT}/agents/sage"
        self.job = node.job(
            folder / "node.conf",
            jobs.host("old", bed.src),
            jobs.letta("cloud", bed.source, jobs.SOURCE_TOKEN),
            jobs.agent("sage", self.agent_id),
            jobs.worker("sage", self.live, agent="sage",
                        from_server="cloud", to_path=self.home,
                        supervisor="systemd", account=ACCOUNT))

    def install_others(self):
        for path, text in OTHERS.items():
            at = self.host.path(path)
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text)

    def ctl(self, command, *words):
        return self.run(command, *words, self.job, timeout_s=600)

    def apply(self):
        done = self.ctl("apply")
        assert done.rc == 0, done.err + done.out
        return done

    def password(self):
        """As the environment file of the server has it."""
        found = self.host.run(["sh", "-c", "cat $(systemctl show -p "
                               "EnvironmentFiles --value letta "
                               "| cut -d' ' -f1)"]).stdout
        return re.search(r"^LETTA_SERVER_PASSWORD=[\"']?([^\"'\n]+)", found,
                         re.M)[1]

    def target(self):
        return look.HostClient(self.host, SERVER_URL, self.password())

    def moved(self):
        """The worker where it is now; its new server has the old turns too."""
        target = self.target()
        agent, = target("GET", "/v1/agents/?limit=1000")
        moved = self.live.at(self.host, self.home)
        moved.letta, moved.agent = RealLetta(target), agent["id"]
        return moved

    def get(self, port, path="/v1/health/", token=None, address=None):
        """(status, headers, body) of the edge, over TLS that is verified."""
        context = ssl.create_default_context(cafile=self.node.acme.root_ca())
        raw = socket.create_connection((address or self.host.address, port),
                                       timeout=30)
        with context.wrap_socket(raw, server_hostname=self.bed.site) as tls:
            connection = http.client.HTTPConnection(self.bed.site)
            connection.sock = tls
            connection.request("GET", path, headers={
                "Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()


@pytest.fixture(scope="module")
def bare(bed):
    return bed.need("bare").bare


@pytest.fixture(scope="module")
def green(bed, bare, source_letta, src, program_at, tmp_path_factory):
    """The job before its first apply, its worker at work."""
    folder = tmp_path_factory.mktemp("greenfield")
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(Node(bed))
        channel = stack.enter_context(Channel([src, bare]))
        there = Forward(bed.source.port, [src])
        stack.callback(there.stop)
        cron = stack.enter_context(Cron(src))
        one = Greenfield(bed, program_at(folder), folder, node, channel)
        one.install_others()
        one.before = listing(bare)
        cron.set(one.live.crontab_line)
        one.live.start()
        yield one
        cron.set()
        one.live.stop()
        one.live.remove()
        one.source.delete_agent(one.agent_id)
        one.letta.clean_up()


@pytest.fixture(scope="module")
def node(green):
    """The same, applied once; the packages come with it."""
    green.said = green.live.say(2)
    green.live.wait_answered(green.said)
    green.applied = green.ctl("apply")
    return green


def test_without_the_registries_nothing_is_changed(green):
    green.host.stop_proxy()
    failed = green.ctl("apply")
    green.host.start_proxy()
    assert failed.rc not in (0, 3, 4), failed.out
    assert f"node.{HOST}.packages" in failed.err
    assert "apt-get" in failed.err
    assert listing(green.host) == green.before
    assert not green.host.path("/usr/sbin/policy-rc.d").exists()


def test_a_bare_host_becomes_a_node(node):
    assert node.applied.rc == 0, node.applied.err + node.applied.out
    did = step_lines(node.applied)
    for step in (f"node.{HOST}.packages", f"letta.{SERVER}.install",
                 f"letta.{SERVER}.service", f"edge.{HOST}.tls",
                 f"edge.{HOST}.renewal"):
        assert step in did
    for address in (node.host.address, node.host.address6):
        for port in (443, 8283):
            status, headers, body = node.get(port, address=address)
            assert status == 200
            assert json.loads(body)["version"] == node.bed.target_version
            assert "Strict-Transport-Security" in headers
            assert node.get(port, "/v1/agents/", address=address)[0] == 401
        for raw in (18283, 5432, 6379):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, raw), timeout=30)
    assert node.host.systemctl("is-system-running") == "running"
    assert node.host.unit_state("letta") == ("active", "enabled")
    node.host.run(["nginx", "-t"])


def test_its_units_are_hardened(node):
    units = node.host.run(["sh", "-c", "systemctl list-units --plain -q "
                           "'letta*.service' 'broca@*.service'"]).stdout
    names = [line.split()[0] for line in units.splitlines()]
    assert {"letta.service", "broca@sage.service"} <= set(names)
    for name in names:
        done = node.host.run(["systemd-analyze", "security", "--no-pager",
                              "--threshold=20", name], check=False)
        assert done.returncode == 0, done.stdout[-300:]


def test_the_agent_and_its_worker_live_there(node):
    target = node.target()
    there, = target("GET", "/v1/agents/?limit=1000")
    assert there["name"] == "Sage"
    assert look.blocks(target, there["id"]) == look.blocks(node.source,
                                                           node.agent_id)
    assert look.passages(target, there["id"]) == look.passages(
        node.source, node.agent_id)
    assert not node.live.processes()
    moved = node.moved()
    said = moved.say(2)
    moved.wait_answered(said)
    moved.check(node.said + said)
    node.said += said
    # Its user's own, so that nobody else on the host reads its words.
    assert node.host.run(["find", node.home, "!", "-user", ACCOUNT, "!",
                          "-name", ".sanctumctl-*"]).stdout == ""


def test_no_secret_is_where_others_read_it(node):
    password = node.password()
    assert len(password) >= 24
    for text in (node.applied.out, node.applied.err):
        assert password not in text
    for top in ("/etc", "/opt", "/var/lib", "/var/log", "/home"):
        for path, mode, _ in look.files_with([password], node.host.path(top)):
            assert mode & 0o077 == 0, (path, oct(mode))
    said = node.host.run(["journalctl", "-q", "--no-pager"]).stdout
    assert password not in said
    # Nor in the arguments of any process.
    assert password not in node.host.run(
        ["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"]
    ).stdout
    for path in node.run.state.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path


def test_a_second_apply_changes_nothing(node):
    before = settled(node.host)
    again = node.apply()
    assert again.out.startswith("nothing to do"), again.out
    assert not look.differences(before, settled(node.host))
    verified = node.ctl("verify")
    assert verified.rc == 0, verified.out


def test_the_doctor_finds_nothing(node):
    said = node.ctl("doctor")
    found = re.findall(r"^(?:critical|warning) .*", said.out, re.M)
    # The bed's source has no password, which is one.
    assert [f for f in found if node.bed.source.url not in f] == [], said.out
    assert said.rc == 3 and len(found) == 1, said.out + said.err


def test_what_has_drifted_is_shown_and_mended(node):
    host, site = node.host, node.bed.site
    conf = host.path(f"/etc/nginx/conf.d/sanctumctl-{site}.conf")
    unit = host.path("/etc/systemd/system/letta.service")
    right = conf.read_text(), unit.read_text()
    conf.write_text(right[0] + "# somebody was here\n")
    unit.write_text(right[1].replace("NoNewPrivileges=yes\n", ""))
    host.systemctl("stop", "letta")
    planned = node.ctl("plan")
    assert planned.rc == 4, planned.err
    assert "-# somebody was here" in planned.out
    assert "+NoNewPrivileges=yes" in planned.out
    todo = set(step_lines(planned))
    assert {f"letta.{SERVER}.service", f"edge.{HOST}.tls"} <= todo
    assert not {f"letta.{SERVER}.install", f"node.{HOST}.packages"} & todo
    node.apply()
    assert (conf.read_text(), unit.read_text()) == right
    assert host.unit_state("letta")[0] == "active"
    assert node.ctl("plan").rc == 0


def test_uninstall_takes_away_what_was_put_there(node):
    refused = node.ctl("uninstall")
    assert refused.rc == 15 and "reverse" in refused.err
    back = node.ctl("reverse")
    assert back.rc == 0, back.err
    node.live.wait_up()
    cancelled = node.ctl("cancel")
    assert cancelled.rc == 0, cancelled.err
    gone = node.ctl("uninstall", "--purge")
    assert gone.rc == 0, gone.err
    after = listing(node.host)
    assert not look.differences(node.before, after)
    for path, text in OTHERS.items():
        assert node.host.path(path).read_text() == text
    assert node.host.run(["id", "letta"], check=False).returncode != 0
    for port in (443, 8283, 18283):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((node.host.address, port), timeout=30)
    left = node.host.run(["systemctl", "list-unit-files", "--no-legend",
                          "letta*", "broca@*", "smcp@*", "sanctum*"],
                         check=False).stdout
    assert left == ""
    assert node.host.systemctl("is-system-running") == "running"


def test_logs_are_rotated(bare):
    """The template, by the logrotate of Debian."""
    bare.run(["sh", "-c", "apt-get update -q && apt-get install -qy "
              "--no-install-recommends logrotate"], timeout_s=300)
    text = (TOP / "templates/logrotate/sanctum.in").read_text()
    for name, value in (("logs", "/srv/rotated/*.log"), ("account", "nobody"),
                        ("group", "nogroup")):
        text = text.replace("@{%s}" % name, value)
    bare.run(["install", "-d", "-o", "nobody", "-g", "nogroup", "-m", "750",
              "/srv/rotated"])
    bare.run(["sh", "-c", "umask 022; cat >/etc/logrotate.d/rotated"],
             input=text)
    bare.run(["runuser", "-u", "nobody", "--", "sh", "-c",
              "echo one line >/srv/rotated/x.log"])
    bare.run(["logrotate", "--force", "--state", "/srv/state",
              "/etc/logrotate.d/rotated"])
    seen = bare.run(["sh", "-c", "cd /srv/rotated; stat -c '%n %s %U' *;"
                     " rm -r /srv/rotated /srv/state"
                     " /etc/logrotate.d/rotated"]).stdout
    assert seen == "x.log 0 nobody\nx.log.1 9 nobody\n"
