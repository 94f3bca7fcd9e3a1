/* Redis' side of a document. See verb_explain.h. */
#include <string.h>

#include "cdc/compare.h"
#include "cdc/rows_index.h"
#include "cdc/verb_explain.h"
#include "queue/tombstone.h"

/* A command of one or two words about a key. NULL with err set. */
static struct rreply *ask(const struct story *story, const char *command, const struct buf *key,
                          struct err *err)
{
    struct rconn *rconn = story->session->rconn;

    return rconn_run(rconn, rconn_route(rconn, key->data, key->len), 2,
                     (const char *const[]){command, key->data}, err);
}

static int ask_integer(const struct story *story, const char *command, const struct buf *key,
                       int64_t *ret_value, struct err *err)
{
    struct rreply *reply = ask(story, command, key, err);

    *ret_value = reply ? rreply_integer(reply) : 0;
    rreply_free(reply);
    return reply ? 0 : -1;
}

/* ---- the hash ---- */

static void add_difference(void *arg, const struct difference *difference)
{
    json_t *item = json_object();

    json_object_set_new(item, "field", explain_text(difference->field.data, difference->field.len));
    json_object_set_new(item, "postgresql",
                        difference->wanted.data
                            ? explain_text(difference->wanted.data, difference->wanted.len)
                            : json_null());
    json_object_set_new(item, "redis",
                        difference->found.data ? explain_text(difference->found.data, difference->found.len)
                                               : json_null());
    json_array_append_new(arg, item);
}

/* What was written after the row was read cannot be compared with it. What was newer when the row was looked
 * at last is so no more: or it is of no row that there was. */
static void note_if_newer(const struct story *story, const struct subject *subject, const char *version)
{
    if (subject->version >= 0 && atoll(version) > subject->version && atoll(version) > story->seen)
        json_object_set_new(subject->facts, "newer_than_row", json_integer(atoll(version)));
}

static void take_own_fields(const struct story *story, const struct subject *subject, json_t *fields)
{
    const char *version = json_string_value(json_object_get(fields, "_v"));
    json_t *facts = subject->facts;

    json_object_set_new(facts, "version", version ? explain_version(story, atoll(version)) : json_null());
    if (version)
        note_if_newer(story, subject, version);
    json_object_set(facts, "digest", json_object_get(fields, "_d"));
    json_object_del(fields, "_v");
    json_object_del(fields, "_d");
}

static void take_hash(const struct story *story, const struct subject *subject, const struct rreply *hash)
{
    json_t *fields = json_object(), *differences = json_array();

    for (size_t i = 0; i + 1 < rreply_count(hash); i += 2) {
        size_t len;
        const char *value = rreply_string(rreply_at(hash, i + 1), &len);
        json_t *name;
        size_t name_len;
        const char *raw = rreply_string(rreply_at(hash, i), &name_len);

        name = explain_text(raw, name_len);
        json_object_set_new(fields, json_string_value(name), explain_text(value, len));
        json_decref(name);
    }
    take_own_fields(story, subject, fields);
    json_object_set_new(subject->facts, "hash", fields);
    if (subject->has_row)
        compare_fields(&subject->fields, hash, add_difference, differences);
    json_object_set_new(subject->facts, "differences", differences);
}

static int read_hash(const struct story *story, const struct subject *subject, struct err *err)
{
    struct rreply *hash = ask(story, "HGETALL", &subject->key, err);
    int64_t expires;

    if (!hash || ask_integer(story, "PEXPIRETIME", &subject->key, &expires, err) != 0) {
        rreply_free(hash);
        return -1;
    }
    if (rreply_count(hash))
        take_hash(story, subject, hash);
    else
        json_object_set_new(subject->facts, "hash", json_null());
    json_object_set_new(subject->facts, "hash_expires_at", explain_date(expires));
    if (subject->has_row && rreply_count(hash))
        json_object_set_new(subject->facts, "expiry_differs",
                            json_boolean(!compare_expiry(subject->expire_ms, expires)));
    rreply_free(hash);
    return 0;
}

static int read_key(const struct story *story, const struct subject *subject, struct err *err)
{
    struct rreply *type = ask(story, "TYPE", &subject->key, err);
    const char *name = type ? rreply_string(type, NULL) : "";
    bool is_hash = strcmp(name, "hash") == 0 || strcmp(name, "none") == 0;

    if (type && !is_hash)
        json_object_set_new(subject->facts, "type", json_string(name));
    rreply_free(type);
    if (!type)
        return -1;
    return is_hash ? read_hash(story, subject, err) : 0;
}

/* ---- what else is known ---- */

static int read_tombstone(const struct story *story, const struct subject *subject, struct err *err)
{
    struct buf key = BUF_NONE;
    struct rreply *version;
    int64_t left;
    int result = -1;

    tombstone_add_key(&key, subject->key.data, subject->key.len);
    version = ask(story, "GET", &key, err);
    if (version && ask_integer(story, "PTTL", &key, &left, err) == 0) {
        bool stands = rreply_type(version) == RREPLY_STRING;
        json_t *tombstone =
            stands ? explain_version(story, atoll(rreply_string(version, NULL))) : json_null();

        if (stands)
            note_if_newer(story, subject, rreply_string(version, NULL));
        if (stands)
            json_object_set_new(tombstone, "seconds_left", json_real((double)left / 1000));
        json_object_set_new(subject->facts, "tombstone", tombstone);
        result = 0;
    }
    rreply_free(version);
    buf_free(&key);
    return result;
}

/* Redis' clock says what has passed. */
static int read_past(const struct story *story, const struct subject *subject, struct err *err)
{
    struct rconn *rconn = story->session->rconn;
    struct rreply *time = rconn_run(rconn, rconn_route(rconn, subject->key.data, subject->key.len), 1,
                                    (const char *const[]){"TIME"}, err);
    int64_t now_ms;

    if (!time)
        return -1;
    now_ms = atoll(rreply_string(rreply_at(time, 0), NULL)) * 1000 +
             atoll(rreply_string(rreply_at(time, 1), NULL)) / 1000;
    json_object_set_new(
        subject->facts, "past",
        json_boolean(subject->has_row && subject->expire_ms >= 0 && subject->expire_ms <= now_ms));
    rreply_free(time);
    return 0;
}

static bool has_subject(const struct story *story, const char *key)
{
    for (size_t i = 0; i < story->count; i++)
        if (strcmp(story->subjects[i].key.data, key) == 0)
            return true;
    return false;
}

/* Known to stand in Redis; that there is no row is known when there are others, or none at all. */
static void add_known(struct story *story, const char *key)
{
    int64_t version = story->count ? story->subjects[0].version : -1;
    struct subject *subject;

    if (has_subject(story, key))
        return;
    subject = explain_subject(story, key);
    subject->version = version;
    if (version >= 0)
        json_object_set_new(subject->facts, "row", json_null());
}

int explain_known_keys(struct story *story, struct err *err)
{
    struct buf key = BUF_NONE;
    struct rreply *known;

    if (!story->config->many_rows)
        return 0;
    buf_puts(&key, ROWS_INDEX_HEAD);
    explain_key(story, &key);
    known = ask(story, "HKEYS", &key, err);
    for (size_t i = 0; known && i < rreply_count(known); i++)
        add_known(story, rreply_string(rreply_at(known, i), NULL));
    rreply_free(known);
    buf_free(&key);
    return known ? 0 : -1;
}

static void remember_newest(struct story *story)
{
    for (size_t i = 0; i < story->count; i++) {
        json_int_t version = json_integer_value(json_object_get(story->subjects[i].facts, "newer_than_row"));

        if (version > story->seen)
            story->seen = version;
    }
}

int explain_redis(struct story *story, struct err *err)
{
    for (size_t i = 0; i < story->count; i++) {
        const struct subject *subject = &story->subjects[i];

        if (read_key(story, subject, err) != 0 || read_tombstone(story, subject, err) != 0 ||
            read_past(story, subject, err) != 0 || explain_queues(story, subject, err) != 0)
            return -1;
    }
    remember_newest(story);
    return 0;
}
