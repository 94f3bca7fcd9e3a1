/* common/redis_nodes.h and common/redis_slot_map.h: what servers say about where the data is. */
#include "common/redis_nodes.h"

#include <hiredis/hiredis.h>

#include "common/redis_slot_map.h"
#include "unit.h"

static redisReply *reply_of(const char *wire)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    redisReaderFeed(reader, wire, strlen(wire));
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    redisReaderFree(reader);
    return reply;
}

/* ---- Sentinel ---- */

static const struct {
    const char *wire;
    bool good;
} masters[] = {
    {"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n", true},
    {"*2\r\n$0\r\n\r\n$4\r\n6380\r\n", false},
    {"*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n", false},
    {"*2\r\n$9\r\n127.0.0.1\r\n:6380\r\n", false},
    {"*1\r\n$9\r\n127.0.0.1\r\n", false},
    {"*-1\r\n", false},
    {"+OK\r\n", false},
};

START_TEST(who_is_the_master)
{
    redisReply *reply = reply_of(masters[_i].wire);
    const char *host = NULL;
    int port = 0;

    ck_assert_int_eq(redis_read_master(reply, &host, &port), masters[_i].good);
    ck_assert_pstr_eq(host, masters[_i].good ? "127.0.0.1" : NULL);
    ck_assert_int_eq(port, masters[_i].good ? 6380 : 0);
    freeReplyObject(reply);
}
END_TEST

static const struct {
    const char *wire;
    int epoch;
} epochs[] = {
    {"*4\r\n$4\r\nname\r\n$4\r\nmain\r\n$12\r\nconfig-epoch\r\n$2\r\n17\r\n", 17},
    {"*2\r\n$4\r\nmain\r\n$12\r\nconfig-epoch\r\n", 0},
    {"*3\r\n$4\r\nname\r\n$4\r\nmain\r\n$12\r\nconfig-epoch\r\n", 0},
    {"+OK\r\n", 0},
};

START_TEST(since_when)
{
    redisReply *reply = reply_of(epochs[_i].wire);

    ck_assert_int_eq(redis_read_master_epoch(reply), epochs[_i].epoch);
    freeReplyObject(reply);
}
END_TEST

static const struct {
    const char *wire;
    bool primary;
} roles[] = {
    {"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", true},
    {"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n", false},
    {"*2\r\n$8\r\nsentinel\r\n*0\r\n", false},
    {"*0\r\n", false},
    {"+master\r\n", false},
};

START_TEST(what_it_says_it_is)
{
    redisReply *reply = reply_of(roles[_i].wire);

    ck_assert_int_eq(redis_is_primary(reply), roles[_i].primary);
    freeReplyObject(reply);
}
END_TEST

/* ---- Cluster ---- */

static const struct {
    const char *info;
    int epoch;
} infos[] = {
    {"cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:12\r\n", 12},
    {"cluster_state:fail\r\ncluster_current_epoch:12\r\n", -1},
    {"cluster_state:ok\r\n", -1},
    {"", -1},
};

START_TEST(how_the_cluster_is)
{
    ck_assert_int_eq(redis_read_cluster_epoch(infos[_i].info), infos[_i].epoch);
}
END_TEST

static const struct {
    const char *error;
    bool ask;
    int slot;
    const char *address; /* NULL: it is no redirection */
} redirects[] = {
    {"MOVED 3999 127.0.0.1:6381", false, 3999, "127.0.0.1:6381"},
    {"ASK 16383 ::1:6381", true, 16383, "::1:6381"},
    {"MOVED 0 :7000", false, 0, ":7000"},
    {"MOVED 16384 127.0.0.1:6381", false, 0, NULL},
    {"MOVED -1 127.0.0.1:6381", false, 0, NULL},
    {"MOVED 1", false, 0, NULL},
    {"MOVED x 127.0.0.1:6381", false, 0, NULL},
    {"MOVED 1x 127.0.0.1:6381", false, 0, NULL},
    {"MOVED  127.0.0.1:6381", false, 0, NULL},
    {"MOVED", false, 0, NULL},
    {"ASKING is no command", false, 0, NULL},
    {"ERR MOVED 1 127.0.0.1:6381", false, 0, NULL},
    {"", false, 0, NULL},
};

START_TEST(sent_elsewhere)
{
    struct redis_redirect redirect;

    ck_assert_int_eq(redis_read_redirect(redirects[_i].error, &redirect), redirects[_i].address != NULL);
    if (!redirects[_i].address)
        return;
    ck_assert_int_eq(redirect.ask, redirects[_i].ask);
    ck_assert_int_eq(redirect.slot, redirects[_i].slot);
    ck_assert_str_eq(redirect.address, redirects[_i].address);
}
END_TEST

static const struct {
    const char *text;
    const char *host; /* NULL: it is no address */
    int port;
} addresses[] = {
    {"127.0.0.1:6381", "127.0.0.1", 6381},
    {"::1:6381", "::1", 6381},
    {":6381", "same", 6381},
    {"host", NULL, 0},
    {"host:", NULL, 0},
    {"host:0", NULL, 0},
    {"host:65536", NULL, 0},
    {"host:4294967297", NULL, 0},
    {"host:80x", NULL, 0},
};

START_TEST(host_and_port)
{
    char *host = NULL;
    int port = 0;

    ck_assert_int_eq(redis_read_address(addresses[_i].text, "same", &host, &port),
                     addresses[_i].host != NULL);
    ck_assert_pstr_eq(host, addresses[_i].host);
    ck_assert_int_eq(port, addresses[_i].port);
    free(host);
}
END_TEST

#define NODE(host, port) "*3\r\n" host ":" port "\r\n$2\r\nid\r\n"
#define A NODE("$1\r\na\r\n", "7001")
#define B NODE("$1\r\nb\r\n", "7002")
#define ASKED NODE("$-1\r\n", "7001")
#define RANGE(first, last) ":" first "\r\n:" last "\r\n"

/* b's replica is a; a's second range stands behind b's. */
#define WHOLE                                                                                                \
    "*3\r\n*3\r\n" RANGE("0", "99") A "*4\r\n" RANGE("100", "16000") B A "*3\r\n" RANGE("16001", "16383") A

START_TEST(a_map)
{
    redisReply *reply = reply_of(WHOLE);
    struct slot_map *map = slot_map_read(reply, "asked");

    ck_assert_ptr_nonnull(map);
    ck_assert_uint_eq(map->count, 2);
    ck_assert_int_eq(slot_map_find(map, "a", 7001), 0);
    ck_assert_int_eq(slot_map_find(map, "b", 7002), 1);
    ck_assert_int_eq(slot_map_find(map, "b", 7001), -1);
    ck_assert_int_eq(map->owner[0], 0);
    ck_assert_int_eq(map->owner[99], 0);
    ck_assert_int_eq(map->owner[100], 1);
    ck_assert_int_eq(map->owner[16000], 1);
    ck_assert_int_eq(map->owner[16383], 0);
    ck_assert_int_eq(map->owner[slot_map_drawn_slot(map, 0)], 0);
    ck_assert_int_eq(map->owner[slot_map_drawn_slot(map, 1)], 1);
    slot_map_free(map);
    freeReplyObject(reply);
}
END_TEST

START_TEST(a_node_that_does_not_know_its_name)
{
    redisReply *reply = reply_of("*1\r\n*3\r\n" RANGE("0", "16383") ASKED);
    struct slot_map *map = slot_map_read(reply, "asked");

    ck_assert_ptr_nonnull(map);
    ck_assert_str_eq(map->primaries[0].host, "asked");
    slot_map_free(map);
    freeReplyObject(reply);
}
END_TEST

static const char *const bad_maps[] = {
    "*0\r\n",
    "+OK\r\n",
    "*1\r\n*3\r\n" RANGE("0", "16382") A,
    "*2\r\n*3\r\n" RANGE("0", "99") A "*3\r\n" RANGE("101", "16383") B,
    "*2\r\n*3\r\n" RANGE("0", "8191") A "*3\r\n" RANGE("0", "8191") B, /* as many as there are, but */
    "*1\r\n*3\r\n" RANGE("0", "16384") A,
    "*1\r\n*3\r\n" RANGE("-1", "16383") A,
    "*1\r\n*2\r\n" RANGE("0", "16383"),
    "*1\r\n*3\r\n" RANGE("0", "16383") "*0\r\n",
    "*1\r\n*3\r\n" RANGE("0", "16383") NODE("$1\r\na\r\n", "0"),
};

START_TEST(bad_map)
{
    redisReply *reply = reply_of(bad_maps[_i]);
    struct slot_map *map = slot_map_read(reply, "asked");

    ck_assert_ptr_null(map);
    freeReplyObject(reply);
}
END_TEST

/* It could not be asked for anything. */
START_TEST(a_primary_without_slots_is_none)
{
    redisReply *reply = reply_of("*2\r\n*3\r\n" RANGE("0", "16383") A "*3\r\n" RANGE("5", "4") B);
    struct slot_map *map = slot_map_read(reply, "asked");

    ck_assert_ptr_nonnull(map);
    ck_assert_uint_eq(map->count, 1);
    ck_assert_int_eq(slot_map_find(map, "b", 7002), -1);
    slot_map_free(map);
    freeReplyObject(reply);
}
END_TEST

/* Slots that come and go, from the first on, leave the one alone that stands for the primary. */
START_TEST(the_drawn_slot_stays)
{
    redisReply *reply = reply_of("*2\r\n*3\r\n" RANGE("0", "8191") A "*3\r\n" RANGE("8192", "16383") B);
    struct slot_map *map = slot_map_read(reply, "asked");
    int a = slot_map_drawn_slot(map, 0), b = slot_map_drawn_slot(map, 1);

    for (int slot = 0; slot < 500; slot++)
        map->owner[slot] = 1;
    for (int slot = 8192; slot < 8500; slot++)
        map->owner[slot] = 0;
    ck_assert_int_eq(slot_map_drawn_slot(map, 0), a);
    ck_assert_int_eq(slot_map_drawn_slot(map, 1), b);
    map->owner[b] = 0;
    ck_assert_int_ne(slot_map_drawn_slot(map, 1), b);
    for (int slot = 0; slot < REDIS_SLOTS; slot++)
        map->owner[slot] = 0;
    ck_assert_int_eq(slot_map_drawn_slot(map, 1), -1);
    slot_map_free(map);
    freeReplyObject(reply);
}
END_TEST

/* Other primaries are another thing than other slots. */
START_TEST(equal_maps)
{
    redisReply *replies[] = {
        reply_of(WHOLE),
        reply_of("*2\r\n*3\r\n" RANGE("0", "5") B "*3\r\n" RANGE("6", "16383") A),
        reply_of("*1\r\n*3\r\n" RANGE("0", "16383") A),
        reply_of("*2\r\n*3\r\n" RANGE("0", "5") NODE("$1\r\nb\r\n", "7003") "*3\r\n" RANGE("6", "16383") A),
    };
    struct slot_map *maps[ROWS(replies)];

    for (size_t i = 0; i < ROWS(replies); i++)
        maps[i] = slot_map_read(replies[i], "asked");
    ck_assert(slot_map_same_primaries(maps[0], maps[1]));
    ck_assert(!slot_map_same_primaries(maps[0], maps[2]));
    ck_assert(!slot_map_same_primaries(maps[0], maps[3]));
    for (size_t i = 0; i < ROWS(replies); i++) {
        slot_map_free(maps[i]);
        freeReplyObject(replies[i]);
    }
}
END_TEST

UNIT_MAIN("redis_nodes", UNIT_ROWS(who_is_the_master, masters), UNIT_ROWS(since_when, epochs),
          UNIT_ROWS(what_it_says_it_is, roles), UNIT_ROWS(how_the_cluster_is, infos),
          UNIT_ROWS(sent_elsewhere, redirects), UNIT_ROWS(host_and_port, addresses), UNIT(a_map),
          UNIT(the_drawn_slot_stays), UNIT(a_node_that_does_not_know_its_name), UNIT_ROWS(bad_map, bad_maps),
          UNIT(a_primary_without_slots_is_none), UNIT(equal_maps))
