/* What becomes of suspects. See suspects.h. */
#include "cdc/suspects_private.h"

enum { COUNTED_MAX = 100000 }; /* keys that are remembered, so that none is counted twice */

void suspects_settle_drift(struct suspects *suspects, struct suspect *suspect)
{
    suspect->settled = true;
    if (suspect->mending)
        return;
    if (ids_count(suspects->counted) < COUNTED_MAX)
        ids_add(suspects->counted, &suspect->key);
    suspect->listed =
        verify_result_add(suspects->result, suspect->verdict.drift, suspect->key, suspect->detail);
}

void suspects_settle_right(struct suspects *suspects, struct suspect *suspect)
{
    suspect->settled = true;
    suspect->verdict.drift = DRIFT_NONE;
    if (!suspect->mending)
        return;
    suspects->result->mended++;
    if (suspect->listed != SIZE_MAX)
        suspects->result->list[suspect->listed].mended = true;
}

void suspects_settle_waiting(struct suspects *suspects, struct suspect *suspect, const char *why)
{
    suspect->settled = true;
    suspect->verdict.drift = DRIFT_NONE;
    if (suspect->mending)
        return;
    suspects->result->waiting++;
    suspects->result->why_waiting = why;
}

void suspects_settle_moving(struct suspects *suspects, struct suspect *suspect)
{
    if (suspect->mending) {
        suspects_settle_right(suspects, suspect); /* it was written since, by who follows the rules */
        return;
    }
    suspect->settled = true;
    suspect->verdict.drift = DRIFT_NONE;
    suspects->result->in_motion++;
}

void suspects_settle_unreadable(struct suspects *suspects, struct suspect *suspect)
{
    suspect->settled = true;
    suspect->verdict.drift = DRIFT_NONE;
    if (!suspect->mending)
        suspects->result->unreadable++;
}
