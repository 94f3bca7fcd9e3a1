/* The part of cdc/plan.h that is about keys. */
#include <stdlib.h>

#include "cdc/plan.h"

static void order_values(const struct plan_projection *plan, const char *const *id, const char **ret_values)
{
    for (size_t i = 0; i < template_columns(plan->config->key); i++)
        ret_values[i] = plan->key_ids[i] < 0 ? "*" : id[plan->key_ids[i]];
}

void plan_render_key(const struct plan_projection *plan, const char *const *id, struct buf *out)
{
    const char *values[MAX_KEY_COLUMNS];

    order_values(plan, id, values);
    template_render(plan->config->key, values, out);
}

bool plan_key_survives(const struct plan_projection *plan, const char *const *id)
{
    const char *values[MAX_KEY_COLUMNS];

    order_values(plan, id, values);
    return template_survives(plan->config->key, values);
}

static bool fits(const struct plan_projection *plan, const char *key, size_t len)
{
    char *values[MAX_KEY_COLUMNS];

    if (template_invert(plan->config->key, key, len, values) != 0)
        return false;
    for (size_t i = 0; i < template_columns(plan->config->key); i++)
        free(values[i]);
    return true;
}

const struct plan_projection *plan_key_rival(const struct plan *plan, const struct plan_projection *own,
                                             const char *key, size_t len)
{
    size_t literal = template_literal_bytes(own->config->key);

    for (size_t i = 0; own->has_rivals && i < plan->nprojections; i++) {
        const struct plan_projection *other = &plan->projections[i];

        if (other != own && template_literal_bytes(other->config->key) >= literal && fits(other, key, len))
            return other;
    }
    return NULL;
}

int plan_invert_key(const struct plan_projection *plan, const char *key, size_t len, char **ret_id)
{
    char *values[MAX_KEY_COLUMNS];

    if (template_invert(plan->config->key, key, len, values) != 0)
        return -1;
    for (size_t i = 0; i < template_columns(plan->config->key); i++)
        if (plan->key_ids[i] < 0)
            free(values[i]);
        else
            ret_id[plan->key_ids[i]] = values[i];
    return 0;
}
