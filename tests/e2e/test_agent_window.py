"""raw_read: the source's list of messages in context always comes back.

A window on the source's rows is opened and closed by changing that list.
Whatever happens between, the next run puts it back as it was.
"""

import pytest

from bed import mixed_seed
from bed.moving import Moving, clean
from bed.seed import Client
from bed.site import TARGET_PASSWORD

SOURCE, TARGET = "0.16.2", "0.16.8"
MESSAGES, PASSAGES = 60, 1
PREFIX = "window"
OPENS = "PATCH /v1/agents/.*"


@pytest.fixture(scope="module")
def servers(bed):
    found = bed.lettas(SOURCE, TARGET)
    yield found
    for server in found:
        clean(Client(server.url, TARGET_PASSWORD), PREFIX)


@pytest.fixture(scope="module")
def planted(bed, servers):
    made = mixed_seed.plant(
        Client(servers[0].url, TARGET_PASSWORD), f"{PREFIX} source",
        stub_port=bed.stub_port, messages=MESSAGES, passages=PASSAGES,
        companion=False, live=False)
    yield made
    made.remove()


@pytest.fixture
def move(request, servers, planted, program_at, tmp_path):
    folder = tmp_path / "move"
    folder.mkdir()
    word = request.node.originalname.removeprefix("test_").replace("_", " ")
    with Moving(folder, program_at(folder), *servers, planted.agent,
                f"{PREFIX} {word[:30].strip()}", raw_read="yes") as one:
        yield one
        one.remove()


def in_context(move):
    return move.source("GET", f"/v1/agents/{move.agent_id}")["message_ids"]


def test_an_undisturbed_window_is_closed(move):
    before = in_context(move)
    assert not move.finish()
    opened = move.here.count(OPENS)
    assert opened > 0 and opened % 2 == 0
    assert in_context(move) == before


@pytest.mark.parametrize("kill", [(OPENS, 1), ("GET .*/export", 2),
                                  (OPENS, 2)],
                         ids=["opened", "exported", "closed"])
def test_a_kill_leaves_a_window_that_the_next_run_closes(move, kill):
    before = in_context(move)
    # So that the kill falls behind this request and before the next.
    move.here.rules({"on": ".*", "do": "slow", "seconds": 0.2})
    on, nth = kill
    running = move.start("apply")
    assert move.here.wait(on, nth)
    running.kill()
    running.communicate()
    move.here.wait(on, nth, done=True)
    assert not move.finish()
    assert in_context(move) == before


@pytest.mark.parametrize("habit", [
    {"do": "cut"}, {"do": "acted"}, {"do": "status", "status": 502}],
    ids=["cut", "acted", "refused"])
@pytest.mark.parametrize("nth", [1, 2], ids=["opening", "closing"])
def test_a_window_whose_answer_is_lost_is_closed(move, nth, habit):
    before = in_context(move)
    move.here.rules({"on": OPENS, "first": nth, "times": 1, **habit})
    done = move.measure("apply")
    assert done.rc in (0, 1, 10, 75), done.err
    assert not move.finish()
    assert in_context(move) == before


def test_cancel_closes_a_window(move):
    before = in_context(move)
    move.here.rules({"on": OPENS, "first": 2, "do": "status"})
    assert move.measure("apply").rc != 0
    assert in_context(move) != before
    move.here.clear()
    assert move.run("cancel").rc == 0
    assert in_context(move) == before
