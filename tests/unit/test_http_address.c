/* common/http_address.h: what is an address to listen on. Wrong ones: test_config_errors.c. */
#include "unit.h"

#include "common/http_address.h"

static const struct {
    const char *text;
    int family;
    uint16_t first_port, last_port;
    bool is_loopback;
} good[] = {
    {"127.0.0.1:9187", AF_INET, 9187, 9187, true},
    {":9187", AF_INET, 9187, 9187, true},
    {"localhost:0", AF_INET, 0, 0, true},
    {"127.1.2.3:1-65535", AF_INET, 1, 65535, true},
    {"[::1]:9187-9190", AF_INET6, 9187, 9190, true},
    {"0.0.0.0:80", AF_INET, 80, 80, false},
    {"[::]:80", AF_INET6, 80, 80, false},
    {"10.0.0.1:80", AF_INET, 80, 80, false},
};

START_TEST(good_ones)
{
    struct http_address address;
    struct err err = ERR_NONE;

    ck_assert_int_eq(http_address_parse(good[_i].text, &address, &err), 0);
    ck_assert_int_eq(address.socket.any.sa_family, good[_i].family);
    ck_assert_uint_eq(address.first_port, good[_i].first_port);
    ck_assert_uint_eq(address.last_port, good[_i].last_port);
    ck_assert_int_eq(http_address_is_loopback(&address), good[_i].is_loopback);
}
END_TEST

static const char *const bad[] = {"",
                                  "x",
                                  "9187",
                                  "127.0.0.1",
                                  "127.0.0.1:",
                                  "127.0.0.1:x",
                                  ":99999",
                                  ":1-",
                                  ":-1",
                                  ":5-4",
                                  ":0-4",
                                  "[::1:80",
                                  "[]:80",
                                  "::1:80",
                                  "[x]:80",
                                  "1.2.3:80",
                                  "evil.example:80",
                                  ":80 ",
                                  ":+80",
                                  " :80",
                                  "[::1]80",
                                  "http://1.1.1.1:80"};

START_TEST(bad_ones)
{
    struct http_address address;
    struct err err = ERR_NONE;

    ck_assert_int_eq(http_address_parse(bad[_i], &address, &err), -1);
    ck_assert_int_eq(err.status, ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1:9187"));
}
END_TEST

START_TEST(a_taken_port_is_passed_over)
{
    struct http_address address;
    struct err err = ERR_NONE;
    char *name, *range;
    int first, second, port;

    ck_assert_int_eq(http_address_parse(":0", &address, &err), 0);
    first = http_listen(&address, &err);
    ck_assert_int_ge(first, 0);
    name = http_listener_name(first);
    port = atoi(strrchr(name, ':') + 1);
    ck_assert(asprintf(&range, "127.0.0.1:%d-%d", port, port < 65000 ? port + 50 : 65535) > 0);
    ck_assert_int_eq(http_address_parse(name, &address, &err), 0);
    ck_assert_int_eq(http_listen(&address, &err), -1);
    ck_assert_int_eq(err.status, ST_AGAIN);
    err_clear(&err);
    ck_assert_int_eq(http_address_parse(range, &address, &err), 0);
    second = http_listen(&address, &err);
    ck_assert_int_ge(second, 0);
    free(name);
    free(range);
    close(first);
    close(second);
}
END_TEST

UNIT_MAIN("http_address", UNIT_ROWS(good_ones, good), UNIT_ROWS(bad_ones, bad),
          UNIT(a_taken_port_is_passed_over))
