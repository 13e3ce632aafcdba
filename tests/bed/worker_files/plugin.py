"""A plugin of SMCP (stand-in): echoes, and names whose agent it serves."""

import json
import os
import sys

COMMANDS = [
    {"name": "echo", "description": "says it again", "parameters": [
        {"name": "message", "type": "string", "required": True}]},
    {"name": "agent", "description": "names the agent and one secret",
     "parameters": [
         {"name": "secret", "type": "string", "required": False}]},
]


def main():
    if sys.argv[1:] == ["--describe"]:
        name = os.path.basename(os.path.dirname(os.path.abspath(__file__)))
        print(json.dumps({"contract_version": "1.0", "commands": COMMANDS,
                          "plugin": {"name": name, "version": "1.0.0",
                                     "description": "stand-in"}}))
        return
    command, words = sys.argv[1], sys.argv[2:]
    given = {words[i].lstrip("-"): words[i + 1]
             for i in range(0, len(words), 2)}
    if command == "echo":
        print(json.dumps({"result": given["message"]}))
    else:
        print(json.dumps({"agent": os.environ.get("LETTA_AGENT_ID"),
                          "secret": os.environ.get(given.get("secret", ""))}))


if __name__ == "__main__":
    main()
