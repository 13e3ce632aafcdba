"""Job files of sanctumctl, written for the bed's own peers.

Tokens are named by environment variables; environment() has their values.
"""

import os
from pathlib import Path

from bed.paths import TOP
from bed.site import TARGET_PASSWORD

SOURCE_TOKEN = "SANCTUM_BED_SOURCE_TOKEN"
TARGET_TOKEN = "SANCTUM_BED_TARGET_TOKEN"

#: Ways to a host; None leaves the choice to the program.
TRANSPORTS = ("libssh2", "openssh")


def environment(source_token="", target_token=TARGET_PASSWORD):
    """Return the caller's environment with the two tokens.

    A server without a password ignores its token, but one must be there.
    The program is not installed: its templates are the tree's.
    """
    return {**os.environ, SOURCE_TOKEN: source_token or "not-asked-for",
            TARGET_TOKEN: target_token or "not-asked-for",
            "SANCTUMCTL_TEMPLATES": str(TOP / "templates")}


def render(sections):
    """Return the text of an INI file; values that are None are left out."""
    lines = []
    for title, keys in sections:
        lines.append(f"[{title}]")
        lines += [f"{k} = {v}" for k, v in keys.items() if v is not None]
        lines.append("")
    return "\n".join(lines)


def write(path, sections):
    path = Path(path)
    path.write_text(render(sections))
    return path


def job(kind, name, **more):
    return "job", {"kind": kind, "name": name, **more}


def host(name, at, *, pin=False, slow=False, transport=None, silence=None):
    """Section of a bed.hosts.Host; `pin` names its key in the file."""
    return f"host {name}", {
        "address": at.slow_address if slow else at.address,
        "port": at.port, "user": at.user,
        "identity_file": at.client_key,
        "user_known_hosts_file": at.known_hosts,
        "host_key": at.fingerprint() if pin else None,
        "transport": transport, "silence": silence}


def letta(name, server, token):
    """Section of a server that this machine reaches."""
    return f"letta {name}", {"url": server.url, "token": f"env:{token}"}


def agent(name, agent_id, *, source="cloud", to="new"):
    return f"agent {name}", {"from": f"{source}:{agent_id}", "to": to}


def worker(name, made, *, agent, source="old", to="node1", to_path=None,
           trees="broca smcp", **more):
    """Section of a bed.worker.Worker; `agent` is a name or an agent's id."""
    return f"worker {name}", {
        "agent": agent, "from": f"{source}:{made.home}",
        "to": f"{to}:{to_path or made.home}", "trees": trees, **more}


def agent_job(path, source, target, agent_id, *, name="sage"):
    """Job of kind agent: between two servers that this machine reaches."""
    return write(path, [
        job("agent", f"{name}-agent"),
        letta("cloud", source, SOURCE_TOKEN),
        letta("new", target, TARGET_TOKEN),
        agent(name, agent_id)])


def agents_job(path, source, target, agents, *, job_name="minds",
               **keys):
    """The same with several agents: {name in the job: id}.

    keys   further keys of each [agent]
    """
    sections = [job("agent", job_name),
                letta("cloud", source, SOURCE_TOKEN),
                letta("new", target, TARGET_TOKEN)]
    for one, agent_id in agents.items():
        title, found = agent(one, agent_id)
        sections.append((title, {**found, **keys}))
    return write(path, sections)


def workers_job(path, bed, made, agent_id, *, server_url, source_url=None,
                **host_options):
    """Job of kind workers: from src to dst, for the agent `agent_id`.

    server_url   the Letta server as the worker on dst will reach it, and
                 this machine does
    source_url   the one that it uses on src, by default the same
    """
    sections = [
        job("workers", f"{made.name}-worker"),
        host("old", bed.src, **host_options),
        host("node1", bed.dst, **host_options),
        ("letta new", {"url": server_url, "token": f"env:{TARGET_TOKEN}"})]
    if source_url is not None:
        sections.append(("letta was", {"url": source_url,
                                       "token": f"env:{SOURCE_TOKEN}"}))
    return write(path, sections + [
        worker(made.name, made, agent=agent_id, server="new",
               from_server=source_url and "was")])


def live_job(path, bed, live, *, target=None, agent_id=None, keys=None,
             host_options=None, **more):
    """Job of kind workers for a bed.moved_worker.LiveWorker, src to dst.

    target         the server it will use on dst, else the one it has; both
                   must be reached under their URL by everybody
    agent_id       its agent there, else the one it has
    keys           further keys of [job];  more   of [worker]
    host_options   for host()
    """
    options = host_options or {}
    sections = [
        job("workers", **{"name": f"{live.name}-worker", **(keys or {})}),
        host("old", bed.src, **options), host("node1", bed.dst, **options),
        letta("new", target or live.letta, TARGET_TOKEN)]
    if target is not None:
        sections.append(letta("was", live.letta, SOURCE_TOKEN))
        more["from_server"] = "was"
    return write(path, sections + [
        worker(live.name, live, agent=agent_id or live.agent, server="new",
               **more)])


def greenfield_job(path, bed, made, agent_id, **host_options):
    """Job of kind greenfield: agent and worker to dst, with its edge."""
    return write(path, [
        job("greenfield", f"{made.name}-to-node1"),
        host("old", bed.src, **host_options),
        host("node1", bed.dst, **host_options),
        letta("cloud", bed.source, SOURCE_TOKEN),
        ("letta new", {"host": "node1", "version": bed.target_version,
                       "token": f"env:{TARGET_TOKEN}"}),
        ("edge node1", {
            "site": bed.site, "ade": f"{bed.site}:8283",
            "acme_email": f"ops@{bed.site}",
            "acme_server": bed.acme.directory_url,
            "acme_ca_file": bed.acme.trust_on(bed.dst),
            # Neither a rehearsal nor a renewal, which take seconds.
            "acme_staging": "none",
            "ca_file": bed.acme.root_ca(),
            "connect_to": bed.dst.address}),
        agent(made.name, agent_id),
        worker(made.name, made, agent=made.name)])
