/* The story for a person. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/verb_explain.h"
#include "common/human.h"
#include "queue/tool_text.h"

enum { WIDTH = 60 }; /* of a value; what is longer is cut */

static void label(const char *text)
{
    printf("  %-12s ", text);
}

/* Keys and verdicts are whole. */
static void put_whole(const json_t *object, const char *name)
{
    fputs(explain_member(object, name), stdout);
}

/* Not longer than a line. */
static void put_value(const char *text)
{
    size_t shown = 0;

    for (; text[shown] && shown < WIDTH; shown++)
        putchar(text[shown]);
    while (((unsigned char)text[shown] & 0xc0) == 0x80)
        putchar(text[shown++]);
    if (text[shown])
        printf("… (%zu bytes)", strlen(text));
}

static void put_seconds(const json_t *object, const char *name)
{
    fputs(human_ms((int64_t)(json_number_value(json_object_get(object, name)) * 1000)).text, stdout);
}

static void put_count(const json_t *object, const char *name)
{
    fputs(human_count(json_integer_value(json_object_get(object, name))).text, stdout);
}

/* ", the next", " behind 1 other", " behind 3,210 others". */
static void put_behind(const json_t *object)
{
    json_int_t behind = json_integer_value(json_object_get(object, "behind"));

    if (behind == 0) {
        fputs(", the next", stdout);
        return;
    }
    printf(" behind %s", human_of(behind, "other").text);
}

/* ---- row and hash ---- */

static const json_t *difference_of(const json_t *document, const char *field)
{
    const json_t *difference;
    size_t i;

    json_array_foreach (json_object_get(document, "differences"), i, difference)
        if (strcmp(explain_member(difference, "field"), field) == 0)
            return difference;
    return NULL;
}

static void put_side(const json_t *value, const char *where, const char *end)
{
    if (json_is_string(value))
        put_value(json_string_value(value));
    else
        fputs("nothing", stdout);
    printf(" in %s%s", where, end);
}

static void print_difference(const json_t *difference)
{
    printf("  ! %-14s ", explain_member(difference, "field"));
    put_side(json_object_get(difference, "postgresql"), "PostgreSQL", ", ");
    put_side(json_object_get(difference, "redis"), "Redis", "\n");
}

static void print_fields(const json_t *document, const json_t *fields, const char *title)
{
    const char *name;
    json_t *value;

    printf("%s\n", title);
    json_object_foreach ((json_t *)fields, name, value) {
        const json_t *difference = difference_of(document, name);

        if (difference) {
            print_difference(difference);
            continue;
        }
        printf("    %-14s ", name);
        put_value(json_string_value(value));
        putchar('\n');
    }
}

/* What only the hash has. */
static void print_extra(const json_t *document, const json_t *row)
{
    const json_t *difference;
    size_t i;

    json_array_foreach (json_object_get(document, "differences"), i, difference)
        if (!json_object_get(row, explain_member(difference, "field")))
            print_difference(difference);
}

static void print_content(const json_t *document)
{
    const json_t *row = json_object_get(document, "row"), *hash = json_object_get(document, "hash");

    if (json_is_object(row) && json_is_object(hash)) {
        print_fields(document, row, "row and hash:");
        print_extra(document, row);
    } else if (json_is_object(row)) {
        print_fields(document, row, hash ? "row (there is no hash):" : "row:");
    } else if (json_is_object(hash)) {
        print_fields(document, hash, row ? "hash (there is no row):" : "hash:");
    }
    if (json_object_get(document, "error"))
        printf("row: %s\n", explain_member(document, "error"));
    if (json_object_get(document, "type"))
        printf("the key holds a %s\n", explain_member(document, "type"));
}

/* ---- what belongs to the hash ---- */

static const char *or_never(const char *date)
{
    return *date ? date : "never";
}

static void print_expiry(const json_t *document)
{
    const char *date = explain_member(document, "expires_at");
    const char *hash = explain_member(document, "hash_expires_at");

    if (!json_is_object(json_object_get(document, "row")) &&
        !json_is_object(json_object_get(document, "hash")))
        return;
    label("ends");
    if (json_is_true(json_object_get(document, "expiry_differs")))
        printf("! the document %s, its hash %s\n", or_never(date), or_never(hash));
    else
        printf("%s\n", or_never(*date ? date : hash));
}

static void put_version(const json_t *version)
{
    printf("epoch %lld, ordinal %lld", (long long)json_integer_value(json_object_get(version, "epoch")),
           (long long)json_integer_value(json_object_get(version, "ordinal")));
    if (json_object_get(version, "transactions_ago")) {
        fputs(", ", stdout);
        put_count(version, "transactions_ago");
        fputs(" transactions ago", stdout);
    }
}

static void print_version(const json_t *document)
{
    const json_t *version = json_object_get(document, "version");
    const json_t *tombstone = json_object_get(document, "tombstone");

    if (json_is_object(version)) {
        label("version");
        put_version(version);
        printf("; digest %s\n", or_never(explain_member(document, "digest")));
    } else if (json_is_object(json_object_get(document, "hash"))) {
        label("version");
        puts("none: this hash was not written by pgusher");
    }
    if (json_is_object(tombstone)) {
        label("tombstone");
        put_version(tombstone);
        fputs("; for another ", stdout);
        put_seconds(tombstone, "seconds_left");
        putchar('\n');
    }
}

/* ---- queues ---- */

static void put_queue(const json_t *queue)
{
    const char *state = explain_member(queue, "state");

    printf("%s: %s", explain_member(queue, "queue"), state);
    if (strcmp(state, "waiting") == 0) {
        put_behind(queue);
    } else if (strcmp(state, "in flight") == 0) {
        printf(" at %s%s", explain_member(queue, "consumer"),
               json_is_true(json_object_get(queue, "changed_meanwhile")) ? ", and changed meanwhile" : "");
    } else if (strcmp(state, "delayed") == 0) {
        fputs(", its time comes in ", stdout);
        put_seconds(queue, "due_in_seconds");
    } else if (strcmp(state, "dead") == 0) {
        fputs(" since ", stdout);
        put_seconds(queue, "seconds_ago");
    } else if (strcmp(state, "later") == 0) {
        fputs(": waits until nothing else does, since ", stdout);
        put_seconds(queue, "waits_seconds");
    }
}

static void print_queues(const json_t *document)
{
    const json_t *queue;
    size_t i;

    json_array_foreach (json_object_get(document, "queues"), i, queue) {
        label("queue");
        put_queue(queue);
        if (json_object_get(queue, "reason"))
            printf(" (failed %lld, crashed %lld times: %s)",
                   (long long)json_integer_value(json_object_get(queue, "failures")),
                   (long long)json_integer_value(json_object_get(queue, "crashes")),
                   explain_member(queue, "reason"));
        putchar('\n');
    }
}

static void print_quarantine(const json_t *document)
{
    const json_t *row = json_object_get(document, "quarantine");
    const char *next = explain_member(row, "next_at");

    if (!json_is_object(row))
        return;
    label("quarantine");
    printf("since %s, tried %lld times, last %s%s%s: %s\n", explain_member(row, "first_at"),
           (long long)json_integer_value(json_object_get(row, "attempts")), explain_member(row, "last_at"),
           *next ? ", next " : "", next, explain_member(row, "error"));
}

/* ---- all ---- */

static void print_changes(const json_t *facts)
{
    const json_t *change;
    size_t i;

    json_array_foreach (json_object_get(facts, "changes"), i, change) {
        const char *owner = explain_member(change, "owner");

        label("change");
        printf("of %s %s, ", explain_member(change, "table"), explain_member(change, "keys"));
        put_seconds(change, "seconds");
        printf(" ago, in partition %lld",
               (long long)json_integer_value(json_object_get(change, "partition")));
        put_behind(change);
        printf("; %s%s\n", *owner ? "read by " : "nobody reads it", owner);
    }
}

static void print_backfills(const json_t *facts)
{
    const json_t *task;
    size_t i;

    json_array_foreach (json_object_get(facts, "backfills"), i, task) {
        const char *filter = explain_member(task, "filter");

        label("backfill");
        printf("%s done, phase %s%s%s%s (%s)\n",
               human_of(json_integer_value(json_object_get(task, "documents")), "document").text,
               explain_member(task, "phase"), *filter ? ", where " : "", filter,
               json_is_true(json_object_get(task, "paused")) ? ", paused" : "",
               explain_member(task, "reason"));
    }
}

static void print_verified(const json_t *facts)
{
    const json_t *last = json_object_get(facts, "verified");

    if (!json_is_object(last))
        return;
    label("verified");
    printf("the projection, last at %s%s\n", explain_member(last, "at"),
           json_is_true(json_object_get(last, "sampled")) ? ", by a sample" : "");
}

static void print_texts(const json_t *texts, FILE *stream, const char *before)
{
    const json_t *text;
    size_t i;

    json_array_foreach (texts, i, text)
        fprintf(stream, "%s%s\n", before, json_string_value(text));
}

static void print_details(const json_t *document)
{
    print_content(document);
    print_expiry(document);
    print_version(document);
    print_queues(document);
    print_quarantine(document);
}

/* Of several only those with which something is wrong are shown in full. */
static void print_documents(const json_t *facts, const json_t *documents)
{
    bool alone = json_array_size(documents) == 1;
    const json_t *document;
    size_t i;

    json_array_foreach (documents, i, document) {
        put_whole(document, "key");
        if (alone) {
            printf(", of projection %s\n", explain_member(facts, "projection"));
        } else {
            fputs(": ", stdout);
            put_whole(document, "verdict");
            putchar('\n');
        }
        if (alone || !explain_is_well(explain_member(document, "state")))
            print_details(document);
    }
}

/* Nothing in it moves the cursor of a terminal. */
void explain_print(const json_t *story)
{
    json_t *facts = text_escaped_json(story);

    put_whole(facts, "verdict");
    fputs("\n\n", stdout);
    print_documents(facts, json_object_get(facts, "documents"));
    print_changes(facts);
    print_backfills(facts);
    print_verified(facts);
    print_texts(json_object_get(facts, "notes"), stdout, "  note         ");
    fflush(stdout);
    print_texts(json_object_get(facts, "errors"), stderr, "pgusher: ");
    json_decref(facts);
}
