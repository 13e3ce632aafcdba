#ifndef CORE_REPOINT_H
#define CORE_REPOINT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * One agent's id in the place of another's, in a text that is otherwise kept
 * byte for byte.  Both ids are agent-UUID, of one length, so that nothing has
 * to be quoted or moved, and swapping the two gives the old bytes back.
 *
 * An id that is part of a path (a "/" before or behind it) is the name of a
 * directory and stays; one that is part of a longer word is another word.
 */

/*
 * In a .env: values of AGENT_ID and LETTA_AGENT_ID, wherever the file assigns
 * them.  The other function is for scripts and settings.json: everywhere.
 * Each returns how many it has replaced.
 */
size_t repoint_env(struct buf *text, const char *old_id, const char *new_id);
size_t repoint_text(struct buf *text, const char *old_id,
    const char *new_id);

/* The line of the first id, in any place, from 1; 0: there is none. */
size_t repoint_line(const char *text, size_t len, const char *id);

#endif /* !CORE_REPOINT_H */
