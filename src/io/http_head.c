#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/str.h"
#include "io/http_head.h"

/* The value of a line when its name is name, printable, cut to fit. */
static void
take(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);
	struct buf text;

	if (len <= name_len || line[name_len] != ':' ||
	    strncasecmp(line, name, name_len) != 0)
		return;
	line += name_len + 1;
	len -= name_len + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && memchr(" \t\r\n", line[len - 1], 4))
		len--;
	buf_init(&text, size - 1);
	str_printable(&text, line, len);
	(void)snprintf(out, size, "%s", buf_cstr(&text));
	buf_clear(&text);
}

/* A line that is no status and not the end; one too long is left out. */
static void
keep(struct buf *all, const char *line, size_t len)
{
	struct buf text = BUF_INIT(HTTP_HEAD_MAX_BYTES);

	while (len > 0 && memchr(" \t\r\n", line[len - 1], 4))
		len--;
	str_printable(&text, line, len);
	if (all->len + text.len < all->max)
		buf_printf(all, "%s\n", buf_cstr(&text));
	buf_clear(&text);
}

bool
http_head_line(struct http_head *h, const char *line, size_t len)
{
	h->bytes += len;
	if (h->bytes > HTTP_HEAD_MAX_BYTES)
		return false;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		h->content_type[0] = '\0';
		h->location[0] = '\0';
		h->retry_after[0] = '\0';
		h->inside = true;
		if (h->all)
			buf_clear(h->all);
		return true;
	} else if (len == 0 || *line == '\r' || *line == '\n')
		h->inside = false;

	/* What comes after the blank line is a trailer and no header. */
	if (!h->inside)
		return true;
	if (h->all)
		keep(h->all, line, len);
	take(line, len, "Content-Type", h->content_type,
	    sizeof(h->content_type));
	take(line, len, "Location", h->location, sizeof(h->location));
	take(line, len, "Retry-After", h->retry_after,
	    sizeof(h->retry_after));
	return true;
}

/* The preferred form of an HTTP date alone; no locale has a say. */
static bool
parse_date(const char *text, time_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	char month[4], zone[4];
	const char *at;
	int end = 0;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s%n",
	    &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
	    &tm.tm_sec, zone, &end) != 7 || text[end] != '\0' ||
	    !str_eq(zone, "GMT"))
		return false;
	at = strstr(months, month);
	if (!at || strlen(month) != 3 || (at - months) % 3 != 0)
		return false;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	*out = timegm(&tm);
	return *out != (time_t)-1;
}

uint64_t
http_head_retry_ms(const struct http_head *h, time_t now)
{
	const char *text = h->retry_after;
	const uint64_t max_s = HTTP_HEAD_RETRY_MAX_MS / 1000;
	uint64_t seconds;
	time_t then;

	if (!*text)
		return 0;
	if (text[strspn(text, "0123456789")] == '\0')
		return str_u64(text, max_s, &seconds) ? seconds * 1000 :
		    HTTP_HEAD_RETRY_MAX_MS;
	if (!parse_date(text, &then) || then <= now)
		return 0;
	seconds = (uint64_t)(then - now);
	return (seconds < max_s ? seconds : max_s) * 1000;
}
