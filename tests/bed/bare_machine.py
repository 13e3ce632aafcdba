"""A bare Debian host that reaches the package registries.

What a provider hands out: the tree of bed.machine without the packages that a
node needs, so little more than systemd, sshd and apt.  apt and pip get to
where this machine's own get, by a proxy on the host's link (bed.proxy); take
that away and the registries are out of reach.
"""

import os
import subprocess
from pathlib import Path

from bed.hosts import ip
from bed.machine import TREE, Machine
from bed.paths import BedError, INSIDE_CACHE, PYTHON
from bed.wait import accepts, wait_for

PROXY_PORT = 13128

#: Of the tree, and not of a bare Debian; sqlite3 stays, which tests look with.
NOT_BARE = ("^python3", "^libpython3", "rsync")

#: Registries may be behind an authority that only this machine knows.  The
#: second is where ca-certificates, once installed, finds it.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
OWN_AUTHORITIES = "/usr/local/share/ca-certificates"

APT_CONF = """\
Acquire::http::Proxy "{proxy}";
Acquire::https::Proxy "{proxy}";
Acquire::https::CAInfo "{authorities}";
Acquire::Languages "none";
"""
PIP_CONF = """\
[global]
proxy = {proxy}
cert = {authorities}
"""
UV_CONF = """\
http-proxy = "{proxy}"
https-proxy = "{proxy}"
system-certs = true
cache-dir = "{cache}"
"""

#: uv and what it has downloaded, of which the host keeps its own changes.
UV, UV_INSIDE = INSIDE_CACHE / "uv/bin/uv", "/usr/local/bin/uv"
UV_CACHE, UV_CACHE_INSIDE = INSIDE_CACHE / "uv-cache", "/var/cache/uv"
UV_UPPER = "/mnt/own/uv-cache"

#: A record of each index of packages that this machine's own apt reads.
INDEX = "$(REPO_URI) $(SUITE) $(CODENAME) $(COMPONENT)"


def apt_sources():
    """Return sources.list(5) of this machine's Debian, and nothing else."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", INDEX,
         "Created-By: Packages", "Origin: Debian"],
        check=True, text=True, capture_output=True)
    lines = set()
    for line in done.stdout.splitlines():
        uri, _, codename, component = line.split(" ")
        lines.add(f"deb {uri} {codename} {component}\n")
    if not lines:
        raise BedError("apt knows no packages of Debian: run apt-get update")
    return "".join(sorted(lines))


class BareMachine(Machine):
    """A Machine, which has addresses of both versions.

    services   bed.space.Space where its proxy runs
    number     of the bed, for its addresses
    more       what systemd-nspawn is told besides: binds
    address6, gateway6   the ends of its link, as address and gateway are
    """

    def __init__(self, name, *, services, number, more=(), **link):
        super().__init__(name, **link)
        self._services, self._proxy = services, None
        self._more = (f"--bind-ro={UV}:{UV_INSIDE}", "--overlay="
                      f"{UV_CACHE}:{UV_UPPER}:{UV_CACHE_INSIDE}", *more)
        # RFC 4193; the end is that of the address of version 4.
        self.gateway6, self.address6 = (
            f"fd53:616e:6374:{number:x}::{a.rpartition('.')[2]}"
            for a in (self.gateway, self.address))

    def stop(self):
        super().stop()
        self.stop_proxy()

    # The registries

    def start_proxy(self):
        """Let the registries be in reach."""
        named = {k: v for k, v in os.environ.items()
                 if k.lower().endswith("_proxy")}
        log = self.state_dir / f"{self.name}-proxy.log"
        self._proxy = self._services.spawn(
            [PYTHON, "-m", "bed.proxy", self.gateway, str(PROXY_PORT)],
            log=log, env=named)
        wait_for(f"proxy of {self.name} ({log})",
                 lambda: accepts(self.gateway, PROXY_PORT),
                 alive=self._proxy.alive)

    def stop_proxy(self):
        """Let them be out of reach, for those who ask for them now, too."""
        if self._proxy is not None:
            self._proxy.stop()
            self._proxy = None

    def install(self, *packages):
        """Install packages as an operator would, before any job."""
        for words in (["update"], ["install", "-y",
                                   "--no-install-recommends", *packages]):
            self.run(["apt-get", "-q", *words], timeout_s=600,
                     env={"DEBIAN_FRONTEND": "noninteractive"})

    # Its tree

    def _prepare(self, outer):
        self._connect6(outer)
        self.start_proxy()
        outer.run(["chroot", TREE, "env", "DEBIAN_FRONTEND=noninteractive",
                   "apt-get", "-q", "-y", "purge", *NOT_BARE])
        outer.run(["mkdir", "-p", UV_UPPER])
        values = {"proxy": f"http://{self.gateway}:{PROXY_PORT}",
                  "authorities": AUTHORITIES, "cache": UV_CACHE_INSIDE}
        self._write(AUTHORITIES, Path(AUTHORITIES).read_text())
        for one in Path(OWN_AUTHORITIES).glob("*.crt"):
            self._write(one, one.read_text())
        self._write("/etc/apt/sources.list", apt_sources())
        for path, text in (("/etc/apt/apt.conf.d/90sanctum-bed", APT_CONF),
                           ("/etc/pip.conf", PIP_CONF),
                           ("/etc/uv/uv.toml", UV_CONF)):
            self._write(path, text.format(**values))

    def _write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def _connect6(self, outer):
        """The link's addresses of version 6, in use at once."""
        ip("addr", "add", f"{self.gateway6}/128", "peer", self.address6,
           "dev", self.link, "nodad")
        outer.run(["ip", "addr", "add", f"{self.address6}/128", "peer",
                   self.gateway6, "dev", "eth0", "nodad"])
