"""Files of a worker in the shape of Broca and SMCP, written here.

Nothing of the real programs is in it.  What a move must treat in different
ways is: code, untracked plugins, secrets, state, a spool, a database, caches,
and names and modes that a careless copy loses.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

from bed.database import dump, query

FILES = Path(__file__).with_name("worker_files")
SCHEMA = Path(__file__).with_name("sanctum-schema.sql")

BROCA_ENV = """\
# Broca of {name}; AGENT_ID=agent-in-a-comment is not an assignment
AGENT_ID={agent_id}
AGENT_ENDPOINT="{url}"   # base address, without /v1
AGENT_API_KEY='{token}'
DEBUG_MODE=false # anything else echoes messages
OLD_AGENT_ID=agent-00000000-0000-4000-8000-000000000000

LOG_LEVEL=INFO
  MESSAGE_PROCESS_TIMEOUT = 240
EMPTY=
GREETING="Grüße \\"quoted\\" # no comment"
TELEGRAM_BOT_TOKEN='123456:not-a-real-token'
"""

SMCP_ENV = """\
# SMCP of {name}
export LETTA_AGENT_ID={agent_id}
LETTA_SERVER_URL="{url}"
export LETTA_API_KEY='{token}'
MCP_PORT=8000 # default
"""

START_SCRIPT = """\
#!/bin/sh
# Started by cron each minute; does nothing if the worker is up.
cd "{home}/broca" || exit 1
[ -f run/broca.pid ] && kill -0 "$(cat run/broca.pid)" 2>/dev/null && exit 0
exec /usr/bin/python3 main.py >>"{home}/broca.log" 2>&1
"""

#: Identity and block of each user that a made worker has from the start.
USERS = [(f"identity-{i:08d}-0000-4000-8000-000000000000",
          f"block-{i:08d}-0000-4000-8000-000000000000") for i in (1, 2, 3)]

#: What a move leaves behind; folders end with a slash.
NOT_STATE = ("run/broca.pid", "__pycache__/", "venv/", "logs/")


class Worker:
    """Where a made worker is: `home` as its host sees it, `path` from here.

    agents/NAME has the trees broca and smcp and start-NAME-broca.sh.
    """

    def __init__(self, name, home, host=None):
        self.name, self.home, self.host = name, str(home), host
        self.path = host.path(home) if host else Path(home)
        self.broca, self.smcp = self.path / "broca", self.path / "smcp"
        #: As the host sees it, since SQLite must open it there.
        self.database = f"{home}/broca/sanctum.db"

    def query(self, sql):
        """Return the rows of a SELECT on its database."""
        return query(sql, self.database, self.host)

    def queue_states(self):
        """Return how many queue rows there are of each status."""
        return {row["status"]: row["n"] for row in self.query(
            "SELECT status, count(*) AS n FROM queue GROUP BY status")}

    def dump(self):
        """Return its database as SQL, with any row in flight waiting.

        So a move settles the row that a killed worker has left.
        """
        return dump(self.database, self.host).replace("'processing'",
                                                      "'pending'")

    def remove(self):
        shutil.rmtree(self.path)


def make_worker(name, *, agent_id, url, token="", home=None, on=None,
                database_rows=40, random_bytes=1_000_000, users=USERS):
    """Write a worker and return it.

    home    its folder on the host (/root/sanctum/agents/NAME by default)
    on      a bed.hosts.Host, or None for this machine
    users   (identity, block) of its three users, ids of its server
    """
    home = Path(home or f"/root/sanctum/agents/{name}")
    worker = Worker(name, home, on)
    values = {"name": name, "agent_id": agent_id, "url": url,
              "token": token, "home": home}
    worker.path.mkdir(parents=True)
    write_broca(worker, values, random_bytes)
    write_smcp(worker, values)
    write(worker.path / f"start-{name}-broca.sh",
          START_SCRIPT.format(**values), 0o755)
    make_database(worker.broca / "sanctum.db", database_rows, users)
    return worker


def write(path, content, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    path.chmod(mode)


def write_broca(worker, values, random_bytes):
    at, name = worker.broca, values["name"]
    write(at / "main.py", (FILES / "main.py").read_text())
    write(at / "runtime/__init__.py", "")
    write(at / "runtime/core/__init__.py", "")
    for module in ("queue.py", "web.py"):
        write(at / f"runtime/core/{module}", (FILES / module).read_text())
    write(at / "plugins/telegram_bot/plugin.py", "# enabled channel\n")
    write(at / "plugins/otto_bridge/plugin.py", "# not in version control\n")
    write(at / "plugins-disabled/web_chat/plugin.py", "# off\n")
    write(at / ".gitignore", "plugins/otto_bridge/\n*.db\n.env\nrun/\n")
    write(at / ".env", BROCA_ENV.format(**values), 0o600)
    write(at / "settings.json", json.dumps(
        {"message_mode": "live", "debug_mode": False, "queue_refresh": 5,
         "plugins": {}}, indent=2) + "\n", 0o600)
    write(at / "telegram_ignore_list.json", '{"7": {"username": "noise"}}\n')
    for i in range(3):
        write(at / f"run/otto_bridge/inbox/{i:03d}.json",
              json.dumps({"to": name, "n": i}))
    write(at / "run/otto_bridge/outbox/000.json", '{"sent": true}')
    write(at / "run/broca.pid", "4194999")
    write(at / "__pycache__/main.cpython-311.pyc", b"\x00cache")
    write(at / "logs/broca.log", "a user's words\n")
    write(at / "venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n")
    write(at / "venv/bin/activate",
          f'VIRTUAL_ENV="{values["home"]}/broca/venv"\n')
    write(at / "tools/btool.sh", "#!/bin/sh\necho btool\n", 0o755)
    write(at / "data/noise.bin",
          random.Random(name).randbytes(random_bytes), 0o640)
    write(at / "data/Grüße 日本 👋.txt", "name with more than ASCII\n")
    write(at / "data/zero", b"")
    os.symlink("tools/btool.sh", at / "btool")
    (at / "data/empty folder").mkdir(mode=0o750)
    os.utime(at / "data/noise.bin", (1_700_000_000, 1_700_000_000))


def write_smcp(worker, values):
    at = worker.smcp
    write(at / "smcp.py", (FILES / "smcp.py").read_text())
    write(at / ".env", SMCP_ENV.format(**values), 0o600)
    for plugin in ("demo_text", "imap"):
        write(at / f"plugins/{plugin}/cli.py",
              (FILES / "plugin.py").read_text(), 0o755)
    write(at / "plugins/imap/credentials.json", '{"pass": "secret"}', 0o600)
    write(at / "logs/mcp_server.log", "old log\n")


def make_database(path, rows, users=USERS):
    """Make a sanctum.db with users, messages and a queue in all states.

    The rows repeat every ten: eight completed, one pending, one failed; the
    last one is `processing`, as a killed worker leaves it.
    """
    # Made elsewhere and copied: SQLite cannot reach a host's file from here.
    with tempfile.TemporaryDirectory(prefix="sanctum-bed-") as here:
        db = sqlite3.connect(f"{here}/sanctum.db")
        fill_database(db, rows, users)
        db.close()
        shutil.copyfile(f"{here}/sanctum.db", path)
    Path(path).chmod(0o600)


def fill_database(db, rows, users=USERS):
    """Make the tables and rows of make_database()."""
    db.executescript(SCHEMA.read_text())
    for i, user in enumerate(users, 1):
        db.execute("INSERT INTO letta_users (letta_identity_id,"
                   " letta_block_id, is_active) VALUES (?, ?, 1)", user)
        db.execute("INSERT INTO platform_profiles (letta_user_id, platform,"
                   " platform_user_id, username, display_name, metadata)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   (i, ("telegram", "web_chat", "otto_bridge")[i - 1],
                    str(1000 + i), f"user{i}", f"Üser {i} 👤",
                    json.dumps({"session_id": f"s{i}"})))
    for i in range(1, rows + 1):
        status = {0: "pending", 5: "failed"}.get(i % 10, "completed")
        status = "processing" if i == rows else status
        done = status == "completed"
        user = i % 3 + 1
        when = f"2025-06-01 10:{i // 60:02d}:{i % 60:02d}"
        db.execute("INSERT INTO messages (letta_user_id,"
                   " platform_profile_id, role, message, timestamp,"
                   " processed, agent_response) VALUES (?,?,?,?,?,?,?)",
                   (user, user, "user", f"message {i} ✉", when, int(done),
                    f"answer {i}" if done else None))
        db.execute("INSERT INTO queue (letta_user_id, message_id, status,"
                   " attempts, timestamp) VALUES (?, ?, ?, ?, ?)",
                   (user, i, status, int(status != "pending"), when))
    db.commit()


def unfenced(found):
    """Return a manifest as it is without the fence of a switch."""
    return {path.replace(".sanctumctl-fenced-", ""): what
            for path, what in found.items()}


def manifest(top):
    """Return {path below top: what it is}, for two trees to be compared.

    A file is (mode, SHA-256), a folder (mode,), a link (its target,).
    What goes while it is looked at, as a writer's journal does, is not
    there.
    """
    found = {}
    top = Path(top)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = Path(folder) / name
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(top))] = what_is_at(path)
    return found


def what_is_at(path):
    """Return what manifest() tells of one path."""
    info = path.lstat()
    mode = oct(stat.S_IMODE(info.st_mode))
    if stat.S_ISLNK(info.st_mode):
        return (os.readlink(path),)
    if stat.S_ISDIR(info.st_mode):
        return (mode,)
    if not stat.S_ISREG(info.st_mode):
        return (mode, "special")
    return (mode, hashlib.sha256(path.read_bytes()).hexdigest())
