#ifndef CORE_COMPOSE_LOOK_H
#define CORE_COMPOSE_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct doctor;

/*
 * Whether a container's image names its version: a tag other than latest, or
 * a digest.  "letta/letta", "registry:5000/letta" and "letta/letta:latest"
 * do not; a name that a variable makes is taken as it stands.
 */
bool compose_look_pinned(const char *image);

/*
 * The images and published ports of a compose file, line by line: only lines
 * "image: NAME" and "- [ADDRESS:]PORT:PORT" count, which is how such files
 * are written by hand.  Nothing is said of what is written otherwise.
 *
 * where  "host:path", for the findings
 */
void compose_look(struct doctor *, const char *where, const char *text);

/* Whether "0.0.0.0:8283->8283/tcp, :::8283->..." has one for every address. */
bool compose_look_published(const char *ports);

#endif /* !CORE_COMPOSE_LOOK_H */
