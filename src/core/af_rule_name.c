#include "base/base.h"

#include "base/str.h"
#include "core/af_rule.h"
#include "core/letta.h"

/*
 * What is surely no letter and no digit, of the blocks that people meet:
 * signs and punctuation, combining marks (which Python's \w leaves out too,
 * so names in Hindi or Thai are refused; seen), arrows, symbols, emoji.
 */
static const struct range {
	uint32_t first, last;
} refused[] = {
	{ 0x80, 0xa9 }, { 0xab, 0xb1 }, { 0xb4, 0xb4 }, { 0xb6, 0xb8 },
	{ 0xbb, 0xbb }, { 0xbf, 0xbf }, { 0xd7, 0xd7 }, { 0xf7, 0xf7 },
	{ 0x300, 0x36f }, { 0x591, 0x5c7 }, { 0x64b, 0x65f },
	{ 0x900, 0x903 }, { 0x93a, 0x93c }, { 0x93e, 0x94f },
	{ 0x951, 0x957 }, { 0x962, 0x965 },
	{ 0xe31, 0xe31 }, { 0xe34, 0xe3a }, { 0xe3f, 0xe3f },
	{ 0xe47, 0xe4f }, { 0xe5a, 0xe5b },
	{ 0x2000, 0x2064 }, { 0x2066, 0x206f }, { 0x20a0, 0x20c0 },
	{ 0x20d0, 0x20f0 }, { 0x2116, 0x2118 }, { 0x211e, 0x2123 },
	{ 0x2190, 0x2426 }, { 0x249c, 0x24e9 }, { 0x2500, 0x2775 },
	{ 0x2794, 0x2b73 }, { 0x2b76, 0x2b95 }, { 0x2b97, 0x2bff },
	{ 0x3000, 0x3004 }, { 0x3008, 0x3020 }, { 0x302a, 0x3030 },
	{ 0xe000, 0xf8ff }, { 0xfe00, 0xfe19 }, { 0xfe20, 0xfe52 },
	{ 0xfe54, 0xfe66 }, { 0xff01, 0xff0f }, { 0xff1a, 0xff20 },
	{ 0xff3b, 0xff40 }, { 0xff5b, 0xff65 }, { 0xfffd, 0xfffd },
	{ 0x1f000, 0x1f0ff }, { 0x1f10d, 0x1faff }, { 0xe0000, 0xe01ef }
};

/* The code point of the n valid bytes at p. */
static uint32_t
decode(const char *p, size_t n)
{
	uint32_t c = (unsigned char)*p & (0xffu >> (n + 1));

	while (--n > 0)
		c = c << 6 | ((unsigned char)*++p & 0x3f);
	return c;
}

static bool
is_refused(uint32_t c)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (c >= refused[i].first && c <= refused[i].last)
			return true;
	}
	return false;
}

bool
af_rule_name_ok(const char *name)
{
	size_t n;

	/* Taken; so is a line break at the very end, which nobody means. */
	if (!*name)
		return true;
	if (!letta_name_may_pass(name))
		return false;
	for (; *name; name += n) {
		n = 1;
		if ((unsigned char)*name < 0x80)
			continue;
		n = str_utf8_char(name, strlen(name));
		if (n == 0 || is_refused(decode(name, n)))
			return false;
	}
	return true;
}
