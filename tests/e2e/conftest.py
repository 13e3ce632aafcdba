"""Fixtures over the test bed.  A peer that is missing fails, never skips.

The bed comes up once for all tests and brings up only the parts that they
ask for.  SANCTUMCTL names the program under test (default: the tree's
build/plain/sanctumctl).
"""

import itertools
import os
import signal
import subprocess
import sys
from collections import Counter, namedtuple
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bed import jobs, look, moved_worker, output, seed  # noqa: E402
from bed import supervisors, worker  # noqa: E402
from bed.channel import Channel  # noqa: E402
from bed.fake_letta import FakeLetta  # noqa: E402
from bed.paths import TOP  # noqa: E402
from bed.site import TARGET_PASSWORD, Bed  # noqa: E402

Result = namedtuple("Result", "rc out err")

#: What a made worker serves, and what the tests' jobs give it instead.
WORKER_AGENT = "agent-11111111-1111-4111-8111-111111111111"
OTHER_AGENT = "agent-22222222-2222-4222-8222-222222222222"

numbers = itertools.count(1)


def pytest_terminal_summary(terminalreporter):
    """Say how long each file took: scripts/test shares them out."""
    took = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                took[report.nodeid.split("::")[0]] += report.duration
    terminalreporter.section("seconds of each file")
    for file, seconds in took.most_common():
        terminalreporter.line(f"{seconds:.0f} s {file}")


@pytest.fixture(scope="session")
def bed():
    """The bed; a test calls bed.need() for further parts."""
    with Bed(()) as up:
        yield up


@pytest.fixture(scope="session")
def src(bed):
    return bed.need("hosts").src


@pytest.fixture(scope="session")
def dst(bed):
    return bed.need("hosts").dst


@pytest.fixture(scope="session")
def machine(bed):
    """A third host, which systemd has booted."""
    return bed.need("machine").machine


@pytest.fixture(scope="session")
def acme(bed):
    return bed.need("acme").acme


@pytest.fixture(scope="session")
def source_letta(bed):
    """A Letta server that this machine reaches, without a password."""
    return bed.need("source", "second").source


@pytest.fixture(scope="session")
def second_letta(bed):
    """A second one, with a password: the near target of most tests."""
    return bed.need("source", "second").second


@pytest.fixture(scope="session")
def target_letta(bed):
    """The Letta server on dst, on 127.0.0.1:18283 there."""
    return bed.need("target").target


@pytest.fixture
def source(source_letta):
    """Client of the source server; agents made by the test are removed."""
    yield from client_that_cleans(source_letta.url, None)


@pytest.fixture
def second(second_letta):
    """Client of the second server; agents made by the test are removed."""
    yield from client_that_cleans(second_letta.url, TARGET_PASSWORD)


def client_that_cleans(url, token):
    client = seed.Client(url, token)
    before = {a["id"] for a in client("GET", "/v1/agents/?limit=1000")}
    tools = look.custom_tools(client)
    yield client
    for agent in client("GET", "/v1/agents/?limit=1000"):
        if agent["id"] not in before:
            client.delete_agent(agent["id"])
    for name, tool in look.custom_tools(client).items():
        if name not in tools:
            client("DELETE", f"/v1/tools/{tool['id']}")


@pytest.fixture
def make_agent(bed, source):
    """Function that seeds an agent on the source; returns its id."""
    def make(messages=60, archival=4, **options):
        options.setdefault("name", f"sage {next(numbers)}")
        return seed.seed(source.url, messages=messages, archival=archival,
                         stub_port=bed.stub_port, **options)
    return make


@pytest.fixture
def agent_id(make_agent):
    """A fresh small agent on the source."""
    return make_agent()


@pytest.fixture
def users(source):
    """Users of a worker, whom the source server knows."""
    made = seed.Users(source)
    yield made
    made.remove()


@pytest.fixture
def make_worker(src):
    """Function that writes a worker's trees, by default on src."""
    made = []

    def make(agent_id=WORKER_AGENT, url="http://127.0.0.1:8283",
             token="old-token", on=src, **more):
        made.append(worker.make_worker(
            f"sage{next(numbers)}", agent_id=agent_id, url=url, token=token,
            on=on, **more))
        return made[-1]

    yield make
    for one in made:
        if one.path.exists():
            one.remove()


@pytest.fixture
def worker_tree(make_worker):
    """A fresh worker on src."""
    return make_worker()


@pytest.fixture
def transport():
    """Way to the hosts; a test that is parametrized by it chooses."""
    return None


def program():
    """Return the path of the program under test."""
    path = Path(os.environ.get("SANCTUMCTL") or
                TOP / "build/plain/sanctumctl")
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL may name another")
    return path.resolve()


def program_in(folder):
    """Return a function that runs the program with its state in a folder.

    Whatever it says with --json has to be of the schema.
    """
    def words(*arguments, other=None):
        return [str(other or program()), "--state", str(folder / "state"),
                *map(str, arguments)]

    def run(*arguments, env=None, stdin="", timeout_s=300, program=None):
        done = subprocess.run(
            words(*arguments, other=program), input=stdin, text=True, capture_output=True,
            cwd=folder, env={**jobs.environment(), **(env or {})},
            timeout=timeout_s)
        if "--json" in arguments and done.returncode >= 0:
            output.check_lines(done.stdout)
        return Result(done.returncode, done.stdout, done.stderr)

    def spawn(*arguments, env=None, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE):
        return subprocess.Popen(
            words(*arguments), stdin=subprocess.DEVNULL, text=True,
            stdout=stdout, stderr=stderr, cwd=folder,
            env={**jobs.environment(), **(env or {})})

    run.spawn, run.state = spawn, folder / "state"
    return run


@pytest.fixture
def sanctumctl(tmp_path):
    """Function that runs the program; returns its Result.

    The journal and all other state is the test's own, in tmp_path/state;
    its spawn() starts the program and returns the Popen at once.
    """
    return program_in(tmp_path)


@pytest.fixture(scope="session")
def program_path():
    return program()


@pytest.fixture(scope="session")
def program_at():
    """program_in(), for a fixture that outlives one test."""
    return program_in


@pytest.fixture
def channel(src, dst):
    """The channel's stand-in, under one address everywhere."""
    with Channel([src, dst]) as up:
        yield up


@pytest.fixture
def fake_letta(src, dst):
    """The fake of Letta's routes, under one address everywhere."""
    with FakeLetta([src, dst]) as up:
        yield up


@pytest.fixture
def worker_letta(fake_letta):
    """The same, with the users of any made worker and two agents."""
    fake_letta.know_worker(WORKER_AGENT, OTHER_AGENT)
    return fake_letta


@pytest.fixture
def make_live(src, dst, fake_letta, channel):
    """Function that writes a worker on src that can run; see moved_worker.

    What runs in its place, on either host, is ended after the test.
    """
    made = []
    # Without it cron's line, which writes there, never gets to the script.
    dst.path("/root/logs").mkdir(exist_ok=True)

    def make(on=src, letta=fake_letta, **more):
        made.append(moved_worker.make_live(
            f"live{next(numbers)}", on, letta, channel, **more))
        return made[-1]

    yield make
    fake_letta.release()
    for one in made:
        for place in (one.at(src), one.at(dst)):
            place.signal(signal.SIGKILL)
            place.wait_down()
            if place.path.exists():
                place.remove()
            # What stays staged after a reverse; what its programs said.
            place.host.run(["sh", "-c",
                            f"rm -rf {place.home}.sanctumctl-*"])
        # In other directories, too, where a test has moved it to.
        moved_worker.end_all(one.name)
        for host in (src, dst):
            host.run(["sh", "-c", f"rm -f /root/logs/*{one.name}*"])


@pytest.fixture
def make_unit_live(machine):
    """Function as make_live(), on the machine; its unit goes with it."""
    made = []

    def make(**more):
        letta, channel = FakeLetta([machine]), Channel([machine])
        made.append((letta, channel, moved_worker.make_live(
            f"unit{next(numbers)}", machine, letta, channel, **more)))
        return made[-1][2]

    yield make
    for letta, channel, worker in made:
        machine.remove_unit(f"broca-{worker.name}.service")
        worker.stop()
        worker.remove()
        letta.stop()
        channel.stop()


@pytest.fixture
def supervisord(src):
    """The real supervisord on src."""
    with supervisors.Supervisord(src) as running:
        yield running


@pytest.fixture
def cron(src):
    """The real cron on src; a minute of its clock takes some seconds."""
    with supervisors.Cron(src) as running:
        yield running
        running.set()
