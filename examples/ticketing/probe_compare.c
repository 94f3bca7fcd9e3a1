/* The comparison of all rows with all hashes: see probe.h. */
#include "examples/ticketing/probe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK = 2000, MAX_SHOWN = 10, CLOCK_SLACK_MS = 5000 };

struct tally {
    int64_t documents, fields, past, different, missing, ghosts;
    int shown;
};

struct view {
    const char *name, *prefix, *grace;
    int64_t *ids; /* of all its rows, ascending */
    size_t count;
};

static void note(struct tally *tally, int64_t *counter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(struct tally *tally, int64_t *counter, const char *format, ...)
{
    va_list args;

    ++*counter;
    if (++tally->shown > MAX_SHOWN)
        return;
    va_start(args, format);
    fputs("  ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static const redisReply *find_field(const redisReply *hash, const char *name)
{
    for (size_t i = 0; i + 1 < hash->elements; i += 2)
        if (strcmp(hash->element[i]->str, name) == 0)
            return hash->element[i + 1];
    return NULL;
}

/* The first column whose field is not as it should be, or -1; *ret_fields is how many the hash must have. */
static int wrong_column(PGresult *rows, int row, const redisReply *hash, size_t *ret_fields)
{
    size_t fields = 0;

    for (int column = 0; column < PQnfields(rows); column++) {
        const char *name = PQfname(rows, column);
        const redisReply *field = find_field(hash, name);
        bool stored = name[0] != '_' && !PQgetisnull(rows, row, column);

        fields += stored;
        if (stored != (field != NULL))
            return column;
        if (stored && (field->len != (size_t)PQgetlength(rows, row, column) ||
                       memcmp(field->str, PQgetvalue(rows, row, column), field->len) != 0))
            return column;
    }
    *ret_fields = fields;
    return -1;
}

static void compare_hash(struct tally *tally, const char *key, PGresult *rows, int row,
                         const redisReply *hash)
{
    size_t fields = 0;
    int column = wrong_column(rows, row, hash, &fields);
    const redisReply *field, *version = find_field(hash, "_v");

    tally->fields += (int64_t)fields;
    if (column >= 0) {
        field = find_field(hash, PQfname(rows, column));
        note(tally, &tally->different, "%s: %s is %s in the database and %s in the hash", key,
             PQfname(rows, column), PQgetisnull(rows, row, column) ? "NULL" : PQgetvalue(rows, row, column),
             field ? field->str : "absent");
    } else if (hash->elements != 2 * (fields + 2) || !version || !find_field(hash, "_d")) {
        note(tally, &tally->different, "%s: has %zu fields; %zu columns, _v and _d are due", key,
             hash->elements / 2, fields);
    } else if (strtoll(version->str, NULL, 10) <= 0) {
        note(tally, &tally->different, "%s: _v is %s", key, version->str);
    }
}

/* A document may reach its date while we look. */
static void compare_row(struct tally *tally, const char *key, PGresult *rows, int row, const redisReply *hash,
                        const redisReply *expires)
{
    int column = PQfnumber(rows, "_ends_ms");
    int64_t due = PQgetisnull(rows, row, column) ? -1 : atoll(PQgetvalue(rows, row, column));
    int64_t left = due < 0 ? INT64_MAX : due - now_us(CLOCK_REALTIME) / 1000;
    int64_t different = tally->different;

    if (hash->type != REDIS_REPLY_ARRAY) {
        note(tally, &tally->different, "%s: %s", key, hash->str ? hash->str : "not a hash");
    } else if (hash->elements == 0) {
        tally->past += left <= CLOCK_SLACK_MS;
        if (left > CLOCK_SLACK_MS)
            note(tally, &tally->missing, "%s: missing", key);
    } else {
        tally->documents++;
        if (left < -CLOCK_SLACK_MS)
            note(tally, &tally->different, "%s: is there, but its date is past", key);
        else
            compare_hash(tally, key, rows, row, hash);
        if (tally->different == different && expires->integer != due && expires->integer != -2)
            note(tally, &tally->different, "%s: expires at %lld ms, due are %" PRId64, key, expires->integer,
                 due);
    }
}

static void add_id(struct view *view, int64_t id)
{
    if (view->count % CHUNK == 0)
        view->ids = realloc(view->ids, sizeof(*view->ids) * (view->count + CHUNK));
    if (!view->ids)
        die(EXIT_FAILURE, "out of memory");
    view->ids[view->count++] = id;
}

static void compare_chunk(const struct servers *servers, struct tally *tally, struct view *view,
                          PGresult *rows)
{
    int id = PQfnumber(rows, "id");

    for (int row = 0; row < PQntuples(rows); row++) {
        redisAppendCommand(servers->redis, "HGETALL %s%s", view->prefix, PQgetvalue(rows, row, id));
        redisAppendCommand(servers->redis, "PEXPIRETIME %s%s", view->prefix, PQgetvalue(rows, row, id));
    }
    for (int row = 0; row < PQntuples(rows); row++) {
        redisReply *hash = next_reply(servers->redis), *expires = next_reply(servers->redis);
        char key[64];

        snprintf(key, sizeof(key), "%s%s", view->prefix, PQgetvalue(rows, row, id));
        compare_row(tally, key, rows, row, hash, expires);
        add_id(view, atoll(PQgetvalue(rows, row, id)));
        freeReplyObject(hash);
        freeReplyObject(expires);
    }
}

static void declare_cursor(PGconn *pg, const struct view *view)
{
    char *grace = PQescapeLiteral(pg, view->grace, strlen(view->grace));
    char sql[512];

    snprintf(sql, sizeof(sql),
             "DECLARE rows NO SCROLL CURSOR FOR SELECT v.*, "
             "floor(extract(epoch FROM v.starts_at + interval %s) * 1000)::bigint AS _ends_ms FROM %s v "
             "ORDER BY v.id",
             grace ? grace : "'0'", view->name);
    PQfreemem(grace);
    run(pg, sql);
}

static void compare_view(const struct servers *servers, struct tally *tally, struct view *view)
{
    char fetch[64];
    PGresult *rows = NULL;
    int count;

    snprintf(fetch, sizeof(fetch), "FETCH %d FROM rows", CHUNK);
    run(servers->pg, "BEGIN");
    declare_cursor(servers->pg, view);
    do {
        PQclear(rows);
        rows = checked(servers->pg, PQexec(servers->pg, fetch));
        count = PQntuples(rows);
        compare_chunk(servers, tally, view, rows);
    } while (count);
    PQclear(rows);
    run(servers->pg, "COMMIT");
}

static bool has_row(const struct view *view, const char *id_text)
{
    int64_t id = strtoll(id_text, NULL, 10);
    char canonical[24];

    snprintf(canonical, sizeof(canonical), "%" PRId64, id);
    return strcmp(canonical, id_text) == 0 && view->count &&
           bsearch(&id, view->ids, view->count, sizeof(id), by_size);
}

static void find_ghosts(redisContext *redis, struct tally *tally, const struct view *view)
{
    char cursor[32] = "0";

    do {
        redisReply *reply;

        redisAppendCommand(redis, "SCAN %s MATCH %s* COUNT %d", cursor, view->prefix, CHUNK);
        reply = next_reply(redis);
        if (reply->type != REDIS_REPLY_ARRAY)
            die(EXIT_FAILURE, "Redis: %s", reply->str);
        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        for (size_t i = 0; i < reply->element[1]->elements; i++) {
            const char *key = reply->element[1]->element[i]->str;

            if (!has_row(view, key + strlen(view->prefix)))
                note(tally, &tally->ghosts, "%s: a ghost, no row has it", key);
        }
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
}

int compare(const struct servers *servers, const char *event_grace, const char *ticket_grace)
{
    struct view views[] = {{"event_card", "event:", event_grace, NULL, 0},
                           {"ticket_card", "ticket:", ticket_grace, NULL, 0}};
    struct tally tally = {0};
    bool equal;

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        compare_view(servers, &tally, &views[i]);
        find_ghosts(servers->redis, &tally, &views[i]);
        free(views[i].ids);
    }
    equal = tally.different + tally.missing + tally.ghosts == 0;
    if (tally.shown > MAX_SHOWN)
        printf("  … and %s more\n", grouped(tally.shown - MAX_SHOWN));
    printf("%s documents compared, %s fields: %s differences, %s missing, %s ghosts (%s rows are past their "
           "date)\n",
           grouped(tally.documents), grouped(tally.fields), grouped(tally.different), grouped(tally.missing),
           grouped(tally.ghosts), grouped(tally.past));
    return equal && tally.documents ? EXIT_SUCCESS : EXIT_FAILURE;
}
