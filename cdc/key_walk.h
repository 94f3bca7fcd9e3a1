/* A walk through the keys that match a pattern, on every primary (SCAN), a step at a time. A key that is
 * there from the beginning to the end is met at least once; it may be met twice. */
#ifndef PGUSHER_KEY_WALK_H
#define PGUSHER_KEY_WALK_H

#include <stdbool.h>

#include "common/rconn.h"

struct key_walk;

struct key_walk *key_walk_new(struct rconn *rconn, const char *pattern);
void key_walk_free(struct key_walk *walk); /* NULL-safe */

/* Called for each key that was found. */
typedef void key_walk_fn(void *arg, const char *key, size_t len);

/* About so many keys are looked at: tells fn each that matches. *ret_done: there are no more. 0, or -1 with
 * err set. */
int key_walk_step(struct key_walk *walk, int limit, key_walk_fn *fn, void *arg, bool *ret_done,
                  struct err *err);

/* Tells fn about so many keys picked at random, of whatever pattern, a share of each primary. 0, or -1 with
 * err set. */
int key_walk_random(struct rconn *rconn, size_t count, key_walk_fn *fn, void *arg, struct err *err);

#endif
