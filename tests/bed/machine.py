"""A host whose first process is systemd, for tests of units.

The tree is Debian's own (scripts/setup bed made it), under an overlay in
memory, and systemd-nspawn boots it in the network of a namespace of the bed.
It is reached by SSH as every host of the bed is.
"""

import os
import signal
from pathlib import Path

from bed.hosts import Host, KEY_TYPES, SSHD_CONFIG
from bed.paths import INSIDE_TESTS, need_cache
from bed.space import Space, child_of, common_mounts
from bed.wait import wait_for

CGROUPS = Path("/sys/fs/cgroup")

#: Two machines must not share a control group: make one, enter it, go on.
JOIN = """\
for top in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
	[ -e "$top/cgroup.procs" ] || continue
	mkdir -p "$top/$0" && echo $$ >"$top/$0/cgroup.procs" || exit 1
done
exec "$@"
"""

TREE, UPPER, WORK = "/mnt/own/tree", "/mnt/own/upper", "/mnt/own/work"


def remove_groups(name):
    """Remove what a machine leaves of its control groups, all empty."""
    for top in (CGROUPS / "systemd", CGROUPS / "unified", CGROUPS):
        for folder, _, _ in os.walk(top / name, topdown=False):
            os.rmdir(folder)


class Booted(Space):
    """The inside of a machine; before its boot only path() is of use."""

    def __init__(self, outer):
        self.name, self.outer, self.pid = outer.name, outer, None
        # Its own of all but the network, which is the outer space's.
        self._flags = ["-m", "-p", "-n", "-u", "-i"]

    def path(self, inside):
        if self.pid is None:
            return self.outer.path(TREE) / str(inside).lstrip("/")
        return super().path(inside)

    def alive(self):
        return self.outer.alive()

    def close(self):
        self.outer.close()


class Machine(Host):
    """One machine, up from start() to stop()."""

    _nspawn = None
    #: Further words for systemd-nspawn.
    _more = ()

    def start(self):
        need_cache("machine")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        outer = Space(self.name, common_mounts() + [
            ["hostname", self.name],
            ["ip", "link", "set", "lo", "up"],
            ["mkdir", "-p", TREE, UPPER, WORK],
            ["mount", "-t", "overlay", "-o", "lowerdir=/mnt/bed/cache/machine"
             f"/root,upperdir={UPPER},workdir={WORK}", "overlay", TREE],
        ], kinds=("net", "uts"))
        self.space = Booted(outer)
        self._connect_outer(outer)
        self._prepare(outer)
        self._authorize()
        self.make_host_keys()
        self.write_known_hosts()
        self._configure()
        self._boot(outer)
        return self

    def stop(self):
        if self.space is not None:
            if self._nspawn is not None:
                self._nspawn.stop(signal.SIGTERM, timeout_s=15)
            self.space.close()
            self.space = self._nspawn = None
            remove_groups(self.link)

    def _prepare(self, outer):
        """Change the tree before anything else does; here as it is."""

    def _connect_outer(self, outer):
        booted, self.space = self.space, outer
        self._connect()
        self.space = booted

    def _configure(self):
        keys = "\n".join(f"HostKey {self.key_path(t)}" for t in KEY_TYPES)
        self.path("/etc/ssh/sshd_config").write_text(
            SSHD_CONFIG.format(port=self.port, host_keys=keys))
        self.path("/etc/hostname").write_text(f"{self.name}\n")
        self.path("/etc/hosts").write_text(
            f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")

    def _boot(self, outer):
        remove_groups(self.link)
        self._nspawn = outer.spawn(
            ["sh", "-c", JOIN, self.link, "systemd-nspawn", "-q",
             "--register=no", "--keep-unit", "--boot", *self._more,
             "--console=pipe",
             # Two beds of one machine may each have one.
             f"--machine={self.link}", f"--hostname={self.name}",
             "--resolv-conf=off", f"--bind-ro={INSIDE_TESTS}",
             "-D", TREE], log=self.log)
        wait_for(f"sshd of {self.name} ({self.log})",
                 lambda: self.ssh("true", check=False).returncode == 0,
                 alive=self._nspawn.alive)
        # Not before: its first child is one that makes the next and ends.
        self.space.pid = child_of(self._nspawn.pid)
        self.run(["systemctl", "is-system-running", "--wait"])

    # systemd

    def start_sshd(self):
        self.run(["systemctl", "start", "ssh"])

    def stop_sshd(self):
        self.run(["systemctl", "stop", "ssh"])

    def systemctl(self, *words, user=None, check=True):
        """Run systemctl, of the system or of a user of add_user()."""
        argv = ["systemctl", *words]
        if user is not None:
            argv = ["runuser", "-u", user, "--", "env",
                    f"XDG_RUNTIME_DIR={self._runtime(user)}", "systemctl",
                    "--user", *words]
        return self.run(argv, check=check).stdout.strip()

    def add_user(self, name):
        """Make a user whose own systemd runs without a login."""
        self.run(["useradd", "-m", name])
        self.run(["loginctl", "enable-linger", name])
        wait_for(f"systemd of {name}", lambda: self.systemctl(
            "is-system-running", user=name, check=False) == "running")

    def _runtime(self, user):
        return "/run/user/" + self.run(["id", "-u", user]).stdout.strip()

    def _units(self, user):
        return (f"/home/{user}/.config/systemd/user" if user
                else "/etc/systemd/system")

    def unit(self, name, text, user=None):
        """Write a unit of the system's or a user's, enable and start it."""
        folder = self._units(user)
        self.run(["install", "-d", *(["-o", user] if user else []), folder])
        self.path(f"{folder}/{name}").write_text(text)
        self.systemctl("daemon-reload", user=user)
        if user:
            self.run(["chown", "-R", user, f"/home/{user}/.config"])
        self.systemctl("enable", "-q", "--now", name, user=user)

    def unit_state(self, name, user=None):
        """Return (is-active, is-enabled) of a unit, as systemctl says."""
        return tuple(self.systemctl(word, name, user=user, check=False)
                     for word in ("is-active", "is-enabled"))

    def remove_unit(self, name, user=None):
        self.systemctl("disable", "-q", "--now", name, user=user,
                       check=False)
        self.run(["rm", "-rf", f"{self._units(user)}/{name}",
                  f"{self._units(user)}/{name}.d",
                  f"/run/systemd/system/{name}.d"])
        self.systemctl("daemon-reload", user=user)
