#include "cdc/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"
#include "queue/tombstone.h"

enum { UNDER_WAY = 200 }; /* replies that may have to be held at a time */

struct inspection {
    inspect_fn *fn;
    void *arg;
    size_t waiting;
    bool idle;
    struct err err;
};

struct look {
    struct inspection *inspection;
    size_t index;
};

/* Whether this field is one of the two that are not the row's. */
static bool is_ours(const char *name, size_t len)
{
    return len == 2 && (memcmp(name, "_v", 2) == 0 || memcmp(name, "_d", 2) == 0);
}

/* -1 when it is no version. */
static int64_t parse_version(const char *text)
{
    char *end;
    long long version;

    errno = 0;
    version = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && version > 0 ? version : -1;
}

static void take_fields(struct found *found, const struct rreply *fields)
{
    found->fields = fields;
    found->nfields = rreply_count(fields) / 2;
    for (size_t i = 0; i + 1 < rreply_count(fields); i += 2) {
        size_t len;
        const char *name = rreply_string(rreply_at(fields, i), &len);
        const char *value = rreply_string(rreply_at(fields, i + 1), NULL);

        if (!is_ours(name, len))
            continue;
        found->nfields--;
        if (name[1] == 'v')
            found->version = parse_version(value);
        else
            found->digest = value;
    }
}

enum { REPLY_NOW, REPLY_TYPE, REPLY_EXPIRE, REPLY_GONE, REPLY_FIELDS, REPLY_COUNT };

static void take(const struct look *look, const struct rreply *reply)
{
    struct found found = {.version = -1};

    if (rreply_count(reply) != REPLY_COUNT) {
        err_set(&look->inspection->err, ST_LOST, "Redis: the answer about a document is malformed");
        return;
    }
    found.now_ms = rreply_integer(rreply_at(reply, REPLY_NOW));
    found.type = rreply_string(rreply_at(reply, REPLY_TYPE), NULL);
    found.expire_ms = rreply_integer(rreply_at(reply, REPLY_EXPIRE));
    found.gone = parse_version(rreply_string(rreply_at(reply, REPLY_GONE), NULL));
    take_fields(&found, rreply_at(reply, REPLY_FIELDS));
    look->inspection->fn(look->inspection->arg, look->index, &found);
}

static void on_reply(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look *look = arg;
    struct inspection *inspection = look->inspection;

    if (err)
        err_copy(&inspection->err, err);
    else
        take(look, reply);
    inspection->waiting--;
    inspection->idle = inspection->waiting == 0;
    free(look);
}

static void send_one(struct inspection *inspection, struct rconn *rconn, const char *key, size_t index)
{
    struct script_call *call = script_call_new(&script_inspect);
    struct look *look = mem_zalloc(sizeof(*look));
    struct buf gone = BUF_NONE;

    tombstone_add_key(&gone, key, strlen(key));
    script_key(call, key, strlen(key));
    script_key(call, gone.data, gone.len);
    buf_free(&gone);
    look->inspection = inspection;
    look->index = index;
    inspection->waiting++;
    inspection->idle = false;
    script_send(call, rconn, on_reply, look);
}

int inspect_keys(struct rconn *rconn, const char *const *keys, size_t count, inspect_fn *fn, void *arg,
                 struct err *err)
{
    struct inspection inspection = {.fn = fn, .arg = arg, .idle = true, .err = ERR_NONE};

    for (size_t i = 0; i < count && inspection.err.status == ST_OK;) {
        for (; i < count && inspection.waiting < UNDER_WAY; i++)
            send_one(&inspection, rconn, keys[i], i);
        loop_run_until(rconn_loop(rconn), &inspection.idle);
    }
    err_copy(err, &inspection.err);
    return inspection.err.status == ST_OK ? 0 : -1;
}
