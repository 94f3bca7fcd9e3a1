/* cdc/snapshot.h */
#include "cdc/snapshot.h"

#include "unit.h"

static const struct {
    const char *text;
    int64_t ordinal;
} good[] = {
    {"1:1:", 0},
    {"3:3:", 2},
    {"10:20:", 19},
    {"10:20:10", 18},
    {"10:20:10,14,19", 16},
    {"795:795:", 794},
    {"4294967297:4294967300:4294967297,4294967298", INT64_C(4294967297)},
    {"8796093022209:8796093022209:", INT64_C(1) << 43},
};

static const char *const bad[] = {
    "",
    "x",
    "10",
    "10:20",
    "10:20:,",
    "10:20:11,",
    "10:20:11,,12",
    "10:20:x",
    "10:20:11x",
    "10:20:11 ",
    " 10:20:",
    "10:-20:",
    "-10:20:",
    "+10:20:",
    "a:20:",
    "10:b:",
    ":20:",
    "10::",
    "1:1:1,1",
    "10:20::",
    "10 :20:",
    "10:20:11;12",
    "10:20:9", /* in order, from xmin up to xmax: PostgreSQL takes no others */
    "10:20:20",
    "10:20:12,11",
    "10:20:11,11",
    "10:20:99999999999999999999",
    "0:20:",
    "4294967296:4294967296:",
    "0x10:20:",
    "20:10:",
    "0:0:",
    "99999999999999999999:99999999999999999999:",
    "1:18446744073709551615:",
};

START_TEST(ordinals)
{
    ck_assert_int_eq(snapshot_ordinal(good[_i].text), good[_i].ordinal);
}
END_TEST

START_TEST(no_snapshots)
{
    ck_assert_msg(snapshot_ordinal(bad[_i]) == -1, "\"%s\" is accepted", bad[_i]);
}
END_TEST

/* ---- what PostgreSQL does, in small ---- */

enum { XIDS = 400, AT_ONCE = 8 };

struct history {
    bool finished[XIDS + 1]; /* by xid, from 1 */
    int next;                /* xid to give out */
    int latest;              /* the highest one that finished */
};

static void put_snapshot(const struct history *history, struct buf *out)
{
    int xmin = history->latest + 1;
    const char *comma = "";

    for (int xid = history->latest; xid > 0; xid--)
        if (!history->finished[xid])
            xmin = xid;
    buf_clear(out);
    buf_printf(out, "%d:%d:", xmin, history->latest + 1);
    for (int xid = xmin; xid <= history->latest; xid++)
        if (!history->finished[xid]) {
            buf_printf(out, "%s%d", comma, xid);
            comma = ",";
        }
}

/* Starts transactions up to AT_ONCE, then ends one of them. */
static void step(struct history *history, int ended, uint32_t *seed)
{
    int xid;

    while (history->next - 1 - ended < AT_ONCE && history->next <= XIDS)
        history->next++;
    do
        xid = 1 + (int)unit_random(seed, (uint32_t)history->next - 1);
    while (history->finished[xid]);
    history->finished[xid] = true;
    if (xid > history->latest)
        history->latest = xid;
}

START_TEST(ordinal_counts_what_has_ended)
{
    struct history history = {.next = 1};
    struct buf text = BUF_NONE;
    uint32_t seed = 7;

    for (int ended = 0; ended < XIDS; ended++) {
        put_snapshot(&history, &text);
        ck_assert_msg(snapshot_ordinal(text.data) == ended, "%s after %d", text.data, ended);
        step(&history, ended, &seed);
    }
    buf_free(&text);
}
END_TEST

/* ---- versions ---- */

static const int64_t epochs[] = {0, 1, 2, 511, 1022, 1023};
static const int64_t ordinals_in_order[] = {
    0, 1, 2, INT64_C(1) << 32, (INT64_C(1) << 43) - 2, (INT64_C(1) << 43) - 1};

START_TEST(versions_are_ordered_and_exact_in_doubles)
{
    int64_t last = -1;

    for (size_t i = 0; i < ROWS(epochs); i++)
        for (size_t j = 0; j < ROWS(ordinals_in_order); j++) {
            int64_t version = version_make(epochs[i], ordinals_in_order[j]);

            ck_assert_int_gt(version, last);
            ck_assert_int_lt(version, INT64_C(1) << 53);
            ck_assert((double)version > (double)last);
            ck_assert_int_eq((int64_t)(double)version, version);
            last = version;
        }
}
END_TEST

START_TEST(versions_out_of_range)
{
    ck_assert_int_eq(version_make(-1, 0), -1);
    ck_assert_int_eq(version_make(VERSION_MAX_EPOCH + 1, 0), -1);
    ck_assert_int_eq(version_make(INT64_MAX, 0), -1);
    ck_assert_int_eq(version_make(0, -1), -1);
    ck_assert_int_eq(version_make(0, INT64_C(1) << VERSION_ORDINAL_BITS), -1);
    ck_assert_int_eq(version_make(0, INT64_MAX), -1);
}
END_TEST

UNIT_MAIN("snapshot", UNIT_ROWS(ordinals, good), UNIT_ROWS(no_snapshots, bad),
          UNIT(ordinal_counts_what_has_ended), UNIT(versions_are_ordered_and_exact_in_doubles),
          UNIT(versions_out_of_range))
