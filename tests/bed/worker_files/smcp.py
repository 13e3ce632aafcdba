"""A stand-in for SMCP's smcp.py: its plugins, its SSE transport, its key.

What a move depends on is as in the original (3.1.0):

  environment  of the process alone, no .env is read
  secrets      those that the server keeps for LETTA_AGENT_ID are added; an
               unknown agent is a warning; no agent at all: those of every
               one; a server without a password is not asked
  GET /sse     event `endpoint` with the address for POST, then the answers
  POST /messages/?session_id=   JSON-RPC: initialize, tools/list, tools/call
  key          MCP_API_KEY as bearer or X-API-Key; loopback goes without,
               unless --require-auth; --allow-external without a key: exit 2
  plugins      plugins/NAME/cli.py below this file or MCP_PLUGINS_DIR; tool
               NAME__COMMAND runs it in a process of its own

Python's own library only.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

HERE = Path(__file__).absolute().parent
VERSION = "3.1.0"


def say(text):
    print(text, file=sys.stderr, flush=True)


def token():
    return (os.environ.get("LETTA_SERVER_PASSWORD")
            or os.environ.get("LETTA_API_KEY") or "")


def from_letta(path):
    url = os.environ["LETTA_SERVER_URL"].rstrip("/")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(
            f"{url}/v1/agents/{path}include=agent.secrets",
            headers={"Authorization": f"Bearer {token()}"}), timeout=30) as a:
        return json.load(a)


def load_secrets():
    """Add the agent's secrets to the environment; they win over it."""
    if not os.environ.get("LETTA_SERVER_URL") or not token():
        return
    agent = os.environ.get("LETTA_AGENT_ID")
    try:
        agents = [from_letta(f"{agent}?")] if agent else from_letta("?")
    except OSError as e:
        say(f"WARNING: no secrets of {agent}: {e}")
        return
    for one in agents:
        for kind in ("secrets", "tool_exec_environment_variables"):
            for secret in one.get(kind) or []:
                os.environ[secret["key"]] = secret["value"]


def find_tools():
    """Return {tool name: (cli.py, command, its description)}."""
    top = Path(os.environ.get("MCP_PLUGINS_DIR") or HERE / "plugins")
    tools = {}
    for cli in sorted(top.glob("*/cli.py")):
        done = subprocess.run([sys.executable, cli, "--describe"], text=True,
                              stdout=subprocess.PIPE)
        if done.returncode != 0:
            say(f"WARNING: plugin {cli.parent.name} does not describe itself")
            continue
        for command in json.loads(done.stdout)["commands"]:
            tools[f"{cli.parent.name}__{command['name']}"] = (
                cli, command["name"], command)
    return tools


def schema(parameters):
    return {"type": "object",
            "properties": {p["name"]: {"type": p.get("type", "string")}
                           for p in parameters},
            "required": [p["name"] for p in parameters if p.get("required")]}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, keys, require_auth):
        super().__init__(address, Handler)
        self.keys, self.require_auth = keys, require_auth
        self.tools, self.sessions = find_tools(), {}

    def answer(self, method, params):
        """Return the result of one JSON-RPC request."""
        if method == "initialize":
            return {"protocolVersion": params.get("protocolVersion",
                                                  "2024-11-05"),
                    "capabilities": {"tools": {"listChanged": False}},
                    "serverInfo": {"name": "sanctum-letta-mcp",
                                   "version": VERSION}}
        if method == "tools/list":
            listed = [{"name": name, "description": c.get("description", ""),
                       "inputSchema": schema(c.get("parameters", []))}
                      for name, (_, _, c) in self.tools.items()]
            return {"tools": listed + [{
                "name": "sanctum__tools", "description": "names all tools",
                "inputSchema": schema([])}]}
        if method == "tools/call":
            return self.run_tool(params["name"],
                                 params.get("arguments") or {})
        return None

    def run_tool(self, name, arguments):
        if name == "sanctum__tools":
            text, failed = json.dumps(sorted(self.tools)), False
        elif name in self.tools:
            cli, command, _ = self.tools[name]
            words = [w for k, v in arguments.items() for w in (f"--{k}", v)]
            done = subprocess.run([sys.executable, cli, command,
                                   *map(str, words)], text=True,
                                  capture_output=True)
            text, failed = done.stdout or done.stderr, done.returncode != 0
        else:
            # Seen: not marked as an error.
            text, failed = json.dumps({"error": "tool_not_attached",
                                       "tool": name}), False
        return {"content": [{"type": "text", "text": text.strip()}],
                "isError": failed}


class Handler(BaseHTTPRequestHandler):
    def allowed(self):
        near = self.client_address[0].startswith("127.")
        if not self.server.keys or (near and not self.server.require_auth):
            return True
        given = self.headers.get("X-API-Key") or self.headers.get(
            "Authorization", "").removeprefix("Bearer ")
        if given in self.server.keys:
            return True
        self.reply(401, b'{"error":"unauthorized"}')
        return False

    def do_GET(self):
        path = urlparse(self.path).path
        if path == "/sse" and self.allowed():
            self.stream()
        elif path == "/messages/":
            self.reply(405, b"Method Not Allowed")
        elif path != "/sse":
            self.reply(404, b"Not Found")

    def stream(self):
        """Send what is answered in a session, until the peer goes."""
        session, answers = uuid.uuid4().hex, queue.Queue()
        self.server.sessions[session] = answers
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        try:
            self.event("endpoint", f"/messages/?session_id={session}")
            while True:
                try:
                    self.event("message", json.dumps(answers.get(timeout=1)))
                except queue.Empty:
                    self.wfile.write(b": ping\r\n\r\n")
        except OSError:
            del self.server.sessions[session]

    def event(self, kind, data):
        self.wfile.write(f"event: {kind}\r\ndata: {data}\r\n\r\n".encode())
        self.wfile.flush()

    def do_POST(self):
        if not self.allowed():
            return
        at = urlparse(self.path)
        if at.path != "/messages/":
            self.reply(400 if at.path == "/sse" else 404, b"")
            return
        answers = self.server.sessions.get(
            parse_qs(at.query).get("session_id", [""])[0])
        if answers is None:
            self.reply(404, b"Could not find session")
            return
        length = int(self.headers.get("Content-Length") or 0)
        request = json.loads(self.rfile.read(length))
        self.reply(202, b"Accepted")
        if "id" in request:  # else a notification
            answers.put(self.result(request))

    def result(self, request):
        done = self.server.answer(request["method"],
                                  request.get("params") or {})
        head = {"jsonrpc": "2.0", "id": request["id"]}
        if done is None:
            return {**head, "error": {
                "code": -32602, "message": "Invalid request parameters"}}
        return {**head, "result": done}

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        say(form % args)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--host", default=os.environ.get("MCP_HOST",
                                                          "127.0.0.1"))
    options.add_argument("--port", type=int,
                         default=int(os.environ.get("MCP_PORT", "8000")))
    options.add_argument("--allow-external", action="store_true")
    options.add_argument("--require-auth", action="store_true")
    chosen = options.parse_args()
    keys = [k for k in (os.environ.get("MCP_API_KEY", ""),
                        *os.environ.get("MCP_API_KEYS", "").split(",")) if k]
    if chosen.allow_external and not keys:
        say("refusing external access without an API key")
        sys.exit(2)
    load_secrets()
    host = "0.0.0.0" if chosen.allow_external else chosen.host
    Server((host, chosen.port), keys, chosen.require_auth).serve_forever()


if __name__ == "__main__":
    main()
