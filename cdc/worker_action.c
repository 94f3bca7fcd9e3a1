#include "cdc/worker_action.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/ids.h"
#include "cdc/sql/texts.h"
#include "cdc/standing.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pg.h"
#include "common/rconn.h"
#include "common/script_send.h"
#include "lua/scripts.h"
#include "queue/keys.h"

enum {
    AT_ONCE = 4,
    DEADLINE_MS = 10000,
    REPLAY_ITEMS = 1000, /* of a call */
};

struct actions {
    struct loop *loop;
    const struct config *config;
    struct action *list;
    size_t count;
    loop_fn *done;
    void *arg;
};

struct action {
    struct actions *all; /* NULL: it is over, and lives until the last reply of Redis has come */
    struct action *next;
    struct http_exchange *exchange; /* NULL: answered */
    struct timer *timer;            /* its deadline; once answered, its end */
    char *name;                     /* of the projection or queue */
    struct pg *pg;
    struct rconn *rconn;
    struct queue_keys keys;
    size_t pending; /* replies of Redis */
    int64_t replayed;
};

/* ---- its end ---- */

static void release(struct action *action)
{
    queue_keys_free(&action->keys);
    free(action->name);
    free(action);
}

static void end(struct action *action)
{
    struct action **place = &action->all->list;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the list */
    while (*place != action)
        place = &(*place)->next;
    *place = action->next;
    action->all->count--;
    action->all = NULL;
    pg_free(action->pg);
    rconn_free(action->rconn);
    timer_free(action->timer);
    if (action->pending == 0)
        release(action);
}

/* From a callback of its connections, so it ends from its timer. */
static void answer(struct action *action, unsigned code, const char *text)
{
    if (!action->exchange)
        return;
    log_info("http: %s", text);
    http_say(action->exchange, code, text);
    action->exchange = NULL;
    timer_start(action->timer, 0);
}

static void answer_error(struct action *action, const struct err *err)
{
    char *text = mem_printf("%s: %s", action->name, err->text);

    answer(action, 503, text);
    free(text);
}

static void on_timer(void *arg)
{
    struct action *action = arg;

    if (action->exchange)
        http_say(action->exchange, 504, "a server does not answer; look later what became of it");
    action->exchange = NULL;
    end(action);
}

/* ---- retry ---- */

static void on_retried(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct action *action = arg;
    char *text;

    if (err) {
        struct err explained = *err;

        standing_explain(&explained);
        answer_error(action, &explained);
        return;
    }
    text = mem_printf("%s of %s in quarantine to be tried again now", pg_rows_get(rows, 0, 0, NULL),
                      action->name);
    action->all->done(action->all->arg);
    answer(action, 200, text);
    free(text);
}

static void on_pinned(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct action *action = arg;
    char *names = array_literal((const char *const[]){action->name}, 1);
    const char *const params[] = {action->all->config->fleet, action->name, NULL, NULL, names};
    struct pg_query query = {.sql = sql_retry_quarantined, .params = params, .nparams = 5};

    (void)rows;
    if (err)
        answer_error(action, err);
    else
        pg_send(action->pg, &query, on_retried, action);
    free(names);
}

static void on_pg_up(void *arg)
{
    struct action *action = arg;
    struct pg_query pin = {.sql = sql_session, .script = true};

    pg_send(action->pg, &pin, on_pinned, action);
}

static void on_down(void *arg, const struct err *why)
{
    answer_error(arg, why);
}

static void retry(struct action *action)
{
    static const struct pg_handlers handlers = {on_pg_up, on_down, NULL};
    const struct config *config = action->all->config;
    struct pg_target target = {config->postgres, config->postgres_password, "pgusherd http"};

    action->pg = pg_new(action->all->loop, &handlers, action);
    pg_open(action->pg, &target);
}

/* ---- replay ---- */

static void ask_dead(struct action *action);

/* False: nobody waits for the reply any more. */
static bool take_reply(struct action *action, const struct err *err)
{
    action->pending--;
    if (!action->all) {
        if (action->pending == 0)
            release(action);
        return false;
    }
    if (err)
        answer_error(action, err);
    return !err && action->exchange;
}

static void end_replay(struct action *action)
{
    char *text = mem_printf("%lld of %s replayed", (long long)action->replayed, action->name);

    if (action->replayed)
        action->all->done(action->all->arg);
    answer(action, 200, text);
    free(text);
}

static void on_replayed(void *arg, const struct rreply *reply, const struct err *err)
{
    struct action *action = arg;
    int64_t before = action->replayed;

    if (!take_reply(action, err))
        return;
    for (size_t i = 0; i < rreply_count(reply); i++)
        action->replayed += rreply_integer(rreply_at(reply, i));
    if (action->replayed > before)
        ask_dead(action);
    else
        end_replay(action);
}

static void on_dead(void *arg, const struct rreply *reply, const struct err *err)
{
    struct action *action = arg;
    struct script_call *call;

    if (!take_reply(action, err))
        return;
    if (rreply_count(reply) == 0) {
        end_replay(action);
        return;
    }
    call = queue_call_new(&action->keys, &script_replay);
    for (size_t i = 0; i < rreply_count(reply); i++) {
        size_t len;
        const char *item = rreply_string(rreply_at(reply, i), &len);

        script_arg(call, item, len);
    }
    action->pending++;
    script_send(call, action->rconn, on_replayed, action);
}

static void ask_dead(struct action *action)
{
    char last[24];
    const char *const words[] = {"ZRANGE", action->keys.name[KEY_DEAD], "0", last};

    snprintf(last, sizeof(last), "%d", REPLAY_ITEMS - 1);
    action->pending++;
    rconn_send(action->rconn, rconn_route(action->rconn, words[1], strlen(words[1])), 4, words, NULL, on_dead,
               action);
}

static void on_redis_up(void *arg)
{
    ask_dead(arg);
}

static void replay(struct action *action)
{
    static const struct rconn_handlers handlers = {on_redis_up, on_down};

    queue_keys_init(&action->keys, action->name);
    action->rconn = rconn_new(action->all->loop, &handlers, action);
    rconn_open(action->rconn, &action->all->config->redis);
}

/* ---- who may ---- */

static bool is_projection(const struct config *config, const char *name)
{
    return config_projection(config, name) != NULL;
}

static bool is_queue(const struct config *config, const char *name)
{
    return queue_config_find(config->queues, config->nqueues, name) != NULL;
}

static const struct kind {
    const char *path;
    const char *parameter;
    bool (*exists)(const struct config *config, const char *name);
    void (*begin)(struct action *action);
} kinds[] = {
    {"/retry", "projection", is_projection, retry},
    {"/replay", "queue", is_queue, replay},
};

static const struct kind *find_kind(const char *path)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(path, kinds[i].path) == 0)
            return &kinds[i];
    return NULL;
}

bool actions_know(const char *path)
{
    return find_kind(path) != NULL;
}

/* How long it takes tells nothing but the length of what was given. */
static bool is_token(const char *token, const char *given)
{
    size_t len = strlen(token);
    unsigned differ = strlen(given) != len;

    for (size_t i = 0; given[i]; i++)
        differ |= (unsigned char)given[i] ^ (unsigned char)token[i % len];
    return !differ;
}

static bool has_token(const char *token, struct http_exchange *exchange)
{
    static const char scheme[] = "Bearer ";
    const char *given = http_header(exchange, "Authorization");

    return given && strncmp(given, scheme, strlen(scheme)) == 0 && is_token(token, given + strlen(scheme));
}

/* A browser says so by one of these, and no page can make it say otherwise. */
static bool is_from_elsewhere(struct http_exchange *exchange)
{
    const char *site = http_header(exchange, "Sec-Fetch-Site"), *origin = http_header(exchange, "Origin");
    const char *host = http_header(exchange, "Host"), *slashes = origin ? strstr(origin, "://") : NULL;

    if (site)
        return strcmp(site, "same-origin") != 0;
    return origin && (!slashes || !host || strcmp(slashes + 3, host) != 0);
}

/* Why not; NULL: it may. */
static const char *refusal(const struct actions *actions, struct http_exchange *exchange, unsigned *ret_code)
{
    const char *token = actions->config->http.token;

    *ret_code = token && !is_from_elsewhere(exchange) ? 401 : 403;
    if (!token)
        return "no actions without a token: \"http\": {\"address\": …, \"token_file\": …} in the "
               "configuration";
    if (*ret_code == 403)
        return "this was asked by a page from elsewhere";
    if (!has_token(token, exchange))
        return "the token is wrong";
    *ret_code = 429;
    return actions->count < AT_ONCE ? NULL : "others are under way; again in a moment";
}

void actions_take(struct actions *actions, struct http_exchange *exchange)
{
    const struct kind *kind = find_kind(http_path(exchange));
    const char *name = http_query(exchange, kind->parameter);
    unsigned code;
    const char *why = refusal(actions, exchange, &code);
    struct action *action;

    if (why || !name || !kind->exists(actions->config, name)) {
        http_say(exchange, why ? code : 404, why ? why : "the configuration has none of that name");
        return;
    }
    action = mem_zalloc(sizeof(*action));
    action->all = actions;
    action->exchange = exchange;
    action->name = mem_strdup(name);
    action->timer = timer_new(actions->loop, on_timer, action);
    action->next = actions->list;
    actions->list = action;
    actions->count++;
    timer_start(action->timer, DEADLINE_MS);
    kind->begin(action);
}

/* ---- all of them ---- */

struct actions *actions_new(struct loop *loop, const struct config *config, loop_fn *done, void *arg)
{
    struct actions *actions = mem_zalloc(sizeof(*actions));

    *actions = (struct actions){loop, config, NULL, 0, done, arg};
    return actions;
}

void actions_free(struct actions *actions)
{
    if (!actions)
        return;
    while (actions->list)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): which takes it off the list */
        on_timer(actions->list);
    free(actions);
}
