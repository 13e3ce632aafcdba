"""A real browser: headless Chromium, told what to do by WebDriver's JSON.

It trusts one root of the test's own besides the system's, and finds names at
the addresses that it is given; nothing of TLS or CORS is switched off.
"""

import json
import shutil
import urllib.error
import urllib.request

from bed.paths import BedError
from bed.wait import accepts, free_port, wait_for

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu",
         "--no-proxy-server", "--disable-dev-shm-usage",
         "--disable-background-networking"]


class Browser:
    """One from start() to stop(), on a host.

    On this machine it would break off its requests each time that another
    bed brings an interface up ("network changed").

    host    bed.hosts.Host; it has the profile and the certificates
    root    path of the certificate to trust
    names   {DNS name: address}
    """

    home = "/root/browser"

    def __init__(self, host, root, names):
        self.host, self.root, self.names = host, root, names
        self._driver = self._session = None

    def start(self):
        for name in ("chromium", "chromedriver", "certutil"):
            if shutil.which(name) is None:
                raise BedError(f"{name} is not there: run scripts/setup bed")
        database = f"{self.home}/.pki/nssdb"
        self.host.run(["mkdir", "-p", database])
        self.host.path(f"{self.home}/root.pem").write_bytes(
            self.root.read_bytes())
        for words in (["-N", "--empty-password"],
                      ["-A", "-t", "C,,", "-n", "bed", "-i",
                       f"{self.home}/root.pem"]):
            self.host.run(["certutil", "-d", f"sql:{database}", *words])
        port = free_port()
        self.url = f"http://{self.host.address}:{port}"
        self._driver = self.host.spawn(
            ["chromedriver", f"--port={port}",
             f"--allowed-ips={self.host.gateway}"],
            env={"HOME": self.home})
        wait_for("chromedriver", lambda: accepts(self.host.address, port),
                 alive=self._driver.alive)
        rules = ", ".join(f"MAP {n} {a}" for n, a in self.names.items())
        made = self._call("POST", "/session", {"capabilities": {
            "alwaysMatch": {"browserName": "chrome",
                            "goog:chromeOptions": {
                                "binary": shutil.which("chromium"),
                                "args": FLAGS + [
                                    f"--user-data-dir={self.home}/profile",
                                    f"--host-resolver-rules={rules}"]}}}})
        self._session = f"/session/{made['sessionId']}"
        self._call("POST", f"{self._session}/timeouts", {"script": 60000})
        return self

    def stop(self):
        if self._session:
            self._call("DELETE", self._session)
        if self._driver:
            self._driver.stop()
        self.host.run(["rm", "-rf", self.home])

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def open(self, url):
        self._call("POST", f"{self._session}/url", {"url": url})

    def run(self, script, *arguments):
        """Run a script in the page; it calls done(value) at its end."""
        return self._call("POST", f"{self._session}/execute/async", {
            "script": "const done = arguments[arguments.length - 1];"
                      + script, "args": list(arguments)})

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=90) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise BedError(f"{method} {path}: {e.read().decode()}") from e
