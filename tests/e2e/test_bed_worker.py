"""The bed's worker, channel and supervisors do what the originals do."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from bed.channel import Chatter
from bed.http import HttpError, call
from bed.loopback import Forward
from bed.mcp import McpClient
from bed.moved_worker import RealLetta
from bed.wait import accepts, free_port, wait_for

PROBE = "BEGIN IMMEDIATE; ROLLBACK;"


def pid_file(worker):
    return worker.broca / "run/broca.pid"


def set_env(worker, **values):
    path = worker.broca / ".env"
    path.write_text(path.read_text()
                    + "".join(f"{k}={v}\n" for k, v in values.items()))


def in_flight(worker, letta):
    """Start the worker and leave it within a turn; returns its number."""
    letta.hold()
    worker.spawn()
    said = worker.say()
    wait_for("a turn", lambda: letta.in_flight() == 1)
    return said[0]


def probe(worker):
    """True if a writer gets the database's lock at once."""
    return worker.host.run(["sqlite3", worker.database, PROBE],
                           check=False).returncode == 0


# Queue


def test_users_are_answered_once_and_in_their_own_blocks(make_live,
                                                         fake_letta):
    worker = make_live()
    worker.spawn()
    said = worker.say(6)
    worker.wait_answered(said)
    worker.check(said)
    first = fake_letta.messages[worker.agent][0]
    assert first["content"] == ("[Username: @user1, Telegram ID: 1001]"
                                " [#1] hello")
    users = worker.query("SELECT letta_identity_id AS i FROM letta_users")
    assert first["sender_id"] == users[0]["i"]
    assert fake_letta.agent_blocks(worker.agent) == []
    assert worker.channel.waiting(worker.token) == 0


@pytest.mark.parametrize("what", ["lost", "asked", "sent", "state", "409"])
def test_check_finds_what_a_move_may_break(make_live, fake_letta, channel,
                                           what):
    worker = make_live()
    worker.spawn()
    said = worker.say(2)
    worker.wait_answered(said)
    worker.check(said)
    if what == "lost":
        worker.sql("PRAGMA foreign_keys = OFF; DELETE FROM queue"
                   " WHERE id = 1")
    elif what == "asked":
        fake_letta.turn(worker.agent, {"messages": [
            {"content": fake_letta.said_by_users(worker.agent)[0]}]})
    elif what == "sent":
        channel.sent.append(channel.sent[0])
    elif what == "state":
        worker.sql("UPDATE queue SET status = 'held' WHERE id = 2")
    else:
        with pytest.raises(HttpError):
            # Ended by the worker's next poll.
            call("POST", f"{channel.url}/bot{worker.token}/getUpdates",
                 {"timeout": 20})
    with pytest.raises(AssertionError):
        worker.check(said)


def test_row_states_are_broca_s(make_live, fake_letta):
    worker = make_live()
    fake_letta.hold()
    fresh = worker.put("left just now", "processing", age_s=100)
    stale = worker.put("left long ago", "processing", age_s=400)
    others = [worker.put("rests", s) for s in ("failed", "flushed", "held")]
    later = worker.put("came later")
    worker.spawn()
    wait_for("a turn", lambda: fake_letta.in_flight() == 1)
    # A stale row goes behind what waits; its attempts stay as they were.
    assert worker.rows()[later]["status"] == "processing"
    assert worker.rows()[stale]["status"] == "pending"
    assert worker.rows()[stale]["attempts"] == 0
    fake_letta.release()
    worker.wait_answered([stale, later])
    rows = worker.rows()
    assert rows[fresh]["status"] == "processing"
    assert [rows[n]["status"] for n in others] == ["failed", "flushed",
                                                   "held"]
    assert rows[later]["processed"] == 1


def test_a_failed_turn_is_asked_again(make_live, fake_letta):
    worker = make_live()
    fake_letta.fail = 500
    worker.spawn()
    said = worker.say()
    wait_for("a second attempt", lambda: said[0] in worker.rows()
             and worker.rows()[said[0]]["attempts"] > 0)
    fake_letta.fail = None
    worker.wait_answered(said)
    worker.check(said)


def test_debug_mode_is_on_when_it_is_not_named(make_live, fake_letta):
    worker = make_live()
    path = worker.broca / ".env"
    path.write_text("".join(line for line in path.open()
                            if not line.startswith("DEBUG_MODE")))
    worker.spawn()
    said = worker.say()
    worker.wait_answered(said)
    assert worker.channel.sent[0][1].startswith("[Username: @user1, ")
    assert not worker.asked()


def test_the_nearest_env_above_main_is_read(make_live):
    worker = make_live()
    (worker.broca / ".env").rename(worker.path / ".env")
    worker.spawn()
    worker.wait_answered(worker.say())


def test_the_environment_beats_the_file(make_live, fake_letta):
    worker = make_live()
    other = fake_letta.make_agent()
    worker.spawn(AGENT_ID=other)
    worker.wait_answered(worker.say())
    assert len(fake_letta.said_by_users(other)) == 1
    assert not worker.asked()


def test_another_user_s_block_under_the_label(make_live, fake_letta):
    """409 is taken for "already attached", and the detach then fails."""
    worker = make_live()
    block = fake_letta.post_block({"label": "human", "value": "somebody"})
    fake_letta.attach(worker.agent, block["id"])
    worker.spawn()
    said = worker.say()
    wait_for("an answer again", lambda: worker.asked()[said[0]] > 1)


def test_real_letta_takes_its_turns(bed, src, make_live, source, make_agent):
    """What the fake answers, real Letta answers too."""
    agent = make_agent(messages=4, archival=0)
    letta = RealLetta(source)
    forward = Forward(bed.source.port, [src])
    worker = make_live(letta=letta, agent=agent)
    try:
        worker.spawn()
        said = worker.say(3)
        worker.wait_answered(said)
        worker.check(said)
        users = [m for m in source.listing(agent)
                 if m["message_type"] == "user_message"][-3:]
        assert users[0]["content"].startswith("[Username: @user1, Telegram ")
        row = worker.query("SELECT letta_identity_id AS i FROM letta_users")
        assert [m["sender_id"] for m in users] == [r["i"] for r in row]
        left = source("GET", f"/v1/agents/{agent}/core-memory/blocks")
        assert "human" not in [b["label"] for b in left]
    finally:
        worker.stop()
        forward.stop()
        letta.clean_up()


# Start and stop


def test_a_pid_file_of_any_live_process_prevents_the_start(make_live):
    worker = make_live()
    # The host's first process has number 1.
    pid_file(worker).write_text("1")
    done = worker.host.run(["python3", "main.py"],
                           cwd=f"{worker.home}/broca")
    assert "already running" in done.stdout
    pid_file(worker).write_text("4194999")
    worker.spawn()


def test_without_its_agent_it_does_not_start_and_says_0(make_live,
                                                        fake_letta):
    worker = make_live(agent="agent-that-is-not")
    done = worker.host.run(["python3", "main.py"],
                           cwd=f"{worker.home}/broca")
    assert done.returncode == 0 and "not found" in done.stdout


def test_term_in_a_turn_leaves_rows_and_block(make_live, fake_letta):
    worker = make_live()
    set_env(worker, BED_GRACE="0.5")
    number = in_flight(worker, fake_letta)
    second, third = worker.put("second"), worker.put("third")
    assert pid_file(worker).exists()
    worker.signal()
    wait_for("the pid file to go", lambda: not pid_file(worker).exists())
    assert worker.processes()
    worker.wait_down()
    rows = worker.rows()
    # Once it leaves the one, it takes the next and leaves that too.
    assert rows[number]["status"] == rows[second]["status"] == "processing"
    assert rows[third]["status"] == "pending"
    assert len(fake_letta.agent_blocks(worker.agent)) == 1
    # Letta ends the turns all the same: the answers are there to be found.
    fake_letta.release()
    wait_for("the answers", lambda: len(
        fake_letta.messages[worker.agent]) == 4)
    assert probe(worker) and not worker.channel.sent


def test_one_more_row_is_taken_after_term(make_live, fake_letta):
    worker = make_live()
    in_flight(worker, fake_letta)
    second = worker.put("second")
    third = worker.put("third")
    worker.signal()
    wait_for("the pid file to go", lambda: not pid_file(worker).exists())
    fake_letta.release()
    worker.wait_down()
    rows = worker.rows()
    assert rows[second]["status"] == "completed"
    assert rows[third]["status"] == "pending"


@pytest.mark.parametrize("hang", ["1", "kill"])
def test_a_hanging_worker_holds_the_lock(make_live, fake_letta, hang):
    worker = make_live()
    set_env(worker, BED_HANG=hang, BED_GRACE="0.2")
    number = in_flight(worker, fake_letta)
    worker.signal()
    wait_for("the lock", lambda: not probe(worker))
    assert worker.processes() and not pid_file(worker).exists()
    assert worker.rows()[number]["status"] == "processing"
    worker.signal()
    if hang == "kill":
        assert worker.processes() and not probe(worker)
        worker.signal(signal.SIGKILL)
    worker.wait_down()
    assert probe(worker)


def test_locked_at_its_start_it_stays_up_and_idle(make_live):
    worker = make_live()
    number = worker.put("waits")
    worker.put("left long ago", "processing", age_s=400)
    holder = worker.host.spawn(
        ["python3", "-c", "import sqlite3, sys, time;"
         "d = sqlite3.connect(sys.argv[1], isolation_level=None);"
         "d.execute('BEGIN IMMEDIATE'); time.sleep(60)", worker.database])
    wait_for("the lock", lambda: not probe(worker))
    process = worker.spawn()
    log = worker.host.state_dir / f"{worker.name}.log"
    wait_for("the queue to die", lambda: "database is locked"
             in log.read_text(), alive=process.alive)
    holder.stop()
    assert worker.processes() and worker.rows()[number]["status"] == "pending"


# Channel


def test_two_pollers_of_one_token_conflict(make_live, dst, channel):
    worker = make_live()
    worker.spawn()
    there = worker.at(dst)
    there.path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(worker.path, there.path, symlinks=True)
    pid_file(there).unlink()
    assert channel.conflicts(worker.token) == 0
    there.spawn()
    wait_for("a conflict", lambda: channel.conflicts(worker.token) > 0)


def test_updates_wait_while_nobody_polls(make_live):
    worker = make_live()
    said = worker.say(3)
    worker.spawn()
    worker.wait_answered(said)
    worker.stop()
    more = worker.say(3)
    assert worker.channel.waiting(worker.token) == 3
    worker.spawn()
    worker.wait_answered(more)
    worker.check(said + more)


def test_a_killed_poller_is_no_conflict(make_live):
    worker = make_live()
    for _ in range(3):
        worker.spawn()
        worker.signal(signal.SIGKILL)
        worker.wait_down()
        pid_file(worker).unlink()
    worker.spawn()
    said = worker.say(2)
    worker.wait_answered(said)
    worker.check(said)


def test_a_move_by_hand_keeps_the_queue(make_live, dst, cron):
    """What the tests of the move ask, asked of one that is known good."""
    worker = make_live()
    cron.set(worker.crontab_line)
    worker.wait_up()
    user = Chatter(worker.channel, worker.token, worker.senders[0], rate=20)
    wait_for("some answers", lambda: len(worker.channel.answers()) > 5)
    cron.set()
    worker.stop()
    there = worker.at(dst)
    there.path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(worker.path, there.path, symlinks=True)
    there.start()
    wait_for("some more", lambda: len(worker.channel.answers()) > 20)
    said = user.stop()
    there.wait_answered(said)
    there.check(said)
    assert there.processes() and not worker.processes()


# SMCP


def start_smcp(worker, *words, **env):
    """Start it on the host's own address; return (Process, URL)."""
    port = free_port()
    env.setdefault("MCP_API_KEY", "bed-mcp-key")
    process = worker.spawn_smcp("--allow-external", "--port", str(port),
                                *words, **env)
    address = worker.host.address
    wait_for("SMCP", lambda: accepts(address, port), alive=process.alive)
    return process, f"http://{address}:{port}"


def test_smcp_lists_and_runs_its_plugins(make_live, fake_letta):
    worker = make_live(agent=fake_letta.make_agent(TOKEN="of this agent"))
    fake_letta.make_agent(TOKEN="of another")
    process, url = start_smcp(worker)
    assert McpClient(url).status == 401
    with McpClient(url, "bed-mcp-key") as smcp:
        assert smcp.info["serverInfo"]["name"] == "sanctum-letta-mcp"
        assert sorted(smcp.tools()) == [
            "demo_text__agent", "demo_text__echo", "imap__agent",
            "imap__echo", "sanctum__tools"]
        said = smcp.run("demo_text__echo", message="hello")
        assert json.loads(said) == {"result": "hello"}
        said = smcp.run("demo_text__agent", secret="TOKEN")
        assert json.loads(said) == {"agent": worker.agent,
                                    "secret": "of this agent"}
        assert "tool_not_attached" in smcp.run("demo_text__none")
        assert smcp.ask("nothing/known")["code"] == -32602
    process.stop()


def test_smcp_reads_no_env_file(make_live, fake_letta):
    worker = make_live(agent=fake_letta.make_agent(TOKEN="of the first"))
    fake_letta.make_agent(TOKEN="of the last")
    (worker.smcp / ".env").write_text("")
    process, url = start_smcp(worker, LETTA_SERVER_URL=fake_letta.url,
                              LETTA_API_KEY="bed-key")
    with McpClient(url, "bed-mcp-key") as smcp:
        said = json.loads(smcp.run("demo_text__agent", secret="TOKEN"))
    # No agent named: the secrets of all of them.
    assert said == {"agent": None, "secret": "of the last"}
    process.stop()


def test_smcp_wants_a_key_to_be_reached_from_outside(make_live):
    worker = make_live()
    process = worker.spawn_smcp("--allow-external", MCP_API_KEY="")
    assert process.wait() == 2


# Cron and screen


def test_cron_brings_a_stopped_worker_back(make_live, cron):
    worker = make_live()
    cron.set("MAILTO=\"\"", worker.crontab_line)
    worker.wait_up()
    first = worker.processes()
    said = worker.say()
    worker.wait_answered(said)
    cron.wait_minutes(2)
    assert worker.processes() == first
    listed = worker.host.run(["screen", "-list"], check=False).stdout
    assert f".broca-{worker.name}\t" in listed
    worker.signal()
    wait_for("another process", lambda: worker.processes()
             and worker.processes() != first)
    cron.set(f"# {worker.crontab_line}")
    worker.stop()
    cron.wait_minutes(2)
    assert cron.alive() and not worker.processes()
    worker.check(said)


# Other supervisors


def test_a_unit_is_restarted_until_it_is_disabled(machine, make_unit_live):
    worker = make_unit_live()
    name = f"broca-{worker.name}.service"
    machine.unit(name, worker.unit)
    worker.wait_up()
    first = worker.processes()
    worker.signal(signal.SIGKILL)
    wait_for("another process", lambda: worker.processes()
             and worker.processes() != first)
    said = worker.say(2)
    worker.wait_answered(said)
    machine.ssh(f"systemctl disable --now {name}")
    worker.wait_down()
    assert machine.unit_state(name) == ("inactive", "disabled")
    machine.ssh(f"systemctl enable --now {name}")
    more = worker.say(2)
    worker.wait_answered(more)
    worker.check(said + more)


def test_a_user_s_unit_runs_without_a_login(machine, make_unit_live):
    machine.add_user("broca")
    worker = make_unit_live(home="/home/broca/sanctum/agents/sage")
    machine.run(["chown", "-R", "broca", "/home/broca"])
    name = "broca-sage.service"
    machine.unit(name, worker.unit.replace("multi-user", "default"),
                 user="broca")
    worker.wait_answered(worker.say())
    assert machine.unit_state(name, user="broca") == ("active", "enabled")
    pid = worker.processes()[0]
    assert "Uid:\t1000\t" in Path(f"/proc/{pid}/status").read_text()
    machine.remove_unit(name, user="broca")
    worker.wait_down()
    machine.run(["loginctl", "disable-linger", "broca"])
    machine.systemctl("stop", "user@1000")
    machine.run(["userdel", "broca"])


def test_supervisord_restarts_a_worker(make_live, supervisord):
    worker = make_live()
    program = f"broca-{worker.name}"
    supervisord.set(program, worker.program)
    worker.wait_up()
    first = worker.processes()
    worker.signal(signal.SIGKILL)
    wait_for("another process", lambda: worker.processes()
             and worker.processes() != first)
    said = worker.say(2)
    worker.wait_answered(said)
    supervisord.ctl("stop", program)
    assert supervisord.state(program) == "STOPPED"
    assert not worker.processes()
    worker.check(said)
