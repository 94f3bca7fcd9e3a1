/* A set of partitions of the changelog, in ascending order. Pure. */
#ifndef PGUSHER_PARTS_H
#define PGUSHER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_PARTITIONS = 256 };

struct parts {
    size_t count;
    short list[MAX_PARTITIONS];
};

bool parts_has(const struct parts *parts, int part);
void parts_add(struct parts *parts, int part); /* 0 … MAX_PARTITIONS-1; others are left out */
void parts_add_all(struct parts *parts, const struct parts *more);
/* What is in `parts` and in `among` (keep), or not in it (!keep). */
struct parts parts_filter(const struct parts *parts, const struct parts *among, bool keep);

/* From and to PostgreSQL's array text: {0,3,7}. NULL is the empty set. The caller frees. */
struct parts parts_parse(const char *array);
char *parts_array(const struct parts *parts);

#endif
