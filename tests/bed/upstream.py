"""What stands behind an edge, where the edge and not Letta is tested.

A stand-in for Letta, on a host's loopback, of few routes, with answers that
are hard on a proxy:

  GET  /v1/health/   as Letta's
  any  /v1/echo      what came: method, path, headers; and CORS headers such
                     as Letta's own middleware sends
  GET  /v1/stream    a stream that only the end of the connection delimits:
                     an event, and another one once release() was called
  POST /v1/upload    how many bytes came; begun() is known before the last
  GET  /v1/socket    101, then bytes come back

and for an SMCP, on a port of its own: /sse with its endpoint event, a POST to
/messages/ whose reply comes on that stream.
"""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bed import loopback
from bed.wait import free_port


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def go(self):
        self.close_connection = True
        name = self.path.split("?")[0].strip("/").split("/")
        getattr(self, "_" + (name[1] if len(name) > 1 else name[0]),
                self._echo)()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = go

    def _health(self):
        self._json({"version": "0.0.0", "status": "ok"})

    def _echo(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._json({"method": self.command, "path": self.path,
                    "headers": {k.lower(): v
                                for k, v in self.headers.items()}},
                   {"Access-Control-Allow-Origin": "*",
                    "Access-Control-Allow-Credentials": "true",
                    "Vary": "Accept-Encoding"})

    def _stream(self):
        owner = self.server.owner
        self._head("text/event-stream")
        self._say("data: one\n\n")
        if owner.released.wait(60):
            self._say("data: two\n\n")

    def _upload(self):
        left, owner = int(self.headers["Content-Length"]), self.server.owner
        while left:
            part = self.rfile.read1(min(left, 1 << 16))
            if not part:
                return
            left -= len(part)
            owner.came.set()
        self._json({"bytes": int(self.headers["Content-Length"])})

    def _socket(self):
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "upgrade")
        self.end_headers()
        self.wfile.flush()
        while True:
            part = self.rfile.read1(4096)
            if not part:
                return
            self._say(part)

    # SMCP

    def _sse(self):
        said = self.server.owner.said
        self._head("text/event-stream")
        self._say("event: endpoint\r\n"
                  "data: /messages/?session_id=5e55\r\n\r\n")
        while (text := said.get()) is not None:
            self._say(f"event: message\r\ndata: {text}\r\n\r\n")

    def _messages(self):
        if self.command == "GET":
            self.send_error(405)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.owner.said.put(f"{self.path} {body.decode()} "
                                   "data: /messages stays")
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    # Answers

    def _head(self, kind):
        """A head without a length: the body ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()

    def _say(self, text):
        try:
            self.wfile.write(text if isinstance(text, bytes)
                             else text.encode())
            self.wfile.flush()
        except OSError:
            pass  # the client has gone

    def _json(self, answer, headers=None):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self._say(data)

    def log_message(self, *_):
        pass


class Upstream:
    """On the loopback of `host` and of this machine, as long as it is up."""

    def __init__(self, host):
        self.host, self.port = host, free_port()
        self.released, self.came = threading.Event(), threading.Event()
        self.said = queue.Queue()
        self._server = ThreadingHTTPServer(("", 0), Handler,
                                           bind_and_activate=False)
        self._server.socket.close()
        self._server.daemon_threads, self._server.owner = True, self
        self.start()

    def start(self):
        self._sockets = loopback.serve(self._server, self.port, [self.host])

    def release(self):
        self.released.set()

    def stop(self):
        self.released.set()
        self.said.put(None)
        loopback.stop(self._sockets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
