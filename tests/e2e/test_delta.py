"""What an agent says after it was read, and before its worker stands."""

import os
import signal

import pytest

from bed import jobs, look, seed, worker
from bed.site import TARGET_PASSWORD, TARGET_PORT

TARGET = f"http://127.0.0.1:{TARGET_PORT}"
NAME = "delta"


@pytest.fixture
def job(bed, acme, source_letta, target_letta, src, tmp_path):
    """A small greenfield job; its agent's id."""
    source = seed.Client(bed.source.url)
    agent_id = seed.seed(bed.source.url, messages=20, archival=2, name=NAME,
                         stub_port=bed.stub_port)
    users = seed.Users(source)
    made = worker.make_worker(NAME, agent_id=agent_id, url=bed.source.url,
                              token="old", on=bed.src, users=users)
    yield jobs.greenfield_job(tmp_path / "delta.conf", bed, made,
                              agent_id), agent_id
    made.remove()
    source.delete_agent(agent_id)
    users.remove()


def interrupted(run, job, line, act):
    """Apply; hold it when it says that line, and act then.

    act   gets the process, which stands
    Returns exit code, and all that was said.
    """
    with run.spawn("apply", job, stderr=-1) as running:
        said = []
        for got in running.stderr:
            said.append(got)
            if line in got:
                running.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, running.pid, os.WSTOPPED)
                act(running)
                running.send_signal(signal.SIGCONT)
                break
        else:
            pytest.fail("".join(said))
        out, err = running.communicate(timeout=300)
    return running.returncode, out + "".join(said) + err


def test_what_is_said_before_the_freeze_comes_too(bed, job, sanctumctl):
    path, agent_id = job
    source = seed.Client(bed.source.url)
    target = look.HostClient(bed.dst, TARGET, TARGET_PASSWORD)
    before = look.server(target)
    copying = f"worker.{NAME}.copy ..."

    def say(words):
        return lambda _: source.say(agent_id, words)

    # A run that is killed after the import; the next one imports again
    # while the worker runs, and once more while it stands.
    code, said = interrupted(sanctumctl, path, copying,
                             lambda running: running.kill())
    assert code == -signal.SIGKILL, said
    source.say(agent_id, "said between two runs")
    code, said = interrupted(sanctumctl, path, copying,
                             say("said while it is copied"))
    assert code == 0, said
    assert f"agent.{NAME}.import: " in said
    assert f"worker.{NAME}.delta: {NAME} imported again" in said

    there, = [a for a in target("GET", "/v1/agents/?limit=1000")
              if a["name"] == NAME]
    rows = look.rows(target, there["id"])
    assert rows == look.rows(source, agent_id)
    assert "said while it is copied" in str(rows)
    assert there["id"] in bed.dst.path(
        f"/root/sanctum/agents/{NAME}/broca/.env").read_text()
    # What has worked at the target is not taken away any more.
    assert sanctumctl("reverse", path).rc == 0
    source.say(agent_id, "said after the way back")
    forth = sanctumctl("plan", path)
    assert forth.rc == 4, forth.err
    assert f"+ worker.{NAME}.start" in forth.out
    assert f"+ agent.{NAME}." not in forth.out
    assert target("GET", f"/v1/agents/{there['id']}")["name"] == NAME
    assert sanctumctl("cancel", path).rc == 0
    assert look.server(target) == before
