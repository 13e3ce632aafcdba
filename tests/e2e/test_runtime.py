"""A Letta server brought up on a bare host.

Once the real one; all else with a stand-in for Letta's wheel, for docker,
and once for somebody else's server (bed/bare.py has them, and what each is).
PostgreSQL, uv, supervisord and the models' driver are real.  nginx never
starts, so that each apply ends behind the server, at the edge.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from bed import bare, edge_job, jobs
from bed.paths import TOP
from bed.postgres import BIN, Postgres
from bed.wait import wait_for

AT_EDGE = "step edge.node1."
STEPS = ("account", "database", "install", "environment", "schema",
         "service", "ready")
PLACES = ("/opt/letta", "/etc/letta", "/var/lib/letta",
          "/var/lib/letta-postgres")


@pytest.fixture(scope="module")
def node(bed):
    with bare.BareHost(bed) as host:
        yield host


@pytest.fixture
def faults():
    path = Path(os.environ.get("SANCTUMCTL_FAULTS")
                or TOP / "build/faults/sanctumctl").resolve()
    if not path.is_file():
        pytest.fail(f"{path} is not built; SANCTUMCTL_FAULTS may name another")
    return path


@pytest.fixture
def write_job(node, tmp_path):
    """Function that writes the job of one server on the node."""
    def write(version=bare.STANDIN_VERSION, env=None, name="bare", **keys):
        keys.setdefault("runtime", "venv")
        keys.setdefault("redis", "none")
        sections = [
            jobs.job("greenfield", name), jobs.host("node1", node),
            ("letta new", {"host": "node1", "version": version, **keys}),
            ("edge node1", {"site": "sanctum.internal",
                            "acme_email": "ops@example.org",
                            "connect_to": node.address})]
        if env:
            sections.append(("env new", env))
        return jobs.write(tmp_path / "bare.conf", sections)
    return write


def untouched(node):
    return not any(node.path(p).exists() for p in PLACES)


def letta_steps(result):
    """{word: whether it acted} of the steps that an apply has gone through."""
    lines = [json.loads(line) for line in result.out.splitlines()]
    return {e["step"].split(".")[2]: e["acted"] for e in lines
            if e["type"] == "step" and e["step"].startswith("letta.")}


def no_secret_of(node, state, *said):
    """Neither the journal nor a word holds a password of the host's files."""
    files = b"".join(p.read_bytes() for p in state.rglob("*") if p.is_file())
    for name, path in (("LETTA_SERVER_PASSWORD", "/etc/letta/letta.env"),
                       ("POSTGRES_PASSWORD", "/etc/letta/postgres.env")):
        secret = node.variable(name, path)
        assert len(secret) == 43 or name != "POSTGRES_PASSWORD"
        assert secret.encode() not in files
        assert all(secret not in one for one in said)
        shown = node.run(["sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '"])
        assert secret not in shown.stdout
        meta = node.path(path).stat()
        assert meta.st_mode & 0o777 == 0o600


def rights_of(node, path):
    meta = node.path(path).stat()
    return meta.st_uid, meta.st_gid, oct(meta.st_mode)


def test_the_real_server(node, write_job, sanctumctl, tmp_path):
    job = write_job("0.16.2",
                    requirements=bare.real_list(tmp_path / "list.txt"))
    applied = sanctumctl("apply", "--json", job)
    assert AT_EDGE in applied.err, applied.err
    assert letta_steps(applied) == dict.fromkeys(STEPS, True)
    password = node.variable("LETTA_SERVER_PASSWORD")
    assert len(password) == 43
    assert node.get("/v1/agents/?limit=1") == 401
    assert node.get("/v1/agents/?limit=1", password) == 200
    no_secret_of(node, sanctumctl.state, applied.out, applied.err)
    assert node.psql("SELECT column_default FROM information_schema.columns "
                     "WHERE table_name = 'messages' AND column_name = "
                     "'sequence_id'").startswith("nextval")
    again = sanctumctl("apply", "--json", job)
    assert letta_steps(again) == dict.fromkeys(STEPS, False)
    taken = sanctumctl("uninstall", job)
    assert taken.rc == 0, taken.err
    assert untouched(node) and not node.listens(18283)
    assert "letta" not in node.path("/etc/passwd").read_text()


def test_killed_on_its_way_then_kept_with_its_agents(
        node, write_job, faults, sanctumctl, tmp_path):
    job = write_job(requirements=bare.standin_list(tmp_path / "l", node),
                    env={"STANDIN": "yes"})
    theirs = "# theirs\nLETTA_SERVER_PASSWORD=kept-as-it-is\nOTHER='a b'\n"
    node.run(["mkdir", "-p", "/etc/letta"])
    node.path("/etc/letta/letta.env").write_text(theirs)
    # Whoever reads it is not root.
    node.run(["chown", "nobody:daemon", "/etc/letta/letta.env"])
    node.run(["chmod", "640", "/etc/letta/letta.env"])
    rights = rights_of(node, "/etc/letta/letta.env")
    killed = 0
    for points in (6, 20, 34, 9999):
        done = sanctumctl("apply", job, program=faults,
                          env={"SANCTUMCTL_FAULT_STOP": str(points)})
        if done.rc != 99:
            break
        killed += 1
    assert killed >= 3 and AT_EDGE in done.err, done.err
    env = node.path("/etc/letta/letta.env").read_text()
    assert env.startswith(theirs) and "LETTA_SERVER_SECURE=true" in env
    assert node.get("/v1/agents/", "kept-as-it-is") == 200
    assert node.get("/v1/agents/") == 401
    assert [p.name for p in node.path("/opt/letta").iterdir()
            if p.name.startswith(".")] == []

    # A default that is gone is seen; that there is no Redis was wished.
    node.psql("ALTER TABLE messages ALTER sequence_id DROP DEFAULT")
    seen = [json.loads(line) for line in sanctumctl(
        "doctor", "--json", job).out.splitlines()]
    assert {one["trap"] for one in seen if one["type"] == "doctor_finding"
            and one["trap"].startswith("letta-")} == {"letta-sequence"}, seen
    node.psql("ALTER TABLE messages ALTER sequence_id SET DEFAULT nextval("
              "'messages_sequence_id_seq')")

    # Another value: the server is started anew, and says when it cannot.
    text = job.read_text()
    job.write_text(text.replace(
        "STANDIN = yes", "STANDIN = die\nOTHER = ours\nSPARE = x"))
    failed = sanctumctl("apply", "--json", job)
    assert failed.rc == 1 and "cannot start" in failed.err, failed.err
    assert [s for s, acted in letta_steps(failed).items() if acted] == [
        "environment"]
    assert "letta.new.service" in failed.err
    env = node.path("/etc/letta/letta.env").read_text()
    assert "OTHER=ours\n" in env and "SPARE=x\n" in env, env
    # Lines that are taken out of the job are as they were before it.
    job.write_text(text)
    mended = sanctumctl("apply", job)
    assert AT_EDGE in mended.err, mended.err
    env = node.path("/etc/letta/letta.env").read_text()
    assert env.startswith(theirs) and "SPARE" not in env, env
    # An upgrade that is completed has dropped what was there before.
    kept, = node.path("/etc/letta").glob("letta.env.sanctumctl-*")
    aside = kept.rename(kept.with_suffix(".aside"))
    job.write_text(text.replace("STANDIN = yes", "OTHER = ours"))
    planned = sanctumctl("plan", job)
    assert planned.rc == 4 and "-STANDIN=" in planned.out, planned
    aside.rename(kept)
    job.write_text(text)

    # With an agent in it the database stays, until it is purged.
    node.psql("INSERT INTO agents VALUES ('agent-1')")
    taken = sanctumctl("uninstall", job)
    assert taken.rc == 0 and "it holds 1 agents" in taken.out, taken
    assert not node.listens(18283)
    assert node.psql("SELECT count(*) FROM agents") == "1"
    assert node.path("/etc/letta/letta.env").read_text() == theirs
    assert rights_of(node, "/etc/letta/letta.env") == rights
    again = sanctumctl("apply", job)
    assert AT_EDGE in again.err, again.err
    assert node.psql("SELECT count(*) FROM agents") == "1"
    edited = node.path("/etc/letta/letta.env").read_text() + "MORE=1\n"
    node.path("/etc/letta/letta.env").write_text(edited)
    # Nor does it go with a database of somebody's beside it.
    node.psql("DELETE FROM agents")
    node.psql("CREATE DATABASE theirs")
    taken = sanctumctl("uninstall", job)
    assert taken.rc == 0 and "edited by somebody" in taken.out, taken
    assert "holds 1 databases" in taken.out, taken
    purged = sanctumctl("uninstall", "--purge", job)
    assert purged.rc == 0, purged.err
    assert node.path("/etc/letta/letta.env").read_text() == edited
    assert node.path("/etc/letta/letta.env").stat().st_uid == 0
    beside, = node.path("/etc/letta").glob("letta.env.*")
    assert beside.read_text() == theirs
    node.run(["rm", "-r", "/etc/letta"])
    assert untouched(node)


def test_what_cannot_be_installed(node, write_job, sanctumctl, tmp_path):
    """Nothing to download, and something else than the hash says."""
    uri = tmp_path / "uri"
    uri.write_text("postgresql://letta:secret@127.0.0.1:1/letta\n")
    uri.chmod(0o600)
    more = {"database": f"file:{uri}"}
    gone = bare.standin_list(tmp_path / "gone", node)
    gone.write_text(gone.read_text().replace("greenlet==", "greenlet-gone=="))
    other = bare.standin_list(tmp_path / "other", node, digest="0" * 64)
    for number, (listing, said) in enumerate(
            ((gone, "greenlet-gone"), (other, "ash mismatch"))):
        job = write_job(requirements=listing, name=f"bare{number}", **more)
        failed = sanctumctl("apply", job)
        assert failed.rc == 1 and "letta.new.install" in failed.err
        assert said in failed.err, failed.err
        assert list(node.path("/opt/letta").iterdir()) == []
        assert sanctumctl("cancel", job).rc == 0
    assert untouched(node)


def test_a_list_is_judged_before_anything(node, write_job, sanctumctl,
                                          tmp_path):
    uri = tmp_path / "uri"
    uri.write_text("postgresql://letta:secret@127.0.0.1:1/letta\n")
    uri.chmod(0o600)
    listing = bare.standin_list(tmp_path / "l", node)
    unhashed = tmp_path / "unhashed"
    unhashed.write_text(listing.read_text() + "six==1.0\n")
    for version, keys, said in (
            ("0.16.3", {}, "uv pip compile"),
            ("1.2.3", {"requirements": listing}, "pins letta 9.9.9"),
            ("9.9.9", {"requirements": unhashed}, "six has no --hash")):
        failed = sanctumctl("plan", write_job(
            version, name=f"n{version[0]}", database=f"file:{uri}", **keys))
        assert failed.rc == 2 and said in failed.err, failed.err
    assert untouched(node)


@pytest.fixture
def theirs(node):
    """A PostgreSQL of somebody else's on the node; sql() is its psql."""
    one = Postgres(node, "/srv/theirs", 15432,
                   node.state_dir / "theirs-postgres.log")
    one.create()
    one.start()
    one.sql = lambda text: node.run(
        [BIN / "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1",
         one.uri.split("?")[0]], input=text).stdout.strip()
    yield one
    one.stop()
    node.run(["rm", "-rf", "/srv/theirs"])


@pytest.fixture
def edge(node, tmp_path):
    """The real nginx on the node, and a certificate for its edge."""
    stand_in, aside = (node.path(f"{bare.BIN}/{n}") for n in ("nginx", "x"))
    stand_in.rename(aside)
    authority = edge_job.Authority(tmp_path)
    authority.sign([edge_job.SITE, edge_job.ADE], node.path(edge_job.LIVE))
    yield authority
    node.run(["sh", "-c", "nginx -s stop; rm -rf /etc/letsencrypt"])
    aside.rename(stand_in)


def test_a_node_alone_with_a_database_of_somebody_elses(
        node, theirs, edge, sanctumctl, program_path, tmp_path):
    """What it holds decides; it is changed only while it is empty.

    Then the host serves, without an agent.  Letta is a stand-in.
    """
    secret, shop = "their-secret", "CREATE TABLE shop (id int);"
    uri, extensions = tmp_path / "uri", BIN.parent / \
        "share/postgresql/extension"
    uri.write_text(theirs.uri.replace("postgres@", f"postgres:{secret}@"))
    uri.chmod(0o600)
    listing = bare.standin_list(tmp_path / "l", node)
    job = edge_job.write(tmp_path / "alone.conf", node, edge, 18283)
    job.write_text(job.read_text().replace(
        f"token = env:{jobs.TARGET_TOKEN}\n",
        f"runtime = venv\nversion = {bare.STANDIN_VERSION}\nredis = none\n"
        f"requirements = {listing}\ndatabase = file:{uri}\n"))

    def refused(command, *words):
        done = sanctumctl(command, job)
        assert done.rc not in (0, 4), done.out
        for one in ("letta.new.schema", *words):
            assert one in done.err, done.err
        assert secret not in done.out + done.err
        return theirs.sql("SELECT string_agg(table_name, ' ' ORDER BY "
                          "table_name) FROM information_schema.tables "
                          "WHERE table_schema = 'public'")

    theirs.sql(shop)
    assert refused("apply", "1 tables, and none of Letta's") == "shop"
    theirs.sql("DROP TABLE shop")
    node.run(["mount", "-t", "tmpfs", "none", extensions])
    assert refused("plan", "has no pgvector") == ""
    node.run(["umount", extensions])
    theirs.sql("CREATE TABLE messages (id text, sequence_id bigserial)")
    assert refused("plan", "another version than 9.9.9: it lacks agents.id;",
                   "alembic upgrade head") == "messages"
    theirs.sql("DROP TABLE messages")

    done = sanctumctl("apply", "--json", job)
    assert done.rc == 0, done.err
    client = edge_job.Client(node.address, edge.root)
    assert client.ask("GET", "/v1/health/").status == 200
    assert client.ask("GET", "/v1/agents/").status == 401
    again = sanctumctl("apply", job)
    assert again.rc == 0 and "nothing to do" in again.out, again
    assert theirs.sql("INSERT INTO messages VALUES ('m') RETURNING "
                      "sequence_id") == "1"
    # What its own migrations or somebody else took away meanwhile.
    theirs.sql("ALTER TABLE messages ALTER sequence_id DROP DEFAULT")
    assert refused("plan", "no default", "SET DEFAULT nextval") == (
        "agents messages")
    assert theirs.sql("SELECT count(column_default) FROM information_schema"
                      ".columns WHERE column_name = 'sequence_id'") == "0"
    theirs.sql("ALTER TABLE messages ALTER sequence_id SET DEFAULT 7")
    assert secret.encode() not in b"".join(
        p.read_bytes() for p in sanctumctl.state.rglob("*") if p.is_file())

    # Nothing starts a backup, and supervisord rotates what it catches.
    backup = node.path("/etc/cron.d/sanctum-backup").read_text()
    assert [line for line in backup.splitlines()
            if line and line[0] != "#"] == ["PATH=/usr/local/bin:/usr/bin:"
                                            "/bin"]
    # Nor, once it is turned on, while an upgrade has closed the server.
    line = backup.splitlines()[-1].split(" root ")[1].replace("\\%", "%")
    env = node.path("/etc/letta/letta.env")
    text = env.read_text()
    # What the server's account writes into its file is not run by root.
    env.write_text("touch /var/backups/run-by-root\n"
                   "LETTA_SERVER_PASSWORD=closed-0123456789ab-drawn\n")
    program = node.path("/usr/local/bin/sanctumctl")
    shutil.copy(program_path, program)
    closed = node.run(["sh", "-c", line], check=False)
    env.write_text(text)
    program.unlink()
    assert closed.returncode == 75 and "no backup" in closed.stderr, closed
    assert not node.path("/var/backups/run-by-root").exists()
    node.run(["rm", "-r", "/var/backups/letta"])
    assert not node.path("/etc/logrotate.d/sanctum").exists()
    without = node.path(f"{bare.BIN}/supervisorctl")
    without.write_text("#!/bin/sh\n# Stand-in: none is there.\nexit 1\n")
    without.chmod(0o755)
    planned = sanctumctl("plan", job).out
    without.unlink()
    assert re.search(r"\+/var/lib/letta/\*\.log {\n.*\+\tsu letta letta\n",
                     planned), planned
    taken = sanctumctl("uninstall", "--purge", job)
    assert taken.rc == 0, taken.err
    assert theirs.sql("SELECT id FROM messages") == "m"
    assert untouched(node)


def test_somebody_elses_server_is_left_alone(node, write_job, sanctumctl,
                                             tmp_path):
    """A stand-in for one of another version, started by nobody of ours."""
    other = node.spawn(
        ["/usr/bin/python3", "-I",
         "/mnt/bed/tests/bed/runtime/standin_letta/main.py", "server",
         "--host", "127.0.0.1", "--port", "18283"],
        env={"STANDIN_VERSION": "0.15.0"})
    try:
        wait_for("the stand-in", lambda: node.listens(18283))
        job = write_job(requirements=bare.standin_list(tmp_path / "l", node))
        failed = sanctumctl("apply", job)
        assert failed.rc == 15 and "0.15.0" in failed.err, failed.err
        assert other.alive() and untouched(node)
    finally:
        other.stop()


#: A PostgreSQL of the host: it writes down what it is told.
PSQL = """#!/bin/sh
# Stand-in for psql, with a role `letta' of somebody's.
said=$(cat)
echo "$said" >>/srv/psql-asked
case "$said" in
*"SHOW port"*) echo 5432 ;;
*pg_roles*pg_database*) echo 1.0 ;;
*"FROM pg_database"*) echo 0 ;;
*) echo 1 ;;
esac
"""


def test_somebody_elses_role_keeps_its_password(node, write_job, sanctumctl,
                                                tmp_path):
    programs = {
        f"{bare.BIN}/psql": PSQL,
        f"{bare.BIN}/apt-cache": "#!/bin/sh\n# Stand-in.\n"
        "[ $1 = search ] && echo postgresql-15-pgvector - vectors\n",
        "/etc/init.d/postgresql": "#!/bin/sh\n# Stand-in: it runs.\n"}
    node.run(["sh", "-c", "id postgres || useradd --system postgres"])
    node.run(["mkdir", "-p", "/etc/init.d"])
    node.run(["install", "-m", "666", "/dev/null", "/srv/psql-asked"])
    for path, text in programs.items():
        node.path(path).write_text(text)
        node.path(path).chmod(0o755)
    try:
        job = write_job(requirements=bare.standin_list(tmp_path / "l", node))
        failed = sanctumctl("apply", job)
        assert failed.rc == 15 and "role letta already" in failed.err, failed
        assert sanctumctl("uninstall", "--purge", job).rc == 0
        told = node.path("/srv/psql-asked").read_text()
        assert "ALTER" not in told and "DROP" not in told, told
        assert untouched(node)
    finally:
        for path in programs:
            node.path(path).unlink()


def test_a_directory_of_another_version_is_somebodys(node, write_job,
                                                     sanctumctl, tmp_path):
    """The job says another version after its first apply."""
    uri = tmp_path / "uri"
    uri.write_text("postgresql://letta:secret@127.0.0.1:1/letta\n")
    uri.chmod(0o600)
    listing = bare.standin_list(tmp_path / "l", node)
    keys = {"database": f"file:{uri}", "requirements": listing}
    assert "letta.new.schema" in sanctumctl("apply", write_job(**keys)).err
    node.run(["mkdir", "/opt/letta/9.9.8"])
    node.path("/opt/letta/9.9.8/theirs").touch()
    other = tmp_path / "other"
    other.write_text(listing.read_text().replace("9.9.9", "9.9.8"))
    job = write_job("9.9.8", **{**keys, "requirements": other})
    failed = sanctumctl("apply", job)
    assert failed.rc == 15 and "/opt/letta/9.9.8" in failed.err, failed
    assert sanctumctl("uninstall", job).rc == 0
    assert node.path("/opt/letta/9.9.8/theirs").exists()
    assert not node.path("/opt/letta/9.9.9").exists()
    node.run(["rm", "-r", "/opt/letta"])
    assert untouched(node)


def test_what_apt_could_not_install_is_not_purged(node, write_job,
                                                  sanctumctl, tmp_path):
    """A stand-in for apt-get, which installs nothing."""
    apt = node.path(f"{bare.BIN}/apt-get")
    apt.write_text("#!/bin/sh\n# Stand-in.\necho \"$*\" >>/srv/apt-asked\n"
                   "case \"$*\" in *install*)\n"
                   "echo 'E: Unable to fetch some archives' >&2; exit 100\n"
                   "esac\n")
    apt.chmod(0o755)
    by_hand = node.path(f"{bare.BIN}/redis-server")
    job = write_job(requirements=bare.standin_list(tmp_path / "l", node),
                    redis=None)
    try:
        failed = sanctumctl("apply", job)
        assert failed.rc == 1 and "Unable to fetch" in failed.err, failed
        by_hand.write_text("#!/bin/sh\n# Stand-in.\n")
        by_hand.chmod(0o755)
        assert sanctumctl("uninstall", "--purge", job).rc == 0
        asked = node.path("/srv/apt-asked").read_text()
        assert "redis-server" in asked and "purge" not in asked, asked
    finally:
        apt.unlink()
        by_hand.unlink(missing_ok=True)


def test_compose_with_a_stand_in_for_the_engine(node, write_job, sanctumctl):
    job = write_job("9.9.9", runtime="compose", redis=None)
    without = sanctumctl("plan", job)
    assert without.rc == 1 and "docker.io" in without.err, without.err
    node.put_program("docker")
    applied = sanctumctl("apply", "--json", job)
    assert AT_EDGE in applied.err, applied.err
    no_secret_of(node, sanctumctl.state, applied.out, applied.err)
    text = node.path("/srv/docker/compose.yaml").read_text()
    assert '"127.0.0.1:18283:8283"' in text and "letta/letta:9.9.9" in text
    password = node.variable("LETTA_SERVER_PASSWORD")
    assert node.get("/v1/agents/", password) == 200
    again = sanctumctl("apply", "--json", job)
    assert not any(letta_steps(again).values()), again.out
    node.path("/srv/docker/agents").write_text("2\n")
    kept = sanctumctl("uninstall", job)
    assert kept.rc == 0 and "it holds 2 agents" in kept.out, kept
    asked = node.path("/srv/docker/asked").read_text()
    assert " down\n" in asked and "--volumes" not in asked
    # What it left goes as well, when it is asked for after all.
    listed = sanctumctl("uninstall", "--purge", "--dry-run", job)
    assert "letta.new.service" in listed.out, listed
    purged = sanctumctl("uninstall", "--purge", job)
    assert purged.rc == 0, purged.err
    asked = node.path("/srv/docker/asked").read_text()
    assert "volume rm --force" in asked and "letta_postgres" in asked
    assert AT_EDGE in sanctumctl("apply", job).err
    assert sanctumctl("uninstall", "--purge", job).rc == 0
    assert "down --volumes" in node.path("/srv/docker/asked").read_text()
    node.path(f"{bare.BIN}/docker").unlink()
    assert untouched(node)
