"""A stand-in for SMCP's smcp.py: lists its plugins and ends."""

import os
from pathlib import Path

if __name__ == "__main__":
    for cli in sorted(Path(__file__).resolve().parent.glob("plugins/*/cli.py")):
        print(os.environ.get("LETTA_AGENT_ID", "no agent"), cli.parent.name)
