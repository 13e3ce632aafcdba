"""The machine of an operator whose Letta server a job of ours has made.

    with NodeHome(bed, "0.16.2") as home:
        home.job(to="0.16.8")

As bed.old_home, but for who made the server: account, environment, service
and virtual environment are those of a job of kind greenfield, which is no
other for an upgrade.  The database was given to that job.
"""

from bed import bare, jobs
from bed.old_home import OldHome, URI_FILE
from bed.paths import BedError

PORT = 18283
ENV_FILE = "/etc/letta/letta.env"
PROGRAM = "/etc/supervisor/conf.d/sanctumctl-letta.conf"
NODE = "/root/node.conf"


class NodeHome(OldHome):
    """The same machine; its server is the one of a node."""

    letta_port = PORT

    def __init__(self, bed, version="0.16.2", **kw):
        super().__init__(bed, version, superuser=True, **kw)

    def _start_server(self):
        listing = "/root/requirements-old.txt"
        bare.real_list(self.path(listing), self.version)
        jobs.write(self.path(NODE), [
            jobs.job("greenfield", "node"),
            ("host here", {"address": "local"}),
            ("letta node", {
                "host": "here", "version": self.version, "runtime": "venv",
                "installer": "uv", "requirements": listing,
                "database": f"file:{URI_FILE}", "redis": "none"}),
            ("env node", {**self._model(),
                          "OPENAI_API_KEY": "cmd:echo stand-in"}),
            ("edge here", {"site": "sanctum.internal",
                           "acme_email": "ops@example.org",
                           "connect_to": "127.0.0.1"})])
        done = self.sanctumctl("apply", NODE)
        # nginx is a stand-in that never starts.
        if "edge.here." not in done.err:
            raise BedError(f"{done.out}{done.err}")
        self.wait_version(self.version)
        self.password = self.variable("LETTA_SERVER_PASSWORD")

    def job(self, path="/root/home.conf", *, old=None, new=None, **keys):
        return super().job(path, old={"port": PORT, **(old or {})},
                           new={"port": PORT, **(new or {})}, **keys)
