"""What the stand-ins that tests look into have in common: JSON over HTTP.

They run in threads of the test's own process, so a test reads and sets what
they hold without asking over the network.
"""

import json
import select
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from bed import loopback
from bed.wait import free_port


class Refuse(Exception):
    """Answer with this status and object instead of 200."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Handler(BaseHTTPRequestHandler):
    def go(self):
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        if "form-urlencoded" in self.headers.get("Content-Type", ""):
            body = dict(parse_qsl(data.decode()))
        else:
            body = json.loads(data or b"{}")
        try:
            status, answer = 200, self.server.owner.answer(
                self.command, self.path, body, self)
        except Refuse as e:
            status, answer = e.status, e.body
        data = json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # the peer was killed

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = go

    def peer_is_gone(self):
        """True once the peer has closed its end, as a killed one does."""
        readable = select.select([self.connection], [], [], 0)[0]
        try:
            return bool(readable) and not self.connection.recv(
                1, socket.MSG_PEEK)
        except OSError:
            return True

    def log_message(self, *_):
        pass


class StandIn:
    """Base: answer(method, path, body, request) is the subclass's.

    hosts   bed.hosts.Host objects whose loopback has it too, under `url`
    """

    def __init__(self, hosts=(), port=0):
        self.port = port or free_port()
        self._server = ThreadingHTTPServer(("", 0), Handler,
                                           bind_and_activate=False)
        self._server.socket.close()
        self._server.daemon_threads, self._server.owner = True, self
        self._sockets = loopback.serve(self._server, self.port, hosts)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        loopback.stop(self._sockets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
