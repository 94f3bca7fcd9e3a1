/* Looking at the items of a queue, page by page. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "queue/handle.h"

enum { PAGE = 500 };

#define MAX_MS 1e15 /* beyond any date */

/* Since when waiting items wait: "place:ms place:ms ...", as lua/parts/waiting.lua keeps it. */
struct dates {
    char *clock;
    int64_t front; /* the place of the next item to leave */
};

/* A page of items, and for each what Q:failures holds about it. */
struct page {
    redisReply *items; /* with scores between them, when `scored` */
    redisReply *notes; /* NULL for waiting items */
    bool scored;
    size_t from;
};

static size_t page_count(const struct page *page)
{
    return page->scored ? page->items->elements / 2 : page->items->elements;
}

/* A waiting list is read from its tail, the front of the queue. */
static const redisReply *page_item(const struct page *page, size_t i)
{
    return page->scored ? page->items->element[2 * i] : page->items->element[page->items->elements - 1 - i];
}

static void page_free(struct page *page)
{
    freeReplyObject(page->items);
    freeReplyObject(page->notes);
}

static redisReply *fetch_items(struct pgusher_queue *queue, enum pgusher_queue_place place, size_t from,
                               size_t count)
{
    char first[24], last[24];
    static const enum queue_key keys[] = {[PGUSHER_QUEUE_WAITING] = KEY_WAITING,
                                          [PGUSHER_QUEUE_DELAYED] = KEY_DELAYED,
                                          [PGUSHER_QUEUE_DEAD] = KEY_DEAD,
                                          [PGUSHER_QUEUE_LATER] = KEY_LATER};
    const char *key = queue->keys.name[keys[place]];

    if (place == PGUSHER_QUEUE_WAITING) {
        snprintf(first, sizeof(first), "-%zu", from + count);
        snprintf(last, sizeof(last), "-%zu", from + 1);
        return handle_command(queue, 4, (const char *const[]){"LRANGE", key, first, last});
    }
    snprintf(first, sizeof(first), "%zu", from);
    snprintf(last, sizeof(last), "%zu", from + count - 1);
    return handle_command(queue, 5, (const char *const[]){"ZRANGE", key, first, last, "WITHSCORES"});
}

static redisReply *fetch_notes(struct pgusher_queue *queue, const struct page *page)
{
    const char *key = queue->keys.name[KEY_FAILURES];
    struct buf command = BUF_NONE;
    redisReply *reply;

    buf_printf(&command, "*%zu\r\n", 2 + page_count(page));
    resp_put_bulk(&command, "HMGET", 5);
    resp_put_bulk(&command, key, strlen(key));
    for (size_t i = 0; i < page_count(page); i++)
        resp_put_bulk(&command, page_item(page, i)->str, (size_t)page_item(page, i)->len);
    reply = handle_raw(queue, &command);
    buf_free(&command);
    return reply;
}

/* Fewer than asked for at the end. */
static int fetch_page(struct pgusher_queue *queue, enum pgusher_queue_place place, size_t from, size_t count,
                      struct page *page)
{
    *page = (struct page){NULL, NULL, place != PGUSHER_QUEUE_WAITING, from};
    page->items = fetch_items(queue, place, from, count);
    page->items = handle_expect(queue, page->items, is_array_of_strings(page->items, false));
    if (!page->items)
        return -1;
    if (page_count(page) == 0 || !page->scored)
        return 0;
    page->notes = fetch_notes(queue, page);
    page->notes =
        handle_expect(queue, page->notes,
                      is_array_of_strings(page->notes, true) && page->notes->elements == page_count(page));
    if (page->notes)
        return 0;
    page_free(page);
    return -1;
}

/* "failures crashes when reason", as lua/parts/failures.lua writes it. */
static void read_failures(const redisReply *note, struct pgusher_queue_entry *entry)
{
    if (note->type == REDIS_REPLY_STRING &&
        sscanf(note->str, "%d %d ", &entry->failures, &entry->crashes) == 2)
        entry->reason = stats_reason(note->str);
}

static int read_dates(struct pgusher_queue *queue, struct dates *dates)
{
    const char *const meta[] = {"HMGET", queue->keys.name[KEY_META], "seq", "clock"};
    redisReply *reply = handle_command(queue, 4, meta);
    redisReply *stored =
        handle_expect(queue, reply, is_array_of_strings(reply, true) && reply->elements == 2);
    redisReply *length =
        stored ? handle_command(queue, 2, (const char *const[]){"LLEN", queue->keys.name[KEY_WAITING]})
               : NULL;

    if (length) {
        const char *seq = stored->element[0]->str, *clock = stored->element[1]->str;

        dates->front = (seq ? strtoll(seq, NULL, 10) : 0) - length->integer + 1;
        dates->clock = mem_strdup(clock ? clock : "");
        if (!dates->clock)
            handle_out_of_memory(queue);
    }
    freeReplyObject(stored);
    freeReplyObject(length);
    return dates->clock ? 0 : -1;
}

static int64_t date_of(const struct dates *dates, int64_t place)
{
    int64_t found_ms = -1;
    long long from, ms;
    int length;

    for (const char *at = dates->clock; sscanf(at, "%lld:%lld%n", &from, &ms, &length) == 2; at += length)
        if (from <= place || found_ms < 0)
            found_ms = ms;
    return found_ms;
}

/* Another program may have put infinity there. */
static int64_t score_ms(const char *text)
{
    double ms = strtod(text, NULL);

    return ms >= 0 && ms < MAX_MS ? (int64_t)ms : -1;
}

static struct pgusher_queue_entry read_entry(const struct page *page, const struct dates *dates, size_t i)
{
    const redisReply *item = page_item(page, i);
    struct pgusher_queue_entry entry = {
        .item = item->str, .len = (size_t)item->len, .when_ms = -1, .reason = ""};

    if (page->scored) {
        entry.when_ms = score_ms(page->items->element[2 * i + 1]->str);
        read_failures(page->notes->element[i], &entry);
    } else {
        entry.when_ms = date_of(dates, dates->front + (int64_t)(page->from + i));
    }
    return entry;
}

static bool show_page(const struct page *page, const struct dates *dates, pgusher_queue_entry_fn *fn,
                      void *arg)
{
    for (size_t i = 0; i < page_count(page); i++) {
        struct pgusher_queue_entry entry = read_entry(page, dates, i);

        if (!fn(arg, &entry))
            return false;
    }
    return true;
}

static int each_page(struct pgusher_queue *queue, enum pgusher_queue_place place, size_t offset, size_t max,
                     const struct dates *dates, pgusher_queue_entry_fn *fn, void *arg)
{
    size_t seen = 0;
    bool more = true;

    while (more && (max == 0 || seen < max)) {
        size_t wanted = max && max - seen < PAGE ? max - seen : PAGE;
        struct page page;

        if (fetch_page(queue, place, offset + seen, wanted, &page) != 0)
            return -1;
        more = show_page(&page, dates, fn, arg) && page_count(&page) == wanted;
        seen += page_count(&page);
        page_free(&page);
    }
    return 0;
}

int pgusher_queue_each(struct pgusher_queue *queue, enum pgusher_queue_place place, size_t offset, size_t max,
                       pgusher_queue_entry_fn *fn, void *arg)
{
    struct dates dates = {NULL, 0};
    int failed;

    handle_begin(queue);
    if (handle_check_types(queue) != 0)
        return -1;
    if (place == PGUSHER_QUEUE_WAITING && read_dates(queue, &dates) != 0)
        return -1;
    failed = each_page(queue, place, offset, max, &dates, fn, arg);
    free(dates.clock);
    return failed;
}
