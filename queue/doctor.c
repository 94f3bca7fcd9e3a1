#include "queue/doctor.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "queue/tool_say.h"
#include "queue/tool_text.h"
#include "queue/verbs.h"

static const struct {
    const char *name;
    doctor_check *run;
} checks[] = {
    {"version", doctor_version},
    {"role", doctor_role},
    {"cluster", doctor_cluster},
    {"eviction", doctor_eviction},
    {"persistence", doctor_persistence},
    {"clock", doctor_clock},
    {"types", doctor_types},
    {"marks", doctor_marks},
    {"coalesce", doctor_coalesce},
    {"consumers", doctor_consumers},
    {"orphans", doctor_orphans},
    {"plain", doctor_plain},
    {"dead", doctor_dead},
};

static const char *const level_names[] = {"ok", "warning", "problem"};

/* Of these commands; elsewhere another type reads as nothing. */
static const struct {
    const char *command;
    int type;
} scalars[] = {
    {"INFO", REDIS_REPLY_STRING},
    {"TYPE", REDIS_REPLY_STATUS},
    {"LLEN", REDIS_REPLY_INTEGER},
};

/* What is looked into without a further look. */
static bool is_well_formed(const char *const *words, const redisReply *reply)
{
    if (!reply || strcmp(words[0], "SCAN") == 0)
        return reply && is_page_of_keys(reply);
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
        if (strcmp(words[0], scalars[i].command) == 0)
            return reply->type == scalars[i].type;
    if (strcmp(words[0], "TIME") == 0)
        return is_array_of_strings(reply, false) && reply->elements == 2;
    if (strcmp(words[0], "HMGET") == 0)
        return is_array_of_strings(reply, true) && reply->elements == 2;
    if (strcmp(words[0], "ZRANGEBYSCORE") == 0 || strcmp(words[1] ? words[1] : "", "GET") == 0)
        return is_array_of_strings(reply, false);
    return true;
}

redisReply *doctor_ask(struct doctor *doctor, const char *const *words)
{
    redisReply *reply;
    int count = 0;

    while (words[count])
        count++;
    handle_begin(doctor->queue);
    reply = handle_command(doctor->queue, count, words);
    return handle_expect(doctor->queue, reply, is_well_formed(words, reply));
}

static void print_json(struct doctor *doctor, enum doctor_level level, const char *mend, bool fixed,
                       const char *text)
{
    output_list_add(&doctor->list,
                    json_pack("{s:s, s:s, s:o, s:o, s:b}", "check", doctor->check, "level",
                              level_names[level], "text", text_json(text, strlen(text)), "mend",
                              mend ? text_json(mend, strlen(mend)) : json_null(), "fixed", fixed));
}

static void print_plain(enum doctor_level level, const char *mend, bool fixed, const char *text)
{
    char *shown = text_escaped(text, strlen(text));

    printf("%-7s  %s\n", level_names[level], shown);
    if (fixed)
        puts("         mended");
    else if (mend)
        printf("         mend: %s\n", mend);
    free(shown);
}

int doctor_say(struct doctor *doctor, enum doctor_level level, const char *mend, bool fixed,
               const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    if (doctor->target->json)
        print_json(doctor, level, mend, fixed, text);
    else
        print_plain(level, mend, fixed, text);
    free(text);
    doctor->left = doctor->left || (level == DOCTOR_PROBLEM && !fixed);
    return 0;
}

/* ---- the examination ---- */

/* What Redis answered may be about this check only: a replica refuses what writes. */
static bool has_gone_away(const struct pgusher_queue *queue)
{
    enum pgusher_queue_status status = pgusher_queue_status(queue);
    bool answered = strncmp(pgusher_queue_error(queue), "Redis: ", 7) == 0;

    return status == PGUSHER_QUEUE_AGAIN || (status == PGUSHER_QUEUE_LOST && !answered);
}

static enum exit_code examine(struct doctor *doctor)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        doctor->check = checks[i].name;
        handle_begin(doctor->queue);
        if (checks[i].run(doctor) == 0)
            continue;
        if (has_gone_away(doctor->queue))
            return tool_fail(doctor->queue);
        doctor_say(doctor, DOCTOR_WARNING, NULL, false, "%s: cannot look: %s", doctor->check,
                   pgusher_queue_error(doctor->queue));
    }
    return doctor->left ? EX_NOT_SO : EX_DONE;
}

/* The first command has a key, so that in a cluster all others are about the node where the queue is; and it
 * tells wrong credentials from commands that are forbidden. */
static enum exit_code find_and_examine(struct doctor *doctor)
{
    redisReply *found = DOCTOR_ASK(doctor, "TYPE", pgusher_queue_name(doctor->queue));
    bool type = found && islower((unsigned char)found->str[0]);

    found = handle_expect(doctor->queue, found, type);
    if (!found)
        return tool_fail(doctor->queue);
    freeReplyObject(found);
    return examine(doctor);
}

enum exit_code verb_doctor(const struct tool *tool)
{
    struct doctor doctor = {.target = &tool->target, .fix = tool_given(tool, OPTION_FIX)};
    enum exit_code code;

    doctor.queue = tool_open(&tool->target, 0);
    if (!doctor.queue)
        return EX_BAD_CONFIG;
    code = find_and_examine(&doctor);
    if (tool->target.json)
        output_list_end(&doctor.list, code);
    pgusher_queue_close(doctor.queue);
    return code;
}
