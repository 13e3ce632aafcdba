#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/agent.h"
#include "flow/restore_ids.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/journal.h"

#define NAME "ids.tsv"
#define TEXT_MAX (16 * 1024 * 1024)

char *
restore_ids_path(const char *beside)
{
	return mem_printf("%.*s/" NAME,
	    (int)(strrchr(beside, '/') - beside), beside);
}

static int
put_all(struct run *run, struct buf *out, struct err *err)
{
	const struct conf_agent *agent;
	bool given;
	char *id;

	for (size_t i = 0; i < run->conf->n_agents; i++) {
		agent = &run->conf->agents[i];
		if (agent_is_given(run, agent, &given, err) != 0 ||
		    agent_target_id(run, agent, &id, err) != 0)
			return -1;
		if (given && id)
			buf_printf(out, "%s\t%s\t%s\n",
			    str_base(agent->bundle), id, agent->name);
		free(id);
	}
	return 0;
}

int
restore_ids_write(struct run *run, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *path = restore_ids_path(journal_path(run->journal));
	struct buf text = BUF_INIT(TEXT_MAX);
	int rc;

	rc = put_all(run, &text, err);
	if (rc == 0)
		rc = buf_check(&text, path, err);
	if (rc == 0)
		rc = fs_replace(path, buf_cstr(&text), text.len, &meta, err);
	buf_clear(&text);
	free(path);
	return rc;
}

int
restore_ids_read(const char *path,
    void (*each)(void *ctx, const char *from, const char *to,
    const char *section), void *ctx, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *rest, *line, *from, *to;

	if (fs_read_if(path, &text, err) != 0) {
		buf_clear(&text);
		return -1;
	}
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n")) != NULL) {
		from = strsep(&line, "\t");
		to = strsep(&line, "\t");
		if (to && line)
			each(ctx, from, to, line);
	}
	buf_clear(&text);
	return 0;
}
