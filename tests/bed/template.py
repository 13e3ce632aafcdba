"""Prepare the database that every Letta server of a version starts from.

usage: python3 -m bed.template VERSION

Done once for each cache: an empty PostgreSQL, Letta's tables, and the rows
that a first start writes (default organisation and user, base tools).
"""

import shutil
import subprocess
import sys
import tempfile

from bed.letta import LettaServer
from bed.paths import CACHE, PYTHON
from bed.wait import accepts, free_port, wait_for


def prepare(version):
    """Make the template of a version, whole or not at all."""
    target = CACHE / f"template-{version}"
    shutil.rmtree(target, ignore_errors=True)
    port = free_port()
    stub = subprocess.Popen([PYTHON, "-m", "bed.stub_llm", "--port",
                             str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for("stand-in", lambda: accepts("127.0.0.1", port))
        with tempfile.TemporaryDirectory(prefix="sanctum-bed-") as state:
            server = LettaServer(version, state_dir=state, stub_port=port)
            try:
                server.start(fresh_schema=True)
                server.stop_api()
                server.alter_schema("forget-models")
            except Exception:
                if server.log.exists():
                    sys.stderr.write(server.log.read_text()[-4000:])
                raise
            finally:
                server.stop()
            target.mkdir()
            subprocess.run(["cp", "-a", f"{state}/letta/pg",
                            str(target / "pg")], check=True)
    finally:
        stub.terminate()
        stub.wait()
    (target / ".complete").touch()


if __name__ == "__main__":
    prepare(sys.argv[1])
