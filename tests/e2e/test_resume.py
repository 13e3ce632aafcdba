"""A job that is killed at any point is finished by one further run.

SANCTUMCTL_FAULTS names a program that was configured with
--enable-fault-points (default: the tree's build/faults/sanctumctl).  It can
be stopped behind each of its changes in turn; src/base/fault.h says how.
"""

import itertools
import json
import os
import random
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import pytest

from bed import jobs, look, mixed_seed, seed, state, worker
from bed.fake_letta import FakeLetta
from bed.paths import BedError, TOP
from bed.site import TARGET_PASSWORD, TARGET_PORT
from bed.wait import wait_for

from conftest import OTHER_AGENT, WORKER_AGENT

STOPPED = 99
KILLS = {"agent": 5, "workers": 5, "greenfield": 3}
PATIENCE_S = 300
MESSAGES, PASSAGES, ROWS = 60, 3, 20
BODIES = {"workers": "resumed", "greenfield": "founded"}
EDGE_ACTS = 4
STOPS_OF_NAME = 3
TARGET = f"http://127.0.0.1:{TARGET_PORT}"

FAILURES = (AssertionError, BedError, subprocess.TimeoutExpired)

Whole = namedtuple("Whole", "first end points took_s")


@pytest.fixture(scope="module")
def program():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name "
                    "another, configured with --enable-fault-points")
    return path


class Move:
    """One job and all that it can change, to be run again and again.

    look      function that returns the state of what a job may change
    source    client of the server that it must not change, if there is one
    settled   function that waits for what a cancel only asked for
    """

    def __init__(self, program, kind, folder, job, look, source=None,
                 settled=None):
        self.program, self.kind, self.job = program, kind, job
        self.folder, self.look, self.source = folder, look, source
        self.settled = settled or (lambda: None)
        self._numbers = itertools.count(1)
        self._whole = None
        self._source = self.look_at_source()
        self.renew()

    def look_at_source(self):
        return state.server(self.source) if self.source else {}

    def renew(self):
        """Forget the journal, as another job does."""
        self.state = self.folder / f"state-{next(self._numbers)}"

    def start(self, command, **env):
        return subprocess.Popen(
            [self.program, "--state", self.state, "--json", command,
             self.job], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=self.folder, env={
                **jobs.environment(), **env,
                "SANCTUMCTL_TEMPLATES": str(TOP / "templates")})

    def run(self, command, **env):
        """Run a command to its end; return exit code and output."""
        with self.start(command, **env) as started:
            try:
                said = started.communicate(timeout=PATIENCE_S)[0]
            except subprocess.TimeoutExpired:
                started.kill()
                raise
        return started.returncode, said

    def stop_at(self, command, point):
        return self.run(command, SANCTUMCTL_FAULT_STOP=str(point))

    def points(self, command):
        """Run a command undisturbed; return the names of its points."""
        path = self.folder / "points"
        path.unlink(missing_ok=True)
        must(self.run(command, SANCTUMCTL_FAULT_COUNT=str(path)), 0, command)
        return path.read_text().split() if path.exists() else []

    def whole(self):
        """What an undisturbed run does, found once; it is taken back."""
        if self._whole is None:
            first = self.look()
            begun = time.monotonic()
            names = self.points("apply")
            took_s = time.monotonic() - begun
            self._whole = Whole(first, self.look(), names, took_s)
            self.take_back()
        return self._whole

    def finish(self):
        """The one further run after a kill, and what must be true then."""
        must(self.run("apply"), 0, "the second apply")
        must(self.run("verify"), 0, "verify")
        same(self._whole.end, self.look(), "the end state")

    def take_back(self):
        must(self.run("cancel"), 0, "cancel")
        self.settled()
        same(self._whole.first, self.look(), "the first state")
        self.renew()


    def harm(self):
        """Say what has become of the source."""
        return state.differences(self._source, self.look_at_source(),
                                 "the source")


def must(result, wanted, what):
    code, said = result
    assert code == wanted, f"{what}: exit {code}: {said[-600:]}"


def same(want, got, what):
    lines = state.differences(want, got)
    assert not lines, f"{what}: " + "; ".join(lines[:4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def mind(bed, source_letta):
    """An agent on the source, as its client and its id.

    It has what an agent file does not hold: an identity, a tag on a block.
    """
    client = seed.Client(source_letta.url)
    made = mixed_seed.Planted(client, bed.version, set())
    made.agent = seed.seed(client.url, name="sage resumed",
                           messages=MESSAGES, archival=PASSAGES,
                           stub_port=bed.stub_port)
    mixed_seed.furnish(made, "resumed", bed.stub_port, companion=False)
    yield client, made.agent
    made.remove()


@pytest.fixture(scope="module")
def make_body(src):
    """Function that writes a small worker, by default on src."""
    made = []

    def make(name, host=src, rows=ROWS, agent_id=WORKER_AGENT, **more):
        made.append(worker.make_worker(
            name, agent_id=agent_id, token="old-token",
            url="http://127.0.0.1:8283", on=host, database_rows=rows,
            random_bytes=50_000, **more))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture(scope="module")
def bodies(make_body, mind, dst):
    """The workers of all moves: each looks at everything on the hosts."""
    source, agent_id = mind
    users = seed.Users(source)
    make_body(BODIES["workers"], dst, rows=10)
    yield {"workers": make_body(BODIES["workers"]),
           "greenfield": make_body(BODIES["greenfield"], users=users,
                                   agent_id=agent_id)}
    users.remove()


def fly_again(made):
    """Let the row be in flight which a move settles, and a cancel leaves."""
    found, = made.query(f"SELECT status FROM queue WHERE id = {ROWS}")
    assert found["status"] in ("processing", "pending")
    made.host.run(["sqlite3", made.database, "UPDATE queue SET status ="
                   f" 'processing' WHERE id = {ROWS}"])


@pytest.fixture(scope="module")
def agent_move(bed, program, folder, mind, bodies):
    """An agent between two servers."""
    source, agent_id = mind
    target = seed.Client(bed.second.url, TARGET_PASSWORD)
    return Move(
        program, "agent", folder,
        jobs.agent_job(folder / "agent.ini", bed.source, bed.second,
                       agent_id),
        lambda: {"target": state.server(target)}, source)


@pytest.fixture(scope="module")
def lettas(src, dst):
    """Servers of a worker before and after; both have its agents."""
    with FakeLetta([src, dst]) as was, FakeLetta([src, dst]) as new:
        was.know_worker()
        for agent in (WORKER_AGENT, OTHER_AGENT):
            was.make_agent(agent, KEY="of the source", OWN="alike")
            new.make_agent(agent, OWN="the target's")
        yield was, new


@pytest.fixture(scope="module")
def workers_move(bed, program, folder, bodies, lettas):
    """A worker between two hosts and servers, in the place of an older one."""
    made = bodies["workers"]
    was, new = (seed.Client(one.url) for one in lettas)
    job = jobs.workers_job(folder / "workers.ini", bed, made, OTHER_AGENT,
                           server_url=new.url, source_url=was.url)

    def look():
        return {"was": state.users(was), "target": state.users(new),
                "secrets": [one.agents for one in lettas],
                **look_at_hosts(bed, state.names(new))}

    return Move(program, "workers", folder, job, look,
                settled=lambda: fly_again(made))


@pytest.fixture(scope="module")
def greenfield_move(bed, program, folder, mind, bodies, target_letta, acme):
    """Edge, agent and worker."""
    source, agent_id = mind
    made = bodies["greenfield"]
    job = jobs.greenfield_job(folder / "greenfield.ini", bed, made, agent_id)
    target = look.HostClient(bed.dst, TARGET, TARGET_PASSWORD)

    def look_at_all():
        return {"target": state.server_on(bed.dst, TARGET, TARGET_PASSWORD),
                **look_at_edge(bed), **look_at_hosts(bed, state.names(target))}

    def settle():
        wait_for("nginx to end", lambda: not runs_nginx(bed.dst))
        fly_again(made)

    return Move(program, "greenfield", folder, job, look_at_all, source,
                settle)


def look_at_hosts(bed, named):
    """Files of both hosts, wherever a job may write any.

    A certbot that is killed as it starts leaves its first log in /tmp, and
    nobody but a certbot that ends takes that away.
    """
    return {f"{host.name}:{top}": {
                name: what
                for name, what in state.folder(host, top, named).items()
                if not name.startswith("certbot-log-")}
            for host in (bed.src, bed.dst) for top in ("/root", "/tmp")}


def look_at_edge(bed):
    """nginx and certbot, without keys and certificates themselves."""
    # The README in `live' is certbot's own, and stays.
    names = {f"dst:{top}": sorted(state.folder(bed.dst, top).keys()
                                  - {"README"})
             for top in ("/etc/letsencrypt/live", "/etc/letsencrypt/archive",
                         "/etc/letsencrypt/renewal", "/var/lib/sanctumctl")}
    return {**names, "nginx runs": runs_nginx(bed.dst), "dst:/etc/nginx":
            state.folder(bed.dst, "/etc/nginx")}


def runs_nginx(host):
    return host.run(["pgrep", "-x", "nginx"], check=False).returncode == 0


@pytest.fixture(scope="module", params=["agent", "workers", "greenfield"])
def move(request):
    return request.getfixturevalue(f"{request.param}_move")


def cleared(move, failed):
    """Whether the next try begins where this one should have."""
    try:
        move.take_back()
    except FAILURES as e:
        failed.append(f"and no further tries: {e}")
        return False
    return True


def each(move, what, tries):
    """Try them all; the failed ones are reported together.

    tries   pairs of a name and a function
    """
    failed, count = [], 0
    for name, attempt in tries:
        count += 1
        try:
            attempt()
        except FAILURES as e:
            failed.append(f"{name}: {e}")
            if not cleared(move, failed):
                break
    print(f"{move.kind}: {count - len(failed)} of {count} {what}")
    failed += move.harm()
    assert count > 0 and not failed, "\n".join(failed)


def test_whole_move_leaves_nothing_about(move):
    first, end = move.whole().first, move.whole().end
    for place in first:
        if place.startswith("src:"):
            same(first[place], worker.unfenced(end[place]), place)
    # Other moves to the same host may have stopped half-way before this one.
    added = set(end.get("dst:/root", ())) - set(first.get("dst:/root", ()))
    marked = {name.partition("MARK")[0] for name in added if "MARK" in name}
    home = f"sanctum/agents/{BODIES.get(move.kind)}"
    assert marked == {
        "agent": set(), "greenfield": {f"{home}/.sanctumctl-"},
        # The second is what was in its place before.
        "workers": {f"{home}/.sanctumctl-", f"{home}.sanctumctl-"},
    }[move.kind]


@pytest.mark.parametrize("kind", ["agent", "greenfield"])
def test_whole_move_brings_the_mind(kind, request):
    move = request.getfixturevalue(f"{kind}_move")
    # The servers are shared with other tests, which may have agents there.
    before = move.whole().first["target"]["agents"]
    there, = [a for a in move.whole().end["target"]["agents"]
              if a not in before]
    here, = [a for a in state.server(move.source)["agents"]
             if a["itself"]["name"] == there["itself"]["name"]]
    assert len(here["passages"]) == PASSAGES
    assert len({m["row"] for m in here["messages"]}) == MESSAGES
    for part in ("blocks", "tools", "passages", "messages", "context"):
        same(here[part], there[part], part)


def test_second_apply_does_nothing_and_cancel_all(move):
    whole = move.whole()
    must(move.run("apply"), 0, "apply")
    path = move.folder / "second"
    code, said = move.run("apply", SANCTUMCTL_FAULT_COUNT=str(path))
    must((code, said), 0, "the second apply")
    assert json.loads(said.splitlines()[-1])["acted"] == 0
    changed = set(path.read_text().split()) if path.exists() else set()
    assert not changed - {"journal_page", "journal_meta"}
    same(whole.end, move.look(), "the end state")
    move.take_back()


def edges(names):
    """Numbers of points, given by number; of a run of one name, such as the
    pages of a listing, the first and the last."""
    numbers = list(names)
    around = [None, *names.values(), None]
    return [k for n, k in enumerate(numbers, 1)
            if not around[n - 1] == around[n] == around[n + 1]]


def thinned(numbers, most):
    """At most so many of them, the first and the last among them."""
    if len(numbers) <= most:
        return numbers
    return [numbers[i * (len(numbers) - 1) // (most - 1)]
            for i in range(most)]


def stops_of_worker(points):
    """Some of each kind of change of a host, a server and the journal.

    What only says where a step is has a change's own point before it, and the
    programs that are run for a worker at rest change nothing.
    """
    names = {k: name for k, name in enumerate(points, 1)
             if name.startswith(("journal_", "host_", "http_"))
             and name != "host_run"}
    kept = edges(names)
    return sorted(k for name in set(names.values()) for k in thinned(
        [k for k in kept if names[k] == name], STOPS_OF_NAME))


def stops(kind, points):
    """Numbers of the points to stop at.

    Of an agent the first and the last of each name; of a worker some of each
    name; of a greenfield job some of the edge, and behind some of the steps
    that have acted.
    """
    names = dict(enumerate(points, 1))
    if kind == "agent":
        return edges(names)
    if kind == "workers":
        return stops_of_worker(points)
    first = min(k for k in names if names[k] == "plan_begun")
    acted = [k for k in names if names[k] == "plan_acted"]
    edge = acted[EDGE_ACTS - 1]
    of_edge = {k: names[k] for k in range(first, edge + 2)}
    return sorted({*thinned(edges(of_edge), 12),
                   *thinned(acted[EDGE_ACTS:], 5)})


def test_apply_is_resumed_after_a_stop_at_every_point(move):
    def attempt(point):
        must(move.stop_at("apply", point), STOPPED, "the stopped apply")
        move.finish()
        move.take_back()

    names = move.whole().points
    each(move, f"stops resumed (of {len(names)} points)", (
        (f"stop {k}, {names[k - 1]}", lambda k=k: attempt(k))
        for k in stops(move.kind, names)))


def test_apply_is_cancelled_after_a_stop_at_every_point(workers_move):
    move = workers_move

    def attempt(point):
        must(move.stop_at("apply", point), STOPPED, "the stopped apply")
        move.take_back()

    names = move.whole().points
    each(move, "stops cancelled", (
        (f"stop {k}, {names[k - 1]}", lambda k=k: attempt(k))
        for k in stops(move.kind, names)))


@pytest.mark.parametrize("kind", ["agent", "workers"])
def test_cancel_is_resumed_after_a_stop_at_every_point(kind, request):
    move = request.getfixturevalue(f"{kind}_move")
    move.whole()

    def attempt(point):
        must(move.run("apply"), 0, "apply")
        must(move.stop_at("cancel", point), STOPPED, "the stopped cancel")
        move.take_back()

    must(move.run("apply"), 0, "apply")
    names = move.points("cancel")
    move.settled()
    same(move.whole().first, move.look(), "the first state")
    move.renew()
    each(move, "stops of a cancel resumed", (
        (f"stop {k}, {names[k - 1]}", lambda k=k: attempt(k))
        for k in stops(move.kind, names)))


def instants(move):
    """The same share of a whole run, whatever that takes on a machine."""
    shares = random.Random(move.kind)
    return [move.whole().took_s * shares.random()
            for _ in range(KILLS[move.kind])]


def kill(move, after_s):
    with move.start("apply") as started:
        try:
            started.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            started.kill()


def test_apply_is_resumed_after_a_kill_at_any_instant(move):
    def attempt(after_s):
        kill(move, after_s)
        move.finish()
        move.take_back()

    each(move, "kills resumed", (
        (f"kill after {s:.3f} s", lambda s=s: attempt(s))
        for s in instants(move)))


def test_apply_is_cancelled_after_a_kill_at_any_instant(move):
    def attempt(after_s):
        kill(move, after_s)
        move.take_back()

    each(move, "kills cancelled", (
        (f"kill after {s:.3f} s", lambda s=s: attempt(s))
        for s in instants(move)))
