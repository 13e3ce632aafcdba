"""One address for everybody: a port of this machine on hosts' loopback.

What listens on 127.0.0.1:PORT here is to be reached under that address on
the hosts too, so that one URL in a job, in a .env and in a test means the
same server.  A socket belongs to the network that its thread was in when it
was made, so the listening end is made there and served from here.
"""

import ctypes
import os
import select
import socket
import threading

from bed.paths import BedError
from bed.wait import free_port

CLONE_NEWNET = 0x40000000


def enter_network(host):
    """Put this thread, which is to end after it, into a host's network."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{host.space.pid}/ns/net", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise BedError(f"network of {host.name}: "
                           + os.strerror(ctypes.get_errno()))


def listener(port, host=None, address="127.0.0.1"):
    """Return a socket that listens on a port, here or on a host."""
    if host is None:
        return _listen(address, port)
    made = []

    def enter():
        try:
            enter_network(host)
            made.append(_listen(address, port))
        except OSError as e:
            made.append(BedError(f"{host.name}, {address}:{port}: {e}"))
        except BedError as e:
            made.append(e)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if isinstance(made[0], BedError):
        raise made[0]
    return made[0]


def _listen(address, port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(128)
    return made


def serve(server, port, hosts):
    """Serve an http.server on a port here and on the hosts; see stop().

    Returns what stop() takes.  The server must be made without a bind of
    its own (bind_and_activate=False); each of its requests gets a thread.
    """
    sockets = [listener(port)] + [listener(port, h) for h in hosts]
    for one in sockets:
        threading.Thread(target=_accept, daemon=True,
                         args=(one, server.process_request)).start()
    return sockets


class Forward:
    """A port of this machine's loopback on the loopback of hosts."""

    def __init__(self, port, hosts):
        self.port = port
        self._sockets = [listener(port, h) for h in hosts]
        for one in self._sockets:
            threading.Thread(target=_accept, daemon=True,
                             args=(one, self._connect)).start()

    def _connect(self, near, _):
        threading.Thread(target=self._carry, args=(near,),
                         daemon=True).start()

    def _far(self):
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def _carry(self, near):
        try:
            far = self._far()
        except OSError:
            near.close()
            return
        with near, far:
            far.settimeout(None)
            other = {near: far, far: near}
            while other:
                for one in select.select(list(other), [], [])[0]:
                    try:
                        data = one.recv(65536)
                        other[one].sendall(data)
                    except (OSError, KeyError):
                        return
                    if not data:
                        return

    def stop(self):
        stop(self._sockets)


class Reach(Forward):
    """A port of a host's loopback, on this machine's under another one.

    near   the port here
    """

    def __init__(self, host, port):
        self.host, self.near = host, free_port()
        self.port, self._sockets = port, [listener(self.near)]
        threading.Thread(target=_accept, daemon=True,
                         args=(self._sockets[0], self._connect)).start()

    def _far(self):
        # The thread of this one connection, and of nothing else.
        enter_network(self.host)
        return super()._far()


def _accept(listening, take):
    while True:
        try:
            take(*listening.accept())
        except OSError:
            return


def stop(sockets):
    """Listen no more; what is connected stays."""
    for one in sockets:
        # close() alone leaves an accept() that waits.
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
