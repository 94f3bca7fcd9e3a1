/* What `pgusher init` chooses for one table, and what it says of the choices. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/verb_init.h"
#include "common/mem.h"

enum { MAX_SHOWN = 8 }; /* columns of one referenced row: more is a document of its own */

struct making {
    struct init_catalog *catalog;
    struct init_card *card;
    struct names columns; /* names in the view */
    struct names aliases; /* names in its FROM */
};

void init_note(struct init_card *card, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    card->notes.items = mem_resize(card->notes.items, (card->notes.count + 1) * sizeof(char *));
    card->notes.items[card->notes.count++] = mem_vprintf(format, args);
    va_end(args);
}

static char *joined(const struct list *list)
{
    struct buf text = BUF_NONE;

    for (size_t i = 0; i < list->count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", list->items[i]);
    return buf_take(&text);
}

static bool same_list(const struct list *a, const struct list *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return a->count == b->count;
}

/* ---- the table's own columns ---- */

bool init_card_shows(const struct init_card *card, const struct init_column *column)
{
    return list_has(&card->table->id, column->name) || (column->readable && column->kind != 's');
}

static void choose_columns(struct making *making)
{
    struct init_card *card = making->card;

    for (size_t i = 0; i < card->table->ncolumns; i++) {
        const struct init_column *column = &card->table->columns[i];

        if (init_card_shows(card, column))
            names_add(&making->columns, column->name);
        else if (!column->readable)
            init_note(card, "column %s is left out: this role may not read it", column->name);
        else
            init_note(card, "column %s is left out: by its name it is a secret; add it if it is none",
                      column->name);
        if (column->name[0] == '_' && init_card_shows(card, column))
            init_note(
                card,
                "column %s is in the view, but not stored in Redis: its name begins with \"_\"; give it "
                "another name in the view if it is to be a field",
                column->name);
    }
}

/* ---- what a foreign key is called ---- */

static bool is_number_of(const char *name, size_t len, size_t *ret_stem)
{
    static const char *const endings[] = {"_id", "_ID", "Id", "ID"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending = strlen(endings[i]);

        if (len <= ending || strcmp(name + len - ending, endings[i]) != 0)
            continue;
        if (endings[i][0] == 'I' && !islower((unsigned char)name[len - ending - 1]))
            continue;
        *ret_stem = len - ending;
        return true;
    }
    return false;
}

/* venue_id: venue; author: author; several columns, or the same name on both sides: the other table. */
static char *key_name(const struct init_key *key)
{
    const char *column = key->from_columns.items[0];
    size_t stem;

    if (key->from_columns.count > 1)
        return mem_strdup(key->to->name);
    if (is_number_of(column, strlen(column), &stem))
        return mem_strndup(column, stem);
    return mem_strdup(strcmp(column, key->to_columns.items[0]) == 0 ? key->to->name : column);
}

/* ---- watches ---- */

static size_t watched_columns(const struct init_card *card, const struct init_table *table)
{
    struct names columns = {0};
    size_t count;

    for (size_t i = 0; i < card->nparts; i++)
        if (card->parts[i].table == table)
            for (size_t j = 0; j < card->parts[i].columns->count; j++)
                names_add(&columns, card->parts[i].columns->items[j]);
    count = columns.count;
    names_free(&columns);
    return count;
}

/* Whether a watch can hold this part as well. */
static bool add_part(struct init_card *card, const struct init_table *table, const struct list *columns,
                     const struct list *own)
{
    card->parts = mem_resize(card->parts, (card->nparts + 1) * sizeof(*card->parts));
    card->parts[card->nparts++] = (struct init_part){table, columns, own};
    if (watched_columns(card, table) <= MAX_ID_COLUMNS)
        return true;
    card->nparts--;
    init_note(card, "a foreign key with %s is left out: one watch has at most %d columns", table->name,
              MAX_ID_COLUMNS);
    return false;
}

static bool can_read(const struct init_table *table, const struct list *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        if (!init_column_find(table, columns->items[i])->readable)
            return false;
    return table->readable;
}

/* Whether both ends may be read and the foreign key does not say what another one said already. */
static bool is_useful(struct making *making, const struct init_key *key, const struct init_table *other)
{
    char *columns = joined(&key->from_columns);
    bool useful = true;

    for (const struct init_key *before = making->catalog->keys; before < key; before++)
        if (before->from == key->from && before->to == key->to &&
            same_list(&before->from_columns, &key->from_columns) &&
            same_list(&before->to_columns, &key->to_columns))
            useful = false;
    if (useful && (!can_read(key->from, &key->from_columns) || !can_read(key->to, &key->to_columns))) {
        init_note(making->card, "%s.%s is left out (foreign key %s of %s): this role may not read it",
                  other->schema, other->name, columns, key->from->name);
        useful = false;
    }
    free(columns);
    return useful;
}

void init_want_index(const struct init_catalog *catalog, struct init_card *card,
                     const struct init_table *table, const struct list *columns)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "CREATE INDEX ON ");
    init_put_name(catalog, &sql, table->schema);
    buf_putc(&sql, '.');
    init_put_name(catalog, &sql, table->name);
    for (size_t i = 0; i < columns->count; i++) {
        buf_puts(&sql, i ? ", " : " (");
        init_put_name(catalog, &sql, columns->items[i]);
    }
    buf_puts(&sql, ");");
    names_add(&card->indexes, sql.data);
    buf_free(&sql);
}

/* ---- what the foreign keys point to ---- */

static void choose_shown(struct making *making, struct init_reference *reference)
{
    const struct init_table *to = reference->key->to;
    struct buf left = BUF_NONE;

    reference->shown = mem_zalloc(sizeof(*reference->shown) * MAX_SHOWN);
    for (size_t i = 0; i < to->ncolumns; i++) {
        const struct init_column *column = &to->columns[i];
        bool fits = column->kind == 't' && reference->nshown < MAX_SHOWN;
        char *wanted;

        if (!column->readable || column->kind == 'o' || list_has(&reference->key->to_columns, column->name))
            continue;
        if (!fits) {
            buf_printf(&left, "%s%s", left.len ? ", " : "", column->name);
            continue;
        }
        wanted = mem_printf("%s_%s", reference->alias, column->name);
        reference->shown[reference->nshown++] =
            (struct init_shown){column, init_unique_name(&making->columns, wanted)};
        free(wanted);
    }
    if (left.len)
        init_note(making->card, "%s: of %s only short texts are shown, at most %d; left out: %s",
                  reference->alias, to->name, MAX_SHOWN, left.data);
    buf_free(&left);
}

static void free_reference(struct init_reference *reference)
{
    for (size_t i = 0; i < reference->nshown; i++)
        free(reference->shown[i].name);
    free(reference->shown);
    free(reference->alias);
}

static void add_reference(struct making *making, const struct init_key *key)
{
    struct init_card *card = making->card;
    struct init_reference reference = {.key = key};
    char *wanted = key_name(key);

    reference.alias = init_unique_name(&making->aliases, wanted);
    free(wanted);
    choose_shown(making, &reference);
    if (reference.nshown == 0 || !add_part(card, key->to, &key->to_columns, &key->from_columns)) {
        free_reference(&reference);
        return;
    }
    if (!key->indexed)
        init_want_index(making->catalog, card, key->from, &key->from_columns);
    card->references = mem_resize(card->references, (card->nreferences + 1) * sizeof(reference));
    card->references[card->nreferences++] = reference;
}

/* ---- what points to the table ---- */

static bool is_only_key(const struct making *making, const struct init_key *key)
{
    for (size_t i = 0; i < making->catalog->nkeys; i++) {
        const struct init_key *other = &making->catalog->keys[i];

        if (other != key && other->from == key->from && other->to == key->to &&
            !same_list(&other->from_columns, &key->from_columns))
            return false;
    }
    return true;
}

static void add_count(struct making *making, const struct init_key *key)
{
    struct init_card *card = making->card;
    char *role = key_name(key);
    char *wanted = is_only_key(making, key) ? mem_printf("%s_count", key->from->name)
                                            : mem_printf("%s_%s_count", key->from->name, role);

    if (add_part(card, key->from, &key->from_columns, &key->to_columns)) {
        if (!key->indexed)
            init_want_index(making->catalog, card, key->from, &key->from_columns);
        card->counts = mem_resize(card->counts, (card->ncounts + 1) * sizeof(*card->counts));
        card->counts[card->ncounts++] = (struct init_count){key, init_unique_name(&making->columns, wanted)};
    }
    free(wanted);
    free(role);
}

static void choose_neighbours(struct making *making)
{
    const struct init_table *table = making->card->table;

    for (size_t i = 0; i < making->catalog->nkeys; i++) {
        const struct init_key *key = &making->catalog->keys[i];

        if (key->from == table && is_useful(making, key, key->to))
            add_reference(making, key);
    }
    for (size_t i = 0; i < making->catalog->nkeys; i++) {
        const struct init_key *key = &making->catalog->keys[i];

        if (key->to == table && is_useful(making, key, key->from))
            add_count(making, key);
    }
}

/* ---- all of it ---- */

char *init_config_name(const struct init_table *table, const char *relation)
{
    return table->visible ? mem_strdup(relation) : mem_printf("%s.%s", table->schema, relation);
}

/* The names of our own keys begin with "pgusher:". */
static char *choose_name(const struct init_table *table, struct names *names)
{
    bool ours = strcmp(table->name, "pgusher") == 0 || strncmp(table->name, "pgusher:", 8) == 0;
    char *wanted = ours || names_have(names, table->name) ? mem_printf("%s_%s", table->schema, table->name)
                                                          : mem_strdup(table->name);
    char *name = init_unique_name(names, wanted);

    free(wanted);
    return name;
}

static char *choose_view(struct init_catalog *catalog, const struct init_table *table)
{
    char *wanted = mem_printf("%s_card", table->name);
    char *view = init_unique_name(&catalog->taken, wanted);

    free(wanted);
    return view;
}

static void explain_id(struct init_card *card)
{
    char *columns = joined(&card->table->id);

    if (card->table->id_index)
        init_note(card, "there is no primary key; %s is unique (index %s) and never NULL, and serves as id",
                  columns, card->table->id_index);
    if (card->table->id.count > 1)
        init_note(card, "the key has several columns: a value that holds a \":\" may be refused");
    if (card->table->has_heirs)
        init_note(card, "rows of tables that inherit from %s are not documents (ONLY)", card->table->name);
    free(columns);
}

void init_card_make(struct init_card *card, struct init_catalog *catalog, const struct init_table *table,
                    struct names *names)
{
    struct making making = {.catalog = catalog, .card = card};

    *card = (struct init_card){.table = table, .name = choose_name(table, names)};
    card->view = choose_view(catalog, table);
    names_add(&making.aliases, "t");
    explain_id(card);
    choose_columns(&making);
    add_part(card, table, &table->id, &table->id);
    choose_neighbours(&making);
    init_choose_date(catalog, card);
    names_free(&making.columns);
    names_free(&making.aliases);
}

void init_card_free(struct init_card *card)
{
    for (size_t i = 0; i < card->nreferences; i++)
        free_reference(&card->references[i]);
    for (size_t i = 0; i < card->ncounts; i++)
        free(card->counts[i].name);
    free(card->references);
    free(card->counts);
    free(card->parts);
    free(card->name);
    free(card->view);
    list_free(&card->notes);
    names_free(&card->indexes);
}
