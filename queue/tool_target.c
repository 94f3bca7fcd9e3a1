#include "queue/tool_target.h"

#include "common/mem.h"

struct pgusher_queue_options tool_target_options(const struct tool_target *target)
{
    return (struct pgusher_queue_options){
        .redis = target->redis,
        .password = target->password,
        .queue = target->queue,
        .lease_ms = target->lease_ms,
        .max_failures = target->max_failures,
        .max_crashes = target->max_crashes,
        .plain_timeout_ms = target->plain_timeout_ms,
        .coalesce = target->coalesce,
    };
}

int tool_target_url(const struct tool_target *target, struct redis_url *ret_url, struct err *err)
{
    struct redis_url url;

    if (redis_url_parse(target->redis, &url, err) != 0)
        return -1;
    redis_url_set_password(&url, target->password);
    *ret_url = url;
    return 0;
}

char *tool_target_show(const struct tool_target *target)
{
    struct err err = ERR_NONE;
    struct redis_url url;
    char *shown;

    if (tool_target_url(target, &url, &err) != 0)
        return mem_strdup("a wrong address");
    shown = redis_url_show(&url);
    redis_url_free(&url);
    return shown;
}

enum exit_code tool_exit_code(enum pgusher_queue_status status)
{
    static const enum exit_code codes[] = {
        [PGUSHER_QUEUE_OK] = EX_DONE,           [PGUSHER_QUEUE_AGAIN] = EX_NO_SERVICE,
        [PGUSHER_QUEUE_LOST] = EX_NO_SERVICE,   [PGUSHER_QUEUE_REFUSED] = EX_NOT_SO,
        [PGUSHER_QUEUE_CONFIG] = EX_BAD_CONFIG,
    };

    return codes[status];
}
