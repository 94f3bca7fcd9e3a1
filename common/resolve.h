/* Host names to addresses without stopping the loop: getaddrinfo, which may take a nameserver's whole
 * timeout, in a thread of its own. What it found is handed over through the loop; one that nobody waits for
 * any more ends by itself. */
#ifndef PGUSHER_RESOLVE_H
#define PGUSHER_RESOLVE_H

#include <stddef.h>

#include "common/loop.h"

struct resolve;

/* Numeric addresses in the order of preference, or none and why, a lack of file descriptors too. Valid during
 * the call, which may free the resolve. */
typedef void resolve_fn(void *arg, const char *const *addresses, size_t count, const char *error);

/* Calls fn once, from the loop, never from inside. */
struct resolve *resolve_new(struct loop *loop, const char *name, resolve_fn *fn, void *arg);
void resolve_free(struct resolve *resolve); /* before the call: nobody is called. NULL-safe */

#endif
