"""Machines that are reached over SSH: `src` and `dst` of a move.

A host is a real OpenSSH server in network, process, mount and UTS namespaces
of its own.  The programs are this machine's; what programs write is the
host's: /etc and /var are overlays, /root /home /opt /srv /run /tmp are
empty at first.  All of it is in memory and gone when the host goes down.
"""

import shutil
import subprocess
from pathlib import Path

from bed.paths import BedError, INSIDE_STATE
from bed.space import Space, common_mounts
from bed.wait import wait_for

KEY_TYPES = ("ed25519", "ecdsa", "rsa")
OVERLAID = ("etc", "var")
EMPTY = {"root": "700", "home": "755", "opt": "755", "srv": "755",
         "run": "755", "tmp": "1777"}

SSHD_CONFIG = """\
Port {port}
ListenAddress 0.0.0.0
{host_keys}
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserEnvironment no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100:30:200
LogLevel VERBOSE
Subsystem sftp /usr/lib/openssh/sftp-server
"""


def host_mounts(name):
    """Commands that give a namespace the host's own files."""
    own = "/mnt/own"
    commands = common_mounts() + [
        ["mkdir", "-p", str(INSIDE_STATE)],
        ["hostname", name],
        ["ip", "link", "set", "lo", "up"],
    ]
    for d in OVERLAID:
        upper, work = f"{own}/{d}", f"{own}/{d}.work"
        commands += [
            ["mkdir", "-p", upper, work],
            ["mount", "-t", "overlay", "-o", f"lowerdir=/{d},"
             f"upperdir={upper},workdir={work}", "overlay", f"/{d}"]]
    for d, mode in EMPTY.items():
        commands += [
            ["mkdir", "-p", f"{own}/{d}"],
            ["chmod", mode, f"{own}/{d}"],
            ["mount", "--bind", f"{own}/{d}", f"/{d}"]]
    # As a fresh machine: none of this one's identity, certificates or jobs.
    fresh = ("rm -rf /etc/letsencrypt /var/lib/letsencrypt /etc/ssh/ssh_host_*"
             " /etc/ssh/sshd_config.d/* /var/spool/cron/crontabs/*"
             " /var/log/nginx/* /var/log/letsencrypt;"
             f" mkdir -p /run/sshd /run/lock; echo {name} >/etc/hostname;"
             f" printf '127.0.0.1 localhost\\n127.0.1.1 {name}\\n'"
             " >/etc/hosts; : >/etc/resolv.conf.bed;"
             " mv /etc/resolv.conf.bed /etc/resolv.conf")
    return commands + [["sh", "-c", fresh]]


class Host:
    """One host, up from start() to stop().

    name       host name, "src" or "dst"
    state_dir  folder for keys and logs on this machine
    address    the host's address;  gateway   this machine's, on its link
    link       name of this machine's end of the link
    client_key path of the private key that may log in as root
    """

    port = 22
    user = "root"

    def __init__(self, name, *, state_dir, address, gateway, link,
                 client_key):
        self.name, self.address, self.gateway = name, address, gateway
        self.link, self.client_key = link, Path(client_key)
        self.slow_address = None
        self.state_dir = Path(state_dir)
        self.log = self.state_dir / f"{name}-sshd.log"
        self.known_hosts = self.state_dir / f"{name}-known_hosts"
        self.space = None
        self._sshd = None

    def start(self):
        """Bring the host up and wait until it takes a login; returns self."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.space = Space(self.name, host_mounts(self.name),
                           kinds=("net", "uts"))
        self._connect()
        self._authorize()
        self.make_host_keys()
        self.write_known_hosts()
        self.start_sshd()
        return self

    def stop(self):
        """End everything on the host, and the link.

        The kernel would take that away, too, but some time later, when the
        next host of the name may want it.
        """
        if self.space is not None:
            self.space.close()
            self.space = self._sshd = None
            subprocess.run(["ip", "link", "del", self.link],
                           capture_output=True, check=False)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # Files and programs on the host

    def path(self, inside):
        """Return the path by which this machine reaches a host's file.

        For open() and its like.  What resolves links by itself (SQLite,
        realpath, Path.resolve) leaves the host: see bed.database.
        """
        return self.space.path(inside)

    def run(self, argv, check=True, **kw):
        """Run a program on the host, not by way of SSH."""
        kw.setdefault("cwd", "/root")
        return self.space.run(argv, check=check, **kw)

    def spawn(self, argv, **kw):
        """Start a program on the host; returns a bed.space.Process."""
        kw.setdefault("cwd", "/root")
        kw.setdefault("log", self.state_dir / f"{self.name}-spawned.log")
        return self.space.spawn(argv, **kw)

    def ssh(self, *command, address=None, check=True, **kw):
        """Run a command over the real SSH connection, as a user would."""
        done = subprocess.run(
            ["ssh", "-F", "none", "-i", str(self.client_key),
             "-p", str(self.port), "-o", "BatchMode=yes",
             "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
             "-o", f"UserKnownHostsFile={self.known_hosts}",
             "-o", "GlobalKnownHostsFile=/dev/null", "-o",
             "ConnectTimeout=5", f"{self.user}@{address or self.address}",
             *command],
            text=True, capture_output=True, stdin=subprocess.DEVNULL,
            timeout=60, **kw)
        if check and done.returncode != 0:
            raise BedError(f"ssh {self.name}: {done.stderr}")
        return done

    def small_tmpfs(self, path, size="20m"):
        """Mount a file system of that size, so that it can be filled."""
        self.run(["mkdir", "-p", str(path)])
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small",
                  str(path)])

    # SSH server and its keys

    def start_sshd(self):
        keys = "\n".join(f"HostKey {self.key_path(t)}" for t in KEY_TYPES)
        self.path("/etc/ssh/sshd_config").write_text(
            SSHD_CONFIG.format(port=self.port, host_keys=keys))
        self._sshd = self.spawn(
            ["/usr/sbin/sshd", "-D", "-e"], log=self.log, cwd="/")
        wait_for(f"sshd of {self.name} ({self.log})",
                 lambda: self.ssh("true", check=False).returncode == 0,
                 alive=self._sshd.alive)

    def stop_sshd(self):
        """End the server that listens; open connections live on."""
        self._sshd.stop()

    def out_of_reach(self):
        """Break all connections, and take no new one until start_sshd()."""
        self.stop_sshd()
        self.cut()

    def cut(self):
        """Break all connections of the SSH server, whatever is on them."""
        for pid in self.run(["pgrep", "-x", "-f", "sshd: root@notty.*"],
                            check=False).stdout.split():
            self.run(["kill", "-KILL", pid], check=False)

    def change_host_key(self, types=KEY_TYPES):
        """Give the host new keys, as a reinstalled machine has.

        known_hosts keeps the old ones; write_known_hosts() renews it.
        """
        self.stop_sshd()
        self.make_host_keys(types)
        known = self.known_hosts.read_text()
        self.write_known_hosts()
        self.start_sshd()
        self.known_hosts.write_text(known)

    def key_path(self, key_type):
        return f"/etc/ssh/ssh_host_{key_type}_key"

    def make_host_keys(self, types=KEY_TYPES):
        for t in types:
            made = self.path(self.key_path(t))
            made.unlink(missing_ok=True)
            # 2048 bits are weak enough for a test to be quick.
            bits = ["-b", "2048"] if t == "rsa" else []
            subprocess.run(["ssh-keygen", "-q", "-t", t, *bits, "-N", "",
                            "-C", self.name, "-f", str(made)], check=True)

    def public_key(self, key_type="ed25519"):
        """Return "type base64" of a host key."""
        text = self.path(self.key_path(key_type) + ".pub").read_text()
        return " ".join(text.split()[:2])

    def fingerprint(self, key_type="ed25519"):
        """Return SHA256:... as ssh-keygen prints it."""
        done = subprocess.run(
            ["ssh-keygen", "-l", "-f",
             str(self.path(self.key_path(key_type) + ".pub"))],
            check=True, text=True, capture_output=True)
        return done.stdout.split()[1]

    def write_known_hosts(self, path=None, types=KEY_TYPES):
        """Write the host's keys of these types as a known_hosts file."""
        addresses = [a for a in (self.address, self.slow_address) if a]
        path = Path(path or self.known_hosts)
        path.write_text("".join(f"{a} {self.public_key(t)}\n"
                                for a in addresses for t in types))
        return path

    def _authorize(self):
        folder = self.path("/root/.ssh")
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        (folder / "authorized_keys").write_text(
            Path(f"{self.client_key}.pub").read_text())
        (folder / "authorized_keys").chmod(0o600)

    # Network

    def _connect(self):
        """A link between this machine and the host, by its process id."""
        ip("link", "add", self.link, "type", "veth",
           "peer", "name", "eth0", "netns", str(self.space.pid))
        ip("addr", "add", f"{self.gateway}/32", "peer", self.address,
           "dev", self.link)
        ip("link", "set", self.link, "up")
        self.run(["ip", "addr", "add", f"{self.address}/32", "peer",
                  self.gateway, "dev", "eth0"])
        self.run(["ip", "link", "set", "eth0", "up"])


def ip(*words):
    """Run ip(8) on this machine."""
    done = subprocess.run(["ip", *words], text=True, capture_output=True)
    if done.returncode != 0:
        raise BedError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def make_client_key(path):
    """Make a key pair without passphrase, unless it is there."""
    path = Path(path)
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                        "-C", "sanctum-bed", "-f", str(path)], check=True)
    return path


def need_programs():
    """Fail early, and say which program is not installed."""
    for name in ("/usr/sbin/sshd", "ssh", "ssh-keygen", "ip", "nsenter",
                 "unshare", "setpriv", "hostname"):
        if shutil.which(name) is None:
            raise BedError(f"{name} is not there: run scripts/setup bed")
