#include "cdc/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/mem.h"

enum { BAR_WIDTH = 30, TERMINAL_EVERY_MS = 100, PLAIN_EVERY_MS = 5000 };

struct progress {
    const char *label;
    int64_t total;
    int64_t before; /* done by others */
    int64_t keys;
    bool terminal;
    int64_t started_ms;
    int64_t shown_ms;
};

struct progress *progress_new(const char *label, int64_t total)
{
    struct progress *progress = mem_zalloc(sizeof(*progress));

    progress->label = label;
    progress->total = total;
    progress->terminal = isatty(STDERR_FILENO);
    progress->started_ms = progress->shown_ms = clock_mono_ms();
    return progress;
}

void progress_from(struct progress *progress, int64_t done)
{
    progress->before = done;
}

void progress_aim(struct progress *progress, int64_t total)
{
    progress->total = total;
}

void progress_keys(struct progress *progress, int64_t keys)
{
    progress->keys = keys;
}

static double rate(const struct progress *progress, int64_t done)
{
    int64_t ms = clock_mono_ms() - progress->started_ms;

    return ms > 0 ? (double)(done - progress->before) * 1000.0 / (double)ms : 0;
}

static void show_bar(const struct progress *progress, int64_t done)
{
    int filled = (int)(BAR_WIDTH * (done < progress->total ? done : progress->total) / progress->total);

    fprintf(stderr, "\r%-16s [", progress->label);
    for (int i = 0; i < BAR_WIDTH; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] %3d%%",
            (int)(100 * (done < progress->total ? done : progress->total) / progress->total));
}

static void show(const struct progress *progress, int64_t done)
{
    double per_second = rate(progress, done);

    if (progress->terminal && progress->total > 0)
        show_bar(progress, done);
    else
        fprintf(stderr, "%s%s", progress->terminal ? "\r" : "", progress->label);
    fprintf(stderr, " %lld", (long long)done);
    if (progress->total > 0)
        fprintf(stderr, " of %lld", (long long)progress->total);
    fprintf(stderr, " documents, %.0f/s", per_second);
    if (progress->total > done && per_second > 0)
        fprintf(stderr, ", %.0f s left", (double)(progress->total - done) / per_second);
    if (progress->keys > 0)
        fprintf(stderr, ", %lld keys compared", (long long)progress->keys);
    fputs(progress->terminal ? "   " : "\n", stderr);
    fflush(stderr);
}

void progress_update(struct progress *progress, int64_t done)
{
    int64_t now = clock_mono_ms();

    if (now - progress->shown_ms < (progress->terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS))
        return;
    progress->shown_ms = now;
    show(progress, done);
}

void progress_end(struct progress *progress, int64_t done)
{
    double seconds = (double)(clock_mono_ms() - progress->started_ms) / 1000.0;

    if (progress->terminal) {
        progress->total = done; /* a full bar, whatever the estimate was */
        if (done > 0)
            show(progress, done);
        fputc('\n', stderr);
    }
    fprintf(stderr, "%s: %s in %.1f s, %s/s\n", progress->label, human_of(done, "document").text, seconds,
            human_rate(rate(progress, done)).text);
    free(progress);
}
