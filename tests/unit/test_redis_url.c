/* common/redis_url.h */
#include "common/redis_url.h"

#include "unit.h"

static const struct {
    const char *text;
    struct {
        const char *path, *host, *user, *password;
        int port, db;
    } url;
    const char *shown;
} good[] = {
    {"redis://host", {.host = "host", .port = 6379}, "redis://host:6379"},
    {"redis://host/", {.host = "host", .port = 6379}, "redis://host:6379"},
    {"redis://127.0.0.1:6380", {.host = "127.0.0.1", .port = 6380}, "redis://127.0.0.1:6380"},
    {"redis://host:1/5", {.host = "host", .port = 1, .db = 5}, "redis://host:1"},
    {"redis://host:65535", {.host = "host", .port = 65535}, "redis://host:65535"},
    {"redis://[::1]", {.host = "::1", .port = 6379}, "redis://[::1]:6379"},
    {"redis://[fe80::1]:7000/2", {.host = "fe80::1", .port = 7000, .db = 2}, "redis://[fe80::1]:7000"},
    {"redis://:secret@host", {.host = "host", .port = 6379, .password = "secret"}, "redis://host:6379"},
    {"redis://me:secret@host:1/2",
     {.host = "host", .port = 1, .db = 2, .user = "me", .password = "secret"},
     "redis://host:1"},
    {"redis://m%65:p%40%2F%3a%25%0a@host",
     {.host = "host", .port = 6379, .user = "me", .password = "p@/:%\n"},
     "redis://host:6379"},
    {"redis://:a:b@c/d@host", {.host = "host", .port = 6379, .password = "a:b@c/d"}, "redis://host:6379"},
    {"redis://:a?b=c@host", {.host = "host", .port = 6379, .password = "a?b=c"}, "redis://host:6379"},
    {"redis://:secret@[::1]:1", {.host = "::1", .port = 1, .password = "secret"}, "redis://[::1]:1"},
    {"unix:///run/redis.sock", {.path = "/run/redis.sock"}, "unix:///run/redis.sock"},
    {"unix:///a b?db=3", {.path = "/a b", .db = 3}, "unix:///a b"},
};

static struct redis_url parsed(const char *text)
{
    struct redis_url url;
    struct err err = ERR_NONE;

    ck_assert_msg(redis_url_parse(text, &url, &err) == 0, "%s: %s", text, err.text);
    return url;
}

static void shown_as(const struct redis_url *url, const char *text)
{
    char *shown = redis_url_show(url);

    ck_assert_str_eq(shown, text);
    free(shown);
}

START_TEST(addresses)
{
    struct redis_url url = parsed(good[_i].text);

    ck_assert_int_eq(url.kind, REDIS_SINGLE);
    ck_assert_pstr_eq(url.path, good[_i].url.path);
    ck_assert_uint_eq(url.naddresses, url.path ? 0 : 1);
    if (!url.path) {
        ck_assert_str_eq(url.addresses[0].host, good[_i].url.host);
        ck_assert_int_eq(url.addresses[0].port, good[_i].url.port);
    }
    ck_assert_pstr_eq(url.user, good[_i].url.user);
    ck_assert_pstr_eq(url.password, good[_i].url.password);
    ck_assert_int_eq(url.db, good[_i].url.db);
    shown_as(&url, good[_i].shown);
    redis_url_free(&url);
}
END_TEST

static const struct {
    const char *text;
    enum redis_kind kind;
    const char *shown;
    const char *master, *user, *password, *sentinel_user, *sentinel_password;
    int db;
} many[] = {
    {.text = "redis+sentinel://s1/main",
     .kind = REDIS_SENTINEL,
     .shown = "redis+sentinel://s1:26379/main",
     .master = "main"},
    {.text = "redis+sentinel://me:secret@s1:1,s2,[::1]:3/"
             "my%2fmain?db=4&sentinel_password=s%40%26&sentinel_user=you",
     .kind = REDIS_SENTINEL,
     .shown = "redis+sentinel://s1:1,s2:26379,[::1]:3/my/main",
     .master = "my/main",
     .user = "me",
     .password = "secret",
     .sentinel_user = "you",
     .sentinel_password = "s@&",
     .db = 4},
    {.text = "redis+cluster://h1:7000,h2", .kind = REDIS_CLUSTER, .shown = "redis+cluster://h1:7000,h2:6379"},
    {.text = "redis+cluster://:secret@[::1]:1,[::2]/0",
     .kind = REDIS_CLUSTER,
     .shown = "redis+cluster://[::1]:1,[::2]:6379",
     .password = "secret"},
};

START_TEST(several_addresses)
{
    struct redis_url url = parsed(many[_i].text), copy = {0};

    redis_url_copy(&copy, &url);
    redis_url_free(&url);
    ck_assert_int_eq(copy.kind, many[_i].kind);
    ck_assert_pstr_eq(copy.master, many[_i].master);
    ck_assert_pstr_eq(copy.user, many[_i].user);
    ck_assert_pstr_eq(copy.password, many[_i].password);
    ck_assert_pstr_eq(copy.sentinel_user, many[_i].sentinel_user);
    ck_assert_pstr_eq(copy.sentinel_password, many[_i].sentinel_password);
    ck_assert_int_eq(copy.db, many[_i].db);
    shown_as(&copy, many[_i].shown);
    redis_url_free(&copy);
}
END_TEST

/* The credentials of the data are not shown to a sentinel, nor the other way round. */
START_TEST(one_of_several)
{
    struct redis_url url = parsed("redis+sentinel://me:mine@s1,s2:2/main?db=4&sentinel_password=theirs");
    struct redis_url one = {0};

    redis_url_to_sentinel(&one, &url, 1);
    shown_as(&one, "redis://s2:2");
    ck_assert_ptr_null(one.user);
    ck_assert_str_eq(one.password, "theirs");
    ck_assert_int_eq(one.db, 0);
    redis_url_to_server(&one, &url, "::1", 7);
    shown_as(&one, "redis://[::1]:7");
    ck_assert_str_eq(one.user, "me");
    ck_assert_str_eq(one.password, "mine");
    ck_assert_int_eq(one.db, 4);
    redis_url_free(&one);
    redis_url_free(&url);
}
END_TEST

static const struct {
    const char *text;
    const char *words;
} bad[] = {
    {"", "redis://"},
    {"host:6379", "redis://"},
    {"http://host", "redis://"},
    {"REDIS://host", "redis://"},
    {"redis:/host", "redis://"},
    {"redis://", "no host"},
    {"redis://:6379", "no host"},
    {"redis://:secret@", "no host"},
    {"redis://:secret@:1", "no host"},
    {"redis://[]", "no host"},
    {"redis://[::1", "]"},
    {"redis://[::1]6380", "port"},
    {"redis://host:", "port"},
    {"redis://host:0", "port"},
    {"redis://host:65536", "port"},
    {"redis://host:-1", "port"},
    {"redis://host:12x", "port"},
    {"redis://host:99999999999999999999", "port"},
    {"redis://host/x", "database"},
    {"redis://host/-1", "database"},
    {"redis://host/1x", "database"},
    {"redis://host/1/2", "database"},
    {"redis://host/99999999999999999999", "database"},
    {"redis://:p%4@host", "%XX"},
    {"redis://:p%@host", "%XX"},
    {"redis://:p%z4@host", "%XX"},
    {"redis://:p%4z@host", "%XX"},
    {"redis://:p%00@host", "%XX"},
    {"redis://m%0g:p@host", "%XX"},
    {"unix://", "absolute"},
    {"unix://run/redis.sock", "absolute"},
    {"unix:///s?db=x", "?db="},
    {"unix:///s?db=", "?db="},
    {"unix:///s?database=1", "?db="},
    {"unix:///s?db=1&x=2", "?db="},
    {"unix:///s?db=1&password=secret", "?db="},
    {"valkey://host/0?password=secret", "redis://"},
    {"redis://host?x=1", "option \"x\""},
    {"redis://host?db=1", "option \"db\""},
    {"redis://host?cacert=/x", "option \"cacert\""},
    {"redis://h1:1,h2", "port"},
    {"redis://h1:1,h2:2", "port"},
    {"redis+sentinel://h1:1,h2:2", "master"},
    {"redis+sentinel://h1:1,h2:2/", "master"},
    {"redis+sentinel://h1:1/%zz", "%XX"},
    {"redis+sentinel://h1,/main", "no host"},
    {"redis+sentinel:///main", "no host"},
    {"redis+sentinel://h1/main?db=x", "database"},
    {"redis+sentinel://h1/main?db", "name=value"},
    {"redis+sentinel://h1/main?password=secret", "option \"password\""},
    {"redis+sentinel://h1/main?sentinel_password=%", "%XX"},
    {"redis+sentinel://h1/main?sentinel_password=top&secret", "%26"},
    {"redis+sentinel://h1/main?sentinel_user=a@b&sentinel_password=secret/x", "%40"},
    {"redis://host&password=secret", "host holds"},
    {"redis://host/0&password=secret", "database"},
    {"redis+sentinel://h1/main&sentinel_password=secret", "begin with ?"},
    {"redis+sentinel://h1/main?db=0sentinel_password=secret", "database"},
    {"redis+cluster://h1:1/2", "database"},
    {"redis+cluster://h1:1?db=0", "option \"db\""},
    {"redis+cluster://h1,,h2", "no host"},
    {"rediss://", "no host"},
    {"rediss://host?sentinel_password=secret", "option \"sentinel_password\""},
    {"rediss://host?cert=/x", "\"key\""},
    {"rediss://host?key=/x&sni=name", "\"cert\""},
#ifndef PGUSHER_TLS
    {"rediss://host", "hiredis"},
    {"rediss+sentinel://h1/main", "hiredis"},
    {"rediss+cluster://h1", "hiredis"},
#endif
};

START_TEST(bad_addresses)
{
    struct redis_url url = {.db = -7}, untouched = url;
    struct err err = ERR_NONE;

    ck_assert_msg(redis_url_parse(bad[_i].text, &url, &err) == -1, "\"%s\" is accepted", bad[_i].text);
    ck_assert_int_eq(err.status, ST_CONFIG);
    ck_assert_msg(strstr(err.text, bad[_i].words), "%s: %s", bad[_i].text, err.text);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_mem_eq(&url, &untouched, sizeof(url));
}
END_TEST

START_TEST(free_empties)
{
    struct redis_url url = {0}, empty = {0};
    struct err err = ERR_NONE;

    redis_url_free(&url);
    ck_assert_int_eq(redis_url_parse("redis://a:b@c:1/2", &url, &err), 0);
    redis_url_free(&url);
    ck_assert_mem_eq(&url, &empty, sizeof(url));
}
END_TEST

#ifdef PGUSHER_TLS
START_TEST(tls)
{
    struct redis_url url = parsed("rediss+sentinel://s1/main?cacert=/ca%20pem&cert=/c&key=/k&sni=n"),
                     one = {0};

    shown_as(&url, "rediss+sentinel://s1:26379/main");
    redis_url_to_sentinel(&one, &url, 0);
    shown_as(&one, "rediss://s1:26379");
    ck_assert(one.tls);
    ck_assert_str_eq(one.cacert, "/ca pem");
    ck_assert_str_eq(one.cert, "/c");
    ck_assert_str_eq(one.key, "/k");
    ck_assert_str_eq(one.sni, "n");
    redis_url_free(&one);
    redis_url_free(&url);
}
END_TEST
#define UNIT_TLS UNIT(tls),
#else
#define UNIT_TLS
#endif

UNIT_MAIN("redis_url", UNIT_TLS UNIT_ROWS(addresses, good), UNIT_ROWS(several_addresses, many),
          UNIT(one_of_several), UNIT_ROWS(bad_addresses, bad), UNIT(free_empties))
