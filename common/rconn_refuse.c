#include <stdlib.h>

#include "common/mem.h"
#include "common/rconn_link.h"

struct refused {
    rconn_fn *fn;
    void *arg;
    struct err err;
};

static void tell(void *arg)
{
    struct refused *refused = arg;

    refused->fn(refused->arg, NULL, &refused->err);
    free(refused);
}

void rconn_refuse(struct loop *loop, const struct err *why_down, rconn_fn *fn, void *arg)
{
    struct refused *refused = mem_alloc(sizeof(*refused));
    bool went_down = why_down->status != ST_OK;

    *refused = (struct refused){fn, arg, ERR_NONE};
    err_set(&refused->err, ST_LOST, "%s", went_down ? why_down->text : "Redis: not connected");
    loop_defer(loop, tell, refused);
}
