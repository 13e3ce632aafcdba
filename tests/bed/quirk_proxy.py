"""The process behind bed.quirk, which says what it can do.

    python3 -m bed.quirk_proxy http://127.0.0.1:8283

writes its own URL to stdout, then answers questions: JSON lines on stdin.
"""

import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bed import quirk_habits
from bed.quirk_habits import Answer, Rule

#: Headers that belong to one connection.
OWN = {"connection", "transfer-encoding", "content-length", "keep-alive",
       "host", "expect"}
PIECE = 16384


class State:
    """What the proxy was told, and what it saw."""

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.changed = threading.Condition()
        self.rules([])

    def rules(self, rules):
        with self.changed:
            self.active = [Rule(r) for r in rules]
            self.seen, self.done, self.passed = [], [], 0
        return True

    def begin(self, request):
        """Note a request; return the rules that treat it."""
        with self.changed:
            self.seen.append(request)
            self.changed.notify_all()
            return [r for r in self.active if r.meets(request)]

    def end(self, request):
        with self.changed:
            self.done.append(request)
            self.changed.notify_all()

    def uploaded(self, count):
        with self.changed:
            self.passed += count
            self.changed.notify_all()

    def requests(self):
        return [f"{method} {path}{'?' if query else ''}{query}"
                for method, path, query in self.seen]

    def count(self, on, done=False):
        return sum(1 for method, path, _ in (self.done if done else self.seen)
                   if re.fullmatch(on, f"{method} {path}"))

    def bytes(self):
        return self.passed

    def wait(self, on, n, done, timeout_s):
        with self.changed:
            return self.changed.wait_for(
                lambda: self.count(on, done) >= n, timeout_s)

    def wait_bytes(self, n, timeout_s):
        with self.changed:
            return self.changed.wait_for(lambda: self.passed >= n, timeout_s)


class Proxy(BaseHTTPRequestHandler):
    """One connection of a client; the server's `state` is the proxy's."""

    protocol_version = "HTTP/1.1"

    def handle_one(self):
        path, _, query = self.path.partition("?")
        request = self.command, path, query
        state = self.server.state
        rules = state.begin(request)
        try:
            answer = self.answer(rules, path, query)
            if answer.cut_at == 0:
                self.close_connection = True
            else:
                self.send(answer)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True
        finally:
            state.end(request)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one

    def answer(self, rules, path, query):
        """Return the answer that the rules make of the server's own."""
        for rule in rules:
            made = rule.instead()
            if made is not None:
                for _ in self.body(None):
                    pass
                return made
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        pace = None
        for rule in rules:
            rule.on_query(fields)
            pace = rule.pace() or pace
        answer = self.forward(path, urllib.parse.urlencode(fields), pace)
        for rule in rules:
            answer = rule.on_answer(answer, fields)
        return answer

    def forward(self, path, query, pace):
        upstream = self.server.state.upstream
        headers = {k: v for k, v in self.headers.items()
                   if k.lower() not in OWN}
        length = self.headers.get("Content-Length")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        if length is not None:
            headers["Content-Length"] = length
        elif chunked:
            headers["Transfer-Encoding"] = "chunked"
        line = http.client.HTTPConnection(upstream.hostname, upstream.port,
                                          timeout=600)
        try:
            has_body = chunked or length is not None
            line.request(self.command, path + ("?" if query else "") + query,
                         self.body(pace) if has_body else None, headers,
                         encode_chunked=chunked)
            came = line.getresponse()
            return Answer(came.status, {
                k: v for k, v in came.getheaders() if k.lower() not in OWN},
                came.read())
        finally:
            line.close()

    def body(self, pace):
        """Yield the request's body, at most `pace` bytes a second."""
        count = self.server.state.uploaded
        for piece in self.pieces():
            if pace:
                time.sleep(len(piece) / pace)
            count(len(piece))
            yield piece

    def pieces(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            left = int(self.headers.get("Content-Length") or 0)
            while left > 0:
                yield self.exactly(min(left, PIECE))
                left -= min(left, PIECE)
            return
        while True:
            left = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            size = left
            while left > 0:
                yield self.exactly(min(left, PIECE))
                left -= min(left, PIECE)
            self.rfile.readline()
            if size == 0:
                return

    def exactly(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client is gone")
        return data

    def send(self, answer):
        if answer.delay_s:
            time.sleep(answer.delay_s)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.stream is not None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.stream:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length",
                         str(len(answer.body) + answer.length_off))
        self.end_headers()
        body = answer.body[:answer.cut_at]
        step = answer.step or max(len(body), 1)
        for at in range(0, len(body), step):
            if at and answer.step:
                time.sleep(answer.delay_s)
            self.wfile.write(body[at:at + step])
        if answer.length_off or answer.cut_at is not None:
            self.close_connection = True

    def log_message(self, form, *args):
        sys.stderr.write("quirk: " + form % args + "\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that goes away, as a killed one does, is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Proxy)
    server.state = State(sys.argv[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(value=f"http://127.0.0.1:{server.server_address[1]}")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(value=getattr(server.state, asked.pop("ask"))(**asked))
        except (TypeError, ValueError, KeyError, re.error) as e:
            say(failed=f"{type(e).__name__}: {e}")


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    quirk_habits.check()
    main()
