#ifndef CORE_CONF_SECTION_H
#define CORE_CONF_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct conf;
struct err;

/*
 * The sections and keys that a job file may have, as one table, and the way
 * from their text to the structs of core/conf.h.  Of conf.c's use alone:
 *
 *     struct conf_doc *doc = conf_section_new(path, conf);
 *
 *     conf_section_begin(doc, line, "host old", err)     at each header
 *     conf_section_add(doc, line, key, value, err)       at each key
 *     conf_section_fill(doc, err)                        at the end
 *     conf_section_free(doc);
 *
 * begin and add refuse what is not known or there already.  fill makes the
 * arrays of conf and has core/conf_set.h turn each value into its type; a
 * value may name a section that stands further down.  The strings of conf are
 * those of doc.
 *
 * All failures are ERR_USAGE and begin with PATH:LINE.
 */

#define CONF_KEYS_MAX 24		/* keys that one type of section has */
#define CONF_TREES_MAX 3	/* names that `trees' knows */

enum conf_type_id {
	CONF_TYPE_JOB,
	CONF_TYPE_HOST,
	CONF_TYPE_LETTA,
	CONF_TYPE_EDGE,
	CONF_TYPE_AGENT,
	CONF_TYPE_WORKER,
	CONF_TYPE_ENV,
	CONF_TYPE_UPGRADE,
	CONF_TYPES
};

struct conf_type;

/* A section as written.  values[i] belongs to the i-th key of its type. */
struct conf_section {
	const struct conf_type *type;
	char label[80];			/* "host old", "job": for messages */
	const char *name;		/* in label; "" for [job] */
	int line;
	size_t index;			/* in the array of struct conf; [env]:
					 * of its first line, */
	size_t n_env;			/* of which it has so many */
	char *values[CONF_KEYS_MAX];	/* NULL: not given.  Cut up by fill */
	int lines[CONF_KEYS_MAX];
	const char *trees[CONF_TREES_MAX + 1];
};

struct conf_doc {
	struct conf *conf;
	char *path;
	char *job_name;			/* made from path, or NULL */
	struct conf_section *sections;
	size_t n_sections;
};

struct conf_doc *conf_section_new(const char *path, struct conf *);
void conf_section_free(struct conf_doc *);

/* header is what stands between the brackets, already printable. */
int conf_section_begin(struct conf_doc *, int line, const char *header,
    struct err *) MUST_CHECK;

/* Whether the last section's keys are any of conf_env_is_key. */
bool conf_section_is_env(const struct conf_doc *);

/* Both are already printable; value is copied and not empty. */
int conf_section_add(struct conf_doc *, int line, const char *key,
    const char *value, struct err *) MUST_CHECK;

int conf_section_fill(struct conf_doc *, struct err *) MUST_CHECK;

enum conf_type_id conf_section_type(const struct conf_section *);

/* The struct of conf that a section fills; conf itself for [job]. */
void *conf_section_object(const struct conf_doc *,
    const struct conf_section *);

/*
 * The struct of the section [TYPE name], or NULL with the nearest name there
 * is.  The message is about `key' of section and its line.
 */
const void *conf_section_refer(const struct conf_doc *,
    const struct conf_section *, const char *key, int line,
    enum conf_type_id, const char *name, struct err *) MUST_CHECK;

/* The line where a section has this key of its table; 0: not given. */
int conf_section_key_line(const struct conf_section *, const char *key);

/* Fill err with ERR_USAGE and "PATH:LINE: ...".  Returns -1. */
int conf_section_fail(const char *path, int line, struct err *,
    const char *fmt, ...) PRINTF(4, 5);

/*
 * " (did you mean `WORD'?)" for the entry of names (ended by NULL) that is
 * nearest to word, "" if none is near.  Returns text.
 */
#define CONF_HINT_SIZE 128
const char *conf_section_hint(const char *word, const char *const *names,
    char text[static CONF_HINT_SIZE]);

#endif /* !CORE_CONF_SECTION_H */
