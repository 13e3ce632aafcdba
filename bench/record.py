"""Write down the requests that a client makes of two servers.

    with Recorder(folder, source_url, target_url) as r:
        ... the client talks to r.urls[0] and r.urls[1] ...
        r.write(script, {agent_id})         a script for bench/loop.c

Each request is handed on and its answer handed back whole, so a recorded run
is not one to be timed; what it tells of time is how long the servers took
(`server_s`) and how long no request was under way (`between_s`).
"""

import http.client
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ID = re.compile(rb'(?<=")([a-z_]+-)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}'
                rb'-[0-9a-f]{12})(?=")')
ID_IN_REQUEST = re.compile(ID.pattern.replace(rb'(?<=")', rb"")
                           .replace(rb'(?=")', rb""))
INSERTION = re.compile("/archival-memory|/passages")
KEPT_HEADERS = ("authorization", "accept", "content-type")


class Request:
    """One request: what was sent, and the ids in what was answered."""

    def __init__(self, side, method, path, kind, body):
        self.side, self.method, self.path = side, method, path
        self.kind, self.body = kind, body       # content type, file or None
        self.ids = []                           # of the answer, in order
        self.taken = {}                         # id -> number for loop.c
        self.begun = self.ended = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    side = recorder = None

    def log_message(self, *_):
        pass

    def chunks(self):
        """The request's body as it comes, decoded."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif int(self.headers.get("Content-Length") or 0):
            yield self.rfile.read(int(self.headers["Content-Length"]))

    def handle_one(self):
        r = self.recorder
        headers = {k: v for k, v in self.headers.items()
                   if k.lower() in KEPT_HEADERS}
        body = r.keep_body(self.chunks())
        request = Request(self.side, self.command, self.path,
                          self.headers.get("Content-Type"), body)
        request.begun = time.monotonic()
        r.requests.append(request)
        # A new one each time: a server closes what was idle for seconds.
        at = urlsplit(r.upstream[self.side])
        up = http.client.HTTPConnection(at.hostname, at.port, timeout=3600)
        data = open(body, "rb") if body else None
        if body:
            headers["Content-Length"] = str(body.stat().st_size)
        up.request(self.command, self.path, data, headers)
        answer = up.getresponse()
        text = answer.read()
        up.close()
        if data:
            data.close()
        request.ended = time.monotonic()
        request.ids = [a + b for a, b in ID.findall(text)]
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_one


class Recorder:
    def __init__(self, folder, source_url, target_url):
        self.folder = Path(folder)
        self.upstream = (source_url, target_url)
        self.requests, self.servers, self.urls = [], [], []
        self.bodies = 0

    def __enter__(self):
        for side in (0, 1):
            handler = type("Of", (Handler,), {"side": side, "recorder": self})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever,
                             daemon=True).start()
            self.servers.append(server)
            self.urls.append(f"http://127.0.0.1:{server.server_address[1]}")
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def keep_body(self, chunks):
        """Return the file with the body, or None when there is none."""
        self.bodies += 1
        path = self.folder / f"body-{self.bodies}"
        with path.open("wb") as out:
            for chunk in chunks:
                out.write(chunk)
        if path.stat().st_size:
            return path
        path.unlink()
        return None

    def times(self):
        """Return (server_s, between_s) of the whole recording."""
        spans = sorted((r.begun, r.ended) for r in self.requests)
        busy, until = 0.0, spans[0][0]
        for begun, ended in spans:
            busy += max(0.0, ended - max(begun, until))
            until = max(until, ended)
        return busy, until - spans[0][0] - busy

    def write(self, script, known):
        """Write the requests for bench/loop.c.

        known   ids that are the same in every run, such as the agent's
        """
        self.known = {k.encode() for k in known}
        self.numbers = 0
        lines = [self.line(i, r) for i, r in enumerate(self.requests)]
        imported = next(i for i, r in enumerate(self.requests)
                        if r.path == "/v1/agents/import")
        # The last insertion, or the import when there was nothing to insert.
        last = max((i for i, r in enumerate(self.requests) if i > imported and
                    r.method == "POST" and INSERTION.search(r.path)),
                   default=imported)
        with open(script, "wb") as out:
            for side, url in enumerate(self.upstream):
                out.write(f"url\t{side}\t{url}\n".encode())
            for i, (request, line) in enumerate(zip(self.requests, lines)):
                if i == imported:
                    out.write(b"phase\tread\n")
                out.write(line)
                for text, number in request.taken.items():
                    out.write(self.take(request, text, number))
                if i == imported:
                    out.write(b"phase\timport\n")
                if i == last:
                    out.write(b"phase\tarchival\n")
            out.write(b"phase\tcompare\n")

    def line(self, i, request):
        path = self.named(i, request.path.encode())
        if request.body and "json" in request.kind:
            text = request.body.read_bytes()
            request.body.write_bytes(self.named(i, text))
        return b"\t".join([
            b"call", str(request.side).encode(), request.method.encode(),
            path, (request.kind or "-").encode() if request.body else b"-",
            str(request.body or "-").encode()]) + b"\n"

    def named(self, i, text):
        """Put the loop's numbers for the ids of earlier answers."""
        def number(found):
            whole = found[0]
            if whole in self.known:
                return whole
            for before in reversed(self.requests[:i]):
                if before.side == self.requests[i].side and (
                        whole in before.ids):
                    if whole not in before.taken:
                        self.numbers += 1
                        before.taken[whole] = self.numbers
                    return b"\1%d\1" % before.taken[whole]
            return whole
        return ID_IN_REQUEST.sub(number, text)

    @staticmethod
    def take(request, text, number):
        prefix = text[:text.index(b"-") + 1]
        same = [i for i in request.ids if i.startswith(prefix)]
        back = same[::-1].index(text) + 1
        return b"take\t%d\t%s\t%d\n" % (number, prefix, back)
