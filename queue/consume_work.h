/* The items of one reservation on their way through the command: the line each becomes on its stdin, the runs
 * they take part in, and what is to be done about each in the queue. Pure; settling is
 * consume_reservation.h's.
 */
#ifndef PGUSHER_CONSUME_WORK_H
#define PGUSHER_CONSUME_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "queue/consume_end.h"

enum fate {
    FATE_OPEN, /* not known yet */
    FATE_ACK,
    FATE_NACK,
    FATE_BURY,
    FATE_RELEASE,
};

struct work_item {
    const char *data;
    size_t len;
    int attempt;
    enum fate fate;
    char *reason; /* of a nack or burial */
};

struct work;

struct work *work_new(size_t count); /* for so many items */
void work_free(struct work *work);   /* NULL-safe */
/* The next item; the bytes must outlive the work. */
void work_add(struct work *work, const char *data, size_t len, int attempt);
size_t work_count(const struct work *work);
const struct work_item *work_item(const struct work *work, size_t index);

/* What the item is called in verdicts, if not by its bytes; copied. */
void work_rename(struct work *work, size_t index, const char *name, size_t len);
/* The line of an item, with its line break; lines may be added in any order. */
void work_put_line(struct work *work, size_t index, const char *line, size_t len);
bool work_has_line(const struct work *work, size_t index);
/* The fate of an open item. The reason is copied. */
void work_decide(struct work *work, size_t index, enum fate fate, const char *reason);
/* The same for all that are open; ends the runs. */
void work_decide_open(struct work *work, enum fate fate);
/* Each item is its own line; buries those that cannot be one. */
void work_put_items(struct work *work);
/* Buries what no handler can be given at all: the empty item. */
void work_bury_empty(struct work *work);

/* The lines are complete: the open items make up the first run. */
void work_begin(struct work *work);
/* Goes to the next run; false when there is none. */
bool work_next(struct work *work);
size_t work_run_count(const struct work *work);
bool work_run_is_first(const struct work *work);
const struct work_item *work_run_item(const struct work *work, size_t index);
int work_run_attempt(const struct work *work); /* the largest among its items */
void work_run_input(const struct work *work, struct buf *input);
/* A piece of what the run says about its items. */
void work_run_says(struct work *work, const char *data, size_t len);
/* What is wrong about its verdicts, or NULL; complete once the run has been judged. */
const char *work_run_wrong(const struct work *work);

struct work_command {
    const char *text;
    int64_t timeout_ms;
};

/* Decides about the run's items by their verdicts, then about the others by how the run ended: acks, releases
 * (then all that is open, as no other run would fare better), or refuses the single one that is left, or runs
 * two halves of them. Returns what the run means, verdicts considered; *ret_what, which the caller frees,
 * says how it ended. */
enum run_meaning work_judge(struct work *work, const struct run_end *end, const struct work_command *command,
                            char **ret_what);

#endif
