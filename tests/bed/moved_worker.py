"""A worker that really runs: under cron and screen, with users who write.

    with FakeLetta([src, dst]) as letta, Channel([src, dst]) as channel:
        worker = make_live("sage", src, letta, channel)
        worker.start()
        said = worker.say(10)
        worker.wait_answered(said)
        worker.check(said)

letta and channel have one address for this machine and both hosts, so the
.env of a moved worker needs no other one.  worker.at(dst) is the same worker
after it has moved.
"""

import json
import os
import signal
import uuid
from collections import Counter
from pathlib import Path

from bed.channel import NUMBER
from bed.wait import wait_for
from bed.worker import Worker, make_worker, write

LIVE_ENV = """\
CHANNEL_URL={channel}
TELEGRAM_BOT_TOKEN='{token}'
BED_BACKOFF=0.2
BED_GRACE=2
BED_LINGER=1
"""

START_SCRIPT = """\
#!/bin/sh
# Started by cron each minute; does nothing if the session is there.
mkdir -p "$HOME/logs"
screen -wipe >/dev/null 2>&1
screen -list | grep -q '[0-9]\\.broca-{name}[[:space:]]' && exit 0
cd "{home}/broca" || exit 1
exec screen -dmS broca-{name} sh -c \\
    'exec /usr/bin/python3 main.py >>"$HOME/logs/broca-{name}.log" 2>&1'
"""

SMCP_SCRIPT = """\
#!/bin/sh
# Started by cron each minute; does nothing if the session is there.
screen -wipe >/dev/null 2>&1
screen -list | grep -q '[0-9]\\.smcp-{name}[[:space:]]' && exit 0
cd "{home}/smcp" || exit 1
set -a
. ./.env
set +a
exec screen -dmS smcp-{name} sh -c 'exec /usr/bin/python3 smcp.py \\
    --allow-external >>"$HOME/logs/smcp-{name}.log" 2>&1'
"""

UNIT = """\
[Unit]
Description=Broca of {name}
After=network.target

[Service]
WorkingDirectory={home}/broca
ExecStart=/usr/bin/python3 main.py
Restart=always
RestartSec=0.2
TimeoutStopSec=20

[Install]
WantedBy=multi-user.target
"""

PROGRAM = """\
[program:broca-{name}]
command=/usr/bin/python3 main.py
directory={home}/broca
autostart=true
autorestart=true
startsecs=0
stopwaitsecs=20
"""

ROWS = """\
SELECT q.id, q.status, q.attempts, q.timestamp, m.message,
       m.agent_response AS answer, m.processed
  FROM queue q JOIN messages m ON m.id = q.message_id ORDER BY q.id
"""


class LiveWorker(Worker):
    """A worker with its agent, users and channel.

    senders   Telegram ids of its users
    """

    def __init__(self, name, home, host, *, letta, channel, agent, token,
                 senders):
        super().__init__(name, home, host)
        self.letta, self.channel = letta, channel
        self.agent, self.token, self.senders = agent, token, senders
        #: What would keep it running, by kind of supervisor.
        self.crontab_line = (f"* * * * * {home}/start-{name}-broca.sh"
                             f" >> $HOME/logs/{name}-cron.log 2>&1")
        self.smcp_line = self.crontab_line.replace("-broca", "-smcp")
        self.unit = UNIT.format(name=name, home=home)
        self.program = PROGRAM.format(name=name, home=home)

    def at(self, host, home=None):
        """Return the same worker in another place."""
        return LiveWorker(
            self.name, home or self.home, host, letta=self.letta,
            channel=self.channel, agent=self.agent, token=self.token,
            senders=self.senders)

    # Process

    def start(self):
        """Run the start script once, as cron does, and wait."""
        before = self.channel.polls(self.token)
        self.host.run([f"{self.home}/start-{self.name}-broca.sh"])
        self.wait_up(before)
        return self

    def spawn(self, **env):
        """Start main.py alone, without screen; returns its Process."""
        before = self.channel.polls(self.token)
        process = self.host.spawn(
            ["/usr/bin/python3", "main.py"], cwd=f"{self.home}/broca",
            env=env, log=self.host.state_dir / f"{self.name}.log")
        self.wait_up(before)
        return process

    def spawn_smcp(self, *words, **env):
        """Start smcp.py with what its .env says, as a start script does.

        It reads no file itself.  Returns its Process.
        """
        return self.host.spawn(
            ["sh", "-c", "set -a; . ./.env; exec python3 smcp.py \"$@\"",
             "smcp", *words], cwd=f"{self.home}/smcp", env=env,
            log=self.host.state_dir / f"{self.name}-smcp.log")

    def give_smcp(self, port, key):
        """Let its start script start SMCP, for callers from outside too."""
        env = (self.smcp / ".env").read_text()
        write(self.smcp / ".env", env.replace("=8000 # default", f"={port}")
              + f"MCP_API_KEY={key}\n", 0o600)
        write(self.path / f"start-{self.name}-smcp.sh",
              SMCP_SCRIPT.format(name=self.name, home=self.home), 0o755)

    def processes(self):
        """Return the pids of its main.py, as this machine counts.

        By working directory and command line: a pid file says little.
        """
        return processes_in(self.broca)

    def smcp_processes(self):
        return processes_in(self.smcp, b"smcp.py")

    def signal_smcp(self, signo=signal.SIGTERM):
        """End its SMCP; a screen session goes with it."""
        for pid in self.smcp_processes():
            os.kill(pid, signo)
        wait_for(f"end of {self.name}'s SMCP",
                 lambda: not self.smcp_processes())

    def wait_up(self, before=0, timeout_s=30):
        """Wait until it runs and polls the channel, more often than before.

        before   channel.polls() from before its start
        """
        wait_for(f"start of {self.name}", lambda: self.processes() and
                 self.channel.polls(self.token) > before, timeout_s)

    def wait_down(self, timeout_s=30):
        wait_for(f"end of {self.name}", lambda: not self.processes(),
                 timeout_s)

    def signal(self, signo=signal.SIGTERM):
        for pid in self.processes():
            os.kill(pid, signo)

    def stop(self):
        """End it: TERM, TERM, KILL, as far as needed."""
        for signo in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self.signal(signo)
            try:
                return self.wait_down(12)
            except Exception:
                if signo == signal.SIGKILL:
                    raise

    # Queue

    def say(self, count=1, text="hello"):
        """Let users write by turns; returns the messages' numbers."""
        return [self.channel.say(self.token,
                                 self.senders[i % len(self.senders)], text)
                for i in range(count)]

    def sql(self, text):
        """Change the database, as another program on the host would."""
        return self.host.run(
            ["sqlite3", "-cmd", ".timeout 20000", self.database, text])

    def put(self, text, status="pending", age_s=0, attempts=0):
        """Add a row of any age and state; returns its number in the text."""
        with self.channel.changed:
            bot = self.channel.token(self.token)
            bot.last_id += 1
            number = bot.last_id
        when = f"strftime('%Y-%m-%dT%H:%M:%f', 'now', '-{age_s} seconds')"
        self.sql("BEGIN IMMEDIATE; INSERT INTO messages (letta_user_id,"
                 " platform_profile_id, role, message, timestamp) SELECT"
                 " letta_user_id, id, 'user',"
                 f" '[#{number}] {text}', {when} FROM platform_profiles"
                 f" WHERE platform_user_id = '{self.senders[0]}';"
                 " INSERT INTO queue (letta_user_id, message_id, status,"
                 " attempts, timestamp) SELECT letta_user_id, id,"
                 f" '{status}', {attempts}, {when} FROM messages"
                 " WHERE id = last_insert_rowid(); COMMIT;")
        return number

    def rows(self):
        """Return {number: row} of the queue; a number has one row."""
        found = {}
        for row in self.query(ROWS):
            number = int(NUMBER.findall(row["message"])[0])
            assert number not in found, f"two rows of update {number}"
            found[number] = row
        return found

    def wait_answered(self, numbers, timeout_s=60):
        """Wait until the users have the answers."""
        wait_for(f"answers of {self.name}", lambda: set(numbers) <=
                 set(self.channel.answers()), timeout_s)

    def asked(self):
        """Return how often the agent was asked each number."""
        return Counter(int(n) for text in
                       self.letta.said_by_users(self.agent)
                       for n in NUMBER.findall(text)[:1])

    def check(self, numbers, conflicts=0, undelivered=()):
        """Each was asked of the agent once, completed, and delivered once.

        conflicts    how many 409 of the channel there may have been
        undelivered  numbers whose delivery a kill may have prevented
        """
        rows, asked = self.rows(), self.asked()
        sent = self.channel.answers()
        for n in numbers:
            assert n in rows, f"update {n} has no row"
            assert rows[n]["status"] == "completed", rows[n]
            assert f"[#{n}]" in rows[n]["answer"], rows[n]
            assert asked[n] == 1, f"update {n} was asked {asked[n]} times"
            assert sent[n] == 1 or (sent[n] == 0 and n in undelivered), (
                f"update {n} was answered {sent[n]} times")
        assert self.channel.conflicts(self.token) == conflicts


def end_all(name):
    """Kill all that runs below a directory with that name in its path."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if name in os.readlink(proc / "cwd"):
                os.kill(int(proc.name), signal.SIGKILL)
        except OSError:
            continue


def processes_in(folder, program=b"main.py"):
    """Return the pids of every such program that works in a folder."""
    try:
        here = os.stat(folder)
    except OSError:
        return []
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
            there = os.stat(proc / "cwd")
        except OSError:
            continue
        if ((there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
                and program in words and b"python" in words[0]):
            found.append(int(proc.name))
    return found


def make_live(name, host, letta, channel, *, agent=None, users=3, token=None,
              api_key="bed-key", database_rows=0, random_bytes=10_000,
              mode="live", home=None):
    """Make a worker whose users letta and channel know; it is not started."""
    agent = agent or letta.make_agent()
    made = make_worker(name, agent_id=agent, url=letta.url, token=api_key,
                       on=host, home=home, database_rows=database_rows,
                       random_bytes=random_bytes)
    worker = LiveWorker(
        name, made.home, host, letta=letta, channel=channel, agent=agent,
        token=token or f"1000:not-a-real-token-of-{name}",
        senders=[str(1001 + i) for i in range(users)])
    env = (worker.broca / ".env").read_text()
    write(worker.broca / ".env", env + LIVE_ENV.format(
        channel=channel.url, token=worker.token), 0o600)
    write(worker.broca / "settings.json",
          json.dumps({"message_mode": mode, "debug_mode": False}), 0o600)
    write(worker.path / f"start-{name}-broca.sh",
          START_SCRIPT.format(name=name, home=worker.home), 0o755)
    host.path("/root/logs").mkdir(exist_ok=True)
    add_users(worker)
    return worker


def add_users(worker):
    """Give the users of the database an identity and a block each."""
    text = ["BEGIN IMMEDIATE;"]
    for i, sender in enumerate(worker.senders, 1):
        identity, block = worker.letta.make_user(f"user{i}", f"About {i}")
        text += [
            "INSERT OR REPLACE INTO letta_users (id, letta_identity_id,"
            f" letta_block_id, is_active) VALUES ({i}, '{identity}',"
            f" '{block}', 1);",
            "INSERT OR REPLACE INTO platform_profiles (id, letta_user_id,"
            " platform, platform_user_id, username, display_name, metadata)"
            f" VALUES ({i}, {i}, 'telegram', '{sender}', 'user{i}',"
            f" 'User {i}', '{{}}');"]
    worker.sql(" ".join(text + ["COMMIT;"]))


class RealLetta:
    """A real server, as far as make_live() and LiveWorker use the fake.

    client   bed.seed.Client of a server that the hosts reach under its URL
             too (bed.loopback.Forward)
    """

    def __init__(self, client):
        self.client, self.url = client, client.url
        self._made = []

    def make_user(self, name="user", value="About me"):
        identity = self.client("POST", "/v1/identities/", {
            "identifier_key": f"broca_user_{uuid.uuid4().hex[:8]}",
            "name": name, "identity_type": "user"})["id"]
        block = self.client("POST", "/v1/blocks/", {
            "label": "human", "value": value})["id"]
        self._made += [f"/v1/identities/{identity}", f"/v1/blocks/{block}"]
        return identity, block

    def said_by_users(self, agent):
        return [str(m["content"]) for m in self.client.listing(agent)
                if m["message_type"] == "user_message"]

    def clean_up(self):
        """Remove the users that were made."""
        for path in self._made:
            self.client("DELETE", path)


class BothLettas:
    """The agents of two servers as one, for LiveWorker.check()."""

    def __init__(self, sides):
        self.sides = sides          # of (RealLetta, agent)

    def said_by_users(self, _):
        return [text for letta, agent in self.sides
                for text in letta.said_by_users(agent)]
