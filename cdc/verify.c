#include "cdc/verify.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/reader.h"
#include "cdc/verify_private.h"
#include "common/clock.h"
#include "common/mem.h"

/* ---- what the reader finds ---- */

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct verify *verify = arg;
    size_t nid = projection->config->nid, index = ids_count(verify->keys);
    struct entry *entry;

    /* One that was told before an error of the SQL is told again. */
    ids_add(verify->keys, (const char *const *)&document->key.data);
    if (ids_count(verify->keys) == index)
        return;
    verify->entries =
        mem_grow(verify->entries, verify->nentries, &verify->capacity, sizeof(*verify->entries));
    entry = &verify->entries[verify->nentries++];
    entry->key = ids_get(verify->keys, index)[0];
    entry->id = arena_alloc(verify->arena, nid * sizeof(*entry->id));
    for (size_t i = 0; i < nid; i++)
        entry->id[i] = arena_copy(verify->arena, document->id[i], strlen(document->id[i]) + 1);
    entry->wanted = (struct wanted){.exists = true, .version = version, .expire_ms = document->expire_ms};
    document_digest(&document->fields, document->expire_ms, entry->wanted.digest);
}

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct verify *verify = arg;

    (void)projection;
    (void)key;
    (void)error;
    verify->result.unreadable++;
}

/* A sampled row that went meanwhile is nothing to compare. */
static const struct reader_handlers reader_handlers = {.document = on_document, .refused = on_refused};

/* ---- rows ---- */

static void on_found(void *arg, size_t index, const struct found *found)
{
    struct verify *verify = arg;
    const struct entry *entry = &verify->entries[index];

    if (!drift_is_none(drift_judge(verify_plan(verify), &entry->wanted, found)))
        suspects_add(verify->suspects, entry->key, (const char *const *)entry->id);
}

static int compare_entries(struct verify *verify, struct err *err)
{
    const char **keys = mem_alloc((verify->nentries + 1) * sizeof(*keys));
    int result;

    for (size_t i = 0; i < verify->nentries; i++)
        keys[i] = verify->entries[i].key;
    result = inspect_keys(verify->session->rconn, keys, verify->nentries, on_found, verify, err);
    verify->result.documents += (int64_t)verify->nentries;
    free(keys);
    return result;
}

static int read_all(struct verify *verify, bool *ret_last, struct err *err)
{
    static const struct plan_stretch chunk = {.filter = "", .limit = PLAN_CHUNK};
    size_t count;

    if (reader_after(verify->reader, verify->projection, &chunk, &verify->position, &count, err) != 0)
        return -1;
    *ret_last = count < PLAN_CHUNK;
    return 0;
}

static int step_rows(struct verify *verify, struct err *err)
{
    bool last;

    verify->nentries = 0;
    ids_clear(verify->keys);
    arena_reset(verify->arena);
    if ((verify->options.sample ? verify_read_sample : read_all)(verify, &last, err) != 0 ||
        compare_entries(verify, err) != 0)
        return -1;
    if (last)
        verify->phase = PHASE_KEYS;
    return 0;
}

/* ---- all of it ---- */

struct verify *verify_new(struct session *session, size_t projection, const struct verify_options *options)
{
    struct verify *verify = mem_zalloc(sizeof(*verify));

    verify->session = session;
    verify->projection = projection;
    verify->options = *options;
    verify->result.projection = session->plan->projections[projection].config->name;
    verify->result.sampled = options->sample > 0;
    verify->suspects = suspects_new(session, projection, options->repair, &verify->result);
    verify->reader = reader_new(session, &reader_handlers, verify);
    verify->arena = arena_new();
    verify->keys = ids_new(1);
    verify->ids = ids_new(verify_plan(verify)->config->nid);
    verify->began_ms = clock_mono_ms();
    return verify;
}

void verify_free(struct verify *verify)
{
    if (!verify)
        return;
    verify_result_clear(&verify->result);
    reader_position_free(verify_plan(verify), verify->position);
    suspects_free(verify->suspects);
    reader_free(verify->reader);
    key_walk_free(verify->walk);
    verify_forget_sample(verify);
    ids_free(verify->keys);
    ids_free(verify->ids);
    arena_free(verify->arena);
    free(verify->entries);
    free(verify);
}

bool verify_is_done(const struct verify *verify)
{
    return verify->phase == PHASE_DONE;
}

const struct verify_result *verify_result(const struct verify *verify)
{
    return &verify->result;
}

int64_t verify_ms_left(const struct verify *verify)
{
    int64_t left = verify->next_ms - clock_mono_ms();

    return left > 0 ? left : 0;
}

static int settle(struct verify *verify, struct err *err)
{
    int64_t wait_ms;

    if (suspects_step(verify->suspects, &wait_ms, err) != 0)
        return -1;
    verify->next_ms = clock_mono_ms() + wait_ms;
    verify->settling = suspects_count(verify->suspects) > 0;
    return 0;
}

int verify_step(struct verify *verify, struct err *err)
{
    int result = 0;

    verify->settling |= suspects_count(verify->suspects) >= SUSPECTS_MAX ||
                        (verify->phase == PHASE_END && suspects_count(verify->suspects) > 0);
    if (verify->settling)
        result = settle(verify, err);
    else if (verify->phase == PHASE_ROWS)
        result = step_rows(verify, err);
    else if (verify->phase == PHASE_KEYS)
        result = verify_step_keys(verify, err);
    else
        verify->phase = PHASE_DONE;
    verify->result.took_ms = clock_mono_ms() - verify->began_ms;
    if (result != 0)
        err_context(err, "projection %s", verify->result.projection);
    return result;
}
