#ifndef CORE_AF_ROW_H
#define CORE_AF_ROW_H

#include <stddef.h>

struct af_stats;
struct jdoc;

/*
 * One row on its way into an agent file: what can be put right without
 * losing anything is put right here, and counted.  core/af_rule.h then says
 * whether the result may be sent.
 *
 *   - content null, missing or a string becomes a list
 *   - a date outside 1900-2999 is moved to the nearer end
 *   - a tool's return that no server could list: text that is no JSON object
 *     is packed as {"status":"OK","message":text}; a status other than "OK"
 *     and "Failed" becomes one of them ("success", "ok" and 200 mean OK)
 *   - tool_call_id is taken from the only entry of tool_returns
 *   - keys that a file does not have are removed
 */
void af_row_fix(struct jdoc *row, struct af_stats *);

#endif /* !CORE_AF_ROW_H */
