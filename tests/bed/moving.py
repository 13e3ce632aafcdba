"""One move of an agent through proxies, to be disturbed and finished.

    with Moving(folder, run, source, target, agent_id, "name") as move:
        move.there.rules({...})
        killed = move.start("apply")
        ...
        move.finish()

source and target are bed.letta.LettaServer or alike; `here` and `there` are
bed.quirk.Quirk in front of them.  The agent gets a name of its own on the
target, so that several moves of one agent can run at the same time.
"""

import os
import queue
import subprocess
import threading
from collections import namedtuple

from bed import jobs, mixed_seed, proof
from bed.http import HttpError
from bed.paths import BedError
from bed.quirk import Quirk
from bed.seed import Client
from bed.site import TARGET_PASSWORD

#: Longer than any command takes when all is well.
PATIENCE_S = 120

#: What a move that is tried may raise.
FAILURES = (AssertionError, BedError, HttpError, OSError,
            subprocess.TimeoutExpired)

Measured = namedtuple("Measured", "rc out err peak_kib")


def each(things, attempt, at_once=4):
    """Call attempt(number, thing) for each, some at the same time.

    Most of a move is waiting for a server.  attempt returns lines on what is
    wrong; returns them all, with number and thing in front.
    """
    todo, lines = queue.SimpleQueue(), []
    for pair in enumerate(things):
        todo.put(pair)

    def work():
        while True:
            try:
                number, thing = todo.get_nowait()
            except queue.Empty:
                return
            try:
                found = attempt(number, thing)
            except FAILURES as e:
                found = [f"{type(e).__name__}: {e}"]
            lines.extend(f"{number}, {thing}: {line}" for line in found)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lines


def clean(client, prefix):
    """Remove agents whose names begin so, and the tools that they brought."""
    for agent in client("GET", "/v1/agents/?limit=1000"):
        if agent["name"].startswith(prefix):
            mixed_seed.remove_agent(client, agent["id"])
    mixed_seed.remove_tools(client)


class Moving:
    """run is what conftest's program_at(folder) returns."""

    def __init__(self, folder, run, source, target, agent_id, name, **keys):
        self.folder, self._run, self.name = folder, run, name
        self.source = Client(source.url, TARGET_PASSWORD)
        self.target = Client(target.url, TARGET_PASSWORD)
        self.agent_id, self._keys = agent_id, keys
        # Of the [agent], and how its temporary name begins.
        self.word = name.replace(" ", "-")
        self.here, self.there = Quirk(source.url), Quirk(target.url)
        self.job = None

    def __enter__(self):
        try:
            self.here.start()
            self.there.start()
        except BaseException:
            self.__exit__()
            raise
        self.job = jobs.agents_job(
            self.folder / "move.conf", self.here, self.there,
            {self.word: self.agent_id}, job_name=self.folder.name,
            name=self.name, **self._keys)
        return self

    def __exit__(self, *_):
        self.here.stop()
        self.there.stop()

    def run(self, command, *options, timeout_s=PATIENCE_S):
        return self._run(command, *options, self.job, timeout_s=timeout_s,
                         env=jobs.environment(TARGET_PASSWORD))

    def start(self, command):
        return self._run.spawn(command, self.job,
                               env=jobs.environment(TARGET_PASSWORD))

    def measure(self, command, timeout_s=PATIENCE_S):
        """Run it and see how much memory it took; returns a Measured."""
        out, err = (self.folder / f"measured.{w}" for w in ("out", "err"))
        with open(out, "w") as o, open(err, "w") as e:
            running = self._run.spawn(
                command, self.job, stdout=o, stderr=e,
                env=jobs.environment(TARGET_PASSWORD))
        timer = threading.Timer(timeout_s, running.kill)
        timer.start()
        _, status, used = os.wait4(running.pid, 0)
        timer.cancel()
        running.returncode = os.waitstatus_to_exitcode(status)
        return Measured(running.returncode, out.read_text(), err.read_text(),
                        used.ru_maxrss)

    def made(self):
        """{id: name} of all on the target that this move made."""
        return {a["id"]: a["name"] for a in self.target(
            "GET", "/v1/agents/?limit=1000")
            if a["name"] == self.name
            or a["name"].startswith(f"{self.word}-incoming-")}

    def remove(self):
        """Delete what was made; tools stay, for they are not its alone."""
        for agent_id in self.made():
            mixed_seed.remove_agent(self.target, agent_id)

    def faults(self):
        """What is not as it must be after a move; a line each."""
        made = self.made()
        if list(made.values()) != [self.name]:
            return [f"agents on the target: {sorted(made.values())}"]
        agent_id, = made
        return proof.differences(
            proof.Side(self.source, self.agent_id),
            proof.Side(self.target, agent_id), self.name)

    def finish(self):
        """Apply undisturbed; return what is wrong afterwards."""
        self.here.clear()
        self.there.clear()
        applied = self.run("apply")
        if applied.rc != 0:
            return [f"apply: exit {applied.rc}: {applied.err[-800:]}"]
        return self.faults()
