#ifndef CORE_BACKUP_PRINT_H
#define CORE_BACKUP_PRINT_H

#include <stdbool.h>

#include "core/backup_index.h"

struct buf;
struct jdoc;

/* The fingerprint of an agent (struct backup_print), as far as it is pure. */

/* The key of a mark in the index; what a person calls it. */
const char *backup_mark_key(enum backup_mark);
const char *backup_mark_word(enum backup_mark);

/*
 * Append what of an agent's state, as a list of agents has it, stands for a
 * mark: the same text for the same agent, whatever order the server gives
 * lists in, without what a reading or a turn alone moves (updated_at, the last
 * run) and without the value of a secret.  Of STATE, CONTEXT, BLOCKS (who else
 * has them not among it) and IDENTITIES; nothing for the others.
 */
void backup_print_text(const struct jdoc *state, enum backup_mark,
    struct buf *out);

/* The blocks of a state, a list; NULL when it has none. */
const struct jdoc *backup_print_blocks(const struct jdoc *state);

/*
 * Append the words of the marks that differ, "messages, blocks"; nothing when
 * both are of the same agent as it was.
 */
void backup_print_differences(const struct backup_print *,
    const struct backup_print *, struct buf *out);

void backup_print_clear(struct backup_print *);
void backup_print_copy(const struct backup_print *, struct backup_print *out);

#endif /* !CORE_BACKUP_PRINT_H */
