#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/nginx_look.h"
#include "flow/doctor_part.h"
#include "flow/supervisor_kind.h"
#include "io/cert.h"
#include "io/host.h"

#define LETSENCRYPT "/etc/letsencrypt"
#define EXPIRY_DAYS 14
#define DAY_S 86400
#define TEXT_MAX_BYTES (1024 * 1024)

struct certificates {
	const struct doctor_at *at;
	struct buf seen;		/* paths that were looked at */
	struct err *err;
	int rc;
};

/* "*.example.org" is for one label. */
static bool
covers(const struct cert *cert, const char *name)
{
	const char *rest = strchr(name, '.');

	if (cert_names(cert, name))
		return true;
	for (size_t i = 0; rest && i < cert->n_names; i++) {
		if (str_starts(cert->names[i], "*.") &&
		    strcasecmp(cert->names[i] + 1, rest) == 0)
			return true;
	}
	return false;
}

static void
look_at_names(const struct doctor_at *at, const struct cert *cert,
    const char *path, const char *const *names)
{
	for (; *names; names++) {
		if (**names == '\0' || strpbrk(*names, "*~_") ||
		    !strchr(*names, '.'))
			continue;
		DOCTOR_JUDGE(at, path, !covers(cert, *names),
		    "certificate-names", "%s is not in it", *names);
	}
}

/* The key stays where it is: its public half alone comes here. */
static int
look_at_pair(const struct doctor_at *at, const char *certificate,
    const char *key, struct err *err)
{
	const char *const of_cert[] = { "openssl", "x509", "-in",
	    certificate, "-noout", "-pubkey", NULL };
	const char *const of_key[] = { "openssl", "pkey", "-in", key,
	    "-pubout", NULL };
	struct buf one = BUF_INIT(65536), other = BUF_INIT(65536);
	int status = 0, status_key = 0, rc;

	rc = doctor_ask(at, of_cert, &status, &one, NULL, err);
	if (rc == 0)
		rc = doctor_ask(at, of_key, &status_key, &other, NULL,
		    err);
	if (rc != 0)
		rc = doctor_pass(at, "certificate-key", err);
	else if (status == 0 && status_key == 0)
		DOCTOR_JUDGE(at, certificate, !str_eq(buf_cstr(&one),
		    buf_cstr(&other)), "certificate-key",
		    "%s is not its key", key);
	else {
		char *place = doctor_place(at, key);

		doctor_unknown(at->d, "certificate-key", place,
		    "openssl did not read it");
		free(place);
	}
	buf_clear(&one);
	buf_clear(&other);
	return rc;
}

static bool
take_seen(struct certificates *c, const char *path)
{
	char *line = mem_printf("\n%s\n", path);
	bool known = strstr(buf_cstr(&c->seen), line) != NULL;

	if (!known)
		buf_str(&c->seen, line);
	free(line);
	return known;
}

static void
look_at_certificate(void *ctx, const char *certificate, const char *key,
    const char *const *names, const char *where)
{
	struct certificates *c = ctx;
	struct buf pem = BUF_INIT(TEXT_MAX_BYTES);
	struct err ignored = ERR_INIT;
	struct cert cert;
	bool there;

	if (c->rc != 0 || strchr(certificate, '$'))
		return;
	there = doctor_read(c->at, certificate, &pem) &&
	    cert_parse(buf_cstr(&pem), pem.len, &cert, &ignored) == 0;
	if (!there)
		doctor_unknown(c->at->d, "certificate-expiry", where,
		    "%s: %s", certificate, *ignored.text ? ignored.text :
		    "cannot be read");
	else {
		look_at_names(c->at, &cert, certificate, names);
		if (!take_seen(c, certificate)) {
			DOCTOR_JUDGE(c->at, certificate, cert.seconds_left <
			    EXPIRY_DAYS * DAY_S, "certificate-expiry",
			    "%" PRId64 " days are left",
			    cert.seconds_left / DAY_S);
			c->rc = look_at_pair(c->at, certificate, key,
			    c->err);
		}
	}
	buf_clear(&pem);
}

static bool
is_link(const struct doctor_at *at, const char *path)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	return host_stat(at->host, path, &meta, &ignored) == 0 &&
	    (meta.type == FS_SYMLINK || meta.type == FS_NONE);
}

static bool
has_hook(const struct doctor_at *at, const char *text)
{
	char *hook = doctor_setting(text, "renew_hook");
	char *deploy = doctor_setting(text, "deploy_hook");
	struct buf cli = BUF_INIT(TEXT_MAX_BYTES);
	char **files, *global = NULL;
	size_t n;
	bool has;

	files = supervisor_files(at->host, LETSENCRYPT
	    "/renewal-hooks/deploy", "f", "*", &n);
	if (doctor_read(at, LETSENCRYPT "/cli.ini", &cli))
		global = doctor_setting(buf_cstr(&cli), "deploy-hook");
	has = hook || deploy || global || n > 0;
	supervisor_files_free(files, n);
	buf_clear(&cli);
	free(global);
	free(deploy);
	free(hook);
	return has;
}

/* name is "SITE.conf" of the renewal directory. */
static void
look_at_lineage(const struct doctor_at *at, const char *name)
{
	char *path = mem_printf(LETSENCRYPT "/renewal/%s", name);
	char *live = mem_printf(LETSENCRYPT "/live/%.*s/cert.pem",
	    (int)(strlen(name) - strlen(".conf")), name);
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	char *how = NULL, *installer = NULL;

	if (doctor_read(at, path, &text)) {
		how = doctor_setting(buf_cstr(&text), "authenticator");
		installer = doctor_setting(buf_cstr(&text), "installer");
		DOCTOR_JUDGE(at, path, !has_hook(at, buf_cstr(&text)),
		    "certbot-hook", "no renew_hook, and none in "
		    "renewal-hooks/deploy");
		DOCTOR_JUDGE(at, path, (installer && str_eq(installer,
		    "nginx")) || (how && str_eq(how, "nginx")),
		    "certbot-installer", "authenticator %s, installer %s",
		    how ? how : "none", installer ? installer : "none");
		DOCTOR_JUDGE(at, path, at->nginx && how &&
		    str_eq(how, "standalone"), "certbot-standalone",
		    "authenticator = standalone");
		DOCTOR_JUDGE(at, live, !is_link(at, live), "certbot-links",
		    "it is a file of its own");
	}
	free(installer);
	free(how);
	buf_clear(&text);
	free(live);
	free(path);
}

/* By systemd where it runs; Debian's cron line leaves it to systemd then. */
static int
look_at_timer(const struct doctor_at *at, struct err *err)
{
	static const char *const timers[] = { "systemctl", "list-timers",
	    "--all", "--no-legend", "--plain", NULL };
	struct fs_meta metas[3];
	static const char *const paths[] = { "/run/systemd/system",
	    "/etc/cron.d/certbot", "/etc/cron.daily/certbot" };
	struct buf out = BUF_INIT(TEXT_MAX_BYTES);
	bool there = false;
	int status = 0, rc;

	rc = host_stat_all(at->host, paths, 3, metas, err);
	if (rc == 0 && metas[0].type != FS_NONE) {
		rc = doctor_ask(at, timers, &status, &out, NULL, err);
		there = strstr(buf_cstr(&out), "cert") != NULL;
	} else if (rc == 0)
		there = metas[1].type != FS_NONE || metas[2].type != FS_NONE;
	buf_clear(&out);
	if (rc != 0)
		return doctor_pass(at, "certbot-timer", err);
	DOCTOR_JUDGE(at, LETSENCRYPT "/renewal", !there, "certbot-timer",
	    "no timer, and no /etc/cron.d/certbot that counts");
	return 0;
}

static int
look_at_certbot(const struct doctor_at *at, struct err *err)
{
	char **files;
	size_t n;
	int rc = 0;

	files = supervisor_files(at->host, LETSENCRYPT "/renewal", "f",
	    "*.conf", &n);
	for (size_t i = 0; i < n; i++)
		look_at_lineage(at, strrchr(files[i], '/') ?
		    strrchr(files[i], '/') + 1 : files[i]);
	if (n > 0)
		rc = look_at_timer(at, err);
	supervisor_files_free(files, n);
	return rc;
}

int
doctor_certificates(struct doctor_at *at, struct err *err)
{
	struct certificates c = { .at = at, .err = err,
	    .seen = BUF_INIT(TEXT_MAX_BYTES) };
	struct nginx_look look = { .dump = at->nginx, .host = at->name,
	    .doctor = at->d, .letta_ports = at->letta_ports };

	if (at->nginx)
		nginx_look_certificates(&look, look_at_certificate, &c);
	buf_clear(&c.seen);
	return c.rc == 0 ? look_at_certbot(at, err) : -1;
}
