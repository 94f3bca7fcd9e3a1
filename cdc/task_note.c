#include "cdc/task_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "common/mem.h"

/* "keys 0 asked_at", "rows documents asked_at", "done 0 asked_at". */
static const char *const phases[] = {"keys", "rows", "done"};

int task_note_write(struct session *session, const struct task_state *state, struct err *err)
{
    char *text = mem_printf("%s %lld %s", phases[state->phase], (long long)state->documents, state->asked_at);
    int result = beside_note(session, state->projection, text, err);

    free(text);
    return result;
}

struct reading {
    const struct task_state *state;
    bool older;
    bool open;
};

static bool is_older(const struct task_state *state, const char *text)
{
    char phase[8];
    long long documents;
    int asked_at = 0;

    if (!text || sscanf(text, "%7s %lld %n", phase, &documents, &asked_at) != 2 || !asked_at ||
        strcmp(text + asked_at, state->asked_at) != 0)
        return true;
    return strcmp(phase, phases[TASK_KEYS]) == 0 ||
           (strcmp(phase, phases[TASK_ROWS]) == 0 && documents < state->documents);
}

static void read_note(void *arg, const char *text)
{
    struct reading *reading = arg;

    reading->open |= text && strncmp(text, phases[TASK_DONE], strlen(phases[TASK_DONE])) != 0;
    if (reading->state)
        reading->older |= is_older(reading->state, text);
}

int task_note_holds(struct session *session, const struct task_state *state, bool *ret_holds, struct err *err)
{
    struct reading reading = {.state = state};

    *ret_holds = true;
    if (state->phase == TASK_KEYS)
        return 0;
    if (beside_notes(session, state->projection, read_note, &reading, err) != 0)
        return -1;
    *ret_holds = !reading.older;
    return 0;
}

int task_note_is_open(struct session *session, const char *projection, bool *ret_open, struct err *err)
{
    struct reading reading = {0};

    if (beside_notes(session, projection, read_note, &reading, err) != 0)
        return -1;
    *ret_open = reading.open;
    return 0;
}
