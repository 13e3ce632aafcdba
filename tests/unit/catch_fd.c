#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/mem.h"
#include "catch_fd.h"

void
catch_fd_begin(struct catch_fd *c, FILE *stream)
{
	c->stream = stream;
	assert_int_equal(fflush(stream), 0);
	c->memory = memfd_create("caught", MFD_CLOEXEC);
	assert_true(c->memory >= 0);
	c->saved = fcntl(fileno(stream), F_DUPFD_CLOEXEC, 3);
	assert_true(c->saved >= 0);
	assert_true(dup2(c->memory, fileno(stream)) >= 0);
}

char *
catch_fd_end(struct catch_fd *c)
{
	off_t len;
	char *text;

	(void)fflush(c->stream);
	assert_true(dup2(c->saved, fileno(c->stream)) >= 0);
	(void)close(c->saved);
	len = lseek(c->memory, 0, SEEK_END);
	assert_true(len >= 0);
	text = mem_zero((size_t)len + 1, 1);
	assert_int_equal(pread(c->memory, text, (size_t)len, 0), len);
	(void)close(c->memory);
	return text;
}
