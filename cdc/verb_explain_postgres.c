/* PostgreSQL's side of a document. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/compare.h"
#include "cdc/reader.h"
#include "cdc/sql/texts.h"
#include "cdc/verb_explain.h"
#include "common/mem.h"
#include "queue/tool_text.h"

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

static bool is_bad_value(const struct err *why)
{
    static const char *const states[] = {"22P02", "22003", "22007", "22008"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (why->status == ST_REFUSED && strstr(why->text, states[i]))
            return true;
    return false;
}

/* Whether PostgreSQL takes the values as an id at all: parameters are read before anything is done. */
static bool is_an_id(struct story *story, struct err *why)
{
    const struct plan_projection *plan = &story->session->plan->projections[story->projection];
    char *sql = plan->broken ? NULL : mem_printf("SELECT 1 FROM (%s) s LIMIT 0", plan->keys_by_id);
    char *arrays[MAX_ID_COLUMNS];
    struct pg_query query = {
        .sql = sql, .params = (const char *const *)arrays, .nparams = (int)story->config->nid};

    for (size_t i = 0; i < story->config->nid; i++)
        arrays[i] = ids_array(story->id, 0, 1, i);
    if (sql)
        pg_run(story->session->pg, &query, NULL, why);
    for (size_t i = 0; i < story->config->nid; i++)
        free(arrays[i]);
    free(sql);
    if (is_bad_value(why))
        return false;
    if (why->status != ST_LOST)
        err_clear(why); /* reading the row meets it again */
    return true;
}

static void note_no_id(struct story *story, const char *why)
{
    struct buf key = BUF_NONE;

    explain_key(story, &key);
    json_object_set_new(explain_subject(story, story->key ? story->key : key.data)->facts, "no_id",
                        json_string(why));
    buf_free(&key);
}

/* That the source cannot be read at all is a fact, too. */
static int read_row(struct story *story, struct err *err)
{
    static const struct reader_handlers handlers = {
        .document = on_document, .missing = on_missing, .refused = on_refused};
    struct reader *reader = reader_new(story->session, &handlers, story);
    struct err why = ERR_NONE;
    int result = 0;

    if (!is_an_id(story, &why))
        note_no_id(story, why.text);
    else if (why.status == ST_OK)
        result = reader_ids(reader, story->projection, story->id, &why);
    reader_free(reader);
    if (result == 0 && why.status != ST_LOST)
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
    json_t *context = result == 0 ? text_parsed_json(pg_rows_get(rows, 0, 0, NULL)) : NULL;

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
