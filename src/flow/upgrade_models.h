#ifndef FLOW_UPGRADE_MODELS_H
#define FLOW_UPGRADE_MODELS_H

#include "base/attr.h"

struct buf;
struct err;
struct port_owner;
struct postgres;
struct upgrade;

/*
 * Variables by which Letta knows its models and its own encryption that the
 * old server's process has, and that the new one would not: neither [env NEW]
 * of the job nor the file that is there names them.  Their names, with a
 * blank between, appended; values are not looked at.  An agent whose model the
 * new server does not know is refused or does not answer.
 */
int upgrade_models_lacking(const struct upgrade *, const struct port_owner *,
    struct buf *out, struct err *) MUST_CHECK;

/*
 * Which agents have a model or embeddings of whom such a variable is for, by
 * their settings in the old database: "12 agents: NAME (ID), ..., and more"
 * appended.  Nothing when there are none, or where the database does not say.
 */
void upgrade_models_users(struct postgres *, const char *name,
    struct buf *out);

#endif /* !FLOW_UPGRADE_MODELS_H */
