"""A move killed at any instant ends in exactly one agent, whole.

Twenty kills while the source is paged, twenty while the file is uploaded, and
twenty while passages are inserted, half of them one by one and half in
batches.  The seed of the instants is printed; SANCTUM_BED_SEED sets it.
"""

import os
import random
import time
from collections import namedtuple

import pytest

from bed import mixed_seed
from bed.moving import Moving, clean, each
from bed.seed import Client
from bed.site import TARGET_PASSWORD

SOURCE, ONE_BY_ONE, IN_BATCHES = "0.16.2", "0.16.2", "0.16.8"
MESSAGES, FEW, MANY = 60, 4, 60
PREFIX = "killed"
PAGE, UPLOAD_A_SECOND = 8, 250_000

Phase = namedtuple("Phase", "name side on target passages kills")

READ = "GET .*/(messages|archival-memory)"
PHASES = (
    Phase("paging", "here", READ, IN_BATCHES, FEW, 20),
    Phase("upload", "there", "POST /v1/agents/import", IN_BATCHES, FEW, 20),
    Phase("backfill", "there", "POST .*/archival-memory", ONE_BY_ONE,
          2 * FEW, 10),
    Phase("backfill by batches", "there",
          "POST .*/(archival-memory|passages/batch)", IN_BATCHES, MANY, 10))

HABITS = {"here": [{"on": READ, "do": "limit", "limit": PAGE}],
          "there": [{"on": "POST /v1/agents/import", "do": "pace",
                     "bytes": UPLOAD_A_SECOND}]}


@pytest.fixture(scope="module")
def servers(bed):
    versions = sorted({SOURCE, *(p.target for p in PHASES)})
    found = dict(zip(versions, bed.lettas(*versions)))
    yield found
    for server in found.values():
        clean(Client(server.url, TARGET_PASSWORD), PREFIX)


@pytest.fixture(scope="module")
def planted(bed, servers):
    """Function that makes an agent with so many passages on the source."""
    made = {}

    def plant(passages):
        if passages not in made:
            made[passages] = mixed_seed.plant(
                Client(servers[SOURCE].url, TARGET_PASSWORD),
                f"{PREFIX} {passages}", stub_port=bed.stub_port,
                messages=MESSAGES, passages=passages, companion=False,
                live=False)
        return made[passages]

    yield plant
    for one in made.values():
        one.remove()


@pytest.fixture(params=PHASES, ids=lambda p: p.name.replace(" ", "-"))
def phase(request):
    return request.param


@pytest.fixture
def new_move(phase, servers, planted, program_at, tmp_path):
    """Function that gives a move of its own, with the habits that slow the
    phase down; enter it."""
    agent_id = planted(phase.passages).agent

    def make(number):
        folder = tmp_path / f"{phase.name.replace(' ', '-')}-{number}"
        folder.mkdir()
        return Moving(folder, program_at(folder), servers[SOURCE],
                      servers[phase.target], agent_id,
                      f"{PREFIX} by {phase.name} {number}")
    return make


def slow_down(move):
    move.here.rules(*HABITS["here"])
    move.there.rules(*HABITS["there"])


def measure(phase, new_move):
    """Return requests and seconds of the phase in an undisturbed run."""
    with new_move("never") as move:
        slow_down(move)
        side = getattr(move, phase.side)
        running = move.start("apply")
        assert side.wait(phase.on), running.communicate()
        begun = time.monotonic()
        said = running.communicate()
        took_s = time.monotonic() - begun
        assert running.returncode == 0, said
        faults = move.faults()
        assert not faults, faults
        move.remove()
        return side.count(phase.on), took_s


def kill(move, phase, instant, count, took_s):
    """Kill the apply at a share of the phase; say whether it was alive."""
    slow_down(move)
    side = getattr(move, phase.side)
    nth = 1 + int(instant * count)
    running = move.start("apply")
    side.wait(phase.on, nth)
    # The rest of the share is time between two requests.
    time.sleep((instant * count) % 1 * took_s / count)
    alive = running.poll() is None
    running.kill()
    running.communicate()
    return alive


def loose_blocks(client):
    """Ids of blocks that no agent has."""
    held = {b["id"] for a in client("GET", "/v1/agents/?limit=1000")
            for b in a["memory"]["blocks"]}
    return {b["id"] for b in client("GET", "/v1/blocks/?limit=1000")} - held


def test_kills_leave_exactly_one_agent(phase, new_move, servers):
    seed = os.environ.get("SANCTUM_BED_SEED") or str(
        random.SystemRandom().randrange(10**6))
    print(f"SANCTUM_BED_SEED={seed}")
    target = Client(servers[phase.target].url, TARGET_PASSWORD)
    loose = loose_blocks(target)
    count, took_s = measure(phase, new_move)
    assert count > 0
    instants, alive = random.Random(f"{seed} {phase.name}"), []

    def attempt(number, instant):
        with new_move(number) as move:
            alive.append(kill(move, phase, instant, count, took_s))
            faults = move.finish()
            move.remove()
        return faults

    lines = each([instants.random() for _ in range(phase.kills)], attempt)
    assert not lines, "\n".join([f"seed {seed}", *lines])
    # A run that had ended before its kill proves nothing.
    assert sum(alive) >= phase.kills // 2
    assert loose_blocks(target) <= loose
