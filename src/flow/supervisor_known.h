#ifndef FLOW_SUPERVISOR_KNOWN_H
#define FLOW_SUPERVISOR_KNOWN_H

#include <stdbool.h>

struct host;
struct supervisor;
struct supervisors;

/*
 * What supervisor_find found last, for supervisor.c alone: a switch asks for
 * the source's again while the worker stands, and each time is some twenty
 * round trips.  It holds what we do to it ourselves; what others do meanwhile
 * is seen after SUPERVISOR_KNOWN_MS, or once it was forgotten.
 */
#define SUPERVISOR_KNOWN_MS 60000

/* A copy of it into *out; false: find it. */
bool supervisor_known(const struct host *, const char *dir,
    struct supervisors *out);
void supervisor_know(const struct host *, const char *dir,
    const struct supervisors *);
/* One of it was put out of use by this mark. */
void supervisor_know_disabled(const struct host *, const struct supervisor *,
    const char *mark);
void supervisor_known_forget(void);

#endif /* !FLOW_SUPERVISOR_KNOWN_H */
