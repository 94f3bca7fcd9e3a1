#include "cdc/suspects.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/applied.h"
#include "cdc/mend.h"
#include "cdc/suspects_private.h"
#include "common/clock.h"
#include "common/mem.h"

enum {
    ROUNDS = 8,
    ASK_EVERY_MS = 50,
    STILL_MS = 10000,    /* no cursor moves for so long: nobody applies the changes */
    PATIENCE_MS = 60000, /* they move, but are far behind */
};

struct suspects *suspects_new(struct session *session, size_t projection, bool repair,
                              struct verify_result *result)
{
    struct suspects *suspects = mem_zalloc(sizeof(*suspects));
    char *pattern = template_pattern(session->plan->projections[projection].config->key);

    suspects->all_keys = pattern[0] == '*';
    free(pattern);
    suspects->session = session;
    suspects->projection = projection;
    suspects->repair = repair;
    suspects->result = result;
    suspects->reader = reader_new(session, &suspects_reader_handlers, suspects);
    suspects->arena = arena_new();
    suspects->rows = arena_new();
    suspects->keys = ids_new(1);
    suspects->counted = ids_new(1);
    return suspects;
}

static void forget(struct suspects *suspects)
{
    for (size_t i = 0; i < ids_count(suspects->keys); i++)
        free(suspects->list[i].detail);
    ids_clear(suspects->keys);
    arena_reset(suspects->arena);
    suspects->stage = STAGE_LOOK;
}

void suspects_free(struct suspects *suspects)
{
    if (!suspects)
        return;
    forget(suspects);
    reader_free(suspects->reader);
    arena_free(suspects->arena);
    arena_free(suspects->rows);
    ids_free(suspects->keys);
    ids_free(suspects->counted);
    free(suspects->list);
    free(suspects->open);
    free(suspects->snapshot);
    free(suspects->where);
    free(suspects);
}

void suspects_add(struct suspects *suspects, const char *key, const char *const *id)
{
    size_t nid = suspects_plan(suspects)->config->nid, count = ids_count(suspects->keys);
    const char **copy;

    if (ids_find(suspects->keys, &key) >= 0 || ids_find(suspects->counted, &key) >= 0)
        return;
    copy = arena_alloc(suspects->arena, nid * sizeof(*copy));
    for (size_t i = 0; i < nid; i++)
        copy[i] = arena_copy(suspects->arena, id[i], strlen(id[i]) + 1);
    ids_add(suspects->keys, &key);
    suspects->list = mem_grow(suspects->list, count, &suspects->capacity, sizeof(*suspects->list));
    suspects->list[count] =
        (struct suspect){.key = ids_get(suspects->keys, count)[0], .id = copy, .listed = SIZE_MAX};
}

size_t suspects_count(const struct suspects *suspects)
{
    return ids_count(suspects->keys);
}

/* ---- judging ---- */

/* What a look shows at once. `now`: the version of a snapshot that was taken after it. */
static void settle_at_sight(struct suspects *suspects, struct suspect *suspect, int64_t now)
{
    bool impossible = suspect->newest > now;

    if (impossible && !suspect->verdict.drift)
        suspect->verdict.drift = DRIFT_VERSION;
    if (impossible || (suspect->verdict.drift && suspect->verdict.evidence == EVIDENCE_CERTAIN))
        suspects_settle_drift(suspects, suspect);
    else if (!suspect->verdict.drift)
        suspects_settle_right(suspects, suspect);
}

static void settle_after_waiting(struct suspects *suspects, struct suspect *suspect)
{
    if (!suspect->verdict.drift)
        suspects_settle_right(suspects, suspect);
    else if (suspect->verdict.evidence != EVIDENCE_NEWER)
        suspects_settle_drift(suspects, suspect);
    else if (++suspect->rounds >= ROUNDS)
        suspects_settle_moving(suspects, suspect);
}

static bool any_to_mend(const struct suspects *suspects)
{
    for (size_t i = 0; suspects->repair && i < ids_count(suspects->keys); i++)
        if (suspects->list[i].verdict.drift && !suspects->list[i].mending)
            return true;
    return false;
}

static void go_on(struct suspects *suspects, enum stage stage)
{
    suspects_list_open(suspects);
    if (suspects->nopen)
        suspects->stage = stage;
    else if (any_to_mend(suspects))
        suspects->stage = STAGE_MEND;
    else
        forget(suspects);
}

static int look(struct suspects *suspects, struct err *err)
{
    int64_t now;

    free(suspects->snapshot);
    suspects->snapshot = NULL;
    if (suspects_read_rows(suspects, err) != 0 || suspects_inspect(suspects, err) != 0 ||
        applied_now(suspects->session, &suspects->snapshot, &now, err) != 0)
        return -1;
    for (size_t i = 0; i < suspects->nopen; i++)
        settle_at_sight(suspects, suspects_open_at(suspects, i), now);
    suspects->asked_at_ms = suspects->moved_at_ms = clock_mono_ms();
    go_on(suspects, STAGE_WAIT);
    return 0;
}

static int judge(struct suspects *suspects, struct err *err)
{
    if (suspects_inspect(suspects, err) != 0)
        return -1;
    for (size_t i = 0; i < suspects->nopen; i++)
        settle_after_waiting(suspects, suspects_open_at(suspects, i));
    go_on(suspects, STAGE_LOOK);
    return 0;
}

/* ---- waiting for the fleet ---- */

static const char *why_in_vain(struct suspects *suspects, const struct applied *applied)
{
    int64_t now = clock_mono_ms();

    if (!suspects->where || strcmp(suspects->where, applied->where) != 0)
        suspects->moved_at_ms = now;
    mem_replace(&suspects->where, applied->where);
    if (applied->backfilling)
        return "a backfill is under way";
    if (applied->workers == 0)
        return "changes wait and nobody applies them: no worker is alive";
    if (now - suspects->moved_at_ms >= STILL_MS)
        return "changes wait and nobody applies them: no cursor moves";
    return now - suspects->asked_at_ms >= PATIENCE_MS ? "changes wait: the fleet is far behind" : NULL;
}

static int wait_for_fleet(struct suspects *suspects, int64_t *ret_wait_ms, struct err *err)
{
    struct applied applied;
    const char *why;

    if (applied_ask(suspects->session, suspects->snapshot, suspects_plan(suspects)->config->name, &applied,
                    err) != 0)
        return -1;
    if (applied.all && !applied.backfilling) {
        suspects->stage = STAGE_JUDGE;
    } else {
        why = why_in_vain(suspects, &applied);
        for (size_t i = 0; why && i < suspects->nopen; i++)
            suspects_settle_waiting(suspects, suspects_open_at(suspects, i), why);
        *ret_wait_ms = why ? 0 : ASK_EVERY_MS;
        go_on(suspects, STAGE_WAIT);
    }
    free(applied.where);
    return 0;
}

/* ---- mending ---- */

static int mend(struct suspects *suspects, struct err *err)
{
    size_t count = ids_count(suspects->keys), n = 0;
    struct mend_item *items = mem_alloc((count + 1) * sizeof(*items));
    int result;

    for (size_t i = 0; i < count; i++) {
        struct suspect *suspect = &suspects->list[i];

        if (!suspect->verdict.drift || suspect->mending)
            continue;
        items[n++] = (struct mend_item){
            .key = suspect->key,
            .id = suspect->impossible ? NULL : suspect->id,
            .has_row = suspect->wanted.exists,
        };
        suspect->mending = true;
        suspect->settled = false;
        suspect->rounds = 0;
    }
    result = mend_documents(suspects->session, suspects->projection, items, n, err);
    free(items);
    suspects->stage = STAGE_LOOK;
    return result;
}

int suspects_step(struct suspects *suspects, int64_t *ret_wait_ms, struct err *err)
{
    *ret_wait_ms = 0;
    switch (suspects->stage) {
    case STAGE_LOOK:
        return look(suspects, err);
    case STAGE_WAIT:
        return wait_for_fleet(suspects, ret_wait_ms, err);
    case STAGE_JUDGE:
        return judge(suspects, err);
    default:
        return mend(suspects, err);
    }
}
