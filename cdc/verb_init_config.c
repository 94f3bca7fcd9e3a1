/* The configuration, as `pgusher init` writes it: above all its watches.
 *
 * A watch names a table once. A table that concerns the documents in several ways (a row shows its parent,
 * the parent counts its children) has one lookup for all of them, a UNION; where the columns hold an id as it
 * is, it takes them as they are, for the row of a document that is gone is found no more.
 */
#include <stdlib.h>
#include <string.h>

#include "cdc/verb_init.h"
#include "common/mem.h"

struct watching {
    const struct init_catalog *catalog;
    const struct init_card *card;
    const struct init_table *table;
    const struct init_part **parts; /* of this table */
    size_t nparts;
    struct list columns; /* of the watch; each once, not its own */
};

/* ---- what the columns hold ---- */

static bool is_integer(const char *type)
{
    return strcmp(type, "smallint") == 0 || strcmp(type, "integer") == 0 || strcmp(type, "bigint") == 0;
}

/* Whether a value is the same text in both columns. */
static bool same_text(const struct init_column *a, const struct init_column *b)
{
    return strcmp(a->type, b->type) == 0 || (is_integer(a->base_type) && is_integer(b->base_type));
}

/* Which of the part's columns holds this column of the id; NULL: none, or not as it is. */
static const char *holder(const struct watching *watching, const struct init_part *part, const char *id)
{
    for (size_t i = 0; i < part->own->count; i++)
        if (strcmp(part->own->items[i], id) == 0 &&
            same_text(init_column_find(watching->table, part->columns->items[i]),
                      init_column_find(watching->card->table, id)))
            return part->columns->items[i];
    return NULL;
}

static bool is_direct(const struct watching *watching, const struct init_part *part)
{
    const struct list *id = &watching->card->table->id;

    for (size_t i = 0; i < id->count; i++)
        if (!holder(watching, part, id->items[i]))
            return false;
    return part->own->count == id->count;
}

/* ---- lookups ---- */

static const char *base_type(const struct init_table *table, const char *column)
{
    return init_column_find(table, column)->base_type;
}

/* $1, or $1::type[] where the type is not said by what it is compared with. */
static void put_array(const struct watching *watching, struct buf *sql, const char *column, bool cast)
{
    for (size_t i = 0; i < watching->columns.count; i++)
        if (strcmp(watching->columns.items[i], column) == 0)
            buf_printf(sql, "$%zu", i + 1);
    if (cast)
        buf_printf(sql, "::%s[]", base_type(watching->table, column));
}

static void put_arrays(const struct watching *watching, struct buf *sql, const struct list *columns)
{
    buf_puts(sql, "unnest(");
    for (size_t i = 0; i < columns->count; i++) {
        buf_puts(sql, i ? ", " : "");
        put_array(watching, sql, columns->items[i], true);
    }
    buf_putc(sql, ')');
}

static void put_direct(const struct watching *watching, struct buf *sql, const struct init_part *part)
{
    const struct list *id = &watching->card->table->id;
    char **held = mem_zalloc(id->count * sizeof(char *));
    struct list columns = {held, id->count};

    for (size_t i = 0; i < id->count; i++)
        held[i] = (char *)holder(watching, part, id->items[i]);
    buf_puts(sql, id->count > 1 ? "SELECT * FROM " : "SELECT ");
    put_arrays(watching, sql, &columns);
    free(held);
}

static void put_id(const struct watching *watching, struct buf *sql, const char *alias)
{
    const struct list *id = &watching->card->table->id;

    buf_puts(sql, "SELECT ");
    for (size_t i = 0; i < id->count; i++) {
        buf_printf(sql, "%s%s", i ? ", " : "", alias);
        init_put_name(watching->catalog, sql, id->items[i]);
    }
    buf_puts(sql, " FROM ");
    init_put_table(watching->catalog, sql, watching->card->table, true);
}

static void put_lookup_by_one(const struct watching *watching, struct buf *sql, const struct init_part *part)
{
    const char *own = part->own->items[0], *column = part->columns->items[0];
    bool same = strcmp(base_type(watching->card->table, own), base_type(watching->table, column)) == 0;

    put_id(watching, sql, "");
    buf_puts(sql, " WHERE ");
    init_put_name(watching->catalog, sql, own);
    buf_puts(sql, " = ANY(");
    put_array(watching, sql, column, watching->nparts > 1 || !same);
    buf_putc(sql, ')');
}

static void put_lookup_by_several(const struct watching *watching, struct buf *sql,
                                  const struct init_part *part)
{
    put_id(watching, sql, "t.");
    buf_puts(sql, " t JOIN ");
    put_arrays(watching, sql, part->columns);
    buf_puts(sql, " AS k (");
    for (size_t i = 0; i < part->own->count; i++)
        buf_printf(sql, "%sk%zu", i ? ", " : "", i + 1);
    buf_puts(sql, ") ON ");
    for (size_t i = 0; i < part->own->count; i++) {
        buf_puts(sql, i ? " AND t." : "t.");
        init_put_name(watching->catalog, sql, part->own->items[i]);
        buf_printf(sql, " = k.k%zu", i + 1);
    }
}

static char *lookup(const struct watching *watching)
{
    struct buf sql = BUF_NONE;

    for (size_t i = 0; i < watching->nparts; i++) {
        const struct init_part *part = watching->parts[i];

        buf_puts(&sql, i ? " UNION " : "");
        if (is_direct(watching, part))
            put_direct(watching, &sql, part);
        else if (part->columns->count == 1)
            put_lookup_by_one(watching, &sql, part);
        else
            put_lookup_by_several(watching, &sql, part);
    }
    return buf_take(&sql);
}

/* ---- watches ---- */

static json_t *names_json(const struct list *names)
{
    json_t *list = json_array();

    if (names->count == 1) {
        json_decref(list);
        return json_string(names->items[0]);
    }
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(list, json_string(names->items[i]));
    return list;
}

static void set_text(json_t *object, const char *name, char *text)
{
    json_object_set_new(object, name, json_string(text));
    free(text);
}

static void take_columns(struct watching *watching, const struct init_part *part)
{
    for (size_t i = 0; i < part->columns->count; i++)
        if (!list_has(&watching->columns, part->columns->items[i]))
            watching->columns.items[watching->columns.count++] = part->columns->items[i];
}

/* The columns in the order of the id. */
static json_t *direct_watch(struct watching *watching)
{
    const struct list *id = &watching->card->table->id;

    watching->columns.count = 0;
    for (size_t i = 0; i < id->count; i++)
        watching->columns.items[watching->columns.count++] =
            (char *)holder(watching, watching->parts[0], id->items[i]);
    return names_json(&watching->columns);
}

static json_t *watch(struct watching *watching)
{
    json_t *object;

    if (watching->nparts == 1 && is_direct(watching, watching->parts[0]))
        return direct_watch(watching);
    object = json_object();
    json_object_set_new(object, "column", names_json(&watching->columns));
    set_text(object, "lookup", lookup(watching));
    return object;
}

static void add_watch(json_t *watches, const struct init_catalog *catalog, const struct init_card *card,
                      const struct init_table *table)
{
    char *name = init_config_name(table, table->name);
    struct watching watching = {.catalog = catalog, .card = card, .table = table};

    if (!json_object_get(watches, name)) {
        watching.parts = mem_zalloc(card->nparts * sizeof(*watching.parts));
        watching.columns.items = mem_zalloc((MAX_ID_COLUMNS + 1) * sizeof(char *));
        for (size_t i = 0; i < card->nparts; i++)
            if (card->parts[i].table == table) {
                watching.parts[watching.nparts++] = &card->parts[i];
                take_columns(&watching, &card->parts[i]);
            }
        json_object_set_new(watches, name, watch(&watching));
        free(watching.columns.items);
        free(watching.parts);
    }
    free(name);
}

/* ---- the projection ---- */

static void put_escaped(struct buf *key, const char *text)
{
    for (; *text; text++) {
        if (*text == '{' || *text == '}')
            buf_putc(key, *text);
        buf_putc(key, *text);
    }
}

static char *key_template(const struct init_card *card)
{
    struct buf key = BUF_NONE;

    put_escaped(&key, card->name);
    for (size_t i = 0; i < card->table->id.count; i++)
        buf_printf(&key, ":{%s}", card->table->id.items[i]);
    return buf_take(&key);
}

json_t *init_projection(const struct init_catalog *catalog, const struct init_card *card)
{
    json_t *projection = json_object(), *watches = json_object();

    set_text(projection, "source", init_config_name(card->table, card->view));
    json_object_set_new(projection, "id", names_json(&card->table->id));
    set_text(projection, "key", key_template(card));
    if (card->expire_at)
        json_object_set_new(projection, "expire_at", json_string(card->expire_at->name));
    if (card->expire_late)
        json_object_set_new(projection, "expire_grace", json_string("1 day"));
    for (size_t i = 0; i < card->nparts; i++)
        add_watch(watches, catalog, card, card->parts[i].table);
    json_object_set_new(projection, "watch", watches);
    return projection;
}
