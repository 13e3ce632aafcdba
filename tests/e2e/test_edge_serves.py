"""What an edge serves: real nginx on dst, a stand-in for Letta behind it.

One edge is made for all tests here, with everything that a job can ask for.
"""

import json
import socket
import ssl
import subprocess

import pytest

from bed import edge_job
from bed.edge_job import ADE, ADE_PORT, CONF, SITE
from bed.upstream import Upstream
from bed.wait import wait_for

PAGE, OTHER = "https://app.letta.com", "http://localhost:3000"
STRANGER = "https://evil.example.org"
PASSWORD = "YWRhOmhpZGRlbi13b3Jk"  # base64 of ada:hidden-word
SECRET = "hidden-word"


def stop_nginx(dst):
    dst.run(["nginx", "-s", "stop"], check=False)
    wait_for("nginx to end", lambda: dst.run(
        ["pgrep", "-x", "nginx"], check=False).returncode != 0)


class Served:
    def __init__(self, folder, dst, program_at):
        self.folder, self.dst = folder, dst
        self.run = program_at(folder)
        self.authority = edge_job.Authority(folder)
        self.authority.sign([SITE, ADE], dst.path(edge_job.LIVE))
        self.letta, self.smcp = Upstream(dst), Upstream(dst)
        self.client = edge_job.Client(dst.address, self.authority.root)
        self.make_users()
        www = dst.path("/srv/www")
        www.mkdir()
        (www / "index.html").write_text("a page of the site\n")
        (www / ".env").write_text("KEY=1\n")
        self.job = edge_job.write(
            folder / "edge.conf", dst, self.authority, self.letta.port,
            cors=f"{PAGE} {OTHER}", mcp=f"sage:{self.smcp.port}",
            static="/srv/www", ade_auth=f"file:{self.users}",
            ade_allow=f"{dst.gateway} 192.0.2.0/24")

    def make_users(self):
        self.users = self.folder / "users"
        done = subprocess.run(["openssl", "passwd", "-apr1", SECRET],
                              check=True, capture_output=True, text=True)
        self.users.write_text(f"ada:{done.stdout}ben:{done.stdout}")
        self.users.chmod(0o600)

    def down(self):
        stop_nginx(self.dst)
        self.letta.stop()
        self.smcp.stop()
        self.dst.run(["rm", "-rf", CONF, "/etc/letsencrypt", "/srv/www",
                      "/var/lib/sanctumctl"])


@pytest.fixture(scope="module")
def edge(dst, tmp_path_factory, program_at):
    one = Served(tmp_path_factory.mktemp("edge"), dst, program_at)
    made = one.run("edge", "apply", one.job)
    try:
        assert made.rc == 0, made.err
        yield one
    finally:
        one.down()


def preflight(edge, origin, method="PATCH", **more):
    return edge.client.ade("OPTIONS", "/v1/agents/", headers={
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers":
            "authorization,x-bare-password,content-type,user_id"}, **more)


def cors_of(answer):
    return {k.lower(): v for k, v in answer.getheaders()
            if k.lower().startswith("access-control-") or k == "Vary"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_preflight_is_answered_for_every_verb(edge, method):
    answer = preflight(edge, PAGE, method)
    assert answer.status == 204
    allowed = cors_of(answer)
    assert allowed["access-control-allow-origin"] == PAGE
    assert allowed["access-control-allow-credentials"] == "true"
    assert method in allowed["access-control-allow-methods"].split(", ")
    assert allowed["access-control-allow-headers"] == (
        "authorization,x-bare-password,content-type,user_id")
    assert allowed["vary"] == "Origin"


def test_another_origin_is_refused(edge):
    for origin in (STRANGER, "null", f"{PAGE}.example.org"):
        answer = preflight(edge, origin)
        assert answer.status == 403
        assert set(cors_of(answer)) == {"vary"}, origin
    answer = edge.client.ask("GET", "/v1/echo", headers={"Origin": STRANGER})
    assert answer.status == 200
    assert cors_of(answer) == {"vary": "Accept-Encoding, Origin"}


def test_what_letta_says_of_origins_is_not_passed_on_twice(edge):
    for origin in (PAGE, OTHER):
        answer = edge.client.ask("PATCH", "/v1/echo", headers={
            "Origin": origin, "user_id": "user-1",
            "Authorization": "Bearer token"}, body="{}")
        assert answer.headers.get_all("Access-Control-Allow-Origin") == [
            origin]
        assert answer.headers.get_all(
            "Access-Control-Allow-Credentials") == ["true"]
        assert answer.headers.get_all("Vary") == ["Accept-Encoding, Origin"]
        seen = json.loads(answer.text)["headers"]
        assert seen["authorization"] == "Bearer token"
        assert seen["user_id"] == "user-1"
        assert seen["x-forwarded-proto"] == "https"


def test_security_headers_are_on_every_answer(edge):
    for path in ("/v1/echo", "/", "/nothing-there", "/.env"):
        headers = edge.client.ask("GET", path).headers
        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "Referrer-Policy" in headers


def test_the_site_has_its_files_and_the_api(edge):
    assert edge.client.ask("GET", "/").text == "a page of the site\n"
    assert edge.client.ask("GET", "/.env").status == 404
    assert edge.client.ask("GET", "/none").status == 404
    for path in ("/v1/agents/", "/latest/x", "/openapi.json", "/docs"):
        answer = edge.client.ask("GET", path)
        assert json.loads(answer.text)["path"] == path


def test_the_ade_wants_its_users_and_letta_never_sees_them(edge):
    assert edge.client.ade("GET", "/v1/echo").status == 401
    answer = edge.client.ade("GET", "/v1/echo", headers={
        "Authorization": "Bearer letta-password", "Origin": PAGE})
    # A browser must be able to read that it was turned away.
    assert answer.status == 401
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    answer = edge.client.ade("GET", "/v1/echo", headers={
        "Authorization": f"Basic {PASSWORD}",
        "X-BARE-PASSWORD": "password letta-password"})
    assert answer.status == 200
    seen = json.loads(answer.text)["headers"]
    assert "authorization" not in seen
    assert seen["x-bare-password"] == "password letta-password"


def test_users_are_where_nginx_alone_reads_them(edge):
    path = f"/etc/nginx/sanctumctl-{SITE}.htpasswd"
    found = edge.dst.run(["stat", "-c", "%a %U %G", path]).stdout.split()
    assert found == ["640", "root", "www-data"]
    assert edge.dst.path(path).read_text() == edge.users.read_text()
    kept = b"".join(p.read_bytes() for p in edge.run.state.rglob("*")
                    if p.is_file())
    assert b"$apr1$" not in kept and SECRET.encode() not in kept
    assert "$apr1$" not in edge.dst.path(CONF).read_text()


def test_the_allow_list_is_in_force(edge):
    edge.dst.run(["ip", "addr", "add", "192.0.2.77/32", "dev", "lo"])
    edge.dst.run(["ip", "addr", "add", "198.51.100.77/32", "dev", "lo"])
    for source, status in (("192.0.2.77", "401"), ("198.51.100.77", "403")):
        done = edge.dst.run([
            "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
            "--interface", source, "--resolve",
            f"{ADE}:{ADE_PORT}:{edge.dst.address}",
            f"https://{ADE}:{ADE_PORT}/v1/echo"])
        assert done.stdout == status
    edge.dst.run(["ip", "addr", "del", "192.0.2.77/32", "dev", "lo"])
    edge.dst.run(["ip", "addr", "del", "198.51.100.77/32", "dev", "lo"])


def test_a_stream_is_not_held_back(edge):
    edge.letta.released.clear()
    answer = edge.client.begin("GET", "/v1/stream")
    # The second event is only said after the first was read here.
    assert answer.readline() == b"data: one\n"
    edge.letta.release()
    assert b"data: two\n" in answer.read()
    answer.line.close()


def test_an_upload_is_not_held_back_and_may_be_large(edge):
    edge.letta.came.clear()
    size = 40 << 20
    with edge.client.connect() as line:
        line.sendall(f"POST /v1/upload HTTP/1.1\r\nHost: {SITE}\r\n"
                     f"Content-Length: {size}\r\n"
                     "Connection: close\r\n\r\n".encode())
        line.sendall(b"x" * 65536)
        assert edge.letta.came.wait(30)
        line.sendall(b"x" * (size - 65536))
        text = b"".join(iter(lambda: line.recv(65536), b""))
    assert b" 200 " in text and f'"bytes": {size}'.encode() in text


def test_a_web_socket_goes_through(edge):
    with edge.client.connect() as line:
        line.sendall(f"GET /v1/socket HTTP/1.1\r\nHost: {SITE}\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                     .encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 ")
        line.sendall(b"\x01frame")
        assert line.recv(4096) == b"\x01frame"


def test_tls_is_of_today(edge):
    context = ssl.create_default_context(cafile=edge.authority.root)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with edge.client.connect(context=context) as line:
        assert line.version() == "TLSv1.3"
        assert line.selected_alpn_protocol() == "h2"
    for version in ("-tls1", "-tls1_1"):
        done = edge.dst.run(["openssl", "s_client", "-connect", "[::1]:443",
                             "-servername", SITE, version, "-cipher",
                             "ALL:@SECLEVEL=0"], check=False)
        assert "Cipher is (NONE)" in done.stdout, done.stdout


@pytest.mark.parametrize("port", [443, ADE_PORT])
def test_unknown_names_are_rejected(edge, port):
    context = ssl.create_default_context(cafile=edge.authority.root)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("other.internal", None):
        with pytest.raises(ssl.SSLError):
            edge.client.connect(name, port, context=context)


def test_plain_http_is_led_to_tls(edge):
    def head(port, name, path="/v1/x"):
        with socket.create_connection((edge.dst.address, port), 30) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n"
                         "Connection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: line.recv(4096), b"")).decode()

    assert " 301 " in (said := head(80, SITE))
    assert f"Location: https://{SITE}/v1/x" in said
    assert " 308 " in (said := head(ADE_PORT, ADE))
    assert f"Location: https://{ADE}:{ADE_PORT}/v1/x" in said
    assert " 404 " in head(80, SITE, "/.well-known/acme-challenge/none")


def test_ipv6_is_served(edge):
    for port, name in ((443, SITE), (ADE_PORT, ADE)):
        done = edge.dst.run([
            "curl", "-sk", "--resolve", f"{name}:{port}:[::1]",
            f"https://{name}:{port}/.well-known/sanctumctl-generation"])
        assert done.stdout.strip() in edge.dst.path(CONF).read_text()


def test_mcp_over_its_path(edge):
    answer = edge.client.begin("GET", "/mcp/sage/sse")
    lines = iter(answer.readline, b"")
    assert next(lines) == b"event: endpoint\r\n"
    at = next(lines).decode().strip().removeprefix("data: ")
    assert at == "/mcp/sage/messages/?session_id=5e55"
    # The stream is open and idle; what is posted comes back on it at once.
    posted = edge.client.ask("POST", at, body="hello")
    assert posted.status == 202
    assert next(lines) == b"\r\n"
    assert next(lines) == b"event: message\r\n"
    # Only the first event is an address; what tools say is not touched.
    assert next(lines) == (b"data: /messages/?session_id=5e55 hello "
                           b"data: /messages stays\r\n")
    answer.line.close()
    assert edge.client.ask("GET", "/mcp/none/sse").status == 404


def test_a_second_apply_changes_nothing(edge):
    before = edge.dst.run(["stat", "-c", "%i %Y", CONF]).stdout
    again = edge.run("edge", "apply", "--json", edge.job)
    assert again.rc == 0 and '"acted":0,' in again.out, again
    assert edge.dst.run(["stat", "-c", "%i %Y", CONF]).stdout == before


def test_it_is_tested_beside_the_live_one(edge):
    before = edge.dst.run(["stat", "-c", "%i %Y", CONF]).stdout
    done = edge.run("edge", "test", edge.job)
    # The SMCP's stand-in lets anybody in, and that must be told.
    assert done.rc == 14, done.out + done.err
    said = done.out + done.err
    for word in ("takes the rendering", "is the rendering",
                 f"TLS verified, Letta answers at https://{SITE}",
                 "turns us away", "without a key"):
        assert word in said, said
    assert edge.dst.run(["stat", "-c", "%i %Y", CONF]).stdout == before
    left = edge.dst.run(["find", "/etc/nginx", "-name", "*test*"]).stdout
    assert left == ""


def test_a_backend_that_is_down_is_said(edge):
    edge.letta.stop()
    try:
        answer = edge.client.ask("GET", "/v1/echo",
                                 headers={"Origin": PAGE})
        assert answer.status == 502
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        done = edge.run("edge", "apply", edge.job)
        assert done.rc == 10
        assert f"nothing listens on 127.0.0.1:{edge.letta.port}" in done.err
        assert edge.client.ask("GET", "/").status == 200
    finally:
        edge.letta.start()
