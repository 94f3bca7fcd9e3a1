#include "queue/consume_work.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "queue/consume_bisect.h"
#include "queue/consume_verdict.h"

/* A part of the lines. */
struct span {
    size_t start;
    size_t len;
};

struct work {
    struct work_item *items;
    struct span *spans;
    struct verdict_name *names;
    char **renamed; /* NULL: by its bytes */
    size_t count;
    struct buf lines;
    struct bisect *bisect;
    /* the current run */
    const size_t *run;
    size_t nrun;
    size_t runs; /* so far */
    struct verdicts *verdicts;
};

struct work *work_new(size_t count)
{
    struct work *work = mem_zalloc(sizeof(*work));

    work->items = mem_zalloc((count + 1) * sizeof(*work->items));
    work->spans = mem_zalloc((count + 1) * sizeof(*work->spans));
    work->names = mem_zalloc((count + 1) * sizeof(*work->names));
    work->renamed = mem_zalloc((count + 1) * sizeof(char *));
    return work;
}

void work_free(struct work *work)
{
    if (!work)
        return;
    for (size_t i = 0; i < work->count; i++) {
        free(work->items[i].reason);
        free(work->renamed[i]);
    }
    free(work->items);
    free(work->spans);
    free(work->names);
    free(work->renamed);
    buf_free(&work->lines);
    bisect_free(work->bisect);
    verdicts_free(work->verdicts);
    free(work);
}

void work_add(struct work *work, const char *data, size_t len, int attempt)
{
    work->items[work->count] = (struct work_item){.data = data, .len = len, .attempt = attempt};
    work->names[work->count++] = (struct verdict_name){data, len};
}

size_t work_count(const struct work *work)
{
    return work->count;
}

const struct work_item *work_item(const struct work *work, size_t index)
{
    return &work->items[index];
}

void work_decide(struct work *work, size_t index, enum fate fate, const char *reason)
{
    struct work_item *item = &work->items[index];

    if (item->fate != FATE_OPEN)
        return;
    item->fate = fate;
    item->reason = mem_strdup(reason);
}

void work_decide_open(struct work *work, enum fate fate)
{
    for (size_t i = 0; i < work->count; i++)
        work_decide(work, i, fate, NULL);
    if (work->bisect)
        bisect_clear(work->bisect);
}

/* ---- lines ---- */

void work_rename(struct work *work, size_t index, const char *name, size_t len)
{
    work->renamed[index] = mem_strndup(name, len);
    work->names[index] = (struct verdict_name){work->renamed[index], len};
}

void work_put_line(struct work *work, size_t index, const char *line, size_t len)
{
    work->spans[index] = (struct span){work->lines.len, len};
    buf_add(&work->lines, line, len);
}

bool work_has_line(const struct work *work, size_t index)
{
    return work->spans[index].len > 0;
}

static const char *why_no_line(const struct work_item *item)
{
    if (memchr(item->data, '\n', item->len))
        return "it holds a line break and cannot be passed as a line; consume with --docs can pass it";
    if (memchr(item->data, '\0', item->len))
        return "it holds a NUL byte and cannot be passed as a line; consume with --docs can pass it";
    return NULL;
}

void work_bury_empty(struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        if (work->items[i].len == 0)
            work_decide(work, i, FATE_BURY, "it is empty: no document has this key");
}

void work_put_items(struct work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct work_item *item = &work->items[i];
        const char *why = why_no_line(item);

        if (why) {
            work_decide(work, i, FATE_BURY, why);
            continue;
        }
        work_put_line(work, i, item->data, item->len);
        buf_putc(&work->lines, '\n');
        work->spans[i].len++;
    }
}

/* ---- runs ---- */

void work_begin(struct work *work)
{
    size_t *open = mem_alloc((work->count + 1) * sizeof(*open));
    size_t nopen = 0;

    for (size_t i = 0; i < work->count; i++)
        if (work->items[i].fate == FATE_OPEN)
            open[nopen++] = i;
    work->bisect = bisect_new(open, nopen);
    free(open);
}

static struct verdicts *verdicts_of_run(const struct work *work)
{
    struct verdict_name *names = mem_alloc((work->nrun + 1) * sizeof(*names));
    struct verdicts *verdicts;

    for (size_t i = 0; i < work->nrun; i++)
        names[i] = work->names[work->run[i]];
    verdicts = verdicts_new(names, work->nrun);
    free(names);
    return verdicts;
}

bool work_next(struct work *work)
{
    work->run = bisect_next(work->bisect, &work->nrun);
    if (!work->run)
        return false;
    work->runs++;
    verdicts_free(work->verdicts);
    work->verdicts = verdicts_of_run(work);
    return true;
}

size_t work_run_count(const struct work *work)
{
    return work->nrun;
}

bool work_run_is_first(const struct work *work)
{
    return work->runs == 1;
}

const struct work_item *work_run_item(const struct work *work, size_t index)
{
    return &work->items[work->run[index]];
}

int work_run_attempt(const struct work *work)
{
    int attempt = 1;

    for (size_t i = 0; i < work->nrun; i++)
        if (work_run_item(work, i)->attempt > attempt)
            attempt = work_run_item(work, i)->attempt;
    return attempt;
}

void work_run_input(const struct work *work, struct buf *input)
{
    for (size_t i = 0; i < work->nrun; i++) {
        const struct span *span = &work->spans[work->run[i]];

        buf_add(input, work->lines.data + span->start, span->len);
    }
}

void work_run_says(struct work *work, const char *data, size_t len)
{
    verdicts_feed(work->verdicts, data, len);
}

const char *work_run_wrong(const struct work *work)
{
    return verdicts_wrong(work->verdicts);
}

/* ---- judging a run ---- */

/* By their own verdicts. Returns how many are open still, and puts them into `rest`. */
static size_t judge_by_verdicts(struct work *work, const char *unsaid, size_t *rest)
{
    size_t nrest = 0;

    for (size_t i = 0; i < work->nrun; i++) {
        const char *reason;
        enum verdict verdict = verdicts_get(work->verdicts, i, &reason);

        if (verdict == VERDICT_OK)
            work_decide(work, work->run[i], FATE_ACK, NULL);
        else if (verdict == VERDICT_FAIL)
            work_decide(work, work->run[i], FATE_NACK, reason ? reason : unsaid);
        else
            rest[nrest++] = work->run[i];
    }
    return nrest;
}

static void look_for_culprit(struct work *work, const size_t *rest, size_t nrest, const char *failure)
{
    if (nrest == 1)
        work_decide(work, rest[0], FATE_NACK, failure);
    else if (nrest > 1)
        bisect_split(work->bisect, rest, nrest);
}

static void judge_rest(struct work *work, enum run_meaning meaning, const size_t *rest, size_t nrest,
                       const char *failure)
{
    switch (meaning) {
    case RUN_GOOD:
        for (size_t i = 0; i < nrest; i++)
            work_decide(work, rest[i], FATE_ACK, NULL);
        break;
    case RUN_BAD:
        look_for_culprit(work, rest, nrest, failure);
        break;
    case RUN_UNAVAILABLE:
    case RUN_NO_COMMAND:
    case RUN_STOPPED:
        work_decide_open(work, FATE_RELEASE);
        break;
    }
}

static bool is_contradicted(const struct work *work, const struct run_end *end)
{
    return run_end_meaning(end) == RUN_GOOD && work_run_wrong(work);
}

static char *describe(const struct work *work, const struct run_end *end, const char *name,
                      int64_t timeout_ms)
{
    if (is_contradicted(work, end))
        return mem_printf("%s wrote a wrong verdict: %s", name, work_run_wrong(work));
    return run_end_text(end, name, timeout_ms);
}

enum run_meaning work_judge(struct work *work, const struct run_end *end, const struct work_command *command,
                            char **ret_what)
{
    size_t *rest = mem_alloc((work->nrun + 1) * sizeof(*rest));
    char *name = run_command_text(command->text);
    char *unsaid = mem_printf("%s refused it without a reason", name);
    enum run_meaning meaning;
    size_t nrest;

    verdicts_finish(work->verdicts);
    meaning = is_contradicted(work, end) ? RUN_BAD : run_end_meaning(end);
    *ret_what = describe(work, end, name, command->timeout_ms);
    nrest = judge_by_verdicts(work, unsaid, rest);
    judge_rest(work, meaning, rest, nrest, *ret_what);
    free(name);
    free(unsaid);
    free(rest);
    return meaning;
}
