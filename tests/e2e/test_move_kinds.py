"""A worker that runs moves in other settings than cron between two hosts."""

import json
import re

import pytest

from bed import jobs, seed
from bed.channel import Chatter
from bed.loopback import Forward
from bed.mcp import McpClient
from bed.moved_worker import BothLettas, RealLetta
from bed.site import TARGET_PASSWORD
from bed.supervisors import Supervisord
from bed.wait import accepts, free_port, wait_for

#: The real servers of the worker before and after a change of server.
FROM, TO = "0.16.2", "0.16.8"
TOKENS = {jobs.SOURCE_TOKEN: TARGET_PASSWORD,
          jobs.TARGET_TOKEN: TARGET_PASSWORD}

#: Where a worker goes that stays on its host.
SUFFIX = "-new"


def move(sanctumctl, live, job, moved, env=None, rate=5):
    """Apply a job while a user writes; check worker and verdict.

    rate   messages a second; a real server takes few turns in one

    Returns what apply and verify said.
    """
    before = live.say(3)
    live.wait_answered(before)
    chatter = Chatter(live.channel, live.token, live.senders[0], rate)
    try:
        done = sanctumctl("apply", job, env=env)
    finally:
        chatter.stop()
    assert done.rc == 0, done.err + done.out
    assert moved.processes() and not live.processes()
    after = moved.say(3)
    said = [*before, *chatter.said, *after]
    moved.wait_answered(said, 120)
    moved.check(said)
    seen = sanctumctl("verify", job, env=env)
    assert seen.rc == 0, seen.out + seen.err
    return done.out, seen.out


def stood(text):
    """Seconds that the start step says the worker stood."""
    return float(re.search(r"stood (\d+\.\d) s", text)[1])


def here_job(path, host, live, **more):
    """Job of a worker that goes to another directory of its host."""
    return jobs.write(path, [
        jobs.job("workers", f"{live.name}-worker"),
        jobs.host("node1", host),
        jobs.letta("new", live.letta, jobs.TARGET_TOKEN),
        jobs.worker(live.name, live, agent=live.agent, server="new",
                    source="node1", to_path=f"{live.home}{SUFFIX}",
                    **{"trees": "broca", **more})])


def test_under_supervisord(bed, make_live, supervisord, dst, sanctumctl,
                           tmp_path):
    live = make_live()
    name = f"broca-{live.name}"
    text = "; my own\n" + live.program
    with Supervisord(dst) as there:
        supervisord.set(name, text)
        live.wait_up()
        job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca")
        move(sanctumctl, live, job, live.at(dst))
        assert there.state(name) == "RUNNING"
        assert supervisord.state(name) != "RUNNING"
        back = sanctumctl("reverse", job)
        assert back.rc == 0, back.err
        live.wait_up()
        said = live.say(2)
        live.wait_answered(said)
        live.check(said)
        assert there.state(name) != "RUNNING"
    conf = live.host.path(f"/etc/supervisor/conf.d/{name}.conf")
    assert conf.read_text() == text
    conf.unlink()


def test_a_unit_on_its_host(machine, make_unit_live, sanctumctl, tmp_path):
    live = make_unit_live()
    name = f"broca-{live.name}.service"
    machine.unit(name, live.unit)
    live.wait_up()
    moved = live.at(machine, f"{live.home}{SUFFIX}")
    job = here_job(tmp_path / "move.conf", machine, live)
    try:
        move(sanctumctl, live, job, moved)
        assert machine.unit_state(name)[0] != "active"
        machine.run(["systemctl", "start", name], check=False)
        assert not live.processes()
        moved.stop()
        wait_for("its unit starts it again", moved.processes)
        back = sanctumctl("reverse", job)
        assert back.rc == 0, back.err
        assert machine.unit_state(name)[0] == "active"
        live.wait_up()
        left = machine.run(["find", "/etc/systemd", "-name", "*sanctumctl*",
                            "-o", "-name", f"*{live.name}*"]).stdout
        assert sorted(left.split()) == [
            f"/etc/systemd/system/{name}",
            f"/etc/systemd/system/multi-user.target.wants/{name}"]
        said = live.say(2)
        live.wait_answered(said)
        live.check(said)
    finally:
        moved.stop()
        machine.run(["rm", "-rf", str(moved.home)])


def test_a_cron_line_on_its_host(make_live, cron, src, sanctumctl,
                                 tmp_path):
    live = make_live()
    cron.set(live.crontab_line)
    live.start()
    moved = live.at(src, f"{live.home}{SUFFIX}")
    job = here_job(tmp_path / "move.conf", src, live)
    try:
        move(sanctumctl, live, job, moved)
        cron.wait_minutes(2)
        assert len(moved.processes()) == 1 and not live.processes()
    finally:
        cron.set()
        moved.stop()
        src.run(["rm", "-rf", str(moved.home)])


@pytest.mark.parametrize("options", [
    {"slow": True}, {"slow": True, "transport": "openssh"},
    {"transport": "openssh"}], ids=["40ms", "40ms-openssh", "openssh"])
def test_by_another_line(bed, make_live, cron, dst, sanctumctl, tmp_path,
                         options):
    if options.get("slow"):
        bed.need("slow")
    live = make_live()
    cron.set(live.crontab_line)
    live.start()
    job = jobs.live_job(tmp_path / "move.conf", bed, live, trees="broca",
                        host_options=options)
    said, _ = move(sanctumctl, live, job, live.at(dst))
    print(f"stood {stood(said)} s by {options}")


# Real servers


@pytest.fixture(scope="module")
def reached(bed, src, dst):
    """Clients of both servers, whose URLs hold on the hosts, too."""
    servers = bed.lettas(FROM, TO)
    forwards = [Forward(s.port, [src, dst]) for s in servers]
    yield [seed.Client(s.url, TARGET_PASSWORD) for s in servers]
    for forward in forwards:
        forward.stop()


@pytest.fixture
def make_agent_at(bed):
    """Function that makes an agent without memory; removed after the test."""
    made = []

    def make(client, name):
        made.append((client, client("POST", "/v1/agents/", {
            "name": name, "memory_blocks": [], "include_base_tools": False,
            "llm_config": seed.llm_config(bed.stub_port),
            "embedding_config": seed.embedding_config(bed.stub_port)})["id"]))
        return made[-1][1]

    yield make
    for client, agent in made:
        client.delete_agent(agent)


@pytest.fixture
def real_live(reached, make_agent_at, make_live, cron):
    """A worker of the first server that cron keeps running on src."""
    letta = RealLetta(reached[0])
    live = make_live(letta=letta, agent=make_agent_at(reached[0], "kinds"),
                     api_key=TARGET_PASSWORD)
    cron.set(live.crontab_line)
    yield live.start()
    live.stop()
    letta.clean_up()


def users_of(live):
    """{sender: (identity, block)} as its database has them."""
    return {r["id"]: (r["identity"], r["block"]) for r in live.query(
        "SELECT p.platform_user_id AS id, u.letta_identity_id AS identity,"
        " u.letta_block_id AS block FROM letta_users u"
        " JOIN platform_profiles p ON p.letta_user_id = u.id")}


def sender_ids(client, agent):
    """{sender: identities that its turns came with}."""
    found = {}
    for m in client.listing(agent):
        if m["message_type"] == "user_message":
            sender = re.search(r"Telegram ID: (\d+)", m["content"])[1]
            found.setdefault(sender, set()).add(m["sender_id"])
    return found


def in_flight(live, client):
    """Rows that a killed worker has left: (answered by the agent, not)."""
    live.stop()
    answered = live.put("answered", "processing", age_s=60)
    open_row = live.put("never asked", "processing", age_s=50)
    sender = live.senders[0]
    client("POST", f"/v1/agents/{live.agent}/messages", {"messages": [{
        "role": "user", "sender_id": users_of(live)[sender][0],
        "content": f"[Username: @user1, Telegram ID: {sender}] "
                   f"[#{answered}] answered"}]})
    return answered, open_row


def changes_server(sanctumctl, bed, live, reached, dst, tmp_path, agent):
    """Move a worker to another server's agent; check rows and users."""
    old, new = reached
    before = users_of(live)
    answered, open_row = in_flight(live, old)
    live.start()
    job = jobs.live_job(tmp_path / "move.conf", bed, live, target=bed.letta(
        TO), agent_id=agent, trees="broca", stop_wait=3)
    moved = live.at(dst)
    moved.letta = BothLettas([(live.letta, live.agent),
                              (RealLetta(new), agent)])
    move(sanctumctl, live, job, moved, env=TOKENS, rate=0.5)
    rows = moved.rows()
    assert f"[#{answered}]" in rows[answered]["answer"]
    moved.wait_answered([open_row])
    moved.check([open_row, answered], undelivered=[answered])
    after = users_of(moved)
    said = sender_ids(new, agent)
    for sender in live.senders:
        identity, block = after[sender]
        assert identity not in before[sender] and block not in before[sender]
        assert said[sender] == {identity}
        assert (new("GET", f"/v1/blocks/{block}")["value"]
                == old("GET", f"/v1/blocks/{before[sender][1]}")["value"])
        assert (new("GET", f"/v1/identities/{identity}")["identifier_key"]
                == old("GET", f"/v1/identities/{before[sender][0]}")
                ["identifier_key"])
    assert new("GET", f"/v1/agents/{agent}/core-memory/blocks") == []
    moved.stop()
    for identity, block in after.values():
        new("DELETE", f"/v1/identities/{identity}")
        new("DELETE", f"/v1/blocks/{block}")


def test_to_another_server(bed, real_live, reached, make_agent_at, dst,
                           sanctumctl, tmp_path):
    agent = make_agent_at(reached[1], "kinds")
    changes_server(sanctumctl, bed, real_live, reached, dst, tmp_path, agent)


def test_smcp_goes_along(bed, reached, real_live, cron, src, dst, sanctumctl,
                         tmp_path):
    live, client = real_live, reached[0]
    port, moved = free_port(), live.at(dst)
    live.give_smcp(port, "the-smcp-key")
    cron.set(live.crontab_line, live.smcp_line)
    src.run([f"{live.home}/start-{live.name}-smcp.sh"])
    wait_for("SMCP", lambda: accepts(src.address, port))
    client("PATCH", f"/v1/agents/{live.agent}", {"secrets": {"PASS": "1"}})
    entry = client("POST", "/v1/mcp-servers/", {
        "server_name": f"{live.name}-smcp", "config": {
            "mcp_server_type": "sse", "auth_header": "Authorization",
            "server_url": f"http://{src.address}:{port}/sse",
            "auth_token": "Bearer the-smcp-key"}})
    at = f"/v1/mcp-servers/{entry['id']}"
    tools = client("GET", f"{at}/tools")
    for tool in tools:
        client("PATCH", f"/v1/agents/{live.agent}/tools/attach/{tool['id']}")
    job = jobs.live_job(tmp_path / "move.conf", bed, live)
    _, seen = move(sanctumctl, live, job, moved, env=TOKENS, rate=0.5)
    assert moved.smcp_processes() and not live.smcp_processes()
    assert re.search(r"tools of SMCP +same +5 +5 ", seen), seen
    assert client("GET", at)["server_url"] == (
        f"http://{dst.address}:{port}/sse")
    has = client("GET", f"/v1/agents/{live.agent}/tools")
    assert {t["id"] for t in has} == {t["id"] for t in tools}
    with McpClient(f"http://{dst.address}:{port}", "the-smcp-key") as smcp:
        assert json.loads(smcp.run("demo_text__agent", secret="PASS")) == {
            "agent": live.agent, "secret": "1"}

    # What it has no more is seen, and so is its end.
    moved.path.joinpath("smcp/plugins/imap/cli.py").unlink()
    moved.signal_smcp()
    dst.run([f"{moved.home}/start-{live.name}-smcp.sh"])
    wait_for("SMCP", lambda: accepts(dst.address, port))
    seen = sanctumctl("verify", job, env=TOKENS)
    assert seen.rc == 14 and re.search(
        r"tools of SMCP +different .*imap__echo", seen.out), seen.out
    moved.signal_smcp()
    seen = sanctumctl("verify", job, env=TOKENS)
    assert re.search(r"tools of SMCP +different .*nobody listens",
                     seen.out), seen.out
    back = sanctumctl("reverse", job, env=TOKENS)
    assert back.rc == 0, back.err
    assert client("GET", at)["server_url"] == (
        f"http://{src.address}:{port}/sse")
    wait_for("SMCP at the source", lambda: accepts(src.address, port))
    cron.set()
    live.signal_smcp()
    client("DELETE", at)
