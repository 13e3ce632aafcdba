"""The bed of scripts/demo: a source, a target, and a job file between them.

    python3 -m bed.demo DIR

brings everything up, writes DIR/greenfield.conf with its secrets beside it,
then DIR/ready, and stays until it gets SIGTERM; all of it ends with it.
SIGUSR1 ends who writes to the worker, and is answered with DIR/quiet.
"""

import signal
import sys
import threading
from pathlib import Path

from bed import jobs, seed, worker
from bed.site import TARGET_PASSWORD, Bed
from bed.writer import Writer

MESSAGES = 340
PASSAGES = 30
WRITER_SECONDS = 900


def secret(path, text):
    """A file that its owner alone reads, from the first byte on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return f"file:{path}"


def write_job(folder, bed, made, agent_id):
    old_token = secret(folder / "token.cloud", "not-asked-for")
    new_token = secret(folder / "token.new", TARGET_PASSWORD)
    return jobs.write(folder / "greenfield.conf", [
        jobs.job("greenfield", "demo", switch="manual"),
        jobs.host("old", bed.src),
        jobs.host("node1", bed.dst),
        ("letta cloud", {"url": bed.source.url, "token": old_token}),
        ("letta new", {"host": "node1", "version": bed.target_version,
                       "token": new_token}),
        ("edge node1", {
            "site": bed.site, "ade": f"{bed.site}:8283",
            "acme_email": f"ops@{bed.site}",
            "acme_server": bed.acme.directory_url,
            "acme_ca_file": bed.acme.trust_on(bed.dst),
            "ca_file": bed.acme.root_ca(),
            "connect_to": bed.dst.address}),
        jobs.agent("sage", agent_id),
        jobs.worker("sage", made, agent="sage")])


def main():
    folder = Path(sys.argv[1]).resolve()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Bed(state_dir=folder / "bed") as bed:
        agent_id = seed.seed(
            bed.source.url, name="sage", messages=MESSAGES,
            archival=PASSAGES, stub_port=bed.stub_port)
        made = worker.make_worker(
            "sage", agent_id=agent_id, url=bed.source.url,
            token="old-token", on=bed.src,
            users=seed.Users(seed.Client(bed.source.url)))
        writer = Writer(bed.src, f"{made.home}/broca/sanctum.db", rate=100,
                        seconds=WRITER_SECONDS)
        job = write_job(folder, bed, made, agent_id)
        exported = len(seed.Client(bed.source.url).export_agent(
            agent_id)["agents"][0]["messages"])

        def be_quiet(*_):
            writer.stop()
            (folder / "quiet").touch()

        signal.signal(signal.SIGUSR1, be_quiet)
        (folder / "ready").write_text(
            f"agent {agent_id}: {MESSAGES} messages ({exported} in its "
            f"export), {PASSAGES} passages\njob {job}\n")
        while not stop.wait(1):
            pass  # a signal is taken between two waits
        writer.stop()


if __name__ == "__main__":
    main()
