#include "common/redis_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { DEFAULT_PORT = 6379, MAX_DB = 1 << 20 };

static int hex_value(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX; NULL when malformed or when it would hold a NUL. */
static char *percent_decode(const char *text, size_t len)
{
    char *out = mem_alloc(len + 1);
    size_t n = 0;

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

static int parse_unix(const char *rest, struct redis_url *url, struct err *err)
{
    const char *query = strchr(rest, '?');

    url->path = query ? mem_strndup(rest, (size_t)(query - rest)) : mem_strdup(rest);
    if (url->path[0] != '/') {
        err_set(err, ST_CONFIG, "unix:// needs an absolute path: unix:///run/redis/redis.sock");
        return -1;
    }
    if (query && (strncmp(query, "?db=", 4) != 0 || parse_number(query + 4, 0, MAX_DB, &url->db) != 0)) {
        err_set(err, ST_CONFIG, "after the path of unix:// only ?db=NUMBER is known, not \"%s\"", query);
        return -1;
    }
    return 0;
}

static int parse_credentials(const char *text, size_t len, struct redis_url *url, struct err *err)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : len;

    if (user_len)
        url->user = percent_decode(text, user_len);
    if (colon)
        url->password = percent_decode(colon + 1, len - user_len - 1);
    if ((user_len && !url->user) || (colon && !url->password)) {
        err_set(err, ST_CONFIG, "the user or password has a bad %%XX escape");
        return -1;
    }
    return 0;
}

static int parse_address(char *address, struct redis_url *url, struct err *err)
{
    char *port, *end;

    if (address[0] == '[') {
        end = strchr(address, ']');
        if (!end) {
            err_set(err, ST_CONFIG, "the IPv6 address has no closing ]");
            return -1;
        }
        url->host = mem_strndup(address + 1, (size_t)(end - address - 1));
        port = end[1] ? end + 1 : NULL;
    } else {
        port = strchr(address, ':');
        url->host = port ? mem_strndup(address, (size_t)(port - address)) : mem_strdup(address);
    }
    if (!url->host[0]) {
        err_set(err, ST_CONFIG, "no host");
        return -1;
    }
    if (port && (*port != ':' || parse_number(port + 1, 1, 65535, &url->port) != 0)) {
        err_set(err, ST_CONFIG, "what follows the host is no port number from 1 to 65535");
        return -1;
    }
    return 0;
}

static int parse_tcp(const char *rest, struct redis_url *url, struct err *err)
{
    const char *at = strrchr(rest, '@');
    char *address, *slash;
    int result;

    url->port = DEFAULT_PORT;
    if (at && parse_credentials(rest, (size_t)(at - rest), url, err) != 0)
        return -1;
    address = mem_strdup(at ? at + 1 : rest);
    slash = strchr(address, '/');
    if (slash)
        *slash++ = '\0';
    result = parse_address(address, url, err);
    if (result == 0 && slash && *slash && parse_number(slash, 0, MAX_DB, &url->db) != 0) {
        err_set(err, ST_CONFIG, "\"%s\" is no database number", slash);
        result = -1;
    }
    free(address);
    return result;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static int parse_any(const char *text, struct redis_url *url, struct err *err)
{
    const char *rest;

    if ((rest = skip_prefix(text, "unix://")))
        return parse_unix(rest, url, err);
    if ((rest = skip_prefix(text, "redis://")))
        return parse_tcp(rest, url, err);
    if (skip_prefix(text, "redis+sentinel://") || skip_prefix(text, "redis+cluster://") ||
        skip_prefix(text, "rediss://"))
        err_set(err, ST_CONFIG,
                "Sentinel, Cluster and TLS addresses are not supported by this version; "
                "use redis://host:port or unix://path");
    else
        err_set(err, ST_CONFIG, "\"%s\" is no Redis address: it begins with redis:// or unix://",
                strchr(text, '@') ? "…" : text); /* what stands before an @ may be a password */
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

void redis_url_free(struct redis_url *url)
{
    free(url->path);
    free(url->host);
    free(url->user);
    free(url->password);
    *url = (struct redis_url){0};
}

void redis_url_copy(struct redis_url *to, const struct redis_url *from)
{
    redis_url_free(to);
    *to = *from;
    to->path = mem_strdup(from->path);
    to->host = mem_strdup(from->host);
    to->user = mem_strdup(from->user);
    to->password = mem_strdup(from->password);
}

void redis_url_set_password(struct redis_url *url, const char *password)
{
    if (!password)
        return;
    free(url->password);
    url->password = mem_strdup(password);
}

char *redis_url_show(const struct redis_url *url)
{
    if (url->path)
        return mem_printf("unix://%s", url->path);
    return mem_printf(strchr(url->host, ':') ? "redis://[%s]:%d" : "redis://%s:%d", url->host, url->port);
}
