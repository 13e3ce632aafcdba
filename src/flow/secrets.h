#ifndef FLOW_SECRETS_H
#define FLOW_SECRETS_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct secret;

/*
 * Fetch the secret that a job file refers to:
 *
 *     env:NAME      the environment variable; unset or empty is an error
 *     file:PATH     the file ("~/" is $HOME); refused when its group or
 *                   others can read it
 *     cmd:ARGV...   what the program prints; the words are split at blanks,
 *                   no shell has a part in it
 *
 * A secret is one line of at most 64 KiB: line breaks at its end are dropped,
 * any other control character is refused.
 *
 * The caller frees *out.  Fails with ERR_USAGE; the message names the
 * reference, never a value.
 */
int secrets_fetch(const char *ref, struct secret **out, struct err *)
    MUST_CHECK;
/* One that may be several lines: users of htpasswd. */
int secrets_fetch_lines(const char *ref, struct secret **out, struct err *)
    MUST_CHECK;

/*
 * A variable of the environment is inherited by every program that we run,
 * so it is overwritten and taken out of ours once its secret was fetched.
 * Whoever has several to fetch takes those of the environment first, since
 * cmd: runs a program.  Other references are left alone.
 */
bool secrets_in_environment(const char *ref);
void secrets_forget(const char *ref);

#endif /* !FLOW_SECRETS_H */
