#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/client_url.h"
#include "core/dotenv_parse.h"

#define HIDDEN "***"

/* Words that say what a line is for. */
static const char *const plain[] = { "export", "set", "server", "-",
	"proxy_pass", "grpc_pass", "Environment", NULL };

/* One line of the text before, with its places. */
struct line {
	const char *text;	/* the whole of it */
	size_t begin, end;
	const char *record;	/* from the first place of the line on */
	bool after;
};

static bool
is_plain(const char *word, size_t len)
{
	for (const char *const *p = plain; *p; p++) {
		if (strlen(*p) == len && memcmp(*p, word, len) == 0)
			return true;
	}
	/* A key of YAML or JSON. */
	return len > 2 && word[len - 1] == ':' && strspn(word,
	    "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == len - 1;
}

/* "KEY=", "KEY: ", quotes and a scheme: what an address is the value of. */
static void
show_prefix(const char *word, size_t len, struct buf *out)
{
	static const char *const schemes[] = { "https://", "http://" };
	size_t scheme = 0, key;

	for (size_t i = 0; i < 2 && scheme == 0; i++) {
		if (len >= strlen(schemes[i]) && memcmp(word + len -
		    strlen(schemes[i]), schemes[i], strlen(schemes[i])) == 0)
			scheme = strlen(schemes[i]);
	}
	key = strspn(word, "\"'-ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	key = key < len - scheme ? key : len - scheme;
	buf_add(out, word, key);
	word += key;
	len -= key;
	for (; len > scheme && strchr("=:\"'", *word); word++, len--)
		buf_char(out, *word);
	if (len > scheme)
		buf_str(out, HIDDEN);
	buf_add(out, word + len - scheme, scheme);
}

static void
show_suffix(const char *word, size_t len, struct buf *out)
{
	size_t n = 0;

	if (len >= 3 && memcmp(word, "/v1", 3) == 0)
		n = 3;
	while (n < len && strchr("/\"';,)]}", word[n]))
		n++;
	buf_add(out, word, n);
	if (n < len)
		buf_str(out, HIDDEN);
}

/* A word from begin on, in which the next places of the record may lie. */
static void
show_word(struct line *line, size_t begin, size_t end, struct buf *out)
{
	struct client_url_edited one;
	const char *next = line->record;
	size_t done = begin;

	while (client_url_edited(&next, &one) && one.at < end) {
		show_prefix(line->text + done, one.at - done, out);
		buf_str(out, line->after ? one.to : one.from);
		done = one.at + strlen(one.from);
		line->record = next;
	}
	show_suffix(line->text + done, end - done, out);
}

static bool
has_place(const struct line *line, size_t end)
{
	struct client_url_edited one;
	const char *next = line->record;

	return client_url_edited(&next, &one) && one.at < end;
}

/* The words of a line; those that say nothing become one HIDDEN. */
static void
show_line(struct line line, struct buf *out)
{
	size_t at = line.begin, n;
	bool hidden = false, first = true;

	buf_char(out, line.after ? '+' : '-');
	for (; at < line.end; at += n) {
		n = strspn(line.text + at, " \t\r");
		n = n < line.end - at ? n : line.end - at;
		if (n > 0)
			continue;
		while (at + n < line.end && !strchr(" \t\r",
		    line.text[at + n]))
			n++;
		if (!has_place(&line, at + n) && (hidden ||
		    !(first && is_plain(line.text + at, n)))) {
			buf_str(out, hidden ? "" : first ? HIDDEN :
			    " " HIDDEN);
			hidden = true;
			first = false;
			continue;
		}
		buf_str(out, first ? "" : " ");
		if (has_place(&line, at + n))
			show_word(&line, at, at + n, out);
		else
			buf_add(out, line.text + at, n);
		hidden = first = false;
	}
	buf_char(out, '\n');
}

static void
skip_line(struct line *line)
{
	struct client_url_edited one;
	const char *next = line->record;

	while (client_url_edited(&next, &one) && one.at < line->end)
		line->record = next;
}

void
client_url_show(const char *path, const char *text, size_t len,
    const char *record, struct buf *out)
{
	struct line line = { .text = text };
	struct client_url_edited one;
	const char *next;
	size_t number;

	/* Past the two sizes. */
	record += strcspn(record, " ");
	record += *record == ' ';
	record += strcspn(record, " ");
	line.record = record + (*record == ' ');
	if (!*line.record)
		return;
	buf_printf(out, "--- %s\n+++ %s\n", path, path);
	for (next = line.record; client_url_edited(&next, &one);
	    next = line.record) {
		number = dotenv_parse_line(text, one.at);
		for (line.begin = one.at; line.begin > 0 &&
		    text[line.begin - 1] != '\n'; line.begin--)
			;
		for (line.end = one.at; line.end < len &&
		    text[line.end] != '\n'; line.end++)
			;
		buf_printf(out, "@@ -%zu +%zu @@\n", number, number);
		line.after = false;
		show_line(line, out);
		line.after = true;
		show_line(line, out);
		skip_line(&line);
	}
}
