/* Reading the rows and the hashes of suspects. See suspects.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/possible.h"
#include "cdc/suspects_private.h"
#include "common/mem.h"

enum { KEPT_BYTES = 16 << 20 }; /* of rows, to tell which fields differ */

/* ---- what the reader finds ---- */

static void note_version(struct suspects *suspects, int64_t version)
{
    if (suspects->version < 0 || version < suspects->version)
        suspects->version = version;
}

static struct suspect *find(struct suspects *suspects, const char *key)
{
    int64_t index = ids_find(suspects->keys, &key);

    return index < 0 || suspects->list[index].settled ? NULL : &suspects->list[index];
}

static void keep_fields(struct suspects *suspects, struct suspect *suspect, const struct document *document)
{
    size_t len = document->fields.len;

    if (len == 0 || suspects->row_bytes + len > KEPT_BYTES)
        return;
    suspects->row_bytes += len;
    suspect->fields.data = arena_copy(suspects->rows, document->fields.data, len + 1);
    suspect->fields.len = len;
}

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct suspects *suspects = arg;
    struct suspect *suspect = find(suspects, document->key.data);

    (void)projection;
    note_version(suspects, version);
    if (!suspect)
        return;
    suspect->wanted.exists = true;
    suspect->wanted.version = version;
    suspect->wanted.expire_ms = document->expire_ms;
    document_digest(&document->fields, document->expire_ms, suspect->wanted.digest);
    keep_fields(suspects, suspect, document);
}

static void on_missing(void *arg, const struct plan_projection *projection, const char *const *id,
                       int64_t version)
{
    (void)projection;
    (void)id;
    note_version(arg, version);
}

/* Told of a document, or of an id as a whole. */
static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct suspects *suspects = arg;
    struct buf own = BUF_NONE;

    (void)error;
    for (size_t i = 0; i < suspects->nopen; i++) {
        struct suspect *suspect = suspects_open_at(suspects, i);

        buf_clear(&own);
        plan_render_key(projection, suspect->id, &own);
        suspect->refused |= strcmp(suspect->key, key) == 0 || strcmp(own.data, key) == 0;
    }
    buf_free(&own);
}

const struct reader_handlers suspects_reader_handlers = {
    .document = on_document, .missing = on_missing, .refused = on_refused};

/* ---- looking ---- */

void suspects_list_open(struct suspects *suspects)
{
    size_t count = ids_count(suspects->keys);

    suspects->open = mem_resize(suspects->open, (count + 1) * sizeof(*suspects->open));
    suspects->nopen = 0;
    for (size_t i = 0; i < count; i++)
        if (!suspects->list[i].settled)
            suspects->open[suspects->nopen++] = i;
}

static void on_found(void *arg, size_t index, const struct found *found)
{
    struct suspects *suspects = arg;
    struct suspect *suspect = suspects_open_at(suspects, index);
    struct buf detail = BUF_NONE;

    suspect->verdict = drift_judge(suspects_plan(suspects), &suspect->wanted, found);
    suspect->newest = found->version > 0 ? found->version : found->gone;
    drift_describe(suspects_plan(suspects), &suspect->wanted, suspect->fields.data ? &suspect->fields : NULL,
                   found, suspect->verdict.drift ? suspect->verdict.drift : DRIFT_VERSION, &detail);
    free(suspect->detail);
    suspect->detail = buf_take(&detail);
}

int suspects_inspect(struct suspects *suspects, struct err *err)
{
    const char **keys;
    int result;

    suspects_list_open(suspects);
    keys = mem_alloc((suspects->nopen + 1) * sizeof(*keys));
    for (size_t i = 0; i < suspects->nopen; i++)
        keys[i] = suspects_open_at(suspects, i)->key;
    result = inspect_keys(suspects->session->rconn, keys, suspects->nopen, on_found, suspects, err);
    free(keys);
    return result;
}

static int is_possible(struct suspects *suspects, const struct suspect *suspect, bool *ret_possible,
                       struct err *err)
{
    struct ids *ids = ids_new(suspects_plan(suspects)->config->nid);
    int result;

    ids_add(ids, suspect->id);
    result = possible_ids(suspects->session, suspects_plan(suspects), ids, ret_possible, err);
    ids_free(ids);
    return result;
}

/* After the reader told what it found. */
static int take_row(struct suspects *suspects, struct suspect *suspect, struct err *err)
{
    bool possible;

    if (!suspect->wanted.exists) {
        suspect->wanted.version = suspects->version;
        suspect->wanted.foreign = suspects->all_keys;
    }
    suspect->impossible = false;
    if (!suspect->refused)
        return 0;
    if (is_possible(suspects, suspect, &possible, err) != 0)
        return -1;
    suspect->impossible = suspect->wanted.foreign = !possible;
    suspect->wanted.version = INT64_MAX;
    if (possible)
        suspects_settle_unreadable(suspects, suspect);
    return 0;
}

int suspects_read_rows(struct suspects *suspects, struct err *err)
{
    struct ids *ids = ids_new(suspects_plan(suspects)->config->nid);
    int result;

    suspects_list_open(suspects);
    arena_reset(suspects->rows);
    suspects->row_bytes = 0;
    suspects->version = -1;
    for (size_t i = 0; i < suspects->nopen; i++) {
        suspects_open_at(suspects, i)->wanted = (struct wanted){.expire_ms = -1};
        suspects_open_at(suspects, i)->refused = false;
        suspects_open_at(suspects, i)->fields = (struct buf)BUF_NONE;
        ids_add(ids, suspects_open_at(suspects, i)->id);
    }
    result = reader_ids(suspects->reader, suspects->projection, ids, err);
    for (size_t i = 0; i < suspects->nopen && result == 0; i++)
        result = take_row(suspects, suspects_open_at(suspects, i), err);
    ids_free(ids);
    return result;
}
