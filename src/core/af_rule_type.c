#include "base/base.h"

#include "base/str.h"
#include "core/af_rule_type.h"
#include "core/jdoc.h"
#include "core/stamp.h"

/* In seconds; what is more is taken for milliseconds (seen). */
#define SECONDS_MAX 20000000000
/* 9999-12-31T23:59:59 in milliseconds. */
#define MILLIS_MAX 253402300799999
#define FIRST_S (-62135596800)	/* 0001-01-01T00:00:00Z */
#define LAST_S 253402300799	/* 9999-12-31T23:59:59Z */

bool
af_rule_is_text_or_null(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    jdoc_type(value) == JDOC_STRING;
}

bool
af_rule_is_object_or_null(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    jdoc_type(value) == JDOC_OBJECT;
}

bool
af_rule_is_texts_or_null(const struct jdoc *value)
{
	if (jdoc_type(value) == JDOC_NULL)
		return true;
	if (jdoc_type(value) != JDOC_ARRAY)
		return false;
	for (size_t i = 0; i < jdoc_len(value); i++) {
		if (!jdoc_str(jdoc_at(value, i)))
			return false;
	}
	return true;
}

bool
af_rule_is_text_map_or_null(const struct jdoc *value)
{
	struct jdoc_member m = { 0 };

	if (!af_rule_is_object_or_null(value))
		return false;
	while (jdoc_next(value, &m)) {
		if (!jdoc_str(m.value))
			return false;
	}
	return true;
}

bool
af_rule_is_one_of(const struct jdoc *value, const char *const *names)
{
	const char *text = jdoc_str(value);

	for (; text && *names; names++) {
		if (str_eq(text, *names))
			return true;
	}
	return false;
}

bool
af_rule_is_a(const struct jdoc *value, const char *type)
{
	const char *is = jdoc_get_str(value, "type");

	return is && str_eq(is, type);
}

bool
af_rule_is_one_text(const struct jdoc *content)
{
	return jdoc_len(content) == 1 &&
	    af_rule_is_a(jdoc_at(content, 0), "text");
}

bool
af_rule_is_id(const struct jdoc *value, const char *kind)
{
	const char *p = jdoc_str(value);
	size_t n = strlen(kind);

	if (!p || strncmp(p, kind, n) != 0 || p[n] != '-')
		return false;
	p += n + 1;
	p += strspn(p, " ");
	if (*p == '-' || *p == '+')
		p++;
	do {
		n = strspn(p, "0123456789");
		p += n;
	} while (n > 0 && *p == '_' && *p++);
	p += strspn(p, " ");
	return n > 0 && *p == '\0';
}

static enum af_rule_date
date_of_number(double number)
{
	double size = number < 0 ? -number : number;

	if (!(size <= MILLIS_MAX))
		return AF_RULE_DATE_BAD;
	if (size > SECONDS_MAX)
		number /= 1000;
	/* 1900 and 3000 */
	return number < -2208988800.0 || number >= 32503680000.0 ?
	    AF_RULE_DATE_FAR : AF_RULE_DATE_GOOD;
}

/* An offset of hours alone, "+02", which pydantic does not take. */
static bool
ends_in_hours(const char *text)
{
	const char *time = strchr(text, 'T');
	const char *sign = time ? strpbrk(time, "+-") : NULL;

	return sign && strlen(sign) == strlen("+02");
}

/* The same instant as core/stamp.h writes it: "2024-01-01", ",5", "t", "z". */
static bool
parse_loosely(const char *text, struct stamp *stamp)
{
	char copy[64];
	size_t n = strlen(text);

	if (n == 0 || n > sizeof(copy) - sizeof("T00:00"))
		return false;
	memcpy(copy, text, n + 1);
	for (char *p = copy; *p; p++) {
		if (*p == 't' || *p == 'z')
			*p = (char)(*p - 'a' + 'A');
		else if (*p == ',')
			*p = '.';
	}
	if (n == strlen("2024-01-01"))
		memcpy(copy + n, "T00:00", sizeof("T00:00"));
	return !ends_in_hours(copy) && stamp_parse(copy, stamp);
}

enum af_rule_date
af_rule_date(const struct jdoc *value)
{
	const char *text = jdoc_str(value);
	struct stamp stamp;
	double number;
	char *end;

	if (jdoc_type(value) == JDOC_NULL)
		return AF_RULE_DATE_NULL;
	if (jdoc_type(value) == JDOC_NUMBER)
		return date_of_number((double)jdoc_int(value));
	if (!text)
		return AF_RULE_DATE_BAD;
	if (!parse_loosely(text, &stamp)) {
		number = strtod(text, &end);
		return end == text || *end ? AF_RULE_DATE_BAD :
		    date_of_number(number);
	}
	if ((stamp.unix_s == FIRST_S && stamp.micros == 0) ||
	    (stamp.unix_s == LAST_S && stamp.micros == 999999))
		return AF_RULE_DATE_EDGE;
	return stamp_is_sane(&stamp) ? AF_RULE_DATE_GOOD : AF_RULE_DATE_FAR;
}
