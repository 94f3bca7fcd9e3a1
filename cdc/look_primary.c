/* A primary of Redis, by what it says of itself. See look_redis.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/look_redis.h"
#include "common/mem.h"

/* ---- INFO ---- */

/* The value of a line "name:value"; NULL: there is none. The caller frees. */
static char *info_text(const char *info, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return mem_printf("%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
    }
    return NULL;
}

static long long info_integer(const char *info, const char *name)
{
    char *text = info_text(info, name);
    long long value = text ? atoll(text) : 0;

    free(text);
    return value;
}

static json_t *info_string(const char *info, const char *name)
{
    char *text = info_text(info, name);
    json_t *value = text ? json_string(text) : NULL;

    free(text);
    return value ? value : json_null();
}

static bool info_is(const char *info, const char *name, const char *value)
{
    char *text = info_text(info, name);
    bool is = text && strcmp(text, value) == 0;

    free(text);
    return is;
}

/* slave0:ip=10.0.0.2,port=6379,state=online,offset=123,lag=1 */
static json_t *replica(const char *line, long long primary_offset)
{
    char host[256], state[32];
    long long port, offset, lag = -1;

    if (sscanf(line, "ip=%255[^,],port=%lld,state=%31[^,],offset=%lld,lag=%lld", host, &port, state, &offset,
               &lag) < 4)
        return NULL;
    return json_pack("{s:o, s:s, s:I, s:o}", "address", json_sprintf("%s:%lld", host, port), "state", state,
                     "behind_bytes", (json_int_t)(primary_offset - offset), "lag_seconds",
                     lag < 0 ? json_null() : json_integer(lag));
}

static json_t *replicas(const char *info)
{
    json_t *list = json_array();
    bool more = true;

    for (int i = 0; more; i++) {
        char *name = mem_printf("slave%d", i), *line = info_text(info, name);
        json_t *one = line ? replica(line, info_integer(info, "master_repl_offset")) : NULL;

        if (one)
            json_array_append_new(list, one);
        more = line != NULL;
        free(line);
        free(name);
    }
    return list;
}

static json_t *persistence(const char *info)
{
    bool aof = info_is(info, "aof_enabled", "1");

    return json_pack("{s:b, s:b, s:b, s:I, s:b}", "aof", aof, "aof_ok",
                     !aof || info_is(info, "aof_last_write_status", "ok"), "rdb_ok",
                     info_is(info, "rdb_last_bgsave_status", "ok"), "rdb_changes_since_save",
                     (json_int_t)info_integer(info, "rdb_changes_since_last_save"), "loading",
                     info_is(info, "loading", "1"));
}

json_t *look_primary_json(const char *address, const char *info)
{
    json_t *version = info_string(info, "valkey_version");

    if (json_is_null(version)) {
        json_decref(version);
        version = info_string(info, "redis_version");
    }
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:o, s:o}", "address", address, "role",
                     info_string(info, "role"), "version", version, "up_seconds",
                     (json_int_t)info_integer(info, "uptime_in_seconds"), "used_memory",
                     (json_int_t)info_integer(info, "used_memory"), "max_memory",
                     (json_int_t)info_integer(info, "maxmemory"), "policy",
                     info_string(info, "maxmemory_policy"), "evicted",
                     (json_int_t)info_integer(info, "evicted_keys"), "replicas", replicas(info),
                     "persistence", persistence(info));
}

/* "<id> 10.0.0.1:6379@16379 myself,master …" */
char *look_primary_address(const char *nodes)
{
    const char *myself = strstr(nodes, "myself"), *begin;

    while (myself && myself > nodes && myself[-1] != '\n')
        myself--;
    begin = myself ? strchr(myself, ' ') : NULL;
    return begin ? mem_printf("%.*s", (int)strcspn(begin + 1, "@, "), begin + 1) : NULL;
}
