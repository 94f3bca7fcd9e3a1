/* What needs a person, and each fleet's verdict. See status.h. One reason for one cause: without a
 * worker nothing that only a worker could do is complained of. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/status.h"
#include "common/buf.h"
#include "common/human.h"
#include "common/mem.h"
#include "queue/tool_text.h"

enum {
    CANARY_MS = 10000,  /* one that takes longer, and longer than its interval, is overdue */
    OLD_LAG_MS = 60000, /* changes older than that, in a partition whose cursor … */
    STUCK_MS = 30000,   /* … stood still for that long */
    SILENT_MS = 60000,  /* a worker says something twice as often, except during a long query */
};

#define NEAR_LIMIT 0.8
#define NEARLY_FULL 0.95
#define NOTIFY_QUEUE_FULL 0.5

struct judge {
    json_t *reasons;
    const struct config *config;
    const json_t *fleet;
    const char *name; /* the fleet's; NULL: it concerns no single one */
};

int64_t status_ms(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_number(value) ? (int64_t)(json_number_value(value) * 1000) : -1;
}

const char *status_text(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = standing_text(object, name);

    return text ? text : otherwise;
}

double status_real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void __attribute__((format(printf, 3, 4)))
complain(struct judge *judge, const char *mend, const char *format, ...)
{
    char what[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    json_array_append_new(judge->reasons,
                          json_pack("{s:o, s:o, s:o}", "fleet",
                                    judge->name ? json_string(judge->name) : json_null(), "what",
                                    text_json(what, strlen(what)), "mend", text_json(mend, strlen(mend))));
}

static bool is_own(const struct judge *judge)
{
    return strcmp(judge->name, judge->config->fleet) == 0;
}

/* ---- the fleet ---- */

static void judge_no_worker(struct judge *judge)
{
    char *mend = is_own(judge)
                     ? mem_printf("pgusherd -c %s", judge->config->file)
                     : mem_printf("start its pgusherd, or if it will not come back: pgusher fleet drop %s",
                                  judge->name);
    int64_t cut_ms = status_ms(judge->fleet, "cut_seconds_ago");

    if (cut_ms >= 0)
        complain(judge, mend,
                 "fleet %s has no worker, and was cut loose from the changelog %s ago; it is filled anew "
                 "when one begins",
                 judge->name, human_ms(cut_ms).text);
    else
        complain(judge, mend, "fleet %s has no worker: nobody applies the changes", judge->name);
    free(mend);
}

static void judge_cut(struct judge *judge)
{
    int64_t ms = status_ms(judge->fleet, "cut_seconds_ago");

    if (ms >= 0 && json_array_size(json_object_get(judge->fleet, "backfills")) == 0)
        complain(judge, "pgusher backfill",
                 "fleet %s was further behind than max_lag and was cut loose from the changelog %s ago, and "
                 "is not "
                 "being filled",
                 judge->name, human_ms(ms).text);
}

static void judge_polling(struct judge *judge)
{
    if (standing_integer(judge->fleet, "polling") >= standing_integer(judge->fleet, "workers"))
        complain(judge, "connect to PostgreSQL directly, not through a transaction pooler",
                 "NOTIFY reaches no worker of fleet %s: all are polling, and changes are seen later",
                 judge->name);
}

/* Its gates may be closed, and then nothing else shows that it sleeps for ever. */
static void judge_hung(struct judge *judge)
{
    const json_t *worker;
    size_t i;

    json_array_foreach (json_object_get(judge->fleet, "worker_list"), i, worker)
        if (json_is_true(json_object_get(worker, "idle")) &&
            status_ms(worker, "seen_seconds_ago") > SILENT_MS)
            complain(judge, "end it with kill -9, others take over at once, and start it again",
                     "worker %lld on %s hangs: it has done nothing for %s", standing_integer(worker, "pid"),
                     standing_text(worker, "host"), human_ms(status_ms(worker, "seen_seconds_ago")).text);
}

static const json_t *find_part(const json_t *fleet, long long part)
{
    return json_array_get(json_object_get(fleet, "parts"), (size_t)part);
}

/* It waits in a line that moves. */
static bool waits_its_turn(const json_t *part)
{
    int64_t moved_ms = status_ms(part, "cursor_moved_seconds_ago");

    return standing_integer(part, "unapplied") > 0 && moved_ms >= 0 && moved_ms < CANARY_MS;
}

static bool something_waits(const struct judge *judge, const json_t *part)
{
    const json_t *canary = json_object_get(judge->fleet, "canary");
    bool is_canarys = standing_integer(canary, "part") == standing_integer(part, "part");

    return status_ms(part, "unapplied_seconds") >= CANARY_MS ||
           (is_canarys && status_ms(canary, "waiting_seconds") >= CANARY_MS);
}

/* The first partition that is held by somebody else, and nothing that a worker could do helps; NULL. */
static const json_t *find_held(const struct judge *judge)
{
    const json_t *part;
    size_t i;

    json_array_foreach (json_object_get(judge->fleet, "parts"), i, part)
        if (standing_text(part, "stranger") && something_waits(judge, part))
            return part;
    return NULL;
}

static void judge_stranger(struct judge *judge, const json_t *part)
{
    long long pid = standing_integer(part, "owner");
    char *mend = mem_printf("SELECT pg_terminate_backend(%lld)", pid);

    complain(
        judge, mend,
        "partition %lld of fleet %s is held by a session of PostgreSQL that is no worker: pid %lld, \"%s\"",
        standing_integer(part, "part"), judge->name, pid, standing_text(part, "stranger"));
    free(mend);
}

static void judge_canary(struct judge *judge)
{
    const json_t *canary = json_object_get(judge->fleet, "canary");
    int64_t waiting_ms = status_ms(canary, "waiting_seconds"), every_ms = status_ms(canary, "every_seconds");
    long long part = standing_integer(canary, "part");

    if (waiting_ms < CANARY_MS || waiting_ms < every_ms || (is_own(judge) && !judge->config->canary_ms) ||
        waits_its_turn(find_part(judge->fleet, part)))
        return;
    complain(judge, "see the log of the worker that owns it, below",
             "the canary of fleet %s was sent %s ago through partition %lld and has not arrived in Redis",
             judge->name, human_ms(waiting_ms).text, part);
}

static void judge_stuck(struct judge *judge)
{
    const json_t *part, *worst = NULL;
    size_t i;

    json_array_foreach (json_object_get(judge->fleet, "parts"), i, part)
        if (status_ms(part, "unapplied_seconds") > OLD_LAG_MS &&
            status_ms(part, "cursor_moved_seconds_ago") > STUCK_MS &&
            (!worst || status_ms(part, "unapplied_seconds") > status_ms(worst, "unapplied_seconds")))
            worst = part;
    if (worst)
        complain(judge, "see the log of the worker that owns it, below",
                 "partition %lld of fleet %s stands still since %s, and a change waits in it for %s",
                 standing_integer(worst, "part"), judge->name,
                 human_ms(status_ms(worst, "cursor_moved_seconds_ago")).text,
                 human_ms(status_ms(worst, "unapplied_seconds")).text);
}

static void judge_limits(struct judge *judge)
{
    const json_t *fleet = judge->fleet;
    double rows = (double)standing_integer(fleet, "lag_changes"),
           max_rows = status_real(fleet, "max_lag_rows");
    double age = status_real(fleet, "lag_seconds"), max_age = status_real(fleet, "max_lag_seconds");

    if (status_ms(fleet, "cut_seconds_ago") >= 0)
        return;
    if (rows >= max_rows * NEAR_LIMIT || age >= max_age * NEAR_LIMIT)
        complain(judge, "start more workers, or raise max_lag and run: pgusher install",
                 "fleet %s is behind by %s changes, the oldest %s, and is cut loose at %s changes or %s",
                 judge->name, human_count((int64_t)rows).text, human_ms((int64_t)(age * 1000)).text,
                 human_count((int64_t)max_rows).text, human_ms((int64_t)(max_age * 1000)).text);
}

/* ---- its projections ---- */

long long status_drift(const json_t *verified)
{
    static const char *const kinds[] = {"missing", "ghosts", "different", "expiry"};
    long long drift = -standing_integer(verified, "repaired");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        drift += standing_integer(verified, kinds[i]);
    return drift > 0 ? drift : 0;
}

/* "columns added: city; run: pgusher backfill event" */
static void judge_shape(struct judge *judge, const json_t *projection)
{
    static const char before_command[] = "; run: ";
    const char *stale = standing_text(projection, "stale"), *command;

    if (!stale)
        return;
    command = strstr(stale, before_command);
    complain(judge, command ? command + strlen(before_command) : "pgusher backfill",
             "documents of %s still have their former shape: %.*s", standing_text(projection, "projection"),
             command ? (int)(command - stale) : (int)strlen(stale), stale);
}

static void judge_projection(struct judge *judge, const json_t *projection)
{
    const char *name = standing_text(projection, "projection");
    int64_t broken_ms = status_ms(projection, "broken_seconds_ago");
    long long drift = status_drift(json_object_get(projection, "verified"));
    long long refused = standing_integer(projection, "quarantined");
    char *mend;

    if (broken_ms >= 0)
        complain(judge, "pgusher check", "projection %s is broken since %s: %s", name,
                 human_ms(broken_ms).text,
                 standing_text(projection, "error") ? standing_text(projection, "error")
                                                    : "no document can be read");
    judge_shape(judge, projection);
    if (refused) {
        mend = mem_printf("pgusher quarantine list %s", name);
        complain(judge, mend, "%s document%s of %s cannot be built", human_count(refused).text,
                 refused == 1 ? "" : "s", name);
        free(mend);
    }
    if (drift) {
        mend = mem_printf("pgusher verify %s --repair", name);
        complain(judge, mend, "the last verify found %s document%s of %s that differ%s from the database",
                 human_count(drift).text, drift == 1 ? "" : "s", name, drift == 1 ? "s" : "");
        free(mend);
    }
}

static void judge_fleet(struct judge *judge)
{
    const json_t *held = find_held(judge), *projection;
    size_t i;

    if (standing_integer(judge->fleet, "workers") == 0) {
        judge_no_worker(judge);
    } else {
        judge_cut(judge);
        judge_polling(judge);
        judge_hung(judge);
        if (held) {
            judge_stranger(judge, held);
        } else {
            judge_canary(judge);
            judge_stuck(judge);
        }
        judge_limits(judge);
    }
    json_array_foreach (json_object_get(judge->fleet, "projections"), i, projection)
        judge_projection(judge, projection);
}

/* What needs a person may be just that it is not in step. */
static const char *text_without_lag(const json_t *fleet, bool needs_person)
{
    bool fills = json_array_size(json_object_get(fleet, "backfills")) > 0;

    if (needs_person)
        return fills ? "no change waits, backfills are under way" : "no change waits";
    return fills ? "in step but for what backfills write" : "in step";
}

static char *lag_text(const json_t *fleet, bool needs_person)
{
    int64_t age_ms = status_ms(fleet, "lag_seconds");
    long long changes = standing_integer(fleet, "lag_changes");

    if (changes == 0)
        return mem_strdup(text_without_lag(fleet, needs_person));
    return mem_printf("behind by %s%s change%s, the oldest %s",
                      json_is_true(json_object_get(fleet, "lag_is_estimate")) ? "about " : "",
                      human_count(changes).text, changes == 1 ? "" : "s",
                      human_ms(age_ms < 0 ? 0 : age_ms).text);
}

/* "needs a person" when there is a reason of its own, besides where it is. */
static void give_verdict(json_t *fleet, bool needs_person)
{
    char *lag = lag_text(fleet, needs_person);
    json_t *verdict = needs_person ? json_sprintf("needs a person; %s", lag) : json_string(lag);

    json_object_set_new(fleet, "verdict", verdict);
    free(lag);
}

/* ---- the servers ---- */

static void judge_postgres(struct judge *judge, const json_t *postgres)
{
    double used = status_real(postgres, "notify_queue_usage");

    if (used >= NOTIFY_QUEUE_FULL)
        complain(
            judge,
            "find who LISTENs and is in a transaction: SELECT * FROM pg_stat_activity ORDER BY xact_start",
            "PostgreSQL's queue of notifications is %.0f %% full: when it is, commits fail", used * 100);
}

static void judge_primary(struct judge *judge, const json_t *primary)
{
    const char *address = standing_text(primary, "address"), *role = standing_text(primary, "role");
    const json_t *persistence = json_object_get(primary, "persistence");
    double used = status_real(primary, "used_memory"), most = status_real(primary, "max_memory");
    const char *policy = standing_text(primary, "policy");

    if (role && strcmp(role, "master") != 0)
        complain(judge, "point \"redis\" at the primary", "Redis at %s is a replica and takes no writes",
                 address);
    if (standing_integer(primary, "evicted"))
        complain(judge,
                 "redis-cli CONFIG SET maxmemory-policy noeviction, more memory, then: pgusher verify "
                 "--repair, and: "
                 "redis-cli CONFIG RESETSTAT, which forgets it",
                 "Redis at %s has evicted %s keys: documents may be missing", address,
                 human_count(standing_integer(primary, "evicted")).text);
    if (most > 0 && used >= most * NEARLY_FULL && policy && strcmp(policy, "noeviction") == 0)
        complain(judge, "give it more memory: redis-cli CONFIG SET maxmemory",
                 "Redis at %s is full to %.0f %%", address, used / most * 100);
    if (!json_is_true(json_object_get(persistence, "rdb_ok")) ||
        !json_is_true(json_object_get(persistence, "aof_ok")))
        complain(judge, "see the log of Redis: is its disk full?",
                 "Redis at %s cannot write to its disk, and then refuses writes", address);
}

static void judge_queues(struct judge *judge, const json_t *queues)
{
    const json_t *queue;
    size_t i;

    json_array_foreach (queues, i, queue) {
        long long dead = standing_integer(queue, "dead");
        char *mend = mem_printf("pgusher-queue dead '%s'", standing_text(queue, "queue"));

        if (dead)
            complain(judge, mend, "queue %s has %s dead letter%s", standing_text(queue, "queue"),
                     human_count(dead).text, dead == 1 ? "" : "s");
        free(mend);
    }
}

void status_judge(json_t *status, const struct config *config)
{
    struct judge judge = {json_array(), config, NULL, NULL};
    bool installed = !json_object_get(status, "schema_version"); /* or not known */
    json_t *fleet, *primary;
    size_t i;

    json_array_foreach (json_object_get(status, "fleets"), i, fleet) {
        size_t before = json_array_size(judge.reasons);

        judge.fleet = fleet;
        judge.name = standing_text(fleet, "fleet");
        installed |= is_own(&judge);
        judge_fleet(&judge);
        give_verdict(fleet, json_array_size(judge.reasons) > before);
    }
    judge.name = NULL;
    if (!installed)
        complain(&judge, "pgusher install", "fleet %s is not installed in this database", config->fleet);
    judge_postgres(&judge, json_object_get(status, "postgres"));
    json_array_foreach (json_object_get(json_object_get(status, "redis"), "primaries"), i, primary)
        judge_primary(&judge, primary);
    judge_queues(&judge, json_object_get(status, "queues"));
    json_object_set_new(status, "reasons", judge.reasons);
}
