"""Start the stand-in for a language model where a Letta server needs it."""

from bed.paths import PYTHON
from bed.wait import wait_for


def start_stub(space, port, log):
    """Run bed.stub_llm on 127.0.0.1:port as a space sees it."""
    process = space.spawn([PYTHON, "-m", "bed.stub_llm", "--port",
                           str(port)], log=log)
    probe = (f"import socket; socket.create_connection(('127.0.0.1', {port}),"
             " 2)")
    wait_for(f"stand-in for the model ({log})",
             lambda: space.run([PYTHON, "-I", "-S", "-c", probe],
                               check=False).returncode == 0,
             alive=process.alive)
    return process
