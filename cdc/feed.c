#include "cdc/feed.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define PAGE_ROWS "1000"

enum { PAGE_MAX = 1000 };
enum { COL_UPTO, COL_STATE, COL_XID, COL_SEQ, COL_CAPTURE, COL_KEYS };

struct feed {
    struct session *session;
    bool asleep; /* this session holds the gate's lock */
    bool unsaved;
    struct change *changes;
    size_t count;
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
    free(feed);
}

static void set(char **field, const char *value)
{
    char *copy = mem_strdup(value);

    free(*field);
    *field = copy;
}

static void take_changes(struct feed *feed, const struct pg_rows *rows)
{
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
    set(&feed->last_xid, pg_rows_get(rows, (int)feed->count, COL_XID, NULL));
    set(&feed->last_seq, pg_rows_get(rows, (int)feed->count, COL_SEQ, NULL));
}

static enum feed_state parse_state(const char *text)
{
    if (strcmp(text, "asleep") == 0)
        return FEED_ASLEEP;
    return strcmp(text, "poll") == 0 ? FEED_POLL : FEED_WORK;
}

/* Everything `upto` sees is applied. */
static void end_batch(struct feed *feed)
{
    struct cursor *cursor = &feed->session->cursor;

    feed->unsaved = feed->unsaved || strcmp(cursor->at_seq, "0") != 0;
    free(cursor->done);
    cursor->done = cursor->upto;
    cursor->upto = NULL;
    set(&cursor->at_xid, "0");
    set(&cursor->at_seq, "0");
}

int feed_next(struct feed *feed, enum feed_state *ret_state, struct err *err)
{
    struct cursor *cursor = &feed->session->cursor;
    const char *const params[] = {cursor->done,   cursor->upto, cursor->at_xid,
                                  cursor->at_seq, PAGE_ROWS,    feed->asleep ? "t" : "f"};
    struct pg_query query = {
        .sql =
            "SELECT upto, state, xid, seq, capture, keys FROM pgusher.read_changes($1, $2, $3, $4, $5, $6)",
        .name = "read_changes",
        .params = params,
        .nparams = 6,
    };
    struct pg_rows *rows = NULL;

    clear_page(feed);
    if (pg_run(feed->session->pg, &query, &rows, err) != 0)
        return -1;
    set(&cursor->upto, pg_rows_get(rows, 0, COL_UPTO, NULL));
    *ret_state = parse_state(pg_rows_get(rows, 0, COL_STATE, NULL));
    feed->asleep = *ret_state == FEED_ASLEEP;
    take_changes(feed, rows);
    pg_rows_free(rows);
    if (*ret_state != FEED_WORK)
        end_batch(feed);
    return 0;
}

const struct change *feed_changes(const struct feed *feed, size_t *ret_count)
{
    *ret_count = feed->count;
    return feed->changes;
}

void feed_advance(struct feed *feed)
{
    struct cursor *cursor = &feed->session->cursor;
    bool last = feed->count < PAGE_MAX;

    if (feed->count) {
        feed->unsaved = true;
        set(&cursor->at_xid, feed->last_xid);
        set(&cursor->at_seq, feed->last_seq);
    }
    if (last)
        end_batch(feed);
    clear_page(feed);
}

bool feed_is_unsaved(const struct feed *feed)
{
    return feed->unsaved;
}

int feed_save(struct feed *feed, struct err *err)
{
    const struct cursor *cursor = &feed->session->cursor;
    const char *const params[] = {feed->session->config->fleet, cursor->done, cursor->upto, cursor->at_xid,
                                  cursor->at_seq};
    struct pg_query query = {
        .sql = "UPDATE pgusher.fleet SET done = $2, upto = $3, at_xid = $4, at_seq = $5, moved_at = now() "
               "WHERE name = $1",
        .name = "save_cursor",
        .params = params,
        .nparams = 5,
    };

    if (!feed->unsaved)
        return 0;
    if (pg_run(feed->session->pg, &query, NULL, err) != 0)
        return -1;
    feed->unsaved = false;
    return 0;
}
