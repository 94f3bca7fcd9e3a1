#include "cdc/quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/log.h"
#include "common/mem.h"

/* Columns of equal length, as array parameters want them. */
struct entries {
    const char **projections;
    const char **keys;
    const char **errors;
    size_t count;
    size_t capacity;
};

struct quarantine {
    struct session *session;
    struct arena *arena;
    struct entries refused;
    struct entries built;
};

static const char *const insert_sql =
    "INSERT INTO pgusher.quarantine AS q (fleet, projection, key, error)"
    " SELECT DISTINCT ON (p, k) $1, p, k, e FROM unnest($2::text[], $3::text[], $4::text[]) u(p, k, e)"
    " ON CONFLICT (fleet, projection, key) DO UPDATE"
    " SET error = EXCLUDED.error, last_at = now(), attempts = q.attempts + 1";

static const char *const delete_sql =
    "DELETE FROM pgusher.quarantine q USING unnest($2::text[], $3::text[]) u(p, k)"
    " WHERE q.fleet = $1 AND q.projection = u.p AND q.key = u.k";

struct quarantine *quarantine_new(struct session *session)
{
    struct quarantine *quarantine = mem_zalloc(sizeof(*quarantine));

    quarantine->session = session;
    quarantine->arena = arena_new();
    return quarantine;
}

static void entries_free(struct entries *entries)
{
    free(entries->projections);
    free(entries->keys);
    free(entries->errors);
}

void quarantine_free(struct quarantine *quarantine)
{
    if (!quarantine)
        return;
    entries_free(&quarantine->refused);
    entries_free(&quarantine->built);
    arena_free(quarantine->arena);
    free(quarantine);
}

static const char *keep(struct quarantine *quarantine, const char *text)
{
    return arena_copy(quarantine->arena, text, strlen(text) + 1);
}

static void add(struct quarantine *quarantine, struct entries *entries, const char *projection,
                const char *key, const char *error)
{
    size_t i = entries->count;
    size_t capacity[3] = {entries->capacity, entries->capacity, entries->capacity};

    entries->projections = mem_grow(entries->projections, i, &capacity[0], sizeof(char *));
    entries->keys = mem_grow(entries->keys, i, &capacity[1], sizeof(char *));
    entries->errors = mem_grow(entries->errors, i, &capacity[2], sizeof(char *));
    entries->capacity = capacity[0];
    entries->projections[i] = keep(quarantine, projection);
    entries->keys[i] = keep(quarantine, key);
    entries->errors[i] = keep(quarantine, error);
    entries->count++;
}

static bool is_refused(const struct quarantine *quarantine, const char *projection, const char *key)
{
    const struct entries *refused = &quarantine->refused;

    for (size_t i = 0; i < refused->count; i++)
        if (strcmp(refused->keys[i], key) == 0 && strcmp(refused->projections[i], projection) == 0)
            return true;
    return false;
}

void quarantine_add(struct quarantine *quarantine, const char *projection, const char *key, const char *error)
{
    quarantine->session->tally.refused++;
    log_error("document %s of projection %s goes to quarantine: %s", key, projection, error);
    add(quarantine, &quarantine->refused, projection, key, error);
}

void quarantine_built(struct quarantine *quarantine, const char *projection, const char *key)
{
    if (quarantine->session->quarantined > 0)
        add(quarantine, &quarantine->built, projection, key, "");
}

static int run(struct quarantine *quarantine, const char *sql, int nparams, const struct entries *entries,
               struct err *err)
{
    char *projections = array_literal(entries->projections, entries->count);
    char *keys = array_literal(entries->keys, entries->count);
    char *errors = array_literal(entries->errors, entries->count);
    const char *const params[] = {quarantine->session->config->fleet, projections, keys, errors};
    struct pg_query query = {.sql = sql, .params = params, .nparams = nparams};
    int result = pg_run(quarantine->session->pg, &query, NULL, err);

    free(projections);
    free(keys);
    free(errors);
    return result;
}

/* What was refused after it seemed built (by Redis) stays. */
static void drop_refused(struct quarantine *quarantine)
{
    struct entries *built = &quarantine->built;
    size_t kept = 0;

    for (size_t i = 0; i < built->count; i++) {
        if (is_refused(quarantine, built->projections[i], built->keys[i]))
            continue;
        built->projections[kept] = built->projections[i];
        built->keys[kept++] = built->keys[i];
    }
    built->count = kept;
}

int quarantine_flush(struct quarantine *quarantine, struct err *err)
{
    drop_refused(quarantine);
    if (quarantine->refused.count && run(quarantine, insert_sql, 4, &quarantine->refused, err) != 0)
        return -1;
    if (quarantine->built.count && run(quarantine, delete_sql, 3, &quarantine->built, err) != 0)
        return -1;
    quarantine->session->quarantined += (int64_t)quarantine->refused.count;
    quarantine->refused.count = quarantine->built.count = 0;
    arena_reset(quarantine->arena);
    return 0;
}
