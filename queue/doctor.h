/* doctor: looks for what makes a queue unsafe or is wrong with it, and mends what it is allowed to.
 *
 * A check says exactly one thing, with doctor_say. Where Redis refuses to be asked (managed ones forbid
 * CONFIG) the check returns -1 and stays undecided: a warning. When Redis has gone away the examination ends.
 */
#ifndef PGUSHER_QUEUE_DOCTOR_H
#define PGUSHER_QUEUE_DOCTOR_H

#include <stdbool.h>

#include "queue/handle.h"
#include "queue/tool_output.h"
#include "queue/tool_target.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM };

struct doctor {
    const struct tool_target *target;
    struct pgusher_queue *queue;
    bool fix;
    const char *check; /* the one under way */
    bool left;         /* a problem is left */
    struct output_list list;
};

/* 0; or -1, and the handle's error says why it could not be decided. */
typedef int doctor_check(struct doctor *doctor);

doctor_check doctor_eviction; /* doctor_server.c */
doctor_check doctor_persistence;
doctor_check doctor_version;
doctor_check doctor_role;
doctor_check doctor_clock;
doctor_check doctor_cluster;
doctor_check doctor_types; /* doctor_queue.c */
doctor_check doctor_marks;
doctor_check doctor_consumers;
doctor_check doctor_coalesce;
doctor_check doctor_dead;
doctor_check doctor_orphans; /* doctor_lists.c */
doctor_check doctor_plain;

/* What the check found; `mend` is what somebody can do about it (NULL: nothing is to be done), `fixed` that
 * it has been done. Always 0. */
int doctor_say(struct doctor *doctor, enum doctor_level level, const char *mend, bool fixed,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Runs a command, NULL-terminated words, where the queue is. NULL on failure; the caller frees with
 * freeReplyObject. */
redisReply *doctor_ask(struct doctor *doctor, const char *const *words);
#define DOCTOR_ASK(doctor, ...) doctor_ask(doctor, (const char *const[]){__VA_ARGS__, NULL})

#endif
