/* What a comparison found. See verify.h. */
#include <stdio.h>
#include <stdlib.h>

#include "cdc/verify.h"
#include "common/mem.h"

size_t verify_result_add(struct verify_result *result, enum drift drift, const char *key, const char *detail)
{
    result->drift++;
    result->kinds[drift]++;
    if (result->listed >= VERIFY_LISTED)
        return SIZE_MAX;
    result->list = mem_resize(result->list, (result->listed + 1) * sizeof(*result->list));
    result->list[result->listed] =
        (struct verify_difference){.drift = drift, .key = mem_strdup(key), .detail = mem_strdup(detail)};
    return result->listed++;
}

void verify_result_clear(struct verify_result *result)
{
    for (size_t i = 0; i < result->listed; i++) {
        free(result->list[i].key);
        free(result->list[i].detail);
    }
    free(result->list);
    result->list = NULL;
    result->listed = 0;
}

static const char *const save_sql =
    "INSERT INTO pgusher.verified AS v (fleet, projection, took_ms, sampled, compared, missing, ghosts, "
    "different,"
    " expiry, repaired, waiting) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    " ON CONFLICT (fleet, projection) DO UPDATE SET at = now(), took_ms = EXCLUDED.took_ms,"
    " sampled = EXCLUDED.sampled, compared = EXCLUDED.compared, missing = EXCLUDED.missing,"
    " ghosts = EXCLUDED.ghosts, different = EXCLUDED.different, expiry = EXCLUDED.expiry,"
    " repaired = EXCLUDED.repaired, waiting = EXCLUDED.waiting";

enum { NUMBERS = 8 };

int verify_save(struct session *session, const struct verify_result *result, struct err *err)
{
    const int64_t *kinds = result->kinds;
    const int64_t values[NUMBERS] = {result->took_ms,
                                     result->documents,
                                     kinds[DRIFT_MISSING],
                                     kinds[DRIFT_GHOST],
                                     kinds[DRIFT_DIFFERENT] + kinds[DRIFT_TYPE] + kinds[DRIFT_VERSION],
                                     kinds[DRIFT_EXPIRY],
                                     result->mended,
                                     result->waiting};
    char numbers[NUMBERS][24];
    const char *const params[] = {session->config->fleet,
                                  result->projection,
                                  numbers[0],
                                  result->sampled ? "true" : "false",
                                  numbers[1],
                                  numbers[2],
                                  numbers[3],
                                  numbers[4],
                                  numbers[5],
                                  numbers[6],
                                  numbers[7]};
    struct pg_query query = {.sql = save_sql, .params = params, .nparams = 11};

    for (size_t i = 0; i < NUMBERS; i++)
        snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)values[i]);
    return pg_run(session->pg, &query, NULL, err);
}
