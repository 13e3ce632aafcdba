#ifndef CORE_ENV_DIALECT_PART_H
#define CORE_ENV_DIALECT_PART_H

#include <stdbool.h>
#include <stddef.h>

struct env_reading;

/*
 * Between core/env_dialect.c and the readers, one a file.  Each is given an
 * empty reading and puts what it finds; the text holds no NUL and is UTF-8.
 */
void env_dialect_sh(const char *text, size_t len, struct env_reading *);
void env_dialect_systemd(const char *text, size_t len, struct env_reading *);
void env_dialect_docker(const char *text, size_t len, struct env_reading *);

/* value NULL: unset; why not NULL: refused. */
void env_dialect_put(struct env_reading *, size_t line, const char *key,
    size_t key_len, const char *value, size_t value_len, const char *why);

/* The whole file is refused; the first reason stays. */
void env_dialect_refuse(struct env_reading *, size_t line, const char *why);

/* [A-Za-z_][A-Za-z0-9_]* */
bool env_dialect_is_name(const char *s, size_t len);

#endif /* !CORE_ENV_DIALECT_PART_H */
