"""A whole greenfield job under valgrind, and one under the sanitizers.

Every command of the job runs so: check, plan, apply, verify, apply, cancel.
sanctumctl-remote on the hosts is the sanitizers' own in the second run.
"""

import os
import subprocess
from pathlib import Path

import pytest

from bed import jobs, seed, worker
from bed.paths import TOP

COMMANDS = [("check", 0), ("plan", 4), ("apply", 0), ("verify", 0),
            ("apply", 0), ("status", 0), ("cancel", 0)]

VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect",
            "--child-silent-after-fork=yes"]


def built(variable, default):
    path = Path(os.environ.get(variable) or TOP / default)
    if not path.is_file():
        pytest.fail(f"{path} is not built; {variable} may name another")
    return path.resolve()


@pytest.fixture
def greenfield(bed, acme, source_letta, target_letta, src, tmp_path):
    """A small greenfield job on fresh parts."""
    agent_id = seed.seed(bed.source.url, messages=40, archival=2,
                         name="memory", stub_port=bed.stub_port)
    users = seed.Users(seed.Client(bed.source.url))
    made = worker.make_worker("memory", agent_id=agent_id,
                              url=bed.source.url, token="old", on=bed.src,
                              users=users)
    yield jobs.greenfield_job(tmp_path / "greenfield.conf", bed, made,
                              agent_id)
    made.remove()
    seed.Client(bed.source.url).delete_agent(agent_id)
    users.remove()


def run_all(words, job, folder, **env):
    for command, wanted in COMMANDS:
        done = subprocess.run(
            [*words, "--state", str(folder / "state"), command, str(job)],
            text=True, capture_output=True, cwd=folder, timeout=600,
            env={**jobs.environment(), **env,
                 "SANCTUMCTL_TEMPLATES": str(TOP / "templates")})
        assert done.returncode == wanted, (command, done.stdout, done.stderr)
        assert "ERROR: " not in done.stderr, done.stderr
        assert "==" not in done.stderr, done.stderr
        assert "runtime error" not in done.stderr, done.stderr


def test_a_whole_job_under_valgrind(greenfield, tmp_path):
    program = built("SANCTUMCTL", "build/plain/sanctumctl")
    run_all([*VALGRIND, str(program)], greenfield, tmp_path,
            SANCTUMCTL_REMOTE=str(program.with_name("sanctumctl-remote")))


def test_a_whole_job_under_the_sanitizers(greenfield, tmp_path):
    program = built("SANCTUMCTL_SANITIZERS",
                    "build/sanitizers/sanctumctl")
    run_all([str(program)], greenfield, tmp_path)
