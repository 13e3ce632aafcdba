"""A bare host on its way to a node: its peers, and the job that makes it one.

    with Bed(()) as bed, Node(bed) as node:
        node.job(folder / "node.conf")

Its Letta servers take the stand-in of this machine for their model, under the
same address.  The authority is one of the host's own link; its root is among
those that ca-certificates will take up when it is installed there.
"""

from bed import jobs
from bed.bare_machine import OWN_AUTHORITIES
from bed.loopback import Forward

#: What each job calls its host and its server.
HOST, SERVER = "node1", "new"


class Node:
    """The bed's bare host, acme, and where the edge answers.

    slow   there is a slow line to it as well
    """

    def __init__(self, bed, slow=False):
        self.bed, self.host = bed, bed.need("bare").bare
        self.acme = bed.new_acme(self.host)
        if slow:
            bed.slow_line(self.host)
        self._forwards = [Forward(bed.stub_port, [self.host])]
        self.host.path("/etc/hosts").open("a").write(
            f"{self.host.address} {bed.site}\n"
            f"{self.host.address6} {bed.site}\n")
        self.acme.root_ca(self.host.path(f"{OWN_AUTHORITIES}/bed-acme.crt"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self._forwards:
            one.stop()

    def lend(self, port):
        """Let a server on this machine's loopback be on the host's too."""
        self._forwards.append(Forward(port, [self.host]))

    def job(self, path, *sections, name="node", port=None, slow=False,
            keys=None, edge=None):
        """Write a job of kind greenfield, with these further sections.

        port   of a server that is there already (lend); else the job brings
               one up
        keys   further keys of [letta];  edge   of [edge]
        """
        return jobs.write(path, [
            jobs.job("greenfield", name), jobs.host(HOST, self.host,
                                                    slow=slow),
            *(self._lent(port) if port else self._made(keys or {})),
            (f"edge {HOST}", {**self._edge(slow), **(edge or {})}),
            *sections])

    def _lent(self, port):
        return [(f"letta {SERVER}", {
            "host": HOST, "version": self.bed.target_version, "port": port,
            "token": f"env:{jobs.TARGET_TOKEN}"})]

    def _made(self, keys):
        stub = f"http://127.0.0.1:{self.bed.stub_port}/v1"
        return [
            (f"letta {SERVER}", {
                "host": HOST, "version": self.bed.target_version,
                "runtime": "venv", "installer": "uv", **keys}),
            (f"env {SERVER}", {
                "OPENAI_API_KEY": "cmd:echo stand-in", "OPENAI_API_BASE": stub,
                "OPENAI_BASE_URL": stub})]

    def _edge(self, slow):
        host, site = self.host, self.bed.site
        return {
            "site": site, "ade": f"{site}:8283",
            "acme_email": f"ops@{site}",
            "acme_server": self.acme.directory_url,
            "acme_ca_file": self.acme.trust_on(host),
            "ca_file": self.acme.root_ca(),
            "connect_to": host.slow_address if slow else host.address}
