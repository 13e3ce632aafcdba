"""The machine of an operator whose old Letta server is docker compose's.

    with ComposeHome(bed, "0.16.2") as home:
        home.job(to="0.16.8")

As bed.old_home, but for who keeps the server running: the stand-in for an
engine in runtime/engine.py, which runs the real servers of the images.
"""

import json

from bed import jobs
from bed.old_home import (BIN, NEW_TOKEN, OLD_TOKEN, PASSWORD, PORT,
                          OldHome)
from bed.bare import FILES

FOLDER = "/srv/letta"
FILE, ENV_FILE = f"{FOLDER}/compose.yaml", f"{FOLDER}/letta.env"
OVERRIDE = f"{FOLDER}/compose.override.yaml"

#: In the environment of the service, for all who may read the file.
SECRET = "written-into-the-file"

#: What the server wants of who asks, before and after.
TOKEN = "compose-home-token"

#: Blanks, quotes and line ends as people leave them.
TEXT = """\
# Ours.\r
name: letta\r
\r
services:
  db:
    image: pgvector/pgvector:0.8.0-pg16   # tags differ: keep
    environment: { POSTGRES_USER: letta, POSTGRES_PASSWORD: %(secret)s }
  "letta" :
      environment:
        LETTA_PG_URI: postgresql://letta:%(password)s@db:5432/letta
        SERPER_API_KEY: '%(secret)s'
      env_file: letta.env
      image:   'letta/letta:%(version)s'   # do not touch  \n\
      ports:
        - "127.0.0.1:%(port)d:8283"
      restart: unless-stopped
"""

#: An official image lets everybody in over its own socket.
HBA = "host all all 127.0.0.1/32 trust\n"


class ComposeHome(OldHome):
    """The same machine; its server is the service `letta' of FILE."""

    hba = HBA

    def __init__(self, bed, version="0.16.2", **kw):
        super().__init__(bed, version, superuser=True, password=TOKEN, **kw)

    def _own_env(self, env):
        return super()._own_env({NEW_TOKEN: TOKEN, **(env or {})})

    def compose(self, *words, files=(FILE, OVERRIDE)):
        """docker compose, as its operator calls it."""
        named = [w for one in files for w in ("-f", one)]
        return self.run(["docker", "compose", *named, *words], env=self.env)

    def text(self):
        return self.path(FILE).read_bytes()

    def asked(self):
        """What the engine was asked for so far."""
        return self.path("/srv/docker/asked").read_text().splitlines()

    def policies(self):
        """{service: restart policy of its container}."""
        known = json.loads(self.path("/srv/docker/containers").read_text())
        return {one["service"]: one["restart"] for one in known.values()}

    def reboot(self):
        """Returns the services that the engine has started by itself."""
        return self.run(["docker", "reboot"], env=self.env).stdout.split()

    def prune(self):
        """What does not run is gone."""
        self.run(["docker", "prune"], env=self.env)

    def halve(self):
        """The next `up' that makes a container anew is killed half way."""
        self.path("/srv/docker/half").touch()

    def _start_server(self):
        program = self.path(f"{BIN}/docker")
        program.write_text((FILES / "engine.py").read_text())
        program.chmod(0o755)
        self.path(FOLDER).mkdir()
        env = self._environment()
        for key in ("LETTA_PG_URI", "HOME", "LETTA_DIR"):
            del env[key]
        self.path(ENV_FILE).write_text("".join(
            f"{k}={v}\n" for k, v in env.items()))
        self.path(FILE).write_bytes((TEXT % {
            "secret": SECRET, "password": PASSWORD, "version": self.version,
            "port": PORT}).encode())
        self.path(FILE).chmod(0o640)
        # Without this file the server would let everybody in.
        self.path(OVERRIDE).write_text(
            "services:\n  db:\n    restart: always\n"
            "  letta:\n    restart: always\n"
            "    environment:\n      SECURE: 'true'\n")
        self.compose("up", "-d")
        self.wait_version(self.version)

    def job(self, path="/root/home.conf", *, to="0.16.8", old=None, new=None,
            upgrade=None, **keys):
        jobs.write(self.path(path), [
            jobs.job("upgrade", **{"name": "home", "break_glass": "yes",
                                   **keys}),
            ("host here", {"address": "local"}),
            ("letta old", {
                "host": "here", "port": PORT, "version": self.version,
                "service": "letta", "compose": FILE,
                "compose_database": "db", "token": f"env:{OLD_TOKEN}",
                **(old or {})}),
            ("letta new", {
                "host": "here", "version": to, "runtime": "compose",
                "port": PORT, "token": f"env:{NEW_TOKEN}", **(new or {})}),
            ("upgrade home", {"from": "old", "to": "new", "rehearse": "no",
                              **(upgrade or {})})])
        return path
