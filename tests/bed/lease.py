"""Numbers that keep the beds of one machine apart."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from bed.paths import BedError

LOCKS = Path("/run/lock")

#: How the folders begin that a bed makes for itself.
STATE_PREFIX = "sanctum-bed-"


class Lease:
    """A bed's number, 0 to 99, held as long as its file is open.

    The kernel gives a dead process's lock back, so a bed that was killed
    blocks nobody.
    """

    def __init__(self, wanted=None):
        numbers = range(100) if wanted is None else [wanted]
        for number in numbers:
            if self._take(number):
                self.number = number
                return
        raise BedError(f"no free bed number among {list(numbers)}")

    def _take(self, number):
        LOCKS.mkdir(parents=True, exist_ok=True)
        path = LOCKS / f"sanctum-bed-{number}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed it in between.
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                self._fd, self._path = fd, path
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
        return False

    def addresses(self, slot):
        """Return (this machine's, the host's) address of link `slot`."""
        base = f"10.99.{self.number}."
        return f"{base}{4 * slot + 1}", f"{base}{4 * slot + 2}"

    def link(self, name):
        """Return the name of this machine's end of a link."""
        return f"bed{self.number}-{name}"

    def note(self, folder):
        """Remember a folder that is to go if this bed is killed."""
        os.pwrite(self._fd, str(folder).encode(), 0)

    def sweep(self):
        """Remove what a killed bed of this number may have left."""
        prefix = self.link("")
        for entry in Path("/sys/class/net").iterdir():
            if entry.name.startswith(prefix):
                subprocess.run(["ip", "link", "del", entry.name],
                               capture_output=True)
        left = Path(os.pread(self._fd, 4096, 0).decode())
        if left.name.startswith(STATE_PREFIX):
            shutil.rmtree(left, ignore_errors=True)
        os.ftruncate(self._fd, 0)

    def release(self):
        if self._fd is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = None
