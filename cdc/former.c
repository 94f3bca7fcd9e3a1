#include "cdc/former.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/ids.h"
#include "cdc/key_walk.h"
#include "cdc/mend.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"

int former_load(struct session *session, struct former **ret_list, size_t *ret_count, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {
        .sql = "SELECT projection, key FROM pgusher.former WHERE fleet = $1 ORDER BY projection, key",
        .params = params,
        .nparams = 1};
    struct pg_rows *rows = NULL;
    struct former *list;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    *ret_count = (size_t)pg_rows_count(rows);
    list = mem_zalloc((*ret_count + 1) * sizeof(*list));
    for (size_t i = 0; i < *ret_count; i++) {
        list[i].projection = mem_strdup(pg_rows_get(rows, (int)i, 0, NULL));
        list[i].key = mem_strdup(pg_rows_get(rows, (int)i, 1, NULL));
    }
    pg_rows_free(rows);
    *ret_list = list;
    return 0;
}

void former_free(struct former *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].projection);
        free(list[i].key);
    }
    free(list);
}

/* ---- a walk ---- */

struct walk {
    struct session *session;
    const struct former *former;
    struct key_template *key;
    bool repair;
    struct verify_result *result;
    struct ids *keys;   /* of a step, one column */
    struct ids *ghosts; /* of them */
};

static bool fits(const struct key_template *template, const char *key, size_t len)
{
    size_t count = template_columns(template);
    char **values = mem_zalloc((count + 1) * sizeof(*values));
    bool is_one = template_invert(template, key, len, values) == 0;

    for (size_t i = 0; is_one && i < count; i++)
        free(values[i]);
    free(values);
    return is_one;
}

/* Whether this key is of the form of any projection: also of one that is broken, of which no more is known.
 */
static bool has_owner(const struct plan *plan, const char *key, size_t len)
{
    for (size_t i = 0; i < plan->nprojections; i++)
        if (fits(plan->projections[i].config->key, key, len))
            return true;
    return false;
}

static void take_key(void *arg, const char *key, size_t len)
{
    struct walk *walk = arg;

    if (utf8_valid_length(key, len) == len && !memchr(key, '\0', len) &&
        !has_owner(walk->session->plan, key, len) && fits(walk->key, key, len))
        ids_add(walk->keys, &key);
}

static void on_found(void *arg, size_t index, const struct found *found)
{
    struct walk *walk = arg;

    if (strcmp(found->type, "hash") == 0 && found->version > 0)
        ids_add(walk->ghosts, ids_get(walk->keys, index));
}

static const char **key_list(const struct ids *ids)
{
    const char **list = mem_alloc((ids_count(ids) + 1) * sizeof(*list));

    for (size_t i = 0; i < ids_count(ids); i++)
        list[i] = ids_get(ids, i)[0];
    return list;
}

static void count_ghosts(struct walk *walk)
{
    char *detail = mem_printf("a hash of the former key %s, which nobody writes any more", walk->former->key);

    for (size_t i = 0; i < ids_count(walk->ghosts); i++) {
        size_t listed = verify_result_add(walk->result, DRIFT_GHOST, ids_get(walk->ghosts, i)[0], detail);

        walk->result->mended += walk->repair ? 1 : 0;
        if (listed != SIZE_MAX)
            walk->result->list[listed].mended = walk->repair;
    }
    free(detail);
}

/* What left the configuration is queued nowhere. */
static int remove_ghosts(struct walk *walk, struct err *err)
{
    struct projection gone = {.name = walk->former->projection};
    struct plan_projection unknown = {.config = &gone};
    const struct plan *plan = walk->session->plan;
    int64_t known = plan_find(plan, walk->former->projection);
    const struct plan_projection *owner = known < 0 ? &unknown : &plan->projections[known];
    const char **keys = key_list(walk->ghosts);
    int result = mend_remove(walk->session, owner, keys, ids_count(walk->ghosts), err);

    free(keys);
    return result;
}

static int step(struct walk *walk, struct key_walk *position, bool *ret_done, struct err *err)
{
    const char **keys;
    int result;

    ids_clear(walk->keys);
    ids_clear(walk->ghosts);
    if (key_walk_step(position, PLAN_CHUNK, take_key, walk, ret_done, err) != 0)
        return -1;
    keys = key_list(walk->keys);
    result = inspect_keys(walk->session->rconn, keys, ids_count(walk->keys), on_found, walk, err);
    free(keys);
    if (result != 0 || (walk->repair && remove_ghosts(walk, err) != 0))
        return -1;
    walk->result->keys += (int64_t)ids_count(walk->keys);
    count_ghosts(walk);
    return 0;
}

static int forget(const struct walk *walk, struct err *err)
{
    const char *const params[] = {walk->session->config->fleet, walk->former->projection, walk->former->key};
    struct pg_query query = {
        .sql = "DELETE FROM pgusher.former WHERE fleet = $1 AND projection = $2 AND key = $3",
        .params = params,
        .nparams = 3};

    return pg_run(walk->session->pg, &query, NULL, err);
}

int former_verify(struct session *session, const struct former *former, bool repair, const bool *stop,
                  struct verify_result *result, struct err *err)
{
    struct walk walk = {.session = session, .former = former, .repair = repair, .result = result};
    int64_t began = clock_mono_ms();
    struct key_walk *position;
    bool done = false;
    char *pattern;
    int outcome = 0;

    walk.key = template_parse(former->key, err);
    if (!walk.key)
        return -1;
    walk.keys = ids_new(1);
    walk.ghosts = ids_new(1);
    pattern = template_pattern(walk.key);
    position = key_walk_new(session->rconn, pattern);
    while (outcome == 0 && !done && !*stop)
        outcome = step(&walk, position, &done, err);
    if (outcome == 0 && done && repair)
        outcome = forget(&walk, err);
    result->took_ms = clock_mono_ms() - began;
    free(pattern);
    key_walk_free(position);
    ids_free(walk.keys);
    ids_free(walk.ghosts);
    template_free(walk.key);
    return outcome;
}
