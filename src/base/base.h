#ifndef BASE_BASE_H
#define BASE_BASE_H

/*
 * The first include of every .c file of this project: what configure found,
 * the system headers that nearly all files need, and the list of functions
 * that do not compile here.  Headers include it never: they name what they
 * need themselves.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#endif /* !BASE_BASE_H */
