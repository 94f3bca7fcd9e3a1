#include "common/rconn_greet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"
#include "common/redis_nodes.h"

struct greeting {
    struct rconn_link *link;
    rconn_greeted_fn *fn; /* NULL once it was called */
    void *arg;
    int awaited; /* answers */
};

static void tell(struct greeting *greeting, const struct err *err)
{
    rconn_greeted_fn *fn = greeting->fn;

    greeting->fn = NULL;
    if (fn)
        fn(greeting->arg, err);
}

static void answered(struct greeting *greeting, const struct err *err)
{
    bool last = --greeting->awaited == 0;

    if (err || last)
        tell(greeting, err);
    if (last)
        free(greeting);
}

static void on_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    struct err why = ERR_NONE;
    const char *text = err ? rconn_link_said(err) : "";

    (void)reply;
    if (err && !redis_error_redirects(text))
        err_set(&why, err->status == ST_REFUSED ? ST_CONFIG : err->status, "%s", text);
    answered(arg, why.status == ST_OK ? NULL : &why);
}

static void on_role(void *arg, const struct rreply *reply, const struct err *err)
{
    struct err why = {ST_AGAIN, "it is a replica, not a primary"};

    if (err || redis_is_primary((const struct redisReply *)reply))
        on_answer(arg, reply, err);
    else
        answered(arg, &why);
}

static void say(struct greeting *greeting, rconn_fn *fn, int argc, const char *const *argv)
{
    greeting->awaited++;
    rconn_link_command(greeting->link, argc, argv, fn, greeting);
}

static void authenticate(struct greeting *greeting, const struct redis_url *url)
{
    if (url->password && url->user)
        say(greeting, on_answer, 3, (const char *const[]){"AUTH", url->user, url->password});
    else if (url->password)
        say(greeting, on_answer, 2, (const char *const[]){"AUTH", url->password});
}

void rconn_greet(struct rconn_link *link, enum rconn_role role, const struct redis_url *url,
                 rconn_greeted_fn *fn, void *arg)
{
    struct greeting *greeting = mem_alloc(sizeof(*greeting));
    char db[16];

    *greeting = (struct greeting){link, fn, arg, 0};
    authenticate(greeting, url);
    snprintf(db, sizeof(db), "%d", url->db);
    if (url->db)
        say(greeting, on_answer, 2, (const char *const[]){"SELECT", db});
    if (role == ROLE_PRIMARY)
        say(greeting, on_role, 1, (const char *const[]){"ROLE"});
    if (role == ROLE_SENTINEL)
        say(greeting, on_answer, 1, (const char *const[]){"PING"});
    else /* unlike PING it is refused while the data set is loading */
        say(greeting, on_answer, 2, (const char *const[]){"EXISTS", "pgusher:epoch"});
}
