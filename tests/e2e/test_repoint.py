"""The same worker for another agent: all holders of its id, or none."""

import json
import os

import pytest

from bed import worker
from bed.paths import TOP

OLD = "agent-11111111-1111-4111-8111-111111111111"
NEW = "agent-22222222-2222-4222-8222-222222222222"


@pytest.fixture
def made(tmp_path):
    """A worker of this machine, with its id in each place that may have it."""
    one = worker.make_worker("sage", agent_id=OLD, url="http://127.0.0.1:9",
                             token="hush-hush", home=tmp_path / "sage",
                             random_bytes=10)
    worker.write(one.path / "start-smcp.sh", "#!/bin/sh\n"
                 f"export LETTA_AGENT_ID='{OLD}'\ncd /x/{OLD}/smcp\n", 0o755)
    worker.write(one.broca / "settings.json", json.dumps(
        {"agent": {"id": OLD}, "message_mode": "live"}, indent=3), 0o600)
    return one


def texts(made):
    return {path: path.read_bytes() for path in sorted(made.path.rglob("*"))
            if path.is_file()}


def wanted(before, made):
    """The same with the new id, but for the path in the script."""
    after = dict(before)
    for name in ("broca/.env", "smcp/.env", "broca/settings.json"):
        path = made.path / name
        after[path] = before[path].replace(OLD.encode(), NEW.encode())
    path = made.path / "start-smcp.sh"
    after[path] = before[path].replace(b"'" + OLD.encode(),
                                       b"'" + NEW.encode())
    return after


def test_there_and_back(made, sanctumctl):
    before = texts(made)
    shown = sanctumctl("worker", "repoint", "--dry-run", made.home, NEW)
    assert shown.rc == 4, shown.err
    assert f"+AGENT_ID={NEW}" in shown.out and "hush" not in shown.out
    assert texts(made) == before and not sanctumctl.state.exists()
    done = sanctumctl("worker", "repoint", made.home, NEW)
    # The directory that the script enters is left to a person.
    assert done.rc == 3 and "start-smcp.sh:3" in done.out, done.err
    assert texts(made) == wanted(before, made)
    again = sanctumctl("worker", "repoint", made.home, NEW)
    assert again.rc == 3 and "nothing to do" in again.out
    back = sanctumctl("worker", "repoint", "--reverse", made.home)
    assert back.rc == 0, back.err
    assert texts(made) == before
    modes = {path.stat().st_mode & 0o777 for path in before
             if path.name == "start-smcp.sh"}
    assert modes == {0o755}


def test_what_cannot_be_told_back_is_refused(made, sanctumctl):
    env = made.smcp / ".env"
    env.write_text(env.read_text() + f"OTHER={NEW}\n")
    before = texts(made)
    done = sanctumctl("worker", "repoint", made.home, NEW)
    assert done.rc == 15 and f"names {NEW} already" in done.err
    assert texts(made) == before
    for words in ((made.home, "agent-x"), (made.home,),
                  ("--reverse", made.home, NEW), ("--reverse", made.home)):
        assert sanctumctl("worker", "repoint", *words).rc == 2


def test_killed_anywhere_the_same_command_finishes(made, sanctumctl,
                                                   monkeypatch):
    before = texts(made)
    after = wanted(before, made)
    monkeypatch.setenv("SANCTUMCTL", os.environ.get("SANCTUMCTL_FAULTS") or
                       str(TOP / "build/faults/sanctumctl"))
    ways = [(("worker", "repoint", made.home, NEW), after, 3),
            (("worker", "repoint", "--reverse", made.home), before, 0)]
    for point in range(1, 40):
        ended = []
        for words, there, code in ways:
            done = sanctumctl(*words, env={
                "SANCTUMCTL_FAULT_STOP": str(point)})
            ended.append(done.rc)
            assert done.rc in (code, 99), done.err
            for path, text in texts(made).items():
                assert text in (before[path], after[path])
            assert sanctumctl(*words).rc == code
            assert texts(made) == there
        if 99 not in ended:
            break
    assert 6 < point < 39
    # Begun and not finished: another id has to wait.
    stopped = sanctumctl(*ways[0][0], env={
        "SANCTUMCTL_FAULT_STOP": str(point - 2)})
    assert stopped.rc == 99
    other = sanctumctl("worker", "repoint", made.home, NEW.replace("2", "3"))
    assert other.rc == 15 and "was begun" in other.err
