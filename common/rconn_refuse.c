#include <stdlib.h>

#include "common/mem.h"
#include "common/rconn_link.h"

struct refused {
    rconn_fn *fn;
    void *arg;
};

static void tell(void *arg)
{
    struct refused *refused = arg;
    struct err err = {ST_LOST, "Redis: not connected"};

    refused->fn(refused->arg, NULL, &err);
    free(refused);
}

void rconn_refuse(struct loop *loop, rconn_fn *fn, void *arg)
{
    struct refused *refused = mem_alloc(sizeof(*refused));

    *refused = (struct refused){fn, arg};
    loop_defer(loop, tell, refused);
}
