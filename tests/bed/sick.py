"""A host on which everything that doctor knows has gone wrong.

What is not there on a bed's host is stood in for: docker and date are scripts,
a Letta server is a process of that name, ports are held by a small program.
nginx, its configuration and certificates are real.
"""

import subprocess
from pathlib import Path

from bed import worker

AGENT = "agent-77777777-7777-4777-8777-777777777777"
SITE = "sick.internal"

SLEEPER = "import time\ntime.sleep(600)\n"
LISTENER = """\
import socket, sys, time
held = []
for word in sys.argv[1:]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", int(word)))
    s.listen()
    held.append(s)
time.sleep(600)
"""

DOCKER = """\
#!/bin/sh
printf 'letta\\tletta/letta:latest\\t0.0.0.0:8284->8283/tcp, :::8284->8283\\n'
printf 'good\\tletta/letta:0.16.2\\t127.0.0.1:8283->8283/tcp\\n'
"""
DATE = "#!/bin/sh\necho $(($(/usr/bin/date +%s) + 600))\n"
COMPOSE = """\
services:
  letta:
    image: letta/letta   # no version
    ports:
      - "8283:8283"
      - "127.0.0.1:5432:5432"
"""

#: No TLS 1.3 but on one server, a clear port, CORS as browsers refuse it.
NGINX = """\
server {{
	listen 80;
	server_name {site} {other};
	location = /.well-known/sanctumctl-generation {{
		return 200 "{generation}\\n";
	}}
	location / {{ proxy_pass http://127.0.0.1:18283; }}
}}
server {{
	listen 443 ssl;
	server_name {site};
	ssl_certificate {folder}/cert.pem;
	ssl_certificate_key {folder}/rsa.key;
	ssl_protocols TLSv1.1 TLSv1.2;
	add_header X-Content-Type-Options nosniff;
	location / {{
		add_header Access-Control-Allow-Origin '*';
		add_header Access-Control-Allow-Credentials true;
		proxy_pass http://127.0.0.1:18283;
	}}
	location /smcp/ {{ proxy_pass http://127.0.0.1:8000/; }}
}}
server {{
	listen 443 ssl;
	server_name second.{site};
	ssl_certificate {folder}/pair.pem;
	ssl_certificate_key {folder}/pair.key;
	ssl_protocols TLSv1.2 TLSv1.3;
	location / {{ proxy_pass http://127.0.0.1:18283; }}
}}
server {{
	listen 80;
	server_name {other};
}}
"""
NGINX_FILE = "/etc/nginx/conf.d/sick.conf"

#: An edge as strangers see it; health is answered by nginx itself.
OUTSIDE = """\
server {{
	listen 80;
	server_name {site};
	{port_80}
}}
server {{
	listen 443 ssl;
	server_name {site};
	ssl_certificate /etc/sick/cert.pem;
	ssl_certificate_key /etc/sick/ec.key;
	ssl_protocols TLSv1.2;
	location = /v1/health/ {{ {health} }}
	location = / {{
		default_type text/html;
		return 200 '<img src="http://x.internal/a.png">';
	}}
	location / {{ return 401; }}
}}
"""
HEALTH = "return 200 '{\"version\":\"0.16.2\",\"status\":\"ok\"}';"

RENEWAL = {"nginx": "authenticator = nginx\ninstaller = nginx\n",
           "alone": "authenticator = standalone\ninstaller = None\n"}

UNIT = """\
[Service]
WorkingDirectory={tree}
ExecStart=/usr/bin/python3 main.py
Restart=on-failure
"""


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True,
                   capture_output=True)


def write(host, path, text, mode=0o644):
    at = host.path(path)
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)
    at.chmod(mode)


class Sick:
    """Makes a host sick, part by part; cure() takes it all back."""

    def __init__(self, host):
        self.host, self.processes, self.made = host, [], []
        self.mounted = []
        self.log = host.state_dir / "sick.log"

    def spawn(self, argv, **kw):
        self.processes.append(self.host.spawn(argv, log=self.log, **kw))
        return self.processes[-1]

    def cure(self):
        for one in self.processes:
            one.stop()
        for path in reversed(self.mounted):
            self.host.run(["umount", "-l", path])
        self.host.run(["sh", "-c", "rm -rf " + " ".join(self.made)])
        self.host.run(["nginx", "-s", "stop"], check=False)

    def put(self, path, text, mode=0o644):
        self.made.append(path)
        write(self.host, path, text, mode)

    def mount(self, path, options):
        self.host.run(["mkdir", "-p", path])
        self.host.run(["mount", "-t", "tmpfs", "-o", options, "sick", path])
        self.mounted.append(path)

    # Workers

    def worker(self, name, **options):
        made = worker.make_worker(f"sick-{name}", on=self.host, **{
            "agent_id": AGENT, "url": "http://127.0.0.1:8283",
            "token": "old-token", "random_bytes": 10, **options})
        self.made.append(made.home)
        return made

    def env(self, made, change):
        at = made.broca / ".env"
        at.write_text(change(at.read_text()))

    def asleep(self, made, lines=SLEEPER):
        """Trees whose programs do nothing, for as long as a test lasts."""
        (made.broca / "main.py").write_text(lines)
        (made.smcp / "smcp.py").write_text(lines)

    def run_broca(self, made, cwd=None, **env):
        return self.spawn(["/usr/bin/python3", f"{made.home}/broca/main.py"],
                          cwd=cwd or f"{made.home}/broca", env=env or None)

    def static_worker(self):
        """One that does not run, with what its files alone show."""
        made = self.worker("files", database_rows=41, agent_id=AGENT)
        self.env(made, lambda text: "\n".join(
            line for line in text.splitlines() if "DEBUG" not in line)
            .replace(AGENT, AGENT.removeprefix("agent-"))
            .replace("http://127.0.0.1:8283", "https://letta.example.org")
            + "\nLETTA_API_KEY=x\nAGENT_API_KEY=\nTELEGRAM_OWNER_ID=1\n"
            "TELEGRAM_OWNER_USERNAME=me\n")
        (made.broca / ".env").chmod(0o644)
        (made.broca / "sanctum.db").chmod(0o644)
        (made.broca / "settings.json").write_text(
            '{"plugins": {"telegram_bot": {"bot_token": "1:x"}}}')
        (made.broca / "settings.json").chmod(0o644)
        home = made.home
        write(self.host, f"{home}/broca/.env.bak", "AGENT_API_KEY=old\n")
        write(self.host, f"{home}/broca/.git/config",
              "[remote]\nurl = https://me:pass@git.internal/x\n")
        write(self.host, f"{home}/broca/venv/bin/pip", "#!/old/bin/python\n")
        write(self.host, f"{home}/start-again.sh",
              "#!/bin/sh\ncurl -fsk https://x.internal\n")
        return made

    def odd_layouts(self):
        """No .env, one above, a mark before it, a database elsewhere."""
        made = self.worker("bare")
        (made.broca / ".env").unlink()
        made = self.worker("above")
        (made.broca / ".env").rename(made.path / ".env")
        made = self.worker("mark")
        self.env(made, lambda text: "\ufeff" + text)
        write(self.host, f"{made.home}/broca/sanctum.db-journal", "hot")
        made = self.worker("elsewhere")
        self.env(made, lambda text: text + "DB_PATH=/srv/else.db\n")
        write(self.host, f"{made.home}/broca/agent-1/.env", "AGENT_ID=x\n")

    def live_workers(self):
        """One alone, with a queue that stands; two with one agent."""
        alone = self.worker("alone", agent_id=AGENT.replace("7", "5"))
        self.asleep(alone)
        (alone.broca / "run/broca.pid").unlink(missing_ok=True)
        self.run_broca(alone)
        self.spawn(["/usr/bin/python3", f"{alone.home}/smcp/smcp.py"],
                   cwd=f"{alone.home}/smcp",
                   env={"MCP_AUTH_DISABLED": "true"})
        write(self.host, f"{alone.home}/smcp/.env",
              f"LETTA_AGENT_ID={AGENT}\n")
        self.host.path(f"{alone.home}/smcp/venv/lib/python3.11/"
                       "site-packages/mcp-2.0.1.dist-info").mkdir(
                           parents=True)
        one, two = self.worker("one"), self.worker("two")
        self.asleep(one)
        self.asleep(two)
        self.run_broca(one, AGENT_ID=AGENT.replace("7", "6"))
        self.run_broca(two, cwd="/root", AGENT_ID=AGENT.replace("7", "6"))
        self.run_broca(two, AGENT_ID=AGENT.replace("7", "6"))
        write(self.host, f"{one.home}/broca/run/broca.pid", "1\n")
        self.put("/etc/systemd/system/sick.service",
                 UNIT.format(tree=f"{one.home}/broca"))
        self.put("/etc/cron.d/sick", f"* * * * * root {one.home}/"
                 f"start-{one.name}-broca.sh\n")

    # The host itself

    def machine(self):
        self.mount("/usr/local/bin", "size=1m")
        write(self.host, "/usr/local/bin/docker", DOCKER, 0o755)
        write(self.host, "/usr/local/bin/date", DATE, 0o755)
        self.mount("/srv", "size=1m")
        self.host.path("/srv/big").write_bytes(bytes(1 << 20))
        self.mount("/opt", "nr_inodes=40")
        for i in range(39):
            write(self.host, f"/opt/f{i}", "")
        self.put("/home/app/compose.yaml", COMPOSE)
        self.put("/root/.letta/.env", "LETTA_SERVER_URL=http://x\n", 0o600)
        self.spawn(["/usr/bin/python3", "-c", SLEEPER, "letta", "server"])
        self.spawn(["/usr/bin/python3", "-c", LISTENER, "18283", "5432"])

    # nginx and certificates

    def certificates(self):
        here = Path(self.host.path("/etc/sick"))
        here.mkdir()
        self.made.append("/etc/sick")
        for days, cert, key in ((1, "cert.pem", "ec.key"),
                                (900, "pair.pem", "pair.key")):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", days,
                    "-subj", "/CN=sick", "-addext",
                    f"subjectAltName=DNS:second.{SITE},DNS:one.{SITE}",
                    "-keyout", here / key, "-out", here / cert)
        openssl("genrsa", "-out", here / "rsa.key", "2048")
        for name, text in RENEWAL.items():
            write(self.host, f"/etc/letsencrypt/renewal/{name}.conf", text)
            write(self.host, f"/etc/letsencrypt/live/{name}/cert.pem", "x")
        self.made.append("/etc/letsencrypt")
        self.host.run(["rm", "-f", "/etc/cron.d/certbot",
                       "/etc/cron.daily/certbot"])

    def outside(self, port_80):
        """Serve OUTSIDE as second.SITE; returns the root to trust."""
        if "/etc/sick" not in self.made:
            self.certificates()
        self.put(NGINX_FILE, OUTSIDE.format(
            site=f"second.{SITE}", health=HEALTH, port_80=port_80))
        self.host.run(["nginx"])
        return self.host.path("/etc/sick/cert.pem")

    def nginx(self):
        """It serves another generation than the one that is on disk."""
        self.certificates()
        values = {"site": SITE, "other": f"one.{SITE}",
                  "folder": "/etc/sick"}
        self.put(NGINX_FILE, NGINX.format(generation="0" * 16, **values))
        self.host.run(["nginx"])
        self.put(NGINX_FILE, NGINX.format(generation="1" * 16, **values))


