/*
 * A main for a fuzz target that is built without libFuzzer: every file named
 * on the command line is given to it once.  A target that does not like what
 * it meets aborts.
 */
#include "base/base.h"

#include "base/buf.h"

#define INPUT_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	struct buf input = BUF_INIT(INPUT_MAX);
	char piece[65536];
	size_t n;
	FILE *in;

	in = fopen(path, "rbe");
	if (!in) {
		perror(path);
		return 1;
	}
	do {
		n = fread(piece, 1, sizeof(piece), in);
		buf_add(&input, piece, n);
	} while (n > 0);
	(void)fclose(in);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)buf_cstr(&input),
	    input.len);
	buf_clear(&input);
	return 0;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed;
}
