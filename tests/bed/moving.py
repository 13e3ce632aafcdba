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

from bed import jobs, mixed_seed, proof
from bed.quirk import Quirk
from bed.seed import Client
from bed.site import TARGET_PASSWORD

#: Longer than any command takes when all is well.
PATIENCE_S = 120


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
