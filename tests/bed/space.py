"""Linux namespaces in which the bed's servers and hosts run."""

import json
import os
import signal
import subprocess
from pathlib import Path

from bed.paths import (BedError, CACHE, INSIDE, INSIDE_CACHE, INSIDE_TESTS,
                       PYTHON, TESTS)
from bed.wait import wait_for

#: What a program in a namespace gets, and nothing of the caller's own.
ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "PYTHONPATH": str(INSIDE_TESTS),
    "PYTHONDONTWRITEBYTECODE": "1",
}


def common_mounts():
    """Commands that give a namespace its own /mnt, the cache and the tests.

    Run first: later ones may hide the folders that these two lie in.
    """
    return [
        ["mount", "-t", "tmpfs", "-o", "mode=755", "bed", "/mnt"],
        ["mkdir", "-p", str(INSIDE_CACHE), str(INSIDE_TESTS)],
        ["mount", "--bind", str(CACHE), str(INSIDE_CACHE)],
        ["mount", "--bind", str(TESTS), str(INSIDE_TESTS)],
        ["mount", "-o", "remount,bind,ro", str(INSIDE_TESTS)],
        ["chmod", "755", str(INSIDE)],
    ]


def child_of(pid):
    """Return the pid of the only child of a process, or None."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return None
    return int(text.split()[0]) if text.split() else None


class Process:
    """A program started in a space; `pid` is as this machine counts."""

    def __init__(self, entered):
        self._entered = entered
        # nsenter stays outside and waits for the program: find the latter.
        self.pid = wait_for("start of a program",
                            lambda: child_of(entered.pid) or
                            entered.poll() is not None)
        self.stdout = entered.stdout

    def alive(self):
        return self._entered.poll() is None

    def send(self, signo):
        """Send a signal to the program, if it still runs."""
        if self.alive() and self.pid is not True:
            try:
                os.kill(self.pid, signo)
            except ProcessLookupError:
                pass

    def wait(self, timeout_s=30):
        """Wait for the end; return the exit status."""
        return self._entered.wait(timeout_s)

    def stop(self, signo=signal.SIGTERM, timeout_s=20):
        """Signal, wait, and kill only what does not go by itself."""
        self.send(signo)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self.wait()


class Space:
    """Mount and process namespaces (and more) that end with this process.

    name      for messages, and the host name if `uts` is among `kinds`
    commands  run inside, as root, before anything else: mounts
    kinds     further namespaces: "net", "uts"

    Nothing has a name outside, so a space that is gone leaves nothing.
    """

    def __init__(self, name, commands, kinds=()):
        self.name = name
        letters = {"net": "-n", "uts": "-u"}
        self._flags = ["-m", "-p", *(letters[k] for k in kinds)]
        self._start(commands)

    def _start(self, commands):
        life_in, self._life = os.pipe()
        ready, ready_in = os.pipe()
        self._outer = subprocess.Popen(
            ["unshare", *self._flags, "--fork", "--kill-child",
             "--mount-proc", PYTHON, "-I", "-S",
             str(Path(__file__).with_name("pid1.py")),
             str(life_in), str(ready_in)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            env=ENV, pass_fds=(life_in, ready_in), text=True,
            start_new_session=True)
        os.close(life_in)
        os.close(ready_in)
        try:
            self._outer.stdin.write(json.dumps(commands))
            self._outer.stdin.close()
        except BrokenPipeError:
            pass
        with os.fdopen(ready) as f:
            # One line: unshare, too, keeps the other end open.
            result = json.loads(f.readline() or '""')
        if result != "ready":
            self._outer.wait(10)
            said = result or self._outer.stderr.read().strip()
            os.close(self._life)
            raise BedError(
                f"{self.name}: this machine refused a namespace with its "
                f"own mounts and /proc: {said}")
        self.pid = wait_for(f"{self.name}: first process",
                            lambda: child_of(self._outer.pid))

    def _enter(self, argv, user, cwd):
        into = ["nsenter", "-t", str(self.pid), *self._flags,
                f"--wdns={cwd}"]
        if user is not None:
            into += ["setpriv", f"--reuid={user}", f"--regid={user}",
                     "--clear-groups"]
        return into + ["--"] + [str(a) for a in argv]

    def run(self, argv, *, check=True, user=None, cwd="/", env=None,
            timeout_s=120, **kw):
        """Run a program to its end; return subprocess.CompletedProcess.

        Text in and out; raises BedError with its output if it fails and
        `check` is true.
        """
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        if "input" not in kw:
            kw.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(self._enter(argv, user, cwd), text=True,
                              env={**ENV, **(env or {})}, timeout=timeout_s,
                              **kw)
        if check and done.returncode != 0:
            raise BedError(f"{self.name}: {' '.join(map(str, argv))}: exit "
                           f"{done.returncode}: {done.stdout}{done.stderr}")
        return done

    def spawn(self, argv, *, user=None, cwd="/", env=None, log=None, **kw):
        """Start a program and return at once with a Process.

        log   path, as this machine sees it, that takes its output
        """
        out = open(log, "ab") if log else subprocess.DEVNULL
        try:
            kw.setdefault("stdout", out)
            kw.setdefault("stderr", out)
            kw.setdefault("stdin", subprocess.DEVNULL)
            return Process(subprocess.Popen(
                self._enter(argv, user, cwd), env={**ENV, **(env or {})},
                start_new_session=True, **kw))
        finally:
            if log:
                out.close()

    def path(self, inside):
        """Return the path by which this machine reaches a path inside."""
        return Path(f"/proc/{self.pid}/root") / str(inside).lstrip("/")

    def alive(self):
        return self._outer.poll() is None

    def close(self):
        """End everything in the space and wait until it is gone."""
        if self._life is None:
            return
        os.close(self._life)
        self._life = None
        try:
            self._outer.wait(10)
        except subprocess.TimeoutExpired:
            self._outer.kill()
            self._outer.wait()
        self._outer.stderr.close()
