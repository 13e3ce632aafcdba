/*
 * Makes the requests of a script over libcurl and does nothing else with the
 * answers but find the ids that later requests name: the floor under any
 * client that makes the same requests one after another.
 *
 * usage: loop SCRIPT, with SOURCE_TOKEN and TARGET_TOKEN in the environment
 *
 * The script has a line a word (bench/record.py writes it), fields between
 * tabs:
 *
 *   url SIDE URL                 SIDE is 0 (source) or 1 (target)
 *   call SIDE METHOD PATH TYPE FILE
 *                                body of Content-Type TYPE from FILE; - none
 *   take N PREFIX K              id N: of the ids in the last answer that
 *                                begin with PREFIX, the K-th from its end
 *   phase NAME                   print where time, CPU and memory stand
 *
 * \1N\1 in a path or body stands for id N.  Bodies of type application/json
 * are read whole, others are streamed as they are.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <curl/curl.h>

#define IDS_MAX 65536
#define ID_SIZE 80
#define UUID_LEN 36
#define FIELDS_MAX 6

struct text {
	char *data;
	size_t len, cap;
};

struct loop {
	CURL *curl[2];
	char url[2][256];
	char token[2][512];	/* "Authorization: Bearer ...", or "" */
	struct text answer, path, body;
	char (*ids)[ID_SIZE];
	struct timespec begun;
};

static void
die(const char *what, const char *which)
{
	(void)fprintf(stderr, "loop: %s: %s\n", what, which);
	exit(1);
}

static void
add(struct text *t, const char *data, size_t len)
{
	if (t->len + len + 1 > t->cap) {
		t->cap = (t->len + len + 1) * 2;
		t->data = realloc(t->data, t->cap);
		if (!t->data)
			die("memory", "none");
	}
	memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
}

static size_t
on_answer(char *data, size_t one, size_t len, void *ctx)
{
	add(ctx, data, one * len);
	return one * len;
}

static size_t
on_file(char *data, size_t one, size_t count, void *ctx)
{
	return fread(data, one, count, ctx);
}

/* Append text to out, with the ids that it stands for. */
static void
fill(const struct loop *l, const char *text, size_t len, struct text *out)
{
	const char *mark, *end = text + len;

	for (;;) {
		mark = memchr(text, '\1', (size_t)(end - text));
		if (!mark)
			break;
		add(out, text, (size_t)(mark - text));
		text = l->ids[strtoul(mark + 1, NULL, 10) % IDS_MAX];
		add(out, text, strlen(text));
		text = (const char *)memchr(mark + 1, '\1',
		    (size_t)(end - mark - 1)) + 1;
	}
	add(out, text, (size_t)(end - text));
}

static void
read_body(struct loop *l, const char *path)
{
	char part[65536];
	struct text raw = { 0 };
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		die("body", path);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		add(&raw, part, n);
	(void)fclose(f);
	l->body.len = 0;
	fill(l, raw.len ? raw.data : "", raw.len, &l->body);
	free(raw.data);
}

/* side method path type file */
static void
call(struct loop *l, char **field)
{
	int side = field[0][0] - '0';
	CURL *curl = l->curl[side];
	struct curl_slist *headers = NULL;
	char type[256];
	FILE *file = NULL;
	long status = 0;

	l->path.len = l->answer.len = 0;
	add(&l->path, l->url[side], strlen(l->url[side]));
	fill(l, field[2], strlen(field[2]), &l->path);
	curl_easy_reset(curl);
	headers = curl_slist_append(headers, "Accept: application/json");
	if (*l->token[side])
		headers = curl_slist_append(headers, l->token[side]);
	if (strcmp(field[4], "-") != 0) {
		(void)snprintf(type, sizeof(type), "Content-Type: %s",
		    field[3]);
		headers = curl_slist_append(headers, type);
	}
	if (strcmp(field[4], "-") != 0 && strstr(field[3], "json")) {
		read_body(l, field[4]);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)l->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, l->body.data);
	} else if (strcmp(field[4], "-") != 0) {
		file = fopen(field[4], "re");
		if (!file)
			die("body", field[4]);
		headers = curl_slist_append(headers,
		    "Transfer-Encoding: chunked");
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_file);
		curl_easy_setopt(curl, CURLOPT_READDATA, file);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, field[1]);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_URL, l->path.data);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &l->answer);
	if (curl_easy_perform(curl) != CURLE_OK)
		die("no answer", l->path.data);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2 && status != 404)
		die(l->path.data, l->answer.len ? l->answer.data : "?");
	curl_slist_free_all(headers);
	if (file)
		(void)fclose(file);
}

/* n prefix k */
static void
take(struct loop *l, char **field)
{
	char *id = l->ids[strtoul(field[0], NULL, 10) % IDS_MAX];
	size_t prefix = strlen(field[1]), left = strtoul(field[2], NULL, 10);
	const char *data = l->answer.data;

	for (size_t at = l->answer.len; at-- > 1;) {
		if (data[at] != field[1][0] || data[at - 1] != '"' ||
		    l->answer.len - at <= prefix + UUID_LEN ||
		    memcmp(data + at, field[1], prefix) != 0 ||
		    data[at + prefix + UUID_LEN] != '"' || --left > 0)
			continue;
		(void)snprintf(id, ID_SIZE, "%.*s",
		    (int)(prefix + UUID_LEN), data + at);
		return;
	}
	die("no such id in the answer", field[1]);
}

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void
phase(const struct loop *l, const char *name)
{
	struct timespec now;
	struct rusage use;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)getrusage(RUSAGE_SELF, &use);
	(void)printf("{\"phase\": \"%s\", \"wall_s\": %.3f, \"cpu_s\": %.3f, "
	    "\"peak_kib\": %ld", name,
	    (double)(now.tv_sec - l->begun.tv_sec) +
	    (double)(now.tv_nsec - l->begun.tv_nsec) / 1e9,
	    seconds(&use.ru_utime) + seconds(&use.ru_stime), use.ru_maxrss);
	/* Of the answer to an import, which is the last one then. */
	if (strcmp(name, "import") == 0 && l->answer.len > 0)
		(void)printf(", \"answer\": %s", l->answer.data);
	(void)printf("}\n");
	(void)fflush(stdout);
}

static void
one_line(struct loop *l, char *line)
{
	char *field[FIELDS_MAX] = { NULL };
	int n = 0;

	for (char *at = line; at && n < FIELDS_MAX;)
		field[n++] = strsep(&at, "\t");
	if (n == 3 && strcmp(field[0], "url") == 0)
		(void)snprintf(l->url[field[1][0] - '0'], sizeof(l->url[0]),
		    "%s", field[2]);
	else if (n == 6 && strcmp(field[0], "call") == 0)
		call(l, field + 1);
	else if (n == 4 && strcmp(field[0], "take") == 0)
		take(l, field + 1);
	else if (n == 2 && strcmp(field[0], "phase") == 0)
		phase(l, field[1]);
	else
		die("not a line of a script", line);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = { "SOURCE_TOKEN", "TARGET_TOKEN" };
	struct loop l = { .ids = calloc(IDS_MAX, sizeof(*l.ids)) };
	const char *token;
	char *line = NULL;
	size_t cap = 0;
	FILE *script;

	if (argc != 2 || !l.ids)
		die("usage", "loop SCRIPT");
	script = fopen(argv[1], "re");
	if (!script)
		die("script", argv[1]);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	(void)clock_gettime(CLOCK_MONOTONIC, &l.begun);
	for (int i = 0; i < 2; i++) {
		l.curl[i] = curl_easy_init();
		token = getenv(names[i]);
		if (token && *token)
			(void)snprintf(l.token[i], sizeof(l.token[i]),
			    "Authorization: Bearer %s", token);
	}
	while (getline(&line, &cap, script) > 0) {
		line[strcspn(line, "\n")] = '\0';
		one_line(&l, line);
	}
	return 0;
}
