/* Records come to be: read, begun, copied. See beside.h. */
#include "cdc/beside_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_slot.h"
#include "common/script.h"

char *beside_key(const struct rconn *rconn, const char *fleet, int route)
{
    const char *tag = rconn_route_tag(rconn, route);

    return tag ? mem_printf("pgusher:fleet:%s:{%s}", fleet, tag) : mem_printf("pgusher:fleet:%s", fleet);
}

char *record_key(const struct session *session, int route)
{
    return beside_key(session->rconn, session->config->fleet, route);
}

char *alive_key(const struct session *session, int route)
{
    char *record = record_key(session, route), *key = mem_printf("%s:alive", record);

    free(record);
    return key;
}

void beside_name_key(struct err *err, const char *key)
{
    if (strstr(err->text, "WRONGTYPE"))
        err_context(err, "%s is another program's, move it away", key);
}

struct rreply *record_run(struct session *session, int route, int argc, const char **words, struct err *err)
{
    char *key = record_key(session, route);
    struct rreply *reply;

    words[1] = key;
    reply = rconn_run(session->rconn, route, argc, words, err);
    beside_name_key(err, key);
    free(key);
    return reply;
}

const char *record_text(const struct rreply *reply, size_t index)
{
    const struct rreply *item = rreply_at(reply, index);

    return rreply_type(item) == RREPLY_STRING ? rreply_string(item, NULL) : NULL;
}

static void add_route(struct records *records, int route)
{
    for (size_t i = 0; i < records->count; i++)
        if (records->routes[i] == route)
            return;
    if (records->count < MAX_RECORDS)
        records->routes[records->count++] = route;
}

static void add_route_of_each_primary(const struct session *session, struct records *records)
{
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++)
        add_route(records, rconn_primary_route(session->rconn, i));
}

/* ---- reading ---- */

static void take_routes(struct records *records, const char *routes)
{
    while (routes && *routes) {
        char *end;
        long route = strtol(routes, &end, 10);

        if (end != routes && route >= 0 && route < REDIS_SLOTS) /* whatever stands in Redis */
            add_route(records, (int)route);
        routes = *end ? end + 1 : end;
    }
}

void reading_words(const char **words, const char *key)
{
    static const char *const fields[] = {"dataset", "ordinal", "epoch", "routes"};

    words[0] = "HMGET";
    words[1] = key;
    memcpy(words + 2, fields, sizeof(fields));
}

bool reading_is_whole(const struct reading *first, const struct reading *all)
{
    return all->beside.dataset && !all->differ && all->found >= first->named.count;
}

void reading_take(struct reading *reading, const struct rreply *reply)
{
    const char *dataset = record_text(reply, 0), *ordinal = record_text(reply, 1);
    const char *epoch = record_text(reply, 2);
    struct beside *beside = &reading->beside;

    if (!dataset || !ordinal || !epoch)
        return;
    reading->found++;
    take_routes(&reading->named, record_text(reply, 3));
    reading->differ |= beside->dataset && strcmp(dataset, beside->dataset) != 0;
    if (!beside->dataset)
        beside->dataset = mem_strdup(dataset);
    if (atoll(ordinal) > beside->ordinal)
        beside->ordinal = atoll(ordinal);
    if (atoll(epoch) > beside->epoch)
        beside->epoch = atoll(epoch);
}

static int read_records(struct session *session, const struct records *records, struct reading *reading,
                        struct err *err)
{
    for (size_t i = 0; i < records->count; i++) {
        const char *words[READING_WORDS];
        struct rreply *reply;

        reading_words(words, NULL);
        reply = record_run(session, records->routes[i], READING_WORDS, words, err);

        if (!reply)
            return -1;
        reading_take(reading, reply);
        rreply_free(reply);
    }
    return 0;
}

/* First where a record is likely to be: on each primary, and where this session knew one. These name all. */
int beside_read(struct session *session, struct beside *ret_beside, struct err *err)
{
    struct reading first = {.beside = {.epoch = -1}}, all = {.beside = {.epoch = -1}};
    struct records likely = session->records;
    int result;

    add_route_of_each_primary(session, &likely);
    result = read_records(session, &likely, &first, err);
    if (result == 0)
        result = read_records(session, &first.named, &all, err);
    if (result != 0 || !reading_is_whole(&first, &all)) {
        free(all.beside.dataset);
        all.beside.dataset = NULL;
    }
    free(first.beside.dataset);
    session->records = first.named;
    *ret_beside = all.beside;
    return result;
}

/* Two fleets of one name would take the record from each other for ever. */
int beside_stranger(struct session *session, char **ret_database, struct err *err)
{
    struct records likely = session->records;

    *ret_database = NULL;
    add_route_of_each_primary(session, &likely);
    for (size_t i = 0; i < likely.count && !*ret_database; i++) {
        char *key = alive_key(session, likely.routes[i]);
        struct rreply *reply =
            rconn_run(session->rconn, likely.routes[i], 2, (const char *const[]){"GET", key}, err);

        free(key);
        if (!reply)
            return -1;
        if (rreply_type(reply) == RREPLY_STRING && strcmp(rreply_string(reply, NULL), session->database) != 0)
            *ret_database = mem_strdup(rreply_string(reply, NULL));
        rreply_free(reply);
    }
    return 0;
}

/* ---- beginning ---- */

static char *routes_text(const struct records *records)
{
    struct buf text = BUF_NONE;

    for (size_t i = 0; i < records->count; i++)
        buf_printf(&text, "%s%d", i ? "," : "", records->routes[i]);
    return buf_take(&text);
}

static void put_record(struct words *words, const struct session *session, const char *dataset,
                       const struct cursor *cursors)
{
    char *routes = routes_text(&session->records);
    char epoch[24];

    snprintf(epoch, sizeof(epoch), "%lld", (long long)session->epoch);
    words_put_pair(words, "dataset", dataset);
    words_put_pair(words, "epoch", epoch);
    words_put_pair(words, "ordinal", "0");
    words_put_pair(words, "routes", routes);
    for (int i = 0; i < session->partitions; i++)
        words_put_cursor(words, i, &cursors[i]);
    for (size_t i = 0; i < session->plan->nprojections; i++)
        words_put_note(words, session->plan->projections[i].config->name, "asked");
    free(routes);
}

/* Names and values into the record of this route. */
static int write_record(struct session *session, int route, const struct words *fields, struct err *err)
{
    char *key = record_key(session, route);
    struct words head = {0};
    struct buf command = BUF_NONE;
    struct rreply *reply;

    words_put_pair(&head, "HSET", key);
    buf_printf(&command, "*%zu\r\n", head.count + fields->count);
    buf_add(&command, head.text.data, head.text.len);
    buf_add(&command, fields->text.data, fields->text.len);
    reply = rconn_run_raw(session->rconn, route, command.data, command.len, err);
    rreply_free(reply);
    buf_free(&command);
    words_free(&head);
    free(key);
    return reply ? 0 : -1;
}

int beside_begin(struct session *session, const char *dataset, const struct cursor *cursors, struct err *err)
{
    struct words record = {0};
    int result = 0;

    session->records.count = 0;
    add_route_of_each_primary(session, &session->records);
    put_record(&record, session, dataset, cursors);
    for (size_t i = 0; i < session->records.count && result == 0; i++)
        result = write_record(session, session->records.routes[i], &record, err);
    words_free(&record);
    return result;
}

/* ---- covering ---- */

static bool is_covered(const struct session *session, size_t primary)
{
    for (size_t i = 0; i < session->records.count; i++)
        if (rconn_primary_of(session->rconn, session->records.routes[i]) == primary)
            return true;
    return false;
}

bool beside_is_uncovered(const struct session *session)
{
    if (!rconn_is_up(session->rconn))
        return false;
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++)
        if (!is_covered(session, i))
            return true;
    return false;
}

/* All fields of the first record. */
static int copy_record(struct session *session, int route, struct err *err)
{
    const char *command[] = {"HGETALL", NULL};
    struct rreply *found = record_run(session, session->records.routes[0], 2, command, err);
    struct words fields = {0};
    int result = -1;

    for (size_t i = 0; found && i + 1 < rreply_count(found); i += 2)
        words_put_pair(&fields, record_text(found, i), record_text(found, i + 1));
    if (fields.count)
        result = write_record(session, route, &fields, err);
    else
        err_set(err, ST_LOST, "the contents of Redis are not what they were");
    words_free(&fields);
    rreply_free(found);
    return result;
}

static int name_all_records(struct session *session, struct err *err)
{
    char *routes = routes_text(&session->records);
    int result = 0;

    for (size_t i = 0; i < session->records.count && result == 0; i++) {
        const char *words[] = {"HSET", NULL, "routes", routes};
        struct rreply *reply = record_run(session, session->records.routes[i], 4, words, err);

        result = reply ? 0 : -1;
        rreply_free(reply);
    }
    free(routes);
    return result;
}

int beside_cover(struct session *session, struct err *err)
{
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++) {
        int route = rconn_primary_route(session->rconn, i);

        if (is_covered(session, i))
            continue;
        if (copy_record(session, route, err) != 0)
            return -1;
        add_route(&session->records, route);
    }
    return name_all_records(session, err);
}
