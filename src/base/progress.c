#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/str.h"

#define REDRAW_MS 100
#define LINE_MS 10000
#define WHAT_MAX 128	/* bytes, before it is made printable */

static struct {
	char what[4 * WHAT_MAX];	/* printable */
	char unit[32];
	uint64_t total;
	char items_unit[32];	/* "" when none are counted */
	uint64_t items, items_total;
	uint64_t begun_ms;
	uint64_t shown_ms;
	bool active;
	bool drawn;	/* the terminal's last line is ours */
} line;

void
progress_begin(const char *what, const char *unit, uint64_t total)
{
	struct buf shown = BUF_INIT(sizeof(line.what));
	size_t len = strlen(what);

	progress_end();
	/* Names in it come from outside. */
	str_printable(&shown, what, len < WHAT_MAX ? len : WHAT_MAX - 1);
	(void)snprintf(line.what, sizeof(line.what), "%s", buf_cstr(&shown));
	buf_clear(&shown);
	(void)snprintf(line.unit, sizeof(line.unit), "%s", unit);
	line.total = total;
	line.items_unit[0] = '\0';
	line.begun_ms = line.shown_ms = clock_ms();
	line.active = true;
}

static void
show(uint64_t done, uint64_t now_ms, bool terminal)
{
	double seconds = (double)(now_ms - line.begun_ms) / 1000;
	double rate = seconds > 0 ? (double)done / seconds : 0;

	(void)fprintf(stderr, "%s%s: %" PRIu64, terminal ? "\r\033[K" : "",
	    line.what, done);
	if (line.total)
		(void)fprintf(stderr, "/%" PRIu64, line.total);
	(void)fprintf(stderr, " %s, ", line.unit);
	if (line.items_unit[0] != '\0')
		(void)fprintf(stderr, "%" PRIu64 "/%" PRIu64 " %s, ",
		    line.items, line.items_total, line.items_unit);
	(void)fprintf(stderr, "%.0f/s", rate);
	if (line.total > done && rate > 0)
		(void)fprintf(stderr, ", %.0f s left",
		    (double)(line.total - done) / rate);
	if (!terminal)
		(void)fputc('\n', stderr);
	(void)fflush(stderr);
	line.drawn = terminal;
	line.shown_ms = now_ms;
}

void
progress_count(const char *unit, uint64_t total)
{
	(void)snprintf(line.items_unit, sizeof(line.items_unit), "%s", unit);
	line.items = 0;
	line.items_total = total;
}

void
progress_items(uint64_t done)
{
	line.items = done;
}

void
progress_at(uint64_t done)
{
	bool terminal = isatty(STDERR_FILENO) != 0;
	uint64_t now_ms = clock_ms();

	if (!line.active || log_get_level() < LOG_LEVEL_INFO)
		return;
	if (now_ms - line.shown_ms >= (terminal ? REDRAW_MS : LINE_MS))
		show(done, now_ms, terminal);
}

void
progress_pause(void)
{
	if (line.drawn)
		(void)fputs("\r\033[K", stderr);
	line.drawn = false;
}

void
progress_end(void)
{
	progress_pause();
	line.active = false;
}
