"""Waiting for a condition, never for a time."""

import itertools
import os
import socket
import time

from bed.paths import BedError

POLL_S = 0.05

#: Ports to give, another first one for each process.
PORTS = range(20000, 32000)
ports = itertools.cycle(itertools.chain(
    PORTS[os.getpid() * 37 % len(PORTS):],
    PORTS[:os.getpid() * 37 % len(PORTS)]))


def wait_for(what, test, timeout_s=60.0, alive=None):
    """Return the first true result of test(); OSError counts as not yet.

    what       words for the error message
    alive      if given, waiting ends early once it returns false
    """
    end = time.monotonic() + timeout_s
    last = None
    while True:
        try:
            result = test()
            if result:
                return result
        except OSError as e:
            last = e
        if alive is not None and not alive():
            raise BedError(f"{what}: ended before it was ready")
        if time.monotonic() > end:
            raise BedError(f"{what}: not within {timeout_s:g} s ({last})")
        time.sleep(POLL_S)


def accepts(address, port):
    """True if a TCP connection is accepted."""
    with socket.create_connection((address, port), timeout=2):
        return True


def free_port(address="127.0.0.1"):
    """Return a TCP port of this machine that nothing listens on now.

    It lies below the range from which the kernel takes ports for outgoing
    connections, so that none of those can have it before it is bound, and
    each port is given once.
    """
    while True:
        port = next(ports)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError:
                continue
            return port
