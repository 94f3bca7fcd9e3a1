#include "cdc/feed.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/position.h"
#include "common/clock.h"
#include "common/mem.h"

enum {
    PAGE_ROWS = 1000,      /* of one page, more while there are more: */
    PAGE_ROWS_MAX = 40000, /* changes of one document that come together are written once */
    PAGE_BYTES = 2 << 20,  /* … about, of their keys */
    QUIET_SAVE_MS = 1000,
};

/* A page that was asked for. The feed may forget it before it comes. */
struct reading {
    struct feed *feed;
    struct page *page;
    size_t group;
    size_t rows; /* at most */
    bool answered;
    struct err err;
};

struct feed {
    struct session *session;
    struct position *groups;
    size_t ngroups;
    size_t capacity;
    char *target;            /* the snapshot that all groups are driven to; NULL while there is one group */
    struct parts held;       /* gates that this session has closed */
    struct reading *current; /* the page at hand; NULL: none */
    struct reading *ahead;   /* asked for already, behind it */
    size_t rows;             /* of the next page, at most */
};

struct feed *feed_new(struct session *session)
{
    struct feed *feed = mem_zalloc(sizeof(*feed));

    feed->session = session;
    feed->rows = PAGE_ROWS;
    return feed;
}

/* One that has not come yet is freed when it does. */
static void forget(struct reading **reading)
{
    if (*reading && (*reading)->answered) {
        page_free((*reading)->page);
        free(*reading);
    } else if (*reading) {
        (*reading)->feed = NULL;
    }
    *reading = NULL;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    forget(&feed->current);
    forget(&feed->ahead);
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

    forget(&feed->ahead);
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
}

/* One that came in the middle of a batch from there on has left it behind. */
static bool is_at_target(const struct feed *feed, const struct cursor *cursor)
{
    return feed->target && !cursor->upto && strcmp(cursor->done, feed->target) == 0;
}

/* The first group that does not stand at the common snapshot. */
static size_t pick_group(const struct feed *feed)
{
    for (size_t i = 0; i < feed->ngroups; i++)
        if (!is_at_target(feed, &feed->groups[i].cursor))
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
    forget(&feed->ahead);
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

static void on_read(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct reading *reading = arg;

    reading->answered = true;
    if (err)
        err_copy(&reading->err, err);
    else
        reading->page = page_new(rows);
    if (!reading->feed)
        forget(&reading);
}

/* The page of a group behind this cursor. */
static struct reading *ask(struct feed *feed, size_t index, const struct cursor *cursor, bool may_sleep)
{
    struct reading *reading = mem_zalloc(sizeof(*reading));
    const struct position *group = &feed->groups[index];
    struct parts own = parts_filter(&feed->held, &group->parts, true);
    char *parts = parts_array(&group->parts), *held = parts_array(&own);
    char *rows = mem_printf("%zu", feed->rows);
    const char *const params[] = {cursor->done,
                                  cursor->upto ? cursor->upto : feed->target,
                                  cursor->at_xid,
                                  cursor->at_seq,
                                  rows,
                                  feed->session->number,
                                  parts,
                                  held,
                                  may_sleep ? "t" : "f"};
    struct pg_query query = {
        .sql = "SELECT " PAGE_COLUMNS " FROM pgusher.read_changes($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        .name = "read_changes",
        .params = params,
        .nparams = 9,
    };

    *reading = (struct reading){.feed = feed, .group = index, .rows = feed->rows};
    pg_send(feed->session->pg, &query, on_read, reading);
    free(rows);
    free(parts);
    free(held);
    return reading;
}

static void take_gates(struct feed *feed, const struct position *group, const struct parts *gates)
{
    feed->held = parts_filter(&feed->held, &group->parts, false);
    parts_add_all(&feed->held, gates);
}

static enum feed_state take_state(struct feed *feed, const char *state)
{
    /* An empty page of one group of several says nothing about the others. */
    if (feed->ngroups > 1 || strcmp(state, "work") == 0)
        return FEED_WORK;
    return strcmp(state, "asleep") == 0 ? FEED_ASLEEP : FEED_POLL;
}

static bool is_full(const struct reading *reading)
{
    return reading->page->count == reading->rows;
}

/* Who is far behind reads more at a time. */
static size_t next_rows(const struct reading *reading)
{
    const struct page *page = reading->page;
    size_t rows = reading->rows * 10, most;

    if (!is_full(reading))
        return PAGE_ROWS;
    most = PAGE_BYTES / (page->bytes / page->count + 1);
    rows = rows < most ? rows : most;
    rows = rows < PAGE_ROWS_MAX ? rows : PAGE_ROWS_MAX;
    return rows > PAGE_ROWS ? rows : PAGE_ROWS;
}

static int take_page(struct feed *feed, enum feed_state *ret_state, struct err *err)
{
    const struct page *page = feed->current->page;
    struct position *group = &feed->groups[feed->current->group];

    if (strcmp(page->state, "lost") == 0) {
        feed->session->changes_lost = true;
        err_set(err, ST_AGAIN, "the changelog no longer holds all changes since this fleet's cursor");
        return -1;
    }
    mem_replace(&group->cursor.upto, page->upto);
    if (feed->ngroups > 1 && !feed->target)
        mem_replace(&feed->target, page->upto);
    take_gates(feed, group, &page->gates);
    feed->rows = next_rows(feed->current);
    *ret_state = take_state(feed, page->state);
    if (*ret_state != FEED_WORK)
        end_batch(feed, group);
    return 0;
}

int feed_next(struct feed *feed, enum feed_state *ret_state, struct err *err)
{
    bool may_sleep = feed->ngroups == 1 && !feed->session->deaf;
    size_t index = pick_group(feed);

    forget(&feed->current);
    feed->current = feed->ahead ? feed->ahead : ask(feed, index, &feed->groups[index].cursor, may_sleep);
    feed->ahead = NULL;
    loop_run_until(feed->session->loop, &feed->current->answered);
    if (feed->current->err.status == ST_OK)
        return take_page(feed, ret_state, err);
    err_copy(err, &feed->current->err);
    return -1;
}

const struct change *feed_changes(const struct feed *feed, size_t *ret_count)
{
    *ret_count = feed->current->page->count;
    return feed->current->page->changes;
}

int64_t feed_age_ms(const struct feed *feed)
{
    int64_t oldest_at_ms = feed->current->page->oldest_at_ms;

    return oldest_at_ms ? clock_mono_ms() - oldest_at_ms : -1;
}

/* The cursor behind a page that is not the last of its batch; the values are borrowed. */
static struct cursor behind(const struct feed *feed)
{
    struct cursor cursor = feed->groups[feed->current->group].cursor;

    cursor.at_xid = (char *)feed->current->page->last_xid;
    cursor.at_seq = (char *)feed->current->page->last_seq;
    return cursor;
}

void feed_read_ahead(struct feed *feed)
{
    struct cursor cursor = behind(feed);

    if (is_full(feed->current) && !feed->ahead)
        feed->ahead = ask(feed, feed->current->group, &cursor, false);
}

void feed_advance(struct feed *feed)
{
    struct position *group = &feed->groups[feed->current->group];
    const struct page *page = feed->current->page;
    bool last = !is_full(feed->current);

    if (page->count) {
        group->unsaved = group->unsaved_in_pg = true;
        mem_replace(&group->cursor.at_xid, page->last_xid);
        mem_replace(&group->cursor.at_seq, page->last_seq);
    }
    if (last)
        end_batch(feed, group);
    forget(&feed->current);
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
