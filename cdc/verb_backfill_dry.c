/* pgusher backfill --dry-run: how much it would be, and how long it may take. Reads one stretch of documents
 * of each projection as a backfill would, and writes nothing. */
#include <stdio.h>

#include "cdc/reader.h"
#include "cdc/task.h"
#include "cdc/verb_backfill.h"
#include "common/clock.h"
#include "common/human.h"
#include "queue/tool_output.h"

/* What a stretch of documents is like. */
struct sample {
    int64_t documents;
    int64_t bytes; /* of their fields */
    int64_t refused;
    int64_t ms;
};

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct sample *sample = arg;

    (void)projection;
    (void)version;
    sample->bytes += (int64_t)(document->key.len + document->fields.len);
}

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct sample *sample = arg;

    (void)projection;
    (void)key;
    (void)error;
    sample->refused++;
}

static const struct reader_handlers handlers = {.document = on_document, .refused = on_refused};

static int take_sample(const struct backfill *backfill, size_t projection, struct sample *sample,
                       struct err *err)
{
    const struct plan_stretch stretch = {backfill->filter, PLAN_CHUNK};
    struct reader *reader = reader_new(backfill->session, &handlers, sample);
    char **position = NULL;
    size_t count = 0;
    int64_t began = clock_mono_ms();
    int result = reader_after(reader, projection, &stretch, &position, &count, err);

    sample->ms = clock_mono_ms() - began;
    sample->documents = (int64_t)count;
    reader_position_free(&backfill->session->plan->projections[projection], position);
    reader_free(reader);
    return result;
}

static json_t *describe(const struct backfill *backfill, size_t projection, const struct sample *sample)
{
    int64_t counted = backfill_count(backfill->session, projection, backfill->filter);
    int64_t rows = counted < 0 ? task_estimate(backfill->session, projection, backfill->filter) : counted;
    int64_t rate = backfill->tool->rate;
    double share = sample->documents ? (double)rows / (double)sample->documents : 0;
    double seconds = share * (double)sample->ms / 1000.0;

    if (rate && (double)rows / (double)rate > seconds)
        seconds = (double)rows / (double)rate;
    return json_pack("{s:s, s:s, s:I, s:b, s:I, s:f, s:I, s:I}", "projection",
                     backfill->session->plan->projections[projection].config->name, "filter",
                     backfill->filter, "rows", (json_int_t)rows, "rows_are_estimate", counted < 0, "chunks",
                     (json_int_t)((rows + PLAN_CHUNK - 1) / PLAN_CHUNK), "seconds", seconds, "bytes",
                     (json_int_t)(share * (double)sample->bytes), "refused_of_the_first_chunk",
                     (json_int_t)sample->refused);
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void print_plain(const json_t *list)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        printf("%s: %s%s in %s, %.1f MB, at least %.1f s\n",
               json_string_value(json_object_get(one, "projection")),
               json_is_true(json_object_get(one, "rows_are_estimate")) ? "about " : "",
               human_of((int64_t)number_of(one, "rows"), "document").text,
               human_of((int64_t)number_of(one, "chunks"), "chunk").text, number_of(one, "bytes") / 1e6,
               number_of(one, "seconds"));
        if (number_of(one, "refused_of_the_first_chunk") > 0)
            printf("  %.0f of the first chunk cannot be built\n",
                   number_of(one, "refused_of_the_first_chunk"));
    }
    puts("Nothing was written. The time is that of reading; writing and queueing comes on top.");
}

int backfill_dry_run(const struct backfill *backfill, struct err *err)
{
    const struct plan *plan = backfill->session->plan;
    json_t *list = json_array();

    for (size_t i = 0; i < plan->nprojections && err->status == ST_OK; i++) {
        struct sample sample = {0};

        if (tool_wants(backfill->tool, plan->projections[i].config->name) &&
            take_sample(backfill, i, &sample, err) == 0)
            json_array_append_new(list, describe(backfill, i, &sample));
    }
    if (err->status == ST_OK && backfill->tool->json)
        output_json(json_pack("{s:s, s:b, s:O}", "fleet", backfill->config->fleet, "dry_run", true,
                              "backfills", list));
    else if (err->status == ST_OK)
        print_plain(list);
    json_decref(list);
    return err->status == ST_OK ? 0 : -1;
}
