#include "queue/consume_documents.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"
#include "queue/consume_line.h"
#include "queue/tool_text.h"
#include "queue/tombstone.h"

/* The documents that are read in one pipeline. */
struct page {
    size_t count;
    size_t items[NODES_PIPELINE];
    struct question hashes[NODES_PIPELINE];
    size_t ngone;
    struct question tombstones[NODES_PIPELINE]; /* of those that are gone, in their order */
    char *names[NODES_PIPELINE];                /* the tombstones' keys */
};

static bool is_gone(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 0;
}

/* ---- reading ---- */

static void add_tombstone(struct page *page, const struct question *hash)
{
    struct question *tombstone = &page->tombstones[page->ngone];
    struct buf name = BUF_NONE;

    tombstone_add_key(&name, hash->key, hash->len);
    tombstone->len = name.len;
    page->names[page->ngone++] = buf_take(&name);
    tombstone->verb = "GET";
    tombstone->key = page->names[page->ngone - 1];
}

/* Errors that are no fault of the one document. */
static int check_replies(const struct question *questions, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const redisReply *reply = questions[i].reply;

        if (reply->type == REDIS_REPLY_ERROR && redis_error_classify(reply->str) != ST_REFUSED)
            err_set(err, redis_error_classify(reply->str), "Redis: %s", reply->str);
    }
    return err->status == ST_OK ? 0 : -1;
}

static int ask(struct nodes *nodes, struct question *questions, size_t count, struct err *err)
{
    if (nodes_ask(nodes, questions, count, err) != 0)
        return -1;
    return check_replies(questions, count, err);
}

static int read_page(struct nodes *nodes, struct page *page, struct err *err)
{
    if (ask(nodes, page->hashes, page->count, err) != 0)
        return -1;
    for (size_t i = 0; i < page->count; i++)
        if (is_gone(page->hashes[i].reply))
            add_tombstone(page, &page->hashes[i]);
    return ask(nodes, page->tombstones, page->ngone, err);
}

/* Everything in it is unused until it has been filled in. */
static void page_clear(struct page *page)
{
    for (size_t i = 0; i < NODES_PIPELINE; i++) {
        freeReplyObject(page->hashes[i].reply);
        freeReplyObject(page->tombstones[i].reply);
        free(page->names[i]);
    }
    memset(page, 0, sizeof(*page));
}

/* ---- what they say, as lines ---- */

static void put_hash(struct buf *line, struct line_word key, const redisReply *reply)
{
    struct line_word *words = mem_alloc(reply->elements * sizeof(*words));

    for (size_t i = 0; i < reply->elements; i++)
        words[i] = (struct line_word){reply->element[i]->str, (size_t)reply->element[i]->len};
    line_put_upsert(line, key, words, reply->elements);
    free(words);
}

static void put_gone(struct buf *line, struct line_word key, const redisReply *tombstone)
{
    struct line_word version = {NULL, 0};

    if (tombstone->type == REDIS_REPLY_STRING)
        version = (struct line_word){tombstone->str, (size_t)tombstone->len};
    line_put_delete(line, key, version);
}

static void refuse(struct work *work, size_t item, const redisReply *reply)
{
    const char *text = reply->type == REDIS_REPLY_ERROR ? reply->str : "no hash came";
    char *reason = strncmp(text, "WRONGTYPE", 9) == 0
                       ? mem_strdup("the key holds no hash, so there is no document to read")
                       : mem_printf("its document cannot be read: %s", text);

    work_decide(work, item, FATE_NACK, reason);
    free(reason);
}

/* Verdicts call an item as its line does. */
static void rename_to_shown(struct work *work, size_t item, struct line_word key)
{
    json_t *shown = text_json(key.data, key.len);

    work_rename(work, item, json_string_value(shown), json_string_length(shown));
    json_decref(shown);
}

static void put_lines(struct work *work, const struct page *page)
{
    struct buf line = BUF_NONE;
    size_t ngone = 0;

    for (size_t i = 0; i < page->count; i++) {
        struct line_word key = {page->hashes[i].key, page->hashes[i].len};
        const redisReply *reply = page->hashes[i].reply;

        if (reply->type != REDIS_REPLY_ARRAY) {
            refuse(work, page->items[i], reply);
            continue;
        }
        buf_clear(&line);
        if (is_gone(reply))
            put_gone(&line, key, page->tombstones[ngone++].reply);
        else
            put_hash(&line, key, reply);
        work_put_line(work, page->items[i], line.data, line.len);
        rename_to_shown(work, page->items[i], key);
    }
    buf_free(&line);
}

/* ---- all of them ---- */

static void add_item(struct page *page, const struct work *work, size_t index)
{
    const struct work_item *item = work_item(work, index);

    page->items[page->count] = index;
    page->hashes[page->count++] = (struct question){.verb = "HGETALL", .key = item->data, .len = item->len};
}

/* Returns where it stopped. */
static size_t fill_page(struct page *page, const struct work *work, size_t from)
{
    while (from < work_count(work) && page->count < NODES_PIPELINE) {
        if (work_item(work, from)->fate == FATE_OPEN && !work_has_line(work, from))
            add_item(page, work, from);
        from++;
    }
    return from;
}

int documents_read(struct nodes *nodes, struct work *work, struct err *err)
{
    struct page *page = mem_zalloc(sizeof(*page));
    int failed = 0;

    for (size_t at = 0; at < work_count(work) && !failed;) {
        at = fill_page(page, work, at);
        failed = read_page(nodes, page, err);
        if (!failed)
            put_lines(work, page);
        page_clear(page);
    }
    free(page);
    return failed;
}
