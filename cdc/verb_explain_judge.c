/* From facts to a verdict. See verb_explain.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/verb_explain.h"
#include "common/human.h"
#include "common/mem.h"

/* What is said of one document, and what it is said by. */
struct trial {
    const struct story *story;
    const struct subject *subject;
    const json_t *facts;
    const char *pg;
    const char *redis;
    const char *state;
    char *verdict;
};

typedef bool judge_fn(struct trial *trial);

static bool decide(struct trial *trial, const char *state, char *verdict)
{
    trial->state = state;
    trial->verdict = verdict;
    return true;
}

static const json_t *fact(const struct trial *trial, const char *name)
{
    return json_object_get(trial->facts, name);
}

static const json_t *known(const struct trial *trial, const char *name)
{
    return json_object_get(trial->story->facts, name);
}

static bool has_hash(const struct trial *trial)
{
    return json_is_object(fact(trial, "hash"));
}

static const char *name_of(const struct trial *trial)
{
    return trial->story->config->name;
}

/* ---- a server is not there ---- */

static bool redis_is_away(struct trial *trial)
{
    if (!trial->redis)
        return false;
    if (trial->pg)
        return decide(trial, "unknown", mem_strdup("unknown: neither PostgreSQL nor Redis can be asked"));
    return decide(trial, "redis_away",
                  mem_printf("unknown: Redis cannot be asked; in PostgreSQL there is %s",
                             trial->subject->has_row ? "a row" : "no row"));
}

static bool postgres_is_away(struct trial *trial)
{
    if (!trial->pg)
        return false;
    return decide(trial, "postgresql_away",
                  mem_printf("unknown: nothing is known from PostgreSQL; in Redis there is %s",
                             has_hash(trial)       ? "a hash"
                             : fact(trial, "type") ? "a key that is no hash"
                                                   : "no hash"));
}

/* ---- as it should be ---- */

/* That an indexer gave it up is worth knowing at once. */
static char *describe_in_step(const struct trial *trial)
{
    const json_t *queue;
    size_t i;

    json_array_foreach (fact(trial, "queues"), i, queue)
        if (strcmp(explain_member(queue, "state"), "dead") == 0)
            return mem_printf("in step, but dead in queue %s: %s", explain_member(queue, "queue"),
                              explain_member(queue, "reason"));
    return mem_strdup("in step");
}

static bool is_in_step(struct trial *trial)
{
    if (!trial->subject->has_row || !has_hash(trial) || json_array_size(fact(trial, "differences")) ||
        json_is_true(fact(trial, "expiry_differs")))
        return false;
    return decide(trial, "in_step", describe_in_step(trial));
}

static bool is_past(struct trial *trial)
{
    if (!json_is_true(fact(trial, "past")) || !json_is_null(fact(trial, "hash")))
        return false;
    return decide(trial, "past",
                  mem_printf("removed: its date passed on %s", explain_member(trial->facts, "expires_at")));
}

static bool is_absent(struct trial *trial)
{
    if (!json_is_null(fact(trial, "row")) || !json_is_null(fact(trial, "hash")))
        return false;
    if (json_is_object(fact(trial, "tombstone")))
        return decide(trial, "absent",
                      mem_strdup("removed: the row is gone, and so is its hash: nothing to do"));
    return decide(trial, "absent", mem_strdup("no such row, and no hash: nothing to do"));
}

/* ---- known trouble ---- */

static bool is_broken(struct trial *trial)
{
    const json_t *projection = known(trial, "projection_state");
    const char *error = explain_member(trial->story->facts, "unreadable");

    if (!*error && json_is_string(json_object_get(projection, "broken_at")))
        error = explain_member(projection, "error");
    if (!*error)
        return false;
    return decide(trial, "broken",
                  mem_printf("nothing of projection %s can be read: %s", name_of(trial), error));
}

/* A hash that is ours is a ghost all the same. */
static bool is_no_id(struct trial *trial)
{
    const char *why = explain_member(trial->facts, "no_id");

    if (!*why || json_is_object(fact(trial, "version")))
        return false;
    return decide(trial, "no_id",
                  mem_printf("no document of projection %s has such an id: %s", name_of(trial), why));
}

static bool cannot_be_built(struct trial *trial)
{
    const json_t *quarantine = fact(trial, "quarantine");
    const char *error = explain_member(trial->facts, "error");

    if (!*error)
        return false;
    if (!json_is_object(quarantine))
        return decide(trial, "unbuildable",
                      mem_printf("cannot be built: %s in %s", error, trial->story->config->source));
    return decide(trial, "quarantined",
                  mem_printf("quarantined since %s: %s in %s", explain_member(quarantine, "first_at"), error,
                             trial->story->config->source));
}

/* ", the next to be applied", " behind 3,210 changes"; the caller frees. */
static char *describe_line(const json_t *change)
{
    int64_t behind = json_integer_value(json_object_get(change, "behind"));
    bool least = json_is_true(json_object_get(change, "behind_is_least"));

    if (behind == 0)
        return mem_strdup(", the next to be applied");
    return mem_printf(" behind %s%s", least ? "at least " : "", human_of(behind, "change").text);
}

static bool is_stale(struct trial *trial)
{
    const json_t *change = json_array_get(known(trial, "changes"), 0);
    bool nobody = json_integer_value(known(trial, "workers")) == 0;
    char *line;

    if (!change)
        return false;
    line = describe_line(change);
    decide(trial, "stale",
           mem_printf("stale since %s: waiting in partition %lld%s%s",
                      human_ms((int64_t)(json_number_value(json_object_get(change, "seconds")) * 1000)).text,
                      (long long)json_integer_value(json_object_get(change, "partition")), line,
                      nobody ? "; no worker of this fleet runs: start pgusherd" : ""));
    free(line);
    return true;
}

/* It was refused, and nobody has tried again since. */
static bool is_quarantined(struct trial *trial)
{
    const json_t *quarantine = fact(trial, "quarantine");

    if (!json_is_object(quarantine))
        return false;
    return decide(trial, "quarantined",
                  mem_printf("quarantined since %s: %s; run: pgusher quarantine retry %s",
                             explain_member(quarantine, "first_at"), explain_member(quarantine, "error"),
                             name_of(trial)));
}

static bool is_being_filled(struct trial *trial)
{
    const json_t *backfill = json_array_get(known(trial, "backfills"), 0);
    json_int_t done = json_integer_value(json_object_get(backfill, "documents"));
    json_int_t total = json_integer_value(json_object_get(backfill, "total"));
    const char *what = has_hash(trial) ? "differs" : "not there yet";
    const char *paused = json_is_true(json_object_get(backfill, "paused")) ? ", and paused" : "";

    if (!backfill)
        return false;
    if (total > 0)
        return decide(trial, "backfilling",
                      mem_printf("%s: backfill of %s is at %lld %%%s", what, name_of(trial),
                                 (long long)(done < total ? 100 * done / total : 100), paused));
    return decide(trial, "backfilling",
                  mem_printf("%s: backfill of %s is under way, %s done%s", what, name_of(trial),
                             human_of(done, "document").text, paused));
}

static bool is_changing(struct trial *trial)
{
    if (!fact(trial, "newer_than_row"))
        return false;
    return decide(
        trial, "changing",
        mem_strdup("changing right now: what is in Redis is newer than the row that was read; ask again"));
}

/* ---- nothing explains it ---- */

static char *describe_one(const json_t *difference)
{
    const json_t *wanted = json_object_get(difference, "postgresql");
    const json_t *found = json_object_get(difference, "redis");

    return mem_printf("field %s is %s in PostgreSQL, %s in Redis", explain_member(difference, "field"),
                      json_is_string(wanted) ? json_string_value(wanted) : "not there",
                      json_is_string(found) ? json_string_value(found) : "not there");
}

static char *describe_many(const json_t *differences)
{
    struct buf names = BUF_NONE;
    json_t *difference;
    size_t i;

    json_array_foreach (differences, i, difference)
        buf_printf(&names, "%s%s", i ? ", " : "", explain_member(difference, "field"));
    buf_printf(&names, " are not as in PostgreSQL");
    return buf_take(&names);
}

static char *describe_drift(const struct trial *trial)
{
    const json_t *differences = fact(trial, "differences");
    const char *expires = explain_member(trial->facts, "expires_at");
    const char *hash_expires = explain_member(trial->facts, "hash_expires_at");

    if (fact(trial, "type"))
        return mem_printf("the key is a %s, not a hash", explain_member(trial->facts, "type"));
    if (!has_hash(trial))
        return mem_strdup("there is a row, but no hash");
    if (!trial->subject->has_row)
        return mem_strdup("there is a hash, but no row");
    if (json_array_size(differences) == 1)
        return describe_one(json_array_get(differences, 0));
    if (json_array_size(differences))
        return describe_many(differences);
    return mem_printf("the hash ends %s%s, the document %s%s", *hash_expires ? "at " : "never", hash_expires,
                      *expires ? "at " : "never", expires);
}

static bool has_drifted(struct trial *trial)
{
    char *what = describe_drift(trial);

    decide(trial, "drift", mem_printf("drift: %s; run: pgusher verify %s --repair", what, name_of(trial)));
    free(what);
    return true;
}

/* ---- all ---- */

static judge_fn *const judges[] = {
    redis_is_away, postgres_is_away, is_in_step, is_no_id,       cannot_be_built, is_past,     is_absent,
    is_broken,     is_changing,      is_stale,   is_quarantined, is_being_filled, has_drifted,
};

bool explain_is_well(const char *state)
{
    return strcmp(state, "in_step") == 0 || strcmp(state, "past") == 0 || strcmp(state, "absent") == 0;
}

static void judge(struct trial *trial)
{
    for (size_t i = 0; !trial->state; i++)
        judges[i](trial);
    json_object_set_new(trial->subject->facts, "state", json_string(trial->state));
    json_object_set_new(trial->subject->facts, "verdict", json_string(trial->verdict));
}

/* The story's verdict is that of the first document that is not well. */
void explain_judge(struct story *story, const char *pg, const char *redis)
{
    bool well = true;

    for (size_t i = 0; i < story->count; i++) {
        const struct subject *subject = &story->subjects[i];
        struct trial trial = {
            .story = story, .subject = subject, .facts = subject->facts, .pg = pg, .redis = redis};

        judge(&trial);
        if (i == 0 || (well && !explain_is_well(trial.state))) {
            json_object_set_new(story->facts, "state", json_string(trial.state));
            json_object_set_new(story->facts, "verdict", json_string(trial.verdict));
        }
        well = well && explain_is_well(trial.state);
        free(trial.verdict);
    }
}
