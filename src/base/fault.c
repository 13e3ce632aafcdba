#include "base/base.h"

#include "base/fault.h"
#include "base/str.h"

#ifdef ENABLE_FAULT_POINTS
void
fault_point(const char *name)
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
	if (stop && (str_eq(stop, name) ||
	    (str_u64(stop, UINT64_MAX, &stop_at) && passed == stop_at)))
		_exit(FAULT_EXIT);
}
#else
/* ISO C wants something in every file. */
typedef int fault_points_are_off;
#endif
