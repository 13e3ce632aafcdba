#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

/*
 * How far a long piece of work has come, on stderr.  On a terminal one line
 * is drawn over and over; elsewhere a line is written every ten seconds, so
 * a log stays readable.  Silent under -q.
 *
 *     progress_begin("page messages of sage", "messages", 0);
 *     progress_at(200);                     (as often as one likes)
 *     progress_end();
 *
 * total is 0 when it is not known.  There is one line at a time: a second
 * begin ends the first.
 */
void progress_begin(const char *what, const char *unit, uint64_t total);
void progress_at(uint64_t done);
void progress_end(void);

/*
 * A second thing that is counted beside it, "4100/5000 entries"; after
 * begin.  items is shown with the next progress_at.
 */
void progress_count(const char *unit, uint64_t total);
void progress_items(uint64_t done);

/* Clear the drawn line because something else is about to be printed. */
void progress_pause(void);

#endif /* !BASE_PROGRESS_H */
