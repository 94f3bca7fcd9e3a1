#include "cdc/quarantine.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_repeat.h"
#include "common/mem.h"
#include "common/pg_error.h"
#include "common/utf8.h"

enum { PROJECTION, KEY, WATCH, ID, ERROR, COLUMNS };

/* A longer key is cut, and told from others by its hash: rows of an index hold some 2,700 bytes. */
enum { KEY_BYTES = 1024, CUT_BYTES = 1000 };

/* Columns of equal length, as array parameters want them; an empty text stands for NULL. */
struct entries {
    const char **columns[COLUMNS];
    size_t count;
    size_t capacity;
};

struct quarantine {
    struct session *session;
    struct arena *arena;
    struct entries refused;
    struct entries built;
    bool again;       /* what is refused was in quarantine before */
    int64_t since_us; /* nothing was read before */
};

/* After so many attempts; with jitter, so that what failed together is not tried together for ever. */
#define NEXT_AT(attempts)                                                                                    \
    "now() + least(300, power(2, least(" attempts ", 9))) * (0.75 + random() / 2) * interval '1 s'"

/* Whoever is asleep hears of it: who put it there may die before it is due. */
static const char *const insert_sql =
    "WITH refused AS ("
    " INSERT INTO pgusher.quarantine AS q (fleet, projection, key, watch, id, error, next_at)"
    " SELECT DISTINCT ON (p, k) $1, p, k, nullif(w, ''), nullif(i, '')::text[], e, " NEXT_AT(
        "1") ""
             "   FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) u(p, k, w, i, e)"
             " ON CONFLICT (fleet, projection, key) DO UPDATE"
             " SET watch = EXCLUDED.watch, id = EXCLUDED.id, error = EXCLUDED.error, last_at = now(),"
             "     attempts = q.attempts + 1, next_at = " NEXT_AT(
                 "q.attempts + 1") ")"
                                   " SELECT pg_notify('pgusher', $7)";

/* What came there since the first document was read may have been read later, by another worker. */
static const char *const delete_sql =
    "DELETE FROM pgusher.quarantine q"
    " USING unnest($2::text[], $3::text[], $4::text[], $5::text[]) u(p, k, w, i)"
    " WHERE q.fleet = $1 AND q.projection = u.p AND q.key = u.k AND q.watch IS NOT DISTINCT FROM "
    "nullif(u.w, '')"
    "   AND (q.id IS NULL OR q.id = nullif(u.i, '')::text[])"
    "   AND q.last_at < clock_timestamp() - $6::bigint * interval '1 us'";

struct quarantine *quarantine_new(struct session *session)
{
    struct quarantine *quarantine = mem_zalloc(sizeof(*quarantine));

    quarantine->session = session;
    quarantine->arena = arena_new();
    quarantine->since_us = clock_mono_us();
    return quarantine;
}

static void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < COLUMNS; i++)
        free(entries->columns[i]);
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
    return text ? arena_copy(quarantine->arena, text, strlen(text) + 1) : "";
}

static const char *keep_key(struct quarantine *quarantine, const char *key)
{
    size_t len = strlen(key);
    const char *kept;
    char *cut;

    if (len <= KEY_BYTES)
        return keep(quarantine, key);
    cut = mem_printf("%.*s… %016llx", (int)utf8_valid_length(key, CUT_BYTES), key,
                     (unsigned long long)XXH3_64bits(key, len));
    kept = keep(quarantine, cut);
    free(cut);
    return kept;
}

static void add(struct quarantine *quarantine, struct entries *entries, const struct quarantine_entry *entry,
                const char *error)
{
    const char *const values[COLUMNS] = {entry->projection, entry->key, entry->watch, entry->id, error};
    size_t capacity = entries->capacity;

    for (size_t i = 0; i < COLUMNS; i++) {
        capacity = entries->capacity;
        entries->columns[i] = mem_grow(entries->columns[i], entries->count, &capacity, sizeof(char *));
        entries->columns[i][entries->count] =
            i == KEY ? keep_key(quarantine, values[i]) : keep(quarantine, values[i]);
    }
    entries->capacity = capacity;
    entries->count++;
}

void quarantine_add(struct quarantine *quarantine, const struct quarantine_entry *entry, const char *error)
{
    quarantine->session->tally.refused++;
    add(quarantine, &quarantine->refused, entry, error);
}

bool quarantine_refuses(const struct quarantine *quarantine)
{
    return quarantine->refused.count > 0;
}

bool quarantine_may_hold(const struct quarantine *quarantine)
{
    return quarantine->session->quarantined;
}

void quarantine_built(struct quarantine *quarantine, const struct quarantine_entry *entry)
{
    if (quarantine_may_hold(quarantine))
        add(quarantine, &quarantine->built, entry, NULL);
}

void quarantine_retried(struct quarantine *quarantine, const struct quarantine_entry *entry)
{
    quarantine->again = true;
    add(quarantine, &quarantine->built, entry, NULL);
}

char *quarantine_call(const struct session *session)
{
    return mem_printf("quarantine %s", session->number);
}

/* The parameters are the fleet, some columns, and another text or none. */
static int run(struct quarantine *quarantine, const char *sql, const struct entries *entries, size_t columns,
               const char *more, struct err *err)
{
    char *arrays[COLUMNS];
    const char *params[COLUMNS + 2] = {quarantine->session->config->fleet};
    struct pg_query query = {.sql = sql, .params = params, .nparams = 1 + (int)columns + (more != NULL)};
    int result;

    for (size_t i = 0; i < columns; i++)
        params[1 + i] = arrays[i] = array_literal(entries->columns[i], entries->count);
    params[1 + columns] = more;
    result = pg_run(quarantine->session->pg, &query, NULL, err);
    for (size_t i = 0; i < columns; i++)
        free(arrays[i]);
    return result;
}

/* As they are kept. */
static bool is_refused(const struct quarantine *quarantine, const char *projection, const char *key)
{
    const struct entries *refused = &quarantine->refused;

    for (size_t i = 0; i < refused->count; i++)
        if (strcmp(refused->columns[KEY][i], key) == 0 &&
            strcmp(refused->columns[PROJECTION][i], projection) == 0)
            return true;
    return false;
}

/* What was refused after it seemed built (by Redis) stays. */
static void drop_refused(struct quarantine *quarantine)
{
    struct entries *built = &quarantine->built;
    size_t kept = 0;

    for (size_t i = 0; i < built->count; i++) {
        if (is_refused(quarantine, built->columns[PROJECTION][i], built->columns[KEY][i]))
            continue;
        for (size_t j = 0; j < COLUMNS; j++)
            built->columns[j][kept] = built->columns[j][i];
        kept++;
    }
    built->count = kept;
}

static int put_refused(struct quarantine *quarantine, struct err *err)
{
    char *call = quarantine_call(quarantine->session);
    int result = run(quarantine, insert_sql, &quarantine->refused, COLUMNS, call, err);

    free(call);
    quarantine->session->quarantined = true;
    return result;
}

/* A view that fails for one row may fail for a million. */
static void complain(struct session *session, const char *projection, const char *key, const char *error)
{
    enum log_say say = log_quota_take(&session->refusals, clock_mono_ms());

    log_debug("document %s of projection %s is refused: %s", key, projection, error);
    if (say == LOG_SAY_NOT)
        return;
    log_error("document %s of projection %s goes to quarantine: %s%s", key, projection,
              pg_error_for_log(error).text,
              say == LOG_SAY_AS_LAST
                  ? "; more within this minute are not named here, see: pgusher quarantine "
                    "list"
                  : "");
}

static void tell_refused(const struct quarantine *quarantine)
{
    const struct entries *refused = &quarantine->refused;

    for (size_t i = 0; i < refused->count; i++) {
        const char *projection = refused->columns[PROJECTION][i], *key = refused->columns[KEY][i];
        const char *error = refused->columns[ERROR][i];

        if (quarantine->again)
            log_debug("document %s of projection %s stays in quarantine: %s", key, projection, error);
        else
            complain(quarantine->session, projection, key, error);
    }
}

static int delete_built(struct quarantine *quarantine, struct err *err)
{
    char *age = mem_printf("%lld", (long long)(clock_mono_us() - quarantine->since_us));
    int result = run(quarantine, delete_sql, &quarantine->built, ID + 1, age, err);

    free(age);
    return result;
}

int quarantine_flush(struct quarantine *quarantine, struct err *err)
{
    drop_refused(quarantine);
    if (quarantine->refused.count && put_refused(quarantine, err) != 0)
        return -1;
    tell_refused(quarantine);
    if (quarantine->built.count && delete_built(quarantine, err) != 0)
        return -1;
    quarantine->refused.count = quarantine->built.count = 0;
    arena_reset(quarantine->arena);
    return 0;
}

int quarantine_intend(struct session *session, const struct quarantine_entry *entries, size_t count,
                      struct err *err)
{
    static const char why[] = "it was to be mended and queued, and whoever did that did not end";
    struct quarantine *quarantine = quarantine_new(session);
    int result;

    for (size_t i = 0; i < count; i++)
        add(quarantine, &quarantine->refused, &entries[i], why);
    result = count ? put_refused(quarantine, err) : 0;
    quarantine_free(quarantine);
    return result;
}
