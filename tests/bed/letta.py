"""Real Letta servers, each with a PostgreSQL of its own."""

import json
from pathlib import Path

from bed.http import HttpError, call
from bed.paths import (BedError, INSIDE_CACHE, INSIDE_STATE, INSIDE_TESTS,
                       need_cache)
from bed.postgres import Postgres
from bed.space import Space, common_mounts
from bed.wait import free_port, wait_for

DEFAULT_VERSION = "0.16.2"
STUB_PORT = 15999

#: Reads a health answer from inside a host, where this process is not.
_GET = ("import sys, urllib.request as u;"
        "sys.stdout.write(u.urlopen(sys.argv[1], timeout=2).read().decode())")


class LettaServer:
    """A Letta server on 127.0.0.1:`port`.

    version    a version that the cache holds
    port       0 takes a free one
    password   if given the server wants it as bearer token
    state_dir  folder for logs and, outside a host, for the database; the
               latter survives stop() and start()
    in_host    a bed.hosts.Host: then the server runs on it, its database
               lives as long as the host, and only the host reaches it
    stub_port  where the language model stand-in listens on the loopback
               address that the server sees
    """

    def __init__(self, version=DEFAULT_VERSION, port=0, password=None, *,
                 state_dir, in_host=None, stub_port=STUB_PORT, name="letta"):
        need_cache(f"letta-{version}")
        self.version, self.password = version, password
        self.stub_port, self.name, self.host = stub_port, name, in_host
        self.port = port or free_port()
        self.state_dir = Path(state_dir)
        self.log = self.state_dir / f"{name}.log"
        self._own_space = self._space = self._db = self._process = None
        self._pg_port = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, fresh_schema=False, timeout_s=240):
        """Start and wait until it is healthy; returns self.

        fresh_schema   build the database instead of copying the prepared
                       one; for the preparation itself
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._enter_space()
        self._start_database(fresh_schema)
        self._process = self._space.spawn(
            # Not bin/letta itself, which names where it was installed.
            [self._venv / "bin/python", self._venv / "bin/letta", "server",
             "--host", "127.0.0.1", "--port", str(self.port),
             *(["--secure"] if self.password else [])],
            cwd=str(self._inside), env=self._environment(), log=self.log)
        wait_for(f"Letta {self.version} ({self.log})", self.is_healthy,
                 timeout_s, alive=self._process.alive)
        return self

    def stop(self):
        """Stop server and database; the data stays."""
        self.stop_api()
        if self._db is not None:
            self._db.stop()
            self._db = None
        if self._own_space is not None:
            self._own_space.close()
            self._own_space = None
        self._space = None

    def stop_api(self):
        """Stop the server alone."""
        if self._process is not None:
            self._process.stop(timeout_s=5)
            self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def is_healthy(self):
        """True if the health route answers with this version."""
        url = f"{self.url}/v1/health/"
        if self.host is None:
            found = call("GET", url, timeout_s=2)
        else:
            done = self._space.run(["/usr/bin/python3", "-I", "-c", _GET,
                                    url], check=False)
            if done.returncode != 0:
                return False
            found = json.loads(done.stdout)
        if found.get("version") != self.version:
            raise BedError(f"{url} is Letta {found.get('version')}")
        return True

    def call(self, method, path, body=None, **kw):
        """Make a request to the API; only for a server outside a host."""
        if self.host is not None:
            raise BedError(f"{self.name} is on a host: go through its edge")
        return call(method, self.url + path, body, token=self.password, **kw)

    def exists(self, path):
        """True if GET path does not answer 404."""
        try:
            self.call("GET", path)
        except HttpError as e:
            if e.status != 404:
                raise
            return False
        return True

    @property
    def _inside(self):
        return INSIDE_STATE / self.name

    @property
    def _venv(self):
        return INSIDE_CACHE / f"letta-{self.version}"

    def _enter_space(self):
        if self.host is not None:
            self._space = self.host.space
        else:
            self._own_space = self._space = Space(
                self.name, common_mounts() + [
                    ["mkdir", "-p", str(INSIDE_STATE)],
                    ["mount", "--bind", str(self.state_dir),
                     str(INSIDE_STATE)],
                    # The database's user must get through to its folder.
                    ["chmod", "711", str(INSIDE_STATE)]])
        self._space.run(["mkdir", "-p", str(self._inside)])

    def _start_database(self, fresh_schema):
        if self._pg_port is None:
            self._pg_port = free_port()
        data = self._inside / "pg"
        self._db = Postgres(self._space, data, self._pg_port,
                            self.state_dir / f"{self.name}-postgres.log")
        there = self._space.path(data / "PG_VERSION").exists()
        if not there and not fresh_schema:
            need_cache(f"template-{self.version}")
            self._space.run(["cp", "-a", str(
                INSIDE_CACHE / f"template-{self.version}" / "pg"),
                str(data)])
        elif not there:
            self._db.create()
        self._db.start()
        if fresh_schema and not there:
            self.alter_schema("create")

    def alter_schema(self, what):
        """Run bed/schema.py on the database; for its preparation only."""
        # -P: this package's letta.py must not hide the real one.
        self._space.run([self._venv / "bin/python", "-P",
                         INSIDE_TESTS / "bed" / "schema.py", what,
                         self._db.uri.split("?")[0]],
                        cwd=str(self._inside), env=self._environment())

    def _environment(self):
        stub = f"http://127.0.0.1:{self.stub_port}/v1"
        env = {
            "HOME": str(self._inside),
            "LETTA_DIR": str(self._inside / "dot-letta"),
            "LETTA_PG_URI": self._db.uri,
            "LETTA_USE_UVLOOP": "true",
            "LETTA_DISABLE_TRACING": "true",
            "LETTA_POLL_RUNNING_LLM_BATCHES": "false",
            "OPENAI_API_KEY": "stand-in",
            "OPENAI_API_BASE": stub,
            "OPENAI_BASE_URL": stub,
            "DD_TRACE_ENABLED": "false",
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "OTEL_SDK_DISABLED": "true",
            "HF_HUB_OFFLINE": "1",
            "NO_PROXY": "*",
            # Less work for the same answers; see bed/letta_python as well.
            # Since 0.16 each request opens a database connection of its own
            # unless told to keep some, and PostgreSQL then works as much as
            # the server does.  Each embedding makes a TLS context: a folder
            # of certificates is read when one is needed, a file at once.
            "LETTA_DISABLE_SQLALCHEMY_POOLING": "false",
            "SSL_CERT_DIR": "/etc/ssl/certs",
            "PYTHONPATH": str(INSIDE_TESTS / "bed" / "letta_python"),
        }
        if self.password:
            env["LETTA_SERVER_PASSWORD"] = self.password
        return env
