#include "queue/consume_verdict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "queue/consume_end.h"

enum { EXCERPT_BYTES = 100 };

struct judged {
    struct verdict_name name;
    size_t index;
    enum verdict verdict;
    char *reason;
};

struct verdicts {
    struct judged *list;    /* in the order of the names' bytes */
    struct judged **places; /* in the caller's order */
    size_t count;
    struct buf line;
    bool skipping; /* up to the end of an endless line */
    char *wrong;
};

static int compare(const struct verdict_name *a, const struct verdict_name *b)
{
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_judged(const void *a, const void *b)
{
    return compare(&((const struct judged *)a)->name, &((const struct judged *)b)->name);
}

struct verdicts *verdicts_new(const struct verdict_name *names, size_t count)
{
    struct verdicts *verdicts = mem_zalloc(sizeof(*verdicts));

    verdicts->count = count;
    verdicts->list = mem_zalloc((count + 1) * sizeof(*verdicts->list));
    verdicts->places = mem_zalloc((count + 1) * sizeof(struct judged *));
    for (size_t i = 0; i < count; i++)
        verdicts->list[i] = (struct judged){.name = names[i], .index = i};
    qsort(verdicts->list, count, sizeof(*verdicts->list), compare_judged);
    for (size_t i = 0; i < count; i++)
        verdicts->places[verdicts->list[i].index] = &verdicts->list[i];
    return verdicts;
}

void verdicts_free(struct verdicts *verdicts)
{
    if (!verdicts)
        return;
    for (size_t i = 0; i < verdicts->count; i++)
        free(verdicts->list[i].reason);
    free(verdicts->list);
    free(verdicts->places);
    buf_free(&verdicts->line);
    free(verdicts->wrong);
    free(verdicts);
}

/* ---- one line ---- */

static void note_wrong(struct verdicts *verdicts, const char *line, size_t len, const char *why)
{
    char *shown;

    if (verdicts->wrong)
        return;
    shown = run_excerpt(line, len, EXCERPT_BYTES);
    verdicts->wrong = mem_printf("\"%s\" %s", shown, why);
    free(shown);
}

/* The place of the first of that name, or count. */
static size_t find(const struct verdicts *verdicts, const struct verdict_name *name)
{
    size_t low = 0, high = verdicts->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&verdicts->list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < verdicts->count && compare(&verdicts->list[low].name, name) == 0 ? low : verdicts->count;
}

static void judge(struct judged *judged, enum verdict verdict, const char *reason, size_t len)
{
    if (judged->verdict == VERDICT_FAIL)
        return;
    judged->verdict = verdict;
    if (len > VERDICT_REASON_BYTES)
        len = VERDICT_REASON_BYTES;
    if (len)
        judged->reason = mem_strndup(reason, len);
}

/* Whether there is an item of that name. */
static bool judge_name(struct verdicts *verdicts, const struct verdict_name *name, enum verdict verdict,
                       const char *reason, size_t len)
{
    size_t at = find(verdicts, name);

    if (at == verdicts->count)
        return false;
    for (; at < verdicts->count && compare(&verdicts->list[at].name, name) == 0; at++)
        judge(&verdicts->list[at], verdict, reason, len);
    return true;
}

/* Whether `text` is "item<TAB>reason" or "item". */
static bool judge_failed(struct verdicts *verdicts, const char *text, size_t len)
{
    struct verdict_name name = {text, len};
    const char *tab;

    if (judge_name(verdicts, &name, VERDICT_FAIL, NULL, 0))
        return true;
    while ((tab = memrchr(text, '\t', name.len))) {
        name.len = (size_t)(tab - text);
        if (judge_name(verdicts, &name, VERDICT_FAIL, tab + 1, len - name.len - 1))
            return true;
    }
    return false;
}

static const char *skip_word(const char *line, size_t len, const char *word)
{
    size_t n = strlen(word);

    return len >= n && memcmp(line, word, n) == 0 ? line + n : NULL;
}

static void take_line(struct verdicts *verdicts, const char *line, size_t len)
{
    const char *rest;
    bool known;

    if ((rest = skip_word(line, len, "ok\t"))) {
        struct verdict_name name = {rest, len - (size_t)(rest - line)};

        known = judge_name(verdicts, &name, VERDICT_OK, NULL, 0);
    } else if ((rest = skip_word(line, len, "fail\t"))) {
        known = judge_failed(verdicts, rest, len - (size_t)(rest - line));
    } else {
        note_wrong(verdicts, line, len, "begins with neither ok<TAB> nor fail<TAB>");
        return;
    }
    if (!known)
        note_wrong(verdicts, line, len, "names no item of this run");
}

/* ---- the stream ---- */

static void add_to_line(struct verdicts *verdicts, const char *data, size_t len)
{
    if (verdicts->skipping)
        return;
    if (verdicts->line.len + len > VERDICT_LINE_BYTES) {
        verdicts->skipping = true;
        if (verdicts->line.len == 0)
            buf_add(&verdicts->line, data, EXCERPT_BYTES);
        note_wrong(verdicts, verdicts->line.data, verdicts->line.len, "does not end within 1.1 MB");
        buf_free(&verdicts->line);
        return;
    }
    buf_add(&verdicts->line, data, len);
}

static void end_line(struct verdicts *verdicts)
{
    if (!verdicts->skipping)
        take_line(verdicts, verdicts->line.data ? verdicts->line.data : "", verdicts->line.len);
    verdicts->skipping = false;
    buf_clear(&verdicts->line);
}

void verdicts_feed(struct verdicts *verdicts, const char *data, size_t len)
{
    while (len) {
        const char *newline = memchr(data, '\n', len);
        size_t piece = newline ? (size_t)(newline - data) : len;

        add_to_line(verdicts, data, piece);
        if (newline)
            end_line(verdicts);
        data += piece + (newline != NULL);
        len -= piece + (newline != NULL);
    }
}

/* What was cut off may look like another item's name. */
void verdicts_finish(struct verdicts *verdicts)
{
    if (verdicts->line.len)
        note_wrong(verdicts, verdicts->line.data, verdicts->line.len, "was not ended by a line break");
    buf_clear(&verdicts->line);
}

enum verdict verdicts_get(const struct verdicts *verdicts, size_t index, const char **ret_reason)
{
    if (ret_reason)
        *ret_reason = verdicts->places[index]->reason;
    return verdicts->places[index]->verdict;
}

const char *verdicts_wrong(const struct verdicts *verdicts)
{
    return verdicts->wrong;
}
