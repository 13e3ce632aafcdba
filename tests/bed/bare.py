"""A host on which a job brings a Letta server up.

uv is the real one, without a network: it has the bed's cache and the wheels
of wheel().  Four stand-ins, each of which says so in its text:

uv       of the list of the real Letta alone: puts the packages there that the
         bed has installed, bytecode and all, which takes a second and not
         a minute
nginx    takes every configuration and never starts
docker   writes down what it is asked for, and starts a server for `up'
letta    the wheel of `standin_letta': its routes, its secure mode, its models
         of three columns
"""

import base64
import hashlib
import io
import zipfile
from pathlib import Path

from bed import hosts
from bed.paths import INSIDE_CACHE, TOP
from bed.site import SLOTS
from bed.supervisors import Supervisord

FILES = Path(__file__).with_name("runtime")
BIN, WHEELS, UV_CACHE = "/srv/bin", "/srv/wheels", "/srv/uv-cache"
STANDIN_VERSION = "9.9.9"
#: Of what the stand-in's models and share/letta/database.py need.
NEEDED = ("asn1crypto", "greenlet", "pg8000", "python-dateutil", "scramp",
          "setuptools", "six", "sqlalchemy", "typing-extensions")
SLOT = max(SLOTS.values()) + 1


class BareHost(hosts.Host):
    """A host with supervisord, uv and what else BIN has; nothing of Letta."""

    #: What its programs, and those of a login, find about them.
    env = {"PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                   "/usr/bin:/sbin:/bin",
           "UV_CACHE_DIR": UV_CACHE, "UV_OFFLINE": "1",
           "UV_LINK_MODE": "symlink", "UV_FIND_LINKS": WHEELS}

    def __init__(self, bed, name="node", slot=SLOT):
        gateway, address = bed._lease.addresses(slot)
        key = hosts.make_client_key(bed.state_dir / "client_key")
        super().__init__(name, state_dir=bed.state_dir, address=address,
                         gateway=gateway, link=bed._lease.link(name),
                         client_key=key)

    def start_sshd(self):
        for folder in (BIN, WHEELS):
            self.path(folder).mkdir(exist_ok=True)
        self.put_program("uv")
        self.put_program("nginx")
        # Nothing of a test stays in the bed's own cache.
        self.run(["mkdir", "-p", UV_CACHE, "/srv/upper", "/srv/work"])
        self.run(["mount", "-t", "overlay", "-o",
                  f"lowerdir={INSIDE_CACHE}/uv-cache,upperdir=/srv/upper,"
                  "workdir=/srv/work", "uv-cache", UV_CACHE])
        config = hosts.SSHD_CONFIG
        hosts.SSHD_CONFIG = config + "SetEnv " + " ".join(
            f"{k}={v}" for k, v in self.env.items()) + "\n"
        try:
            super().start_sshd()
        finally:
            hosts.SSHD_CONFIG = config
        self.supervisord = Supervisord(self)

    def put_program(self, name):
        made = self.path(f"{BIN}/{name}")
        made.write_text((FILES / f"{name}.sh").read_text())
        made.chmod(0o755)

    def listens(self, port):
        """True if something on the host takes connections on its loopback."""
        return self.run(["/usr/bin/python3", "-c", "import socket, sys;"
                         f"socket.create_connection(('127.0.0.1', {port}))"],
                        check=False).returncode == 0

    def get(self, path, password=None, port=18283):
        """Return the status of a GET by the host's own loopback."""
        program = (
            "import sys, urllib.request as u, urllib.error as e\n"
            "r = u.Request(sys.argv[1], headers=eval(sys.stdin.read()))\n"
            "try: print(u.urlopen(r, timeout=20).status)\n"
            "except e.HTTPError as x: print(x.code)\n")
        headers = {"Authorization": f"Bearer {password}"} if password else {}
        return int(self.run(["/usr/bin/python3", "-I", "-c", program,
                             f"http://127.0.0.1:{port}{path}"],
                            input=repr(headers)).stdout)

    def variable(self, name, path="/etc/letta/letta.env"):
        """Return the value of a variable in an environment file."""
        for line in self.path(path).read_text().splitlines():
            if line.startswith(f"{name}="):
                return line.split("=", 1)[1].strip("'\"")
        return None

    def psql(self, sql, database="letta"):
        return self.run(
            ["runuser", "-u", "letta-postgres", "--",
             "/opt/letta/postgres/pgsql/bin/psql", "-XAtq", "-h",
             "/var/lib/letta-postgres", "-p", "18432", "-d", database],
            input=sql).stdout.strip()


def entries(version="0.16.2"):
    """Return the shipped list as {name: entry}."""
    text = (TOP / f"share/letta/requirements-{version}.txt").read_text()
    found, name = {}, None
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.split("==")[0].split("[")[0]
        found[name] = found.get(name, "") + line
    return found


def real_list(path, version="0.16.2"):
    """Write the shipped list without what the bed's cache does not have."""
    found = entries(version)
    for name in ("redis", "async-timeout"):
        found.pop(name)
    Path(path).write_text("".join(found.values()))
    return path


def standin_list(path, host, digest=None):
    """Put the stand-in's wheel on the host; write its list, with hashes."""
    data = wheel()
    name = f"letta-{STANDIN_VERSION}-py3-none-any.whl"
    host.path(f"{WHEELS}/{name}").write_bytes(data)
    digest = digest or hashlib.sha256(data).hexdigest()
    found = entries()
    Path(path).write_text(
        "".join(found[n] for n in NEEDED)
        + f"letta=={STANDIN_VERSION} \\\n    --hash=sha256:{digest}\n")
    return path


def wheel():
    """Return the bytes of the stand-in's wheel."""
    info = f"letta-{STANDIN_VERSION}.dist-info"
    files = {f"letta/{p.relative_to(FILES / 'standin_letta')}": p.read_bytes()
             for p in sorted((FILES / "standin_letta").rglob("*.py"))}
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: letta\nVersion: {STANDIN_VERSION}\n"
        "Requires-Dist: sqlalchemy\nRequires-Dist: pg8000\n").encode()
    files[f"{info}/WHEEL"] = (b"Wheel-Version: 1.0\nGenerator: bed\n"
                              b"Root-Is-Purelib: true\nTag: py3-none-any\n")
    files[f"{info}/entry_points.txt"] = (
        b"[console_scripts]\nletta = letta.main:main\n")
    record = f"{info}/RECORD"
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        lines.append(f"{name},sha256={digest.decode().rstrip('=')},"
                     f"{len(data)}\n")
    files[record] = ("".join(lines) + f"{record},,\n").encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()
