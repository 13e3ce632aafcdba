#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations only. */
uint64_t clock_ms(void);

/* Milliseconds from now to deadline_ms; 0 once it has passed. */
int clock_left_ms(uint64_t deadline_ms);

/* Wait, for the pause between two tries; a signal may cut it short. */
void clock_sleep_ms(uint64_t ms);

/*
 * Milliseconds since 1970: for what outlives this process, such as when a
 * worker was stopped.  It may jump.
 */
int64_t clock_epoch_ms(void);

/* The time of day as "2026-01-02T03:04:05Z", for records that people read. */
#define CLOCK_TEXT_SIZE 32
void clock_utc(char text[static CLOCK_TEXT_SIZE]);

#endif /* !BASE_CLOCK_H */
