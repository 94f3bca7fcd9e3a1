/* What `pgusher check` asks each primary of Redis. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/check.h"
#include "common/clock.h"
#include "common/mem.h"
#include "lua/scripts.h"

enum { MIN_REDIS_MAJOR = 7 };
enum { FULL_PERCENT = 90 };

/* ---- INFO ---- */

/* The value of "name:value" in an INFO text, copied; the caller frees. */
static char *info_value(const char *info, const char *name)
{
    char *prefix = mem_printf("\n%s:", name);
    const char *found = strstr(info, prefix);
    char *value = NULL;

    if (found) {
        found += strlen(prefix);
        value = mem_strndup(found, strcspn(found, "\r\n"));
    }
    free(prefix);
    return value;
}

static int64_t info_number(const char *info, const char *name)
{
    char *value = info_value(info, name);
    int64_t number = value ? atoll(value) : 0;

    free(value);
    return number;
}

static bool info_is(const char *info, const char *name, const char *wanted)
{
    char *value = info_value(info, name);
    bool is = value && strcmp(value, wanted) == 0;

    free(value);
    return is;
}

static void judge_kind(const char *info, struct problems *problems)
{
    char *version = info_value(info, "redis_version");
    char *role = info_value(info, "role");

    if (version && atoi(version) < MIN_REDIS_MAJOR)
        problems_add(problems, PROBLEM_ERROR, "redis", "Redis 7.0 or newer is needed, this is %s", version);
    if (role && strcmp(role, "master") != 0)
        problems_add(problems, PROBLEM_ERROR, "redis", "this Redis is a replica; name the primary");
    free(version);
    free(role);
}

static void judge_memory(const char *info, struct problems *problems)
{
    int64_t max = info_number(info, "maxmemory"), used = info_number(info, "used_memory");
    char *policy = info_value(info, "maxmemory_policy");

    if (policy && strncmp(policy, "allkeys-", 8) == 0)
        problems_add(problems, PROBLEM_WARNING, "redis",
                     "maxmemory-policy %s may evict queues and documents without a date; use noeviction or "
                     "volatile-ttl",
                     policy);
    if (max && used > max / 100 * FULL_PERCENT)
        problems_add(problems, PROBLEM_WARNING, "redis",
                     "%" PRId64 " %% of maxmemory are in use (%" PRId64 " of %" PRId64
                     " MB): when it is full nothing is written any more, and changes wait; raise maxmemory",
                     used * 100 / max, used >> 20, max >> 20);
    free(policy);
}

/* ---- persistence ---- */

static bool feeds_queues(const struct config *config)
{
    for (size_t i = 0; i < config->nprojections; i++)
        if (config->projections[i].nqueues)
            return true;
    return false;
}

/* Whether it writes snapshots; true when we may not ask. */
static bool saves(struct rconn *rconn, int route, struct err *err)
{
    struct err why = ERR_NONE;
    struct rreply *reply = rconn_run(rconn, route, 3, (const char *const[]){"CONFIG", "GET", "save"}, &why);
    bool saving = !reply || rreply_count(reply) < 2 || *rreply_string(rreply_at(reply, 1), NULL);

    if (why.status == ST_LOST)
        err_copy(err, &why);
    rreply_free(reply);
    return saving;
}

static void judge_persistence(struct session *session, int route, const char *info, struct problems *problems,
                              struct err *err)
{
    bool appends = info_number(info, "aof_enabled") != 0;

    if (info_is(info, "aof_last_write_status", "err") || info_is(info, "rdb_last_bgsave_status", "err"))
        problems_add(problems, PROBLEM_WARNING, "redis",
                     "its last attempt to write its data to disk failed (see its log): a full disk? It may "
                     "refuse writes, and a restart loses what was not written");
    if (!appends && feeds_queues(session->config) && !saves(session->rconn, route, err))
        problems_add(problems, PROBLEM_WARNING, "redis",
                     "nothing is kept on disk (neither appendonly nor save): at a restart what waits in "
                     "queues or was put aside is lost, and all documents are written and queued anew; set "
                     "appendonly yes");
}

/* ---- the access list ---- */

/* A command that is needed; %s stands for the name of a key. */
struct command {
    const char *words; /* with a space between them */
    const char *key;   /* NULL: it has none */
};

struct commands {
    struct command list[64];
    size_t count;
};

static void need(struct commands *commands, const char *words, const char *key)
{
    if (commands->count < sizeof(commands->list) / sizeof(commands->list[0]))
        commands->list[commands->count++] = (struct command){words, key};
}

static void need_all(struct commands *commands, const char *const *words, const char *key)
{
    for (; *words; words++)
        need(commands, *words, key);
}

static const char *const for_all[] = {"EVALSHA 0 0", "INFO", "PING", "TIME", "SCAN 0", NULL};
static const char *const for_documents[] = {"HSET @ f v", "HMGET @ f",     "HGETALL @",     "TYPE @",
                                            "UNLINK @",   "RESTORE @ 0 v", "PEXPIRETIME @", NULL};
static const char *const for_ours[] = {"HSET @ f v", "HMGET @ f",     "HGETALL @", "HINCRBY @ f 1",
                                       "HDEL @ f",   "SET @ v",       "GET @",     "EXISTS @",
                                       "DEL @",      "PEXPIREAT @ 1", NULL};
static const char *const for_queues[] = {"LPUSH @ v", "RPUSH @ v", "LREM @ 0 v", "LINDEX @ 0",
                                         "LLEN @",    "HGET @ f",  "ZSCORE @ v", "ZREM @ v",
                                         "SADD @ v",  "SREM @ v",  NULL};

static void need_for_servers(struct commands *commands, const struct config *config)
{
    need_all(commands, for_all, NULL);
    if (config->redis.db)
        need(commands, "SELECT 0", NULL);
    if (config->wait_replicas)
        need(commands, "WAIT 0 1", NULL);
    if (config->redis.kind == REDIS_SENTINEL)
        need(commands, "ROLE", NULL);
    if (config->redis.kind == REDIS_CLUSTER) {
        need(commands, "CLUSTER SLOTS", NULL);
        need(commands, "CLUSTER INFO", NULL);
    }
}

/* As script `may_call` wants it; a key may hold spaces. */
static void put_command(struct script_call *call, const struct command *command)
{
    struct buf text = BUF_NONE;

    for (const char *p = command->words; *p; p++)
        if (*p == '@')
            buf_puts(&text, command->key);
        else
            buf_putc(&text, *p == ' ' ? '\0' : *p);
    script_arg(call, text.data, text.len);
    buf_free(&text);
}

static void report_refused(const struct commands *commands, const struct rreply *reply,
                           struct problems *problems)
{
    struct buf refused = BUF_NONE;

    for (size_t i = 0; i < rreply_count(reply); i++) {
        size_t place = (size_t)rreply_integer(rreply_at(reply, i));
        const struct command *command = &commands->list[place - 1];

        buf_printf(&refused, "%s%.*s%s%s", i ? ", " : "", (int)strcspn(command->words, " @"), command->words,
                   command->key ? " " : "", command->key ? command->key : "");
    }
    if (refused.len)
        problems_add(problems, PROBLEM_ERROR, "redis",
                     "the server does not let this user call what is needed: %s; docs/redis.md, "
                     "\"Privileges\", has the ACL SETUSER for it",
                     refused.data);
    buf_free(&refused);
}

static void ask_rights(struct session *session, int route, const struct commands *commands,
                       struct problems *problems, struct err *err)
{
    struct script_call *call = script_call_new(&script_may_call);
    struct buf command = BUF_NONE;
    struct rreply *reply;
    struct err why = ERR_NONE;

    for (size_t i = 0; i < commands->count; i++)
        put_command(call, &commands->list[i]);
    script_encode(call, SCRIPT_EVAL, &command);
    reply = rconn_run_raw(session->rconn, route, command.data, command.len, &why);
    if (reply)
        report_refused(commands, reply, problems);
    else if (why.status == ST_CONFIG)
        problems_add(problems, PROBLEM_ERROR, "redis", "%s (docs/redis.md, \"Privileges\")", why.text);
    else
        err_copy(err, &why);
    rreply_free(reply);
    buf_free(&command);
    script_call_free(call);
}

/* A key that no document has. */
static char *sample_key(const struct projection *projection)
{
    const char *values[MAX_KEY_COLUMNS];
    struct buf key = BUF_NONE;

    for (size_t i = 0; i < template_columns(projection->key); i++)
        values[i] = "0";
    template_render(projection->key, values, &key);
    return buf_take(&key);
}

static void check_rights(struct session *session, int route, struct problems *problems, struct err *err)
{
    const struct config *config = session->config;
    struct commands commands = {.count = 0};
    char **keys = mem_zalloc((config->nprojections + 1) * sizeof(char *));

    need_for_servers(&commands, config);
    need_all(&commands, for_ours, "pgusher:check");
    for (size_t i = 0; i < config->nprojections; i++) {
        keys[i] = sample_key(&config->projections[i]);
        need_all(&commands, i ? (const char *const[]){"HSET @ f v", NULL} : for_documents, keys[i]);
    }
    for (size_t i = 0; i < config->nqueues; i++)
        need_all(&commands, i ? (const char *const[]){"LPUSH @ v", NULL} : for_queues,
                 config->queues[i].name);
    ask_rights(session, route, &commands, problems, err);
    for (size_t i = 0; i < config->nprojections; i++)
        free(keys[i]);
    free(keys);
}

/* ---- all of it ---- */

static void check_time(struct session *session, int route, struct problems *problems, struct err *err)
{
    int64_t before = clock_wall_ms();
    struct rreply *reply = rconn_run(session->rconn, route, 1, (const char *const[]){"TIME"}, err);

    if (reply && rreply_count(reply) == 2)
        check_clock(atoll(rreply_string(rreply_at(reply, 0), NULL)) * 1000 +
                        atoll(rreply_string(rreply_at(reply, 1), NULL)) / 1000,
                    before, "redis", problems);
    rreply_free(reply);
}

/* NULL, without err, when we may not ask. */
static struct rreply *ask_info(struct session *session, int route, struct err *err)
{
    struct err why = ERR_NONE;
    struct rreply *reply = rconn_run(session->rconn, route, 1, (const char *const[]){"INFO"}, &why);

    if (!reply && why.status != ST_CONFIG)
        err_copy(err, &why);
    return reply;
}

static void check_primary(struct session *session, int route, struct problems *problems, struct err *err)
{
    size_t errors = problems->errors;
    struct rreply *reply = ask_info(session, route, err);
    const char *info = reply ? rreply_string(reply, NULL) : "";

    judge_kind(info, problems);
    if (err->status == ST_OK && problems->errors == errors)
        check_rights(session, route, problems, err);
    if (err->status == ST_OK && problems->errors == errors) {
        judge_memory(info, problems);
        judge_persistence(session, route, info, problems, err);
    }
    rreply_free(reply);
    if (err->status == ST_OK && problems->errors == errors)
        check_time(session, route, problems, err);
}

/* Each of them, for what is judged is set on each; but what is wrong everywhere is told once. */
void check_redis(struct session *session, struct problems *problems, struct err *err)
{
    size_t known = problems->count;

    for (size_t i = 0;
         problems->count == known && err->status == ST_OK && i < rconn_primaries(session->rconn); i++)
        check_primary(session, rconn_primary_route(session->rconn, i), problems, err);
}
