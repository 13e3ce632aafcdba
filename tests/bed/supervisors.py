"""What keeps workers running on the bed's hosts: the real programs.

systemd is on bed.machine.Machine alone.
"""

import signal
import threading
from pathlib import Path

from bed.paths import BedError
from bed.wait import wait_for

#: As fast as this cron's clock runs; what it starts sees the real time.
CRON_SPEED = 40


def quick_clock():
    """Return the environment of a program whose clock runs CRON_SPEED fast.

    Not faketime(1), which stays between us and the program.
    """
    found = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise BedError("libfaketime is not there: run scripts/setup bed")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"+0 x{CRON_SPEED}"}


class Cron:
    """The real cron, with the host's own crontabs and a quick clock."""

    def __init__(self, host):
        self.host = host
        # Not the jobs of the machine whose /etc this host started from.
        host.run(["sh", "-c", "rm -f /etc/cron.d/* /run/crond.pid;"
                  " : >/etc/crontab"])
        host.path("/run/screen").mkdir(mode=0o1777, exist_ok=True)
        host.path("/run/screen").chmod(0o1777)
        self._process = host.spawn(
            ["cron", "-f"], env=quick_clock(),
            log=host.state_dir / f"{host.name}-cron.log")

    def set(self, *lines, user="root"):
        """Replace a user's crontab."""
        self.host.run(["crontab", "-u", user, "-"],
                      input="".join(f"{line}\n" for line in lines))

    def text(self, user="root"):
        return self.host.run(["crontab", "-u", user, "-l"],
                             check=False).stdout

    def alive(self):
        return self._process.alive()

    def wait_minutes(self, count=2):
        """Wait until cron has gone through so many of its minutes.

        For what must not happen: a line of the bed's own counts them.
        """
        mark = f"/tmp/cron-minutes-{threading.get_ident()}"
        self.host.run(["rm", "-f", mark])
        self.host.path("/etc/cron.d/bed").write_text(
            f"* * * * * root echo >>{mark}\n")
        try:
            wait_for("cron", lambda: len(self.host.path(mark).read_text())
                     >= count, alive=self.alive)
        finally:
            self.host.path("/etc/cron.d/bed").unlink()

    def stop(self):
        """End it; what it has started lives on, as it would."""
        self._process.stop(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Supervisord:
    """The real supervisord, with the host's own /etc/supervisor."""

    def __init__(self, host):
        self.host = host
        host.run(["sh", "-c", "rm -f /etc/supervisor/conf.d/*;"
                  " mkdir -p /var/log/supervisor"])
        self._process = host.spawn(
            ["supervisord", "-n", "-c", "/etc/supervisor/supervisord.conf"],
            log=host.state_dir / f"{host.name}-supervisord.log")
        wait_for("supervisord", lambda: self.ctl("pid").isdecimal(),
                 alive=self._process.alive)

    def ctl(self, *words):
        """Run supervisorctl; return what it said."""
        return self.host.run(["supervisorctl", *words],
                             check=False).stdout.strip()

    def set(self, name, text):
        """Write a program's section and start it."""
        self.host.path(f"/etc/supervisor/conf.d/{name}.conf").write_text(text)
        self.ctl("update")

    def state(self, program):
        """Return RUNNING, STOPPED ..."""
        return (self.ctl("status", program).split() + ["", ""])[1]

    def stop(self):
        """End it and what it has started."""
        self._process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
