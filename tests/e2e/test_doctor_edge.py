"""A good node: doctor finds nothing, and a real browser gets along.

The edge is the job's own, as `edge apply' makes it, on real nginx; behind it
a stand-in for Letta.  Chromium trusts the test's root and sees names through
its own resolver rules: it judges TLS and CORS by itself.
"""

import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bed import edge_job, loopback, worker
from bed.browser import Browser
from bed.edge_job import ADE, ADE_PORT, CONF, SITE
from bed.quack import AGENT, PASSWORD, Quack
from bed.sick import write
from bed.wait import free_port, wait_for

#: Not the usual one, so that doctor has it from the job.
PORT = 18391
APP = "https://app.letta.com"
ARCHIVE = f"/etc/letsencrypt/archive/{SITE}"
ENV = f"""\
AGENT_ID={AGENT}
AGENT_ENDPOINT=https://{SITE}
AGENT_API_KEY=k
DEBUG_MODE=false
"""


class Page(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Node:
    """dst with an edge, a lineage that renews itself, and a worker."""

    def __init__(self, folder, dst, program_at):
        self.dst, self.page_port = dst, free_port()
        self.page = f"http://localhost:{self.page_port}"
        self.run = program_at(folder)
        self.authority = edge_job.Authority(folder)
        self.letta = Quack(dst, PORT)
        self.make_lineage()
        self.make_worker()
        self.job = edge_job.write(folder / "node.conf", dst,
                                  self.authority, PORT,
                                  cors=f"{APP} {self.page}")

    def make_lineage(self):
        dst = self.dst
        self.authority.sign([SITE, ADE], dst.path(ARCHIVE), days=80)
        dst.path(edge_job.LIVE).mkdir(parents=True)
        for name, of in (("fullchain", "fullchain"), ("cert", "fullchain"),
                         ("privkey", "privkey")):
            dst.path(f"{edge_job.LIVE}/{name}.pem").symlink_to(
                f"../../archive/{SITE}/{of}.pem")
        write(dst, f"/etc/letsencrypt/renewal/{SITE}.conf",
              "authenticator = webroot\nrenew_hook = nginx -s reload\n")
        write(dst, "/etc/cron.d/certbot", "0 */12 * * * root certbot renew\n")

    def make_worker(self):
        self.worker = worker.make_worker(
            "good", agent_id=AGENT, url="https://x", on=self.dst,
            database_rows=0, random_bytes=10)
        (self.worker.broca / ".env").write_text(ENV)

    def doctor(self, *words):
        done = self.run("doctor", "--json", *words,
                        env={"SANCTUM_BED_TARGET_TOKEN": PASSWORD})
        assert done.rc in (0, 3), done.err
        lines = [json.loads(line) for line in done.out.splitlines()]
        assert (done.rc == 3) == (lines[-1]["found"] > 0)
        return {(one["trap"], one["known"], one["where"], one["evidence"])
                for one in lines[:-1]}

    def down(self):
        self.dst.run(["nginx", "-s", "stop"], check=False)
        self.letta.stop()
        self.worker.remove()
        self.dst.run(["rm", "-rf", CONF, "/etc/letsencrypt",
                      "/etc/cron.d/certbot", "/var/lib/sanctumctl"])
        wait_for("nginx to end", lambda: self.dst.run(
            ["pgrep", "-x", "nginx"], check=False).returncode != 0)


@pytest.fixture(scope="module")
def dst(bed):
    """A host of these tests alone: doctor tells of all that runs there."""
    with bed.own_host("sick") as host:
        yield host


@pytest.fixture(scope="module")
def node(dst, tmp_path_factory, program_at):
    one = Node(tmp_path_factory.mktemp("node"), dst, program_at)
    try:
        made = one.run("edge", "apply", one.job)
        assert made.rc == 0, made.err
        yield one
    finally:
        one.down()


@pytest.fixture
def pages(node):
    """Pages at two origins, of which the edge knows `localhost'."""
    server = ThreadingHTTPServer(("", 0), Page, bind_and_activate=False)
    server.socket.close()
    server.socket = loopback.listener(node.page_port, node.dst)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def test_a_good_node_is_quiet(node):
    assert node.doctor(node.job, "--turn", AGENT) == set()
    text = node.run("doctor", node.job, env={
        "SANCTUM_BED_TARGET_TOKEN": PASSWORD})
    assert text.rc == 0 and "nothing found" in text.out, text.out


def test_nginx_is_known_by_the_port_of_the_job(node):
    """The edge's file with its buffers on, as somebody may leave it."""
    at = node.dst.path(CONF)
    good = at.read_text()
    try:
        at.write_text(good.replace("proxy_buffering off;", ""))
        found = {one[0] for one in node.doctor(node.job) if one[1]}
    finally:
        at.write_text(good)
    assert found == {"nginx-buffering"}


def test_a_page_that_the_edge_does_not_know(node):
    found = node.doctor(node.job, "--origin", "http://127.0.0.1:1")
    assert {one[0] for one in found if one[1]} == {"ade-preflight",
                                                   "ade-response"}


#: One request of the ADE; what the page sees of its answer.
FETCH = """
const [url, method, token] = arguments;
const asked = {method, headers: {Authorization: `Bearer ${token}`,
    "X-BARE-PASSWORD": "password x", user_id: "user-1",
    "Content-Type": "application/json"}};
if (method != "GET" && method != "DELETE")
	asked.body = "{}";
fetch(url, asked).then(async a => done([a.status, await a.text()]),
    e => done(["refused", String(e)]));
"""

STREAM = """
const [url, token] = arguments;
(async () => {
	const answer = await fetch(url, {method: "POST", body: "{}", headers:
	    {Authorization: `Bearer ${token}`,
	    "Content-Type": "application/json"}});
	const reader = answer.body.getReader(), parts = [];
	for (;;) {
		const {done: end, value} = await reader.read();
		if (end) break;
		parts.push(new TextDecoder().decode(value));
	}
	done(parts);
})().catch(e => done(String(e)));
"""

BODY = """
const [url, bytes] = arguments;
fetch(url, {method: "POST", body: "x".repeat(bytes), headers:
    {"Content-Type": "text/plain"}}).then(a => done(a.status),
    e => done(String(e)));
"""

SOCKET = """
const s = new WebSocket(arguments[0]);
s.onmessage = m => { done(m.data); s.close(); };
s.onerror = () => done("refused");
"""


def test_a_real_browser(node, pages):
    api = f"https://{ADE}:{ADE_PORT}"
    names = {SITE: node.dst.address, ADE: node.dst.address}
    with Browser(node.dst, node.authority.root, names) as browser:
        browser.open(node.page)
        for base in (api, f"https://{SITE}"):
            status, text = browser.run(FETCH, f"{base}/v1/agents/", "GET",
                                       PASSWORD)
            assert (status, AGENT in text) == (200, True), text
            for verb in ("PUT", "PATCH", "DELETE"):
                status, text = browser.run(FETCH, f"{base}/v1/agents/x",
                                           verb, PASSWORD)
                assert status == 200, text
                assert json.loads(text) == {"method": verb,
                                            "user_id": "user-1"}
            status, _ = browser.run(FETCH, f"{base}/v1/agents/", "POST",
                                    PASSWORD)
            assert status == 422
        # A refusal is seen too, and not taken for a network error.
        assert browser.run(FETCH, f"{api}/v1/agents/", "GET",
                           "wrong")[0] == 401
        assert browser.run(BODY, f"{api}/v1/agents/import", 3 << 19) == 401
        assert browser.run(
            STREAM, f"{api}/v1/agents/{AGENT}/messages/stream",
            PASSWORD) == ["data: one\n\n", "data: two\n\n"]
        assert browser.run(SOCKET, f"wss://{ADE}:{ADE_PORT}/v1/socket") == \
            "quack"
        # The same page at an origin that the job does not list.
        browser.open(f"http://127.0.0.1:{node.page_port}")
        for verb in ("GET", "PATCH"):
            assert browser.run(FETCH, f"{api}/v1/agents/x", verb,
                               PASSWORD)[0] == "refused"
