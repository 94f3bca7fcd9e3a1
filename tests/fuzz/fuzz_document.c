/* cdc/document.h, cdc/packed.h, cdc/compare.h: a row of PostgreSQL, in libpq's own result, becomes words that
 * hiredis's own reader reads as this row, and a payload of RESTORE that says the same: a listpack by the
 * rules of listpack.c, a CRC-64 bit by bit. A row that was written so differs in nothing from what it was
 * written from. */
#include "cdc/document.h"

#include <inttypes.h>

#include "cdc/compare.h"
#include "cdc/packed.h"
#include "common/pg_private.h"
#include "common/script.h"
#include "reply.h"

enum { MAX_COLUMNS = 12, MAX_VALUE = 70000 };

struct row {
    size_t count;
    char *values[MAX_COLUMNS]; /* NULL: NULL */
    size_t lens[MAX_COLUMNS];
    bool stored[MAX_COLUMNS];
    const char *names[MAX_COLUMNS];
};

static const char *const names[MAX_COLUMNS] = {"id",   "name", "12",  "-7",    "0",          "00",
                                               "left", "city", "127", "-4096", "2147483648", "état"};

/* ---- the payload, read by itself ---- */

static uint64_t slow_crc64(const uint8_t *bytes, size_t len)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0x95ac9329ac4bc9b5) : 0);
    }
    return crc;
}

static uint64_t little(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

static int64_t signed_of(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* An element's bytes without its length behind: lpCurrentEncodedSize. 0: none begins so. */
static size_t element_bytes(const uint8_t *at, int64_t *ret_number, const uint8_t **ret_text, size_t *ret_len)
{
    *ret_text = NULL;
    if (at[0] < 0x80) {
        *ret_number = at[0];
        return 1;
    }
    if (at[0] >> 6 == 2) {
        *ret_text = at + 1;
        *ret_len = at[0] & 63;
        return 1 + *ret_len;
    }
    if (at[0] >> 5 == 6) {
        *ret_number = signed_of((uint64_t)(at[0] & 31) << 8 | at[1], 13);
        return 2;
    }
    if (at[0] >> 4 == 14) {
        *ret_text = at + 2;
        *ret_len = (size_t)(at[0] & 15) << 8 | at[1];
        return 2 + *ret_len;
    }
    if (at[0] == 0xf0) {
        *ret_text = at + 5;
        *ret_len = little(at + 1, 4);
        return 5 + *ret_len;
    }
    if (at[0] >= 0xf1 && at[0] <= 0xf4) {
        size_t n = at[0] == 0xf4 ? 8 : (size_t)(at[0] - 0xf1) + 2;

        *ret_number = signed_of(little(at + 1, n), 8 * (unsigned)n);
        return 1 + n;
    }
    return 0;
}

/* lpDecodeBacklen: the length, read from its last byte on. */
static size_t read_backwards(const uint8_t *last, size_t *ret_bytes)
{
    size_t len = 0, shift = 0;

    *ret_bytes = 0;
    do {
        len |= (size_t)(*last & 127) << shift;
        shift += 7;
        ++*ret_bytes;
    } while (*last-- & 128);
    return len;
}

/* The next element as text, in `text`; returns what stands behind it. */
static const uint8_t *next_element(const uint8_t *at, const uint8_t *end, struct buf *text)
{
    int64_t number = 0;
    const uint8_t *string;
    size_t len = 0, bytes = element_bytes(at, &number, &string, &len), back, stated;

    must(bytes && at + bytes < end, "no element: %02x", at[0]);
    buf_clear(text);
    if (string)
        buf_add(text, string, len);
    else
        buf_printf(text, "%" PRId64, number);
    back = bytes < 128 ? 1 : bytes < 16383 ? 2 : bytes < 2097151 ? 3 : bytes < 268435455 ? 4 : 5;
    stated = read_backwards(at + bytes + back - 1, &len);
    must(stated == bytes && len == back, "an element of %zu bytes says %zu in %zu", bytes, stated, len);
    return at + bytes + back;
}

static void must_be(const struct buf *text, const char *data, size_t len)
{
    must(text->len == len && memcmp(text->data ? text->data : "", data, len) == 0,
         "\"%.*s\" is written as \"%.*s\"", (int)len, data, (int)text->len, text->data);
}

static void check_packed(const struct row *row, const struct document *document, int64_t version,
                         const char *digest)
{
    struct buf packed = BUF_NONE, word = BUF_NONE;
    const uint8_t *at, *end;
    char number[24];

    packed_add(&packed, version, digest, &document->fields, document->nfields);
    must(packed.len <= document->fields.len + PACKED_FRAME_BYTES, "%zu bytes of %zu", packed.len,
         document->fields.len);
    at = (const uint8_t *)packed.data;
    end = at + packed.len - 10;
    must(little(end, 2) == 10 && little(end + 2, 8) == slow_crc64(at, packed.len - 8), "no trailer");
    must(at[0] == 16 && at[1] == 0x80, "no hash in a listpack");
    must(((size_t)at[2] << 24 | at[3] << 16 | at[4] << 8 | at[5]) == packed.len - 16, "another length");
    must(little(at + 6, 4) == packed.len - 16 && little(at + 10, 2) == 2 * (document->nfields + 2),
         "another listpack");
    must(memcmp(at + 17, digest, DIGEST_LENGTH) == 0, "the digest is not where put.lua reads it");
    snprintf(number, sizeof(number), "%" PRId64, version);
    must(at[38] == 128 + strlen(number) && memcmp(at + 39, number, strlen(number)) == 0, "nor the version");
    at = next_element(at + 12, end, &word);
    must_be(&word, "_d", 2);
    at = next_element(at, end, &word);
    must_be(&word, digest, DIGEST_LENGTH);
    at = next_element(at, end, &word);
    must_be(&word, "_v", 2);
    at = next_element(at, end, &word);
    must_be(&word, number, strlen(number));
    for (size_t i = 0; i < row->count; i++) {
        if (!row->stored[i] || !row->values[i])
            continue;
        at = next_element(at, end, &word);
        must_be(&word, row->names[i], strlen(row->names[i]));
        at = next_element(at, end, &word);
        must_be(&word, row->values[i], row->lens[i]);
    }
    must(at + 1 == end && *at == 0xff, "it ends elsewhere");
    buf_free(&packed);
    buf_free(&word);
}

/* ---- the words ---- */

static redisReply *as_reply(const struct document *document)
{
    struct buf wire = BUF_NONE;
    redisReader *reader;
    redisReply *reply;

    buf_printf(&wire, "*%zu\r\n", 2 * document->nfields);
    buf_add(&wire, document->fields.data, document->fields.len);
    reader = reader_of(wire.data, wire.len);
    reply = next_reply(reader);
    must(reply && reply->type == REDIS_REPLY_ARRAY, "no reply");
    must(!next_reply(reader) && !reader->err, "more than one");
    redisReaderFree(reader);
    buf_free(&wire);
    return reply;
}

static void check_words(const struct row *row, const struct document *document)
{
    redisReply *reply = as_reply(document);
    size_t at = 0;

    for (size_t i = 0; i < row->count; i++) {
        if (!row->stored[i] || !row->values[i])
            continue;
        must(at + 1 < reply->elements && strcmp(reply->element[at]->str, row->names[i]) == 0, "field %zu", i);
        must((size_t)reply->element[at + 1]->len == row->lens[i] &&
                 memcmp(reply->element[at + 1]->str, row->values[i], row->lens[i]) == 0,
             "the value of %s", row->names[i]);
        at += 2;
    }
    must(at == reply->elements && at == 2 * document->nfields, "%zu words", reply->elements);
    must(compare_fields(&document->fields, as_rreply(reply), NULL, NULL) == 0, "it differs from itself");
    if (at && reply->element[at - 1]->len) {
        reply->element[at - 1]->str[0] ^= 1;
        must(compare_fields(&document->fields, as_rreply(reply), NULL, NULL) == 1,
             "a changed byte is not seen");
    }
    freeReplyObject(reply);
}

/* ---- the row ---- */

static PGresult *as_result(const struct row *row, const char *expire)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[MAX_COLUMNS + DOC_FIRST] = {0};
    int count = DOC_FIRST + (int)row->count;

    for (int i = 0; i < count; i++)
        columns[i].name = (char *)(i < DOC_FIRST ? "_" : row->names[i - DOC_FIRST]);
    must(PQsetResultAttrs(result, count, columns), "libpq has no memory");
    for (int i = 0; i < count; i++) {
        const char *value = i < DOC_FIRST ? (i == DOC_EXPIRE ? expire : NULL) : row->values[i - DOC_FIRST];
        int len = i < DOC_FIRST ? (value ? (int)strlen(value) : 0) : (int)row->lens[i - DOC_FIRST];

        must(PQsetvalue(result, 0, i, (char *)value, value ? len : -1), "libpq has no memory");
    }
    return result;
}

static void check_row(struct row *row, const char *expire, int64_t version)
{
    struct err err = ERR_NONE;
    char *ids[] = {(char *)"id"};
    struct projection config = {
        .name = (char *)"p", .id = ids, .nid = 1, .key = template_parse("doc:{id}", &err)};
    struct plan_projection plan = {
        .config = &config, .ncolumns = row->count, .stored = row->stored, .names = row->names};
    struct pg_rows rows = {as_result(row, expire)};
    struct document document = {0};
    char digest[DIGEST_LENGTH + 1];

    document_read(&document, &plan, &rows, 0);
    must(document.has_null == !row->values[0], "the key's column");
    must(strncmp(document.key.data, "doc:", 4) == 0 &&
             strcmp(document.key.data + 4, row->values[0] ? row->values[0] : "*") == 0,
         "the key is %s", document.key.data);
    must(document.expire_ms == -1 || document.expire_ms > 0, "it expires at %" PRId64, document.expire_ms);
    document_digest(&document.fields, document.expire_ms, digest);
    check_words(row, &document);
    check_packed(row, &document, version, digest);
    document_free(&document);
    PQclear(rows.result);
    template_free(config.key);
}

/* A text has no NUL; a long one is a short one, over and over. */
static void read_value(struct input *input, struct row *row, size_t i)
{
    uint8_t kind = input_byte(input);
    size_t len, repeat = kind == 2 ? (size_t)input_byte(input) + 2 : 1;
    char *piece = input_bytes(input, MAX_VALUE / repeat, &len);

    row->stored[i] = kind != 1 || i == 0;
    row->values[i] = NULL;
    row->lens[i] = 0;
    len = strnlen(piece, len);
    if (kind != 0) {
        row->values[i] = malloc(len * repeat + 1);
        for (size_t k = 0; k < repeat; k++, row->lens[i] += len)
            memcpy(row->values[i] + row->lens[i], piece, len);
        row->values[i][row->lens[i]] = '\0';
    }
    free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const dates[] = {NULL, "infinity",          "-infinity", "1772359200000",
                                        "-1", "185542587100800000"};
    struct input input = {data, size};
    int64_t version = (int64_t)1 << input_byte(&input) % 53;
    const char *expire = dates[input_byte(&input) % (sizeof(dates) / sizeof(dates[0]))];
    struct row row = {.count = input_byte(&input) % MAX_COLUMNS + 1};

    version += input_byte(&input);
    memcpy(row.names, names, sizeof(names));
    for (size_t i = 0; i < row.count; i++)
        read_value(&input, &row, i);
    check_row(&row, expire, version);
    for (size_t i = 0; i < row.count; i++)
        free(row.values[i]);
    return 0;
}
