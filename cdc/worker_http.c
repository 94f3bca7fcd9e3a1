#include "cdc/worker_http.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/worker_metrics.h"
#include "cdc/worker_private.h"
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

static void answer_metrics(struct worker_http *http, struct http_exchange *exchange)
{
    struct buf text = BUF_NONE;

    worker_metrics(http->worker, &text);
    http_answer(exchange, 200, METRICS_TYPE, &text);
}

static const struct route {
    const char *path;
    void (*answer)(struct worker_http *http, struct http_exchange *exchange);
} routes[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
};

static void on_request(void *arg, struct http_exchange *exchange)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(http_path(exchange), routes[i].path) == 0) {
            if (http_is_post(exchange))
                http_say(exchange, 405, "only to be read");
            else
                routes[i].answer(arg, exchange);
            return;
        }
    http_say(exchange, 404, "there is /metrics, /livez and /readyz");
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

static struct worker_http *worker_http_new(struct worker *worker)
{
    struct worker_http *http = mem_zalloc(sizeof(*http));

    http->worker = worker;
    http->text = mem_strdup(worker->config->http.text);
    http->again = timer_new(worker->loop, open_server, http);
    open_server(http);
    return http;
}

void worker_http_free(struct worker_http *http)
{
    if (!http)
        return;
    http_free(http->http);
    timer_free(http->again);
    free(http->text);
    free(http);
}

void worker_http_configure(struct worker *worker)
{
    const char *text = worker->options->once ? NULL : worker->config->http.text;

    if (worker->http && text && strcmp(worker->http->text, text) == 0)
        return;
    worker_http_free(worker->http);
    worker->http = text ? worker_http_new(worker) : NULL;
}
