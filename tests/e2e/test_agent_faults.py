"""A move between servers that fail or lie, and the same command afterwards.

A proxy (bed/quirk.py) stands before each real server.  Whatever it does, the
program ends within bounds, says nothing that it must not say, and one
further run finishes the move: one agent, everything in it, nothing twice.
"""

import pytest

from bed import mixed_seed
from bed.moving import Moving, clean, each
from bed.seed import Client
from bed.site import TARGET_PASSWORD

SOURCE, TARGET = "0.16.2", "0.16.8"
MESSAGES, PASSAGES = 40, 3
PREFIX = "faulty"

CHANGE = "(POST|PATCH|PUT|DELETE) .*"
LISTED = "GET .*/messages"

#: Exit codes of a move that may be gone on with.
MAY_GO_ON = {0, 1, 10, 75}
PEAK_KIB = 256 * 1024

ESCAPE = "\\u001b]0;owned\\u0007\\u001b[31m"
UP = "../../../v1/tools/"


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
def new_move(request, servers, planted, program_at, tmp_path):
    """Function that gives a move of its own; enter it."""
    word = request.node.originalname.removeprefix("test_")[:20].strip("_")

    def make(number):
        folder = tmp_path / f"{word}-{number}".replace("_", "-")
        folder.mkdir()
        return Moving(folder, program_at(folder), *servers, planted.agent,
                      f"{PREFIX} {word} {number}".replace("_", " "))
    return make


@pytest.fixture
def finished(new_move):
    """Function that disturbs one move, again and again, then finishes and
    removes it.

    number     of the move
    rules      (side, rule) for one run each
    wanted     exit codes that the disturbed runs may have
    until      the exit code that ends them early
    """
    def attempt(number, rules, *, wanted=MAY_GO_ON, until=None):
        lines = []
        with new_move(number) as move:
            for side, rule in rules:
                getattr(move, side).rules(rule)
                done = move.measure("apply")
                lines += [f"{rule}: {line}" for line in
                          improper(done, wanted) + strange_paths(move)]
                if done.rc == until:
                    break
            lines += move.finish()
            move.remove()
        return lines
    return attempt


def improper(done, wanted):
    """What a disturbed run did that it must not."""
    lines, said = [], done.out + done.err
    if done.rc not in wanted:
        lines.append(f"exit {done.rc}: {said[-600:]}")
    if done.rc != 0 and "sanctumctl: " not in done.err:
        lines.append(f"exit {done.rc} without a word")
    if any(ord(c) < 32 and c != "\n" for c in said):
        lines.append(f"control characters: {said!r}")
    if TARGET_PASSWORD in said:
        lines.append("the token was printed")
    if done.peak_kib > PEAK_KIB:
        lines.append(f"{done.peak_kib} KiB of memory")
    return lines


def strange_paths(move):
    return [f"asked for {asked}" for quirk in (move.here, move.there)
            for asked in quirk.requests()
            if ".." in asked.partition("?")[0]]


def changes(new_move):
    """How many requests of an undisturbed move change the target."""
    with new_move("whole") as move:
        assert not move.finish()
        count = move.there.count(CHANGE)
        assert not move.here.count(CHANGE), "the source was changed"
        move.remove()
    return count


@pytest.mark.parametrize("habit", [
    {"do": "cut"}, {"do": "acted", "status": 502}], ids=["cut", "502"])
def test_the_answer_to_any_change_is_lost(habit, new_move, finished):
    """The server has acted, each time on another one of the requests."""
    count = changes(new_move)
    assert count > PASSAGES
    lines = each(range(1, count + 1), lambda number, nth: finished(
        number, [("there", {"on": CHANGE, "first": nth, "times": 1,
                            **habit})]))
    assert not lines, "\n".join(lines)


def refusal(on, status, **more):
    return {"on": on, "do": "status", "status": status, "body": "not now",
            "headers": {"Retry-After": "1"}, **more}


PASSING = (("here", "GET /v1/health/"), ("here", LISTED),
           ("here", "GET .*/export"), ("there", "GET /v1/tools/"),
           ("there", LISTED), ("there", "POST /v1/agents/import"),
           ("there", "PATCH .*"),
           ("there", "POST .*/(archival-memory|passages/batch)"))


def test_refusals_that_pass(finished):
    def attempt(number, passing):
        side, on = passing
        # Whatever is only read is asked for again by itself.
        return finished(
            number, [(side, refusal(on, status, times=1))
                     for status in (429, 502, 504)], until=0,
            wanted={0} if on.startswith("GET") else MAY_GO_ON)

    lines = each(PASSING, attempt)
    assert not lines, "\n".join(lines)


def test_a_server_that_stays_away(finished):
    lines = each([503, 429], lambda number, status: finished(
        number, [("here", refusal(LISTED, status))], wanted={1, 10, 75}))
    assert not lines, "\n".join(lines)


def test_a_token_that_ends_during_the_move(finished):
    """It is refused at a later request each time, until one run is done."""
    lines = each(["here", "there"], lambda number, side: finished(
        number, [(side, {"on": ".*", "do": "status", "status": 401,
                         "body": '{"detail":"Unauthorized"}', "first": nth})
                 for nth in range(2, 40, 4)], wanted={0, 12}, until=0))
    assert not lines, "\n".join(lines)


HABITS = [{"do": "html"}, {"do": "bomb"}, {"do": "flood"},
          {"do": "length", "by": 10}, {"do": "length", "by": -10},
          {"do": "cut"}, {"do": "cut", "bytes": 100},
          {"do": "acted", "status": 200, "body": "[" * 100_000},
          {"do": "acted", "status": 200, "body": '{"id": 1e999999999}'},
          {"do": "acted", "status": 200, "body": ""},
          {"do": "acted", "status": 302,
           "headers": {"Location": "http://127.0.0.1:9/"}}]
HOSTILE = (("here", LISTED), ("here", "GET .*/export"),
           ("there", "GET /v1/tools/"), ("there", LISTED))


def test_hostile_answers(finished):
    lines = each(HOSTILE, lambda number, at: finished(
        number, [(at[0], {"on": at[1], **habit}) for habit in HABITS],
        wanted=range(1, 128)))
    assert not lines, "\n".join(lines)


def test_an_answer_to_the_import_that_is_none(finished):
    """The agent is there, but its id is a path, or another's."""
    answers = [f'{{"agent_ids":["{UP}"]}}', '{"agent_ids":[]}',
               '{"agent_ids":["agent-00000000-0000-4000-8000-000000000000"]}',
               '{"agent_ids":["a","b"]}', f'{{"detail":"{ESCAPE}"}}']
    lines = each(answers, lambda number, body: finished(
        number, [("there", {"on": "POST /v1/agents/import", "do": "acted",
                            "status": 200, "body": body})],
        wanted=range(0, 128)))
    assert not lines, "\n".join(lines)


def test_names_that_move_a_terminal(new_move):
    """Escapes in names, errors and ids come out harmless."""
    name = f'"name":"{PREFIX} source"'
    rules = [
        {"on": "GET .*", "do": "replace", "old": name,
         "new": name[:-1] + ESCAPE + '"'},
        {"on": "GET .*", "do": "replace", "old": "mixed_roll",
         "new": "mixed_roll" + ESCAPE},
        {"on": LISTED, "do": "replace", "old": "message-",
         "new": f"message-{ESCAPE}"},
        {"on": LISTED, "do": "replace", "old": "message-",
         "new": f"message-{UP}"},
        {"on": LISTED, "do": "replace", "old": "user_message",
         "new": f"user_message{ESCAPE}"},
        {"on": LISTED, "do": "replace", "old": "2025-03-01T",
         "new": f"{ESCAPE}T"},
        {"on": "GET .*", "do": "status", "status": 400,
         "body": '{"detail":"%s no"}' % ESCAPE},
        {"on": "GET .*", "do": "status", "status": 400,
         "body": "\x1b[31m plain text"},
        {"on": "GET .*", "do": "acted", "status": 400,
         "headers": {"Content-Type": "\x1b[31m"}, "body": "\x9b31m"}]

    def attempt(number, rule):
        # What was staged under such words is not what is there now: this
        # move is not finished.
        with new_move(number) as move:
            move.here.rules(rule)
            done = move.measure("apply")
            lines = improper(done, range(0, 128)) + strange_paths(move)
            move.remove()
        return lines

    lines = each(rules, attempt)
    assert not lines, "\n".join(lines)
