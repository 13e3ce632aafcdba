"""What a worker's trees hold beyond plain files, and how they resume."""

import os
import re
import stat
import zipfile

import pytest

from bed import jobs

from conftest import OTHER_AGENT

FROM = "/root/sanctum/agents/sage"
TO = "/root/elsewhere/sage"


@pytest.fixture
def trees(src, dst):
    """smcp of a worker on src, empty; returns its path there."""
    at = src.path(FROM)
    (at / "smcp").mkdir(parents=True)
    yield at
    src.run(["rm", "-rf", FROM])
    dst.run(["sh", "-c", f"rm -rf {TO} {TO}.sanctumctl-* {TO}*"])


@pytest.fixture
def write_job(bed, src, dst, worker_letta, tmp_path):
    def write(**more):
        return jobs.write(tmp_path / "trees.conf", [
            jobs.job("workers", "trees"),
            jobs.host("old", src), jobs.host("node1", dst),
            ("letta new", {"url": worker_letta.url}),
            ("worker sage", {
                "agent": OTHER_AGENT, "server": "new", "from": f"old:{FROM}",
                "to": f"node1:{TO}", "trees": "smcp", **more})])
    return write


def test_kinds_of_files(trees, write_job, src, dst, sanctumctl):
    """Links, holes, attributes, owners and times are there as they were."""
    at = trees / "smcp"
    (at / "one").write_text("one file\n")
    os.link(at / "one", at / "two")
    with open(at / "holes", "wb") as f:
        f.truncate(64 << 20)
        f.seek(32 << 20)
        f.write(b"middle")
    (at / "tool").write_text("#!/bin/sh\n")
    (at / "tool").chmod(0o6755)
    (at / "sub").mkdir()
    (at / "sub/file").write_text("x\n")
    os.chown(at / "sub/file", 12345, 12345)
    src.run(["useradd", "-u", "4001", "-M", "mover"])
    dst.run(["useradd", "-u", "4002", "-M", "mover"])
    os.chown(at / "one", 4001, 4001)
    (at / ".git").mkdir()
    (at / ".git/HEAD").write_text("ref\n")
    for name in ("sub", "", "sub/file"):
        os.utime(at / name, ns=(1, 1_500_000_000_123_456_789))
    done = sanctumctl("apply", write_job(git="yes"))
    assert done.rc == 0, done.err
    there = dst.path(f"{TO}/smcp")
    assert (there / "one").stat().st_ino == (there / "two").stat().st_ino
    assert (there / "one").stat().st_uid == 4002
    assert (there / "sub/file").stat().st_uid == 0
    assert (there / "holes").stat().st_size == 64 << 20
    assert (there / "holes").stat().st_blocks * 512 < 1 << 20
    assert stat.S_IMODE((there / "tool").stat().st_mode) == 0o755
    assert (there / ".git/HEAD").exists()
    for name in ("sub", "", "sub/file"):
        assert (there / name).stat().st_mtime_ns == 1_500_000_000_123_456_789
    assert sanctumctl("verify", write_job(git="yes")).rc == 0
    os.chown(there / "one", 0, 0)
    differs = sanctumctl("verify", write_job(git="yes"))
    assert differs.rc == 14 and "smcp/one" in differs.out


def test_specials_are_all_listed(trees, write_job, src, sanctumctl):
    src.run(["mkfifo", f"{FROM}/smcp/a", f"{FROM}/smcp/b"])
    done = sanctumctl("apply", write_job())
    assert done.rc == 1
    assert "2 things" in done.err
    assert "smcp/a (FIFO), smcp/b (FIFO)" in done.err


def staged(dst):
    return [p for p in dst.path("/root/elsewhere").glob(
        "sage.sanctumctl-*/smcp/f*") if p.stat().st_mode & 0o777 == 0o640]


def test_goes_on_at_the_file_it_had_reached(trees, write_job, dst,
                                            sanctumctl):
    """A kill in the stream costs the file that was under way."""
    for n in range(40):
        path = trees / f"smcp/f{n:02d}"
        path.write_bytes(os.urandom(1 << 20))
        path.chmod(0o640)
    job = write_job()
    running = sanctumctl.spawn("apply", job)
    while not staged(dst):
        assert running.poll() is None, "ended before a file was there"
    running.kill()
    running.wait()
    there = {p.name: p.stat().st_ino for p in staged(dst)}
    assert 0 < len(there)
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    sent = int(re.search(r"sent \d+ entries, (\d+) bytes", done.out).group(1))
    kept = [name for name, inode in there.items()
            if dst.path(f"{TO}/smcp/{name}").stat().st_ino == inode]
    assert sorted(kept) == sorted(there)
    assert sent <= (40 - len(there)) << 20


def make_wheel(at, name, version, script, requires=""):
    wheel = at / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as z:
        z.writestr(f"{name}.py", f"def main():\n    print({script!r})\n")
        z.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\n"
                   f"Name: {name}\nVersion: {version}\n{requires}")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\n"
                   "Root-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/entry_points.txt",
                   f"[console_scripts]\n{name}-run = {name}:main\n")
        z.writestr(f"{info}/RECORD", "")
    return wheel


PIP_CONF = "[global]\nno-index = true\nfind-links = /root/wheels\n"


@pytest.fixture
def wheels(src, dst):
    """Both hosts install from a folder of their own, not from the network."""
    for host in (src, dst):
        folder = host.path("/root/wheels")
        folder.mkdir()
        make_wheel(folder, "greeter", "1.2", "hello")
        make_wheel(folder, "needy", "2.0", "never",
                   "Requires-Dist: absent\n")
        conf = host.path("/root/.config/pip")
        conf.mkdir(parents=True)
        (conf / "pip.conf").write_text(PIP_CONF)
    yield
    for host in (src, dst):
        host.run(["rm", "-rf", "/root/wheels", "/root/.config/pip"])


def test_venv_is_made_anew(trees, wheels, write_job, src, dst, sanctumctl):
    """From the source's freeze, with the paths of its final place."""
    venv = f"{FROM}/smcp/environment"
    src.run(["/usr/bin/python3", "-m", "venv", venv])
    src.run([f"{venv}/bin/pip", "install", "-q", "--no-deps",
             "greeter==1.2", "needy"])
    (trees / "start.sh").write_text(f"#!/bin/sh\nexec {FROM}/smcp/run\n")
    job = write_job()
    planned = sanctumctl("plan", job)
    assert planned.rc == 4, planned.err
    assert "smcp/environment: Python 3" in planned.out
    assert "greeter==1.2" in planned.out
    assert f"start.sh: paths below {FROM} become" in planned.out

    # What pip finds broken stops the move, in pip's words.
    broken = sanctumctl("apply", job)
    assert broken.rc == 1
    assert "needy 2.0 requires absent" in broken.err
    assert not dst.path(TO).exists()
    src.run([f"{venv}/bin/pip", "uninstall", "-q", "-y", "needy"])
    done = sanctumctl("apply", job)
    assert done.rc == 0, done.err
    there = f"{TO}/smcp/environment"
    assert dst.run([f"{there}/bin/greeter-run"]).stdout == "hello\n"
    assert dst.path(f"{TO}/start.sh").read_text().endswith(
        f"exec {TO}/smcp/run\n")
    ran = dst.run(["sh", "-c", f". {there}/bin/activate && "
                   "python -c 'import sys; print(sys.prefix)'"])
    assert ran.stdout == f"{there}\n"
    left = dst.run(["grep", "-rlI", "sanctumctl-", f"{there}/bin",
                    f"{there}/pyvenv.cfg"], check=False)
    assert left.stdout == ""
    again = sanctumctl("apply", job)
    assert again.rc == 0 and again.out.startswith("nothing to do")
    assert sanctumctl("verify", job).rc == 0


def test_venv_is_asked_as_its_owner(src, write_job, sanctumctl):
    """Its owner decides what its python does; root must not do that."""
    home = "/srv/agents/sage"
    binary = src.path(f"{home}/otto/venv/bin")
    binary.mkdir(parents=True)
    (binary.parent / "pyvenv.cfg").write_text("version = 3.11.2\n")
    (binary / "python").write_text("#!/bin/sh\nid -u >>/tmp/asked-by\n"
                                   "echo 3.11.2\necho greeter==1.2\n")
    (binary / "python").chmod(0o755)
    src.run(["chown", "-R", "nobody", home])
    planned = sanctumctl("plan", write_job(
        trees="otto", **{"from": f"old:{home}"}))
    said = src.run(["sh", "-c", f"cat /tmp/asked-by; rm -rf {home}"
                    " /tmp/asked-by"]).stdout
    assert planned.rc == 4, planned.err
    assert "greeter==1.2" in planned.out
    assert set(said.split()) == {"65534"}


def test_a_venv_outside_the_trees_is_told(trees, src, dst, write_job,
                                          sanctumctl):
    """One that workers share beside their directories goes with none."""
    shared = f"{FROM.rsplit('/', 1)[0]}/venv"
    for host in (src, dst):
        host.run(["mkdir", "-p", f"{shared}/bin"])
    src.path(f"{shared}/bin/python").write_text("#!/bin/sh\n")
    src.path(f"{shared}/bin/python").chmod(0o755)
    said = f"NOT {shared}, which is outside its trees"
    assert said in sanctumctl("plan", write_job()).out
    dst.path(f"{shared}/bin/python").write_text("#!/bin/sh\n")
    assert said not in sanctumctl("plan", write_job()).out
    for host in (src, dst):
        host.run(["rm", "-r", shared])
