#include "base/base.h"

#include <locale.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "base/stop.h"
#include "cli/cmd.h"

int
main(int argc, char **argv)
{
	/* Characters are the user's; numbers stay C's for JSON and SQL. */
	(void)setlocale(LC_CTYPE, "");
	(void)umask(077);
	secret_guard_process();
	stop_catch();
	return cmd_main(argc, argv);
}
