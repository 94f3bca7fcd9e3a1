/* All keys of the queue at one moment, document by document. */
#ifndef QUEUE_MODEL_SNAPSHOT_H
#define QUEUE_MODEL_SNAPSHOT_H

#include "tests/queue_model/world.h"

enum { MAX_CONSUMERS = 128, NAME_SIZE = 100 };

/* Where one document is. */
struct place {
    int waiting;  /* copies */
    int position; /* of the foremost: 0 is the next to leave; -1 none */
    bool marked;
    int64_t mark;
    bool held;
    uint64_t token;
    char holder[NAME_SIZE];
    bool dirty;
    bool delayed;
    bool later;
    bool dead;
    bool failed; /* has a record of failures */
    int failures;
    int crashes;
    int plain;  /* copies in the list of the plain consumers */
    int listed; /* copies in the native consumers' lists */
};

struct owner {
    char name[NAME_SIZE];
    bool registered;
    int64_t deadline;
    size_t length; /* of its list */
    int copies[MAX_DOCS];
};

struct snapshot {
    struct place docs[MAX_DOCS];
    struct owner owners[MAX_CONSUMERS]; /* registered, or with a list */
    size_t nowners;
    int64_t seq;
    int64_t length;
    int64_t removed;
    uint64_t token;
    size_t marks, held, dirty, delayed, dead, later, plain;
    bool alien; /* an item that no document has the name of */
};

void snapshot_take(struct world *world, struct snapshot *snapshot);
const struct owner *snapshot_owner(const struct snapshot *snapshot, const char *name); /* NULL: unknown */
/* Copies that a blocking move brought and nobody has adopted. */
int snapshot_unadopted(const struct snapshot *snapshot, int doc);

#endif
