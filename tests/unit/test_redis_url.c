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
    {"redis://:secret@[::1]:1", {.host = "::1", .port = 1, .password = "secret"}, "redis://[::1]:1"},
    {"unix:///run/redis.sock", {.path = "/run/redis.sock"}, "unix:///run/redis.sock"},
    {"unix:///a b?db=3", {.path = "/a b", .db = 3}, "unix:///a b"},
};

START_TEST(addresses)
{
    struct redis_url url;
    struct err err = ERR_NONE;
    char *shown;

    ck_assert_msg(redis_url_parse(good[_i].text, &url, &err) == 0, "%s: %s", good[_i].text, err.text);
    ck_assert_pstr_eq(url.path, good[_i].url.path);
    ck_assert_pstr_eq(url.host, good[_i].url.host);
    ck_assert_pstr_eq(url.user, good[_i].url.user);
    ck_assert_pstr_eq(url.password, good[_i].url.password);
    ck_assert_int_eq(url.port, good[_i].url.port);
    ck_assert_int_eq(url.db, good[_i].url.db);
    shown = redis_url_show(&url);
    ck_assert_str_eq(shown, good[_i].shown);
    free(shown);
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
    {"redis+sentinel://h1:1,h2:2/main", "not supported"},
    {"redis+cluster://h1:1", "not supported"},
    {"rediss://host", "not supported"},
};

START_TEST(bad_addresses)
{
    struct redis_url url = {.port = -7}, untouched = url;
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

UNIT_MAIN("redis_url", UNIT_ROWS(addresses, good), UNIT_ROWS(bad_addresses, bad), UNIT(free_empties))
