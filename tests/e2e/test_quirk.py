"""The quirk proxy does to requests what bed/quirk.py says, no more."""

import http.client
import json
import threading
import time
import urllib.parse
import zlib

import pytest

from bed.http import HttpError
from bed.quirk import Quirk
from bed.seed import Client

ROWS = 20
LIST = "GET .*/messages"


@pytest.fixture(scope="module")
def proxy(source_letta):
    with Quirk(source_letta.url) as started:
        yield started


@pytest.fixture
def quirk(proxy):
    proxy.clear()
    return proxy


@pytest.fixture
def client(quirk):
    return Client(quirk.url)


def raw(url):
    """Return (answer, its whole body) with no decoding at all."""
    parts = urllib.parse.urlsplit(url)
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    line.request("GET", parts.path)
    answer = line.getresponse()
    return answer, answer.read()


def test_without_rules_it_is_the_server(quirk, client, source, make_agent):
    agent_id = make_agent(messages=ROWS, archival=1)
    assert client.listing(agent_id) == source.listing(agent_id)
    assert client.passages(agent_id) == source.passages(agent_id)
    whole = source.export_agent(agent_id)
    again = client.import_agent(whole)
    assert len(source.row_ids(again)) == ROWS
    client("PATCH", f"/v1/agents/{again}", {"name": "changed"})
    assert source("GET", f"/v1/agents/{again}")["name"] == "changed"
    client("DELETE", f"/v1/agents/{again}")
    assert not [a for a in source("GET", "/v1/agents/") if a["id"] == again]
    assert quirk.count("POST /v1/agents/import") == 1
    assert quirk.bytes() > len(json.dumps(whole)) / 2


def test_answers_of_its_own(quirk, client):
    quirk.rules({"on": "GET /v1/agents/", "do": "status", "first": 2,
                 "times": 1, "status": 429,
                 "headers": {"Retry-After": "7"}, "body": "later"},
                {"on": "GET /v1/tools/", "do": "html"})
    client("GET", "/v1/agents/")
    with pytest.raises(HttpError, match="429: later"):
        client("GET", "/v1/agents/")
    client("GET", "/v1/agents/")
    with pytest.raises(ValueError):
        client("GET", "/v1/tools/")
    assert quirk.count("GET /v1/agents/") == 3


def test_effects_without_an_answer(quirk, client, source, make_agent):
    agent_id = make_agent(messages=5, archival=0)
    on = "POST .*/archival-memory"
    quirk.rules({"on": on, "do": "cut", "times": 1},
                {"on": on, "do": "acted", "first": 2, "status": 504})
    path = f"/v1/agents/{agent_id}/archival-memory"
    with pytest.raises(OSError):
        client("POST", path, {"text": "one"})
    with pytest.raises(HttpError) as failed:
        client("POST", path, {"text": "two"})
    assert failed.value.status == 504
    assert {p["text"] for p in source.passages(agent_id)} == {"one", "two"}


def test_wrong_lengths_and_cut_bodies(quirk):
    health = f"{quirk.url}/v1/health/"
    whole = raw(health)[1]
    quirk.rules({"on": ".*", "do": "length", "by": -3})
    assert raw(health)[1] == whole[:-3]
    for rule in ({"do": "length", "by": 3}, {"do": "cut", "bytes": 4}):
        quirk.rules({"on": ".*", **rule})
        with pytest.raises(http.client.IncompleteRead):
            raw(health)


def test_bomb_and_flood(quirk):
    quirk.rules({"on": ".*/a", "do": "bomb", "size": 2**24},
                {"on": ".*/b", "do": "flood", "size": 2**20})
    answer, body = raw(f"{quirk.url}/a")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(body) < 2**18 and len(zlib.decompress(body, 31)) == 2**24
    assert len(raw(f"{quirk.url}/b")[1]) == 2**20


def test_slow_and_replaced(quirk):
    quirk.rules({"on": ".*", "do": "slow", "seconds": 0.2},
                {"on": ".*", "do": "replace", "old": "ok", "new": "\x1bko"})
    before = time.monotonic()
    assert b"\x1bko" in raw(f"{quirk.url}/v1/health/")[1]
    assert time.monotonic() - before >= 0.2


def test_listings(quirk, client, source, make_agent):
    agent_id = make_agent(messages=ROWS, archival=0)
    path = f"/v1/agents/{agent_id}/messages?order=asc&limit=8"
    real = source.listing(agent_id)
    assert len({i["id"] for i in real}) == ROWS

    def pages(*rules):
        """Follow the cursor, for five pages at most."""
        quirk.rules(*({"on": LIST, **r} for r in rules))
        found, after = [], ""
        while len(found) < 5 and (not found or found[-1]):
            found.append(client(
                "GET", f"{path}&use_assistant_message=false{after}"))
            after = f"&after={found[-1][-1]['id']}" if found[-1] else ""
        return [[i["id"] for i in p] for p in found]

    plain = pages()
    assert [len(set(p)) for p in plain] == [8, 8, 4, 0]
    assert [len(set(p)) for p in pages({"do": "limit", "limit": 6})] == [
        6, 6, 6, 2, 0]
    assert pages({"do": "repeat", "page": 2}) == [
        plain[0], plain[0], *plain[1:]]
    assert pages({"do": "cycle"}) == [
        plain[0], plain[1], plain[0], plain[1], plain[0]]
    made_up = pages({"do": "endless"})
    assert made_up[:3] == plain[:3] and len(set(made_up[3])) == 8
    assert not set(made_up[3]) & set(made_up[4])
    twins = pages({"do": "twins", "every": 4})
    assert [len(p) for p in twins] == [len(p) for p in plain]
    assert [len(set(p)) for p in twins] == [7, 7, 4, 0]
    odd = {"id": "message-1", "message_type": "user_message"}
    assert pages({"do": "insert", "items": [odd], "page": 2, "at": 1})[1][
        1] == "message-1"


def test_paced_upload_can_be_waited_for(quirk, client, source, make_agent):
    agent_id = make_agent(messages=200, archival=0)
    whole = source.export_agent(agent_id)
    quirk.rules({"on": "POST .*", "do": "pace", "bytes": 200_000})
    sent = threading.Thread(target=client.import_agent, args=(whole,))
    sent.start()
    assert quirk.wait("POST .*/import")
    assert quirk.wait_bytes(17_000)
    assert quirk.count("POST .*/import") == 1
    assert quirk.wait("POST .*/import", done=True)
    sent.join()
    assert not quirk.wait("POST .*/import", n=2, timeout_s=0.01)
