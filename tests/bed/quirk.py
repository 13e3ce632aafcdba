"""A proxy with bad habits in front of a real server, told by a test.

    with Quirk(server.url) as quirk:
        quirk.rules({"on": "GET .*/messages", "do": "status", "first": 2,
                     "times": 1, "status": 429,
                     "headers": {"Retry-After": "1"}})
        ... use quirk.url as the server's ...
        assert quirk.count("GET .*/messages") == 3

A rule:

    on      regular expression for all of "METHOD /path", without the query
    do      what happens, see below
    first   the first of the requests that it meets to be treated (1)
    times   how many are (all that follow)
    ...     what that habit takes

All rules that meet a request are applied, in order.  Habits, with what they
take and its default:

  the request is not forwarded
    status      status=502 headers={} body=""      an answer of its own
    html        -                                  200 and a page for people
    bomb        size=2**27                         gzip that was not asked for
    flood       size=2**40                         spaces without an end

  it is forwarded and has its effect, but then
    acted       status=500 headers={} body=""      another answer
    cut         bytes=0      the connection ends behind so much of the answer
                             (of the body; 0: not even a status line)
    length      by=10        Content-Length is wrong by so much
    slow        seconds=1 step=0   the answer comes late, then `step' bytes
                             each further time (0: all)
    replace     old new      text in the body is another one

  a listing, whose pages are lists of objects with an id
    limit       limit=7      pages are shorter than asked for
    repeat      page=2       that page is the one before it again
    cycle       pages=2      behind so many the first comes again, forever
    endless     -            new messages are made up where it should end
    twins       every=5      each such row has the id of the row before it
    insert      items page=1 at=0   items that the server does not have

  an upload
    pace        bytes=100000 no more than so many a second pass
"""

import json
import subprocess
import threading

from bed.paths import PYTHON, TESTS, BedError


class Quirk:
    """The proxy as a process of its own; it ends with this one.

    upstream   base URL of the real server
    log        a file that gets what the proxy says about itself
    """

    def __init__(self, upstream, log=None):
        self.upstream, self._log = upstream, log
        self._lock = threading.Lock()
        self._process = self.url = None

    def start(self):
        log = open(self._log, "ab") if self._log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [PYTHON, "-m", "bed.quirk_proxy", self.upstream],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True, cwd=TESTS)
        self.url = self._reply()
        return self

    def stop(self):
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()
            self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def rules(self, *rules):
        """From now on these rules hold, and no others; counts begin anew."""
        self._ask("rules", rules=list(rules))

    def clear(self):
        self.rules()

    def requests(self):
        """Return "METHOD /path?query" of each request since rules()."""
        return self._ask("requests")

    def count(self, on):
        """Return how many requests `on' meets, as in a rule."""
        return self._ask("count", on=on)

    def bytes(self):
        """Return how many bytes of request bodies have passed."""
        return self._ask("bytes")

    def wait(self, on, n=1, *, done=False, timeout_s=60):
        """Wait for the n-th request that `on' meets; False if none came.

        done   wait for the end of its answer, not for its beginning
        """
        return self._ask("wait", on=on, n=n, done=done, timeout_s=timeout_s)

    def wait_bytes(self, n, timeout_s=60):
        """Wait until n bytes of request bodies have passed."""
        return self._ask("wait_bytes", n=n, timeout_s=timeout_s)

    def _ask(self, what, **more):
        with self._lock:
            self._process.stdin.write(json.dumps({"ask": what, **more})
                                      + "\n")
            self._process.stdin.flush()
            return self._reply()

    def _reply(self):
        line = self._process.stdout.readline()
        if not line:
            raise BedError("the quirk proxy has ended")
        said = json.loads(line)
        if "failed" in said:
            raise BedError(f"quirk proxy: {said['failed']}")
        return said["value"]
