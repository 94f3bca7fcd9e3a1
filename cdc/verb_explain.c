/* pgusher explain: one document's story. */
#include "cdc/verb_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/tool.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

enum { LOOKS = 3, LOOK_AGAIN_MS = 200 }; /* before a difference is said to be one that nothing explains */

/* ---- the story ---- */

struct subject *explain_subject(struct story *story, const char *key)
{
    struct subject *subject;
    json_t *documents = json_object_get(story->facts, "documents");

    story->subjects = mem_resize(story->subjects, sizeof(*subject) * (story->count + 1));
    subject = &story->subjects[story->count++];
    *subject = (struct subject){.facts = json_pack("{s:s}", "key", key), .expire_ms = -1, .version = -1};
    buf_puts(&subject->key, key);
    json_array_append_new(documents, subject->facts);
    return subject;
}

static void forget(struct story *story)
{
    for (size_t i = 0; i < story->count; i++) {
        buf_free(&story->subjects[i].key);
        buf_free(&story->subjects[i].fields);
    }
    free(story->subjects);
    json_decref(story->facts);
    story->subjects = NULL;
    story->facts = NULL;
    story->count = 0;
}

static json_t *id_of(const struct story *story)
{
    json_t *id = json_object();

    for (size_t i = 0; i < story->config->nid; i++)
        json_object_set_new(id, story->config->id[i], json_string(ids_get(story->id, 0)[i]));
    return id;
}

static void begin(struct story *story)
{
    forget(story);
    ids_clear(story->own_id);
    story->facts = json_pack("{s:s, s:o, s:[], s:[]}", "projection", story->config->name, "id", id_of(story),
                             "documents", "notes");
}

void explain_key(const struct story *story, struct buf *out)
{
    const struct key_template *key = story->config->key;
    size_t count = template_columns(key);
    const char **values = mem_zalloc(sizeof(*values) * count);

    for (size_t i = 0; i < count; i++) {
        int index = config_id_index(story->config, template_column(key, i));

        values[i] = index < 0 ? "*" : explain_id(story)[index];
    }
    template_render(key, values, out);
    free(values);
}

const char *const *explain_id(const struct story *story)
{
    return ids_get(ids_count(story->own_id) ? story->own_id : story->id, 0);
}

static void add_configured_subject(struct story *story)
{
    struct buf key = BUF_NONE;

    explain_key(story, &key);
    explain_subject(story, story->key ? story->key : key.data);
    buf_free(&key);
}

/* ---- the servers ---- */

static int connect_pg(struct story *story, struct err *err)
{
    struct session *session = story->session;

    if (session_prepare_pg(session, "pgusher explain", 0, err) != 0)
        return -1;
    while (session->plan->projections[story->projection].config != story->config)
        story->projection++;
    return 0;
}

/* After PostgreSQL was asked: a session that loses one server leaves the other. */
static int connect_redis(struct story *story, struct err *err)
{
    err_clear(&story->session->why_lost);
    story->session->lost = false;
    return session_connect_redis(story->session, err);
}

/* What each server did not tell, and why. */
struct silence {
    struct err pg;
    struct err redis;
};

static const char *reason(const struct err *err)
{
    return err->status == ST_OK ? NULL : err->text;
}

static void look(struct story *story, struct silence *silence)
{
    begin(story);
    if (silence->pg.status == ST_OK)
        explain_postgres(story, &silence->pg);
    if (!story->session->rconn)
        connect_redis(story, &silence->redis);
    if (silence->redis.status == ST_OK)
        explain_known_keys(story, &silence->redis);
    if (story->count == 0)
        add_configured_subject(story);
    if (silence->redis.status == ST_OK)
        explain_redis(story, &silence->redis);
    explain_judge(story, reason(&silence->pg), reason(&silence->redis));
}

static bool is_unclear(const struct story *story)
{
    const char *state = explain_member(story->facts, "state");

    return strcmp(state, "drift") == 0 || strcmp(state, "changing") == 0;
}

/* Between two looks a change may be applied. */
static void look_well(struct story *story, struct silence *silence)
{
    bool never = false;

    look(story, silence);
    for (int i = 1; i < LOOKS && is_unclear(story); i++) {
        session_wait(story->session, &never, LOOK_AGAIN_MS);
        look(story, silence);
    }
}

static void note_silence(struct story *story, const struct silence *silence)
{
    json_t *errors = json_array();

    if (silence->pg.status != ST_OK)
        json_array_append_new(errors, json_string(silence->pg.text));
    if (silence->redis.status != ST_OK)
        json_array_append_new(errors, json_string(silence->redis.text));
    json_object_set_new(story->facts, "errors", errors);
}

static enum exit_code outcome(const struct story *story, const struct silence *silence)
{
    if (silence->pg.status != ST_OK)
        return status_exit_code(silence->pg.status);
    if (silence->redis.status != ST_OK)
        return status_exit_code(silence->redis.status);
    return explain_is_well(explain_member(story->facts, "state")) ? EX_DONE : EX_NOT_SO;
}

static enum exit_code tell(struct story *story, bool json)
{
    struct silence silence = {ERR_NONE, ERR_NONE};
    enum exit_code code;

    connect_pg(story, &silence.pg);
    look_well(story, &silence);
    note_silence(story, &silence);
    code = outcome(story, &silence);
    if (json)
        output_json(json_incref(story->facts));
    else
        explain_print(story->facts);
    return code;
}

/* ---- which document ---- */

/* One text that is the whole key. */
static bool take_key(struct story *story, const char *text)
{
    const struct key_template *key = story->config->key;
    size_t count = template_columns(key);
    char **values = mem_zalloc(sizeof(*values) * count);
    const char *id[MAX_ID_COLUMNS];
    bool fits = template_literal_bytes(key) > 0 && template_invert(key, text, strlen(text), values) == 0;

    for (size_t i = 0; fits && i < count; i++) {
        int index = config_id_index(story->config, template_column(key, i));

        if (index >= 0)
            id[index] = values[i];
    }
    if (fits) {
        ids_add(story->id, id);
        story->key = text;
    }
    for (size_t i = 0; fits && i < count; i++)
        free(values[i]);
    free(values);
    return fits;
}

static void say_what_id(const struct projection *config, size_t given)
{
    struct buf names = BUF_NONE;

    for (size_t i = 0; i < config->nid; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", config->id[i]);
    tool_say("explain %s needs %zu value%s (%s) or the key (%s), not %zu", config->name, config->nid,
             config->nid == 1 ? "" : "s", names.data, config->key_text, given);
    fputs("Try: pgusher explain --help\n", stderr);
    buf_free(&names);
}

/* Otherwise no row has it. */
static bool is_text(const char *value)
{
    char *shown;

    if (utf8_valid_length(value, strlen(value)) == strlen(value))
        return true;
    shown = text_escaped(value, strlen(value));
    tool_say("explain: \"%s\" is not UTF-8, so nothing in PostgreSQL is called that", shown);
    free(shown);
    return false;
}

static bool take_id(struct story *story, const struct tool *tool)
{
    const struct projection *config = story->config;
    size_t given = (size_t)tool->nargs - 1;

    for (size_t i = 1; i <= given; i++)
        if (!is_text(tool->args[i]))
            return false;
    if (given == 1 && take_key(story, tool->args[1]))
        return true;
    if (given == config->nid) {
        ids_add(story->id, (const char *const *)tool->args + 1);
        return true;
    }
    say_what_id(config, given);
    return false;
}

static bool find_projection(const struct tool *tool, struct config *config, struct story *story)
{
    struct tool name = *tool;

    if (tool->nargs == 0) {
        tool_say("explain which document? Name its projection and its id");
        fputs("Try: pgusher explain --help\n", stderr);
        return false;
    }
    name.nargs = 1;
    if (!tool_names_projections(&name, config))
        return false;
    story->config = config_projection(config, tool->args[0]);
    story->id = ids_new(story->config->nid);
    story->own_id = ids_new(story->config->nid);
    return take_id(story, tool);
}

static enum exit_code explain_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    enum exit_code code = EX_BAD_USAGE;
    struct story story = {0};
    struct loop *loop;

    if (!config)
        return EX_BAD_CONFIG;
    loop = loop_new();
    story.session = tool_session(loop, config);
    if (find_projection(tool, config, &story))
        code = tell(&story, tool->json);
    forget(&story);
    ids_free(story.id);
    ids_free(story.own_id);
    session_close(story.session);
    loop_free(loop);
    config_free(config);
    return code;
}

const struct verb explain_verb = {
    "explain",
    explain_run,
    FLAG_JSON | FLAG_ARGS,
    "one document's story: why it is as it is",
    "usage: pgusher explain PROJECTION ID… [--json]\n"
    "       pgusher explain PROJECTION KEY [--json]\n"
    "\n"
    "Says in the first line how one document stands: in step, stale (and what waits before its change), "
    "removed,\n"
    "quarantined, not there yet (a backfill is under way), or drift, which nothing explains. Then what is "
    "known "
    "of\n"
    "it: the row, the hash and where they differ, its date, version and tombstone, the changes that lead to "
    "it and\n"
    "are not applied yet, the queues. ID is a value for each column of the projection's \"id\"; KEY the key "
    "in Redis.\n"
    "One that begins with - stands after --. Writes nothing. Shows what it can when one server is down, and "
    "then exits 69.\n"
    "\n"
    "Exit codes: 0 as it should be, 1 not.\n"
    "\n"
    "Example: pgusher -c pgusher.json explain event 77\n",
};
