#include "queue/enqueue.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "lua/scripts.h"

/* In the order of the script's KEYS; the queue's name itself is the first. */
static const char *const side_keys[] = {"marks", "inflight", "dirty", "meta", "delayed", "dead", "failures"};

struct script_call *enqueue_call_new(const char *queue, bool coalesce)
{
    struct script_call *call = script_call_new(&script_enqueue);

    script_key(call, queue, strlen(queue));
    for (size_t i = 0; i < sizeof(side_keys) / sizeof(side_keys[0]); i++) {
        char *key = mem_printf("%s:%s", queue, side_keys[i]);

        script_key(call, key, strlen(key));
        free(key);
    }
    script_arg(call, coalesce ? "1" : "0", 1);
    return call;
}

enum outcome { QUEUED = 0, REVIVED = 4 };

int64_t enqueue_count_new(const struct rreply *reply)
{
    int64_t count = 0;

    for (size_t i = 0; i < rreply_count(reply); i++) {
        int64_t outcome = rreply_integer(rreply_at(reply, i));

        count += outcome == QUEUED || outcome == REVIVED;
    }
    return count;
}
