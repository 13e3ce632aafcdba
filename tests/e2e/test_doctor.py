"""Every trap that doctor knows, where it is; and none where it is not.

Letta is a stand-in here: what is asked of it are a few routes, and its faults
are wanted.  nginx, certificates, processes and databases are real.
"""

import json

import pytest

from bed import jobs, worker
from bed.paths import TOP
from bed.quack import PASSWORD, Quack
from bed.sick import AGENT, HEALTH, LISTENER, SITE, Sick
from bed.wait import wait_for

#: What a sick host shows from within.
IN_HOST = set("""
worker-debug-mode worker-env-missing worker-env-above worker-env-mode
worker-env-bom worker-env-dialect worker-env-placeholder worker-env-names
worker-env-copies worker-agent-id worker-process-env
worker-database-elsewhere worker-database-mode worker-database-journal
worker-processing worker-queue-idle worker-no-pid-file worker-pid-foreign
worker-code-root worker-cwd worker-processes worker-split-brain
worker-agent-twice worker-two-supervisors worker-no-supervisor
worker-unit-restart worker-background worker-telegram-owner
worker-settings-mode worker-git-token worker-venv-moved worker-curl-insecure
smcp-agent-id smcp-env-unread smcp-mcp2 smcp-auth-bypass smcp-auth-off
letta-env-export
nginx-warning nginx-generation nginx-buffering nginx-http-version
nginx-body-size nginx-read-timeout nginx-upgrade nginx-underscores
nginx-clear nginx-cors-star nginx-headers-dropped nginx-tls13 nginx-old-tls
nginx-unknown-name nginx-name-twice
certificate-key certificate-expiry certificate-names certbot-timer
certbot-hook certbot-installer certbot-standalone certbot-links
letta-public letta-redis docker-published docker-latest compose-latest
compose-published port-public disk-space disk-inodes clock
""".split())

#: What a stand-in shows, by the habit that it has.
API = {
    "api-health": {"health": {"name": "not Letta"}},
    "api-version": {"version": "0.17.0"},
    "api-old": {"version": "0.11.3"},
    "api-insecure": {"secure": False},
    "api-token": {"password": "another"},
    "api-paging": {"paging": False},
    "api-listing": {"listing": 500},
    "api-agent-name": {"name": "AI/ML"},
    "api-mcp-private": {"mcp": "http://10.0.0.7:8000/sse"},
    "api-user-id": {"user_id": False},
    "ade-preflight": {"methods": "GET, POST, PUT, DELETE"},
    "ade-response": {"silent": True},
    "ade-wildcard": {"origin": "*"},
    "ade-any-origin": {"echo": True},
    "ade-vary": {"vary": None},
    "ade-body": {"body_max": 1 << 20},
    "ade-stream": {"buffered": True},
    "mixed-content": {"page": '<script src="http://x.internal/a.js">'},
}


#: What an edge shows from outside.
OUTSIDE = set("""tls-chain tls-expiry tls13 tls-unknown-name hsts http-clear
http-redirect mixed-content raw-port""".split())

#: What tests of their own show.
ELSEWHERE = {"api-unreachable", "host-unreachable", "api-human-block",
             "worker-user-block", "worker-user-identity",
             "nginx-test", "nginx-stopped", "letta-sequence",
             # test_health.py
             "schema-agents", "schema-runs", "schema-steps",
             "schema-messages", "schema-conversations", "client-address",
             "letta-code-server"}

#: Nothing that root cannot read is there, and tests are root's.
NOT_SHOWN = {"worker-env-unreadable"}


#: What a line may hold, by its type.
SCHEMA = json.loads((TOP / "share/schema/output.schema.json").read_text())


def check_line(one):
    """A line has the members of its type, all of them, and no other."""
    of = SCHEMA["$defs"][one["type"]]
    assert set(one) == set(of["required"]) == set(of["properties"])
    assert {"$ref": f"#/$defs/{one['type']}"} in SCHEMA["oneOf"]
    if "severity" in one:
        assert one["severity"] in SCHEMA["$defs"]["severity"]["enum"]


class Found(dict):
    """{trap: [finding, ...]}, of those that are known; and the rest."""

    def __init__(self, done):
        super().__init__()
        self.rc, self.unknown, self.lines = done.rc, {}, []
        assert done.rc in (0, 3), done.err
        for line in done.out.splitlines():
            one = json.loads(line)
            check_line(one)
            self.lines.append(one)
            if one["type"] == "doctor_finding":
                kept = self if one["known"] else self.unknown
                kept.setdefault(one["trap"], []).append(one)
        last = self.lines[-1]
        assert last["type"] == "doctor"
        assert last["found"] == sum(map(len, self.values()))
        assert (done.rc == 3) == (last["found"] > 0)


@pytest.fixture(scope="module")
def dst(bed):
    """A host of these tests alone: doctor tells of all that runs there."""
    with bed.own_host("sick") as host:
        yield host


@pytest.fixture
def doctor(sanctumctl, dst):
    """Function that runs it; returns what it found."""
    def run(*words, **env):
        return Found(sanctumctl("doctor", "--json", *words, env=env))
    return run


@pytest.fixture
def node_job(dst, tmp_path):
    """Function that writes a job with dst and a server, and a worker."""
    def write(url="http://127.0.0.1:1", **host):
        return jobs.write(tmp_path / "node.conf", [
            jobs.job("workers", "node"),
            ("host node1", {**jobs.host("node1", dst)[1], **host}),
            ("letta new", {"url": url, "token": "env:QUACK"}),
            ("worker sage", {"agent": AGENT, "from": "node1:/root/sage",
                             "to": "node1:/root/moved", "server": "new"})])
    return write


@pytest.fixture
def word(node_job):
    """The word by which doctor is told of dst."""
    return f"{node_job()}#node1"


def ask(doctor, stand_in, *words):
    return doctor(stand_in.url, *words, LETTA_API_KEY=PASSWORD)


def test_a_good_api_is_quiet(doctor):
    with Quack() as good:
        found = ask(doctor, good, "--turn", AGENT)
        assert (found, found.unknown) == ({}, {})
        # A turn costs: without leave it is not compared.
        found = ask(doctor, good)
        assert (found, set(found.unknown)) == ({}, {"ade-stream"})
        found = doctor(good.url)
        assert (found, set(found.unknown)) == (
            {}, {"ade-stream", "api-token"})


def wanted(trap):
    # Without TLS there is nothing to be mixed.
    return trap != "mixed-content"


@pytest.mark.parametrize("trap", filter(wanted, API))
def test_an_api_with_a_fault(doctor, trap):
    habits = API[trap]
    if trap == "api-user-id":
        habits = {**habits, "version": "0.16.8"}
    with Quack(**habits) as bad:
        found = ask(doctor, bad, "--turn", AGENT)
    assert set(found) in ({trap}, {trap, "ade-any-origin"}), found


def test_nobody_there(doctor, node_job):
    found = doctor("http://127.0.0.1:1")
    assert set(found) == {"api-unreachable"}
    found = doctor(str(node_job(port=1)), QUACK=PASSWORD)
    assert set(found) == {"host-unreachable", "api-unreachable"}


@pytest.mark.parametrize("knows", [True, False])
def test_what_only_the_server_knows_of_a_worker(doctor, node_job, dst,
                                                knows):
    made = worker.make_worker("sage", agent_id=AGENT, url="https://x",
                              home="/root/sage", on=dst, random_bytes=10)
    try:
        with Quack(label="persona" if knows else "human",
                   knows=knows) as api:
            found = doctor(str(node_job(api.url)), QUACK=PASSWORD)
    finally:
        made.remove()
    ours = {"api-human-block": 1, "worker-user-block": 3,
            "worker-user-identity": 3}
    assert {trap: len(found.get(trap, ())) for trap in ours} == (
        dict.fromkeys(ours, 0) if knows else ours)


def test_a_sick_host(doctor, word, dst):
    sick = Sick(dst)
    try:
        sick.machine()
        sick.nginx()
        sick.static_worker()
        sick.odd_layouts()
        sick.live_workers()
        found = doctor(word)
    finally:
        sick.cure()
    assert IN_HOST - set(found) == set()
    for one in (f for them in found.values() for f in them):
        assert one["where"] and one["evidence"] and one["cure"]
        # Nothing of what the files keep secret.
        assert "old-token" not in one["evidence"]
        assert "pass@" not in one["evidence"]


def test_nginx_that_is_broken_or_stopped(doctor, word, dst):
    sick = Sick(dst)
    try:
        sick.put("/etc/nginx/conf.d/sick.conf", "server { nonsense; }\n")
        assert "nonsense" in doctor(word)["nginx-test"][0]["evidence"]
        sick.put("/etc/nginx/conf.d/sick.conf", "server { location / {"
                 " proxy_pass http://127.0.0.1:18283; } }\n")
        assert "nginx-stopped" in doctor(word)
    finally:
        sick.cure()


def test_an_edge_from_outside(doctor, dst, tmp_path):
    sick, root, url = Sick(dst), tmp_path / "root.pem", \
        f"https://second.{SITE}"
    seen = set()

    def look(*words):
        found = doctor(url, "--connect-to", dst.address, *words)
        seen.update(found)
        return found

    try:
        sick.spawn(["/usr/bin/python3", "-c", LISTENER, "18283"])
        made = sick.outside("return 404;")
        root.write_bytes(made.read_bytes())
        wait_for("nginx to answer", lambda: "tls-chain" in look())
        found = look("--ca-file", root)
        assert "tls-chain" not in found
        assert "http-redirect" in found and "http-clear" not in found
        dst.run(["nginx", "-s", "stop"])
        sick.outside("location / { %s }" % HEALTH)
        wait_for("nginx to serve", lambda: "http-clear" in look(
            "--ca-file", root))
    finally:
        sick.cure()
    assert OUTSIDE - seen == set()


def test_each_trap_is_shown(sanctumctl):
    done = sanctumctl("doctor", "--list", "--json")
    assert done.rc == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    for one in lines:
        check_line(one)
    listed = {one["trap"] for one in lines}
    assert listed == IN_HOST | set(API) | OUTSIDE | ELSEWHERE | NOT_SHOWN
    text = sanctumctl("doctor", "--list").out
    assert text.count("known from:") == len(listed)
    assert sanctumctl("doctor").rc == 2
