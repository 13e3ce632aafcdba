#ifndef CORE_AF_READER_H
#define CORE_AF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/*
 * An agent file (.af) of any size, cut into parts of bounded size.
 *
 * The caller pushes bytes as they come, in pieces of any length; the reader
 * calls back once for each value at a cut point and holds nothing but the
 * value at hand.  So a history of any length costs the memory of its longest
 * row, and a file, an upload or an export's answer are read the same way.
 *
 *     struct af_reader *r = af_reader_new(&(struct af_reader_each){
 *         .part = my_part, .ctx = me });
 *
 *     while ((n = read(fd, data, sizeof(data))) > 0)
 *             if (af_reader_feed(r, data, (size_t)n, err) != 0) ...
 *     if (af_reader_end(r, err) != 0) ...
 *     af_reader_free(r);
 *
 * Where a file is cut, whatever the order of its members:
 *
 *     part                       place              key, agent, item
 *     /created_at                AF_PLACE_TOP       "created_at"
 *     /tools/3                   AF_PLACE_ITEM      "tools", item 3
 *     /agents/0/name             AF_PLACE_AGENT     "name", agent 0
 *     /agents/0/messages/17      AF_PLACE_ROW       agent 0, item 17
 *
 * AF_PLACE_ITEM: blocks, tools, sources, files, groups, mcp_servers, skills,
 * and the messages of a legacy file.  A list that is cut, and each agent, is
 * told of by AF_PART_BEGIN before its first part and AF_PART_END behind its
 * last, with the place of the whole, so that an empty list differs from a
 * missing one:
 *
 *     /agents      AF_PLACE_TOP, "agents"   BEGIN
 *     /agents/0    AF_PLACE_ITEM, "agents"  BEGIN
 *     /agents/0/messages   AF_PLACE_AGENT, "messages"   BEGIN, ..., END
 *
 * What has another type than expected (messages: null, agents: {}) is one
 * AF_PART_VALUE as it stands.
 *
 * A part's text is that of the file, byte for byte, without blanks around
 * it.  The reader finds where it ends and that it is UTF-8, no more: whether
 * it is JSON, how deep it is nested, and whether it has a key twice, says
 * core/jdoc.h, through which each part has to go (af_part_parse).  Escaped
 * surrogates without a pair and U+0000 can only be seen in the text: json-c
 * replaces the former.
 *
 * Seen (Letta 0.16.2 and 0.16.8): a byte order mark is skipped, and so it is
 * here.  A file that is one JSON string which holds the file (encoded twice)
 * is taken there and refused here, with what to do; so is the legacy file of
 * version 1 (Letta up to 0.11), unless the caller asks for it.
 */

/* The longest value that is held. */
#define AF_PART_MAX (64 * 1024 * 1024)
/* The longest key of the file or an agent, and how many each may have. */
#define AF_KEY_MAX 256
#define AF_MEMBERS_MAX 256
/* Large enough for every pointer of this module, printable. */
#define AF_POINTER_MAX (8 * AF_KEY_MAX + 128)

enum af_part_event {
	AF_PART_VALUE,		/* text and len are set */
	AF_PART_BEGIN,		/* a list or agent: its parts follow */
	AF_PART_END
};

enum af_place {
	AF_PLACE_TOP,
	AF_PLACE_ITEM,
	AF_PLACE_AGENT,
	AF_PLACE_ROW
};

/* Lives, with all it points to, until the callback returns. */
struct af_part {
	enum af_part_event event;
	enum af_place place;
	const char *at;		/* JSON pointer (RFC 6901), printable */
	const char *key;	/* as in the table above; a row: "messages" */
	uint64_t agent;		/* AGENT, ROW: the number of the agent */
	uint64_t item;		/* ITEM, ROW: the place in its list */
	const char *text;	/* len bytes and a NUL */
	size_t len;
	uint64_t offset;	/* of text, from the start of the file */
};

struct af_reader_each {
	/* Anything but 0 ends the reading: -1 with err filled. */
	int (*part)(void *ctx, const struct af_part *, struct err *);
	void *ctx;
	bool legacy;		/* read a legacy file too: af_reader_form */
};

/* What kind of file it is, as far as it has been read. */
enum af_form {
	AF_FORM_UNKNOWN,	/* nothing yet that would tell */
	AF_FORM_AGENTS,		/* has `agents`: version 2 */
	AF_FORM_LEGACY,		/* version 1: core_memory or
				 * in_context_message_indices, no `agents` */
	AF_FORM_ENCODED		/* a JSON string: encoded twice */
};

struct af_reader;

/* each is copied. */
struct af_reader *af_reader_new(const struct af_reader_each *) MUST_CHECK;
void af_reader_free(struct af_reader *);

/*
 * The next bytes.  Fails with ERR_DATA, the pointer and the byte offset: no
 * object at the top, text that is not UTF-8 (UTF-16 is named), a value
 * longer than AF_PART_MAX (as soon as that much was read), a key of the file
 * or an agent given twice (servers take the last) or too long, bytes behind
 * the file; and with what the callback failed with.  After a failure there
 * is nothing but af_reader_free.
 */
int af_reader_feed(struct af_reader *, const char *data, size_t len,
    struct err *) MUST_CHECK;

/*
 * There are no more bytes.  Fails with ERR_DATA: cut short (where), empty, a
 * legacy file that was not asked for, no `agents` and not a legacy file.
 */
int af_reader_end(struct af_reader *, struct err *) MUST_CHECK;

enum af_form af_reader_form(const struct af_reader *);

/* Bytes read so far. */
uint64_t af_reader_offset(const struct af_reader *);

struct jdoc;

/* jdoc_parse of a part, with pointer and offset in front of its failure. */
struct jdoc *af_part_parse(const struct af_part *, struct err *) MUST_CHECK;

#endif /* !CORE_AF_READER_H */
