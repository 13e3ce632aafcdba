"""A job that makes an edge and nothing else, and a client of that edge.

Its certificate is one of an authority of the test's own, laid where certbot
would have: what certbot does is another test's.
"""

import http.client
import socket
import ssl
import subprocess

from bed import jobs

SITE, ADE, ADE_PORT = "edge.internal", "ade.internal", 8283
LIVE = f"/etc/letsencrypt/live/{SITE}"
CONF = f"/etc/nginx/conf.d/sanctumctl-{SITE}.conf"


def openssl(*words, **kw):
    subprocess.run(["openssl", *map(str, words)], check=True,
                   capture_output=True, **kw)


class Authority:
    """Signs for names; `root` is the path of its certificate."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "99", "-subj",
                "/CN=edge test root", "-keyout", folder / "root.key", "-out",
                self.root)

    def sign(self, names, at, days=8):
        """Write fullchain.pem and privkey.pem for the names into `at`."""
        request, names_file = self.folder / "one.csr", self.folder / "san"
        at.mkdir(parents=True, exist_ok=True)
        names_file.write_text("subjectAltName=" + ",".join(
            f"DNS:{n}" for n in names))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={names[0]}",
                "-keyout", at / "privkey.pem", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey",
                self.folder / "root.key", "-CAcreateserial", "-days", str(days),
                "-extfile", names_file, "-out", at / "fullchain.pem")


def write(path, host, authority, port, name="edge-alone", templates=None,
          **keys):
    """Write the job file; keys are further ones of [edge node1]."""
    return jobs.write(path, [
        jobs.job("greenfield", name, templates=templates),
        jobs.host("node1", host),
        ("letta new", {"host": "node1", "port": port,
                       "token": f"env:{jobs.TARGET_TOKEN}"}),
        ("edge node1", {
            "site": SITE, "ade": f"{ADE}:{ADE_PORT}",
            "acme_email": f"ops@{SITE}", "ca_file": authority.root,
            "connect_to": host.address, **keys})])


class Client:
    """HTTPS to an edge at an address, verified by its authority's root."""

    def __init__(self, address, root):
        self.address = address
        self.context = ssl.create_default_context(cafile=root)

    def connect(self, name=SITE, port=443, context=None):
        raw = socket.create_connection((self.address, port), 30)
        return (context or self.context).wrap_socket(raw,
                                                     server_hostname=name)

    def begin(self, method, path, *, name=SITE, port=443, body=None,
              headers=None):
        """Send a request; return its answer, to be read and closed."""
        line = http.client.HTTPSConnection(name, port, timeout=30)
        line.sock = self.connect(name, port)
        line.request(method, path, body, headers or {})
        answer = line.getresponse()
        answer.line = line
        return answer

    def ask(self, method, path, **kw):
        """The same, with the body read into `.text`."""
        answer = self.begin(method, path, **kw)
        answer.text = answer.read().decode()
        answer.line.close()
        return answer

    def ade(self, method, path, **kw):
        return self.ask(method, path, name=ADE, port=ADE_PORT, **kw)
