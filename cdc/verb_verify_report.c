#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/tool.h"
#include "cdc/verb_verify.h"
#include "common/human.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

enum { SHOWN = 20 }; /* differences of a projection in plain output */

struct sum {
    int64_t documents;
    int64_t drift;
    int64_t mended;
    int64_t waiting;
    const char *why_waiting;
};

static struct sum sum_up(const struct verify_report *report)
{
    struct sum sum = {0};

    for (size_t i = 0; i < report->count; i++) {
        const struct verify_result *result = report->results[i];

        sum.documents += result->documents;
        sum.drift += result->drift;
        sum.mended += result->mended;
        sum.waiting += result->waiting;
        if (result->why_waiting)
            sum.why_waiting = result->why_waiting;
    }
    return sum;
}

static bool is_in_step(const struct sum *sum)
{
    return sum->drift == sum->mended && sum->waiting == 0;
}

static void print_verdict(const struct sum *sum, bool complete)
{
    if (!complete)
        printf("not complete: ");
    if (!complete && sum->drift == 0)
        printf("%s compared so far", human_of(sum->documents, "document").text);
    else if (sum->drift > sum->mended)
        printf("drift: %s of %s", human_count(sum->drift).text, human_of(sum->documents, "document").text);
    else if (sum->waiting)
        printf("not in step: %s of %s differ%s, but %s", human_count(sum->waiting).text,
               human_of(sum->documents, "document").text, sum->waiting == 1 ? "s" : "", sum->why_waiting);
    else if (sum->drift)
        printf("mended: %s of %s", human_count(sum->drift).text, human_of(sum->documents, "document").text);
    else
        printf("in step: %s compared", human_of(sum->documents, "document").text);
    if (sum->drift > sum->mended && sum->mended)
        printf(", %s of them mended", human_count(sum->mended).text);
    putchar('\n');
}

static void print_count(const char *what, int64_t count)
{
    if (count)
        printf(", %s %s", human_count(count).text, what);
}

static void print_difference(const struct verify_difference *difference)
{
    char *key = text_escaped(difference->key, strlen(difference->key));
    char *detail = text_escaped(difference->detail, strlen(difference->detail));

    printf("  %s  %s: %s%s\n", key, drift_name(difference->drift), detail,
           difference->mended ? " (mended)" : "");
    free(key);
    free(detail);
}

static void print_result(const struct verify_result *result)
{
    size_t shown = result->listed < SHOWN ? result->listed : SHOWN;

    if (result->former_key)
        printf("%s, former key %s: %s", result->projection, result->former_key,
               human_of(result->keys, "key").text);
    else
        printf("%s: %s%s compared, %s%s", result->projection, result->sampled ? "a sample: " : "",
               human_of(result->documents, "document").text, human_of(result->keys, "key").text,
               result->sampled ? " picked (some more than once)" : "");
    for (int i = DRIFT_NONE + 1; i < DRIFT_KINDS; i++)
        print_count(drift_name(i), result->kinds[i]);
    print_count("mended", result->mended);
    print_count("in motion (changed too often to be judged)", result->in_motion);
    print_count("that the SQL fails for (see pgusher quarantine)", result->unreadable);
    print_count("waiting", result->waiting);
    printf("%s%s\n", result->waiting ? ": " : "", result->waiting ? result->why_waiting : "");
    for (size_t i = 0; i < shown; i++)
        print_difference(&result->list[i]);
    if (result->drift > (int64_t)shown)
        printf("  … and %s more%s\n", human_count(result->drift - (int64_t)shown).text,
               result->listed > shown ? "; --json lists up to 1,000" : "");
}

static void print_plain(const struct verify_report *report, const struct sum *sum, bool complete)
{
    print_verdict(sum, complete);
    for (size_t i = 0; i < report->count; i++)
        print_result(report->results[i]);
}

/* ---- JSON ---- */

static json_t *differences_json(const struct verify_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->listed; i++) {
        const struct verify_difference *difference = &result->list[i];

        json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:b}", "key",
                                              text_json(difference->key, strlen(difference->key)), "kind",
                                              drift_name(difference->drift), "detail",
                                              text_json(difference->detail, strlen(difference->detail)),
                                              "mended", difference->mended));
    }
    return list;
}

static json_t *result_json(const struct verify_result *result)
{
    json_t *object = json_pack(
        "{s:s, s:s?, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:I}", "projection", result->projection,
        "former_key", result->former_key, "sampled", result->sampled, "documents",
        (json_int_t)result->documents, "keys", (json_int_t)result->keys, "drift", (json_int_t)result->drift,
        "mended", (json_int_t)result->mended, "in_motion", (json_int_t)result->in_motion, "unreadable",
        (json_int_t)result->unreadable, "waiting", (json_int_t)result->waiting, "why_waiting",
        result->why_waiting, "took_ms", (json_int_t)result->took_ms);

    for (int i = DRIFT_NONE + 1; i < DRIFT_KINDS; i++)
        json_object_set_new(object, drift_name(i), json_integer(result->kinds[i]));
    json_object_set_new(object, "differences", differences_json(result));
    return object;
}

static void print_json(const struct verify_report *report, const struct sum *sum, const struct err *err)
{
    json_t *projections = json_array(), *errors = json_array();
    bool complete = err->status == ST_OK;
    json_t *object;

    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(projections, result_json(report->results[i]));
    if (!complete)
        json_array_append_new(errors, json_string(err->text));
    object = json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:o, s:o}", "in_step", complete && is_in_step(sum),
                       "complete", complete, "documents", (json_int_t)sum->documents, "drift",
                       (json_int_t)sum->drift, "mended", (json_int_t)sum->mended, "waiting",
                       (json_int_t)sum->waiting, "projections", projections, "errors", errors);
    if (report->last)
        json_object_set(object, "last", report->last);
    output_json(object);
}

/* ---- earlier runs ---- */

json_t *verify_report_last(struct session *session, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {
        .sql = "SELECT coalesce(json_agg(json_build_object('projection', projection, 'seconds_ago',"
               " round(extract(epoch FROM now() - at))::bigint, 'documents', compared, 'drift',"
               " missing + ghosts + different + expiry, 'mended', repaired) ORDER BY projection), '[]')"
               " FROM pgusher.verified WHERE fleet = $1",
        .params = params,
        .nparams = 1};
    struct pg_rows *rows = NULL;
    json_t *last;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return NULL;
    last = text_parsed_json(pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
    return last;
}

static void print_last(const json_t *last)
{
    const json_t *item;
    size_t i;

    json_array_foreach (last, i, item)
        printf("last time, %lld s ago: %s: %s compared, %s drift, %s mended\n",
               standing_integer(item, "seconds_ago"), standing_text(item, "projection"),
               human_of(standing_integer(item, "documents"), "document").text,
               human_count(standing_integer(item, "drift")).text,
               human_count(standing_integer(item, "mended")).text);
}

/* ---- all of it ---- */

enum exit_code verify_report_print(const struct verify_report *report, bool json, const struct err *err)
{
    struct sum sum = sum_up(report);

    if (json)
        print_json(report, &sum, err);
    else if (report->count)
        print_plain(report, &sum, err->status == ST_OK);
    else
        print_last(report->last);
    if (err->status != ST_OK)
        return tool_fail(err);
    return is_in_step(&sum) ? EX_DONE : EX_NOT_SO;
}
