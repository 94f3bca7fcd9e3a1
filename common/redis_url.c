#include "common/redis_url.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"

static const char *scheme_of(const struct redis_url *url)
{
    static const char *const schemes[][2] = {
        [REDIS_SINGLE] = {"redis", "rediss"},
        [REDIS_SENTINEL] = {"redis+sentinel", "rediss+sentinel"},
        [REDIS_CLUSTER] = {"redis+cluster", "rediss+cluster"},
    };

    return schemes[url->kind][url->tls];
}

static void free_addresses(struct redis_url *url)
{
    for (size_t i = 0; i < url->naddresses; i++)
        free(url->addresses[i].host);
    free(url->addresses);
}

/* The texts of an address. */
static const size_t texts[] = {
    offsetof(struct redis_url, path),          offsetof(struct redis_url, master),
    offsetof(struct redis_url, user),          offsetof(struct redis_url, password),
    offsetof(struct redis_url, sentinel_user), offsetof(struct redis_url, sentinel_password),
    offsetof(struct redis_url, cacert),        offsetof(struct redis_url, cert),
    offsetof(struct redis_url, key),           offsetof(struct redis_url, sni),
};

static char **text_of(struct redis_url *url, size_t i)
{
    return (char **)((char *)url + texts[i]);
}

void redis_url_free(struct redis_url *url)
{
    free_addresses(url);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(*text_of(url, i));
    *url = (struct redis_url){0};
}

static bool copy_texts(struct redis_url *to, const struct redis_url *from)
{
    bool whole = true;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = *text_of((struct redis_url *)from, i);

        *text_of(to, i) = mem_strdup(text);
        whole = whole && !text == !*text_of(to, i);
    }
    return whole;
}

static bool copy_addresses(struct redis_url *to, const struct redis_url *from)
{
    bool whole = true;

    to->naddresses = 0;
    to->addresses = mem_zalloc(sizeof(*to->addresses) * (from->naddresses + 1));
    if (!to->addresses)
        return false;
    for (size_t i = 0; i < from->naddresses; i++) {
        to->addresses[i] =
            (struct redis_address){mem_strdup(from->addresses[i].host), from->addresses[i].port};
        whole = whole && to->addresses[i].host;
    }
    to->naddresses = from->naddresses;
    return whole;
}

bool redis_url_copy(struct redis_url *to, const struct redis_url *from)
{
    struct redis_url copy = *from;
    bool texts_whole = copy_texts(&copy, from), whole = copy_addresses(&copy, from) && texts_whole;

    redis_url_free(whole ? to : &copy);
    if (whole)
        *to = copy;
    return whole;
}

static bool replace(char **text, const char *other)
{
    char *copy = mem_strdup(other);

    if (other && !copy)
        return false;
    free(*text);
    *text = copy;
    return true;
}

bool redis_url_set_password(struct redis_url *url, const char *password)
{
    return !password || replace(&url->password, password);
}

/* `host` may be part of `to`. */
bool redis_url_to_server(struct redis_url *to, const struct redis_url *from, const char *host, int port)
{
    struct redis_url server = *from;
    struct redis_address address = {(char *)host, port};

    server.kind = REDIS_SINGLE;
    server.addresses = &address;
    server.naddresses = 1;
    return redis_url_copy(to, &server);
}

bool redis_url_to_sentinel(struct redis_url *to, const struct redis_url *from, size_t i)
{
    struct redis_url sentinel = *from;

    sentinel.user = from->sentinel_user;
    sentinel.password = from->sentinel_password;
    sentinel.db = 0;
    return redis_url_to_server(to, &sentinel, from->addresses[i].host, from->addresses[i].port);
}

static void show_address(struct buf *out, const struct redis_address *address)
{
    buf_printf(out, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host, address->port);
}

char *redis_url_show(const struct redis_url *url)
{
    struct buf out = BUF_NONE;

    if (url->path)
        return mem_printf("unix://%s", url->path);
    buf_printf(&out, "%s://", scheme_of(url));
    for (size_t i = 0; i < url->naddresses; i++) {
        buf_puts(&out, i ? "," : "");
        show_address(&out, &url->addresses[i]);
    }
    if (url->kind == REDIS_SENTINEL)
        buf_printf(&out, "/%s", url->master);
    return buf_take(&out);
}
