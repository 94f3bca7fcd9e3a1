#include "cdc/reader.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/reader_private.h"
#include "cdc/snapshot.h"
#include "common/mem.h"

/* One SELECT under way. */
struct reading {
    struct reader *reader;
    const struct plan_projection *projection;
    int64_t version;       /* -1 until the first row told it */
    const struct ids *ids; /* what was asked for; NULL when reading in order */
    size_t first;
    size_t asked;     /* how many of ids, from first on */
    bool *seen;       /* per asked id */
    struct ids *keys; /* told so far, with many rows; else NULL */
    char **last;      /* id of the last row when reading in order */
    size_t count;
    bool done;
    struct err err;
};

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

/* ---- rows ---- */

static void read_version(struct reading *reading, const char *snapshot)
{
    struct session *session = reading->reader->session;
    int64_t ordinal = snapshot_ordinal(snapshot);

    reading->version = version_make(session->epoch, ordinal);
    if (ordinal > session->ordinal)
        session->ordinal = ordinal;
    if (reading->version < 0)
        err_set(&reading->err, ST_CONFIG, "no version can be made from epoch %lld and snapshot %s",
                (long long)session->epoch, snapshot);
}

const char *const *reader_refused_id(const struct reader *reader)
{
    return reader->refused_id;
}

static void refuse(struct reader *reader, const struct plan_projection *projection, const char *const *id,
                   const char *key, const char *error)
{
    reader->refused_id = id;
    reader->handlers.refused(reader->arg, projection, key, error);
}

static const char *key_fault(const struct reader *reader, const struct plan_projection *projection,
                             bool survives, const struct buf *key)
{
    if (!survives)
        return "a value in the key holds the text that separates the columns of the key, so the key could "
               "not "
               "be turned back";
    if (plan_key_rival(reader->session->plan, projection, key->data, key->len))
        return "this key is of the form of another projection's keys, too, and belongs to that one";
    return NULL;
}

const char *reader_key_fault(const struct reader *reader, const struct plan_projection *projection,
                             const char *const *id, const struct buf *key)
{
    return key_fault(reader, projection, plan_key_survives(projection, id), key);
}

/* Whether an id was seen before, which it is from now on. */
static bool see_id(struct reading *reading)
{
    const char **id = reading->reader->document.id;
    bool before = false;
    int64_t index;

    if (!reading->ids) {
        before = reading->last != NULL;
        for (size_t i = 0; before && i < reading->projection->config->nid; i++)
            before = strcmp(reading->last[i], id[i]) == 0;
        return before;
    }
    index = ids_find(reading->ids, id) - (int64_t)reading->first;
    if (index < 0 || index >= (int64_t)reading->asked)
        return false; /* equal to what was asked for, but written differently */
    before = reading->seen[index];
    reading->seen[index] = true;
    return before;
}

static bool see_key(struct reading *reading)
{
    const char *const key[] = {reading->reader->document.key.data};
    bool before = ids_find(reading->keys, key) >= 0;

    ids_add(reading->keys, key);
    return before;
}

static const char *fault_of_row(struct reading *reading)
{
    const struct reader *reader = reading->reader;
    const struct document *document = &reader->document;
    bool known_id = see_id(reading);

    if (known_id && !reading->keys)
        return "the source has several rows with this id; make the id unique (there is one hash per id)";
    if (document->has_null)
        return "a row of this id has NULL in a column of the key";
    if (reading->keys && see_key(reading))
        return "the source has several rows with this key; make it unique (there is one hash per key)";
    return key_fault(reader, reading->projection,
                     template_survives(reading->projection->config->key, document->values), &document->key);
}

static void remember_last(struct reading *reading)
{
    size_t n = reading->projection->config->nid;

    if (!reading->last)
        reading->last = mem_zalloc(sizeof(char *) * n);
    for (size_t i = 0; i < n; i++) {
        free(reading->last[i]);
        reading->last[i] = mem_strdup(reading->reader->document.id[i]);
    }
}

static void tell_row(struct reading *reading, const struct pg_rows *rows, int row)
{
    struct reader *reader = reading->reader;
    struct document *document = &reader->document;
    const char *fault;

    document_read(document, reading->projection, rows, row);
    reading->count++;
    fault = fault_of_row(reading);
    if (fault)
        refuse(reader, reading->projection, document->id, document->key.data, fault);
    else
        reader->handlers.document(reader->arg, reading->projection, document, reading->version);
    if (!reading->ids)
        remember_last(reading);
}

static void on_row(struct reading *reading, const struct pg_rows *rows, int row)
{
    const char *snapshot = pg_rows_get(rows, row, DOC_SNAPSHOT, NULL);

    if (snapshot) {
        read_version(reading, snapshot);
        return;
    }
    if (reading->version < 0) {
        err_set(&reading->err, ST_CONFIG, "the snapshot did not come first");
        return;
    }
    tell_row(reading, rows, row);
}

static void on_rows(void *arg, const struct pg_rows *rows)
{
    struct reading *reading = arg;

    if (!session_is_current(reading->reader->session))
        err_copy(&reading->err, &reading->reader->session->why_lost);
    for (int row = 0; row < pg_rows_count(rows) && reading->err.status == ST_OK; row++)
        on_row(reading, rows, row);
}

static void on_done(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct reading *reading = arg;

    (void)rows;
    reading->done = true;
    if (err)
        err_copy(&reading->err, err);
}

static int read_documents(struct reading *reading, const char *name, const char *sql,
                          const char *const *params, size_t nparams, struct err *err)
{
    struct pg_query query = {.sql = sql, .name = name, .params = params, .nparams = (int)nparams};

    reading->version = -1;
    reading->done = false;
    pg_stream(reading->reader->session->pg, &query, on_rows, on_done, reading);
    loop_run_until(reading->reader->session->loop, &reading->done);
    if (reading->err.status == ST_OK)
        return 0;
    err_copy(err, &reading->err);
    return -1;
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
    size_t n = projection->config->nid;
    char *arrays[MAX_ID_COLUMNS];
    int result;

    reading.seen = mem_zalloc(sizeof(bool) * count);
    if (projection->config->many_rows)
        reading.keys = ids_new(1);
    for (size_t i = 0; i < n; i++)
        arrays[i] = ids_array(ids, first, count, i);
    result = read_documents(&reading, projection->select_name, projection->select_by_id,
                            (const char *const *)arrays, n, why);
    if (result == 0) {
        tell_missing(&reading);
        result = tell_complete(&reading, err);
    } else {
        tell_failed(&reading);
    }
    for (size_t i = 0; i < n; i++)
        free(arrays[i]);
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
    refuse(reader, projection, ids_get(ids, first), key.data, why->text);
    buf_free(&key);
    return 0;
}

/* What is missing for the statement itself (a relation, a column, a privilege) is missing without rows, too;
 * what shows only with rows is theirs, as when a function looks for a table that it does not find. */
static bool is_of_rows(struct reader *reader, const struct plan_projection *projection, const struct err *why)
{
    struct ids *none = ids_new(projection->config->nid);
    struct err alone = ERR_NONE, other = ERR_NONE;
    bool runs = why->status == ST_CONFIG && select_by_id(reader, projection, none, 0, 0, &alone, &other) == 0;

    ids_free(none);
    return why->status == ST_REFUSED || runs;
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
    if (is_of_rows(reader, projection, &why))
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
        read_documents(reading, name, sql, (const char *const *)after, after ? plan->config->nid : 0, err);

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
        if (is_of_rows(reader, plan, &why))
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
