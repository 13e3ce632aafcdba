"""A PostgreSQL on a host with the database of an old Letta, made by hand.

No Letta is there: its tables have few columns and a handful of rows.  Beside
it is a database of somebody else's.  The programs are real and lie where a
server that sanctumctl brings up has them; a test may put a stand-in in the
place of one, which then says so.
"""

from bed.postgres import BIN, Postgres

PORT = 15999
PROGRAMS = "/opt/letta/postgres/pgsql/bin"
LETTA, ADMIN = "hunter2-of-letta", "hunter3/of@boss"
JWT = 'hunter4;"of" \\an "app.'
URI = f"postgresql+pg8000://letta:{LETTA}@127.0.0.1:{PORT}/letta"
ADMIN_URI = (f"postgresql://boss:hunter3%2Fof%40boss@127.0.0.1:{PORT}"
             "/postgres")

#: Its three agents have these ids, with 1 to 3 behind.
AGENT = "agent-00000000-0000-4000-8000-00000000000"

RULES = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""

ROLES = f"""
CREATE ROLE letta LOGIN PASSWORD '{LETTA}';
CREATE ROLE boss LOGIN SUPERUSER PASSWORD '{ADMIN}';
CREATE ROLE "re'ad er";
CREATE DATABASE shop;
CREATE DATABASE letta OWNER letta TEMPLATE template0 LC_COLLATE 'C'
    CONNECTION LIMIT 77;
REVOKE ALL ON DATABASE letta FROM PUBLIC;
GRANT CONNECT ON DATABASE letta TO "re'ad er" WITH GRANT OPTION;
ALTER DATABASE letta SET search_path TO public, "odd one";
ALTER DATABASE letta SET app.jwt_secret TO '{JWT}';
ALTER DATABASE letta SET work_mem TO '5MB';
ALTER ROLE letta IN DATABASE letta SET statement_timeout TO '9min';
COMMENT ON DATABASE letta IS 'it''s "letta"';
\\connect shop
CREATE TABLE sold (n int PRIMARY KEY, what text, sanctumctl text);
INSERT INTO sold SELECT n, 'thing ' || n FROM generate_series(1, 300) n;
CREATE SEQUENCE numbers START 41;
\\connect letta
CREATE EXTENSION vector;
SET ROLE letta;
CREATE TABLE agents (id text PRIMARY KEY, name text,
    updated_at timestamptz DEFAULT now());
CREATE TABLE messages (id text PRIMARY KEY, agent_id text REFERENCES agents,
    text text, sequence_id bigserial, updated_at timestamptz DEFAULT now());
CREATE TABLE agent_passages (id text PRIMARY KEY, agent_id text,
    embedding vector(3), updated_at timestamptz DEFAULT now());
CREATE TABLE blocks_agents (agent_id text, block_id text);
INSERT INTO agents SELECT '{AGENT}' || n, 'sage ' || n
    FROM generate_series(1, 3) n;
INSERT INTO messages (id, agent_id, text)
    SELECT 'message-' || n, '{AGENT}' || (n % 3 + 1), repeat('x', n % 50)
    FROM generate_series(1, 400) n;
INSERT INTO agent_passages SELECT 'passage-' || n, '{AGENT}1',
    ARRAY[n, 2, 3]::real[]::vector FROM generate_series(1, 20) n;
INSERT INTO blocks_agents VALUES ('{AGENT}1', 'block-1');
"""

PROPERTIES = """
SELECT d.datname, r.rolname, d.encoding, d.datcollate, d.datctype,
    d.datconnlimit, shobj_description(d.oid, 'pg_database'),
    (SELECT array_agg(a::text ORDER BY a::text)
        FROM unnest(d.datacl) a),
    (SELECT array_agg(setrole::regrole || ' ' || setconfig::text
        ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
WHERE d.datname = 'letta'
"""


class OldDatabase:
    """Up from start() to stop(), on a bed.hosts.Host."""

    def __init__(self, host):
        self.host = host
        self.server = Postgres(host, "/srv/old-database", PORT,
                               host.state_dir / "old-database.log")

    def start(self):
        self.server.create()
        self.host.path("/srv/old-database/pg_hba.conf").write_text(RULES)
        self.server.start()
        self.host.run(["mkdir", "-p", PROGRAMS])
        for name in ("psql", "pg_dump", "pg_restore"):
            self.put_back(name)
        self.sql(ROLES)
        self.sql("CREATE DATABASE kept TEMPLATE letta OWNER letta")
        return self

    def stop(self):
        self.server.stop()
        self.host.run(["rm", "-rf", "/srv/old-database", "/opt/letta",
                       "/var/lib/sanctumctl"])

    def sql(self, text, database="postgres"):
        return self.host.run(
            [BIN / "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1",
             f"postgresql://postgres@127.0.0.1:{PORT}/{database}"],
            input=text).stdout.strip()

    def put_back(self, name):
        """The real program again."""
        self.host.run(["ln", "-sfn", BIN / name, f"{PROGRAMS}/{name}"])

    def stand_in(self, name, script):
        """A stand-in for a program; "$real" in it is the real one."""
        made = self.host.path(f"{PROGRAMS}/{name}")
        made.unlink()
        made.write_text(f"#!/bin/sh\n# a stand-in for {name}\n"
                        f"real={BIN / name}\n{script}\n")
        made.chmod(0o755)

    def reset(self):
        """The old database as it was made; nothing of a job is left."""
        for name in self.sql("SELECT datname FROM pg_database WHERE datname "
                             "~ '^(letta$|sanctumctl)'").split():
            self.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        text = ROLES[ROLES.index("CREATE DATABASE letta"):]
        self.sql(text[:text.index("\\connect")].replace(
            "TEMPLATE template0 LC_COLLATE 'C'", "TEMPLATE kept"))
        self.host.run(["rm", "-rf", "/var/lib/sanctumctl"])

    def properties(self):
        return self.sql(PROPERTIES)

    def oid(self, name="letta"):
        return self.sql("SELECT oid FROM pg_database WHERE datname = "
                        f"'{name}'")

    def contents(self, database="letta"):
        """What the tables hold and how they are defined, as pg_dump says."""
        text = self.host.run(
            [BIN / "pg_dump", "-d", f"postgresql://postgres@127.0.0.1:{PORT}"
             f"/{database}"]).stdout
        return [line for line in text.splitlines()
                if not line.startswith("\\")]
