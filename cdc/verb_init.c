/* pgusher init: from the catalog a configuration and the views it names, as a beginning. */
#include "cdc/verb_init.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cdc/tool.h"
#include "common/mem.h"
#include "queue/tool_output.h"

#define REDIS_SOCKET "/run/redis/redis.sock"
#define VIEWS_FILE "views.sql"

struct job {
    const struct tool *tool;
    struct config config; /* as much of it as is needed to connect */
    struct loop *loop;
    struct session *session;
    struct init_catalog catalog;
    struct init_card *cards;
    size_t ncards;
    struct names names; /* of the projections */
    char *postgres;
    const char *redis;
    char *config_file;
    char *views_file;
};

/* ---- where the servers are ---- */

/* What libpq takes from the environment, for the daemons have another one. */
static char *conninfo_of_environment(void)
{
    static const char *const variables[][2] = {
        {"PGSERVICE", "service"}, {"PGHOST", "host"}, {"PGHOSTADDR", "hostaddr"}, {"PGPORT", "port"},
        {"PGDATABASE", "dbname"}, {"PGUSER", "user"}, {"PGSSLMODE", "sslmode"}};
    struct buf conninfo = BUF_NONE;

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i][0]);

        if (!value || !*value)
            continue;
        buf_printf(&conninfo, "%s%s='", conninfo.len ? " " : "", variables[i][1]);
        for (; *value; value++)
            buf_printf(&conninfo, "%s%c", strchr("'\\", *value) ? "\\" : "", *value);
        buf_putc(&conninfo, '\'');
    }
    return buf_take(&conninfo);
}

/* A conninfo must not be empty in a configuration. */
static int name_database(struct job *job, struct err *err)
{
    struct pg_query query = {.sql = "SELECT quote_literal(current_database())"};
    struct pg_rows *rows = NULL;

    if (*job->postgres)
        return 0;
    if (pg_run(job->session->pg, &query, &rows, err) != 0)
        return -1;
    free(job->postgres);
    job->postgres = mem_printf("dbname=%s", pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
    return 0;
}

static const char *default_redis(void)
{
    return access(REDIS_SOCKET, F_OK) == 0 ? "unix://" REDIS_SOCKET : "redis://localhost";
}

static int connect_job(struct job *job, struct err *err)
{
    job->postgres = job->tool->postgres ? mem_strdup(job->tool->postgres) : conninfo_of_environment();
    job->redis = job->tool->redis ? job->tool->redis : default_redis();
    job->config.postgres = job->postgres;
    job->loop = loop_new();
    job->session = tool_session(job->loop, &job->config);
    if (session_connect_pg(job->session, "pgusher init", err) != 0) {
        err_context(err, "%s", job->tool->postgres ? "--postgres" : "--postgres was not given");
        return -1;
    }
    return name_database(job, err);
}

/* ---- the tables ---- */

static bool has_braces(const struct list *id)
{
    for (size_t i = 0; i < id->count; i++)
        if (strpbrk(id->items[i], "{}"))
            return true;
    return false;
}

static bool reads_id(const struct init_table *table)
{
    for (size_t i = 0; i < table->id.count; i++)
        if (!init_column_find(table, table->id.items[i])->readable)
            return false;
    return table->readable;
}

/* NULL when documents can be made of it. */
static const char *why_not(const struct init_table *table)
{
    if (!table)
        return "has no columns";
    if (!reads_id(table))
        return "may not be read by this role; as its owner: GRANT SELECT ON it TO the role";
    if (table->id.count == 0)
        return "has no primary key, nor another unique index over columns that are NOT NULL: nothing would "
               "identify its documents; add one";
    if (table->id.count > MAX_ID_COLUMNS)
        return "has more columns in its key than a document's id can have";
    if (has_braces(&table->id))
        return "has a key column with braces in its name, which the template of a Redis key cannot hold; "
               "rename it";
    return NULL;
}

static bool make_cards(struct job *job, const struct list *wanted)
{
    bool all = true;

    job->cards = mem_zalloc(sizeof(*job->cards) * (wanted->count + 1));
    for (size_t i = 0; i < wanted->count; i++) {
        const struct init_table *table = init_table_find(&job->catalog, wanted->items[i]);
        const char *reason = why_not(table);

        if (reason) {
            tool_say("table %s %s", table ? table->name : "", reason);
            all = false;
        } else {
            init_card_make(&job->cards[job->ncards++], &job->catalog, table, &job->names);
        }
    }
    return all;
}

/* Whether documents can be made of all tables that were asked for; says of which not. */
static bool choose(struct job *job, struct err *err)
{
    struct list wanted = {0};
    bool all = init_catalog_load(&job->catalog, job->session->pg, job->tool->args, (size_t)job->tool->nargs,
                                 &wanted, err) == 0;

    all = all && make_cards(job, &wanted) && job->catalog.refused == 0;
    list_free(&wanted);
    return all;
}

/* ---- what comes out ---- */

static json_t *config_json(const struct job *job)
{
    json_t *config = json_object(), *projections = json_object();

    json_object_set_new(config, "postgres", json_string(job->postgres));
    json_object_set_new(config, "redis", json_string(job->redis));
    for (size_t i = 0; i < job->ncards; i++)
        json_object_set_new(projections, job->cards[i].name, init_projection(&job->catalog, &job->cards[i]));
    json_object_set_new(config, "projections", projections);
    return config;
}

static char *config_text(const struct job *job)
{
    json_t *config = config_json(job);
    char *pretty = json_dumps(config, JSON_INDENT(2));
    char *text = mem_printf("%s\n", pretty);

    free(pretty);
    json_decref(config);
    return text;
}

static void print_as_json(const struct job *job, const char *views)
{
    json_t *notes = json_object();

    for (size_t i = 0; i < job->ncards; i++) {
        json_t *list = json_array();

        for (size_t j = 0; j < job->cards[i].notes.count; j++)
            json_array_append_new(list, json_string(job->cards[i].notes.items[j]));
        for (size_t j = 0; j < job->cards[i].indexes.count; j++)
            json_array_append_new(list, json_string(job->cards[i].indexes.list[j]));
        json_object_set_new(notes, job->cards[i].name, list);
    }
    output_json(json_pack("{s:o, s:s, s:o}", "config", config_json(job), "views", views, "notes", notes));
}

/* ---- files ---- */

static void name_files(struct job *job)
{
    char *copy = mem_strdup(job->tool->config_file);

    job->config_file = mem_strdup(job->tool->config_given ? job->tool->config_file : "pgusher.json");
    job->views_file = job->tool->config_given && strchr(copy, '/')
                          ? mem_printf("%s/" VIEWS_FILE, dirname(copy))
                          : mem_strdup(VIEWS_FILE);
    free(copy);
}

static bool is_free(const char *file)
{
    if (access(file, F_OK) != 0)
        return true;
    tool_say("%s is there already and is not overwritten; move it away, go to another folder, or use --print",
             file);
    return false;
}

static bool holds_password(const char *postgres, const char *redis)
{
    return strstr(postgres, "password") || strchr(redis, '@') ||
           (strstr(postgres, "://") && strchr(postgres, '@'));
}

/* Never over a file that came into being meanwhile. */
static bool write_file(const char *file, const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    size_t len = strlen(text);
    bool written = fd >= 0 && write(fd, text, len) == (ssize_t)len;

    if (fd >= 0 && close(fd) != 0)
        written = false;
    if (!written)
        tool_say("%s cannot be written: %s", file, strerror(errno));
    if (!written && fd >= 0)
        unlink(file); /* half of it */
    return written;
}

static void print_notes(const struct job *job)
{
    for (size_t i = 0; i < job->ncards; i++) {
        const struct init_card *card = &job->cards[i];

        printf("\n%s: documents of table %s, view %s\n", card->name, card->table->name, card->view);
        for (size_t j = 0; j < card->notes.count; j++)
            printf("  - %s\n", card->notes.items[j]);
        for (size_t j = 0; j < card->indexes.count; j++)
            printf("  - an index is missing: %s\n", card->indexes.list[j]);
    }
}

static void print_next_steps(const struct job *job)
{
    const char *file = job->config_file;
    bool secret = holds_password(job->postgres, job->redis);

    printf("\nNext: read both files, then\n"
           "  psql -f %s%s%s%s\n"
           "  pgusher -c %s check\n"
           "  pgusher -c %s install\n"
           "  pgusherd -c %s        (fills Redis and follows every change)\n",
           job->views_file, secret ? "" : " \"", secret ? "" : job->postgres, secret ? "" : "\"", file, file,
           file);
    printf(
        "\"queues\": [\"{search}\"] in a projection puts the key of each changed document on that list.\n");
    if (secret)
        printf("%s may hold a password and is for its owner only; \"password_file\" is the other way.\n",
               file);
}

static enum exit_code write_files(const struct job *job, const char *config, const char *views)
{
    mode_t mode = holds_password(job->postgres, job->redis) ? 0600 : 0666;

    if (!is_free(job->config_file) || !is_free(job->views_file) || !write_file(job->views_file, views, 0666))
        return EX_NOT_SO;
    if (!write_file(job->config_file, config, mode)) {
        unlink(job->views_file);
        return EX_NOT_SO;
    }
    printf("wrote %s and %s\n", job->config_file, job->views_file);
    print_notes(job);
    print_next_steps(job);
    return EX_DONE;
}

static enum exit_code deliver(const struct job *job)
{
    char *views = init_views(&job->catalog, job->cards, job->ncards);
    char *config = config_text(job);
    enum exit_code code = EX_DONE;

    if (job->tool->json)
        print_as_json(job, views);
    else if (job->tool->given & FLAG_PRINT)
        printf("==> %s <==\n%s\n==> %s <==\n%s", job->config_file, config, job->views_file, views);
    else
        code = write_files(job, config, views);
    free(views);
    free(config);
    return code;
}

/* ---- the verb ---- */

static void job_close(struct job *job)
{
    for (size_t i = 0; i < job->ncards; i++)
        init_card_free(&job->cards[i]);
    free(job->cards);
    names_free(&job->names);
    init_catalog_free(&job->catalog);
    session_close(job->session);
    loop_free(job->loop);
    free(job->postgres);
    free(job->config_file);
    free(job->views_file);
}

/* Says what is wrong with the command line. */
static bool can_be_done(const struct tool *tool)
{
    struct redis_url url = {0};
    struct err err = ERR_NONE;

    if (tool->nargs == 0)
        tool_say("init: of which tables?");
    else if (tool->redis && redis_url_parse(tool->redis, &url, &err) != 0)
        tool_say("--redis: %s", err.text);
    else {
        redis_url_free(&url);
        return true;
    }
    fputs("Try: pgusher init --help\n", stderr);
    return false;
}

static enum exit_code init_run(const struct tool *tool)
{
    struct job job = {.tool = tool};
    struct err err = ERR_NONE;
    enum exit_code code = EX_NOT_SO;

    if (!can_be_done(tool))
        return EX_BAD_USAGE;
    name_files(&job);
    if (connect_job(&job, &err) == 0 && choose(&job, &err))
        code = deliver(&job);
    job_close(&job);
    return err.status == ST_OK ? code : tool_fail(&err);
}

const struct verb init_verb = {
    "init",
    init_run,
    FLAG_ARGS | FLAG_JSON | FLAG_PRINT | FLAG_POSTGRES | FLAG_REDIS,
    "a first configuration and views, from the tables that are there",
    "usage: pgusher init [--postgres CONNINFO] [--redis URL] [--print | --json] TABLE…\n"
    "\n"
    "Reads keys, foreign keys and dates from the catalog and writes pgusher.json (or the FILE of\n"
    "-c) and beside it views.sql: per table a view with its columns, short texts of the rows that\n"
    "its foreign keys point to, and counts of the rows that point to it; and the watches for all\n"
    "of these. Nothing is overwritten, and nothing in the database is changed. Comments in\n"
    "views.sql say what was chosen; both files are a beginning, to be read and changed.\n"
    "\n"
    "      --postgres CONNINFO   default: as libpq finds it (PGHOST, PGDATABASE, PGSERVICE …)\n"
    "      --redis URL           default: unix:///run/redis/redis.sock if it is there, or\n"
    "                            redis://localhost\n"
    "      --print               both files to stdout instead\n"
    "      --json                the same as one JSON object {config, views, notes}\n"
    "\n"
    "A TABLE is named exactly, with its schema before a dot where that is not on the search_path.\n"
    "\n"
    "Example: pgusher init --postgres dbname=box_office event && psql -f views.sql box_office\n",
};
