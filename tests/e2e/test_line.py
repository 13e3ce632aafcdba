"""Lines that break, stall or end in a file system that takes nothing.

Each time the same command, once all is well, finishes what it began.  The
target is behind the slow line: there a tree is long enough on its way to be
met.
"""

import os
import signal
from pathlib import Path

import pytest

from bed import jobs, worker
from bed.wait import wait_for

from conftest import OTHER_AGENT

#: Seconds after which a host counts as lost, here.
SILENCE = 5

#: Bytes that take the slow line about a second.
BIG = 16 << 20
SOME = 1 << 20

over_both = pytest.mark.parametrize("transport", jobs.TRANSPORTS)


@pytest.fixture
def moved(bed, dst, make_worker):
    """A worker with a big file."""
    bed.need("slow")
    made = make_worker()
    (made.smcp / "big.bin").write_bytes(os.urandom(SOME) * (BIG // SOME))
    yield made
    dst.run(["sh", "-c", f"rm -rf {made.home} {made.home}.sanctumctl-*"])


@pytest.fixture
def write_job(bed, tmp_path, moved, worker_letta, transport):
    def write(slow=True, **keys):
        way = {"transport": transport, "silence": SILENCE}
        return jobs.write(tmp_path / "line.conf", [
            jobs.job("workers", f"{moved.name}-line"),
            jobs.host("old", bed.src, **way),
            jobs.host("node1", bed.dst, slow=slow, **way),
            ("letta new", {"url": worker_letta.url,
                           "token": f"env:{jobs.TARGET_TOKEN}"}),
            jobs.worker(moved.name, moved, agent=OTHER_AGENT, server="new",
                        trees="smcp", **keys)])
    return write


def sessions(host):
    """Processes of sshd that serve a connection to this host."""
    space = os.readlink(f"/proc/{host.space.pid}/ns/pid")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry.name.isdigit() and
                    (entry / "comm").read_text() == "sshd\n" and
                    os.readlink(entry / "ns/pid") == space and
                    b"@notty" in (entry / "cmdline").read_bytes()):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def signal_sessions(host, signo):
    found = sessions(host)
    assert found
    for pid in found:
        os.kill(pid, signo)


def reset(host):
    """Let the kernel cut the connections, as a router that restarts does."""
    said = host.run(["ss", "-K", "-t", "state", "established",
                     "sport", "=", f":{host.port}"]).stdout
    assert f":{host.port}" in said or ":ssh" in said, said


def blackhole(bed, host):
    """Swallow all packets of the slow line to a host, or no longer."""
    bed.slow_lines[host.name].process.send_signal(signal.SIGUSR1)


def staged(dst, made):
    """Bytes of trees that are in staging."""
    size = 0
    for top in dst.path(made.home).parent.glob(f"{made.name}.sanctumctl-*"):
        for folder, _, files in os.walk(top):
            for name in files:
                try:
                    size += os.stat(f"{folder}/{name}").st_size
                except FileNotFoundError:
                    pass
    return size


def start_until_under_way(sanctumctl, job, dst, made):
    """Start apply; return it once some of the big file has arrived."""
    running = sanctumctl.spawn("apply", job)
    wait_for("bytes in staging", lambda: staged(dst, made) > SOME,
             alive=lambda: running.poll() is None)
    return running


def finish(sanctumctl, job, dst, made):
    """The same command does the rest, and the trees are equal."""
    again = sanctumctl("apply", job)
    assert again.rc == 0, again.err
    there = worker.manifest(dst.path(made.home) / "smcp")
    here = worker.unfenced(worker.manifest(made.smcp))
    for listing in (here, there):
        for name in list(listing):
            if name.startswith("logs") or name == ".env":
                del listing[name]
    assert there == here


@over_both
@pytest.mark.parametrize("cut", ["killed at the source", "reset"])
def test_a_line_that_is_cut(write_job, moved, src, dst, sanctumctl, cut):
    job = write_job()
    running = start_until_under_way(sanctumctl, job, dst, moved)
    if cut == "reset":
        reset(dst)
    else:
        signal_sessions(src, signal.SIGKILL)
    out, err = running.communicate()
    assert running.returncode == 10, (out, err)
    assert ("node1:" if cut == "reset" else "old:") in err
    finish(sanctumctl, job, dst, moved)


@over_both
@pytest.mark.parametrize("stall", ["sshd stopped", "packets lost"])
def test_a_line_that_stalls_for_ever(bed, write_job, moved, src, dst,
                                     sanctumctl, stall):
    job = write_job()
    running = start_until_under_way(sanctumctl, job, dst, moved)
    stopped = []
    try:
        if stall == "packets lost":
            blackhole(bed, dst)
        else:
            stopped = sessions(src)
            signal_sessions(src, signal.SIGSTOP)
        out, err = running.communicate(timeout=100)
    finally:
        if stall == "packets lost":
            blackhole(bed, dst)
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
    assert running.returncode == 10, (out, err)
    assert "silent" in err or "not responding" in err or "timed out" in err
    finish(sanctumctl, job, dst, moved)


@over_both
def test_a_target_that_takes_nothing(write_job, moved, dst, sanctumctl):
    """Full, then read-only, then well again."""
    small = "/srv/small"
    job = write_job(slow=False, to_path=f"{small}/agents/{moved.name}")
    dst.small_tmpfs(small, "100m")  # space enough, files not
    try:
        dst.run(["mount", "-o", "remount,nr_inodes=12", small])
        full = sanctumctl("apply", job)
        assert full.rc == 1 and f"node1:{small}" in full.err, full.err
        assert "no space left" in full.err.lower()
        dst.run(["mount", "-o", "remount,nr_inodes=2000,ro", small])
        fixed = sanctumctl("apply", job)
        assert fixed.rc == 1 and f"node1:{small}" in fixed.err, fixed.err
        assert "read-only file system" in fixed.err.lower()
        dst.run(["mount", "-o", "remount,rw", small])
        assert sanctumctl("apply", job).rc == 0
        assert sanctumctl("verify", job).rc == 0
        assert (dst.path(f"{small}/agents/{moved.name}/smcp/big.bin")
                .stat().st_size == BIG)
    finally:
        dst.run(["umount", small])
