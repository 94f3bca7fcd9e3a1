/* Rates, by the differences between two looks. See verb_status.h. */
#include <stdio.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/status.h"
#include "cdc/verb_status.h"
#include "common/human.h"

/* The object with this name among the list; NULL: none. */
static const json_t *find(const json_t *list, const char *field, const char *name)
{
    const json_t *object;
    size_t i;

    json_array_foreach (list, i, object)
        if (strcmp(standing_text(object, field), name) == 0)
            return object;
    return NULL;
}

static double rate(const json_t *now, const json_t *before, const char *field, double seconds)
{
    return (double)(standing_integer(now, field) - standing_integer(before, field)) / seconds;
}

static json_t *queue_rates(const json_t *now, const json_t *before, double seconds)
{
    json_t *rates = json_array();
    const json_t *queue;
    size_t i;

    json_array_foreach (json_object_get(now, "queues"), i, queue) {
        const char *name = standing_text(queue, "queue");
        const json_t *then = find(json_object_get(before, "queues"), "queue", name);

        if (then)
            json_array_append_new(rates, json_pack("{s:s, s:f, s:f, s:f}", "queue", name, "queued",
                                                   rate(queue, then, "queued", seconds), "acked",
                                                   rate(queue, then, "acked", seconds), "failed",
                                                   rate(queue, then, "failed", seconds)));
    }
    return rates;
}

/* What a fleet applied is what was written, less what its lag grew by. */
static json_t *fleet_rates(const json_t *now, const json_t *before, double written, double seconds)
{
    json_t *rates = json_array();
    const json_t *fleet;
    size_t i;

    json_array_foreach (json_object_get(now, "fleets"), i, fleet) {
        const char *name = standing_text(fleet, "fleet");
        const json_t *then = find(json_object_get(before, "fleets"), "fleet", name);
        double grew = then ? rate(fleet, then, "lag_changes", seconds) : 0;

        if (then)
            json_array_append_new(rates, json_pack("{s:s, s:f, s:f}", "fleet", name, "applied",
                                                   written > grew ? written - grew : 0.0, "lag_grew", grew));
    }
    return rates;
}

json_t *status_rates(const json_t *now, const json_t *before)
{
    double seconds = (status_real(now, "looked_at_ms") - status_real(before, "looked_at_ms")) / 1000, written;

    if (!before || seconds <= 0)
        return json_null();
    written =
        rate(json_object_get(now, "changelog"), json_object_get(before, "changelog"), "last_seq", seconds);
    if (!json_object_get(now, "changelog") || !json_object_get(before, "changelog"))
        written = 0;
    return json_pack("{s:f, s:o, s:o}", "changes_written", written, "fleets",
                     fleet_rates(now, before, written, seconds), "queues", queue_rates(now, before, seconds));
}

void status_print_rates(const json_t *rates)
{
    const json_t *one;
    size_t i;

    if (!json_is_object(rates))
        return;
    printf("per second: changes written %s", human_rate(status_real(rates, "changes_written")).text);
    json_array_foreach (json_object_get(rates, "fleets"), i, one)
        printf("; fleet %s applied %s", standing_text(one, "fleet"),
               human_rate(status_real(one, "applied")).text);
    json_array_foreach (json_object_get(rates, "queues"), i, one)
        printf("; queue %s queued %s, acked %s", standing_text(one, "queue"),
               human_rate(status_real(one, "queued")).text, human_rate(status_real(one, "acked")).text);
    putchar('\n');
}
