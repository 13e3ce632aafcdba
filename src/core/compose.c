#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/compose.h"

#define INTERVAL "      interval: 10s\n" \
	"      timeout: 5s\n"

/* What ends a scalar, or is replaced in one: "$" by compose itself. */
static bool
is_plain(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s >= 0x7f || strchr("\"\\$'`{}", *s))
			return false;
	}
	return true;
}

static int
check_path(const char *path, struct err *err)
{
	if (path[0] == '/' && is_plain(path))
		return 0;
	return err_set(err, ERR_USAGE, "an env file's path must be absolute "
	    "and of plain characters");
}

/* Tags that mean another image tomorrow. */
static bool
is_moving(const char *tag)
{
	static const char *const tags[] = { "latest", "stable", "main",
	    "master", "nightly", "edge", "dev" };

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		if (str_eq(tag, tags[i]))
			return true;
	}
	return false;
}

static int
check_image(const char *image, struct err *err)
{
	const char *slash = strrchr(image, '/');
	const char *tag = strrchr(slash ? slash : image, ':');

	if (!is_plain(image))
		return err_set(err, ERR_USAGE, "the image's name has "
		    "characters that no image has");
	if (strstr(image, "@sha256:"))
		return 0;
	if (!tag || tag[1] == '\0' || is_moving(tag + 1))
		return err_set(err, ERR_USAGE, "image %s is not pinned: give "
		    "a version's tag, or IMAGE@sha256:DIGEST", image);
	return 0;
}

static int
check(const struct compose_spec *spec, struct err *err)
{
	if (check_image(spec->image, err) != 0 ||
	    check_path(spec->env_file, err) != 0)
		return -1;
	if (spec->postgres_image &&
	    (check_image(spec->postgres_image, err) != 0 ||
	    check_path(spec->postgres_env_file, err) != 0))
		return -1;
	return spec->redis_image ? check_image(spec->redis_image, err) : 0;
}

static void
put_letta(const struct compose_spec *spec, struct buf *out)
{
	buf_printf(out, "  letta:\n"
	    "    image: \"%s\"\n"
	    "    restart: unless-stopped\n"
	    "    env_file:\n"
	    "      - \"%s\"\n"
	    "    ports:\n"
	    "      - \"127.0.0.1:%u:%d\"\n"
	    "    volumes:\n"
	    "      - \"letta:/root/.letta\"\n", spec->image, spec->env_file,
	    spec->port, COMPOSE_LETTA_PORT);
	buf_printf(out, "    healthcheck:\n"
	    "      test: [\"CMD\", \"python3\", \"-c\", \"import "
	    "urllib.request as u; u.urlopen('http://127.0.0.1:%d"
	    "/v1/health/', timeout=4)\"]\n"
	    INTERVAL
	    "      retries: 6\n"
	    "      start_period: 120s\n", COMPOSE_LETTA_PORT);
	if (spec->postgres_image || spec->redis_image)
		buf_str(out, "    depends_on:\n");
	if (spec->postgres_image)
		buf_str(out, "      postgres:\n"
		    "        condition: service_healthy\n");
	if (spec->redis_image)
		buf_str(out, "      redis:\n"
		    "        condition: service_healthy\n");
}

static void
put_postgres(const struct compose_spec *spec, struct buf *out)
{
	buf_printf(out, "  postgres:\n"
	    "    image: \"%s\"\n"
	    "    restart: unless-stopped\n"
	    "    env_file:\n"
	    "      - \"%s\"\n"
	    "    volumes:\n"
	    "      - \"postgres:/var/lib/postgresql/data\"\n"
	    "    healthcheck:\n"
	    "      test: [\"CMD\", \"pg_isready\", \"-U\", \"letta\", \"-d\", "
	    "\"letta\"]\n"
	    INTERVAL
	    "      retries: 12\n", spec->postgres_image,
	    spec->postgres_env_file);
}

static void
put_redis(const struct compose_spec *spec, struct buf *out)
{
	buf_printf(out, "  redis:\n"
	    "    image: \"%s\"\n"
	    "    restart: unless-stopped\n"
	    "    volumes:\n"
	    "      - \"redis:/data\"\n"
	    "    healthcheck:\n"
	    "      test: [\"CMD\", \"redis-cli\", \"ping\"]\n"
	    INTERVAL
	    "      retries: 12\n", spec->redis_image);
}

int
compose_render(const struct compose_spec *spec, struct buf *out,
    struct err *err)
{
	if (check(spec, err) != 0)
		return -1;
	buf_str(out, "# Rendered by sanctumctl.  Do not edit: change the job, "
	    "and apply it again.\n"
	    "# Only Letta's port leaves its network, to the loopback.\n"
	    "name: " COMPOSE_PROJECT "\n"
	    "services:\n");
	put_letta(spec, out);
	if (spec->postgres_image)
		put_postgres(spec, out);
	if (spec->redis_image)
		put_redis(spec, out);
	buf_str(out, "volumes:\n"
	    "  letta: {}\n");
	if (spec->postgres_image)
		buf_str(out, "  postgres: {}\n");
	if (spec->redis_image)
		buf_str(out, "  redis: {}\n");
	return buf_check(out, "compose file", err);
}
