"""A stand-in for an ACME server that refuses every request: by default 429.

Pebble cannot say that, nor refuse each nonce for one client alone.  It serves a directory and nonces, so that a client
comes as far as its first signed request; a real authority refuses there, too,
when an account or an order is one too many.  Counts what it was asked.
"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 14003


class Handler(BaseHTTPRequestHandler):
    def _send(self, status, body, **headers):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Replay-Nonce", f"nonce{len(self.server.asked)}x")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        base = self.server.url
        self._send(200, {"newNonce": f"{base}/nonce",
                         "newAccount": f"{base}/account",
                         "newOrder": f"{base}/order",
                         "revokeCert": f"{base}/revoke",
                         "keyChange": f"{base}/key"},
                   Content_Type="application/json")

    do_HEAD = do_GET

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.path)
        more = {}
        if self.server.retry_after is not None:
            more["Retry_After"] = str(self.server.retry_after)
        self._send(self.server.status, {
            "type": f"urn:ietf:params:acme:error:{self.server.problem}",
            "detail": self.server.detail, "status": self.server.status},
            Content_Type="application/problem+json", **more)

    def log_message(self, *_):
        pass


class AcmeLimit:
    """Serves on the address of a bed.acme.Acme, with its API's certificate.

    retry_after  seconds that it says, or None;  detail  its words
    status       and problem: of its answers, as RFC 8555 names them
    asked        paths of the signed requests that came
    """

    def __init__(self, acme, retry_after=7200, detail="enough for now",
                 status=429, problem="rateLimited"):
        self.server = ThreadingHTTPServer((acme.address, PORT), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(acme.api_certificate,
                                acme.state_dir / "api.key")
        self.server.socket = context.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.server.url = f"https://{acme.address}:{PORT}"
        self.server.asked = self.asked = []
        self.server.retry_after, self.server.detail = retry_after, detail
        self.server.status, self.server.problem = status, problem
        self.directory_url = f"{self.server.url}/dir"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
