#ifndef FLOW_DOCTOR_WORKER_PART_H
#define FLOW_DOCTOR_WORKER_PART_H

#include "base/attr.h"

struct doctor_at;
struct err;
struct worker_found;

/* For doctor_worker*.c alone.  Each fails when the host is gone. */

/* What the effective .env of a Broca says. */
int doctor_worker_env(const struct doctor_at *, const struct worker_found *,
    struct err *) MUST_CHECK;

/* Its sanctum.db, opened read-only. */
int doctor_worker_db(const struct doctor_at *, const struct worker_found *,
    struct err *) MUST_CHECK;

/* An SMCP: its environment, its packages, who may call it. */
int doctor_worker_smcp(const struct doctor_at *, const struct worker_found *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_WORKER_PART_H */
