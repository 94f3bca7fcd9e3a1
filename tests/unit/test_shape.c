/* cdc/shape.h */
#include "cdc/shape.h"

#include "common/mem.h"

#include "unit.h"

#define SHAPE(members, columns)                                                                              \
    "{\"source\":\"card\",\"key\":\"e:{id}\",\"id\":[\"id\"],\"expire_grace_ms\":0,\"queues\":[\"{s}\"]"     \
    "," members "\"columns\":{\"id\":\"integer\"" columns "}}"
#define PLAIN SHAPE("", "")

/* A later member of the same name counts. */
static const struct {
    const char *before;
    const char *now;
    const char *documents;
    const char *queues;
    const char *former;
} changes[] = {
    {PLAIN, PLAIN, NULL, NULL, NULL},
    {SHAPE("", ",\"a\":\"text\",\"b\":\"date\""), SHAPE("", ",\"b\":\"date\",\"a\":\"text\""), NULL, NULL,
     NULL},
    {PLAIN, SHAPE("\"source\":\"view\",", ""), "the source is now view, and was card", NULL, NULL},
    {PLAIN, SHAPE("\"key\":\"event:{id}\",", ""), "the key is now event:{id}, and was e:{id}", NULL,
     "e:{id} {\"id\"}"},
    {PLAIN, SHAPE("\"id\":[\"site\",\"id\"],", ""), "the id is now site, id, and was id", NULL, NULL},
    {PLAIN, SHAPE("\"expire_at\":\"ends\",\"expire_grace_ms\":5000,", ""),
     "expire_at is now ends, and was not set", NULL, NULL},
    {SHAPE("\"expire_at\":\"ends\",", ""), SHAPE("\"expire_at\":\"ends\",\"expire_grace_ms\":5000,", ""),
     "expire_grace is now 5 s, and was 0 s", NULL, NULL},
    {SHAPE("\"rows\":\"one\",", ""), SHAPE("\"rows\":\"many\",", ""), "rows is now many, and was one", NULL,
     NULL},
    {PLAIN, SHAPE("", ",\"a\":\"text\""), "column a was added: documents written before lack it", NULL, NULL},
    {SHAPE("", ",\"a\":\"text\",\"b\":\"date\""), PLAIN,
     "columns a, b were removed: documents written before have them still", NULL, NULL},
    {SHAPE("", ",\"a\":\"text\""), SHAPE("", ",\"b\":\"text\""),
     "column b was added: documents written before lack it; column a was removed: documents written before "
     "have it still",
     NULL, NULL},
    {SHAPE("", ",\"a\":\"date\""), SHAPE("", ",\"a\":\"text\""), "column a is now text, and was date", NULL,
     NULL},
    {PLAIN, SHAPE("\"queues\":[\"{s}\",\"{t}\"],", ""), NULL,
     "queue {t} is new and holds only what changes from now on; to queue all documents: redis-cli --scan "
     "--pattern 'e:*' | pgusher-queue push '{t}' - --later",
     NULL},
    {PLAIN, SHAPE("\"queues\":[],", ""), NULL, "queue {s} is told no more; what waits there stays", NULL},
};

static void same(const char *text, const char *expected)
{
    ck_assert_str_eq(text ? text : "nothing", expected ? expected : "nothing");
}

START_TEST(told_in_words)
{
    struct shape_change change;
    char *former;

    shape_compare(changes[_i].before, changes[_i].now, &change);
    same(change.documents, changes[_i].documents);
    same(change.queues, changes[_i].queues);
    former = change.former_key ? mem_printf("%s %s", change.former_key, change.former_id) : NULL;
    same(former, changes[_i].former);
    free(former);
    shape_change_clear(&change);
}
END_TEST

/* Only what is a field, and no more of a type than its text shows. */
START_TEST(of_a_source)
{
    static const char *const words[][3] = {{"id", "integer", "integer"},
                                           {"name", "character varying(30)", "character varying"},
                                           {"price", "numeric(10,2)", "numeric"},
                                           {"_secret", "text", "text"}};
    struct column columns[ROWS(words)];
    char card[] = "card", key[] = "e:{id}", id_column[] = "id", search[] = "{s}";
    struct relation source = {.name = card, .columns = columns, .ncolumns = ROWS(columns)};
    char *id = id_column, *queue = search;
    struct projection projection = {.source = card,
                                    .key_text = key,
                                    .id = &id,
                                    .nid = 1,
                                    .expire_grace_ms = 7,
                                    .queues = &queue,
                                    .nqueues = 1};
    char *text;

    for (size_t i = 0; i < ROWS(words); i++)
        columns[i] = (struct column){
            .name = (char *)words[i][0], .type = (char *)words[i][1], .base_type = (char *)words[i][2]};
    text = shape_text(&projection, &source);

    ck_assert_str_eq(text, "{\"columns\":{\"id\":\"integer\",\"name\":\"text\",\"price\":\"numeric(10,2)\"},"
                           "\"expire_at\":null,\"expire_grace_ms\":0,\"id\":[\"id\"],\"key\":\"e:{id}\","
                           "\"queues\":[\"{s}\"],\"rows\":\"one\",\"source\":\"card\"}");
    free(text);
}
END_TEST

UNIT_MAIN("shape", UNIT_ROWS(told_in_words, changes), UNIT(of_a_source))
