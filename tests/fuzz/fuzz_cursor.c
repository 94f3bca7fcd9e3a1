/* cdc/cursor.h, cdc/snapshot.h, cdc/parts.h: what stands beside the data in Redis may be anything. What is
 * taken for a cursor, PostgreSQL takes too, and it is the same once it is written again. Lines: two cursors,
 * an array of partitions. */
#include "cdc/cursor.h"

#include <errno.h>
#include <inttypes.h>

#include "cdc/parts.h"
#include "cdc/snapshot.h"
#include "fuzz.h"

/* ---- as PostgreSQL reads it ---- */

/* strtou64 of what begins with a digit; false: PostgreSQL would read another number. */
static bool read_number(const char **text, uint64_t *ret)
{
    char *end;

    errno = 0;
    if (**text < '0' || **text > '9')
        return false;
    *ret = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* parse_snapshot of xid8funcs.c: not the ones whose lower 32 bits are 0, in order, from xmin up to xmax. */
static bool postgres_takes(const char *text, int64_t *ret_ordinal)
{
    uint64_t xmin, xmax, xid, last = 0;
    int64_t count = 0;

    if (!read_number(&text, &xmin) || *text++ != ':' || !read_number(&text, &xmax) || *text++ != ':')
        return false;
    if ((uint32_t)xmin == 0 || (uint32_t)xmax == 0 || xmax < xmin)
        return false;
    while (*text) {
        if (!read_number(&text, &xid) || xid < xmin || xid >= xmax || xid < last)
            return false;
        count += xid != last;
        last = xid;
        if (*text == ',')
            text++;
        else if (*text)
            return false;
    }
    *ret_ordinal = (int64_t)(xmax - 1) - count;
    return true;
}

static void check_snapshot(const char *text)
{
    int64_t ordinal = snapshot_ordinal(text), wanted;

    if (ordinal < 0)
        return;
    must(postgres_takes(text, &wanted), "%s is no snapshot for PostgreSQL", text);
    must(ordinal == wanted, "%s has %" PRId64 " finished transactions, not %" PRId64, text, wanted, ordinal);
}

static void check_number(const char *text)
{
    uint64_t number;

    must(read_number(&text, &number) && !*text && number <= INT64_MAX, "%s is no bigint", text);
}

/* ---- cursors ---- */

static bool read_cursor(const char *text, struct cursor *cursor)
{
    struct cursor again = {0};
    char *written;

    if (cursor_decode(text, cursor) != 0) {
        must(!cursor->done, "%s is refused, and leaves something", text);
        return false;
    }
    written = cursor_encode(cursor);
    must(strcmp(written, text) == 0, "%s is written as %s", text, written);
    must(cursor_decode(written, &again) == 0 && cursor_equal(cursor, &again), "%s is not the same again",
         text);
    check_snapshot(cursor->done);
    if (cursor->upto)
        check_snapshot(cursor->upto);
    check_number(cursor->at_xid);
    check_number(cursor->at_seq);
    cursor_free(&again);
    free(written);
    return true;
}

/* Neither of the two is behind what they hold back to. */
static void check_hold_back(const struct cursor *a, const struct cursor *b)
{
    struct cursor held = {0}, other = {0}, twice = {0};

    cursor_copy(&held, a);
    cursor_hold_back(&held, b);
    must(snapshot_ordinal(held.done) <= snapshot_ordinal(a->done) &&
             snapshot_ordinal(held.done) <= snapshot_ordinal(b->done),
         "%s is ahead of %s or %s", held.done, a->done, b->done);
    cursor_copy(&twice, &held);
    cursor_hold_back(&twice, b);
    must(cursor_equal(&held, &twice), "%s held back once more is another", held.done);
    cursor_copy(&other, b);
    cursor_hold_back(&other, a);
    must(snapshot_ordinal(other.done) == snapshot_ordinal(held.done), "%s or %s, by who asks", held.done,
         other.done);
    cursor_free(&held);
    cursor_free(&other);
    cursor_free(&twice);
}

/* ---- partitions ---- */

static void check_parts(const char *text)
{
    struct parts parts = parts_parse(text), again;
    char *written = parts_array(&parts);

    for (size_t i = 0; i < parts.count; i++)
        must(parts.list[i] >= 0 && parts.list[i] < MAX_PARTITIONS &&
                 (i == 0 || parts.list[i - 1] < parts.list[i]),
             "%s of %s", written, text);
    again = parts_parse(written);
    must(again.count == parts.count &&
             memcmp(again.list, parts.list, parts.count * sizeof(parts.list[0])) == 0,
         "%s", written);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *first = input_line(&input), *second = input_line(&input), *parts = input_line(&input);
    struct cursor a = {0}, b = {0};

    check_snapshot(first);
    if (read_cursor(first, &a) && read_cursor(second, &b))
        check_hold_back(&a, &b);
    check_parts(parts);
    cursor_free(&a);
    cursor_free(&b);
    free(first);
    free(second);
    free(parts);
    return 0;
}
