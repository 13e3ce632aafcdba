"""What an edge does when nginx, a neighbour or the disk does not play along.

Real nginx on dst; a stand-in for Letta behind it.
"""

import json
import os
import re
import ssl
from pathlib import Path

import pytest

from bed import edge_job, loopback
from bed.edge_job import ADE, ADE_PORT, CONF, SITE
from bed.paths import TOP
from bed.upstream import Upstream
from bed.wait import wait_for

NEIGHBOUR = "/etc/nginx/sites-enabled/neighbour"
#: nginx names the later of two: this one is read before ours.
EARLIER = "/etc/nginx/conf.d/0-neighbour.conf"
OTHER = "other.internal"
FOREIGN = f"""\
server {{
	listen 443 ssl%s;
	listen [::]:443 ssl%s;
	server_name %s;
	ssl_certificate /etc/ssl/neighbour/fullchain.pem;
	ssl_certificate_key /etc/ssl/neighbour/privkey.pem;
	return 200 "the neighbour\\n";
}}
"""
GENERATION = "/.well-known/sanctumctl-generation"
STOPPED = 99


@pytest.fixture(scope="module")
def common(dst, tmp_path_factory):
    """Authority, certificates and a stand-in for Letta."""
    folder = tmp_path_factory.mktemp("authority")
    authority = edge_job.Authority(folder)
    authority.sign([OTHER], dst.path("/etc/ssl/neighbour"))
    with Upstream(dst) as letta:
        yield authority, letta
    dst.run(["rm", "-rf", "/etc/ssl/neighbour"])


class Edge:
    def __init__(self, dst, common, run, folder):
        self.dst, self.run, self.folder = dst, run, folder
        self.authority, self.letta = common
        self.authority.sign([SITE, ADE], dst.path(edge_job.LIVE))
        self.conf = dst.path(CONF)
        self.client = edge_job.Client(dst.address, self.authority.root)
        self.job = self.write("edge.conf")

    def write(self, file_name, **keys):
        return edge_job.write(self.folder / file_name, self.dst, self.authority,
                              self.letta.port, **keys)

    def apply(self, rc=0, job=None, **kw):
        done = self.run("edge", "apply", job or self.job, **kw)
        assert done.rc == rc, done.out + done.err
        return done.err if rc else done.out

    def start_nginx(self):
        """As a host has it that serves other sites."""
        self.dst.run(["nginx"])

    def neighbour(self, text):
        self.dst.path(NEIGHBOUR).write_text(text)

    def reload(self):
        self.dst.run(["nginx", "-s", "reload"])

    def serves(self, name=SITE, path=GENERATION):
        return self.client.ask("GET", path, name=name).text

    def down(self):
        self.dst.run(["sh", "-c", "umount /etc/nginx/conf.d 2>/dev/null;"
                      "rm -rf /etc/nginx/conf.d/sanctumctl-*"
                      f" {NEIGHBOUR} {EARLIER}"
                      " /etc/nginx/*.htpasswd /etc/letsencrypt"
                      " /var/lib/sanctumctl"])
        self.dst.run(["nginx", "-s", "stop"], check=False)
        wait_for("nginx to end", lambda: self.dst.run(
            ["pgrep", "-x", "nginx"], check=False).returncode != 0)


@pytest.fixture
def edge(dst, common, sanctumctl, tmp_path):
    one = Edge(dst, common, sanctumctl, tmp_path)
    yield one
    one.down()


def test_a_reload_that_cannot_bind_is_told_with_its_reason(edge):
    edge.neighbour("server {\n\tlisten 127.0.0.1:8098;\n"
                   "\tlisten [::1]:8098;\n\treturn 200 here;\n}\n")
    edge.start_nginx()
    taken = loopback.listener(ADE_PORT, edge.dst, "0.0.0.0")
    try:
        said = edge.apply(rc=1)
    finally:
        taken.close()
    assert f"bind() to 0.0.0.0:{ADE_PORT} failed" in said
    assert "Address already in use" in said
    assert "the former configuration is back in service" in said
    assert not edge.conf.exists()
    # What served before does so still.
    for address in ("127.0.0.1", "[::1]"):
        assert edge.dst.run(["curl", "-sS", f"http://{address}:8098/"]
                            ).stdout == "here"
    edge.apply()
    assert edge.serves().strip() in edge.conf.read_text()


def test_a_broken_neighbour_is_named_and_nothing_changed(edge):
    edge.start_nginx()
    edge.neighbour("# a head\nserver {\n\tlisten 8098;\n\tnonsense;\n}\n")
    said = edge.apply(rc=1)
    assert f'unknown directive "nonsense" in {NEIGHBOUR}:4' in said
    assert "not ours" in said and "nothing was changed" in said
    assert not edge.conf.exists()
    assert edge.run("edge", "test", edge.job).rc == 1
    edge.neighbour("")
    edge.apply()
    # The same beside an edge that serves.
    edge.neighbour("nonsense;\n")
    before = edge.conf.read_text()
    edge.conf.write_text(before + "# drift\n")
    assert "not ours" in edge.apply(rc=1)
    assert edge.conf.read_text() == before + "# drift\n"


def test_a_template_that_nginx_refuses_is_taken_back(edge):
    edge.start_nginx()
    edge.apply()
    before = edge.conf.read_text()
    own = edge.folder / "templates"
    (own / "nginx").mkdir(parents=True)
    (own / "nginx/headers.conf.in").write_text("nonsense on;\n")
    job = edge.write("own.conf", templates=own)
    said = edge.apply(rc=1, job=job)
    assert "nginx -t refuses" in said and 'directive "nonsense"' in said
    assert edge.conf.read_text() == before and edge.serves()
    (own / "nginx/headers.conf.in").write_text("add_header X-Own @{sit};\n")
    said = edge.apply(rc=1, job=job)
    assert f"{own}/nginx/headers.conf.in:1:18: unknown name `sit'" in said
    assert edge.conf.read_text() == before


def test_an_operators_template_takes_the_place_of_ours(edge):
    own = edge.folder / "templates"
    (own / "nginx").mkdir(parents=True)
    (own / "nginx/headers.conf.in").write_text("add_header X-Own yes always;\n")
    edge.apply(job=edge.write("own.conf", templates=own))
    headers = edge.client.ask("GET", "/v1/echo").headers
    assert headers["X-Own"] == "yes"
    assert "Strict-Transport-Security" not in headers
    # Without it ours is back: another generation.
    before = edge.serves()
    edge.apply()
    assert edge.serves() != before
    assert "X-Own" not in edge.client.ask("GET", "/v1/echo").headers


def test_somebody_elses_default_server_stays_theirs(edge):
    edge.neighbour(FOREIGN % (" default_server", " default_server", OTHER))
    edge.start_nginx()
    edge.apply()
    for name in (OTHER, SITE):
        assert edge.client.ask("GET", "/v1/echo", name=name).status == 200
    assert edge.serves(OTHER) == "the neighbour\n"
    # Unknown names are theirs, as before us.
    context = ssl.create_default_context(cafile=edge.authority.root)
    context.check_hostname = False
    with edge.client.connect("unknown.internal", context=context) as line:
        assert OTHER in str(line.getpeercert()["subjectAltName"])
    # Theirs rules the socket, and has no underscores_in_headers.
    answer = edge.client.ask("GET", "/v1/echo", headers={"user_id": "u-1"})
    assert '"user_id": "u-1"' in answer.text
    assert edge.run("edge", "apply", edge.job).out.startswith("nothing")


@pytest.mark.parametrize("path", [NEIGHBOUR, EARLIER])
def test_a_default_server_that_came_later_is_made_room_for(edge, path):
    edge.apply()
    assert "default_server" in edge.conf.read_text()
    edge.dst.path(path).write_text(
        FOREIGN % (" default_server", " default_server", OTHER))
    assert edge.dst.run(["nginx", "-t"], check=False).returncode != 0
    edge.apply()
    assert edge.serves(OTHER) == "the neighbour\n" and edge.serves()
    edge.dst.path(path).unlink()
    plan = edge.run("plan", edge.job)
    assert plan.rc == 4 and "+\tssl_reject_handshake on;" in plan.out


def test_neighbours_that_would_lose_their_names_are_named(edge):
    edge.start_nginx()
    edge.neighbour(FOREIGN % ("", "", "_"))
    edge.reload()
    said = edge.apply(rc=1)
    assert f"{NEIGHBOUR}:1 answers for all names of port 443" in said
    assert "default_server" in said
    edge.neighbour(FOREIGN % ("", "", f"www.{SITE} {SITE}"))
    said = edge.apply(rc=1)
    assert f"{NEIGHBOUR}:1 serves a name of this edge already" in said
    assert not edge.conf.exists()


def test_drift_is_shown_and_mended(edge):
    edge.apply()
    wanted = edge.conf.read_text()
    edge.conf.write_text(wanted.replace("client_max_body_size 512m",
                                        "client_max_body_size 1m"))
    plan = edge.run("plan", edge.job)
    assert plan.rc == 4
    assert "-\tclient_max_body_size 1m;" in plan.out
    assert "+\tclient_max_body_size 512m;" in plan.out
    edge.apply()
    assert edge.conf.read_text() == wanted
    assert edge.run("plan", edge.job).rc == 0
    # A mode that was changed is a drift, too.
    edge.conf.chmod(0o600)
    edge.apply()
    assert edge.conf.stat().st_mode & 0o777 == 0o644
    # Its certificate may go with the job, so it does not stay in service.
    edge.conf.write_text(wanted + "# theirs\n")
    done = edge.run("cancel", edge.job)
    assert done.rc == 0 and "somebody edited" in done.out, done
    aside = edge.conf.with_name(edge.conf.name + ".edited")
    assert aside.read_text() == wanted + "# theirs\n"
    assert not edge.conf.exists()
    aside.unlink()


def test_a_full_disk_leaves_what_was_there(edge):
    edge.start_nginx()
    edge.dst.small_tmpfs("/etc/nginx/conf.d", "8k")
    said = edge.apply(rc=1)
    assert "no space left on the filesystem" in said and "as it was" in said
    assert list(edge.conf.parent.iterdir()) == []
    edge.dst.run(["umount", "/etc/nginx/conf.d"])
    edge.apply()
    assert edge.serves()


def test_a_host_without_an_ipv6_address(edge):
    switch = "echo {} >/proc/sys/net/ipv6/conf/all/disable_ipv6"
    edge.dst.run(["sh", "-c", switch.format(1)])
    try:
        edge.apply()
        assert edge.serves()
    finally:
        edge.dst.run(["sh", "-c", switch.format(0)])


def test_another_server_has_ipv6_alone(edge):
    """nginx prefers a server of one address to one of all."""
    # Without curl there, nobody can ask.
    edge.dst.run(["mount", "--bind", "/dev/null", "/usr/bin/curl"])
    try:
        done = edge.run("edge", "apply", edge.job)
        assert "is not compared, only that it listens" in done.err
    finally:
        edge.dst.run(["umount", "/usr/bin/curl"])
    assert edge.run("edge", "apply", edge.job).out.startswith("nothing")
    assert "nginx serves the site" in edge.run("plan", edge.job).out
    edge.neighbour((FOREIGN % ("", "", OTHER)).replace(
        "\tlisten 443 ssl;\n", "").replace("[::]:443", "[::1]:443"))
    edge.reload()
    wait_for("nginx to serve the neighbour on ::1", lambda: edge.dst.run(
        ["curl", "-sk", "--resolve", f"{SITE}:443:[::1]", f"https://{SITE}"]
        ).stdout == "the neighbour\n")
    assert edge.serves()
    assert "reload nginx" in edge.run("plan", edge.job).out


def of_certbot(host):
    """What certbot and its hooks have left, of this test or another."""
    return host.run(["find", "/var/log/letsencrypt",
                     "/etc/letsencrypt/renewal-hooks", "-printf",
                     "%p %s %t\\n"], check=False).stdout


def test_files_that_certbot_does_not_know(edge):
    job = edge.write("default.conf", acme_staging=None)
    before = of_certbot(edge.dst)
    # The certificate is there, and nothing that renews it.
    assert "this step will fail" in edge.run("plan", job).out
    said = edge.run("apply", job).err
    assert f"renewal/{SITE}.conf is not there" in said
    assert re.search("[78] days left", said) and "`acme_staging = none'" in said
    assert edge.serves().strip() in edge.conf.read_text()
    assert "is not there" in edge.run("edge", "cert", "--renew", job).err
    assert of_certbot(edge.dst) == before


def test_two_edges_on_one_host(edge):
    edge.apply()
    other = edge_job.write(
        edge.folder / "second.conf", edge.dst, edge.authority,
        edge.letta.port, name="second", site="second.internal",
        ade="second.internal:8383", cors="https://b.example.org")
    edge.authority.sign(["second.internal"], edge.dst.path(
        "/etc/letsencrypt/live/second.internal"))
    edge.apply(job=other)
    for name, page in ((SITE, "https://app.letta.com"),
                       ("second.internal", "https://b.example.org")):
        answer = edge.client.ask("GET", "/v1/echo", name=name,
                                 headers={"Origin": page})
        assert answer.headers["Access-Control-Allow-Origin"] == page
    assert edge.run("edge", "apply", edge.job).out.startswith("nothing")
    done = edge.run("cancel", other)
    assert done.rc == 0, done.err
    wait_for("the second site to go", lambda: refuses(edge,
                                                      "second.internal"))
    assert edge.serves()


def refuses(edge, name):
    try:
        edge.client.connect(name).close()
    except ssl.SSLError:
        return True
    return False


def test_users_in_clear_are_refused_and_cancel_takes_them_away(edge):
    users = edge.folder / "users"
    users.touch(0o600)
    path = edge.dst.path(f"/etc/nginx/sanctumctl-{SITE}.htpasswd")
    job = edge.write("auth.conf", ade_auth=f"file:{users}")
    for text in ("ada:hidden-word\n", "ada:{PLAIN}hidden-word\n", "ada\n"):
        users.write_text(text)
        said = edge.apply(rc=2, job=job)
        assert "line 1: not NAME:HASH" in said
        assert "hidden" not in said and not path.exists()
    users.write_text("ada:$2y$05$abcdefghijklmnopqrstuv\n")
    edge.apply(job=job)
    assert path.stat().st_mode & 0o777 == 0o640
    # Somebody's own user is a drift, of which nothing is shown.
    path.write_text("eve:$2y$05$abcdefghijklmnopqrstuv\n")
    plan = edge.run("plan", job)
    assert plan.rc == 4 and "users of the ADE" in plan.out
    assert "eve" not in plan.out and "$2y$" not in plan.out
    edge.apply(job=job)
    assert path.read_text().startswith("ada:")
    # A rendering that does not come into service leaves them as they were.
    users.write_text("ben:$2y$05$abcdefghijklmnopqrstuv\n")
    own = edge.folder / "templates"
    (own / "nginx").mkdir(parents=True)
    (own / "nginx/headers.conf.in").write_text("nonsense on;\n")
    broken = edge.write("broken.conf", ade_auth=f"file:{users}",
                        templates=own)
    assert "nonsense" in edge.apply(rc=1, job=broken)
    assert path.read_text().startswith("ada:")
    # Without the key they are gone, and the port is open.
    edge.apply()
    assert not path.exists()
    assert edge.client.ade("GET", "/v1/echo").status == 200
    edge.apply(job=job)
    assert edge.run("cancel", job).rc == 0
    assert not path.exists() and not edge.conf.exists()


def test_a_site_without_its_directory_is_told(edge):
    job = edge.write("static.conf", static="/srv/none")
    words = "directory of `static' is not there"
    assert words in edge.run("plan", job).out
    edge.apply(job=job)
    assert words in edge.run("plan", job).out
    assert edge.client.ask("GET", "/").status == 404


def test_render_asks_nobody(edge):
    out = edge.folder / "out"
    assert edge.run("edge", "render", edge.job).rc == 2
    done = edge.run("edge", "render", edge.job, "--out", out, "--json")
    assert done.rc == 0, done.err
    said = [json.loads(line) for line in done.out.splitlines()]
    assert [x["type"] for x in said] == ["rendering", "rendering"]
    # Before it is in service the host's nginx takes it all the same.
    done = edge.run("edge", "test", edge.job)
    assert done.rc == 14
    assert "takes the rendering" in done.out and "not there yet" in done.out
    assert not edge.conf.exists()
    assert sorted(p.name for p in out.iterdir()) == [
        f"{SITE}.http.conf", f"{SITE}.tls.conf"]
    edge.apply()
    assert said[1]["generation"] == edge.serves().strip()
    assert edge.conf.read_text() == (out / f"{SITE}.tls.conf").read_text()


def same(one, other):
    """Whether two renderings differ by their generation alone."""
    rule = re.compile("generation [0-9a-f]{16}|[0-9a-f]{16}.n")
    return rule.sub("", one) == rule.sub("", other)


def test_a_kill_at_every_point_is_met(edge):
    program = Path(os.environ.get("SANCTUMCTL_FAULTS")
                   or TOP / "build/faults/sanctumctl").resolve()
    count = edge.folder / "points"
    edge.apply(program=program, env={"SANCTUMCTL_FAULT_COUNT": str(count)})
    wanted = edge.conf.read_text()
    assert edge.run("cancel", edge.job).rc == 0
    points = count.read_text().split()
    # From the first thing that it does on the host to the last.
    first = points.index("plan_begun")
    for number in range(first + 1, len(points) + 1):
        if not points[number - 1].startswith(("host_", "plan_")):
            continue
        job = edge.write("again.conf", name=f"killed-{number}")
        text = wanted.replace("edge-alone", f"killed-{number}")
        stopped = edge.run("edge", "apply", job, program=program,
                           env={"SANCTUMCTL_FAULT_STOP": str(number)})
        assert stopped.rc == STOPPED, (number, stopped.err)
        edge.apply(job=job)
        assert same(edge.conf.read_text(), text), points[number - 1]
        assert edge.run("cancel", job).rc == 0
        assert not edge.conf.exists(), points[number - 1]
