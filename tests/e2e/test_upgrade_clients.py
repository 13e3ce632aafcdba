"""Files of clients get the new address of an upgraded server, and the old
one back; nothing else of them is in a plan or journal."""

import os
import subprocess
from pathlib import Path

import pytest

from bed import jobs
from bed.paths import TOP
from bed.wait import wait_for

SECRET = "sk-hunter2hunter2"
OLD, NEW = "127.0.0.1:28284", "127.0.0.1:28283"

RC = f"""# LETTA_BASE_URL=http://localhost:28284
export OPENAI_API_KEY={SECRET}
export LETTA_BASE_URL="http://localhost:28284" TOKEN={SECRET}
alias far='curl http://{OLD}0'
"""
ENV = f"""# AGENT_ENDPOINT=http://{OLD}
AGENT_API_KEY='{SECRET}'
AGENT_ENDPOINT=http://{OLD}   # the old one\r
"""
NGINX = f"""server {{
    listen 127.0.0.1:28099;
    location / {{ proxy_pass http://{OLD}; }}
}}
"""
COMPOSE = f"""services:
  bot:
    image: bot:1
    environment:
      LETTA_BASE_URL: http://host.docker.internal:28284
      KEY: {SECRET}
    ports: ["{OLD}:28284"]
"""


class Clients:
    """Files of clients on a host, and the step that edits them."""

    files = {"/root/clients/.bashrc": RC, "/root/clients/bot/.env": ENV,
             "/etc/nginx/conf.d/clients.conf": NGINX,
             "/root/clients/compose.yaml": COMPOSE}
    other = "/root/clients/other/.env"

    def __init__(self, host, folder):
        self.host, self.folder = host, folder
        self.host.run(["mkdir", "-p", "/root/clients/bot",
                       "/root/clients/other"])
        for path, text in {**self.files, self.other: ENV}.items():
            self.put(path, text)
        self.host.run(["chmod", "640", "/root/clients/.bashrc"])
        self.host.run(["chown", "nobody", "/root/clients/.bashrc"])
        self.host.run(["ln", "-sf", "/root/clients/.bashrc",
                       "/root/clients/link"])
        self.job = self.write("link " + " ".join(
            path.removeprefix("/root/clients/") for path in self.files
            if not path.endswith(".bashrc")))

    def write(self, paths, new_port=28283):
        names = " ".join(p if p.startswith("/") else f"/root/clients/{p}"
                         for p in paths.split())
        return jobs.write(self.folder / "up.conf", [
            jobs.job("upgrade", f"clients{new_port}", break_glass="yes"),
            jobs.host("here", self.host),
            ("letta old", {"host": "here", "port": 28284,
                           "url": f"http://{OLD}", "version": "0.11.3",
                           "database": "env:PG", "token": "env:T"}),
            ("letta new", {"host": "here", "port": new_port,
                           "url": f"http://127.0.0.1:{new_port}",
                           "version": "0.16.2", "runtime": "venv",
                           "redis": "none", "token": "env:T"}),
            ("upgrade home", {"from": "old", "to": "new",
                              "clients": names})])

    def put(self, path, text):
        self.host.path(path).write_bytes(text.encode())

    def texts(self):
        return {path: self.host.path(path).read_bytes().decode()
                for path in self.files}

    def hand(self, verb, faults=False, **env):
        name = "SANCTUMCTL_FAULTS" if faults else "SANCTUMCTL"
        built = Path(os.environ.get(name) or TOP / "build" / (
            "faults" if faults else "plain") / "sanctumctl").parent
        done = subprocess.run(
            [str(built / "tests/unit/clients_hand"),
             str(self.folder / "state"), str(self.job), verb], text=True,
            capture_output=True, timeout=60,
            env={**jobs.environment(), "PG": "x", "T": "x",
                 "SANCTUMCTL_REMOTE": str(built / "sanctumctl-remote"),
                 **env})
        assert SECRET not in done.stdout + done.stderr
        return done

    def do(self, verb):
        done = self.hand(verb)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def no_secret_kept(self):
        return not any(SECRET.encode() in p.read_bytes()
                       for p in (self.folder / "state").rglob("*")
                       if p.is_file())

    def remove(self):
        self.host.run(["rm", "-rf", "/root/clients",
                       "/etc/nginx/conf.d/clients.conf"])


def after(text):
    """What each of the texts becomes: by hand, address by address."""
    return {RC: RC.replace("http://localhost:28284",
                           "http://localhost:28283"),
            ENV: ENV.replace(f"ENDPOINT=http://{OLD}   ",
                             f"ENDPOINT=http://{NEW}   "),
            NGINX: NGINX.replace(OLD, NEW),
            COMPOSE: COMPOSE.replace("internal:28284", "internal:28283")
            }[text]


@pytest.fixture
def clients(src, tmp_path):
    made = Clients(src, tmp_path)
    yield made
    src.run(["nginx", "-s", "stop"], check=False)
    made.remove()


def get(host, port=28099):
    return host.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                     f"http://127.0.0.1:{port}/"], check=False).stdout


def test_there_and_back(clients, src):
    before = clients.texts()
    src.run(["nginx"])
    shown = clients.do("plan")
    assert clients.texts() == before
    assert f"not changed: {clients.other}:3: {OLD}" in shown
    assert "+export LETTA_BASE_URL=\"http://localhost:28283\" ***" in shown
    assert f"-AGENT_ENDPOINT=http://{OLD} ***" in shown
    assert f"+*** http://{NEW}; ***" in shown
    clients.do("apply")
    assert clients.texts() == {p: after(t) for p, t in before.items()}
    meta = src.path("/root/clients/.bashrc").stat()
    assert (meta.st_mode & 0o777, meta.st_uid) == (0o640, 65534)
    assert src.path("/root/clients/link").is_symlink()
    assert clients.do("plan").rstrip().endswith("\n0")
    assert clients.do("apply").rstrip().endswith("\n0")
    # nginx serves what is on its disk: the new address answers now.
    with_server = src.spawn(["python3", "-m", "http.server", "28283",
                             "--bind", "127.0.0.1"], cwd="/tmp")
    try:
        wait_for("nginx to lead to the new port",
                 lambda: get(src) == "200")
    finally:
        with_server.stop()
    assert clients.no_secret_kept()
    clients.do("cancel")
    assert clients.texts() == before
    assert clients.do("cancel").strip() == "0"


def test_what_is_edited_since_stays(clients):
    """Other changes of a file are kept, and the edit is taken back."""
    before = clients.texts()
    assert "daemon-reload" in clients.do("apply")
    clients.put("/root/clients/.bashrc", "# me\n" + after(RC) + "# mine\n")
    rotated = after(ENV).replace(SECRET, SECRET[::-1])
    clients.put("/root/clients/bot/.env", rotated)
    clients.do("cancel")
    assert clients.texts() == {
        **before, "/root/clients/.bashrc": "# me\n" + RC + "# mine\n",
        "/root/clients/bot/.env": ENV.replace(SECRET, SECRET[::-1])}


def test_what_is_not_ours_stays(clients):
    """One more new address: it is named until somebody changes it."""
    before = clients.texts()
    clients.do("apply")
    mine = "export MINE=http://localhost:28283\n"
    clients.put("/root/clients/.bashrc", after(RC) + mine)
    for _ in range(2):
        done = clients.hand("cancel")
        assert done.returncode == 3, done
        assert "stay in them: /root/clients/.bashrc (1)." in done.stderr
        assert clients.texts() == {**before,
                                   "/root/clients/.bashrc": RC + mine}
    clients.put("/root/clients/.bashrc", RC)
    clients.do("cancel")
    assert clients.texts() == before


def test_what_nginx_refuses_is_put_back(clients, src):
    before = clients.texts()
    src.path("/etc/nginx/conf.d/bad-clients.conf").write_text("no nginx\n")
    try:
        done = clients.hand("apply")
        assert done.returncode == 1 and "nginx -t refuses" in done.stderr
        assert "nginx files are as they were" in done.stderr
        assert clients.texts() == {
            p: t if "nginx" in p else after(t) for p, t in before.items()}
    finally:
        src.run(["rm", "/etc/nginx/conf.d/bad-clients.conf"])
    clients.do("apply")
    assert clients.texts() == {p: after(t) for p, t in before.items()}


def test_what_cannot_be_edited(clients):
    clients.write("bot/.env nowhere")
    done = clients.hand("plan")
    assert done.returncode == 2
    assert "names here:/root/clients/nowhere, which is not there" in \
        done.stderr
    clients.write("bot/.env", new_port=28284)
    assert "the address stays as it is" in clients.do("plan")
    clients.write("bot/.env")
    clients.put("/root/clients/bot/.env", f"P=28284\nE=http://127.0.0.1:$"
                f"{{P}}\nK={SECRET}\n")
    done = clients.hand("plan")
    assert done.returncode != 0
    assert "here:/root/clients/bot/.env:2: E names the old address" in \
        done.stderr


def test_more_files_than_are_looked_at(clients, src):
    cut = "files behind the first 1024 that name the old address"
    assert cut not in clients.do("plan")
    src.run(["sh", "-c", "mkdir /root/clients/many && cd /root/clients/many "
             "&& for i in $(seq 1100); do printf 'U=http://%s\\n' "
             f"'{OLD}' >$i.env; done"])
    told = clients.do("plan")
    assert cut in told and "; not all files were looked at\n" in told
    assert told.count("/root/clients/many/") > 1000


def test_killed_at_each_point(clients, tmp_path):
    before = clients.texts()
    count = tmp_path / "points"
    done = clients.hand("apply", True, SANCTUMCTL_FAULT_COUNT=str(count))
    assert done.returncode == 0, done.stderr
    clients.do("cancel")
    points = len(count.read_text().splitlines())
    for k in range(1, points + 1):
        done = clients.hand("apply", True, SANCTUMCTL_FAULT_STOP=str(k))
        if k % 3 == 0:
            clients.do("apply")
            assert clients.texts() == {p: after(t)
                                       for p, t in before.items()}, k
            clients.hand("cancel", True, SANCTUMCTL_FAULT_STOP=str(k))
        clients.do("cancel")
        assert clients.texts() == before, k
        if done.returncode == 0:    # what the first run alone has to do
            break
    assert k >= 10


def test_a_directory_of_another_user_is_not_written_to(clients, src):
    before = clients.texts()
    src.run(["chown", "nobody", "/root/clients/bot"])
    refused = clients.hand("apply")
    assert refused.returncode != 0
    assert "/root/clients/bot is not ours alone" in refused.stderr
    assert clients.texts() == before
