"""The machine of an operator whose Letta server is an old one.

    with OldHome(bed) as home:
        seed = home.seed()
        home.job("/root/home.conf")
        home.sanctumctl("plan", "/root/home.conf")

What runs there: PostgreSQL with two databases, Letta's and one that is none
of its business; the real old server, a program of the real supervisord.  uv
is the stand-in of bed.bare, for which the bed has installed the new version.
sanctumctl runs on the machine itself.
"""

import hashlib
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

from bed import bare, jobs, old_seed, output
from bed.bare import BIN, BareHost
from bed.http import call
from bed.loopback import Forward, Reach
from bed.paths import (BedError, INSIDE_CACHE, PYTHON, TOP, need_cache)
from bed.postgres import BIN as PG_BIN, Postgres
from bed.wait import wait_for

Result = namedtuple("Result", "rc out err")

PORT, PG_PORT = 8283, 5432
PG_DATA, FOLDER = "/srv/pg", "/srv/letta"
ENV_FILE, SUPERVISOR = "/etc/default/letta", "/etc/supervisor/conf.d/letta.conf"

#: Letta's database and the other one; roles and passwords of the first two.
DATABASE, FOREIGN = "letta", "books"
PASSWORD, ADMIN_PASSWORD = "old-home-letta", "old-home-dba"
URI_FILE, ADMIN_URI_FILE = "/root/pg.uri", "/root/admin.uri"

#: Tokens, as the job names them.
OLD_TOKEN, NEW_TOKEN = "OLD_TOKEN", "NEW_TOKEN"
NEW_PASSWORD = "new-home-password"

PROGRAMS = ("psql", "pg_dump", "pg_restore")
TREE = "/srv/tree"

#: bed asks without a password, everybody else has one.
HBA = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""

#: The template's superuser owns everything; here Letta's own role does.
OWN = """\
ALTER SCHEMA public OWNER TO letta;
DO $$
DECLARE one record;
BEGIN
  FOR one IN SELECT c.oid::regclass AS name, c.relkind AS kind FROM pg_class c
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid
                      AND (d.deptype = 'e' OR d.deptype = 'a')) LOOP
    EXECUTE format('ALTER %s %s OWNER TO letta', CASE one.kind
                   WHEN 'r' THEN 'TABLE' ELSE 'SEQUENCE' END, one.name);
  END LOOP;
  FOR one IN SELECT t.oid::regtype AS name FROM pg_type t
      WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' LOOP
    EXECUTE format('ALTER TYPE %s OWNER TO letta', one.name);
  END LOOP;
END $$;
"""

BOOKS = """\
CREATE TABLE books (id serial PRIMARY KEY, title text NOT NULL, data jsonb);
INSERT INTO books (title, data) SELECT 'Vol. ' || i, jsonb_build_object(
  'n', i, 'text', repeat('ä', i)) FROM generate_series(1, 200) AS i;
CREATE VIEW thick AS SELECT * FROM books WHERE id > 100;
"""


class OldHome(BareHost):
    """One such machine, up from start() to stop().

    version     of the server that runs there
    password    that it wants; None: nobody is asked
    superuser   what Letta's role is in PostgreSQL, as in Letta's own compose
                file; else it only owns its database, and ADMIN_URI_FILE has a
                role that may create another
    """

    hba = HBA

    #: Shell that the server's process begins with.
    first = ""

    def __init__(self, bed, version="0.11.3", *, password=None,
                 superuser=False, name="home", slot=bare.SLOT + 1):
        super().__init__(bed, name, slot)
        need_cache(f"letta-{version}")
        need_cache(f"template-{version}")
        self.bed, self.version, self.password = bed, version, password
        self.superuser = superuser
        self._stops, self._db = [], None

    def start(self):
        super().start()
        for one in PROGRAMS:
            self.path(f"{BIN}/{one}").symlink_to(PG_BIN / one)
        self._stops.append(Forward(self.bed.stub_port, [self]).stop)
        reach = Reach(self, PORT)
        self.near = reach.near
        self._stops.append(reach.stop)
        self._start_database()
        self._start_server()
        return self

    def stop(self):
        for one in self._stops:
            one()
        self._stops = []
        super().stop()

    # Its server

    @property
    def url(self):
        """Where whatever serves there is reached from here."""
        return f"http://127.0.0.1:{self.near}"

    def client(self, token=None):
        """A bed.seed.Client of whatever serves there."""
        return old_seed.Client(self.url, token)

    def answers(self):
        """The version of what serves there, or None."""
        try:
            return call("GET", f"{self.url}/v1/health/",
                        timeout_s=5)["version"]
        except (OSError, ValueError):
            return None

    def wait_version(self, version):
        wait_for(f"Letta {version} on {self.name}",
                 lambda: self.answers() == version, 120)

    def seed(self, agents=3, messages=40, passages=4, long=()):
        """Make agents; returns a bed.old_seed.Seeded."""
        return old_seed.seed(self.client(self.password), agents=agents,
                             messages=messages, passages=passages, long=long,
                             stub_port=self.bed.stub_port)

    def _start_server(self):
        self.path("/opt/letta-old").symlink_to(
            INSIDE_CACHE / f"letta-{self.version}")
        self.path(FOLDER).mkdir()
        self.path(ENV_FILE).write_text("".join(
            f"{k}='{v}'\n" for k, v in self._environment().items()))
        self.path(ENV_FILE).chmod(0o600)
        secure = " --secure" if self.password else ""
        self.supervisord.set("letta", (
            "[program:letta]\n"
            f"command=/bin/sh -c 'set -a; . {ENV_FILE}; {self.first} exec"
            " /opt/letta-old/bin/python /opt/letta-old/bin/letta server"
            f" --host 127.0.0.1 --port {PORT}{secure}'\n"
            f"directory={FOLDER}\nautorestart=true\nstartsecs=1\n"
            "stdout_logfile=/var/log/letta.log\nredirect_stderr=true\n"))
        try:
            self.wait_version(self.version)
        except BedError as e:
            said = self.path("/var/log/letta.log").read_text()[-3000:]
            raise BedError(f"{e}: {said}") from None

    def _environment(self):
        env = {"HOME": FOLDER, "LETTA_DIR": f"{FOLDER}/.letta",
               "LETTA_PG_URI": self.uri(), "LETTA_USE_UVLOOP": "true",
               "LETTA_DISABLE_TRACING": "true",
               "LETTA_POLL_RUNNING_LLM_BATCHES": "false",
               "DD_TRACE_ENABLED": "false",
               "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
               "OTEL_SDK_DISABLED": "true", "HF_HUB_OFFLINE": "1",
               "NO_PROXY": "*", **self._model()}
        if self.password:
            env["LETTA_SERVER_PASSWORD"] = self.password
        return env

    def _model(self):
        stub = f"http://127.0.0.1:{self.bed.stub_port}/v1"
        return {"OPENAI_API_KEY": "stand-in", "OPENAI_API_BASE": stub,
                "OPENAI_BASE_URL": stub}

    # Its databases

    def uri(self, role="letta", password=PASSWORD, database=DATABASE):
        # No character that a URI would quote: 0.11.3 writes its URI to a
        # file that takes no "%".
        return (f"postgresql://{role}:{password}@127.0.0.1:{PG_PORT}"
                f"/{database}")

    def psql(self, sql, database=DATABASE):
        """What psql prints for the superuser; no password is asked."""
        return self.run([PG_BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
                         "-h", "127.0.0.1", "-p", str(PG_PORT), "-U",
                         "postgres", "-d", database], input=sql).stdout.strip()

    def databases(self):
        return self.psql("SELECT datname FROM pg_database ORDER BY 1",
                         "template1").split()

    def dump(self, database=FOREIGN):
        """A database as the SQL of pg_dump."""
        text = self.run([PG_BIN / "pg_dump", "-h", "127.0.0.1", "-p",
                         str(PG_PORT), "-U", "postgres", database]).stdout
        # A word of each run of its own.
        return "".join(line for line in text.splitlines(keepends=True)
                       if not line.startswith(("\\restrict",
                                               "\\unrestrict")))

    def _start_database(self):
        self.run(["cp", "-a", str(INSIDE_CACHE / f"template-{self.version}"
                                  / "pg"), PG_DATA])
        self.path(f"{PG_DATA}/pg_hba.conf").write_text(self.hba)
        self._db = Postgres(self.space, PG_DATA, PG_PORT,
                            self.state_dir / f"{self.name}-postgres.log")
        self._db.start()
        more = "SUPERUSER" if self.superuser else "NOSUPERUSER"
        self.psql(f"ALTER DATABASE postgres RENAME TO {DATABASE};\n"
                  "CREATE DATABASE postgres;\n"
                  f"CREATE DATABASE {FOREIGN};\n"
                  f"CREATE ROLE letta LOGIN {more} PASSWORD "
                  f"'{PASSWORD}';\n"
                  "CREATE ROLE dba LOGIN SUPERUSER PASSWORD "
                  f"'{ADMIN_PASSWORD}';\n"
                  f"ALTER DATABASE {DATABASE} OWNER TO letta;", "template1")
        self.psql(OWN)
        self.psql(BOOKS, FOREIGN)
        for path, uri in ((URI_FILE, self.uri()),
                          (ADMIN_URI_FILE, self.uri("dba", ADMIN_PASSWORD,
                                                    "postgres"))):
            self.path(path).write_text(f"{uri}\n")
            self.path(path).chmod(0o600)

    # sanctumctl, on the machine itself

    def job(self, path="/root/home.conf", *, to="0.16.2", old=None, new=None,
            upgrade=None, env=None, **keys):
        """Write the job of an upgrade there; returns its path there.

        old, new, upgrade, env   further keys of these sections
        keys                     further keys of [job]; None leaves one out
        """
        listing = f"/root/requirements-{to}.txt"
        bare.real_list(self.path(listing), to)
        admin = None if self.superuser else f"file:{ADMIN_URI_FILE}"
        jobs.write(self.path(path), [
            jobs.job("upgrade", **{"name": "home", "break_glass": "yes",
                                   **keys}),
            ("host here", {"address": "local"}),
            ("letta old", {
                "host": "here", "port": PORT, "version": self.version,
                "service": "letta", "database": f"file:{URI_FILE}",
                "database_admin": admin, "token": f"env:{OLD_TOKEN}",
                **(old or {})}),
            ("letta new", {
                "host": "here", "version": to, "runtime": "venv",
                "installer": "uv", "requirements": listing, "port": PORT,
                "redis": "none", "token": f"env:{NEW_TOKEN}",
                **(new or {})}),
            ("env new", {**{k: v for k, v in self._model().items()
                            if k != "OPENAI_API_KEY"},
                         "OPENAI_API_KEY": "cmd:echo stand-in",
                         **(env or {})}),
            ("upgrade home", {"from": "old", "to": "new", "rehearse": "no",
                              **(upgrade or {})})])
        return path

    def sanctumctl(self, *words, program=None, env=None, stdin="",
                   timeout_s=300):
        """Run the program there; its state is in /root/state."""
        done = self.run(self._words(program, words), check=False,
                        input=stdin, env=self._own_env(env),
                        timeout_s=timeout_s)
        if "--json" in words and done.returncode >= 0:
            output.check_lines(done.stdout)
        return Result(done.returncode, done.stdout, done.stderr)

    def spawn_sanctumctl(self, *words, program=None, env=None):
        """The same, started; returns a bed.space.Process."""
        return self.spawn(self._words(program, words),
                          env=self._own_env(env))

    def _own_env(self, env):
        return {**self.env, "SANCTUMCTL_TEMPLATES": f"{TREE}/templates",
                OLD_TOKEN: self.password or "not-asked-for",
                NEW_TOKEN: NEW_PASSWORD, **(env or {})}

    def _words(self, program, words):
        path = Path(program or os.environ.get("SANCTUMCTL")
                    or TOP / "build/plain/sanctumctl").resolve()
        if not path.is_file():
            raise BedError(f"{path} is not built")
        return [self._carry(path), "--state", "/root/state",
                *map(str, words)]

    def _carry(self, path):
        """Bring a program, and what the tree ships with it, over there."""
        mark = hashlib.sha256(str(path).encode()).hexdigest()[:8]
        there = f"/srv/sanctumctl-{mark}/sanctumctl"
        at = self.path(there)
        if not at.exists() or at.stat().st_mtime < path.stat().st_mtime:
            shutil.rmtree(at.parent, ignore_errors=True)
            at.parent.mkdir()
            shutil.copy2(path, at)
        if not self.path(TREE).exists():
            for one in ("templates", "share"):
                shutil.copytree(TOP / one, self.path(TREE) / one)
        return there


def events(result, kind):
    """The lines of that type which a --json run has said."""
    return [one for one in map(json.loads, result.out.splitlines())
            if one["type"] == kind]
