"""Backups of a whole server: letta backup, letta check."""

import json
import os
import re
import signal
import stat
import subprocess
import threading

import pytest

from bed import seed
from bed.quirk import Quirk
from bed.wait import wait_for

PASSAGE = "/v1/agents/{}/archival-memory"


@pytest.fixture(scope="module")
def letta(bed):
    return bed.need("source").source


@pytest.fixture(scope="module")
def minds(bed, letta):
    """Three agents: two share a block, one has a name that no file takes."""
    client = seed.Client(letta.url)
    ids = [seed.seed(letta.url, name=f"kept {i}", messages=60, archival=3,
                     stub_port=bed.stub_port) for i in range(3)]
    shared = client("POST", "/v1/blocks/", {"label": "shared",
                                            "value": "by two"})["id"]
    for one in ids[:2]:
        client("PATCH", f"/v1/agents/{one}/core-memory/blocks/attach/"
                        f"{shared}")
    client("PATCH", f"/v1/agents/{ids[2]}", {"name": "AI/ML Expert"})
    yield ids
    for one in ids:
        client.delete_agent(one)


@pytest.fixture(scope="module")
def loose(letta):
    """A block that no agent has."""
    made = letta.call("POST", "/v1/blocks/", {
        "label": "loose", "value": "by nobody"})["id"]
    yield made
    letta.call("DELETE", f"/v1/blocks/{made}")


@pytest.fixture(scope="module")
def whole(minds, loose, letta, program_at, tmp_path_factory):
    """(run, directory) of a full backup, which no test changes."""
    folder = tmp_path_factory.mktemp("whole")
    run = program_at(folder)
    done = run("letta", "backup", letta.url, "letta-backup-20260101",
               "--json")
    assert done.rc == 0, done.err
    assert not list(run.state.glob("backup-*"))
    return run, folder / "letta-backup-20260101"


@pytest.fixture
def backup(sanctumctl, letta, minds):
    """Function that makes a backup; returns its Result and figures."""
    def run(folder, *words, url=letta.url, rc=0):
        done = sanctumctl("letta", "backup", url, folder, "--json", *words)
        assert done.rc == rc, done.err
        figures = [json.loads(line) for line in done.out.splitlines()]
        return done, next((f for f in figures if f["type"] == "backup"), {})
    run.spawn = sanctumctl.spawn
    return run


def index_of(folder):
    return json.loads((folder / "index.json").read_text())


def agents_of(folder):
    return {a["id"]: a for a in index_of(folder)["agents"]}


def findings(run, folder, rc=1):
    done = run("letta", "check", folder, "--json")
    assert done.rc == rc, done.out + done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    return [(f["file"], f["what"]) for f in found
            if f["type"] == "backup_finding"]


def copy_of(folder, to):
    subprocess.run(["cp", "-a", folder, to], check=True)
    return to


def test_a_backup_has_every_agent(whole, minds, loose, letta):
    run, folder = whole
    index, agents = index_of(folder), agents_of(folder)
    there = {a["id"] for a in letta.call("GET", "/v1/agents/?limit=1000")}
    assert set(minds) <= set(agents) and there == set(agents)
    for one in minds:
        assert (agents[one]["messages"], agents[one]["passages"]) == (60, 3)
        manifest = folder / agents[one]["path"] / "manifest.json"
        assert json.loads(manifest.read_text())["agent"]["id"] == one
    assert agents[minds[2]]["name"] == "AI/ML Expert"
    assert sorted(minds[:2]) in [s["agents"] for s in index["shared_blocks"]]
    assert (index["letta"], index["url"]) == (letta.version, letta.url)
    alone, of_two = ({b["id"]: b for b in index["unattached_blocks"]}.get(b)
                     for b in (loose, index["shared_blocks"][0]["block"]))
    assert alone["label"] == "loose" and of_two is None
    assert "by nobody" not in (folder / "index.json").read_text()
    assert "unattached_tools" in index and "providers" in index
    whats = " ".join(loss["what"] for loss in index["losses"])
    assert "blocks that no agent has" in whats
    assert "unattached" not in whats, index["losses"]
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert findings(run, folder, rc=0) == []


def test_a_check_finds_what_was_changed(whole, minds, tmp_path):
    run, folder = whole
    folder = copy_of(folder, tmp_path / "copy")
    at = f"agents/{minds[0]}"
    rows = folder / at / "messages.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"a", b"b", 1))
    (folder / at / "state.json").chmod(0o644)
    (folder / "agents" / minds[1] / "archival.jsonl").unlink()
    (folder / "note.txt").write_text("mine")
    (folder / "note.txt").chmod(0o600)
    found = findings(run, folder)
    text = "\n".join(": ".join(f) for f in found)
    assert f"{at}/messages.jsonl: " in text and "SHA-256" in text
    assert f"{at}/state.json: mode 0644" in text
    assert f"agents/{minds[1]}/archival.jsonl: " in text
    assert "note.txt: the index does not name it" in text
    assert {f[0] for f in found} == {
        "note.txt", f"{at}/messages.jsonl", f"{at}/state.json",
        f"agents/{minds[1]}/archival.jsonl"}, text
    agent = folder / "agents" / minds[2]
    agent.rename(tmp_path / "elsewhere")
    agent.symlink_to(tmp_path / "elsewhere")
    assert (f"agents/{minds[2]}", "it is a link or a file and no bundle; "
            "nothing behind it was read") in findings(run, folder)
    index = index_of(folder)
    index["agents"][1]["messages"] = -1
    (folder / "index.json").write_text(json.dumps(index))
    assert "/agents/1/messages: it is no count" in findings(
        run, folder)[0][1]
    (folder / "index.json").write_text("{}")
    assert "index.json" in findings(run, folder)[0][0]


def test_what_has_not_changed_is_not_read_again(whole, backup, minds, letta,
                                                tmp_path):
    run, first = whole
    total = len(agents_of(first))
    with Quirk(letta.url) as quirk:
        # Another directory, beside nothing: told by --since.
        before = len(quirk.requests())
        letta.call("POST", f"/v1/conversations/?agent_id={minds[1]}", {})
        _, figures = backup(tmp_path / "other", url=quirk.url)
        assert agents_of(tmp_path / "other")[minds[1]]["conversations"] == 1
        requests = quirk.requests()[before:]
        full = len(requests)
        # What the list has said, or was found, is not asked for again; but
        # of one that cannot be exported.
        assert not [r for r in requests if minds[2] not in r and re.search(
            r"/v1/(blocks/[^/?]+/agents|agents/agent-[^/?]+$)", r)]
        assert len([r for r in requests if "/v1/health" in r]) == 1
        assert all("/v1/agents/?" in r or "limit=1" in r
                   for r in requests if requests.count(r) > 1), requests
        letta.call("POST", PASSAGE.format(minds[0]), {"text": "one more"})
        _, figures = backup(tmp_path / "next", "--since",
                            tmp_path / "other", url=quirk.url)
        assert (figures["read"], figures["linked"]) == (1, total - 1)
        before = len(quirk.requests())
        _, figures = backup(tmp_path / "next", url=quirk.url)
        assert (figures["read"], figures["kept"]) == (0, total)
        assert len(quirk.requests()) - before < full / 2
    one, other = (tmp_path / d / "agents" / minds[1] / "messages.jsonl"
                  for d in ("other", "next"))
    assert one.stat().st_ino == other.stat().st_ino
    assert agents_of(tmp_path / "next")[minds[0]]["passages"] == \
        agents_of(tmp_path / "other")[minds[0]]["passages"] + 1
    assert findings(run, tmp_path / "next", rc=0) == []


def test_a_killed_backup_is_gone_on_with(whole, backup, minds, letta,
                                         tmp_path):
    run, _ = whole
    folder = tmp_path / "killed"
    with Quirk(letta.url) as quirk:
        quirk.rules({"on": f"GET .*/{minds[2]}/export", "do": "slow",
                     "seconds": 60})
        killed = backup.spawn("letta", "backup", quirk.url, folder,
                              "--jobs", "2")
        quirk.wait(f"GET .*/{minds[2]}/export")
        partial = folder / "index.partial.json"
        wait_for("the others", lambda: partial.exists() and all(
            a.get("path") for a in json.loads(partial.read_text())["agents"]
            if a["id"] != minds[2]))
        children = open(f"/proc/{killed.pid}/task/{killed.pid}/children"
                        ).read().split()
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        wait_for("its children to end", lambda: not any(
            os.path.exists(f"/proc/{c}") for c in children))
        assert not (folder / "index.json").exists()
        assert findings(run, folder)[0][0] == "index.partial.json"
        quirk.clear()
        _, figures = backup(folder, url=quirk.url)
        assert figures["read"] == 1
        assert figures["kept"] == figures["agents"] - 1
    assert findings(run, folder, rc=0) == []


def test_one_that_fails_does_not_stop_the_rest(whole, backup, minds, letta,
                                               tmp_path):
    run, _ = whole
    folder = tmp_path / "letta-backup-20200101"
    with Quirk(letta.url) as quirk:
        quirk.rules({"on": f"GET .*/{minds[1]}/export", "do": "status",
                     "status": 500, "body": '{"detail":"says the quirk"}'},
                    {"on": f"GET .*/{minds[0]}/core-memory/blocks",
                     "do": "status", "status": 503, "times": 2,
                     "headers": {"Retry-After": "0"}})
        done, figures = backup(folder, url=quirk.url, rc=3)
        assert figures["failed"] == 1
        assert figures["read"] == figures["agents"] - 1
        assert minds[1] in done.err and "says the quirk" in done.err
        entry = agents_of(folder)[minds[1]]
        assert "says the quirk" in entry["failed"] and "path" not in entry
        (file, what), = findings(run, folder)
        assert file == "index.json" and minds[1] in what
        quirk.clear()
        _, figures = backup(folder, url=quirk.url)
        assert (figures["read"], figures["failed"]) == (1, 0)
        # It keeps no old backup for ever, but the last that has it.
        quirk.rules({"on": f"GET .*/{minds[1]}/export", "do": "status",
                     "status": 500, "body": "{}"})
        letta.call("POST", PASSAGE.format(minds[1]), {"text": "one more"})
        for day in (2, 3):
            _, figures = backup(tmp_path / f"letta-backup-2020010{day}",
                                "--keep", "1", url=quirk.url, rc=3)
            assert figures["removed"] == day - 2
        assert sorted(p.name[-1] for p in tmp_path.glob("letta-*")) == [
            "1", "3"]


def test_a_writer_is_noticed_and_named(whole, backup, minds, letta,
                                       tmp_path):
    since = ("--since", whole[1])
    ended = threading.Event()

    def write():
        while not ended.is_set():
            letta.call("POST", PASSAGE.format(minds[0]), {"text": "more"})
            ended.wait(0.1)  # or the server does nothing else

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done, figures = backup(tmp_path / "busy", *since, rc=3)
    finally:
        ended.set()
        writer.join()
    assert figures["changed"] == 1 and figures["failed"] == 0
    busy = agents_of(tmp_path / "busy")[minds[0]]
    assert busy["changed_during"] == "passages"
    # Like nothing, so that it is read again whatever it is by then.
    assert busy["fingerprint"] == {}
    assert f"{minds[0]} (kept 0) changed" in done.err
    _, figures = backup(tmp_path / "busy")
    assert (figures["read"], figures["changed"]) == (1, 0)


FULL = """
mount -t tmpfs -o size=200k small {disk} || exit 99
{program} letta backup {url} {disk}/b >{out}/first 2>&1; echo $? >>{out}/first
find {disk} >{out}/left
mount -o remount,size=100m {disk} || exit 99
{program} letta backup {url} {disk}/b >{out}/second 2>&1
echo $? >>{out}/second
{program} letta check {disk}/b >>{out}/second 2>&1; echo $? >>{out}/second
"""


def test_a_full_disk(minds, letta, program_path, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    script = FULL.format(
        disk=disk, out=tmp_path, url=letta.url,
        program=f"{program_path} --state {tmp_path / 'state'}")
    subprocess.run(["unshare", "-m", "sh", "-c", script], check=True)
    first = (tmp_path / "first").read_text()
    assert first.endswith("\n1\n"), first
    assert str(disk) in first and "no space left" in first
    left = (tmp_path / "left").read_text()
    assert "partial-" not in left and ".new" not in left
    second = (tmp_path / "second").read_text()
    assert second.count("\n0\n") == 2, second


def test_older_backups_go_by_their_age(whole, backup, minds, tmp_path):
    foreign = tmp_path / "letta-backup-20180101"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("stays")
    (tmp_path / "letta-backup-20190101").symlink_to(foreign)
    copy_of(whole[1], tmp_path / "letta-backup-20200101")
    for day in (2, 3):
        _, figures = backup(tmp_path / f"letta-backup-2020010{day}",
                            "--keep", "2")
        assert figures["removed"] == (1 if day == 3 else 0)
        # The newest sibling is what is taken from.
        assert figures["linked"] > 0
    assert sorted(p.name for p in tmp_path.glob("*backup-*")) == [
        f"letta-backup-{d}" for d in (20180101, 20190101, 20200102,
                                      20200103)]
    assert (foreign / "mine.txt").exists()
    done, _ = backup(tmp_path / "undated", "--keep", "2", rc=2)
    assert "YYYYMMDD" in done.err
