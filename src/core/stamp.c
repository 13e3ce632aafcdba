#include "base/base.h"

#include "base/buf.h"
#include "core/stamp.h"

struct civil {
	int64_t year;
	unsigned int month, day;
};

/* Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
static int64_t
days_from_civil(int64_t year, unsigned int month, unsigned int day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 +
	    (int64_t)day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year - 719468;
}

static struct civil
civil_from_days(int64_t days)
{
	int64_t era, doe, yoe, doy, mp;
	struct civil c;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c.day = (unsigned int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (unsigned int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2 ? 1 : 0);
	return c;
}

static unsigned int
days_in_month(unsigned int year, unsigned int month)
{
	static const unsigned char days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	if (month == 2 && year % 4 == 0 &&
	    (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* Exactly n digits, no more than max. */
static bool
digits(const char **p, int n, unsigned int max, unsigned int *out)
{
	unsigned int value = 0;

	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (unsigned int)(**p - '0');
	}
	*out = value;
	return value <= max;
}

static bool
mark(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
fraction(const char **p, unsigned int *micros)
{
	unsigned int scale = 100000;
	const char *first = *p;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		*micros += scale * (unsigned int)(**p - '0');
		scale /= 10;
	}
	return *p > first;
}

/* "Z", "+HH:MM", "+HHMM", "+HH" or nothing; seconds east of UTC. */
static bool
offset(const char **p, int64_t *east_s)
{
	unsigned int hours, minutes = 0;
	int sign;

	*east_s = 0;
	if (mark(p, 'Z') || mark(p, 'z') || !**p)
		return true;
	if (**p != '+' && **p != '-')
		return false;
	sign = **p == '-' ? -1 : 1;
	(*p)++;
	if (!digits(p, 2, 23, &hours))
		return false;
	if (**p) {
		(void)mark(p, ':');
		if (!digits(p, 2, 59, &minutes))
			return false;
	}
	*east_s = sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool
stamp_parse(const char *text, struct stamp *out)
{
	unsigned int year, month, day, hour, minute, second = 0, micros = 0;
	const char *p = text;
	int64_t east_s;

	if (!digits(&p, 4, 9999, &year) || year == 0 || !mark(&p, '-') ||
	    !digits(&p, 2, 12, &month) || month == 0 || !mark(&p, '-') ||
	    !digits(&p, 2, days_in_month(year, month), &day) || day == 0)
		return false;
	if (!mark(&p, 'T') && !mark(&p, 't') && !mark(&p, ' '))
		return false;
	if (!digits(&p, 2, 23, &hour) || !mark(&p, ':') ||
	    !digits(&p, 2, 59, &minute))
		return false;
	if (mark(&p, ':')) {
		if (!digits(&p, 2, 59, &second))
			return false;
		if (mark(&p, '.') && !fraction(&p, &micros))
			return false;
	}
	if (!offset(&p, &east_s) || *p)
		return false;
	out->unix_s = days_from_civil(year, month, day) * 86400 +
	    (int64_t)hour * 3600 + minute * 60 + second - east_s;
	out->micros = micros;
	return true;
}

static void
split(const struct stamp *s, struct civil *date, unsigned int *second_of_day)
{
	int64_t days = s->unix_s / 86400, rest = s->unix_s % 86400;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	*date = civil_from_days(days);
	*second_of_day = (unsigned int)rest;
}

void
stamp_write(const struct stamp *s, struct buf *out)
{
	struct civil date;
	unsigned int t;

	split(s, &date, &t);
	buf_printf(out, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u", date.year,
	    date.month, date.day, t / 3600, t / 60 % 60, t % 60);
	if (s->micros != 0)
		buf_printf(out, ".%06u", s->micros);
	buf_char(out, 'Z');
}

void
stamp_write_local(const struct stamp *s, struct buf *out)
{
	struct civil date;
	unsigned int t, hour;

	split(s, &date, &t);
	hour = t / 3600;
	buf_printf(out, "%04" PRId64 "-%02u-%02u %02u:%02u:%02u %s UTC+0000",
	    date.year, date.month, date.day,
	    hour % 12 == 0 ? 12 : hour % 12, t / 60 % 60, t % 60,
	    hour < 12 ? "AM" : "PM");
}

/* 1900-01-01T00:00:00Z and 2999-12-31T23:59:59Z */
#define SANE_MIN (-INT64_C(2208988800))
#define SANE_MAX INT64_C(32503679999)

bool
stamp_is_sane(const struct stamp *s)
{
	return s->unix_s >= SANE_MIN && s->unix_s <= SANE_MAX;
}

bool
stamp_clamp(struct stamp *s)
{
	if (stamp_is_sane(s))
		return false;
	s->unix_s = s->unix_s < SANE_MIN ? SANE_MIN : SANE_MAX;
	s->micros = 0;
	return true;
}
