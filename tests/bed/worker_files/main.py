"""A stand-in for Broca's main.py, of the same shape and far less.

It reads the .env beside it, keeps run/broca.pid, takes pending rows of the
queue one at a time, asks the Letta server that .env names for an answer, and
marks the row completed.  Like the original it removes its pid file when the
signal to end comes, which is before it has ended.
"""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

from runtime.core.queue import Queue

HERE = Path(__file__).resolve().parent
PID_FILE = HERE / "run" / "broca.pid"


def read_env(path):
    """Read the plain part of a .env: KEY=value, quotes, comments."""
    values = {}
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        key = key.removeprefix("export ").strip()
        if not equals or not key or key.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in ("'", '"'):
            value = value[1:].split(value[0])[0]
        else:
            value = value.split(" #")[0].rstrip()
        values[key] = os.environ.get(key, value)
    return values


def ask(env, text):
    """Send one message to the agent; return what it said."""
    request = urllib.request.Request(
        f"{env['AGENT_ENDPOINT']}/v1/agents/{env['AGENT_ID']}/messages",
        data=json.dumps({"messages": [
            {"role": "user", "content": text}]}).encode(),
        headers={"Content-Type": "application/json",
                 "Authorization": f"Bearer {env.get('AGENT_API_KEY', '')}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        items = json.load(answer)["messages"]
    return " ".join(str(i.get("content")) for i in items
                    if i["message_type"] == "assistant_message")


def main():
    env = read_env(HERE / ".env")
    # Without DEBUG_MODE=false every message is echoed to its sender.
    debug = env.get("DEBUG_MODE", "unset").lower() != "false"
    going = True

    def end(*_):
        nonlocal going
        going = False
        PID_FILE.unlink(missing_ok=True)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    PID_FILE.parent.mkdir(exist_ok=True)
    PID_FILE.write_text(str(os.getpid()))
    queue = Queue(HERE / "sanctum.db")
    while going:
        row = queue.take()
        if row is None:
            time.sleep(0.05)
            continue
        try:
            queue.complete(row, row.text if debug else ask(env, row.text))
        except OSError as e:
            print(f"row {row.id}: {e}", flush=True)
            queue.give_back(row)
            time.sleep(0.5)


if __name__ == "__main__":
    main()
