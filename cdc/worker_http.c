#include "cdc/worker_http.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/page/texts.h"
#include "cdc/worker_action.h"
#include "cdc/worker_history.h"
#include "cdc/worker_look.h"
#include "cdc/worker_metrics.h"
#include "cdc/worker_private.h"
#include "cdc/worker_status.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"

enum { TRY_AGAIN_MS = 2000 };

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct worker_http {
    struct worker *worker;
    struct http *http; /* NULL: no port is free */
    char *text;        /* what the configuration said */
    struct timer *again;
    bool complained;
    struct worker_look *look;
    struct actions *actions;
    struct worker_history *history;
    struct timer *step; /* of the history */
};

/* ---- routes ---- */

static void answer_livez(struct worker_http *http, struct http_exchange *exchange)
{
    (void)http;
    http_say(exchange, 200, "alive");
}

static void answer_readyz(struct worker_http *http, struct http_exchange *exchange)
{
    struct buf text = BUF_NONE;
    bool ready = worker_is_ready(http->worker, &text);

    http_say(exchange, ready ? 200 : 503, text.data);
    buf_free(&text);
}

static void tell_metrics(void *arg, struct http_exchange *exchange, json_t *status, int64_t age_ms)
{
    struct worker_http *http = arg;
    struct buf text = BUF_NONE;

    worker_metrics(http->worker, &text);
    worker_metrics_fleet(status, age_ms, &text);
    http_answer(exchange, 200, METRICS_TYPE, &text);
}

static void answer_metrics(struct worker_http *http, struct http_exchange *exchange)
{
    worker_look_ask(http->look, exchange, tell_metrics, http);
}

static void tell_status(void *arg, struct http_exchange *exchange, json_t *status, int64_t age_ms)
{
    struct worker_http *http = arg;
    struct buf text = BUF_NONE;
    char *json;

    json_object_set_new(status, "looked_seconds_ago", json_real((double)age_ms / 1000));
    json_object_set_new(status, "worker", worker_status_json(http->worker));
    json_object_set_new(status, "history", worker_history_json(http->history));
    json = json_dumps(status, JSON_COMPACT | JSON_REAL_PRECISION(6));
    buf_printf(&text, "%s\n", json);
    free(json);
    http_answer(exchange, 200, "application/json", &text);
}

static void answer_status(struct worker_http *http, struct http_exchange *exchange)
{
    worker_look_ask(http->look, exchange, tell_status, http);
}

static void answer_text(struct http_exchange *exchange, const char *type, const char *text)
{
    struct buf body = BUF_NONE;

    buf_puts(&body, text);
    http_answer(exchange, 200, type, &body);
}

static const struct route {
    const char *path;
    void (*answer)(struct worker_http *http, struct http_exchange *exchange); /* NULL: a text */
    const char *type;
    const char *text;
} routes[] = {
    {"/", NULL, "text/html; charset=utf-8", page_index_html},
    {"/page.css", NULL, "text/css; charset=utf-8", page_page_css},
    {"/page.js", NULL, "text/javascript; charset=utf-8", page_page_js},
    {"/livez", answer_livez, NULL, NULL},
    {"/readyz", answer_readyz, NULL, NULL},
    {"/metrics", answer_metrics, NULL, NULL},
    {"/status.json", answer_status, NULL, NULL},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(path, routes[i].path) == 0)
            return &routes[i];
    return NULL;
}

static void on_request(void *arg, struct http_exchange *exchange)
{
    const struct route *route = find_route(http_path(exchange));
    struct worker_http *http = arg;

    if (actions_know(http_path(exchange)) && http_is_post(exchange))
        actions_take(http->actions, exchange);
    else if (actions_know(http_path(exchange)))
        http_say(exchange, 405, "this is an action: POST");
    else if (!route)
        http_say(exchange, 404, "there is /, /metrics, /status.json, /livez and /readyz");
    else if (http_is_post(exchange))
        http_say(exchange, 405, "only to be read");
    else if (route->text)
        answer_text(exchange, route->type, route->text);
    else
        route->answer(http, exchange);
}

/* ---- coming and going ---- */

static void open_server(void *arg)
{
    struct worker_http *http = arg;
    struct err err = ERR_NONE;

    http->http = http_new(http->worker->loop, &http->worker->config->http.address, on_request, http, &err);
    if (http->http) {
        log_info("http: listening on %s", http_name(http->http));
        return;
    }
    if (!http->complained)
        log_warn("http: cannot listen on %s: %s; going on without, and trying again now and then%s",
                 http->text, err.text,
                 err.status == ST_AGAIN
                     ? ". Where several workers run on this host, give \"http\" a range of "
                       "ports: 127.0.0.1:9187-9190"
                     : "");
    http->complained = true;
    timer_start(http->again, TRY_AGAIN_MS);
}

static void take_step(void *arg)
{
    struct worker_http *http = arg;
    json_t *status = worker_look_known(http->look, HISTORY_STEP_MS);

    timer_start(http->step, HISTORY_STEP_MS);
    worker_history_step(http->history, http->worker, status);
    json_decref(status);
}

static struct worker_http *worker_http_new(struct worker *worker)
{
    struct worker_http *http = mem_zalloc(sizeof(*http));

    http->worker = worker;
    http->text = mem_strdup(worker->config->http.text);
    http->again = timer_new(worker->loop, open_server, http);
    http->history = worker_history_new();
    http->step = timer_new(worker->loop, take_step, http);
    timer_start(http->step, HISTORY_STEP_MS);
    open_server(http);
    return http;
}

void worker_http_free(struct worker_http *http)
{
    if (!http)
        return;
    actions_free(http->actions);
    worker_look_free(http->look);
    http_free(http->http);
    worker_history_free(http->history);
    timer_free(http->again);
    timer_free(http->step);
    free(http->text);
    free(http);
}

static void on_changed(void *arg)
{
    struct worker_http *http = arg;

    worker_look_expire(http->look);
}

/* They are of one configuration. */
static void begin_anew(struct worker_http *http)
{
    actions_free(http->actions);
    worker_look_free(http->look);
    http->look = worker_look_new(http->worker->loop, http->worker->config);
    http->actions = actions_new(http->worker->loop, http->worker->config, on_changed, http);
}

void worker_http_configure(struct worker *worker)
{
    const char *text = worker->options->once ? NULL : worker->config->http.text;

    if (worker->http && (!text || strcmp(worker->http->text, text) != 0)) {
        worker_http_free(worker->http);
        worker->http = NULL;
    }
    if (!text)
        return;
    if (!worker->http)
        worker->http = worker_http_new(worker);
    begin_anew(worker->http);
}
