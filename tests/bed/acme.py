"""Pebble, the small ACME server of Let's Encrypt, with a DNS of its own."""

import json
import ssl
import subprocess
import urllib.request
from pathlib import Path

from bed.http import call
from bed.paths import INSIDE_STATE
from bed.wait import accepts, wait_for

API, MANAGEMENT, DNS, DNS_MANAGEMENT = 14000, 15000, 8053, 8055


class Acme:
    """A certificate authority on `address`, a loopback one or a link's.

    space       where its programs run, with state_dir as INSIDE_STATE
    bad_nonces  per cent of valid nonces that it refuses, as an ACME server
                may; a client must try again
    reuse       per cent of valid authorizations that it uses again
    name        of its folder below state_dir

    Domain validation is real: it looks a name up in the DNS of set_address()
    and asks port 80 of that address for the challenge.
    """

    def __init__(self, space, *, address, state_dir, bad_nonces=0, reuse=0,
                 name="acme"):
        self.space, self.address = space, address
        self.state_dir = Path(state_dir) / name
        self.bad_nonces, self.reuse = bad_nonces, reuse
        self.directory_url = f"https://{address}:{API}/dir"
        #: Certificate of the API itself, for a client to trust.
        self.api_certificate = self.state_dir / "api.pem"
        self._processes = []

    def start(self):
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._make_api_certificate()
        inside = INSIDE_STATE / self.state_dir.name
        (self.state_dir / "pebble.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"{self.address}:{API}",
            "managementListenAddress": f"{self.address}:{MANAGEMENT}",
            "certificate": str(inside / "api.pem"),
            "privateKey": str(inside / "api.key"),
            "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
            "externalAccountBindingRequired": False}}))
        self._spawn("challtestsrv", [
            "pebble-challtestsrv", "-defaultIPv4", "", "-defaultIPv6", "",
            "-dns01", f"{self.address}:{DNS}", "-http01", "", "-https01", "",
            "-tlsalpn01", "", "-management",
            f"{self.address}:{DNS_MANAGEMENT}"], DNS_MANAGEMENT)
        self._spawn("pebble", [
            "pebble", "-config", str(inside / "pebble.json"),
            "-dnsserver", f"{self.address}:{DNS}"], MANAGEMENT, {
                "PEBBLE_VA_NOSLEEP": "1",
                "PEBBLE_WFE_NONCEREJECT": str(self.bad_nonces),
                "PEBBLE_AUTHZREUSE": str(self.reuse)})
        return self

    def stop(self):
        for process in reversed(self._processes):
            process.stop()
        self._processes = []

    # Its DNS, which the authority alone asks

    def set_address(self, name, address, address6=None):
        """Make `name` resolve to these addresses, and to no other."""
        for kind, one in (("a", address), ("aaaa", address6)):
            # add-a puts an address beside those that are there.
            self._dns(f"clear-{kind}", host=name)
            if one is not None:
                self._dns(f"add-{kind}", host=name, addresses=[one])

    def fail_lookups(self, name):
        """Let each authorization of `name` fail; see answer_lookups()."""
        self._dns("set-servfail", host=name)

    def answer_lookups(self, name):
        self._dns("clear-servfail", host=name)

    def _dns(self, path, **body):
        call("POST", f"http://{self.address}:{DNS_MANAGEMENT}/{path}", body)

    def root_ca(self, path=None):
        """Write the root of the certificates it issues; return the path."""
        path = Path(path or self.state_dir / "root.pem")
        url = f"https://{self.address}:{MANAGEMENT}/roots/0"
        context = ssl.create_default_context(cafile=self.api_certificate)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context))
        with opener.open(url, timeout=10) as answer:
            path.write_bytes(answer.read())
        return path

    def trust_on(self, host):
        """Put the API's certificate on a host; return its path there."""
        inside = "/etc/ssl/certs/sanctum-bed-acme.pem"
        host.path(inside).write_bytes(self.api_certificate.read_bytes())
        return inside

    def _make_api_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "30", "-subj", "/CN=sanctum bed ACME API",
             "-addext", f"subjectAltName=IP:{self.address}",
             "-addext", "basicConstraints=critical,CA:TRUE",
             "-keyout", str(self.state_dir / "api.key"),
             "-out", str(self.api_certificate)],
            check=True, capture_output=True)

    def _spawn(self, name, argv, port, env=None):
        process = self.space.spawn(argv, env=env,
                                   log=self.state_dir / f"{name}.log")
        self._processes.append(process)
        wait_for(f"{name} ({self.state_dir})",
                 lambda: accepts(self.address, port), alive=process.alive)
