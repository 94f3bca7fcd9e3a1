/* common/http.h, cdc/worker_action.h over a real socket: whatever comes in, every request is answered or the
 * connection ended; no action begins without the token, or asked from elsewhere; no request is heard under a
 * name that is not this machine's. */
#include "common/http.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cdc/worker_action.h"
#include "common/log.h"
#include "fuzz.h"

enum { TURNS = 4, PATIENCE_MS = 200 };

#define TOKEN "0123456789abcdefTOKEN"

/* Nothing listens there. */
static const char settings[] =
    "{\"postgres\": \"host=/nonexistent\", \"redis\": \"unix:///nonexistent/s\", \"queues\": {\"q\": {}}, "
    "\"projections\": {\"p\": "
    "{\"source\": \"s\", \"id\": \"id\", \"key\": \"p:{id}\", \"watch\": {\"s\": \"id\"}}}}";

static struct {
    struct loop *loop;
    struct config *config;
    struct http *http;
    struct actions *actions;
    struct http_address address;
    /* of this input: */
    size_t heard;
    bool forbidden; /* an action was asked for by who may not */
    bool allowed;
} all;

/* ---- what may be ---- */

static bool is_numeric(const char *host)
{
    char copy[100];
    unsigned char ignored[16];
    size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");

    if (len >= sizeof(copy) || (host[0] == '[' && !host[len]))
        return false;
    memcpy(copy, host, len);
    copy[len] = '\0';
    if (host[0] == '[')
        return inet_pton(AF_INET6, copy + 1, ignored) == 1;
    return strcmp(copy, "localhost") == 0 || inet_pton(AF_INET, copy, ignored) == 1;
}

static bool may_act(struct http_exchange *exchange)
{
    const char *token = http_header(exchange, "Authorization"),
               *site = http_header(exchange, "Sec-Fetch-Site");
    const char *origin = http_header(exchange, "Origin"), *host = http_header(exchange, "Host");
    const char *authority = origin ? strstr(origin, "://") : NULL;
    bool is_own = !origin || (host && authority && strcmp(authority + 3, host) == 0);

    return token && strcmp(token, "Bearer " TOKEN) == 0 && (site ? strcmp(site, "same-origin") == 0 : is_own);
}

static void on_request(void *arg, struct http_exchange *exchange)
{
    const char *host = http_header(exchange, "Host");

    (void)arg;
    all.heard++;
    must(!host || is_numeric(host), "heard as %s", host);
    http_query(exchange, "queue");
    if (!actions_know(http_path(exchange)) || !http_is_post(exchange)) {
        http_say(exchange, 200, "fine");
        return;
    }
    if (may_act(exchange))
        all.allowed = true;
    else
        all.forbidden = true;
    actions_take(all.actions, exchange);
}

/* ---- a client ---- */

struct client {
    int fd;
    char answer[65536];
    size_t len;
    bool turned; /* all is sent, and read as far as it will be */
    bool over;
};

static void on_readable(void *arg, bool readable, bool writable)
{
    struct client *client = arg;
    ssize_t n = recv(client->fd, client->answer + client->len, sizeof(client->answer) - 1 - client->len, 0);

    (void)readable;
    (void)writable;
    if (n <= 0 || (size_t)n == sizeof(client->answer) - 1 - client->len)
        client->over = true;
    client->len += n > 0 ? (size_t)n : 0;
}

/* Of what is unfinished nothing is known. */
static void give_up(void *arg)
{
    struct client *client = arg;

    client->over = client->turned;
}

static void converse(struct client *client, const uint8_t *data, size_t size)
{
    struct linger none = {1, 0}; /* thousands of ports in TIME_WAIT would leave none */
    struct io *io = io_new(all.loop, on_readable, client);
    struct timer *timer = timer_new(all.loop, give_up, client);

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    must(connect(client->fd, &all.address.socket.any, sizeof(all.address.socket.v4)) == 0, "not connected");
    must(send(client->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size, "not sent");
    io_set(io, client->fd, true, false);
    for (int turn = 0; turn < TURNS && !client->over; turn++) {
        timer_start(timer, 0);
        loop_run_once(all.loop);
    }
    shutdown(client->fd, SHUT_WR); /* what comes with the last bytes is not noticed by libmicrohttpd */
    client->turned = true;
    timer_start(timer, PATIENCE_MS);
    while (!client->over)
        loop_run_once(all.loop);
    timer_free(timer);
    io_free(io);
    close(client->fd);
    client->answer[client->len] = '\0';
}

/* ---- */

static void start(void)
{
    struct problems problems = {0};
    struct err err = ERR_NONE;
    int file = memfd_create("config", MFD_CLOEXEC);
    char path[40];

    must(write(file, settings, strlen(settings)) == (ssize_t)strlen(settings), "no file");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    all.config = config_load(path, NULL, &problems);
    must(all.config, "%s: %s", problems.list[0].place, problems.list[0].text);
    close(file);
    all.config->http.token = strdup(TOKEN);
    log_set_level(LOG_LEVEL_ERROR);
    all.loop = loop_new();
    must(http_address_parse("127.0.0.1:0", &all.address, &err) == 0, "%s", err.text);
    all.http = http_new(all.loop, &all.address, on_request, NULL, &err);
    must(all.http, "%s", err.text);
    all.address.socket.v4.sin_port = htons((uint16_t)atoi(strrchr(http_name(all.http), ':') + 1));
    all.actions = actions_new(all.loop, all.config, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client client;
    const char *code;

    if (size == 0 || size > 16384)
        return 0;
    if (!all.loop)
        start();
    client.len = 0;
    client.over = client.turned = false;
    all.heard = 0;
    all.forbidden = all.allowed = false;
    converse(&client, data, size);
    code = client.len > 12 ? client.answer + 9 : "";
    must(client.len == 0 || strncmp(client.answer, "HTTP/1.", 7) == 0, "%s", client.answer);
    must(!client.len || all.heard != 1 || !all.forbidden || code[0] == '1' || memcmp(code, "401", 3) == 0 ||
             memcmp(code, "403", 3) == 0,
         "an action without the right to: %s", client.answer);
    must(!client.len || all.heard != 1 || !all.allowed ||
             (memcmp(code, "401", 3) != 0 && memcmp(code, "403", 3) != 0),
         "no action with the right to: %s", client.answer);
    return 0;
}
