#include "cdc/page.h"

#include <stdlib.h>

#include "cdc/catalog.h"
#include "common/clock.h"
#include "common/mem.h"

enum page_column { COL_UPTO, COL_STATE, COL_GATES, COL_AGE, COL_XID, COL_SEQ, COL_CAPTURE, COL_KEYS };

void page_free(struct page *page)
{
    if (!page)
        return;
    arena_free(page->arena);
    free(page);
}

static const char *keep(struct page *page, const struct pg_rows *rows, int row, int column)
{
    size_t len;
    const char *text = pg_rows_get(rows, row, column, &len);

    return arena_copy(page->arena, text, len + 1);
}

static struct change read_change(struct page *page, const struct pg_rows *rows, int row)
{
    struct change change = {.capture = atoi(pg_rows_get(rows, row, COL_CAPTURE, NULL))};
    size_t len;
    const char *keys = pg_rows_get(rows, row, COL_KEYS, &len);

    if (keys) {
        change.keys = arena_alloc(page->arena, array_room(keys) * sizeof(*change.keys));
        change.nkeys = array_split(arena_copy(page->arena, keys, len + 1), change.keys);
        page->bytes += len;
    }
    return change;
}

/* A canary is no change. */
static void take_changes(struct page *page, const struct pg_rows *rows)
{
    int64_t oldest_ms = -1;

    page->changes = arena_alloc(page->arena, page->count * sizeof(*page->changes));
    for (size_t i = 0; i < page->count; i++) {
        int64_t age_ms = atoll(pg_rows_get(rows, (int)i, COL_AGE, NULL));

        page->changes[i] = read_change(page, rows, (int)i);
        if (page->changes[i].capture > 0 && age_ms > oldest_ms)
            oldest_ms = age_ms;
    }
    if (oldest_ms >= 0)
        page->oldest_at_ms = clock_mono_ms() - oldest_ms;
}

struct page *page_new(const struct pg_rows *rows)
{
    struct page *page = mem_zalloc(sizeof(*page));
    int last = pg_rows_count(rows) - 1;

    page->arena = arena_new();
    page->count = (size_t)last;
    page->upto = keep(page, rows, last, COL_UPTO);
    page->state = keep(page, rows, last, COL_STATE);
    page->gates = parts_parse(pg_rows_get(rows, last, COL_GATES, NULL));
    if (last == 0)
        return page;
    take_changes(page, rows);
    page->last_xid = keep(page, rows, last - 1, COL_XID);
    page->last_seq = keep(page, rows, last - 1, COL_SEQ);
    return page;
}
