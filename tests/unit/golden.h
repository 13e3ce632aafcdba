#ifndef GOLDEN_H
#define GOLDEN_H

struct buf;

/* Append a file below tests/golden ("af/ok-combined.af"), or fail the test. */
void golden_load(const char *name, struct buf *out);

#endif /* !GOLDEN_H */
