#include "cdc/shapes.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/shape.h"
#include "cdc/sql/texts.h"
#include "common/log.h"
#include "common/mem.h"

enum { NOTED_NAME, NOTED_SHAPE, NOTED_STALE };
enum { GONE_NAME, GONE_KEY, GONE_REMAINS };

static char *all_shapes(const struct plan *plan)
{
    struct buf text = BUF_NONE;

    for (size_t i = 0; i < plan->nprojections; i++)
        buf_printf(&text, "%s %s\n", plan->projections[i].config->name,
                   plan->projections[i].shape ? plan->projections[i].shape : "broken");
    return buf_take(&text);
}

static int load_noted(struct session *session, struct pg_rows **ret_rows, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {.sql = "SELECT name, shape, stale FROM pgusher.projection"
                                    " WHERE fleet = $1 AND shape IS NOT NULL",
                             .params = params,
                             .nparams = 1};

    return pg_run(session->pg, &query, ret_rows, err);
}

static int find_row(const struct pg_rows *rows, const char *name)
{
    for (int row = 0; row < pg_rows_count(rows); row++)
        if (strcmp(pg_rows_get(rows, row, NOTED_NAME, NULL), name) == 0)
            return row;
    return -1;
}

/* ---- one projection ---- */

struct note {
    const struct plan_projection *projection;
    const char *before; /* NULL: none */
    char *stale;
    struct shape_change change;
    bool fill;
};

/* *ret_noted: not by another worker. */
static int record(struct session *session, const struct note *note, bool *ret_noted, struct err *err)
{
    const char *const params[] = {session->config->fleet,
                                  note->projection->config->name,
                                  note->projection->shape,
                                  note->before,
                                  note->stale,
                                  note->change.former_key,
                                  note->change.former_id,
                                  note->fill ? "t" : "f"};
    struct pg_query query = {.sql = sql_record_shape, .params = params, .nparams = 8};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    *ret_noted = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    return 0;
}

static void tell(const struct note *note)
{
    const char *name = note->projection->config->name;

    if (note->fill)
        log_info("projection %s is new: its documents are going to be written by a backfill", name);
    if (note->stale)
        log_warn("projection %s: %s", name, note->stale);
    if (note->change.queues)
        log_warn("projection %s: %s", name, note->change.queues);
    if (note->change.former_key)
        log_warn("projection %s: keys of the former form %s stay in Redis until: pgusher verify %s --repair",
                 name, note->change.former_key, name);
}

static int note_and_tell(struct session *session, struct note *note, struct err *err)
{
    bool noted;
    int result = record(session, note, &noted, err);

    if (result == 0 && noted)
        tell(note);
    free(note->stale);
    shape_change_clear(&note->change);
    return result;
}

/* What was to be done already, before the command that does it. */
static char *words_of(const char *stale)
{
    const char *command = stale ? strstr(stale, "; run: ") : NULL;

    return command ? mem_strndup(stale, (size_t)(command - stale)) : NULL;
}

static char *compose_stale(const char *name, const char *documents, const char *stale)
{
    char *earlier, *text;

    if (!documents)
        return NULL;
    earlier = words_of(stale);
    if (earlier && strstr(earlier, documents))
        text = mem_printf("%s; run: pgusher backfill %s", earlier, name);
    else
        text = mem_printf("%s%s%s; run: pgusher backfill %s", earlier ? earlier : "", earlier ? "; " : "",
                          documents, name);
    free(earlier);
    return text;
}

static int adopt_changed(struct session *session, const struct plan_projection *projection,
                         const struct pg_rows *rows, int row, struct err *err)
{
    const char *stale = pg_rows_get(rows, row, NOTED_STALE, NULL), *name = projection->config->name;
    struct note note = {.projection = projection, .before = pg_rows_get(rows, row, NOTED_SHAPE, NULL)};

    shape_compare(note.before, projection->shape, &note.change);
    note.stale = compose_stale(name, note.change.documents, stale);
    if (note.change.documents || note.change.queues)
        return note_and_tell(session, &note, err);
    shape_change_clear(&note.change);
    if (stale)
        log_warn("projection %s: %s", name, stale);
    return 0;
}

static int adopt_one(struct session *session, const struct plan_projection *projection,
                     const struct pg_rows *rows, struct err *err)
{
    int row = find_row(rows, projection->config->name);
    /* The documents of a fleet that begins are written because its Redis is new. */
    struct note note = {.projection = projection, .fill = pg_rows_count(rows) > 0};

    return row < 0 ? note_and_tell(session, &note, err) : adopt_changed(session, projection, rows, row, err);
}

/* ---- those that are gone ---- */

static char *current_keys(const struct plan *plan)
{
    const char **keys = mem_alloc(sizeof(*keys) * (plan->nprojections + 1));
    char *literal;

    for (size_t i = 0; i < plan->nprojections; i++)
        keys[i] = plan->projections[i].config->key_text;
    literal = array_literal(keys, plan->nprojections);
    free(keys);
    return literal;
}

static int forget_gone(struct session *session, struct err *err)
{
    char *names = plan_projection_names(session->plan), *keys = current_keys(session->plan);
    const char *const params[] = {session->config->fleet, names, keys};
    struct pg_query query = {.sql = sql_forget_shapes, .params = params, .nparams = 3};
    struct pg_rows *rows = NULL;
    int result = pg_run(session->pg, &query, &rows, err);

    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++) {
        const char *name = pg_rows_get(rows, row, GONE_NAME, NULL);
        const char *key = pg_rows_get(rows, row, GONE_KEY, NULL);

        if (pg_rows_get(rows, row, GONE_REMAINS, NULL)[0] == 't')
            log_warn("projection %s was removed; keys of its form %s stay in Redis until: pgusher verify "
                     "--repair",
                     name, key);
        else
            log_warn("projection %s was removed; another projection has its keys %s now", name, key);
    }
    pg_rows_free(rows);
    free(names);
    free(keys);
    return result;
}

/* ---- all ---- */

static int adopt_all(struct session *session, struct err *err)
{
    const struct plan *plan = session->plan;
    struct pg_rows *rows = NULL;
    int result = load_noted(session, &rows, err);

    for (size_t i = 0; result == 0 && i < plan->nprojections; i++)
        if (plan->projections[i].shape) /* of a broken one it is not known */
            result = adopt_one(session, &plan->projections[i], rows, err);
    pg_rows_free(rows);
    return result == 0 ? forget_gone(session, err) : -1;
}

int shapes_adopt(struct session *session, char **known, struct err *err)
{
    char *shapes = all_shapes(session->plan);
    int result = 0;

    if (!*known || strcmp(*known, shapes) != 0)
        result = adopt_all(session, err);
    if (result == 0)
        mem_replace(known, shapes);
    free(shapes);
    return result;
}
