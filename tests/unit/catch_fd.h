#ifndef TESTS_CATCH_FD_H
#define TESTS_CATCH_FD_H

/*
 * What a function writes to stdout or stderr, as a string.
 *
 *     struct catch_fd c;
 *
 *     catch_fd_begin(&c, stderr);
 *     log_warn("x");
 *     text = catch_fd_end(&c);         (the caller frees it)
 *
 * Nothing is asserted in between: cmocka's own words would be caught, too.
 */
#include <stdio.h>

struct catch_fd {
	FILE *stream;
	int saved;
	int memory;
};

void catch_fd_begin(struct catch_fd *, FILE *stream);
char *catch_fd_end(struct catch_fd *);

#endif /* !TESTS_CATCH_FD_H */
