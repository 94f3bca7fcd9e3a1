#include "cdc/feed.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/position.h"
#include "common/clock.h"
#include "common/mem.h"

#define PAGE_ROWS "1000"

enum { PAGE_MAX = 1000, QUIET_SAVE_MS = 1000 };
enum { COL_UPTO, COL_STATE, COL_GATES, COL_AGE, COL_XID, COL_SEQ, COL_CAPTURE, COL_KEYS };

struct feed {
    struct session *session;
    struct position *groups;
    size_t ngroups;
    size_t capacity;
    size_t current;    /* the group whose page was read last */
    char *target;      /* the snapshot that all groups are driven to; NULL while there is one group */
    struct parts held; /* gates that this session has closed */
    struct change *changes;
    size_t count;
    int64_t oldest_at_ms; /* when its oldest change was made, on the monotonic clock; 0: it has none */
    char *last_xid;
    char *last_seq;
};

struct feed *feed_new(struct session *session)
{
    struct feed *feed = mem_zalloc(sizeof(*feed));

    feed->session = session;
    return feed;
}

static void clear_page(struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        for (size_t j = 0; j < feed->changes[i].nkeys; j++)
            free(feed->changes[i].keys[j]);
        free(feed->changes[i].keys);
    }
    free(feed->changes);
    free(feed->last_xid);
    free(feed->last_seq);
    feed->changes = NULL;
    feed->last_xid = feed->last_seq = NULL;
    feed->count = 0;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    clear_page(feed);
    for (size_t i = 0; i < feed->ngroups; i++)
        cursor_free(&feed->groups[i].cursor);
    free(feed->groups);
    free(feed->target);
    free(feed);
}

/* ---- groups ---- */

static void remove_group(struct feed *feed, size_t index)
{
    cursor_free(&feed->groups[index].cursor);
    feed->groups[index] = feed->groups[--feed->ngroups];
}

void feed_add(struct feed *feed, int part, const struct cursor *cursor)
{
    struct position *group;

    parts_add(&feed->session->parts, part);
    for (size_t i = 0; i < feed->ngroups; i++)
        if (cursor_equal(&feed->groups[i].cursor, cursor)) {
            parts_add(&feed->groups[i].parts, part);
            return;
        }
    feed->groups = mem_grow(feed->groups, feed->ngroups, &feed->capacity, sizeof(*feed->groups));
    group = &feed->groups[feed->ngroups++];
    *group = (struct position){.saved_in_pg_at_ms = clock_mono_ms()};
    cursor_copy(&group->cursor, cursor);
    parts_add(&group->parts, part);
}

/* Between batches, groups with the same cursor become one. */
static void merge_groups(struct feed *feed)
{
    for (size_t i = 0; i < feed->ngroups; i++)
        for (size_t j = feed->ngroups - 1; j > i; j--) {
            struct position *into = &feed->groups[i], *from = &feed->groups[j];

            if (!cursor_equal(&into->cursor, &from->cursor))
                continue;
            parts_add_all(&into->parts, &from->parts);
            into->unsaved |= from->unsaved;
            into->unsaved_in_pg |= from->unsaved_in_pg;
            remove_group(feed, j);
        }
    if (feed->ngroups <= 1)
        mem_replace(&feed->target, NULL);
    feed->current = 0;
}

/* The first group that has not reached the common snapshot. */
static size_t pick_group(const struct feed *feed)
{
    for (size_t i = 0; i < feed->ngroups; i++)
        if (!feed->target || strcmp(feed->groups[i].cursor.done, feed->target) != 0)
            return i;
    return 0;
}

static void end_batch(struct feed *feed, struct position *group)
{
    bool moved = strcmp(group->cursor.at_seq, "0") != 0;
    /* A cursor that passed nothing is worth saving now and then: it holds the changelog. */
    bool stale = clock_mono_ms() - group->saved_in_pg_at_ms > QUIET_SAVE_MS;

    group->unsaved |= moved || stale;
    group->unsaved_in_pg |= moved || stale;
    cursor_end_batch(&group->cursor);
    merge_groups(feed);
}

int feed_hand_over(struct feed *feed, const struct parts *parts, struct err *err)
{
    if (feed_save(feed, true, err) != 0 || position_release(feed->session, parts, &feed->held, err) != 0)
        return -1;
    feed->held = parts_filter(&feed->held, parts, false);
    feed->session->parts = parts_filter(&feed->session->parts, parts, false);
    for (size_t i = feed->ngroups; i-- > 0;) {
        feed->groups[i].parts = parts_filter(&feed->groups[i].parts, parts, false);
        if (feed->groups[i].parts.count == 0)
            remove_group(feed, i);
    }
    merge_groups(feed);
    return 0;
}

/* ---- reading ---- */

static void take_changes(struct feed *feed, const struct pg_rows *rows)
{
    const char *age = pg_rows_get(rows, 0, COL_AGE, NULL);

    feed->oldest_at_ms = age ? clock_mono_ms() - atoll(age) : 0;
    feed->count = (size_t)pg_rows_count(rows) - 1;
    if (feed->count == 0)
        return;
    feed->changes = mem_zalloc(feed->count * sizeof(*feed->changes));
    for (size_t i = 0; i < feed->count; i++) {
        const char *keys = pg_rows_get(rows, (int)i + 1, COL_KEYS, NULL);

        feed->changes[i].capture = atoi(pg_rows_get(rows, (int)i + 1, COL_CAPTURE, NULL));
        if (keys)
            feed->changes[i].nkeys = array_parse(keys, &feed->changes[i].keys);
    }
    mem_replace(&feed->last_xid, pg_rows_get(rows, (int)feed->count, COL_XID, NULL));
    mem_replace(&feed->last_seq, pg_rows_get(rows, (int)feed->count, COL_SEQ, NULL));
}

static int run_read(struct feed *feed, const struct position *group, bool may_sleep,
                    struct pg_rows **ret_rows, struct err *err)
{
    const struct cursor *cursor = &group->cursor;
    struct parts own = parts_filter(&feed->held, &group->parts, true);
    char *parts = parts_array(&group->parts), *held = parts_array(&own);
    const char *const params[] = {cursor->done,
                                  cursor->upto ? cursor->upto : feed->target,
                                  cursor->at_xid,
                                  cursor->at_seq,
                                  PAGE_ROWS,
                                  feed->session->number,
                                  parts,
                                  held,
                                  may_sleep ? "t" : "f"};
    struct pg_query query = {
        .sql = "SELECT upto, state, gates, age_ms, xid, seq, capture, keys"
               " FROM pgusher.read_changes($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        .name = "read_changes",
        .params = params,
        .nparams = 9,
    };
    int result = pg_run(feed->session->pg, &query, ret_rows, err);

    free(parts);
    free(held);
    return result;
}

static void take_gates(struct feed *feed, const struct position *group, const char *gates)
{
    struct parts now = parts_parse(gates);

    feed->held = parts_filter(&feed->held, &group->parts, false);
    parts_add_all(&feed->held, &now);
}

static enum feed_state take_state(struct feed *feed, const char *state)
{
    /* An empty page of one group of several says nothing about the others. */
    if (feed->ngroups > 1 || strcmp(state, "work") == 0)
        return FEED_WORK;
    return strcmp(state, "asleep") == 0 ? FEED_ASLEEP : FEED_POLL;
}

int feed_next(struct feed *feed, enum feed_state *ret_state, struct err *err)
{
    bool may_sleep = feed->ngroups == 1 && !feed->session->deaf;
    struct pg_rows *rows = NULL;
    struct position *group;
    const char *state;

    clear_page(feed);
    feed->current = pick_group(feed);
    group = &feed->groups[feed->current];
    if (run_read(feed, group, may_sleep, &rows, err) != 0)
        return -1;
    state = pg_rows_get(rows, 0, COL_STATE, NULL);
    if (strcmp(state, "lost") == 0) {
        feed->session->changes_lost = true;
        err_set(err, ST_AGAIN, "the changelog no longer holds all changes since this fleet's cursor");
        pg_rows_free(rows);
        return -1;
    }
    mem_replace(&group->cursor.upto, pg_rows_get(rows, 0, COL_UPTO, NULL));
    if (feed->ngroups > 1 && !feed->target)
        mem_replace(&feed->target, group->cursor.upto);
    take_gates(feed, group, pg_rows_get(rows, 0, COL_GATES, NULL));
    *ret_state = take_state(feed, state);
    take_changes(feed, rows);
    pg_rows_free(rows);
    if (*ret_state != FEED_WORK)
        end_batch(feed, group);
    return 0;
}

const struct change *feed_changes(const struct feed *feed, size_t *ret_count)
{
    *ret_count = feed->count;
    return feed->changes;
}

int64_t feed_age_ms(const struct feed *feed)
{
    return feed->oldest_at_ms ? clock_mono_ms() - feed->oldest_at_ms : -1;
}

void feed_advance(struct feed *feed)
{
    struct position *group = &feed->groups[feed->current];
    bool last = feed->count < PAGE_MAX;

    if (feed->count) {
        group->unsaved = group->unsaved_in_pg = true;
        mem_replace(&group->cursor.at_xid, feed->last_xid);
        mem_replace(&group->cursor.at_seq, feed->last_seq);
    }
    if (last)
        end_batch(feed, group);
    clear_page(feed);
}

/* ---- saving ---- */

bool feed_is_unsaved(const struct feed *feed)
{
    for (size_t i = 0; i < feed->ngroups; i++)
        if (feed->groups[i].unsaved || feed->groups[i].unsaved_in_pg)
            return true;
    return false;
}

int feed_save(struct feed *feed, bool also_in_pg, struct err *err)
{
    for (size_t i = 0; i < feed->ngroups; i++) {
        struct position *group = &feed->groups[i];

        if (group->unsaved && position_save_beside(feed->session, group, err) != 0)
            return -1;
        if (also_in_pg && group->unsaved_in_pg && !group->unsaved &&
            position_save_in_pg(feed->session, group, err) != 0)
            return -1;
    }
    return 0;
}
