"""Listings as hosted servers were seen to give them, and worse.

Short pages, pages that come again, one id on two rows, rows of failed runs,
listings without an end: nothing is lost, nothing comes twice, and what has no
end ends with an error.
"""

import pytest

from bed import mixed_seed
from bed.moving import Moving, clean
from bed.seed import Client
from bed.site import TARGET_PASSWORD

SOURCES, TARGET = ("0.11.3", "0.16.2"), "0.16.8"
MESSAGES, PASSAGES = 70, 12
PREFIX = "habits"

LISTED = "GET .*/messages"
STORED = "GET .*/archival-memory"
PAGE = 9


@pytest.fixture(scope="module")
def servers(bed):
    versions = (*SOURCES, TARGET)
    found = dict(zip(versions, bed.lettas(*versions)))
    yield found
    for server in found.values():
        clean(Client(server.url, TARGET_PASSWORD), PREFIX)


@pytest.fixture(scope="module")
def planted(bed, servers):
    made = {version: mixed_seed.plant(
        Client(servers[version].url, TARGET_PASSWORD),
        f"{PREFIX} {version}".replace(".", "-"), stub_port=bed.stub_port,
        messages=MESSAGES, passages=PASSAGES, companion=False, live=False)
        for version in SOURCES}
    yield made
    for one in made.values():
        one.remove()


@pytest.fixture(params=SOURCES)
def version(request):
    return request.param


@pytest.fixture
def move(request, version, servers, planted, program_at, tmp_path):
    """A move from the version's agent; what it made is removed."""
    folder = tmp_path / "move"
    folder.mkdir()
    word = request.node.originalname.removeprefix("test_").replace("_", " ")
    with Moving(folder, program_at(folder), servers[version],
                servers[TARGET], planted[version].agent,
                f"{PREFIX} {word[:30].strip()}") as one:
        yield one
        one.remove()


def arrives(move, *rules):
    """Apply and verify under these rules; all must be there and the same."""
    move.here.rules(*rules)
    applied = move.run("apply")
    assert applied.rc == 0, applied.err
    verified = move.run("verify")
    assert verified.rc == 0, verified.out + verified.err
    assert not move.faults()
    return applied, verified


def test_pages_shorter_than_asked_for(move):
    arrives(move, {"on": LISTED, "do": "limit", "limit": PAGE},
            {"on": STORED, "do": "limit", "limit": 5})
    assert move.here.count(LISTED) > MESSAGES // PAGE
    assert move.here.count(STORED) > PASSAGES // 5


@pytest.mark.parametrize("page", [2, 4])
def test_a_page_that_comes_again(move, page):
    arrives(move, {"on": LISTED, "do": "limit", "limit": PAGE},
            {"on": LISTED, "do": "repeat", "page": page},
            {"on": STORED, "do": "limit", "limit": 5},
            {"on": STORED, "do": "repeat", "page": 2})


def test_one_id_on_two_rows(move):
    """Both rows arrive, and the program says that there were such ids."""
    applied, _ = arrives(move, {"on": LISTED, "do": "twins", "every": 7})
    assert "stand for more than one row; each row is kept" in applied.err


@pytest.mark.parametrize("sign", [{"status": "error"}, {"is_err": True}],
                         ids=["status", "is_err"])
def test_rows_of_failed_runs_are_left_out_and_counted(move, sign):
    half = {"id": "message-00000000-0000-4000-8000-00000000dead",
            "message_type": "assistant_message", "content": "Half an ans",
            "date": "2025-03-01T08:30:00+00:00", "otid": None, **sign}
    applied, _ = arrives(move, {"on": LISTED, "do": "insert",
                                "items": [half], "at": 5})
    assert "1 rows: left out: a row of a failed run" in applied.out


def goes_nowhere(move, words, *rules):
    """Apply ends with an error, and without the habit the move is made."""
    move.here.rules(*rules)
    done = move.measure("apply")
    assert done.rc == 1, done.err
    assert words in done.err, done.err
    assert not move.made()
    assert not move.finish()


def test_pages_in_a_circle(move):
    goes_nowhere(move, "circle",
                 {"on": LISTED, "do": "limit", "limit": PAGE},
                 {"on": LISTED, "do": "cycle", "pages": 3})
    assert move.here.count(LISTED) < 20


@pytest.mark.parametrize("version", SOURCES[1:])
def test_a_listing_without_an_end(move):
    goes_nowhere(move, "no end", {"on": LISTED, "do": "endless",
                                  "size": 50_000})
