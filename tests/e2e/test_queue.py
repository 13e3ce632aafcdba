"""A queue that is frozen with rows that were sent, against a real server.

Messages go to the agent in exactly Broca's form, with sender_id.  What the
flow does with them is called by tests/unit/drive_queue.
"""

import datetime
import sqlite3
import subprocess
import threading
import uuid

import pytest

from bed import jobs, seed, stub_llm
from bed.wait import wait_for
from bed.worker import SCHEMA

NOBODY = "agent-22222222-2222-4222-8222-222222222222"
HOLD = "wait for me"


class Gate:
    """The model's stand-in, which keeps answers to HOLD back until opened."""

    def __init__(self):
        opened = self.opened = threading.Event()

        class Handler(stub_llm.Handler):
            def chat(self, request):
                said = (request.get("messages") or [{}])[-1]
                if HOLD in stub_llm.text_of(said):
                    opened.wait(120)
                super().chat(request)

        self.server = stub_llm.Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        self.opened.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.close()


@pytest.fixture
def queue_job(tmp_path, source, second, program_path):
    """Function that calls one word of drive_queue; .old and .new."""
    program = program_path.parent / "tests/unit/drive_queue"
    if not program.is_file():
        pytest.fail(f"{program} is not built: make check TESTS=")
    for name in ("old", "new"):
        (tmp_path / name / "broca").mkdir(parents=True)
    path = jobs.write(tmp_path / "queue.conf", [
        jobs.job("workers", "queue"),
        ("host here", {"address": "local"}),
        ("letta old", {"url": source.url}),
        ("letta new", {"url": second.url,
                       "token": f"env:{jobs.TARGET_TOKEN}"}),
        ("worker sage", {
            "agent": NOBODY, "server": "new", "from_server": "old",
            "from": f"here:{tmp_path}/old", "to": f"here:{tmp_path}/new"})])

    def call(word, way, *databases):
        done = subprocess.run(
            [program, path, tmp_path / "state", word, way, *databases],
            env=jobs.environment(), text=True, capture_output=True,
            timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call.old = tmp_path / "old/broca/sanctum.db"
    call.new = tmp_path / "new/broca/sanctum.db"
    call.env = tmp_path / "old/broca/.env"
    return call


class Queue:
    """A sanctum.db; its users are (id, platform, name, identity)."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(SCHEMA.read_text())

    def user(self, number, platform, name, identity, block="block-x"):
        self.db.execute("INSERT INTO letta_users VALUES (?, '', '', ?, ?,"
                        " NULL, NULL, 1)", (number, identity, block))
        self.db.execute("INSERT INTO platform_profiles VALUES (?, ?, ?, ?,"
                        " ?, '', NULL, '', '')",
                        (number, number, platform, str(1000 + number), name))

    def row(self, number, user, status, attempts, text, minute=False):
        now = datetime.datetime.utcnow()
        told = now.strftime("%Y-%m-%d %H:%M UTC") if minute else \
            now.isoformat()
        self.db.execute("INSERT INTO messages VALUES (?, ?, ?, 'user', ?, ?,"
                        " 0, NULL)", (number, user, user, text, told))
        self.db.execute("INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?)",
                        (number, user, number, status, attempts,
                         now.isoformat()))

    def states(self):
        return dict(self.db.execute("SELECT id, status FROM queue"))

    def answer(self, number):
        return self.db.execute("SELECT agent_response FROM messages WHERE"
                               " id = ?", (number,)).fetchone()[0]


def wire(label, name, number, text):
    return f"[Username: @{name}, {label} ID: {1000 + number}] {text}"


def send(client, agent, text, identity=None):
    """As Broca's agent client does."""
    message = {"role": "user", "content": text, "otid": str(uuid.uuid4())}
    if identity:
        message["sender_id"] = identity
    return client("POST", f"/v1/agents/{agent}/messages",
                  {"messages": [message]})


@pytest.fixture
def identities(source):
    made = [source("POST", "/v1/identities/", {
        "identifier_key": f"broca_user_{uuid.uuid4().hex[:8]}",
        "name": f"User {i}", "identity_type": "user"})["id"]
        for i in range(2)]
    yield made
    for one in made:
        source("DELETE", f"/v1/identities/{one}")


def test_rows_that_may_have_been_sent(source, gate, identities, queue_job):
    agent = seed.seed(source.url, messages=6, archival=0,
                      stub_port=gate.port, name="queue judged")
    queue_job.env.write_text(f"AGENT_ID={agent}\n")
    ada, bob = identities
    queue = Queue(queue_job.old)
    queue.user(1, "telegram", "ada", ada)
    queue.user(2, "web_chat", "bob", bob)
    queue.user(3, "telegram", "eve", None)
    queue.row(1, 1, "processing", 0, "Grüße 👋 \"x\"\\n", minute=True)
    queue.row(2, 1, "processing", 0, "never sent")
    queue.row(3, 2, "pending", 1, "asked twice")
    queue.row(4, 2, "processing", 0, HOLD)
    queue.row(5, 3, "pending", 2, "use the tool roll_die")
    queue.row(6, 1, "pending", 0, "waits")
    queue.row(7, 1, "pending", 1, "Case Matters")
    texts = {n: t for n, t in queue.db.execute(
        "SELECT id, message FROM messages")}
    send(source, agent, wire("Telegram", "ada", 1, texts[1]), ada)
    for _ in range(2):
        send(source, agent, wire("Web_Chat", "bob", 2, texts[3]), bob)
    send(source, agent, wire("Telegram", "eve", 3, texts[5]))
    send(source, agent, wire("Telegram", "ada", 1, "case  matters"), ada)
    flight = threading.Thread(target=send, args=(
        source, agent, wire("Web_Chat", "bob", 2, texts[4]), bob))
    flight.start()
    wait_for("a run in flight", lambda: source(
        "GET", f"/v1/runs/?active=true&agent_id={agent}"))

    queue_job("hold", "MOVE", queue_job.old)
    assert queue.states() == {1: "processing", 2: "processing", 3: "held",
                              4: "processing", 5: "held", 6: "held",
                              7: "held"}
    said = queue_job("judge", "MOVE", queue_job.old)
    assert "6 rows" in said and "2 answered, 0 not, 4 unclear" in said
    assert "row 4, message 4 of web_chat 1002 (bob): held: the agent is " \
        "still at work" in said
    assert queue.states() == {1: "completed", 2: "held", 3: "held",
                              4: "held", 5: "completed", 6: "held",
                              7: "held"}
    assert queue.answer(1).endswith(
        "You said: " + wire("Telegram", "ada", 1, texts[1]))
    assert queue.answer(5).endswith(
        "You said: " + wire("Telegram", "eve", 3, texts[5]))

    gate.opened.set()
    flight.join()
    wait_for("the run's end", lambda: not source(
        "GET", f"/v1/runs/?active=true&agent_id={agent}"))
    said = queue_job("judge", "MOVE", queue_job.old)
    assert "row 3" in said and "more than one message" in said
    assert "row 7" in said and "is like it" in said
    queue_job("release", "MOVE", queue_job.old)
    assert queue.states() == {1: "completed", 2: "pending", 3: "held",
                              4: "completed", 5: "completed", 6: "pending",
                              7: "held"}
    assert HOLD in queue.answer(4)
    assert [queue.answer(n) for n in (2, 3, 6, 7)] == [None] * 4


def test_without_its_server_a_row_is_held(source, queue_job):
    """Nor is an agent that is gone taken for one that did not answer."""
    queue_job.env.write_text(f"AGENT_ID={NOBODY}\n")
    queue = Queue(queue_job.old)
    queue.user(1, "telegram", "ada", "identity-1")
    queue.row(1, 1, "processing", 0, "sent?")
    assert "held: " in queue_job("judge", "MOVE", queue_job.old)
    assert queue.states() == {1: "held"}


def test_a_new_user_goes_back_with_his_block(source, second, queue_job):
    """Identity and block are made at the source's server, once."""
    key = f"broca_user_{uuid.uuid4().hex[:8]}"
    eve = second("POST", "/v1/identities/", {
        "identifier_key": key, "name": "Eve", "identity_type": "user"})["id"]
    block = second("POST", "/v1/blocks/", {
        "label": "human", "value": '{"says": "Grüße"}', "limit": 7000})["id"]
    old = Queue(queue_job.old)
    old.user(1, "telegram", "ada", "identity-1")
    queue_job.env.write_text(f"AGENT_ID={NOBODY}\n")
    queue_job("judge", "MOVE", queue_job.old)
    new = Queue(queue_job.new)
    new.user(1, "telegram", "ada", "identity-9")
    new.user(2, "telegram", "eve", eve, block)
    new.row(1, 2, "pending", 0, "hello")
    queue_job("hold", "REVERSE", queue_job.new)
    for _ in range(2):
        queue_job("back", "REVERSE", queue_job.new, queue_job.old)
        made = old.db.execute("SELECT letta_identity_id, letta_block_id FROM"
                              " letta_users ORDER BY id").fetchall()
        assert len(made) == 2 and made[0] == ("identity-1", "block-x")
        assert old.states() == {1: "pending"}
        found = source("GET", f"/v1/identities/?identifier_key={key}")
        assert [one["id"] for one in found] == [made[1][0]]
        there = source("GET", f"/v1/blocks/{made[1][1]}")
        assert (there["label"], there["value"], there["limit"]) == (
            "human", '{"says": "Grüße"}', 7000)
    marked = [b for b in source("GET", "/v1/blocks/?limit=1000")
              if (b["metadata"] or {}).get("sanctumctl_back") == block]
    assert len(marked) == 1
    source("DELETE", f"/v1/blocks/{made[1][1]}")
    source("DELETE", f"/v1/identities/{made[1][0]}")
    second("DELETE", f"/v1/blocks/{block}")
    second("DELETE", f"/v1/identities/{eve}")
