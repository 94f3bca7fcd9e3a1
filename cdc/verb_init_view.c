/* views.sql, as `pgusher init` writes it. */
#include <ctype.h>
#include <string.h>

#include "cdc/verb_init.h"
#include "common/pg.h"

enum { COMMENT_WIDTH = 110 };

/* ---- names ---- */

static bool is_plain(const struct init_catalog *catalog, const char *name)
{
    if (!islower((unsigned char)*name) && *name != '_')
        return false;
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
            return false;
    return !names_have(&catalog->keywords, name);
}

void init_put_name(const struct init_catalog *catalog, struct buf *sql, const char *name)
{
    if (is_plain(catalog, name))
        buf_puts(sql, name);
    else
        pg_put_identifier(sql, name);
}

void init_put_table(const struct init_catalog *catalog, struct buf *sql, const struct init_table *table,
                    bool bare)
{
    if (table->has_heirs)
        buf_puts(sql, "ONLY ");
    if (!bare || !table->visible) {
        init_put_name(catalog, sql, table->schema);
        buf_putc(sql, '.');
    }
    init_put_name(catalog, sql, table->name);
}

/* ---- comments ---- */

/* A name may hold anything, but a comment ends with its line. */
static void put_comment_text(struct buf *sql, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(sql, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
}

/* Breaks the text at spaces into lines. */
static void put_comment(struct buf *sql, const char *text)
{
    const char *indent = "--   ";

    while (*text) {
        size_t len = strlen(text);

        if (len > COMMENT_WIDTH) {
            len = COMMENT_WIDTH;
            while (len && text[len] != ' ')
                len--;
            if (len == 0)
                len = strlen(text);
        }
        buf_puts(sql, indent);
        put_comment_text(sql, text, len);
        buf_putc(sql, '\n');
        text += len + (text[len] == ' ');
        indent = "--     ";
    }
}

static void put_head(struct buf *sql, const struct init_card *card)
{
    buf_puts(sql, "\n-- ");
    put_comment_text(sql, card->table->name, strlen(card->table->name));
    buf_puts(sql, ": one document per row.\n");
    for (size_t i = 0; i < card->notes.count; i++)
        put_comment(sql, card->notes.items[i]);
    if (card->indexes.count)
        buf_puts(sql, "--   No index finds these rows; on a large table each document would be a scan of it. "
                      "Create:\n");
    for (size_t i = 0; i < card->indexes.count; i++) {
        buf_puts(sql, "--     ");
        put_comment_text(sql, card->indexes.list[i], strlen(card->indexes.list[i]));
        buf_putc(sql, '\n');
    }
}

/* ---- the view ---- */

/* alias.column = alias.column AND … */
static void put_equal(const struct init_catalog *catalog, struct buf *sql, const char *alias,
                      const struct list *columns, const char *other_alias, const struct list *other)
{
    for (size_t i = 0; i < columns->count; i++) {
        buf_puts(sql, i ? " AND " : "");
        init_put_name(catalog, sql, alias);
        buf_putc(sql, '.');
        init_put_name(catalog, sql, columns->items[i]);
        buf_puts(sql, " = ");
        init_put_name(catalog, sql, other_alias);
        buf_putc(sql, '.');
        init_put_name(catalog, sql, other->items[i]);
    }
}

static void put_own_columns(const struct init_catalog *catalog, struct buf *sql, const struct init_card *card)
{
    const char *before = "";

    for (size_t i = 0; i < card->table->ncolumns; i++) {
        if (!init_card_shows(card, &card->table->columns[i]))
            continue;
        buf_printf(sql, "%st.", before);
        init_put_name(catalog, sql, card->table->columns[i].name);
        before = ",\n       ";
    }
}

static void put_references(const struct init_catalog *catalog, struct buf *sql, const struct init_card *card)
{
    for (size_t i = 0; i < card->nreferences; i++)
        for (size_t j = 0; j < card->references[i].nshown; j++) {
            buf_puts(sql, ",\n       ");
            init_put_name(catalog, sql, card->references[i].alias);
            buf_putc(sql, '.');
            init_put_name(catalog, sql, card->references[i].shown[j].column->name);
            buf_puts(sql, " AS ");
            init_put_name(catalog, sql, card->references[i].shown[j].name);
        }
}

static void put_counts(const struct init_catalog *catalog, struct buf *sql, const struct init_card *card)
{
    for (size_t i = 0; i < card->ncounts; i++) {
        const struct init_key *key = card->counts[i].key;

        buf_puts(sql, ",\n       (SELECT count(*) FROM ");
        init_put_table(catalog, sql, key->from, false);
        buf_puts(sql, " c WHERE ");
        put_equal(catalog, sql, "c", &key->from_columns, "t", &key->to_columns);
        buf_puts(sql, ") AS ");
        init_put_name(catalog, sql, card->counts[i].name);
    }
}

static void put_from(const struct init_catalog *catalog, struct buf *sql, const struct init_card *card)
{
    buf_puts(sql, "\n  FROM ");
    init_put_table(catalog, sql, card->table, false);
    buf_puts(sql, " t");
    for (size_t i = 0; i < card->nreferences; i++) {
        const struct init_reference *reference = &card->references[i];

        buf_puts(sql, "\n  LEFT JOIN ");
        init_put_table(catalog, sql, reference->key->to, false);
        buf_puts(sql, " AS ");
        init_put_name(catalog, sql, reference->alias);
        buf_puts(sql, " ON ");
        put_equal(catalog, sql, reference->alias, &reference->key->to_columns, "t",
                  &reference->key->from_columns);
    }
    buf_puts(sql, ";\n");
}

static void put_view(const struct init_catalog *catalog, struct buf *sql, const struct init_card *card)
{
    put_head(sql, card);
    buf_puts(sql, "CREATE VIEW ");
    init_put_name(catalog, sql, card->table->schema);
    buf_putc(sql, '.');
    init_put_name(catalog, sql, card->view);
    buf_puts(sql, " AS\nSELECT ");
    put_own_columns(catalog, sql, card);
    put_references(catalog, sql, card);
    put_counts(catalog, sql, card);
    put_from(catalog, sql, card);
}

char *init_views(const struct init_catalog *catalog, const struct init_card *cards, size_t count)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql,
             "-- The documents: one row of a view is one Redis hash, one column one field. A beginning, "
             "written by\n"
             "-- `pgusher init`: change it as you like, and see with `pgusher check` that every table which "
             "a view reads\n"
             "-- has its watch. pgusher asks for rows by id, so what is computed must be computed per row.\n"
             "\n"
             "SET client_encoding = 'UTF8';\n"
             "BEGIN;\n");
    for (size_t i = 0; i < count; i++)
        put_view(catalog, &sql, &cards[i]);
    buf_puts(&sql, "\nCOMMIT;\n");
    return buf_take(&sql);
}
