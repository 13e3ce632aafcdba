#ifndef CORE_AF_STATE_H
#define CORE_AF_STATE_H

#include "base/attr.h"

struct jdoc;

/*
 * The shell of an agent file (core/af_shell.h) from an agent's state, as GET
 * /v1/agents/{id} gives it: for an agent that its server cannot export any
 * more, which is so once a PATCH has given it a name that a file may not have
 * ("AI/ML Expert": the export is a 500, 0.16.2 and 0.16.8, seen).
 *
 * It holds what an export holds: the agent, its blocks, its tools, the names
 * of its tool variables without their values; no messages.  Folders and files
 * are not in a state and are left out.
 *
 * The caller owns what is returned.
 */
struct jdoc *af_state_shell(const struct jdoc *state) MUST_CHECK;

#endif /* !CORE_AF_STATE_H */
