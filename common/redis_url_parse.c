#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_tls.h"
#include "common/redis_url.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, MAX_DB = 1 << 20 };

static int refuse_memory(struct err *err)
{
    err_set_memory(err);
    return -1;
}

static int refuse(struct err *err, const char *text)
{
    err_set(err, ST_CONFIG, "%s", text);
    return -1;
}

/* ---- words ---- */

static int hex_value(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX; NULL when malformed or when it would hold a NUL, and then the caller sets err. */
static char *percent_decode(const char *text, size_t len, struct err *err)
{
    char *out = mem_alloc(len + 1);
    size_t n = 0;

    if (!out) {
        err_set_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        if (i + 2 >= len || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0 ||
            hex_value(text[i + 1]) + hex_value(text[i + 2]) == 0) {
            free(out);
            return NULL;
        }
        out[n++] = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
        i += 2;
    }
    out[n] = '\0';
    return out;
}

static int parse_number(const char *text, int min, int max, int *ret)
{
    char *end;
    long value;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    value = strtol(text, &end, 10);
    if (*end || value < min || value > max)
        return -1;
    *ret = (int)value;
    return 0;
}

static int parse_db(const char *text, struct redis_url *url, struct err *err)
{
    if (parse_number(text, 0, MAX_DB, &url->db) == 0)
        return 0;
    return refuse(err,
                  "what stands for the database is no number"); /* it may hold another option, a password */
}

/* ---- who ---- */

static int parse_credentials(const char *text, size_t len, struct redis_url *url, struct err *err)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : len;

    if (user_len)
        url->user = percent_decode(text, user_len, err);
    if (colon)
        url->password = percent_decode(colon + 1, len - user_len - 1, err);
    if ((user_len && !url->user) || (colon && !url->password))
        return refuse(err, "the user or password has a bad %XX escape");
    return 0;
}

/* ---- where ---- */

static int parse_address(const char *text, struct redis_address *ret_address, struct err *err)
{
    const char *end, *port;

    if (text[0] == '[') {
        end = strchr(text, ']');
        if (!end)
            return refuse(err, "the IPv6 address has no closing ]");
        port = end + 1;
        text++;
    } else {
        port = end = text + strcspn(text, ":");
    }
    if (end == text)
        return refuse(err, "no host");
    if (strcspn(text, "&=") < (size_t)(end - text)) /* maybe a password */
        return refuse(err,
                      "a host holds neither & nor =: options follow a ?, and an @ in them is written %40");
    if (*port && (*port != ':' || parse_number(port + 1, 1, 65535, &ret_address->port) != 0))
        return refuse(err, "what follows the host is no port number from 1 to 65535");
    ret_address->host = mem_strndup(text, (size_t)(end - text));
    return ret_address->host ? 0 : refuse_memory(err);
}

static int parse_addresses(char *text, struct redis_url *url, struct err *err)
{
    int port = url->kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
    size_t capacity = 0;

    for (char *next = text; text; text = next) {
        struct redis_address address = {NULL, port}, *grown;

        next = url->kind == REDIS_SINGLE ? NULL : strchr(text, ',');
        if (next)
            *next++ = '\0';
        if (parse_address(text, &address, err) != 0)
            return -1;
        grown = mem_grow(url->addresses, url->naddresses, &capacity, sizeof(*url->addresses));
        if (!grown) {
            free(address.host);
            return refuse_memory(err);
        }
        url->addresses = grown;
        url->addresses[url->naddresses++] = address;
    }
    return 0;
}

/* What stands behind the slash. */
static int parse_rest(const char *rest, struct redis_url *url, struct err *err)
{
    switch (url->kind) {
    case REDIS_SINGLE:
        return *rest ? parse_db(rest, url, err) : 0;
    case REDIS_CLUSTER:
        return *rest && strcmp(rest, "0") != 0 ? refuse(err, "a Redis Cluster has no database but 0") : 0;
    default:
        break;
    }
    if (strpbrk(rest, "&=")) /* maybe a password */
        return refuse(err, "behind the name of the master options begin with ?");
    url->master = percent_decode(rest, strlen(rest), err);
    if (!url->master)
        return refuse(err, "the name of the master has a bad %XX escape");
    if (!url->master[0])
        return refuse(err, "behind the sentinels the name of the master is missing: "
                           "redis+sentinel://host:26379,host2:26379/mymaster");
    return 0;
}

/* ---- options ---- */

static const struct option {
    const char *name;
    bool sentinel; /* for Sentinel only */
    bool tls;      /* for TLS only */
    size_t offset;
} options[] = {
    {"sentinel_user", true, false, offsetof(struct redis_url, sentinel_user)},
    {"sentinel_password", true, false, offsetof(struct redis_url, sentinel_password)},
    {"cacert", false, true, offsetof(struct redis_url, cacert)},
    {"cert", false, true, offsetof(struct redis_url, cert)},
    {"key", false, true, offsetof(struct redis_url, key)},
    {"sni", false, true, offsetof(struct redis_url, sni)},
};

static const struct option *find_option(const char *name, const struct redis_url *url)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].name, name) == 0 && (!options[i].sentinel || url->kind == REDIS_SENTINEL) &&
            (!options[i].tls || url->tls))
            return &options[i];
    return NULL;
}

static int parse_option(char *text, struct redis_url *url, struct err *err)
{
    char *value = strchr(text, '=');
    const struct option *option;
    char **field;

    if (!value) /* it may be the rest of a password that holds an & */
        return refuse(err, "an option is written name=value, and an & in the value %26");
    *value++ = '\0';
    if (strcmp(text, "db") == 0 && url->kind == REDIS_SENTINEL)
        return parse_db(value, url, err);
    option = find_option(text, url);
    if (!option) {
        err_set(err, ST_CONFIG, "an address of this kind has no option \"%s\"", text);
        return -1;
    }
    field = (char **)((char *)url + option->offset);
    free(*field);
    *field = percent_decode(value, strlen(value), err);
    if (*field)
        return 0;
    err_set(err, ST_CONFIG, "the option \"%s\" has a bad %%XX escape", text);
    return -1;
}

static int parse_options(char *text, struct redis_url *url, struct err *err)
{
    for (char *next = text; text; text = next) {
        next = strchr(text, '&');
        if (next)
            *next++ = '\0';
        if (parse_option(text, url, err) != 0)
            return -1;
    }
    if (!url->cert == !url->key)
        return 0;
    return refuse(err, "the options \"cert\" and \"key\" come together");
}

/* ---- the whole ---- */

static char *cut(char *text, char at)
{
    char *found = strchr(text, at);

    if (found)
        *found++ = '\0';
    return found;
}

static int parse_tcp(const char *rest, struct redis_url *url, struct err *err)
{
    const char *at = strrchr(rest, '@');
    char *address, *query, *path;
    int result = -1;

    if (at && parse_credentials(rest, (size_t)(at - rest), url, err) != 0)
        return -1;
    address = mem_strdup(at ? at + 1 : rest);
    if (!address)
        return refuse_memory(err);
    query = cut(address, '?');
    path = cut(address, '/');
    if (parse_addresses(address, url, err) == 0 && parse_rest(path ? path : "", url, err) == 0 &&
        (!query || parse_options(query, url, err) == 0))
        result = url->tls ? redis_tls_check(err) : 0;
    free(address);
    return result;
}

static int parse_unix(const char *rest, struct redis_url *url, struct err *err)
{
    const char *query = strchr(rest, '?');

    url->path = query ? mem_strndup(rest, (size_t)(query - rest)) : mem_strdup(rest);
    if (!url->path)
        return refuse_memory(err);
    if (url->path[0] != '/')
        return refuse(err, "unix:// needs an absolute path: unix:///run/redis/redis.sock");
    if (query && (strncmp(query, "?db=", 4) != 0 || parse_number(query + 4, 0, MAX_DB, &url->db) != 0))
        return refuse(err, "after the path of unix:// only ?db=NUMBER is known"); /* no password=… */
    return 0;
}

static const struct {
    const char *prefix;
    enum redis_kind kind;
    bool tls;
} schemes[] = {
    {"redis://", REDIS_SINGLE, false},
    {"rediss://", REDIS_SINGLE, true},
    {"redis+sentinel://", REDIS_SENTINEL, false},
    {"rediss+sentinel://", REDIS_SENTINEL, true},
    {"redis+cluster://", REDIS_CLUSTER, false},
    {"rediss+cluster://", REDIS_CLUSTER, true},
};

static int parse_any(const char *text, struct redis_url *url, struct err *err)
{
    if (strncmp(text, "unix://", 7) == 0)
        return parse_unix(text + 7, url, err);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i].prefix);

        if (strncmp(text, schemes[i].prefix, len) != 0)
            continue;
        url->kind = schemes[i].kind;
        url->tls = schemes[i].tls;
        return parse_tcp(text + len, url, err);
    }
    err_set(err, ST_CONFIG,
            "\"%s\" is no Redis address: it begins with redis://, redis+sentinel://, redis+cluster://, "
            "rediss:// or unix://",
            strpbrk(text, "@?") ? "…" : text); /* a password may stand before an @ or behind a ? */
    return -1;
}

int redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err)
{
    struct redis_url url = {0};

    if (parse_any(text, &url, err) != 0) {
        redis_url_free(&url);
        return -1;
    }
    *ret_url = url;
    return 0;
}
