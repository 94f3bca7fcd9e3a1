/* Whether the worker gets on: it takes steps, or what it does within one shows in its figures; or it rests,
 * since nothing is to be done. See worker_private.h. */
#include "cdc/metrics.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/human.h"

enum {
    STALLED_MS = 10000,
    SILENT_MS = 5000, /* Redis is looked at every second; PostgreSQL only when something is asked of it */
};

/* Only whether it is another number than before matters. */
static int64_t done_so_far(const struct worker *worker)
{
    const struct tally *tally = &worker->session->tally;

    return worker->progress.steps + metrics.changes + tally->put + tally->unchanged + tally->removed +
           tally->absent + tally->stale + tally->refused + tally->queued;
}

int64_t worker_stalled_ms(struct worker *worker)
{
    struct progress *progress = &worker->progress;
    int64_t now_ms = clock_mono_ms(), done = worker->session ? done_so_far(worker) : progress->seen;

    if (progress->resting || done != progress->seen) {
        progress->seen = done;
        progress->seen_ms = now_ms;
    }
    return now_ms - progress->seen_ms;
}

static void tell_not_connected(const struct worker *worker, struct buf *text)
{
    const char *failure = worker_row_failure(worker->row);

    buf_printf(text, "not connected: %s", failure ? failure : "connecting");
}

bool worker_is_ready(struct worker *worker, struct buf *ret_text)
{
    int64_t stalled_ms = worker_stalled_ms(worker), silent_ms;

    if (worker->stopping || !worker->feed) {
        if (worker->stopping)
            buf_puts(ret_text, "stopping");
        else
            tell_not_connected(worker, ret_text);
        return false;
    }
    silent_ms = worker->session->looked_at_ms ? clock_boot_ms() - worker->session->looked_at_ms : 0;
    if (silent_ms > SILENT_MS) {
        buf_printf(ret_text, "Redis has not answered for %s", human_ms(silent_ms).text);
        return false;
    }
    silent_ms = pg_silent_ms(worker->session->pg);
    if (stalled_ms > STALLED_MS && silent_ms > SILENT_MS) {
        buf_printf(ret_text, "PostgreSQL has not answered for %s", human_ms(silent_ms).text);
        return false;
    }
    if (stalled_ms > STALLED_MS) {
        buf_printf(ret_text, "no progress for %s, though there is work", human_ms(stalled_ms).text);
        return false;
    }
    buf_printf(ret_text, "ready: %s", worker_row_gate_now(worker->row));
    return true;
}
