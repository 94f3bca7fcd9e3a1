#include "common/rconn_round.h"

enum { ENOUGH_MS = 300 };

static void end(void *arg)
{
    struct round *round = arg;

    if (round->over)
        return;
    round->over = true;
    timer_stop(round->enough);
    round->fn(round->arg);
}

void round_init(struct round *round, struct loop *loop, size_t asked, loop_fn *fn, void *arg)
{
    *round = (struct round){asked, false, timer_new(loop, end, round), ERR_NONE, fn, arg};
}

void round_heard(struct round *round, bool useful)
{
    if (--round->silent == 0)
        end(round);
    else if (useful && !round->over && !timer_active(round->enough))
        timer_start(round->enough, ENOUGH_MS);
}

void round_release(struct round *round)
{
    timer_free(round->enough);
}
