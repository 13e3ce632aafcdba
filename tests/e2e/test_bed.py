"""The test bed is what it says it is."""

import subprocess
import time
from pathlib import Path

from bed import history, jobs, worker, writer
from bed.site import TARGET_PASSWORD
from bed.wait import wait_for

TARGET = "http://127.0.0.1:18283"


def curl(host, *arguments):
    """Return (status, body) of a request made on a host."""
    done = host.run(["curl", "-s", "-w", "\n%{http_code}", *arguments],
                    check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_hosts_are_reached_by_ssh_with_their_own_key(src, dst):
    for host in (src, dst):
        assert host.ssh("hostname").stdout == f"{host.name}\n"
        # Its own home: another test's run may have left a .cache there.
        said = host.ssh("echo $HOME; ls -A").stdout.split("\n")
        assert said[0] == "/root" and ".ssh" in said
        assert set(said[1:]) <= {".ssh", ".cache", "logs", "sanctum", ""}
    assert src.fingerprint() != dst.fingerprint()
    scan = subprocess.run(["ssh-keyscan", "-t", "ed25519", dst.address],
                          text=True, capture_output=True, check=True)
    assert dst.public_key() in scan.stdout


def test_hosts_are_apart_from_this_machine(src, dst):
    for folder in ("/etc", "/var/lib", "/root", "/home", "/opt", "/srv",
                   "/run", "/tmp"):
        probe = f"{folder}/sanctum-bed-probe"
        dst.run(["touch", probe])
        assert dst.path(probe).exists()
        assert not Path(probe).exists()
        assert not src.path(probe).exists()
        dst.path(probe).unlink()
    seen = dst.run(["ps", "-A", "-o", "args="]).stdout
    assert "sshd" in seen and "pytest" not in seen
    assert dst.run(["hostname"]).stdout != Path("/etc/hostname").read_text()


def test_a_changed_host_key_is_refused(src):
    old = src.fingerprint()
    src.change_host_key()
    assert src.fingerprint() != old
    refused = src.ssh("true", check=False)
    assert refused.returncode == 255 and "changed" in refused.stderr
    src.write_known_hosts()
    assert src.ssh("true").returncode == 0


def test_a_small_file_system_fills_up(src):
    src.small_tmpfs("/srv/small", "1m")
    full = src.run(["dd", "if=/dev/zero", "of=/srv/small/x", "bs=1M",
                    "count=2"], check=False)
    assert "No space left on device" in full.stderr
    src.run(["umount", "/srv/small"])


def test_slow_line_is_slow(bed, src):
    bed.need("slow")
    before = time.monotonic()
    assert src.ssh("hostname", address=src.slow_address).stdout == "src\n"
    # Connecting and one command take more than ten turns of 40 ms.
    assert time.monotonic() - before > 0.4


def test_letta_on_the_target_wants_its_password(target_letta, dst):
    status, _ = curl(dst, f"{TARGET}/v1/agents/")
    assert status == 401
    status, body = curl(dst, "-H", f"Authorization: Bearer {TARGET_PASSWORD}",
                        f"{TARGET}/v1/agents/")
    assert (status, body) == (200, "[]")


def test_letta_knows_the_models_of_the_stand_in(source, bed):
    found = {m["handle"]: m for m in source("GET", "/v1/models/")}
    endpoint = found["openai-proxy/gpt-4o-mini"]["model_endpoint"]
    assert endpoint == f"http://127.0.0.1:{bed.stub_port}/v1"


def test_letta_keeps_its_data_over_a_restart(bed, source, make_agent):
    agent_id = make_agent(messages=10, archival=1)
    bed.source.stop()
    bed.source.start()
    assert len(source.row_ids(agent_id)) == 10


def test_seed_has_more_messages_than_the_export(source, make_agent):
    agent_id = make_agent(messages=320, archival=6)
    exported = source.export_agent(agent_id)["agents"][0]["messages"]
    listed = source.row_ids(agent_id)
    assert len(exported) < len(listed) == 320
    failed = [m for m in source.listing(agent_id)
              if m["message_type"] == "tool_return_message"
              and m["status"] == "error"]
    assert failed
    tagged = source.passages(agent_id)
    assert len(tagged) == 6
    assert all("bed" in p["tags"] for p in tagged)
    assert {p["created_at"] for p in tagged} >= {"2025-03-01T08:00:00Z"}


def test_seeded_agent_uses_its_tool(source, agent_id):
    said = source.say(agent_id, f"please use the tool {history.TOOL_NAME}")
    kinds = [m["message_type"] for m in said]
    assert kinds == ["tool_call_message", "tool_return_message",
                     "assistant_message"]
    assert said[1]["tool_return"] == "1"


def test_second_letta_wants_its_password(second, second_letta, bed):
    assert second("GET", "/v1/agents/") == []
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
         f"{second_letta.url}/v1/agents/"], text=True, capture_output=True)
    assert done.stdout == "401"


def test_certificate_through_nginx_and_certbot(bed, acme, dst):
    dst.path("/etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    dst.path("/etc/nginx/conf.d/site.conf").write_text(
        f"server {{ listen 80; server_name {bed.site};"
        " root /var/www/html; }\n")
    dst.run(["nginx"])
    try:
        dst.run(["certbot", "certonly", "-n", "--webroot", "-w",
                 "/var/www/html", "--server", acme.directory_url,
                 "--agree-tos", "-m", f"ops@{bed.site}", "-d", bed.site,
                 "--cert-name", bed.site],
                env={"REQUESTS_CA_BUNDLE": acme.trust_on(dst)})
        live = f"/etc/letsencrypt/live/{bed.site}"
        chain = dst.run(["cat", f"{live}/fullchain.pem"]).stdout
        local = bed.state_dir / "issued.pem"
        local.write_text(chain)
        subprocess.run(["openssl", "verify", "-CAfile", acme.root_ca(),
                        "-untrusted", local, local], check=True,
                       stdout=subprocess.DEVNULL)
        assert not Path(live).exists()
    finally:
        dst.run(["nginx", "-s", "stop"])
        dst.run(["rm", "-rf", "/etc/letsencrypt",
                 "/etc/nginx/conf.d/site.conf"])


def test_writer_is_consistent(src, worker_tree):
    inside = f"{worker_tree.home}/broca/sanctum.db"
    busy = writer.Writer(src, inside, rate=500, seconds=30)
    busy.wait_written(50)
    copy = f"{worker_tree.home}/copy.db"
    src.run(["sqlite3", "-cmd", ".timeout 30000", inside, f".backup {copy}"])
    made = busy.stop()
    messages, queued = writer.counts(copy, src)
    assert messages == queued
    assert 50 <= messages <= made
    assert writer.counts(inside, src) == (made, made)


def test_worker_tree_has_what_a_copy_may_lose(worker_tree):
    found = worker.manifest(worker_tree.path)
    assert found["broca/btool"] == ("tools/btool.sh",)
    assert found["broca/.env"][0] == "0o600"
    assert found["broca/tools/btool.sh"][0] == "0o755"
    assert found["broca/data/empty folder"] == ("0o750",)
    assert any("日本" in name for name in found)
    assert worker_tree.queue_states() == {
        "completed": 32, "pending": 3, "failed": 4, "processing": 1}
    assert worker_tree.query("PRAGMA journal_mode") == [
        {"journal_mode": "delete"}]
    assert worker_tree.query("PRAGMA integrity_check") == [
        {"integrity_check": "ok"}]


def test_job_names_no_secret(bed, acme, source_letta, src, worker_tree,
                             tmp_path):
    path = jobs.greenfield_job(tmp_path / "job.ini", bed, worker_tree,
                               "agent-1")
    text = path.read_text()
    assert f"address = {src.address}" in text
    assert f"url = {source_letta.url}" in text
    assert TARGET_PASSWORD not in text
    assert TARGET_PASSWORD in jobs.environment().values()
