"""An agent by hand: list, export, import, diff; bundles on real servers."""

import hashlib
import json
import os
import signal
import stat

import pytest

from bed import jobs, legacy, look, seed
from bed.site import TARGET_PASSWORD
from bed.wait import wait_for

CANARY = "canary-export-6c1d9e02"


@pytest.fixture
def by_hand(sanctumctl, tmp_path, source_letta, second_letta):
    """The program, and a job file that names both servers."""
    job = jobs.agent_job(tmp_path / "both.conf", source_letta, second_letta,
                         "agent-11111111-1111-4111-8111-111111111111")

    def run(*words, **more):
        return sanctumctl("agent", *words, **more)

    run.source, run.second = f"{job}#cloud", f"{job}#new"
    run.spawn, run.state, run.top = sanctumctl.spawn, sanctumctl.state, \
        sanctumctl
    return run


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def only_agent(client, name):
    found = [a["id"] for a in client("GET", "/v1/agents/?limit=1000")
             if a["name"] == name]
    assert len(found) == 1, found
    return found[0]


def job_of(result):
    """The job file that an import with --json names first."""
    first = lines(result)[0]
    assert first["type"] == "job"
    return first["path"]


def test_list_pages_through_all_agents(by_hand, source, source_letta):
    made = [source("POST", "/v1/agents/", {
        "name": f"crowd {i}", "agent_type": "letta_v1_agent",
        "llm_config": seed.llm_config(15999), "include_base_tools": False,
        "embedding_config": seed.embedding_config(15999),
        "memory_blocks": []})["id"] for i in range(53)]
    # A PATCH takes any name.
    source("PATCH", f"/v1/agents/{made[7]}", {"name": "evil \x1b[31m"})
    listed = by_hand("list", source_letta.url, "--json")
    assert listed.rc == 0, listed.err
    agents = lines(listed)
    assert [a["id"] for a in agents if a["id"] in made] == made
    assert len({a["id"] for a in agents}) == len(agents)
    there = {a["id"] for a in source("GET", "/v1/agents/?limit=1000")}
    assert {a["id"] for a in agents} == there
    text = by_hand("list", source_letta.url)
    assert text.rc == 0 and "\x1b" not in text.out
    assert "evil \\x1b[31m" in text.out
    for one in made:
        source.delete_agent(one)


def test_a_server_needs_its_token(by_hand, second_letta):
    refused = by_hand("list", second_letta.url)
    assert refused.rc == 12, refused.err
    listed = by_hand("list", second_letta.url,
                     env={"LETTA_API_KEY": TARGET_PASSWORD})
    assert listed.rc == 0, listed.err
    host = second_letta.url.removeprefix("http://")
    leaked = by_hand("list", f"http://me:{TARGET_PASSWORD}@{host}")
    assert leaked.rc == 2
    assert TARGET_PASSWORD not in leaked.err + leaked.out


@pytest.fixture
def exported(by_hand, make_agent, source, tmp_path):
    """(agent, directory) of an export, the agent's variables set."""
    agent = make_agent(messages=320, archival=12, name="Sage of old")
    source("PATCH", f"/v1/agents/{agent}", {
        "tool_exec_environment_variables": {"API": CANARY}})
    done = by_hand("export", by_hand.source, agent, "sage", "--json")
    assert done.rc == 0, done.err
    said, = lines(done)
    assert (said["form"], said["messages"], said["passages"]) == (
        "bundle", 320, 12)
    return agent, tmp_path / "sage"


def test_an_export_is_private_and_sealed(exported, by_hand):
    _, folder = exported
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {f["path"]: f for f in manifest["files"]}
    there = {str(p.relative_to(folder)) for p in folder.rglob("*")
             if p.is_file()}
    assert there == set(files) | {"manifest.json"}
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    for name, known in files.items():
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == known["sha256"]
        assert len(data) == known["size"]
        if name.endswith(".jsonl"):
            assert data.count(b"\n") == known["rows"]
        assert CANARY.encode() not in data
        assert TARGET_PASSWORD.encode() not in data
    assert '"API"' in (folder / "losses.json").read_text()
    # The journal of the reading is gone, and nothing lies beside it.
    assert not list(by_hand.state.glob("*"))
    assert not [p for p in folder.parent.iterdir() if "partial" in p.name]


def test_a_bundle_is_the_agent_without_its_server(
        exported, by_hand, source, second, second_letta):
    agent, folder = exported
    same = by_hand("diff", "sage", by_hand.source, agent)
    assert same.rc == 0, same.out + same.err
    source.delete_agent(agent)
    before = look.server(second)
    planned = by_hand("import", "sage", by_hand.second, "--name", "Sage two",
                      "--dry-run")
    assert planned.rc == 4, planned.err
    assert not look.differences(before, look.server(second))
    done = by_hand("import", "sage", by_hand.second, "--name", "Sage two",
                   "--json")
    assert done.rc == 0, done.out + done.err
    there = only_agent(second, "Sage two")
    for words in (("sage", by_hand.second, there),
                  (second_letta.url, there, second_letta.url, there)):
        compared = by_hand("diff", *words, "--json",
                           env={"LETTA_API_KEY": TARGET_PASSWORD})
        assert compared.rc == 0, compared.out + compared.err
        assert lines(compared)[-1]["verdict"] == "same"
    # The same command again finds everything done, and makes no second one.
    again = by_hand("import", "sage", by_hand.second, "--name", "Sage two")
    assert again.rc == 0 and "nothing to do" in again.out
    assert only_agent(second, "Sage two") == there
    job = job_of(done)
    for path in by_hand.state.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert TARGET_PASSWORD.encode() not in data, path
            assert CANARY.encode() not in data, path
    assert by_hand.top("verify", job).rc == 0
    second("POST", f"/v1/agents/{there}/archival-memory", {"text": "new"})
    assert by_hand("diff", "sage", by_hand.second, there).rc == 14
    assert by_hand.top("cancel", job).rc == 0
    assert not look.differences(before, look.server(second))


def test_an_import_that_was_killed_goes_on(exported, by_hand, second):
    running = by_hand.spawn("agent", "import", "sage", by_hand.second)
    wait_for("the import to arrive", lambda: any(
        "incoming" in a["name"]
        for a in second("GET", "/v1/agents/?limit=1000")))
    running.kill()
    running.communicate()
    done = by_hand("import", "sage", by_hand.second)
    assert done.rc == 0, done.out + done.err
    there = only_agent(second, "Sage of old")
    assert len(second.passages(there)) == 12
    assert by_hand("diff", "sage", by_hand.second, there).rc == 0


def test_a_changed_bundle_is_refused(exported, by_hand, second):
    _, folder = exported
    before = look.server(second)
    path = folder / "messages.jsonl"
    text = path.read_text()
    path.write_text(text.replace("Plain words", "Other words", 1))
    done = by_hand("import", "sage", by_hand.second)
    assert done.rc == 1
    assert "messages.jsonl" in done.err and "SHA-256" in done.err
    assert not look.differences(before, look.server(second))


def test_a_killed_export_leaves_no_half_bundle(by_hand, make_agent,
                                               tmp_path):
    agent = make_agent(messages=1200, archival=4)
    for at_once in (True, False):
        running = by_hand.spawn("agent", "export", by_hand.source, agent,
                                "big")
        if not at_once:
            wait_for("the export to write", lambda: running.poll() is not None
                     or list(tmp_path.glob(".big.partial-*")))
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        if (tmp_path / "big").exists():     # it was faster
            assert (tmp_path / "big/manifest.json").exists()
            break
    else:
        done = by_hand("export", by_hand.source, agent, "big")
        assert done.rc == 0, done.err
    assert not list(tmp_path.glob(".big.partial-*"))
    assert by_hand("diff", "big", by_hand.source, agent).rc == 0
    # What is there is never replaced.
    again = by_hand("export", by_hand.source, agent, "big")
    assert again.rc == 2 and "something is there already" in again.err


def test_a_plain_agent_file(exported, by_hand, second, tmp_path):
    agent, _ = exported
    done = by_hand("export", by_hand.source, agent, "sage.af")
    assert done.rc == 0, done.err
    assert "12 archival passages" in done.err
    fit = by_hand("lint", "sage.af")
    assert fit.rc == 0, fit.out
    path = tmp_path / "sage.af"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CANARY not in path.read_text()
    # Any server takes it.
    there = second.import_agent(json.loads(path.read_text()))
    assert len(second.row_ids(there)) == 320
    second.delete_agent(there)
    brought = by_hand("import", "sage.af", by_hand.second, "--name", "Third")
    assert brought.rc == 0, brought.out + brought.err
    assert by_hand("diff", "sage.af", by_hand.second,
                   only_agent(second, "Third")).rc == 0


def test_an_agent_file_of_version_1(by_hand, second, bed, tmp_path):
    old = legacy.legacy_file(seed.agent_file("Old", 40, bed.stub_port),
                             legacy.VERSIONS[0])
    (tmp_path / "old.af").write_text(json.dumps(old, indent=1))
    done = by_hand("import", "old.af", by_hand.second, "--json")
    assert done.rc == 0, done.out + done.err
    there = only_agent(second, "Old")
    assert len(second.row_ids(there)) == 40
    assert by_hand.top("cancel", job_of(done)).rc == 0


def test_a_job_may_come_from_a_bundle(exported, by_hand, second,
                                      second_letta, tmp_path):
    agent, folder = exported
    job = jobs.write(tmp_path / "from.conf", [
        jobs.job("agent", "from-bundle"),
        jobs.letta("new", second_letta, jobs.TARGET_TOKEN),
        ("agent sage", {"from": f"bundle:{folder}", "to": "new"})])
    assert by_hand.top("check", job).rc == 0
    assert by_hand.top("plan", job).rc == 4
    done = by_hand.top("apply", job)
    assert done.rc == 0, done.out + done.err
    assert by_hand.top("verify", job).rc == 0
    (folder / "extra").write_text("x")
    assert by_hand.top("verify", job).rc == 1
    assert by_hand.top("cancel", job).rc == 0
    assert not [a for a in second("GET", "/v1/agents/?limit=1000")
                if a["name"] == "Sage of old"]


@pytest.mark.parametrize("words, code", [
    (("export", "nowhere", "agent-1", "x"), 2),
    (("export", "{source}", "sage", "x"), 2),
    (("export", "{source}", "agent-11111111-1111-4111-8111-111111111111",
      "x"), 1),
    (("export", "{source}", "agent-11111111-1111-4111-8111-111111111111",
      "no/where"), 1),
    (("import", "nowhere", "{second}"), 1),
    (("import", ".", "{second}"), 1),
    (("import", "both.conf", "{second}"), 1),
    (("import", "both.conf", "{second}", "--tools", "burn"), 1),
    (("diff", "nowhere", "nowhere"), 1),
    (("diff", "{source}", "sage", "{second}", "sage"), 2),
    (("list", "both.conf#other"), 2),
    (("list", "http://127.0.0.1:9"), 10),
    (("list",), 2),
    (("burn",), 2),
])
def test_words_that_cannot_be(by_hand, words, code):
    said = [w.format(source=by_hand.source, second=by_hand.second)
            for w in words]
    done = by_hand(*said, "--json")
    assert done.rc == code, done.err
    assert lines(done)[-1]["type"] == "error"
    assert done.err.startswith("sanctumctl: ")


def test_lint_judges_a_bundle(exported, by_hand):
    _, folder = exported
    sound = by_hand("lint", "sage", "--json")
    assert sound.rc == 0, sound.err
    assert lines(sound)[-1]["found"] == 0
    (folder / "stray").write_text("x")
    (folder / "archival.jsonl").unlink()
    wrong = by_hand("lint", "sage", "--json")
    assert wrong.rc == 14
    files = {f["file"] for f in lines(wrong) if f["type"] != "bundle"}
    assert files == {"stray", "archival.jsonl"}
