#include "base/base.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"

#define TEXT_MAX_BYTES 2048

const char *
doctor_severity_word(enum doctor_severity severity)
{
	static const char *const words[] = { "notice", "warning",
	    "critical" };

	return words[severity];
}

const struct doctor_trap *
doctor_trap(const char *id)
{
	for (size_t i = 0; i < doctor_n_traps; i++) {
		if (str_eq(doctor_traps[i].id, id))
			return &doctor_traps[i];
	}
	abort();	/* a bug: no such id */
}

void
doctor_fine(struct doctor *d, const char *id)
{
	(void)doctor_trap(id);
	d->looked++;
}

static void
tell(struct doctor *d, const char *id, bool known, const char *where,
    const char *fmt, va_list args) PRINTF(5, 0);

static void
tell(struct doctor *d, const char *id, bool known, const char *where,
    const char *fmt, va_list args)
{
	struct buf place = BUF_INIT(TEXT_MAX_BYTES);
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	char raw[TEXT_MAX_BYTES / 4];
	struct doctor_finding finding = { .trap = doctor_trap(id),
	    .known = known };

	(void)vsnprintf(raw, sizeof(raw), fmt, args);
	str_printable(&place, where, strlen(where));
	str_printable(&text, raw, strlen(raw));
	finding.where = buf_cstr(&place);
	finding.evidence = buf_cstr(&text);
	d->tell(d->ctx, &finding);
	buf_clear(&place);
	buf_clear(&text);
}

void
doctor_found(struct doctor *d, const char *id, const char *where,
    const char *fmt, ...)
{
	va_list args;

	d->looked++;
	d->found++;
	d->by_severity[doctor_trap(id)->severity]++;
	va_start(args, fmt);
	tell(d, id, true, where, fmt, args);
	va_end(args);
}

void
doctor_unknown(struct doctor *d, const char *id, const char *where,
    const char *fmt, ...)
{
	va_list args;

	d->unknown++;
	va_start(args, fmt);
	tell(d, id, false, where, fmt, args);
	va_end(args);
}
