#include "base/base.h"

#include <yaml.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/compose_edit.h"

#define NAMES_MAX 512
#define DEPTH_MAX 200

/* One file, read. */
struct reading {
	const char *where;
	const char *text;
	size_t len;
	yaml_document_t doc;
};

/* A key of a mapping and what it has; NULL: there is no such key. */
struct member {
	const yaml_node_t *key, *value;
	int id;			/* of value */
};

/* libyaml counts characters, a byte order mark among them. */
static size_t
offset_of(const struct reading *r, const yaml_mark_t *mark)
{
	size_t at = 0;

	for (size_t i = 0; i < mark->index && at < r->len; i++) {
		do
			at++;
		while (at < r->len && ((unsigned char)r->text[at] & 0xc0) ==
		    0x80);
	}
	return at;
}

static size_t
line_of(const struct reading *r, const yaml_node_t *node)
{
	size_t end = offset_of(r, &node->start_mark), line = 1;

	for (size_t i = 0; i < end; i++)
		line += r->text[i] == '\n';
	return line;
}

static int
refuse(const struct reading *r, const yaml_node_t *node, struct err *err,
    const char *why)
{
	return err_set(err, ERR_DATA, "%s:%zu: %s; nothing was changed",
	    r->where, line_of(r, node), why);
}

static int
not_yaml(const struct reading *r, const yaml_parser_t *parser,
    struct err *err)
{
	return err_set(err, ERR_DATA, "%s:%zu: not YAML: %s%s%s; nothing was "
	    "changed", r->where, parser->problem_mark.line + 1,
	    parser->context ? parser->context : "", parser->context ? ", " :
	    "", parser->problem ? parser->problem : "out of memory");
}

/* The caller deletes it on success. */
static int
parser_open(const struct reading *r, yaml_parser_t *parser, struct err *err)
{
	if (!yaml_parser_initialize(parser))
		return err_set(err, ERR_FAILED, "%s: out of memory",
		    r->where);
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)r->text,
	    r->len);
	return 0;
}

/* libyaml's loader calls itself, a level of the file a time. */
static int
check_depth(const struct reading *r, struct err *err)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool ended = false;
	int depth = 0;

	if (parser_open(r, &parser, err) != 0)
		return -1;
	/* What is no YAML is told by the loader. */
	while (!ended && depth <= DEPTH_MAX &&
	    yaml_parser_parse(&parser, &event)) {
		depth += event.type == YAML_SEQUENCE_START_EVENT ||
		    event.type == YAML_MAPPING_START_EVENT;
		depth -= event.type == YAML_SEQUENCE_END_EVENT ||
		    event.type == YAML_MAPPING_END_EVENT;
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth <= DEPTH_MAX ? 0 : err_set(err, ERR_DATA, "%s: is more "
	    "than %d levels deep; nothing was changed", r->where, DEPTH_MAX);
}

/* There must be one document.  doc is the caller's to delete on success. */
static int
load(struct reading *r, struct err *err)
{
	yaml_parser_t parser;
	yaml_document_t next;
	int rc = -1;

	if (r->len > COMPOSE_EDIT_MAX)
		return err_set(err, ERR_DATA, "%s: is larger than %d bytes",
		    r->where, COMPOSE_EDIT_MAX);
	if (check_depth(r, err) != 0 || parser_open(r, &parser, err) != 0)
		return -1;
	if (!yaml_parser_load(&parser, &r->doc)) {
		(void)not_yaml(r, &parser, err);
	} else if (!yaml_parser_load(&parser, &next)) {
		(void)not_yaml(r, &parser, err);
		yaml_document_delete(&r->doc);
	} else {
		rc = 0;
		if (yaml_document_get_root_node(&next)) {
			rc = refuse(r, yaml_document_get_root_node(&next),
			    err, "a second document begins here: which one "
			    "counts is not ours to say");
			yaml_document_delete(&r->doc);
		}
		yaml_document_delete(&next);
	}
	yaml_parser_delete(&parser);
	return rc;
}

static bool
is_text(const yaml_node_t *node, const char *text)
{
	return node && node->type == YAML_SCALAR_NODE &&
	    node->data.scalar.length == strlen(text) &&
	    memcmp(node->data.scalar.value, text, strlen(text)) == 0;
}

/* In the mapping node; a key that is there twice is refused. */
static int
member(struct reading *r, const yaml_node_t *node, const char *key,
    struct member *out, struct err *err)
{
	const yaml_node_pair_t *pair;
	const yaml_node_t *here;

	*out = (struct member){ 0 };
	if (!node || node->type != YAML_MAPPING_NODE)
		return 0;
	for (pair = node->data.mapping.pairs.start;
	    pair < node->data.mapping.pairs.top; pair++) {
		here = yaml_document_get_node(&r->doc, pair->key);
		if (!is_text(here, key))
			continue;
		if (out->key)
			return refuse(r, here, err, "the same key again: "
			    "which one counts is not ours to say");
		*out = (struct member){ .key = here, .id = pair->value,
		    .value = yaml_document_get_node(&r->doc, pair->value) };
	}
	return 0;
}

/* How often a node is some other's: more than once by an alias alone. */
static size_t
uses_of(const struct reading *r, int id)
{
	const yaml_node_t *node;
	size_t n = 0;

	for (node = r->doc.nodes.start; node < r->doc.nodes.top; node++) {
		if (node->type == YAML_SEQUENCE_NODE) {
			for (const int *i = node->data.sequence.items.start;
			    i < node->data.sequence.items.top; i++)
				n += *i == id;
		} else if (node->type == YAML_MAPPING_NODE) {
			for (const yaml_node_pair_t *p =
			    node->data.mapping.pairs.start;
			    p < node->data.mapping.pairs.top; p++)
				n += p->value == id;
		}
	}
	return n;
}

/* The names of a mapping's keys, for an error. */
static void
list_keys(struct reading *r, const yaml_node_t *node, struct buf *out)
{
	const yaml_node_t *key;

	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	    p < node->data.mapping.pairs.top; p++) {
		key = yaml_document_get_node(&r->doc, p->key);
		if (key->type != YAML_SCALAR_NODE)
			continue;
		buf_str(out, out->len > 0 ? ", " : "");
		str_printable(out, (const char *)key->data.scalar.value,
		    key->data.scalar.length);
	}
}

static int
find_service(struct reading *r, const char *name, struct member *services,
    struct member *service, struct err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);
	struct buf names = BUF_INIT(NAMES_MAX);
	struct member include;

	if (member(r, root, "services", services, err) != 0 ||
	    member(r, root, "include", &include, err) != 0 ||
	    member(r, services->value, name, service, err) != 0)
		return -1;
	if (!services->value || services->value->type != YAML_MAPPING_NODE)
		return err_set(err, ERR_DATA, "%s: has no `services' with "
		    "names below it; nothing was changed.  Give the file that "
		    "has them as `compose'", r->where);
	if (service->value)
		return 0;
	list_keys(r, services->value, &names);
	(void)err_set(err, ERR_MISSING, "%s: has no service %s of its own%s; "
	    "it has %s; nothing was changed", r->where, name, include.key ?
	    " (others are in the files that it includes)" : "",
	    names.len > 0 ? buf_cstr(&names) : "none");
	buf_clear(&names);
	return -1;
}

/* Another service that is made of this one would get the image, too. */
static int
check_extended(struct reading *r, const struct member *services,
    const char *name, struct err *err)
{
	const yaml_node_t *one;
	struct member extends, of;

	for (const yaml_node_pair_t *p =
	    services->value->data.mapping.pairs.start;
	    p < services->value->data.mapping.pairs.top; p++) {
		one = yaml_document_get_node(&r->doc, p->value);
		if (member(r, one, "extends", &extends, err) != 0 ||
		    member(r, extends.value, "service", &of, err) != 0)
			return -1;
		if (is_text(extends.value, name) || is_text(of.value, name))
			return refuse(r, extends.key, err, "this service "
			    "extends the one whose image is to change, and "
			    "would change with it: write what both need "
			    "into each");
	}
	return 0;
}

static int
check_shared(struct reading *r, const struct member *services,
    const struct member *service, const struct member *image,
    struct err *err)
{
	if (uses_of(r, services->id) != 1 || uses_of(r, service->id) != 1)
		return refuse(r, service->key, err, "this service is shared "
		    "with another place by an alias (`*name'), which would "
		    "change with it: write it out");
	if (uses_of(r, image->id) != 1)
		return refuse(r, image->key, err, "this image is shared with "
		    "another place by an alias (`*name'), which would change "
		    "with it: write it out");
	return 0;
}

/* Why a service has no image that can be replaced, where that is so. */
static int
check_image(struct reading *r, const struct member *service,
    struct member *image, struct err *err)
{
	struct member build, extends, merge;

	if (service->value->type != YAML_MAPPING_NODE)
		return refuse(r, service->key, err, "this service is no "
		    "mapping");
	if (member(r, service->value, "image", image, err) != 0 ||
	    member(r, service->value, "build", &build, err) != 0 ||
	    member(r, service->value, "extends", &extends, err) != 0 ||
	    member(r, service->value, "<<", &merge, err) != 0)
		return -1;
	if (build.key)
		return refuse(r, build.key, err, "the image is built here, "
		    "so no tag chooses its version: upgrade what it is built "
		    "from");
	if (image->key)
		return 0;
	if (extends.key)
		return refuse(r, extends.key, err, "the image comes from what "
		    "this extends: write `image:' into the service itself");
	if (merge.key)
		return refuse(r, merge.key, err, "the image comes from what "
		    "is merged here: write `image:' into the service itself");
	return refuse(r, service->key, err, "this service has no `image:'");
}

/* The bytes of the value, if they are what libyaml has read. */
static int
locate(struct reading *r, const struct member *image,
    struct compose_edit *at, struct err *err)
{
	const yaml_node_t *node = image->value;
	const char *value;
	size_t len;

	if (node->type != YAML_SCALAR_NODE)
		return refuse(r, image->key, err, "this image is no text");
	value = (const char *)node->data.scalar.value;
	at->from = offset_of(r, &node->start_mark);
	at->end = offset_of(r, &node->end_mark);
	at->line = line_of(r, node);
	len = at->end - at->from;
	if (len == 0 || memchr(r->text + at->from, '\n', len) ||
	    strlen(value) != node->data.scalar.length)
		return refuse(r, image->key, err, "this image is empty or in "
		    "more than one line");
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return refuse(r, image->key, err, "this image has "
			    "control characters");
	}
	if (node->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE)
		at->quote = '\'';
	else if (node->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		at->quote = '"';
	if (at->quote ? r->text[at->from] != at->quote :
	    len != strlen(value) || memcmp(r->text + at->from, value, len)
	    != 0)
		return refuse(r, image->key, err, "this image has an anchor, "
		    "a tag or a notation of its own: write it as plain text");
	at->raw = mem_strndup(r->text + at->from, len);
	at->image = mem_strdup(value);
	return 0;
}

/* Whether its line begins with blanks and its key. */
static bool
is_alone(const struct reading *r, const struct member *image, size_t from)
{
	size_t key = offset_of(r, &image->key->start_mark), at = key;

	while (at > 0 && r->text[at - 1] == ' ')
		at--;
	return (at == 0 || r->text[at - 1] == '\n') &&
	    !memchr(r->text + key, '\n', from - key);
}

int
compose_edit_find(const char *where, const char *text, size_t len,
    const char *service, struct compose_edit *at, struct err *err)
{
	struct reading r = { .where = where, .text = text, .len = len };
	struct member services, one, image;
	int rc;

	*at = (struct compose_edit){ 0 };
	if (load(&r, err) != 0)
		return -1;
	rc = find_service(&r, service, &services, &one, err);
	if (rc == 0)
		rc = check_image(&r, &one, &image, err);
	if (rc == 0)
		rc = check_shared(&r, &services, &one, &image, err);
	if (rc == 0)
		rc = check_extended(&r, &services, service, err);
	if (rc == 0)
		rc = locate(&r, &image, at, err);
	if (rc == 0)
		at->alone = is_alone(&r, &image, at->from);
	yaml_document_delete(&r.doc);
	return rc;
}

void
compose_edit_clear(struct compose_edit *at)
{
	free(at->raw);
	free(at->image);
	*at = (struct compose_edit){ 0 };
}

char *
compose_edit_raw(const struct compose_edit *at, const char *image)
{
	const char quote[] = { at->quote, '\0' };

	return mem_printf("%s%s%s", quote, image, quote);
}

int
compose_edit_replace(const char *where, const char *text, size_t len,
    const char *service, const char *raw, struct buf *out, struct err *err)
{
	struct compose_edit at, after = { 0 };
	size_t begin = out->len;
	int rc;

	rc = compose_edit_find(where, text, len, service, &at, err);
	if (rc == 0) {
		buf_add(out, text, at.from);
		buf_str(out, raw);
		buf_add(out, text + at.end, len - at.end);
		rc = buf_check(out, where, err);
	}
	if (rc == 0)
		rc = compose_edit_find(where, buf_cstr(out) + begin,
		    out->len - begin, service, &after, err);
	if (rc == 0 && !str_eq(after.raw, raw))
		rc = err_set(err, ERR_DATA, "%s:%zu: `%s' cannot stand "
		    "there as the value of image; nothing was changed",
		    where, at.line, raw);
	compose_edit_clear(&after);
	compose_edit_clear(&at);
	return rc;
}

char *
compose_edit_tagged(const char *image, const char *tag)
{
	const char *slash = strrchr(image, '/');
	size_t len = strcspn(image, "@"), path;

	path = slash && slash < image + len ? (size_t)(slash - image) : 0;
	for (size_t i = path; i < len; i++) {
		if (image[i] == ':')
			len = i;
	}
	return mem_printf("%.*s:%s", (int)len, image, tag);
}
