#ifndef CORE_CONF_SET_H
#define CORE_CONF_SET_H

#include <stddef.h>

#include "base/attr.h"

struct conf_doc;
struct conf_section;
struct err;

/*
 * One value of a job file on its way into its field: a function per type of
 * value, named in the table of conf_section.c.  Each checks the value, cuts
 * it up in place where it has parts, and stores.  Failures are ERR_USAGE with
 * PATH:LINE and the value, or without it where people put passwords (token,
 * URLs).
 */
struct conf_place {
	struct conf_doc *doc;
	struct conf_section *section;
	const char *key;
	char *value;		/* lives as long as doc */
	int line;
	void *object;		/* the section's struct in conf */
	size_t field;		/* offset in it of what to fill */
	size_t path_field;	/* conf_set_host_path: of the path */
	const char *(*check)(const char *);	/* text, url: conf_value_* */
	const char *const *words;	/* word: those it may be, then NULL */
};

int conf_set_text(const struct conf_place *, struct err *) MUST_CHECK;
/* One of words; its place among them goes into an enum. */
int conf_set_word(const struct conf_place *, struct err *) MUST_CHECK;
/* "yes" or "no" into a bool. */
int conf_set_yes_no(const struct conf_place *, struct err *) MUST_CHECK;
int conf_set_base_url(const struct conf_place *, struct err *) MUST_CHECK;
int conf_set_url(const struct conf_place *, struct err *) MUST_CHECK;
int conf_set_port(const struct conf_place *, struct err *) MUST_CHECK;
int conf_set_host(const struct conf_place *, struct err *) MUST_CHECK;
int conf_set_letta(const struct conf_place *, struct err *) MUST_CHECK;
/* HOST:PATH into field and path_field. */
int conf_set_host_path(const struct conf_place *, struct err *) MUST_CHECK;

/* Of struct conf: kind. */
int conf_set_kind(const struct conf_place *, struct err *) MUST_CHECK;
/* A number of seconds, 1 to 86400. */
int conf_set_seconds(const struct conf_place *, struct err *) MUST_CHECK;
/* Of struct conf: manual_switch. */
int conf_set_switch(const struct conf_place *, struct err *) MUST_CHECK;
/* env:, file: or cmd: into a struct conf_secret. */
int conf_set_secret(const struct conf_place *, struct err *) MUST_CHECK;
/* Of struct conf_letta: version. */
int conf_set_version(const struct conf_place *, struct err *) MUST_CHECK;
/* Of struct conf_edge: ade_name and ade_port. */
int conf_set_ade(const struct conf_place *, struct err *) MUST_CHECK;
/* Of struct conf_agent: from and from_id, or bundle. */
int conf_set_agent_from(const struct conf_place *, struct err *) MUST_CHECK;
/* Of struct conf_worker: agent or agent_id; trees. */
int conf_set_worker_agent(const struct conf_place *, struct err *)
    MUST_CHECK;
int conf_set_trees(const struct conf_place *, struct err *) MUST_CHECK;

/* What `trees' is when it is not given. */
extern const char *const conf_set_default_trees[];

#endif /* !CORE_CONF_SET_H */
