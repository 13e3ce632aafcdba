#ifndef CLI_FINDING_H
#define CLI_FINDING_H

#include <stdbool.h>

struct doctor;
struct doctor_finding;
struct opt;

/* What core/doctor.h tells, printed: `doctor', `letta health'. */

struct finding_telling {
	const struct opt *opt;
	const char *last_cure;	/* not to be said twice in a row */
};

/* For struct doctor; ctx is a struct finding_telling. */
void finding_tell(void *ctx, const struct doctor_finding *);

/* The last line, of what opt->words[0] names; returns the exit code. */
int finding_result(const struct opt *, const struct doctor *);

/* --list: each trap, or those that has says; has may be NULL. */
void finding_list(const struct opt *, bool (*has)(const char *trap));

#endif /* !CLI_FINDING_H */
