#ifndef FLOW_DOCTOR_PART_H
#define FLOW_DOCTOR_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "core/doctor.h"

struct buf;
struct err;
struct host;
struct nginx_tree;

/* For doctor_*.c alone: one module for each subject of a host. */
#define DOCTOR_TEXT_MAX (8 * 1024 * 1024)
#define DOCTOR_RUN_MS 30000

/* A host under examination. */
struct doctor_at {
	struct doctor *d;
	struct host *host;
	const char *name;		/* for "name:path" */
	unsigned int letta_ports[8];	/* 0 behind the last */
	bool no_redis;			/* the job wants none */
	struct nginx_tree *nginx;	/* of doctor_nginx; NULL: none there */
};

/* "name:path", or "name" for NULL; the caller frees it. */
char *doctor_place(const struct doctor_at *, const char *path);

#define DOCTOR_JUDGE(at, path, there, id, ...) do {		\
	char *place_ = doctor_place((at), (path));		\
	doctor_judge((at)->d, (there), (id), place_,		\
	    __VA_ARGS__);					\
	free(place_);						\
} while (0)

/*
 * Run a program there that only looks.  *status: its exit code; 127 when
 * there is no such program, which is no failure here.  said may be NULL.
 */
int doctor_ask(const struct doctor_at *, const char *const *argv,
    int *status, struct buf *out, struct buf *said, struct err *) MUST_CHECK;

/*
 * What was not told because err came between; err is forgotten, unless it is
 * one that ends all (the host is gone, a signal): then -1.
 */
int doctor_pass(const struct doctor_at *, const char *id, struct err *)
    MUST_CHECK;

/* The bytes of a file; false: it is not there, or cannot be read. */
bool doctor_read(const struct doctor_at *, const char *path, struct buf *out);

/*
 * The value of "key = value", the first of a text of such lines; NULL: none.
 * The caller frees it.
 */
char *doctor_setting(const char *text, const char *key);

/* Each tells of its own traps, and fails when the host is gone. */
int doctor_workers(struct doctor_at *, struct err *) MUST_CHECK;
int doctor_nginx(struct doctor_at *, struct err *) MUST_CHECK;
int doctor_certificates(struct doctor_at *, struct err *) MUST_CHECK;
int doctor_services(struct doctor_at *, struct err *) MUST_CHECK;
int doctor_machine(struct doctor_at *, struct err *) MUST_CHECK;

/* Parts of doctor_services, for who looks at one server (letta_health.h). */
int doctor_sequence(const struct doctor_at *, struct err *) MUST_CHECK;
int doctor_containers(const struct doctor_at *, struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_PART_H */
