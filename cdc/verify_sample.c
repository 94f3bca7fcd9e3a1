/* Rows picked at random. See verify.h.
 *
 * All ids are walked through, a chunk at a time, because live changes may wait; each has the same chance to
 * be among those that are kept (reservoir sampling: Vitter, Random Sampling with a Reservoir, 1985). */
#include <stdlib.h>
#include <sys/random.h>

#include "cdc/reader.h"
#include "cdc/verify_private.h"
#include "common/mem.h"

struct sample {
    char ***ids; /* kept */
    size_t count;
    size_t capacity;
    int64_t passed;
    bool walked;
    size_t told;
    unsigned short seed[3];
};

static struct sample *sample_of(struct verify *verify)
{
    if (verify->sample)
        return verify->sample;
    verify->sample = mem_zalloc(sizeof(*verify->sample));
    if (getrandom(verify->sample->seed, sizeof(verify->sample->seed), GRND_NONBLOCK) < 0)
        verify->sample->seed[0] = (unsigned short)verify->began_ms;
    return verify->sample;
}

void verify_forget_sample(struct verify *verify)
{
    struct sample *sample = verify->sample;

    for (size_t i = 0; sample && i < sample->count; i++)
        reader_position_free(verify_plan(verify), sample->ids[i]);
    free(sample ? sample->ids : NULL);
    free(sample);
}

static char **copy_id(const struct plan_projection *plan, const struct pg_rows *rows, int row)
{
    char **id = mem_alloc(sizeof(*id) * plan->config->nid);

    for (size_t i = 0; i < plan->config->nid; i++)
        id[i] = mem_strdup(pg_rows_get(rows, row, (int)i, NULL));
    return id;
}

static void consider(struct verify *verify, const struct pg_rows *rows, int row)
{
    const struct plan_projection *plan = verify_plan(verify);
    struct sample *sample = verify->sample;
    size_t place = sample->count;

    sample->passed++;
    if ((int64_t)place < verify->options.sample) {
        sample->ids = mem_grow(sample->ids, sample->count++, &sample->capacity, sizeof(*sample->ids));
    } else {
        place = (size_t)(erand48(sample->seed) * (double)sample->passed);
        if (place >= sample->count)
            return;
        reader_position_free(plan, sample->ids[place]);
    }
    sample->ids[place] = copy_id(plan, rows, row);
}

static int walk(struct verify *verify, struct err *err)
{
    static const struct plan_stretch chunk = {.filter = "", .limit = PLAN_CHUNK};
    const struct plan_projection *plan = verify_plan(verify);
    char *sql = plan_sql_ids(plan, &chunk, verify->position != NULL);
    struct pg_query query = {.sql = sql,
                             .params = (const char *const *)verify->position,
                             .nparams = verify->position ? (int)plan->config->nid : 0};
    struct pg_rows *rows = NULL;
    int result = pg_run(verify->session->pg, &query, &rows, err);
    int count = result == 0 ? pg_rows_count(rows) : 0;

    for (int row = 0; row < count; row++)
        consider(verify, rows, row);
    if (count) {
        reader_position_free(plan, verify->position);
        verify->position = copy_id(plan, rows, count - 1);
    }
    verify->sample->walked = result == 0 && count < PLAN_CHUNK;
    pg_rows_free(rows);
    free(sql);
    return result;
}

int verify_read_sample(struct verify *verify, bool *ret_last, struct err *err)
{
    struct sample *sample = sample_of(verify);
    struct ids *ids;
    int result;

    *ret_last = false;
    if (!sample->walked)
        return walk(verify, err);
    ids = ids_new(verify_plan(verify)->config->nid);
    for (size_t i = 0; i < READER_IDS && sample->told < sample->count; i++)
        ids_add(ids, (const char *const *)sample->ids[sample->told++]);
    result = reader_ids(verify->reader, verify->projection, ids, err);
    *ret_last = sample->told == sample->count;
    ids_free(ids);
    return result;
}
