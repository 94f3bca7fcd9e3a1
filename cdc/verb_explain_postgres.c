/* PostgreSQL's side of a document. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/compare.h"
#include "cdc/reader.h"
#include "cdc/sql/texts.h"
#include "cdc/verb_explain.h"
#include "common/mem.h"

/* ---- the row ---- */

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct subject *subject = explain_subject(arg, document->key.data);
    json_t *fields = json_object();
    struct text name, value;

    (void)projection;
    for (size_t at = 0; fields_next(&document->fields, &at, &name, &value);) {
        char *field = mem_strndup(name.data, name.len);

        json_object_set_new(fields, field, explain_text(value.data, value.len));
        free(field);
    }
    ids_add(((struct story *)arg)->own_id, document->id);
    subject->has_row = true;
    subject->version = version;
    subject->expire_ms = document->expire_ms;
    if (document->fields.len)
        buf_add(&subject->fields, document->fields.data, document->fields.len);
    json_object_set_new(subject->facts, "row", fields);
    json_object_set_new(subject->facts, "expires_at", explain_date(document->expire_ms));
}

static void on_missing(void *arg, const struct plan_projection *projection, const char *const *id,
                       int64_t version)
{
    struct buf key = BUF_NONE;
    struct subject *subject;

    if (((struct story *)arg)->count)
        return; /* it is there, only written differently */
    plan_render_key(projection, id, &key);
    subject = explain_subject(arg, key.data);
    subject->version = version;
    json_object_set_new(subject->facts, "row", json_null());
    buf_free(&key);
}

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    (void)projection;
    json_object_set_new(explain_subject(arg, key)->facts, "error", json_string(error));
}

/* That the source cannot be read at all is a fact, too. */
static int read_row(struct story *story, struct err *err)
{
    static const struct reader_handlers handlers = {
        .document = on_document, .missing = on_missing, .refused = on_refused};
    struct reader *reader = reader_new(story->session, &handlers, story);
    struct err why = ERR_NONE;
    int result = reader_ids(reader, story->projection, story->id, &why);

    reader_free(reader);
    if (result == 0)
        return 0;
    if (why.status == ST_LOST) {
        err_copy(err, &why);
        return -1;
    }
    json_object_set_new(story->facts, "unreadable", json_string(why.text));
    return 0;
}

/* ---- what else is known ---- */

static char *keys_array(const struct story *story)
{
    const char **keys = mem_alloc(sizeof(*keys) * (story->count + 1));
    char *array;

    for (size_t i = 0; i < story->count; i++)
        keys[i] = story->subjects[i].key.data;
    array = array_literal(keys, story->count);
    free(keys);
    return array;
}

static void take_context(struct story *story, json_t *context)
{
    json_t *quarantine = json_object_get(context, "quarantine");

    for (size_t i = 0; i < story->count; i++) {
        json_t *row = json_object_get(quarantine, story->subjects[i].key.data);

        json_object_set(story->subjects[i].facts, "quarantine", row ? row : json_null());
    }
    json_object_del(context, "quarantine");
    json_object_update(story->facts, context);
}

static int read_context(struct story *story, struct err *err)
{
    char *keys = keys_array(story);
    const char *const params[] = {story->session->config->fleet, story->session->number, story->config->name,
                                  keys};
    struct pg_query query = {.sql = sql_explain_context, .params = params, .nparams = 4};
    struct pg_rows *rows = NULL;
    int result = pg_run(story->session->pg, &query, &rows, err);
    json_t *context = result == 0 ? json_loads(pg_rows_get(rows, 0, 0, NULL), 0, NULL) : NULL;

    if (context)
        take_context(story, context);
    json_decref(context);
    pg_rows_free(rows);
    free(keys);
    return result;
}

int explain_postgres(struct story *story, struct err *err)
{
    return read_row(story, err) == 0 && explain_changes(story, err) == 0 ? read_context(story, err) : -1;
}
