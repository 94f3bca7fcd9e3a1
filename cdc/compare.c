#include "cdc/compare.h"

#include <stdlib.h>
#include <string.h>

#include "common/rconn.h"

static bool same(struct text a, struct text b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* ---- the document ---- */

static struct text next_bulk(const struct buf *fields, size_t *at)
{
    char *data;
    size_t len = strtoul(fields->data + *at + 1, &data, 10);

    data += 2;
    *at = (size_t)(data - fields->data) + len + 2;
    return (struct text){data, len};
}

bool fields_next(const struct buf *fields, size_t *at, struct text *ret_name, struct text *ret_value)
{
    if (*at >= fields->len)
        return false;
    *ret_name = next_bulk(fields, at);
    *ret_value = next_bulk(fields, at);
    return true;
}

static bool document_has(const struct buf *fields, struct text name)
{
    struct text own, value;

    for (size_t at = 0; fields_next(fields, &at, &own, &value);)
        if (same(own, name))
            return true;
    return false;
}

/* ---- the hash ---- */

static struct text hash_at(const struct rreply *hash, size_t index)
{
    struct text text;

    text.data = rreply_string(rreply_at(hash, index), &text.len);
    return text;
}

/* Small hashes keep the order in which they were written, so it most often stands where the last one led
 * to. */
static struct text find(const struct rreply *hash, struct text name, size_t *hint)
{
    size_t count = rreply_count(hash) / 2;

    for (size_t i = 0; i < count; i++) {
        size_t index = (*hint + i) % count;

        if (same(hash_at(hash, 2 * index), name)) {
            *hint = index + 1;
            return hash_at(hash, 2 * index + 1);
        }
    }
    return (struct text){NULL, 0};
}

struct text hash_field(const struct rreply *hash, const char *name)
{
    size_t hint = 0;

    return find(hash, (struct text){name, strlen(name)}, &hint);
}

static bool is_ours(struct text name)
{
    return name.len == 2 && (memcmp(name.data, "_v", 2) == 0 || memcmp(name.data, "_d", 2) == 0);
}

/* ---- both ---- */

static void tell(compare_fn *fn, void *arg, struct text field, struct text wanted, struct text found)
{
    struct difference difference = {field, wanted, found};

    if (fn)
        fn(arg, &difference);
}

/* Fields of the hash that the document does not have. */
static size_t tell_extra(const struct buf *fields, const struct rreply *hash, compare_fn *fn, void *arg)
{
    size_t extra = 0;

    for (size_t i = 0; i + 1 < rreply_count(hash); i += 2) {
        struct text name = hash_at(hash, i);

        if (is_ours(name) || document_has(fields, name))
            continue;
        tell(fn, arg, name, (struct text){NULL, 0}, hash_at(hash, i + 1));
        extra++;
    }
    return extra;
}

static size_t own_fields(const struct rreply *hash)
{
    return (size_t)(hash_field(hash, "_v").data != NULL) + (size_t)(hash_field(hash, "_d").data != NULL);
}

size_t compare_fields(const struct buf *fields, const struct rreply *hash, compare_fn *fn, void *arg)
{
    size_t differences = 0, met = 0, hint = 0;
    struct text name, value;

    for (size_t at = 0; fields_next(fields, &at, &name, &value);) {
        struct text found = find(hash, name, &hint);

        met += found.data != NULL;
        if (found.data && same(found, value))
            continue;
        tell(fn, arg, name, value, found);
        differences++;
    }
    if (met + own_fields(hash) == rreply_count(hash) / 2)
        return differences;
    return differences + tell_extra(fields, hash, fn, arg);
}

bool compare_expiry(int64_t expire_ms, int64_t pexpiretime)
{
    return expire_ms < 0 ? pexpiretime == -1 : pexpiretime == expire_ms;
}
