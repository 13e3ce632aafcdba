"""A stand-in for Letta behind an edge, with one bad habit or another.

It stands for both, so that doctor can be shown each fault of either alone:
the few routes that it asks, and the CORS headers of the edge.  With no habit
it is what a good node answers.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from bed import loopback
from bed.wait import free_port

AGENT = "agent-77777777-7777-4777-8777-777777777777"
PASSWORD = "quack-password"
ORIGIN = "https://app.letta.com"
HEADERS = "authorization, content-type, user_id, x-bare-password"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def cors(self):
        """The headers of an edge that knows ORIGIN."""
        h, asked = self.server.habits, self.headers.get("Origin")
        found = {}
        if h["silent"] and self.command != "OPTIONS":
            return found
        if asked == ORIGIN or h["echo"]:
            found["Access-Control-Allow-Origin"] = h["origin"] or asked
            found["Access-Control-Allow-Credentials"] = "true"
        if h["vary"]:
            found["Vary"] = h["vary"]
        if self.command == "OPTIONS":
            found["Access-Control-Allow-Methods"] = h["methods"]
            found["Access-Control-Allow-Headers"] = HEADERS
        return found

    def say(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else \
            json.dumps(body).encode()
        if status == 204:
            data = b""
        self.send_response(status)
        for name, value in self.cors().items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def may(self):
        h = self.server.habits
        return not h["secure"] or self.headers.get("Authorization") == \
            f"Bearer {h['password']}"

    def do_OPTIONS(self):
        self.say(204, "")

    def do_GET(self):
        h, at = self.server.habits, urlparse(self.path)
        query = {k: v[0] for k, v in parse_qs(at.query).items()}
        if at.path == "/v1/health/":
            return self.say(200, h["health"] or {"version": h["version"],
                                                 "status": "ok"})
        if at.path == "/":
            return self.say(200, h["page"], "text/html")
        if at.path == "/v1/socket":
            return self.socket()
        if not self.may():
            return self.say(401, {"detail": "Unauthorized"})
        if at.path == "/v1/agents/":
            if self.headers.get("user_id") == "nobody" and h["user_id"]:
                return self.say(400, {"detail": "INVALID_ARGUMENT"})
            return self.say(200, [{"id": AGENT, "name": h["name"]}])
        if at.path.endswith("/messages"):
            return self.messages(query)
        if at.path.endswith("/blocks"):
            return self.say(200, [{"id": "block-1", "label": h["label"]}])
        if at.path.startswith(("/v1/blocks/", "/v1/identities/")):
            return self.say(200 if h["knows"] else 404, {})
        if at.path == "/v1/tools/mcp/servers":
            return self.say(200, {"smcp": {"server_url": h["mcp"]}})
        return self.say(404, {"detail": "Not Found"})

    def do_PUT(self):
        """PATCH and DELETE too: what came."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.may():
            return self.say(401, {"detail": "Unauthorized"})
        return self.say(200, {"method": self.command, "user_id":
                              self.headers.get("user_id")})

    do_PATCH = do_DELETE = do_PUT

    def socket(self):
        """A WebSocket that says one word (RFC 6455)."""
        key = self.headers["Sec-WebSocket-Key"] + \
            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(
            hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.write(b"\x81\x05quack")
        self.rfile.read(1)

    def messages(self, query):
        h = self.server.habits
        if h["listing"] != 200:
            return self.say(h["listing"], {"detail": "as the test wanted"})
        first = 0
        if "after" in query and h["paging"]:
            first = int(query["after"].split("-")[1]) + 1
        last = 30
        if "before" in query:
            last = int(query["before"].split("-")[1])
        if "order" not in query:
            first = max(0, last - int(query["limit"]))
        rows = range(first, min(last, first + int(query["limit"])))
        return self.say(200, [{"id": f"message-{i}"} for i in rows])

    def do_POST(self):
        h = self.server.habits
        length = int(self.headers.get("Content-Length") or 0)
        if h["body_max"] and length > h["body_max"]:
            self.close_connection = True
            return self.say(413, "too large", "text/html")
        self.rfile.read(length)
        if not self.may():
            return self.say(401, {"detail": "Unauthorized"})
        if self.path.endswith("/stream"):
            return self.stream()
        return self.say(422, {"detail": "no file"})

    def stream(self):
        """Two events; held back until the last, or not."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if not self.server.habits["buffered"]:
            self.wfile.write(b"data: one\n\n")
        # As long as a turn: doctor looks when in it the first byte comes.
        time.sleep(0.4)
        self.wfile.write(b"data: two\n\n")

    def log_message(self, *_):
        pass


class Quack:
    """One on the loopback of this machine, or of a host, until stop()."""

    good = dict(health=None, version="0.16.8", secure=True,
                password=PASSWORD, paging=True, listing=200, name="sage",
                mcp="https://smcp.example.org/sse", user_id=True,
                methods="GET, POST, PUT, PATCH, DELETE", silent=False,
                origin=None, echo=False, vary="Origin", body_max=None,
                buffered=False, page="<p>", label="persona",
                knows=True)

    def __init__(self, host=None, port=None, **habits):
        assert set(habits) <= set(self.good)
        self.port = port or free_port()
        self._server = ThreadingHTTPServer(("", 0), Handler,
                                           bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = loopback.listener(self.port, host)
        self._server.daemon_threads = True
        self._server.habits = {**self.good, **habits}
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever,
                         kwargs={"poll_interval": 0.01},
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
