/* Which keys in Redis have no row. See verify.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/verify_private.h"
#include "common/mem.h"
#include "common/utf8.h"

#define OUR_HEAD "pgusher:" /* of keys that are no documents */

enum { TRIES = 500, TRIES_PER_KEY = 10 }; /* at random keys: at a time, and for each that is wanted */

static void take_key(void *arg, const char *key, size_t len)
{
    struct verify *verify = arg;
    const struct plan_projection *plan = verify_plan(verify);
    char *id[MAX_ID_COLUMNS];

    if (utf8_valid_length(key, len) != len || memchr(key, '\0', len) ||
        strncmp(key, OUR_HEAD, strlen(OUR_HEAD)) == 0 ||
        plan_key_rival(verify->session->plan, plan, key, len) || plan_invert_key(plan, key, len, id) != 0)
        return;
    ids_add(verify->keys, &key);
    ids_add(verify->ids, (const char *const *)id);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(id[i]);
}

/* A row that lacks a part of its key has none. */
static bool take_values(const struct pg_rows *rows, int row, const char **ret_values)
{
    for (int i = 0; i < pg_rows_columns(rows); i++) {
        ret_values[i] = pg_rows_get(rows, row, i, NULL);
        if (!ret_values[i])
            return false;
    }
    return true;
}

static struct ids *keys_of_rows(const struct verify *verify, const struct pg_rows *rows)
{
    const char **values = mem_alloc((size_t)(pg_rows_columns(rows) + 1) * sizeof(*values));
    struct ids *known = ids_new(1);
    struct buf key = BUF_NONE;

    for (int row = 0; row < pg_rows_count(rows); row++) {
        if (!take_values(rows, row, values))
            continue;
        buf_clear(&key);
        template_render(verify_plan(verify)->config->key, values, &key);
        ids_add(known, (const char *const *)&key.data);
    }
    buf_free(&key);
    free(values);
    return known;
}

static void suspect_keys(struct verify *verify, const struct ids *known)
{
    for (size_t i = 0; i < ids_count(verify->keys); i++) {
        const char *key = ids_get(verify->keys, i)[0];
        char *id[MAX_ID_COLUMNS];

        if (known && ids_find(known, &key) >= 0)
            continue;
        plan_invert_key(verify_plan(verify), key, strlen(key), id);
        suspects_add(verify->suspects, key, (const char *const *)id);
        for (size_t j = 0; j < verify_plan(verify)->config->nid; j++)
            free(id[j]);
    }
}

/* Which of the found keys no row has. When it cannot be asked for all of them at once, because one is of
 * another type than the id, each is a suspect. */
static int compare_keys(struct verify *verify, struct err *err)
{
    const struct plan_projection *plan = verify_plan(verify);
    size_t count = ids_count(verify->ids), nid = plan->config->nid;
    char *arrays[MAX_ID_COLUMNS];
    struct pg_query query = {
        .sql = plan->keys_by_id, .params = (const char *const *)arrays, .nparams = (int)nid};
    struct pg_rows *rows = NULL;
    struct err why = ERR_NONE;
    struct ids *known = NULL;

    for (size_t i = 0; i < nid; i++)
        arrays[i] = ids_array(verify->ids, 0, count, i);
    if (pg_run(verify->session->pg, &query, &rows, &why) == 0)
        known = keys_of_rows(verify, rows);
    else if (why.status != ST_REFUSED)
        err_copy(err, &why);
    pg_rows_free(rows);
    for (size_t i = 0; i < nid; i++)
        free(arrays[i]);
    if (err->status == ST_OK)
        suspect_keys(verify, known);
    ids_free(known);
    return err->status == ST_OK ? 0 : -1;
}

static int walk_keys(struct verify *verify, bool *ret_last, struct err *err)
{
    if (!verify->walk) {
        char *pattern = template_pattern(verify_plan(verify)->config->key);

        verify->walk = key_walk_new(verify->session->rconn, pattern);
        free(pattern);
    }
    return key_walk_step(verify->walk, PLAN_CHUNK, take_key, verify, ret_last, err);
}

/* Any keys of all that are there; few may be of this projection. */
static int pick_keys(struct verify *verify, bool *ret_last, struct err *err)
{
    size_t before = ids_count(verify->keys);
    int result = key_walk_random(verify->session->rconn, TRIES, take_key, verify, err);

    verify->tries += TRIES;
    *ret_last = verify->result.keys + (int64_t)(ids_count(verify->keys) - before) >= verify->options.sample ||
                verify->tries >= verify->options.sample * TRIES_PER_KEY;
    return result;
}

int verify_step_keys(struct verify *verify, struct err *err)
{
    bool last;

    ids_clear(verify->keys);
    ids_clear(verify->ids);
    if ((verify->options.sample ? pick_keys : walk_keys)(verify, &last, err) != 0)
        return -1;
    verify->result.keys += (int64_t)ids_count(verify->keys);
    if (ids_count(verify->keys) && compare_keys(verify, err) != 0)
        return -1;
    if (last)
        verify->phase = PHASE_END;
    return 0;
}
