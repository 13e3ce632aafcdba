"""First process of a namespace of the bed.

usage: pid1.py LIFE_FD READY_FD, a JSON list of commands on standard input.

Runs the commands one after the other (mounts, mostly), writes "ready" or the
reason of a failure to READY_FD as JSON, then reaps what ends.  It exits when
LIFE_FD reaches its end of file, that is when the process that made the
namespace closed it or died in any way; the kernel then kills all that runs
in the namespace and drops its mounts and links.

Started with `python3 -I -S`, hence no import from the package.
"""

import json
import os
import select
import signal
import subprocess
import sys


def set_up(commands):
    """Run the commands; return "ready", or what went wrong."""
    for argv in commands:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            return f"{' '.join(argv)}: {done.stdout.strip()}"
    return "ready"


def reap():
    """Collect every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def main():
    life, ready = int(sys.argv[1]), int(sys.argv[2])
    result = set_up(json.load(sys.stdin))
    os.write(ready, json.dumps(result).encode() + b"\n")
    os.close(ready)
    if result != "ready":
        return 1
    # A signal that has a handler wakes select through this pipe.
    wake, woken = os.pipe()
    for fd in (wake, woken):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([life, wake], [], [])
        if life in readable:
            return 0
        os.read(wake, 4096)
        reap()


if __name__ == "__main__":
    sys.exit(main())
