"""Back up every agent of a Letta server, the straightforward way.

usage: bench/plain_backup.py URL FOLDER

What one would write in an afternoon, to measure sanctumctl against: requests
one after another, each answer whole in memory, a file of JSON an agent.  It
does not look whether somebody wrote meanwhile, and reads everything each
time.  The token is in TOKEN.

Prints a line of JSON: agents, messages, passages, KiB of peak memory.
"""

import json
import os
import resource
import sys
import urllib.request

MESSAGES, PASSAGES = 1000, 100


class Server:
    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token
        # Near: no proxy that the environment may name.
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}))

    def get(self, path):
        request = urllib.request.Request(self.url + path)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with self.opener.open(request, timeout=3600) as answer:
            return json.load(answer)

    def listing(self, path):
        """Return all items of a listing that is paged from the oldest on."""
        items, after = [], ""
        while True:
            page = self.get(path + after)
            if not page:
                return items
            items += page
            after = f"&after={page[-1]['id']}"

    def agent(self, agent_id):
        """Return all that there is of an agent."""
        own = f"/v1/agents/{agent_id}"
        return {
            "agent": self.get(own),
            "export": self.get(f"{own}/export"),
            "messages": self.listing(
                f"{own}/messages?limit={MESSAGES}&order=asc"
                "&use_assistant_message=false&include_err=true"),
            "passages": self.listing(
                f"{own}/archival-memory?limit={PASSAGES}&ascending=true")}


def main():
    server = Server(sys.argv[1], os.environ.get("TOKEN"))
    os.makedirs(sys.argv[2])
    found = {"agents": 0, "messages": 0, "passages": 0}
    for one in server.listing(f"/v1/agents/?limit={PASSAGES}"
                              "&order=asc"):
        made = server.agent(one["id"])
        for passage in made["passages"]:
            # A model's vector, which the next server makes anew.
            passage.pop("embedding", None)
        with open(f"{sys.argv[2]}/{one['id']}.json", "w") as out:
            json.dump(made, out, ensure_ascii=False)
        found["agents"] += 1
        found["messages"] += len({m["id"] for m in made["messages"]})
        found["passages"] += len(made["passages"])
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**found, "peak_kib": use.ru_maxrss}))


if __name__ == "__main__":
    main()
