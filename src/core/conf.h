#ifndef CORE_CONF_H
#define CORE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_doc;
struct err;

/*
 * The job file: INI text in, a checked struct out.  sanctumctl.conf(5) is its
 * manual and etc/ holds one example per kind.  conf.c alone sees inih;
 * conf_section.c has the table of sections and keys, conf_value.c says what a
 * single value may be, conf_check.c what the sections of a kind must be to
 * each other.
 *
 *     struct conf *conf;
 *
 *     if (conf_parse(path, text, len, &conf, err) != 0)
 *             return -1;
 *     if (conf_secrets(conf, read_one, ctx, err) != 0) ...
 *     conf_free(conf);
 *
 * Checked here, with file:line and, for a word that is not known, the nearest
 * one that is: unknown section or key, a key given twice, a missing key, a
 * value of the wrong type, a reference to a section that is not there, a
 * version that is not pinned ("latest"), a secret given as plain text.
 * Whether a secret can be read is asked by conf_secrets (io has no part in
 * core: the caller passes a function).
 *
 * All strings belong to the struct conf and live until conf_free.  A pointer
 * to another section is never NULL unless its comment says so.
 */

enum conf_kind {
	CONF_AGENT,
	CONF_WORKERS,
	CONF_GREENFIELD,
	CONF_UPGRADE
};

/* Debian packages that a host lacks. */
enum conf_packages {
	CONF_PACKAGES_INSTALL,
	CONF_PACKAGES_CHECK	/* say which, and stop */
};

/* How a host over SSH is reached. */
enum conf_transport {
	CONF_TRANSPORT_LIBSSH2,
	CONF_TRANSPORT_OPENSSH	/* the ssh program of this machine */
};

/* [host NAME].  address "local" is this machine; no SSH then. */
struct conf_host {
	const char *name;
	int line;			/* of the section, for errors */
	const char *address;
	unsigned int port;		/* 22 */
	const char *user;		/* NULL: the user who runs us */
	const char *host_key;		/* "SHA256:..." or NULL */
	const char *identity_file;	/* NULL: the agent, then the files
					 * ~/.ssh/id_ed25519, id_ecdsa */
	/* NULL: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts */
	const char *user_known_hosts_file;
	enum conf_packages packages;
	enum conf_transport transport;
	unsigned int silence;		/* seconds; 0: none given, 60 */
	bool local;
};

/* How a secret is found: "env:NAME", "file:PATH", "cmd:ARGV...". */
struct conf_secret {
	const char *ref;		/* NULL: none given */
	int line;
	bool lines;			/* may be more than one */
};

struct conf_edge;
struct conf_env;

/* Who brings the Letta server of a host up, and how. */
enum conf_runtime {
	CONF_RUNTIME_THERE,	/* somebody else: it is there already */
	CONF_RUNTIME_VENV,	/* we, from PyPI into a virtual environment */
	CONF_RUNTIME_COMPOSE	/* we, as a service of docker compose */
};

enum conf_installer {
	CONF_INSTALLER_AUTO,	/* uv where it is in the PATH, else pip */
	CONF_INSTALLER_UV,
	CONF_INSTALLER_PIP
};

/* [letta NAME] */
struct conf_letta {
	const char *name;
	int line;
	const char *url;		/* NULL when host is given; a job of
					 * kind upgrade may have both */
	const struct conf_host *host;	/* NULL when url is given */
	const struct conf_edge *edge;	/* of that host; NULL with url, and
					 * in an upgrade without an edge */
	const char *version;		/* pinned, or NULL */
	unsigned int port;		/* on the host's loopback: 18283 */
	const char *ca_file;		/* NULL: the system's.  With host it is
					 * that of its edge */
	struct conf_secret token;	/* with a runtime: none is the one
					 * that is made there */
	enum conf_runtime runtime;	/* the rest goes with one */
	enum conf_installer installer;
	const char *requirements;	/* here: what pip installs, with
					 * hashes; NULL: ours for version */
	struct conf_secret database;	/* URI of a PostgreSQL; none: one on
					 * the host is made */
	const char *redis;		/* HOST:PORT, or "none"; NULL: the
					 * host's own */
	const char *image;		/* NULL: letta/letta:VERSION */
	/* Of an upgrade's `from', which somebody else has brought up. */
	const char *service;		/* its unit of systemd, program of
					 * supervisord, or service of compose;
					 * NULL: letta */
	const char *compose;		/* path there of the compose file that
					 * runs it; NULL: none does */
	const char *compose_database;	/* service of it that is PostgreSQL;
					 * NULL: none, `database' is asked
					 * from the host itself */
	struct conf_secret database_admin; /* URI of a role that may create
					 * databases; none: `database' */
	const struct conf_env *env;	/* n_env lines of its [env] */
	size_t n_env;
};

/* [edge HOST] */
struct conf_edge {
	const struct conf_host *host;
	int line;
	const char *site;		/* DNS name, port 443 */
	const char *ade_name;		/* DNS name of ade = NAME:PORT */
	unsigned int ade_port;		/* 8283 */
	const char *acme_email;
	const char *acme_server;	/* directory URL; NULL: certbot's own */
	const char *acme_ca_file;	/* path on the host; NULL: system's */
	const char *ca_file;		/* here, to verify the edge's answer */
	const char *connect_to;		/* address used for site and ade_name
					 * from here, before DNS points there;
					 * NULL: ask DNS */
	/* Lists of words with one blank between; NULL: none given. */
	const char *cors;		/* origins that browsers may call from;
					 * NULL: https://app.letta.com */
	const char *ade_allow;		/* addresses and CIDR networks */
	const char *mcp;		/* NAME:PORT of SMCPs on the loopback */
	const char *static_root;	/* on the host: files of the site */
	struct conf_secret ade_auth;	/* lines of htpasswd */
	const char *acme_staging;	/* directory URL, or "none"; NULL: that
					 * of the CA, where it is known */
	const char *acme_command;	/* argv of another client */
	const char *certificate;	/* on the host: where that puts it */
	const char *certificate_key;
	const struct conf_host *certificate_from; /* whose lineage it is now */
};

/* A tool of the target that has the name of one of the agent's. */
enum conf_tools {
	CONF_TOOLS_STOP,	/* another source there: stop */
	CONF_TOOLS_OVERRIDE,	/* the agent's source replaces it */
	CONF_TOOLS_KEEP		/* the agent gets the target's */
};

/* How a tool's return that no server can list is written anew. */
enum conf_tool_errors {
	CONF_TOOL_ERRORS_FAILED,	/* {"status":"Failed",...} */
	CONF_TOOL_ERRORS_NEUTRAL	/* {"ok":false,"message":...} */
};

/* Passages that the target refuses for what they are. */
enum conf_rejects {
	CONF_REJECTS_STOP,	/* the agent is not the same without them */
	CONF_REJECTS_ACCEPT	/* listed, and the move goes on */
};

/* [agent NAME] */
struct conf_agent {
	const char *name;
	int line;
	const struct conf_letta *from;	/* NULL with bundle */
	const char *from_id;		/* "agent-<uuid>" at from, or NULL */
	const char *bundle;		/* path of a bundle or a .af file to
					 * come from, or NULL with from */
	const struct conf_letta *to;
	const char *target_name;	/* NULL: the name it has at from */
	enum conf_tools tools;
	enum conf_tool_errors tool_errors;
	enum conf_rejects rejects;
	bool raw_read;			/* may open the window in which the
					 * source's context is exchanged */
	bool live_check;		/* let a copy take a turn at the end */
	const char *model;		/* handles at the target, or NULL */
	const char *embedding;
};

/* What keeps a worker running, on both hosts. */
enum conf_supervisor {
	CONF_SUPERVISOR_AUTO,	/* what is found at the source */
	CONF_SUPERVISOR_NONE,	/* somebody else stops and starts */
	CONF_SUPERVISOR_SYSTEMD,	/* our units at the target */
	CONF_SUPERVISOR_CRON,	/* crontab and screen, as Sanctum does */
	CONF_SUPERVISOR_SUPERVISORD
};

/* Virtual environments, which no copy survives. */
enum conf_venv {
	CONF_VENV_REBUILD,	/* from what the source's has installed */
	CONF_VENV_SKIP
};

/*
 * A line of [env WORKER]: what else its .env files shall say; of [env LETTA]:
 * of the environment of a server that we bring up.  One of value and secret
 * is given.
 */
struct conf_env {
	const char *key;		/* [A-Za-z_][A-Za-z0-9_]* */
	const char *tree;		/* whose .env; NULL: each that assigns
					 * it, or broca's */
	const char *value;
	struct conf_secret secret;
	int line;
};

/* Whether a backup is restored to a server of its own first. */
enum conf_rehearse {
	CONF_REHEARSE_AUTO,	/* when there is room */
	CONF_REHEARSE_YES,
	CONF_REHEARSE_NO
};

/* [upgrade NAME] */
struct conf_upgrade {
	const char *name;
	int line;
	const struct conf_letta *from;	/* as it runs now */
	const struct conf_letta *to;	/* same host, pinned version */
	const char *backup;		/* directory here; NULL: below the
					 * job's own */
	enum conf_rehearse rehearse;
	const char *leave;		/* ids of agents that may stay behind,
					 * with one blank between; NULL */
	const char *clients;		/* files on the host that name the
					 * server, with one blank between */
};

/* [worker NAME] */
struct conf_worker {
	const char *name;
	int line;
	const struct conf_agent *agent;	/* moved by this job, or NULL */
	const char *agent_id;		/* given as agent-<uuid>, or NULL */
	const struct conf_letta *server;	/* URL and token of .env */
	const struct conf_host *from_host;
	const char *from_path;		/* absolute or ~/... */
	const struct conf_host *to_host;
	const char *to_path;
	const char *const *trees;	/* "broca", "smcp", ...; NULL-ended */
	/* The server that the worker uses at the source. */
	const struct conf_letta *from_server;
	enum conf_supervisor supervisor;
	const char *account;		/* of the target, who runs it; NULL:
					 * who owns it at the source */
	enum conf_venv venv;
	bool git;			/* carry .git, too */
	bool setuid;			/* keep setuid, setgid and sticky */
	bool fence;			/* keep the source from starting */
	unsigned int stop_wait;		/* seconds for a row in processing */
	const char *smcp_url;		/* as the target server reaches SMCP;
					 * NULL: as the source's did */
	const char *mcp_server;		/* its name in Letta; NULL: by its
					 * address at the source */
	struct conf_secret smcp_token;
	const struct conf_env *env;	/* n_env lines of its [env] */
	size_t n_env;
};

struct conf {
	const char *path;		/* as given, for messages */
	enum conf_kind kind;
	const char *name;		/* [a-z0-9-], names the journal */
	bool manual_switch;		/* apply stops before the switch */
	unsigned int max_freeze;	/* seconds that a worker may stand */
	const char *templates;		/* directory here whose files replace
					 * ours; NULL */
	bool break_glass;		/* a database may be rebuilt */
	struct conf_host *hosts;
	struct conf_letta *lettas;
	struct conf_edge *edges;
	struct conf_agent *agents;
	struct conf_worker *workers;
	struct conf_env *envs;
	struct conf_upgrade *upgrades;	/* one, of kind upgrade */
	size_t n_hosts, n_lettas, n_edges, n_agents, n_workers, n_envs;
	size_t n_upgrades;
	struct conf_doc *doc;		/* owns the strings; of conf_free */
};

#define CONF_SIZE_MAX (1024 * 1024)	/* bytes of a job file */
#define CONF_SECTIONS_MAX 4096
#define CONF_LINE_MAX 196		/* bytes of a line that has a value */
#define CONF_SECONDS_MAX 86400
#define CONF_MAX_FREEZE 120		/* seconds, when none is given */
#define CONF_NAME_MAX 64		/* bytes of a section's name */

/*
 * Check the text of a job file.  Sections stay in the order of the file.
 *
 * path  used in messages, and for the job's name when the file gives none:
 *       "etc/demo.conf" is "demo"
 * text  need not end with NUL; may be NULL when len is 0; CRLF and a UTF-8
 *       byte order mark are taken
 *
 * *out is the caller's to free, and set on success only.  Fails with
 * ERR_USAGE: "demo.conf:12: unknown key `adress' in [host old] (did you mean
 * `address'?)".  Every message begins with FILE:LINE; none holds the value of
 * a token or of a URL, where people leave passwords.
 *
 * Stricter than inih 55, as Debian 12 builds it (seen), which cuts a line at
 * 199 bytes and a section's name at 49 in silence, and joins an indented line
 * to the value above: all of these are errors here.
 */
int conf_parse(const char *path, const char *text, size_t len,
    struct conf **out, struct err *) MUST_CHECK;
void conf_free(struct conf *);

const char *conf_kind_name(enum conf_kind);

/* The section [edge HOST], or NULL. */
const struct conf_edge *conf_find_edge(const struct conf *, const char *host);

/* The server behind an edge, or NULL. */
const struct conf_letta *conf_find_letta(const struct conf *,
    const struct conf_edge *);

/* Whether it is one of the trees that move. */
bool conf_worker_has(const struct conf_worker *, const char *tree);

/*
 * A path of the job file (identity_file, ca_file, what follows "file:") with
 * a leading "~/" replaced by home and a slash.  The caller frees it.
 */
char *conf_expand_home(const char *path, const char *home);

/*
 * Call each(ctx, secret, err) for every secret that the file refers to, those
 * of servers first, each kind in the order of the file; stops at the first
 * failure, to which "FILE:LINE" is prepended.
 */
int conf_secrets(const struct conf *,
    int (*each)(void *ctx, const struct conf_secret *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !CORE_CONF_H */
