"""The whole bed: hosts, Letta servers, certificate authority, stand-ins."""

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from bed.acme import Acme
from bed.bare_machine import BareMachine
from bed.hosts import Host, make_client_key, need_programs
from bed.lease import STATE_PREFIX, Lease
from bed.letta import DEFAULT_VERSION, LettaServer
from bed.machine import Machine
from bed.paths import BedError, INSIDE_STATE
from bed.slowline import SlowLine
from bed.space import Space, common_mounts
from bed.stub import start_stub

#: Parts that a caller may choose, and what each of them needs besides.
PARTS = {"hosts": (), "source": (), "second": (), "target": ("hosts",),
         "acme": ("hosts",), "slow": ("hosts",), "machine": (), "bare": ()}
DEFAULT_PARTS = ("hosts", "source", "target", "acme")

SITE = "sanctum.internal"
TARGET_PORT = 18283
TARGET_PASSWORD = "bed-target-password"
SLOTS = {"src": 0, "dst": 1, "slow-src": 2, "slow-dst": 3, "machine": 4,
         "bare": 5, "slow-bare": 6, "own": 7}


class Bed:
    """Brings the chosen parts up on entry and all of them down on exit.

    parts      of PARTS; what is not chosen stays None until need() asks
    state_dir  keys and logs; kept if given, otherwise made anew and removed
               by down(); stays to be read if the bed did not come up
    number     0 to 99 to choose the addresses, by default a free one

    src, dst   bed.hosts.Host
    machine    bed.machine.Machine, which has systemd
    bare       bed.bare_machine.BareMachine, which has little else and reaches registries
    source     bed.letta.LettaServer on this machine, without a password
    second     the same, with TARGET_PASSWORD: a target within easy reach
    target     one on dst, with TARGET_PASSWORD, reached by dst alone
    lettas()   servers of any versions, as second is
    slow_lines bed.slowline.SlowLine by the host's name
    acme       bed.acme.Acme, for which the name `site` is dst's address
    stub_port  of the model's stand-in, on both loopback addresses
    """

    def __init__(self, parts=DEFAULT_PARTS, *, state_dir=None, number=None,
                 version=DEFAULT_VERSION, target_version=None,
                 bad_nonces=0, rtt_ms=40):
        self._first_parts, self._there = tuple(parts), set()
        self.version = version
        self.target_version = target_version or version
        self.bad_nonces, self.rtt_ms = bad_nonces, rtt_ms
        self.site = SITE
        self._wanted_dir, self._number = state_dir, number
        self._stops, self._lettas = [], {}
        self.slow_lines = {}
        self.src = self.dst = self.machine = self.bare = None
        self.source = self.second = self.target = self.acme = None
        self.space = self.client_key = self.state_dir = None

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    def up(self):
        """Bring everything up; on failure take down what was up."""
        if os.geteuid() != 0:
            raise BedError("the bed needs root, for its namespaces")
        need_programs()
        try:
            self._start_common()
            self.need(*self._first_parts)
        except BaseException:
            self._take_down()
            raise
        return self

    def down(self):
        """End every part, newest first, and leave nothing behind."""
        self._take_down()
        if self._wanted_dir is None and self.state_dir is not None:
            shutil.rmtree(self.state_dir)
            self.state_dir = None

    def _take_down(self):
        while self._stops:
            self._stops.pop()()

    def need(self, *parts):
        """Bring up those of the parts that are not up yet; return self."""
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise BedError(f"no such parts: {sorted(unknown)}")
        wanted = set(parts).union(*(PARTS[p] for p in parts)) - self._there
        # Letta servers take seconds each: start them at the same time.
        servers = []
        for part in PARTS:
            if part in wanted:
                server = getattr(self, f"_start_{part}")()
                if server is not None:
                    servers.append(server)
        run_all([s.start for s in servers])
        self._there |= wanted
        return self

    def _start_common(self):
        self._lease = Lease(self._number)
        self._stops.append(self._lease.release)
        self._lease.sweep()
        self.number = self._lease.number
        self.stub_port = 15900 + self.number
        self._make_state_dir()
        self.space = Space("services", common_mounts() + [
            ["mkdir", "-p", str(INSIDE_STATE)],
            ["mount", "--bind", str(self.state_dir), str(INSIDE_STATE)]])
        self._stops.append(self.space.close)
        start_stub(self.space, self.stub_port, self.state_dir / "stub.log")

    def _make_state_dir(self):
        if self._wanted_dir is None:
            self.state_dir = Path(tempfile.mkdtemp(prefix=STATE_PREFIX))
            self._lease.note(self.state_dir)
        else:
            self.state_dir = Path(self._wanted_dir).resolve()
            self.state_dir.mkdir(parents=True, exist_ok=True)

    def _start_hosts(self):
        self.client_key = make_client_key(self.state_dir / "client_key")
        for name in ("src", "dst"):
            gateway, address = self._lease.addresses(SLOTS[name])
            host = Host(name, state_dir=self.state_dir, address=address,
                        gateway=gateway, link=self._lease.link(name),
                        client_key=self.client_key)
            self._stops.append(host.stop)
            setattr(self, name, host.start())

    def _start_machine(self):
        self.client_key = make_client_key(self.state_dir / "client_key")
        gateway, address = self._lease.addresses(SLOTS["machine"])
        self.machine = Machine(
            "machine", state_dir=self.state_dir, address=address,
            gateway=gateway, link=self._lease.link("unit"),
            client_key=self.client_key)
        self._stops.append(self.machine.stop)
        self.machine.start()

    def _start_bare(self):
        self.client_key = make_client_key(self.state_dir / "client_key")
        gateway, address = self._lease.addresses(SLOTS["bare"])
        self.bare = BareMachine(
            "bare", state_dir=self.state_dir, address=address,
            gateway=gateway, link=self._lease.link("bare"),
            client_key=self.client_key, services=self.space,
            number=self.number)
        self._stops.append(self.bare.stop)
        self.bare.start()

    @contextmanager
    def own_host(self, name):
        """A further host, on which nothing of the bed runs."""
        gateway, address = self._lease.addresses(SLOTS["own"])
        with Host(name, state_dir=self.state_dir, address=address,
                  gateway=gateway, link=self._lease.link(name),
                  client_key=make_client_key(
                      self.state_dir / "client_key")) as host:
            yield host

    def _start_acme(self):
        self.acme = self.new_acme(self.dst, bad_nonces=self.bad_nonces)

    def _start_slow(self):
        for host in (self.src, self.dst):
            self.slow_line(host)

    def slow_line(self, host):
        """Give a host of the bed a slow_address; return its SlowLine."""
        name = f"slow-{host.name}"
        gateway, address = self._lease.addresses(SLOTS[name])
        line = SlowLine(host, address=address, gateway=gateway,
                        link=self._lease.link(name), rtt_ms=self.rtt_ms)
        self._stops.append(line.stop)
        self.slow_lines[host.name] = line.start()
        return line

    def _start_source(self):
        self.source = self.new_server("source", start=False)
        return self.source

    def _start_second(self):
        self.second = self.new_server(
            "second", version=self.target_version,
            password=TARGET_PASSWORD, start=False)
        return self.second

    def _start_target(self):
        start_stub(self.dst.space, self.stub_port,
                   self.state_dir / "stub-dst.log")
        self.target = LettaServer(
            self.target_version, TARGET_PORT, TARGET_PASSWORD,
            state_dir=self.state_dir, in_host=self.dst,
            stub_port=self.stub_port, name="target")
        self._stops.append(self.target.stop)
        return self.target

    def lettas(self, *versions):
        """Return a server of each version, for the time of the bed.

        They are on this machine's loopback, with TARGET_PASSWORD, and are
        started, all at the same time, when they are first asked for.
        """
        new = [v for v in dict.fromkeys(versions) if v not in self._lettas]
        if self.target_version in new:
            self.need("second")
            self._lettas[self.target_version] = self.second
            new.remove(self.target_version)
        made = {v: self.new_server(f"letta-{v}", version=v, start=False,
                                   password=TARGET_PASSWORD) for v in new}
        run_all([server.start for server in made.values()])
        self._lettas.update(made)
        return [self._lettas[v] for v in versions]

    def letta(self, version):
        return self.lettas(version)[0]

    def new_acme(self, host, **habits):
        """Return an authority on the link of a host, which `site` is.

        One a link.  habits are those of bed.acme.Acme.
        """
        acme = Acme(self.space, address=host.gateway,
                    state_dir=self.state_dir, name=f"acme-{host.name}",
                    **habits)
        self._stops.append(acme.stop)
        acme.start()
        acme.set_address(self.site, host.address)
        return acme

    def new_server(self, name, *, version=None, password=None, start=True):
        """Return a further Letta server on this machine's loopback."""
        server = LettaServer(version or self.version, password=password,
                             state_dir=self.state_dir, name=name,
                             stub_port=self.stub_port)
        self._stops.append(server.stop)
        if start:
            server.start()
        return server


def run_all(calls):
    """Run calls at the same time; raise the first failure."""
    failures = []

    def guarded(one):
        try:
            one()
        except BaseException as e:  # handed to the caller below
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(c,)) for c in calls]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
