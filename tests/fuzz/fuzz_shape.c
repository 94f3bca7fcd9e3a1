/* cdc/shape.h: a shape differs in nothing from itself, and two differ in what they are made of. Lines: of
 * each two, first the one shape's, then the other's: source, key, id, date, queue, column, its type. */
#include "cdc/shape.h"

#include "fuzz.h"

struct side {
    char *source, *key, *id, *expire_at, *queue, *column, *type;
    bool many;
    int64_t grace_ms;
};

static char *text_of_side(const struct side *side)
{
    char *ids[] = {side->id}, *queues[] = {side->queue};
    struct column column = {.name = side->column, .type = side->type, .base_type = side->type};
    struct relation source = {.columns = &column, .ncolumns = 1};
    struct projection projection = {.source = side->source,
                                    .key_text = side->key,
                                    .id = ids,
                                    .nid = 1,
                                    .expire_at = side->expire_at[0] ? side->expire_at : NULL,
                                    .expire_grace_ms = side->grace_ms,
                                    .queues = queues,
                                    .nqueues = side->queue[0] ? 1 : 0,
                                    .many_rows = side->many};

    return shape_text(&projection, &source);
}

static bool same_grace(const struct side *a, const struct side *b)
{
    return !a->expire_at[0] || a->grace_ms == b->grace_ms;
}

static bool same_column(const struct side *a, const struct side *b)
{
    static const char *const kinds[] = {"character varying", "text"};
    bool a_text = strcmp(a->type, kinds[0]) == 0 || strcmp(a->type, kinds[1]) == 0;
    bool b_text = strcmp(b->type, kinds[0]) == 0 || strcmp(b->type, kinds[1]) == 0;

    if (a->column[0] == '_' && b->column[0] == '_')
        return true;
    return strcmp(a->column, b->column) == 0 && (strcmp(a->type, b->type) == 0 || (a_text && b_text));
}

static bool same_documents(const struct side *a, const struct side *b)
{
    return strcmp(a->source, b->source) == 0 && strcmp(a->key, b->key) == 0 && a->many == b->many &&
           strcmp(a->id, b->id) == 0 && strcmp(a->expire_at, b->expire_at) == 0 && same_grace(a, b) &&
           same_column(a, b);
}

/* What stands in JSON is UTF-8, as PostgreSQL's texts are. */
static char *utf8_line(struct input *input)
{
    char *line = input_line(input);
    size_t n;

    for (char *at = line; *at; at += n)
        if (character_at(at, strlen(at), &n) < 0)
            *at = '?', n = 1;
    return line;
}

static void check_pair(const struct side *a, const struct side *b)
{
    char *before = text_of_side(a), *now = text_of_side(b);
    struct shape_change change;

    must(before && now, "no text");
    shape_compare(before, before, &change);
    must(!change.documents && !change.queues && !change.former_key && !change.former_id,
         "%s differs from itself", before);
    shape_change_clear(&change);
    shape_compare(before, now, &change);
    must(!change.documents == same_documents(a, b), "%s and %s: %s", before, now, change.documents);
    must(!change.queues == (strcmp(a->queue, b->queue) == 0), "%s and %s: %s", before, now, change.queues);
    must(!change.former_key == (strcmp(a->key, b->key) == 0), "%s and %s: %s", before, now,
         change.former_key);
    must(!change.former_key || (strcmp(change.former_key, a->key) == 0 && change.former_id), "%s",
         change.former_key);
    shape_change_clear(&change);
    free(before);
    free(now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct side sides[2];
    uint8_t flags = input_byte(&input);

    for (int i = 0; i < 2; i++) {
        sides[i].many = flags >> i & 1;
        sides[i].grace_ms = (int64_t)1000 * (flags >> (2 + 2 * i) & 3);
    }
    for (size_t member = 0; member < 7; member++)
        for (int i = 0; i < 2; i++)
            (&sides[i].source)[member] = utf8_line(&input);
    check_pair(&sides[0], &sides[1]);
    for (size_t member = 0; member < 7; member++)
        for (int i = 0; i < 2; i++)
            free((&sides[i].source)[member]);
    return 0;
}
