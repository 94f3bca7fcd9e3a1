#include "queue/tool_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "queue/handle.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

void tool_say(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "pgusher-queue: %s\n", text);
    output_keep_error(text);
    free(text);
}

struct pgusher_queue *tool_open(const struct tool_target *target, int timeout_ms)
{
    struct pgusher_queue_options options = tool_target_options(target);
    char error[512];
    struct pgusher_queue *queue;

    options.timeout_ms = timeout_ms;
    queue = pgusher_queue_new(&options, error, sizeof(error));
    if (!queue)
        tool_say("%s", error);
    return queue;
}

static const char REDIS[] = "Redis: ";

static const char *mend_of(const char *text)
{
    bool password = strstr(text, "NOAUTH") || strstr(text, "WRONGPASS");

    return password ? " (write the password into the file that \"redis\".\"password_file\" names)" : "";
}

/* What Redis says may quote an item; which Redis said it is added. Takes the address. */
static void say_error(const char *text, char *address)
{
    char *shown = text_escaped(text, strlen(text));

    if (strncmp(shown, REDIS, strlen(REDIS)) == 0)
        tool_say("Redis at %s: %s%s", address, shown + strlen(REDIS), mend_of(shown));
    else
        tool_say("%s", shown);
    free(address);
    free(shown);
}

enum exit_code tool_fail(const struct pgusher_queue *queue)
{
    say_error(pgusher_queue_error(queue), redis_url_show(&queue->url));
    return tool_exit_code(pgusher_queue_status(queue));
}

enum exit_code tool_fail_with(const struct err *err, const struct tool_target *target)
{
    say_error(err->text, tool_target_show(target));
    return status_exit_code(err->status);
}
