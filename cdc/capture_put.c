#include "cdc/capture_private.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cdc/session.h"
#include "common/mem.h"

/* ---- what stands ---- */

/* The comment of the trigger on this table (or, without one, of the function); NULL when there is none. What
 * stands of another version of the schema goes away with it. */
static const char *standing_comment(const struct composing *composing, const char *oid, const char *name)
{
    for (int row = 0; composing->version == SCHEMA_VERSION && row < composing_count(composing); row++) {
        if (oid && composing_is(composing, row, "trigger") &&
            strcmp(composing_get(composing, row, STATE_OID), oid) == 0 &&
            strcmp(composing_get(composing, row, STATE_WHAT), name) == 0)
            return composing_get(composing, row, STATE_KEYS);
        if (!oid && composing_is(composing, row, "function") &&
            strcmp(composing_get(composing, row, STATE_NAME), name) == 0)
            return composing_get(composing, row, STATE_KEYS);
    }
    return NULL;
}

static char *digest_of(const char *definition)
{
    return mem_printf("pgusher %016llx", (unsigned long long)XXH3_64bits(definition, strlen(definition)));
}

/* ---- functions ---- */

/* The id of the capture with exactly these keys, a new one when there is none. */
static int capture_id(struct composing *composing, const struct need *need)
{
    char *keys = array_literal((const char *const *)need->keys.list, need->keys.count);
    int id = 0;

    for (int row = 0; row < composing_count(composing) && !id; row++) {
        char **list;
        size_t count;
        char *normal;

        if (!composing_is(composing, row, "capture") ||
            strcmp(composing_get(composing, row, STATE_OID), need->oid) != 0)
            continue;
        count = array_parse(composing_get(composing, row, STATE_KEYS), &list);
        normal = array_literal((const char *const *)list, count);
        if (strcmp(normal, keys) == 0)
            id = atoi(composing_get(composing, row, STATE_NAME));
        for (size_t i = 0; i < count; i++)
            free(list[i]);
        free(list);
        free(normal);
    }
    free(keys);
    return id ? id : composing->next_capture++;
}

/* Replaces the function unless it stands already exactly so. A transaction that has called the old one does
 * not know of a new fleet's gates, so all that write the table must have ended before: hence the lock. */
static void put_function(struct composing *composing, const struct need *need, int id)
{
    char *name = mem_printf("capture_%d", id);
    const char *standing = standing_comment(composing, NULL, name);
    struct buf function = BUF_NONE;
    char *comment;

    capture_sql_put_function(&function, need, id, &composing->gates);
    comment = digest_of(function.data);
    if (!standing || strcmp(standing, comment) != 0) {
        composing->changed++;
        if (standing)
            buf_printf(&composing->sql, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE;\n", need->qualified);
        buf_puts(&composing->sql, function.data);
        buf_printf(&composing->sql, "COMMENT ON FUNCTION pgusher.%s() IS '%s';\n", name, comment);
    }
    buf_free(&function);
    free(comment);
    free(name);
}

/* ---- triggers ---- */

/* Creates the trigger unless it stands already exactly so: its comment tells by the definition's digest.
 * Creating locks the table against writers until the end of the transaction. */
static void put_trigger(struct composing *composing, const char *oid, const char *qualified,
                        const char *trigger, const char *events, const char *function)
{
    const char *standing = standing_comment(composing, oid, trigger);
    char *definition = mem_printf("%s ON %s %s", events, qualified, function);
    char *comment = digest_of(definition);

    if (!standing || strcmp(standing, comment) != 0) {
        composing->changed++;
        buf_printf(&composing->sql, "CREATE OR REPLACE TRIGGER %s %s ON %s %s;\n", trigger, events, qualified,
                   function);
        buf_printf(&composing->sql, "COMMENT ON TRIGGER %s ON %s IS '%s';\n", trigger, qualified, comment);
    }
    free(definition);
    free(comment);
}

static void put_truncate_triggers(struct composing *composing, const struct need *need, const char *function)
{
    put_trigger(composing, need->oid, need->qualified, "pgusher_truncate", "AFTER TRUNCATE", function);
    for (int row = 0; row < pg_rows_count(composing->parents); row++)
        if (strcmp(pg_rows_get(composing->parents, row, PARENT_OID, NULL), need->oid) == 0)
            put_trigger(composing, pg_rows_get(composing->parents, row, PARENT_CHILD_OID, NULL),
                        pg_rows_get(composing->parents, row, PARENT_CHILD, NULL), "pgusher_truncate",
                        "AFTER TRUNCATE", function);
}

static void put_triggers(struct composing *composing, const struct need *need, int id)
{
    char *on_change = mem_printf("FOR EACH ROW EXECUTE FUNCTION pgusher.capture_%d()", id);
    char *on_truncate = mem_printf("FOR EACH STATEMENT EXECUTE FUNCTION pgusher.capture_%d()", id);

    put_trigger(composing, need->oid, need->qualified, "pgusher_change", "AFTER INSERT OR DELETE", on_change);
    put_trigger(composing, need->oid, need->qualified, "pgusher_update", "AFTER UPDATE", on_change);
    put_truncate_triggers(composing, need, on_truncate);
    free(on_change);
    free(on_truncate);
}

/* ---- what nobody needs any more ---- */

static bool is_needed(const struct composing *composing, const struct needs *needs, const char *oid)
{
    for (size_t i = 0; i < needs->count; i++)
        if (strcmp(needs->list[i].oid, oid) == 0)
            return true;
    for (int row = 0; row < pg_rows_count(composing->parents); row++)
        if (strcmp(pg_rows_get(composing->parents, row, PARENT_CHILD_OID, NULL), oid) == 0)
            return true;
    return false;
}

static void drop_left_over_triggers(struct composing *composing, const struct needs *needs)
{
    for (int row = 0; row < composing_count(composing); row++) {
        if (!composing_is(composing, row, "trigger") ||
            is_needed(composing, needs, composing_get(composing, row, STATE_OID)))
            continue;
        composing->changed++;
        buf_printf(&composing->sql, "DROP TRIGGER IF EXISTS %s ON %s;\n",
                   composing_get(composing, row, STATE_WHAT), composing_get(composing, row, STATE_NAME));
    }
}

static void drop_left_over_functions(struct composing *composing, const struct names *used)
{
    for (int row = 0; row < composing_count(composing); row++) {
        const char *name = composing_get(composing, row, STATE_NAME);
        bool needed = false;

        if (!composing_is(composing, row, "function"))
            continue;
        for (size_t i = 0; i < used->count; i++)
            needed = needed || strcmp(used->list[i], name) == 0;
        if (!needed)
            buf_printf(&composing->sql, "DROP FUNCTION IF EXISTS pgusher.%s();\n", name);
    }
}

/* ---- all of it ---- */

static int put_capture(struct composing *composing, const struct need *need)
{
    int id = capture_id(composing, need);
    char *keys = array_literal((const char *const *)need->keys.list, need->keys.count);

    buf_printf(&composing->sql, "INSERT INTO pgusher.capture (id, relation, key_columns) VALUES (%d, ", id);
    pg_put_literal(&composing->sql, need->qualified);
    buf_puts(&composing->sql, ", ");
    pg_put_literal(&composing->sql, keys);
    buf_puts(&composing->sql, ") ON CONFLICT (relation, key_columns) DO NOTHING;\n");
    free(keys);
    put_function(composing, need, id);
    put_triggers(composing, need, id);
    return id;
}

void composing_put_captures(struct composing *composing, const struct needs *needs)
{
    struct names used = {0};

    /* First: what a partition has of its whole cannot be replaced by a trigger of its own. */
    drop_left_over_triggers(composing, needs);
    for (size_t i = 0; i < needs->count; i++) {
        char *name = mem_printf("capture_%d", put_capture(composing, &needs->list[i]));

        names_add(&used, name);
        free(name);
    }
    drop_left_over_functions(composing, &used);
    names_free(&used);
}
