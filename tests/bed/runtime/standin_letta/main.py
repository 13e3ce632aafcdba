"""`letta server`: health, and 401 for all else without the password.

With STANDIN=die it ends at once, as a server does that cannot start.
"""

import http.server
import json
import os
import sys

VERSION = os.environ.get("STANDIN_VERSION", "9.9.9")


class Routes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/v1/health"):
            return self.say(200, {"version": VERSION, "status": "ok"})
        wanted = f"Bearer {os.environ.get('LETTA_SERVER_PASSWORD')}"
        secure = os.environ.get("LETTA_SERVER_SECURE") == "true"
        if secure and self.headers.get("Authorization") != wanted:
            return self.say(401, {"detail": "Unauthorized"})
        return self.say(200, [])

    def say(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    words = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    if os.environ.get("STANDIN") == "die":
        sys.exit("the stand-in cannot start")
    host = os.environ.get("STANDIN_HOST", words["--host"])
    http.server.ThreadingHTTPServer(
        (host, int(words["--port"])), Routes).serve_forever()


if __name__ == "__main__":
    main()
