#include "cdc/drift.h"

#include <string.h>
#include <time.h>

#include "cdc/compare.h"
#include "common/script.h"
#include "common/utf8.h"

enum {
    CLOCK_MS = 1000,  /* a date is not judged so close to it */
    SHOWN_FIELDS = 3, /* of those that differ */
    SHOWN_BYTES = 40, /* of a value */
};

const char *drift_name(enum drift drift)
{
    static const char *const names[] = {"none", "missing", "ghost", "different", "expiry", "type", "version"};

    return names[drift];
}

/* ---- fields ---- */

/* Its place among the words, from `from` on and round; -1: it is not there. */
static int64_t find_field(const struct rreply *words, const char *name, size_t from)
{
    size_t count = rreply_count(words) / 2, name_len = strlen(name);

    for (size_t i = 0; i < count; i++) {
        size_t at = 2 * ((from + i) % count), len;
        const char *word = rreply_string(rreply_at(words, at), &len);

        if (len == name_len && memcmp(word, name, len) == 0)
            return (int64_t)at;
    }
    return -1;
}

/* The digest of the fields that are there with this date; false when there are some that the source has not.
 * Both are in the order of the columns, or nearly so. */
static bool digest_found(const struct plan_projection *plan, const struct found *found, int64_t expire_ms,
                         char ret_digest[DIGEST_LENGTH + 1])
{
    struct buf fields = BUF_NONE;
    size_t known = 0, from = 0;

    for (size_t i = 0; i < plan->ncolumns; i++) {
        int64_t at = plan->stored[i] ? find_field(found->fields, plan->names[i], from) : -1;
        size_t len;
        const char *value;

        if (at < 0)
            continue;
        value = rreply_string(rreply_at(found->fields, (size_t)at + 1), &len);
        resp_put_bulk(&fields, plan->names[i], strlen(plan->names[i]));
        resp_put_bulk(&fields, value, len);
        from = (size_t)at / 2 + 1;
        known++;
    }
    document_digest(&fields, expire_ms < 0 ? -1 : expire_ms, ret_digest);
    buf_free(&fields);
    return known == found->nfields;
}

/* ---- judging ---- */

static enum evidence evidence_of(int64_t version, const struct wanted *wanted)
{
    return version > wanted->version ? EVIDENCE_NEWER : EVIDENCE_OLDER;
}

static struct verdict judge_absent_row(const struct wanted *wanted, const struct found *found)
{
    enum drift drift = wanted->exists ? DRIFT_EXPIRY : DRIFT_GHOST;

    if (found->version < 0)
        return (struct verdict){drift, EVIDENCE_CERTAIN};
    return (struct verdict){drift, evidence_of(found->version, wanted)};
}

static struct verdict judge_hash(const struct plan_projection *plan, const struct wanted *wanted,
                                 const struct found *found)
{
    char own[DIGEST_LENGTH + 1], with_date[DIGEST_LENGTH + 1];
    bool known = digest_found(plan, found, found->expire_ms, own);
    bool genuine = known && found->version > 0 && found->digest && strcmp(found->digest, own) == 0;
    enum drift drift = DRIFT_EXPIRY;

    if (known && strcmp(own, wanted->digest) == 0)
        drift = genuine ? DRIFT_NONE : DRIFT_VERSION;
    else if (!digest_found(plan, found, wanted->expire_ms, with_date) ||
             strcmp(with_date, wanted->digest) != 0)
        drift = DRIFT_DIFFERENT;
    return (struct verdict){drift, genuine ? evidence_of(found->version, wanted) : EVIDENCE_CERTAIN};
}

bool drift_is_none(struct verdict verdict)
{
    return verdict.drift == DRIFT_NONE && verdict.evidence != EVIDENCE_NEWER;
}

struct verdict drift_judge(const struct plan_projection *plan, const struct wanted *wanted,
                           const struct found *found)
{
    static const struct verdict same = {DRIFT_NONE, EVIDENCE_CERTAIN};
    int64_t left_ms =
        wanted->exists && wanted->expire_ms >= 0 ? wanted->expire_ms - found->now_ms : INT64_MAX;
    bool is_hash = strcmp(found->type, "hash") == 0, is_there = strcmp(found->type, "none") != 0;

    if (wanted->foreign && found->version < 0)
        return same;
    if (!wanted->exists || left_ms <= (is_there ? -CLOCK_MS : CLOCK_MS))
        return is_hash ? judge_absent_row(wanted, found) : same;
    if (is_hash)
        return judge_hash(plan, wanted, found);
    if (is_there)
        return (struct verdict){DRIFT_TYPE, EVIDENCE_CERTAIN};
    return (struct verdict){DRIFT_MISSING, evidence_of(found->gone, wanted)};
}

/* ---- describing ---- */

static void put_short(struct buf *out, const char *value, size_t len)
{
    size_t shown = len < SHOWN_BYTES ? len : SHOWN_BYTES;

    shown = utf8_valid_length(value, shown);
    buf_putc(out, '"');
    for (size_t i = 0; i < shown; i++)
        buf_putc(out, (unsigned char)value[i] < ' ' || value[i] == 0x7f ? ' ' : value[i]);
    buf_puts(out, shown < len ? "…\"" : "\"");
}

static void put_date(struct buf *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    char text[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    buf_printf(out, "%s.%03d UTC", text, (int)(ms % 1000));
}

static void put_expiry(struct buf *out, const struct wanted *wanted, const struct found *found)
{
    if (found->expire_ms < 0) {
        buf_puts(out, "it never expires");
    } else {
        buf_puts(out, "it expires ");
        put_date(out, found->expire_ms);
    }
    buf_puts(out, wanted->expire_ms < 0 ? ", by its row never" : ", by its row ");
    if (wanted->expire_ms >= 0)
        put_date(out, wanted->expire_ms);
}

/* The first fields that differ. */
struct listing {
    struct buf *out;
    size_t count;
};

static void list_difference(void *arg, const struct difference *difference)
{
    struct listing *listing = arg;
    struct buf *out = listing->out;

    if (listing->count++ >= SHOWN_FIELDS)
        return;
    buf_puts(out, listing->count > 1 ? "; " : "");
    buf_add(out, difference->field.data, utf8_valid_length(difference->field.data, difference->field.len));
    if (!difference->wanted.data) {
        buf_puts(out, " is not in the row");
        return;
    }
    buf_puts(out, difference->found.data ? " is " : " is missing");
    if (difference->found.data)
        put_short(out, difference->found.data, difference->found.len);
    buf_puts(out, ", in the row ");
    put_short(out, difference->wanted.data, difference->wanted.len);
}

static void put_fields(struct buf *out, const struct buf *fields, const struct found *found)
{
    struct listing listing = {out, 0};

    compare_fields(fields, found->fields, list_difference, &listing);
    if (listing.count > SHOWN_FIELDS)
        buf_printf(out, "; and %zu more fields", listing.count - SHOWN_FIELDS);
}

/* A digest is over the fields in the order of the columns, which a view that was made anew may have changed.
 */
static void put_version(struct buf *out, const struct plan_projection *plan, const struct found *found)
{
    if (found->version < 0)
        buf_puts(out, "it has no valid _v, which guards it against older writes");
    else if (!found->digest)
        buf_puts(out, "it has no _d, the digest of its fields");
    else
        buf_printf(out,
                   "_v %lld or _d %.20s is none that a worker wrote, or the columns of %s stood in another "
                   "order then; run: pgusher backfill %s",
                   (long long)found->version,
                   utf8_valid_length(found->digest, strlen(found->digest)) == strlen(found->digest)
                       ? found->digest
                       : "(binary)",
                   plan->config->source, plan->config->name);
}

void drift_describe(const struct plan_projection *plan, const struct wanted *wanted, const struct buf *fields,
                    const struct found *found, enum drift drift, struct buf *out)
{
    switch (drift) {
    case DRIFT_MISSING:
        buf_printf(out, "no hash, though %s has the row", plan->config->source);
        break;
    case DRIFT_GHOST:
        buf_printf(out, "a hash, though %s has no row", plan->config->source);
        break;
    case DRIFT_DIFFERENT:
        if (fields)
            put_fields(out, fields, found);
        else
            buf_puts(out, "its fields are not the row's");
        break;
    case DRIFT_EXPIRY:
        put_expiry(out, wanted, found);
        break;
    case DRIFT_TYPE:
        buf_printf(out, "a %s stands there instead of a hash", found->type);
        break;
    case DRIFT_VERSION:
        put_version(out, plan, found);
        break;
    default:
        break;
    }
}
