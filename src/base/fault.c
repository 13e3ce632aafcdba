#include "base/base.h"

#include "base/fault.h"
#include "base/str.h"

#ifdef ENABLE_FAULT_POINTS
/* "NAME STEP" */
static bool
is_of(const char *stop, const char *name, const char *step)
{
	size_t len = strlen(name);

	return step && strncmp(stop, name, len) == 0 && stop[len] == ' ' &&
	    str_eq(stop + len + 1, step);
}

void
fault_point(const char *name)
{
	fault_point_of(name, NULL);
}

void
fault_point_of(const char *name, const char *step)
{
	static uint64_t passed;
	const char *path = getenv("SANCTUMCTL_FAULT_COUNT");
	const char *stop = getenv("SANCTUMCTL_FAULT_STOP");
	uint64_t stop_at;
	FILE *out;

	passed++;
	if (path) {
		out = fopen(path, "ae");
		if (out) {
			(void)fprintf(out, "%s\n", name);
			(void)fclose(out);
		}
	}
	if (stop && (str_eq(stop, name) || is_of(stop, name, step) ||
	    (str_u64(stop, UINT64_MAX, &stop_at) && passed == stop_at)))
		_exit(FAULT_EXIT);
}
#else
/* ISO C wants something in every file. */
typedef int fault_points_are_off;
#endif
