/* common/redis_url.h: an address is refused with a reason, or what it says comes out of it: written down
 * again it is read the same. No message shows a password. */
#include "common/redis_url.h"

#include "common/buf.h"
#include "fuzz.h"

#define SECRET "hunter2"

/* ---- no password in messages ---- */

/* Whether all that reads SECRET in this text is what a person would take for a password. */
static bool is_secret(const char *text)
{
    static const char option[] = "password=";
    const char *found = strstr(text, SECRET), *scheme = strstr(text, "://");

    if (!found || !scheme)
        return false;
    for (; found; found = strstr(found + 1, SECRET)) {
        size_t before = (size_t)(found - text);
        bool is_option = before >= strlen(option) &&
                         memcmp(found - strlen(option), option, strlen(option)) == 0 &&
                         memchr(text, '?', before);
        bool is_credential = found > scheme + 3 && found[-1] == ':' && found[strlen(SECRET)] == '@' &&
                             !strchr(found + strlen(SECRET) + 1, '@') &&
                             !memchr(scheme + 3, '/', (size_t)(found - scheme - 3));

        if (!is_option && !is_credential)
            return false;
    }
    return true;
}

/* ---- reading what was written ---- */

static void put_encoded(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_printf(out, "%%%02x", (unsigned char)*text);
}

static void put_option(struct buf *out, char *mark, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "%c%s=", *mark, name);
    put_encoded(out, value);
    *mark = '&';
}

/* redis_url_show leaves out who, the database and the options. */
static char *write_whole(const struct redis_url *url)
{
    static const char *const schemes[] = {"redis", "redis+sentinel", "redis+cluster"};
    struct buf out = BUF_NONE;
    char mark = '?';

    if (url->path) {
        buf_printf(&out, "unix://%s?db=%d", url->path, url->db);
        return buf_take(&out);
    }
    buf_printf(&out, "%s%s://", url->tls ? "rediss" : "redis", schemes[url->kind] + strlen("redis"));
    if (url->user)
        put_encoded(&out, url->user);
    if (url->password) {
        buf_puts(&out, ":");
        put_encoded(&out, url->password);
    }
    buf_puts(&out, url->user || url->password ? "@" : "");
    for (size_t i = 0; i < url->naddresses; i++) {
        const char *host = url->addresses[i].host;
        bool in_brackets = strchr(host, ':') || host[0] == '[';

        buf_printf(&out, in_brackets ? "%s[%s]:%d" : "%s%s:%d", i ? "," : "", host, url->addresses[i].port);
    }
    buf_puts(&out, "/");
    if (url->kind == REDIS_SENTINEL) {
        put_encoded(&out, url->master);
        buf_printf(&out, "?db=%d", url->db);
        mark = '&';
    } else {
        buf_printf(&out, "%d", url->db);
    }
    put_option(&out, &mark, "sentinel_user", url->sentinel_user);
    put_option(&out, &mark, "sentinel_password", url->sentinel_password);
    put_option(&out, &mark, "cacert", url->cacert);
    put_option(&out, &mark, "cert", url->cert);
    put_option(&out, &mark, "key", url->key);
    put_option(&out, &mark, "sni", url->sni);
    return buf_take(&out);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_addresses(const struct redis_url *a, const struct redis_url *b)
{
    if (a->naddresses != b->naddresses)
        return false;
    for (size_t i = 0; i < a->naddresses; i++)
        if (!same(a->addresses[i].host, b->addresses[i].host) || a->addresses[i].port != b->addresses[i].port)
            return false;
    return true;
}

static bool same_url(const struct redis_url *a, const struct redis_url *b)
{
    return a->kind == b->kind && same(a->path, b->path) && same_addresses(a, b) &&
           same(a->master, b->master) && a->db == b->db && same(a->user, b->user) &&
           same(a->password, b->password) && same(a->sentinel_user, b->sentinel_user) &&
           same(a->sentinel_password, b->sentinel_password) && a->tls == b->tls &&
           same(a->cacert, b->cacert) && same(a->cert, b->cert) && same(a->key, b->key) &&
           same(a->sni, b->sni);
}

static void check_again(const char *text, const char *first, const struct redis_url *url)
{
    struct err err = ERR_NONE;
    struct redis_url again;

    must(redis_url_parse(text, &again, &err) == 0, "%s, read as %s, is refused: %s", first, text, err.text);
    must(same_url(url, &again), "%s is another one when written as %s", first, text);
    redis_url_free(&again);
}

/* What is shown leads to the same servers. A host or path of odd characters may show otherwise than it can be
 * written. */
static void check_shown(const char *text, const struct redis_url *url, const char *shown)
{
    struct err err = ERR_NONE;
    struct redis_url again;

    if (url->path ? strchr(url->path, '?') != NULL : strpbrk(shown, "%@?") != NULL)
        return;
    for (size_t i = 0; i < url->naddresses; i++)
        if (strpbrk(url->addresses[i].host, "[]/"))
            return;
    must(redis_url_parse(shown, &again, &err) == 0, "%s, shown as %s, is refused: %s", text, shown, err.text);
    must(same_addresses(url, &again) && same(url->path, again.path) && same(url->master, again.master) &&
             url->kind == again.kind && url->tls == again.tls,
         "%s is shown as %s", text, shown);
    redis_url_free(&again);
}

static void check_good(const char *text, const struct redis_url *url)
{
    char *shown = redis_url_show(url), *whole = write_whole(url);
    struct redis_url copy = {0};

    must(url->naddresses > 0 || url->path, "%s leads nowhere", text);
    must(url->kind != REDIS_SENTINEL || url->master, "%s names no master", text);
    must(!url->cert == !url->key && (url->tls || !url->cert), "%s has half a certificate", text);
    must(!is_secret(text) || !strstr(shown, SECRET), "%s is shown as %s", text, shown);
    check_again(whole, text, url);
    check_shown(text, url, shown);
    redis_url_copy(&copy, url);
    must(same_url(url, &copy), "a copy of %s is another one", text);
    for (size_t i = 0; i < url->naddresses; i++) {
        redis_url_to_sentinel(&copy, url, i);
        must(same(copy.password, url->sentinel_password) && same(copy.user, url->sentinel_user),
             "a sentinel of %s is shown other credentials than its own", text);
    }
    redis_url_free(&copy);
    free(shown);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *text = input_text(&input, '\0');
    struct redis_url url = {.db = -7}, untouched = url;
    struct err err = ERR_NONE;

    if (redis_url_parse(text, &url, &err) == 0) {
        must(err.status == ST_OK, "%s is taken with: %s", text, err.text);
        check_good(text, &url);
        redis_url_free(&url);
    } else {
        must(err.status == ST_CONFIG && err.text[0], "%s is refused without a reason", text);
        must(memcmp(&url, &untouched, sizeof(url)) == 0, "%s is refused, and leaves something", text);
        must(!is_secret(text) || !strstr(err.text, SECRET), "%s: %s", text, err.text);
    }
    free(text);
    return 0;
}
