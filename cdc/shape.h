/* The shape of a projection's documents: all that decides how they look and what they are called, of the
 * configuration and of the source's columns. A worker notes it as a JSON text (see shapes.h); what another
 * one finds is compared with that, and told in words. Pure.
 *
 * What the watches are is no part of it: they change nothing about documents that stand already.
 */
#ifndef PGUSHER_SHAPE_H
#define PGUSHER_SHAPE_H

#include "cdc/catalog.h"

/* The caller frees. */
char *shape_text(const struct projection *projection, const struct relation *source);

/* Texts are NULL where nothing is to be said. */
struct shape_change {
    char *documents;  /* what makes documents written before differ from those of now */
    char *queues;     /* queues that came or went */
    char *former_key; /* the template that keys had, if they have another one now */
    char *former_id;  /* the columns of its id, as an array literal */
};

/* Both are texts of shape_text; order and spacing within them mean nothing. The caller clears the change. */
void shape_compare(const char *before, const char *now, struct shape_change *ret_change);
void shape_change_clear(struct shape_change *change);

#endif
