/* cdc/compare.h against replies as hiredis reads them. */
#include "cdc/compare.h"

#include <hiredis/hiredis.h>

#include "common/rconn.h"
#include "common/script.h"
#include "unit.h"

/* Words without blanks, one behind the other; "-" is the empty text. */
static size_t put_words(struct buf *buf, const char *words)
{
    char *copy = strdup(words), *rest = NULL;
    size_t count = 0;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest), count++)
        resp_put_bulk(buf, word, strcmp(word, "-") == 0 ? 0 : strlen(word));
    free(copy);
    return count;
}

static struct rreply *read_reply(const char *words)
{
    redisReader *reader = redisReaderCreate();
    struct buf body = BUF_NONE, wire = BUF_NONE;
    void *reply = NULL;

    buf_printf(&wire, "*%zu\r\n", put_words(&body, words));
    if (body.len)
        buf_add(&wire, body.data, body.len);
    ck_assert_int_eq(redisReaderFeed(reader, wire.data, wire.len), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    redisReaderFree(reader);
    buf_free(&wire);
    buf_free(&body);
    return reply;
}

static void note(void *arg, const struct difference *difference)
{
    struct buf *notes = arg;

    buf_printf(notes, "%.*s:%.*s/%.*s ", (int)difference->field.len, difference->field.data,
               difference->wanted.data ? (int)difference->wanted.len : 4,
               difference->wanted.data ? difference->wanted.data : "NONE",
               difference->found.data ? (int)difference->found.len : 4,
               difference->found.data ? difference->found.data : "NONE");
}

static const struct {
    const char *document;
    const char *hash;
    const char *differences;
} cases[] = {
    {"", "", ""},
    {"id 1 name x", "_v 7 _d abc id 1 name x", ""},
    {"id 1 name x", "name x id 1", ""},
    {"id 1 name x", "_v 7 _d abc id 1 name y", "name:x/y "},
    {"id 1 name x", "_v 7 _d abc id 1", "name:x/NONE "},
    {"id 1 name -", "_v 7 _d abc id 1", "name:/NONE "},
    {"id 1 name -", "_v 7 _d abc id 1 name -", ""},
    {"id 1", "_v 7 _d abc id 1 more -", "more:NONE/ "},
    {"id 1", "id 1 more 2 _d abc", "more:NONE/2 "},
    {"id 1 a 2 b 3", "_v 7 a 3 c 4", "id:1/NONE a:2/3 b:3/NONE c:NONE/4 "},
    {"id 1 name x", "", "id:1/NONE name:x/NONE "},
    {"id 1", "_v 7 id 12", "id:1/12 "},
};

START_TEST(fields)
{
    struct rreply *hash = read_reply(cases[_i].hash);
    struct buf document = BUF_NONE, notes = BUF_NONE;
    size_t count;

    put_words(&document, cases[_i].document);
    count = compare_fields(&document, hash, note, &notes);
    ck_assert_str_eq(notes.data ? notes.data : "", cases[_i].differences);
    ck_assert_uint_eq(compare_fields(&document, hash, NULL, NULL), count);
    buf_free(&document);
    buf_free(&notes);
    freeReplyObject(hash);
}
END_TEST

START_TEST(bytes)
{
    static const char value[] = "a\r\n$1\0b";
    struct rreply *hash = read_reply("id 1");
    struct buf document = BUF_NONE;
    struct text name, read;
    size_t at = 0;

    resp_put_bulk(&document, "id", 2);
    resp_put_bulk(&document, value, sizeof(value) - 1);
    ck_assert(fields_next(&document, &at, &name, &read));
    ck_assert_uint_eq(read.len, sizeof(value) - 1);
    ck_assert_int_eq(memcmp(read.data, value, read.len), 0);
    ck_assert(!fields_next(&document, &at, &name, &read));
    ck_assert_uint_eq(compare_fields(&document, hash, NULL, NULL), 1);
    ck_assert_ptr_null(hash_field(hash, "name").data);
    ck_assert_uint_eq(hash_field(hash, "id").len, 1);
    buf_free(&document);
    freeReplyObject(hash);
}
END_TEST

static const struct {
    int64_t wanted;
    int64_t found;
    bool equal;
} expiries[] = {{-1, -1, true}, {-1, 5, false}, {5, -1, false}, {5, 5, true}, {5, 6, false}};

START_TEST(expiry)
{
    ck_assert(compare_expiry(expiries[_i].wanted, expiries[_i].found) == expiries[_i].equal);
}
END_TEST

UNIT_MAIN("compare", UNIT_ROWS(fields, cases), UNIT(bytes), UNIT_ROWS(expiry, expiries))
