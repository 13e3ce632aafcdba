"""The move of a worker that runs, to be disturbed and finished.

    move = Disturbed(bed, live, folder)
    with move.start() as running:
        move.wait_step(running, "freeze")
        ...
    move.finish()

Users write at a rate from the beginning to the end.
"""

import os
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

from bed import jobs, state
from bed.channel import Chatter
from bed.paths import BedError, TOP
from bed.wait import wait_for
from bed.worker import manifest

PATIENCE_S = 120
RATE = 5
FENCED = ".sanctumctl-fenced-"

#: What a move leaves behind or changes, by name at any depth.
NOT_CARRIED = {".env", "run", "logs", "venv", "__pycache__", "sanctum.db",
               "sanctum.db-journal", "sanctum.db-wal", "sanctum.db-shm"}

Ended = namedtuple("Ended", "rc said")


def program(variable, folder):
    """Return a built program's path; a missing one is a failed test."""
    path = Path(os.environ.get(variable) or
                TOP / f"build/{folder}/sanctumctl").resolve()
    assert path.is_file(), f"{path} is not built; {variable} may name another"
    return path


def carried(worker):
    """{path: what it is} of what is the same on both hosts."""
    return {name.replace(FENCED, ""): what
            for name, what in manifest(worker.broca).items()
            if not NOT_CARRIED & set(Path(name).parts)
            # A directory's own time changes with what lies beside.
            and "main.py" not in name and len(what) > 1}


class Disturbed:
    """One move and its users.

    keys   further keys of [worker]
    """

    def __init__(self, bed, live, folder, **keys):
        self.live, self.moved = live, live.at(bed.dst)
        self.job = jobs.live_job(folder / "job.conf", bed, live, **{
            "trees": "broca", "stop_wait": 2, **keys})
        self.folder = folder
        self.chatter = Chatter(live.channel, live.token, live.senders[0],
                               RATE)
        self.extra = []        # numbers that the chatter has not written
        self._meddlers = []

    def meddle(self, pause_s=0):
        """Let files of the tree change; returns the Meddler."""
        self._meddlers.append(Meddler(self.live.broca, pause_s))
        return self._meddlers[-1]

    def end_users(self):
        for one in (self.chatter, *self._meddlers):
            one.stop()

    def words(self, path, *words):
        return [path, "--state", self.folder / "state", *words, self.job]

    def run(self, *words, path=None, **env):
        """Run the program to its end."""
        done = subprocess.run(
            self.words(path or program("SANCTUMCTL", "plain"), *words),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S,
            env={**jobs.environment(), **env})
        return Ended(done.returncode, done.stdout)

    def start(self):
        """Start an `apply'; its steps are told at once."""
        return subprocess.Popen(
            self.words(program("SANCTUMCTL", "plain"), "apply"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=jobs.environment())

    def wait_step(self, running, word):
        """Wait until a step of this name begins; returns what was said."""
        said = ""
        for line in running.stderr:
            said += line
            if line.rstrip().endswith(f".{word} ..."):
                return said
        raise AssertionError(f"no step {word}: {said}")

    def end(self, running):
        """Wait for its end."""
        said = running.communicate(timeout=PATIENCE_S)[1]
        return Ended(running.returncode, said)

    def works_at_source(self, cron):
        """As before the move: its supervisor, its process, its answers."""
        assert cron.text() == f"{self.live.crontab_line}\n"
        wait_for("source", self.live.processes, 30)
        assert not self.moved.processes()
        said = self.live.say()
        self.extra += said
        self.live.wait_answered(said)

    def finish(self, lost=0):
        """The same command once more, and what must be true then.

        lost   how many answers a kill of the worker may have kept back
        """
        done = self.run("apply")
        assert done.rc == 0, done.said
        self.has_moved(lost)

    def has_moved(self, lost=0):
        assert self.moved.processes() and not self.live.processes()
        numbers = self.extra + self.chatter.stop() + self.moved.say(2)
        try:
            wait_for("all rows to be completed",
                     lambda: self.completed(numbers), 30)
        except BedError as e:
            raise AssertionError(f"{e}: {self.moved.rows()}") from e
        sent = self.live.channel.answers()
        if not lost:
            self.moved.wait_answered(numbers)
        unsent = [n for n in numbers if not sent[n]] if lost else []
        assert len(unsent) <= lost, unsent
        self.moved.check(numbers, conflicts=0, undelivered=unsent)
        other = state.differences(carried(self.live), carried(self.moved))
        assert not other, other
        seen = self.run("verify")
        assert seen.rc == 0, seen.said

    def completed(self, numbers):
        rows = self.moved.rows()
        return all(n in rows and rows[n]["status"] == "completed"
                   for n in numbers)


class Meddler:
    """Somebody who changes files of a tree without a pause, until stop().

    One file grows, one comes and goes, one is a symlink at times.

    pause_s   between two rounds
    """

    def __init__(self, folder, pause_s=0):
        self.grows = folder / "grows.txt"
        self.flits = folder / "flits.txt"
        self.swaps = folder / "swaps.txt"
        self._end, self._pause_s = threading.Event(), pause_s
        self._put(self.flits)
        self._put(self.swaps)
        self.grows.write_text("it grows")
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    @staticmethod
    def _put(path):
        path.write_text("a file\n" * 20_000)

    def _go(self):
        while not self._end.wait(self._pause_s):
            with self.grows.open("a") as f:
                f.write("more\n" * 1000)
            self.flits.unlink()
            other = self.swaps.with_suffix(".link")
            other.symlink_to("settings.json")
            os.rename(other, self.swaps)
            self._put(self.flits)
            self.swaps.unlink()
            self._put(self.swaps)

    def stop(self):
        self._end.set()
        self._thread.join()
