#include "common/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

enum {
    CONNECTIONS = 64,
    CONNECTIONS_OF_ONE = 32, /* address */
    CONNECTION_BYTES = 8192, /* its requests and headers */
    IDLE_SECONDS = 15,
};

struct http {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct io *io;
    struct timer *timer; /* when a connection times out */
    http_fn *fn;
    void *arg;
    char *name;
    bool is_private;              /* listens for this machine only */
    struct http_exchange *parked; /* those not answered yet */
};

struct http_exchange {
    struct http *http;
    struct MHD_Connection *connection;
    char *path;
    bool post;
    bool handed; /* the handler has it, or had it */
    bool parked; /* its connection is suspended */
    struct http_exchange **place;
    struct http_exchange *next;
    struct MHD_Response *response;
    unsigned code;
};

/* ---- answers ---- */

static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static void park(struct http_exchange *exchange)
{
    struct http *http = exchange->http;

    exchange->parked = true;
    exchange->next = http->parked;
    exchange->place = &http->parked;
    if (exchange->next)
        exchange->next->place = &exchange->next;
    http->parked = exchange;
    MHD_suspend_connection(exchange->connection);
}

static void unpark(struct http_exchange *exchange)
{
    exchange->parked = false;
    *exchange->place = exchange->next;
    if (exchange->next)
        exchange->next->place = exchange->place;
    MHD_resume_connection(exchange->connection);
}

void http_answer(struct http_exchange *exchange, unsigned code, const char *type, struct buf *body)
{
    size_t len = body->len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, buf_take(body), MHD_RESPMEM_MUST_FREE);

    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->post ? "GET, HEAD" : "POST");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    exchange->response = response;
    exchange->code = code;
    if (!exchange->parked)
        return;
    unpark(exchange);
    timer_start(exchange->http->timer, 0);
}

void http_say(struct http_exchange *exchange, unsigned code, const char *text)
{
    struct buf body = BUF_NONE;

    buf_printf(&body, "%s\n", text);
    http_answer(exchange, code, "text/plain; charset=utf-8", &body);
}

/* ---- requests ---- */

const char *http_path(const struct http_exchange *exchange)
{
    return exchange->path;
}

bool http_is_post(const struct http_exchange *exchange)
{
    return exchange->post;
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* "127.0.0.1:9187", "[::1]", "localhost": no name that somebody else can lead here. */
static bool is_own_name(const char *host)
{
    struct http_address ignored;
    struct err err = ERR_NONE;
    const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
    bool has_port = colon && (!bracket || colon > bracket);
    char *whole = mem_printf("%s%s", host, has_port ? "" : ":0");
    bool own = *whole != ':' && http_address_parse(whole, &ignored, &err) == 0;

    free(whole);
    return own;
}

static bool has_body(const struct http_exchange *exchange)
{
    const char *length = http_header(exchange, "Content-Length");

    return (length && strtoull(length, NULL, 10) > 0) || http_header(exchange, "Transfer-Encoding");
}

static bool refuse(struct http_exchange *exchange, const char *method)
{
    const char *host = http_header(exchange, "Host");
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (!get && !exchange->post)
        http_say(exchange, MHD_HTTP_NOT_IMPLEMENTED, "only GET, HEAD and POST are known here");
    else if (has_body(exchange))
        http_say(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "a request has no body here");
    else if (exchange->http->is_private && host && !is_own_name(host))
        http_say(exchange, MHD_HTTP_MISDIRECTED_REQUEST,
                 "ask by address or as localhost: this server is for its own machine only");
    else
        return false;
    return true;
}

static enum MHD_Result respond(struct http_exchange *exchange)
{
    enum MHD_Result result = MHD_queue_response(exchange->connection, exchange->code, exchange->response);

    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

static struct http_exchange *exchange_new(struct http *http, struct MHD_Connection *connection,
                                          const char *path, const char *method)
{
    struct http_exchange *exchange = mem_zalloc(sizeof(*exchange));

    exchange->http = http;
    exchange->connection = connection;
    exchange->path = mem_strdup(path);
    exchange->post = strcmp(method, "POST") == 0;
    return exchange;
}

/* Called with the headers, when all has come, and again after an exchange was parked. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct http *http = arg;
    struct http_exchange *exchange = *state;

    (void)version;
    (void)upload;
    if (!exchange) {
        *state = exchange = exchange_new(http, connection, path, method);
        return refuse(exchange, method) ? respond(exchange) : MHD_YES;
    }
    if (*upload_size)
        return MHD_NO;
    if (!exchange->handed) {
        exchange->handed = true;
        http->fn(http->arg, exchange);
    }
    if (exchange->response)
        return respond(exchange);
    park(exchange);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct http_exchange *exchange = *state;

    (void)arg;
    (void)connection;
    (void)why;
    if (!exchange)
        return;
    *state = NULL;
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    free(exchange->path);
    free(exchange);
}

/* ---- the loop ---- */

static void run(void *arg)
{
    struct http *http = arg;
    MHD_UNSIGNED_LONG_LONG ms;

    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
        timer_start(http->timer, (int64_t)ms);
    else
        timer_stop(http->timer);
}

static void on_ready(void *arg, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    run(arg);
}

/* What clients do wrong is nothing to be logged. */
static void say_nothing(void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

static struct MHD_Daemon *start(struct http *http, int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                            on_request, http, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_OF_ONE,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_END);
}

struct http *http_new(struct loop *loop, const struct http_address *address, http_fn *fn, void *arg,
                      struct err *err)
{
    int fd = http_listen(address, err);
    struct http *http;

    if (fd < 0)
        return NULL;
    http = mem_zalloc(sizeof(*http));
    http->loop = loop;
    http->fn = fn;
    http->arg = arg;
    http->is_private = http_address_is_loopback(address);
    http->daemon = start(http, fd);
    if (!http->daemon) {
        err_set(err, ST_CONFIG, "libmicrohttpd does not start");
        close(fd);
        free(http);
        return NULL;
    }
    http->name = http_listener_name(fd);
    http->timer = timer_new(loop, run, http);
    http->io = io_new(loop, on_ready, http);
    io_set(http->io, MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, true, false);
    return http;
}

static void say_goodbye(void *arg, struct http_exchange *exchange)
{
    (void)arg;
    http_say(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
}

/* libmicrohttpd does not end while a connection is suspended. */
void http_free(struct http *http)
{
    if (!http)
        return;
    http->fn = say_goodbye;
    while (http->parked)
        say_goodbye(NULL, http->parked);
    MHD_run(http->daemon);
    MHD_stop_daemon(http->daemon);
    io_free(http->io);
    timer_free(http->timer);
    free(http->name);
    free(http);
}

const char *http_name(const struct http *http)
{
    return http->name;
}
