/* Whether this Redis is fit to hold a queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_slot.h"
#include "queue/doctor.h"

enum { OLDEST_VERSION = 7, MAX_SKEW_MS = 1000 };

/* ---- settings ---- */

/* The setting's value, which the caller frees; NULL on failure. */
static char *config_get(struct doctor *doctor, const char *name)
{
    redisReply *reply = DOCTOR_ASK(doctor, "CONFIG", "GET", name);
    char *value;

    if (!reply)
        return NULL;
    value = mem_strdup(reply->elements > 1 ? reply->element[1]->str : "");
    freeReplyObject(reply);
    return value;
}

/* What became of a setting when it was to be mended. */
enum mended { NOT_MENDED, MENDED, MENDED_UNTIL_RESTART };

static enum mended config_set(struct doctor *doctor, const char *name, const char *value)
{
    redisReply *set, *kept = NULL;
    enum mended mended;

    if (!doctor->fix)
        return NOT_MENDED;
    set = DOCTOR_ASK(doctor, "CONFIG", "SET", name, value);
    if (set)
        kept = DOCTOR_ASK(doctor, "CONFIG", "REWRITE");
    mended = !set ? NOT_MENDED : kept ? MENDED : MENDED_UNTIL_RESTART;
    freeReplyObject(set);
    freeReplyObject(kept);
    return mended;
}

static const char *until_when(enum mended mended)
{
    return mended == MENDED_UNTIL_RESTART
               ? " (mended until its next restart only: Redis cannot rewrite its redis.conf, so put it there)"
               : "";
}

static int say_eviction(struct doctor *doctor, const char *memory, const char *policy)
{
    enum mended mended;

    if (strtoll(memory, NULL, 10) == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "Redis evicts nothing: it has no maxmemory");
    if (strcmp(policy, "noeviction") == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false,
                          "Redis evicts nothing: maxmemory-policy is noeviction (maxmemory %s)", memory);
    mended = config_set(doctor, "maxmemory-policy", "noeviction");
    return doctor_say(doctor, DOCTOR_PROBLEM, "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
                      mended != NOT_MENDED,
                      "Redis may throw parts of the queue away: maxmemory is %s and maxmemory-policy %s%s",
                      memory, policy, until_when(mended));
}

typedef int say_settings_fn(struct doctor *doctor, const char *first, const char *second);

static int look_at_settings(struct doctor *doctor, const char *first, const char *second,
                            say_settings_fn *say)
{
    char *one = config_get(doctor, first);
    char *other = one ? config_get(doctor, second) : NULL;
    int result = other ? say(doctor, one, other) : -1;

    free(one);
    free(other);
    return result;
}

int doctor_eviction(struct doctor *doctor)
{
    return look_at_settings(doctor, "maxmemory", "maxmemory-policy", say_eviction);
}

static int say_persistence(struct doctor *doctor, const char *appendonly, const char *save)
{
    enum mended mended;

    if (strcmp(appendonly, "yes") == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "the queue outlives a restart: appendonly is yes");
    if (save[0])
        return doctor_say(
            doctor, DOCTOR_OK, NULL, false,
            "the queue outlives a restart, but for what came after the last snapshot (save %s); with "
            "appendonly yes a second is lost at most",
            save);
    mended = config_set(doctor, "appendonly", "yes");
    return doctor_say(
        doctor, DOCTOR_PROBLEM, "CONFIG SET appendonly yes, and in redis.conf", mended != NOT_MENDED,
        "the queue is lost when Redis restarts: appendonly is no and save is empty%s", until_when(mended));
}

int doctor_persistence(struct doctor *doctor)
{
    return look_at_settings(doctor, "appendonly", "save", say_persistence);
}

/* ---- INFO ---- */

/* The line "name:value" of a section, without its end; the caller frees. NULL on failure, "" when it is not
 * there. */
static char *info(struct doctor *doctor, const char *section, const char *name)
{
    redisReply *reply = DOCTOR_ASK(doctor, "INFO", section);
    char *prefix, *found, *value;

    if (!reply)
        return NULL;
    prefix = mem_printf("\n%s:", name);
    found = strstr(reply->str, prefix);
    if (found)
        found += strlen(prefix);
    value = found ? mem_strndup(found, strcspn(found, "\r\n")) : mem_strdup("");
    free(prefix);
    freeReplyObject(reply);
    return value;
}

int doctor_version(struct doctor *doctor)
{
    char *version = info(doctor, "server", "redis_version");

    if (!version)
        return -1;
    if (atoi(version) >= OLDEST_VERSION)
        doctor_say(doctor, DOCTOR_OK, NULL, false, "Redis is %s", version);
    else
        doctor_say(doctor, DOCTOR_PROBLEM, "upgrade Redis", false,
                   "Redis is %s; the queue's scripts need %d or later", version, OLDEST_VERSION);
    free(version);
    return 0;
}

static int say_replica(struct doctor *doctor)
{
    char *host = info(doctor, "replication", "master_host");
    char *port = host ? info(doctor, "replication", "master_port") : NULL;
    char *mend;

    if (port) {
        mend = mem_printf("let \"redis\" of the configuration be the primary, now %s:%s", host, port);
        doctor_say(doctor, DOCTOR_PROBLEM, mend, false, "this Redis is a replica, which takes no writes");
        free(mend);
    }
    free(host);
    free(port);
    return port ? 0 : -1;
}

int doctor_role(struct doctor *doctor)
{
    char *role = info(doctor, "replication", "role");
    int result = -1;

    if (role)
        result = strcmp(role, "master") == 0
                     ? doctor_say(doctor, DOCTOR_OK, NULL, false, "this Redis is a primary")
                     : say_replica(doctor);
    free(role);
    return result;
}

int doctor_cluster(struct doctor *doctor)
{
    const char *name = pgusher_queue_name(doctor->queue);
    char *enabled = info(doctor, "cluster", "cluster_enabled");
    bool cluster = enabled && strcmp(enabled, "1") == 0;
    bool failed = !enabled;

    free(enabled);
    if (failed)
        return -1;
    if (redis_slot_tagged(name, strlen(name)))
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "the name holds a hash tag%s",
                          cluster ? ", as Redis Cluster needs it" : ": it is fit for Redis Cluster, too");
    if (!cluster)
        return doctor_say(doctor, DOCTOR_OK, NULL, false,
                          "no Redis Cluster; there the name would need a hash tag");
    return doctor_say(doctor, DOCTOR_PROBLEM, "rename it, with a part in braces, such as {search}", false,
                      "in Redis Cluster the name of a queue must hold a hash tag; %s has none", name);
}

/* ---- clock ---- */

int doctor_clock(struct doctor *doctor)
{
    int64_t before_ms = clock_wall_ms(), there_ms, ahead_ms;
    redisReply *time = DOCTOR_ASK(doctor, "TIME");

    if (!time)
        return -1;
    there_ms = atoll(time->element[0]->str) * 1000 + atoll(time->element[1]->str) / 1000;
    ahead_ms = clock_offset_ms(there_ms, before_ms, clock_wall_ms());
    freeReplyObject(time);
    if (llabs(ahead_ms) <= MAX_SKEW_MS)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "the clocks agree");
    return doctor_say(doctor, DOCTOR_WARNING, "run NTP on both hosts", false,
                      "the clock of Redis is %.1f s %s this host's; leases and delays go by that of Redis",
                      (double)llabs(ahead_ms) / 1000, ahead_ms > 0 ? "ahead of" : "behind");
}
