#include "base/base.h"

#include "base/str.h"
#include "core/meminfo.h"

#define KEY "MemAvailable:"
#define DIGITS_MAX 20

bool
meminfo_available(const char *text, uint64_t *out_bytes)
{
	char digits[DIGITS_MAX];
	uint64_t kib;
	size_t n;

	while (*text && !str_starts(text, KEY)) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	if (!*text)
		return false;
	text += strlen(KEY);
	text += strspn(text, " ");
	n = strspn(text, "0123456789");
	if (n == 0 || n >= sizeof(digits) || !str_starts(text + n, " kB"))
		return false;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (!str_u64(digits, UINT64_MAX / 1024, &kib))
		return false;
	*out_bytes = kib * 1024;
	return true;
}
