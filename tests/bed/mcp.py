"""A client of MCP over SSE, as far as SMCP's stand-in is asked.

    with McpClient(url) as smcp:
        smcp.run("demo_text__echo", message="hello")
"""

import http.client
import itertools
import json
import urllib.parse


class McpClient:
    """One session, initialized; `info` is the server's answer to that."""

    def __init__(self, url, key=None):
        self.at = urllib.parse.urlparse(url)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._ids = itertools.count(1)
        self._stream = http.client.HTTPConnection(
            self.at.hostname, self.at.port, timeout=30)
        self._stream.request("GET", "/sse", headers=self.headers)
        self._answer = self._stream.getresponse()
        self.status = self._answer.status
        if self.status == 200:
            self.endpoint = self._event("endpoint")
            self.info = self.ask("initialize", {
                "protocolVersion": "2024-11-05", "capabilities": {},
                "clientInfo": {"name": "bed", "version": "1"}})
            self._post({"jsonrpc": "2.0",
                        "method": "notifications/initialized"})

    def _event(self, wanted):
        """Return the data of the next event of that kind."""
        kind = None
        for line in self._answer:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind == wanted:
                return value
        raise EOFError(f"the stream ended before an event {wanted}")

    def _post(self, message):
        done = http.client.HTTPConnection(self.at.hostname, self.at.port,
                                          timeout=30)
        done.request("POST", self.endpoint, json.dumps(message),
                     {"Content-Type": "application/json", **self.headers})
        status = done.getresponse().status
        done.close()
        assert status == 202, status

    def ask(self, method, params=None):
        """Make one request; return its result or its error."""
        number = next(self._ids)
        self._post({"jsonrpc": "2.0", "id": number, "method": method,
                    "params": params or {}})
        while True:
            answer = json.loads(self._event("message"))
            if answer.get("id") == number:
                return answer.get("result") or answer["error"]

    def tools(self):
        return [t["name"] for t in self.ask("tools/list")["tools"]]

    def run(self, tool, **arguments):
        """Call a tool; return its text."""
        done = self.ask("tools/call", {"name": tool, "arguments": arguments})
        return done["content"][0]["text"]

    def close(self):
        self._answer.close()
        self._stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
