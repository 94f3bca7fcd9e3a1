#include "cdc/reader.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/reader_private.h"
#include "common/mem.h"

struct reader *reader_new(struct session *session, const struct reader_handlers *handlers, void *arg)
{
    struct reader *reader = mem_zalloc(sizeof(*reader));

    reader->session = session;
    reader->handlers = *handlers;
    reader->arg = arg;
    return reader;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    document_free(&reader->document);
    free(reader);
}

/* ---- by id ---- */

static int tell_complete(const struct reading *reading, struct err *err)
{
    const struct reader *reader = reading->reader;

    if (!reading->keys || !reader->handlers.complete || !reading->asked)
        return 0;
    return reader->handlers.complete(reader->arg, reading->projection, reading->ids, reading->first,
                                     reading->asked, reading->version, err);
}

static void tell_failed(const struct reading *reading)
{
    const struct reader *reader = reading->reader;

    if (reading->keys && reader->handlers.failed)
        reader->handlers.failed(reader->arg);
}

static void tell_missing(const struct reading *reading)
{
    const struct reader *reader = reading->reader;

    for (size_t i = 0; reader->handlers.missing && i < reading->asked; i++)
        if (!reading->seen[i])
            reader->handlers.missing(reader->arg, reading->projection,
                                     ids_get(reading->ids, reading->first + i), reading->version);
}

static int select_one(struct reading *reading, const char *const *id, struct err *why)
{
    const struct plan_projection *projection = reading->projection;

    return reader_select(reading, projection->select_one_name, projection->select_one, id,
                         projection->config->nid, why);
}

static int select_some(struct reading *reading, struct err *why)
{
    const struct plan_projection *projection = reading->projection;
    size_t n = projection->config->nid;
    char *arrays[MAX_ID_COLUMNS] = {NULL};
    int result;

    for (size_t i = 0; i < n; i++)
        arrays[i] = ids_array(reading->ids, reading->first, reading->asked, i);
    result = reader_select(reading, projection->select_name, projection->select_by_id,
                           (const char *const *)arrays, n, why);
    for (size_t i = 0; i < n; i++)
        free(arrays[i]);
    return result;
}

/* `why` is what the statement fails with, err anything else. */
static int select_by_id(struct reader *reader, const struct plan_projection *projection,
                        const struct ids *ids, size_t first, size_t count, struct err *why, struct err *err)
{
    struct reading reading = {.reader = reader,
                              .projection = projection,
                              .ids = ids,
                              .first = first,
                              .asked = count,
                              .err = ERR_NONE};
    int result;

    reading.seen = mem_zalloc(sizeof(bool) * count);
    if (projection->config->many_rows)
        reading.keys = ids_new(1);
    result = count == 1 ? select_one(&reading, ids_get(ids, first), why) : select_some(&reading, why);
    if (result == 0) {
        tell_missing(&reading);
        result = tell_complete(&reading, err);
    } else {
        tell_failed(&reading);
    }
    free(reading.seen);
    ids_free(reading.keys);
    return result;
}

static int read_range(struct reader *reader, const struct plan_projection *projection, const struct ids *ids,
                      size_t first, size_t count, struct err *err);

static int halve(struct reader *reader, const struct plan_projection *projection, const struct ids *ids,
                 size_t first, size_t count, const struct err *why, struct err *err)
{
    struct buf key = BUF_NONE;

    if (count > 1) {
        size_t half = count / 2;

        return read_range(reader, projection, ids, first, half, err) != 0
                   ? -1
                   : read_range(reader, projection, ids, first + half, count - half, err);
    }
    plan_render_key(projection, ids_get(ids, first), &key);
    reader_refuse(reader, projection, ids_get(ids, first), key.data, why->text);
    buf_free(&key);
    return 0;
}

/* Whether the statement for one id, or for some, runs when there is nothing to find. */
static bool runs_without_rows(struct reader *reader, const struct plan_projection *projection, bool one)
{
    static const char *const nobody[MAX_ID_COLUMNS]; /* NULL equals nothing */
    struct ids *none = ids_new(projection->config->nid);
    struct reading reading = {.reader = reader, .projection = projection, .ids = none, .err = ERR_NONE};
    struct err why = ERR_NONE;
    bool runs = (one ? select_one(&reading, nobody, &why) : select_some(&reading, &why)) == 0;

    ids_free(none);
    return runs;
}

/* What is missing for the statement itself (a relation, a column, a privilege) is missing without rows, too;
 * what shows only with rows is theirs, as when a function looks for a table that it does not find. */
static bool is_of_rows(struct reader *reader, const struct plan_projection *projection, bool one,
                       const struct err *why)
{
    return why->status == ST_REFUSED ||
           (why->status == ST_CONFIG && runs_without_rows(reader, projection, one));
}

int reader_fail(const struct reader *reader, const struct plan_projection *projection, const struct err *why,
                struct err *err)
{
    err_copy(err, why);
    if (err->status == ST_CONFIG)
        err->status = reader->session->lost ? ST_LOST : ST_UNFIT;
    err_context(err, "projection %s", projection->config->name);
    return -1;
}

static int read_range(struct reader *reader, const struct plan_projection *projection, const struct ids *ids,
                      size_t first, size_t count, struct err *err)
{
    struct err why = ERR_NONE;

    if (select_by_id(reader, projection, ids, first, count, &why, err) == 0)
        return 0;
    if (why.status == ST_OK)
        return -1;
    if (is_of_rows(reader, projection, count == 1, &why))
        return halve(reader, projection, ids, first, count, &why, err);
    return reader_fail(reader, projection, &why, err);
}

/* Nothing of a broken projection can be read. */
static int check_whole(const struct plan_projection *projection, struct err *err)
{
    if (projection->broken)
        err_set(err, ST_UNFIT, "%s", projection->broken);
    return projection->broken ? -1 : 0;
}

int reader_ids(struct reader *reader, size_t projection, const struct ids *ids, struct err *err)
{
    const struct plan_projection *plan = &reader->session->plan->projections[projection];
    size_t total = ids_count(ids), chunk = plan->config->many_rows ? READER_IDS_MANY : READER_IDS;

    if (total && check_whole(plan, err) != 0)
        return -1;
    for (size_t first = 0; first < total; first += chunk) {
        size_t count = total - first < chunk ? total - first : chunk;

        if (read_range(reader, plan, ids, first, count, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- in order ---- */

/* With a filter it is planned each time: there is no name for that text. */
static int read_stretch(struct reading *reading, const struct plan_stretch *stretch, char **after,
                        struct err *err)
{
    const struct plan_projection *plan = reading->projection;
    char *sql = plan_sql_documents(plan, stretch, after != NULL);
    char *name = *stretch->filter
                     ? NULL
                     : mem_printf("%s_%s_%d", plan->select_name, after ? "after" : "first", stretch->limit);
    int result =
        reader_select(reading, name, sql, (const char *const *)after, after ? plan->config->nid : 0, err);

    free(name);
    free(sql);
    return result;
}

int reader_after(struct reader *reader, size_t projection, const struct plan_stretch *stretch, char ***after,
                 size_t *ret_count, struct err *err)
{
    const struct plan_projection *plan = &reader->session->plan->projections[projection];
    struct reading reading = {.reader = reader, .projection = plan, .err = ERR_NONE};
    struct err why = ERR_NONE;

    if (check_whole(plan, err) != 0)
        return -1;
    if (plan->config->many_rows)
        return reader_ids_after(reader, projection, stretch, after, ret_count, err);
    if (read_stretch(&reading, stretch, *after, &why) != 0) {
        reader_position_free(plan, reading.last);
        if (is_of_rows(reader, plan, false, &why))
            return reader_ids_after(reader, projection, stretch, after, ret_count, err);
        return reader_fail(reader, plan, &why, err);
    }
    *ret_count = reading.count;
    if (reading.last) {
        reader_position_free(plan, *after);
        *after = reading.last;
    }
    return 0;
}
