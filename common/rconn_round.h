/* Several servers are asked the same at once: when has one heard enough? When all have answered or failed;
 * or, so that one that is stopped costs little, a moment after the first useful answer. */
#ifndef PGUSHER_RCONN_ROUND_H
#define PGUSHER_RCONN_ROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/loop.h"
#include "common/status.h"

struct round {
    size_t silent; /* neither answered nor failed */
    bool over;
    struct timer *enough;
    struct err why_not; /* what to tell when nothing useful was heard, by err_copy_graver */
    loop_fn *fn;
    void *arg;
};

/* fn is called once, from round_heard or from the loop. */
void round_init(struct round *round, struct loop *loop, size_t asked, loop_fn *fn, void *arg);
/* Once for each that was asked. */
void round_heard(struct round *round, bool useful);
void round_release(struct round *round);

#endif
