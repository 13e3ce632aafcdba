#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_key.h"
#include "io/known_hosts.h"
#include "io/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char blob[] = "\0\0\0\13ssh-ed25519\0\0\0\1x";
	struct known_hosts_answer a;
	struct buf list = BUF_INIT(256);
	struct known_hosts kh;
	struct ssh_key key;
	struct err err = ERR_INIT;
	char *text;

	/* Memory of its own: a read past its end is seen. */
	text = mem_alloc(size ? size : 1);
	if (size > 0)
		memcpy(text, data, size);
	known_hosts_init(&kh, "db.example.org", 2222);
	known_hosts_add(&kh, "kh", text, size);
	known_hosts_check(&kh, blob, sizeof(blob) - 1, &a);
	if (a.verdict == KNOWN_HOSTS_MATCH && kh.n_lines == 0)
		abort();
	(void)host_key_types(&kh, &list);
	known_hosts_clear(&kh);
	if (ssh_key_look(text, size, &key, &err) != 0 &&
	    err.kind != ERR_DATA)
		abort();
	buf_clear(&key.blob);
	buf_clear(&list);
	free(text);
	return 0;
}
