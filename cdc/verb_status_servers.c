/* A look as people read it: the changelog, PostgreSQL, Redis, the queues. See verb_status.h. */
#include <stdio.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/status.h"
#include "cdc/verb_status.h"
#include "common/human.h"
#include "common/mem.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

enum { OLD_WRITER_MS = 60000 };

static void print_changelog(const json_t *changelog)
{
    double rows = status_real(changelog, "rows"), most = status_real(changelog, "max_rows");
    const json_t *table;
    size_t i;

    printf("changelog: %s, rows: %s, %.0f %% of max_lag; in its tables:",
           human_bytes(standing_integer(changelog, "bytes")).text, human_count((long long)rows).text,
           most > 0 ? rows / most * 100 : 0);
    json_array_foreach (json_object_get(changelog, "tables"), i, table)
        printf(" %s%s", human_count(standing_integer(table, "rows")).text,
               json_is_true(json_object_get(table, "current")) ? " (written now)" : "");
    putchar('\n');
}

static void print_postgres(const json_t *postgres)
{
    const json_t *writer = json_object_get(postgres, "oldest_writer");

    printf("PostgreSQL %s at %s, database %s, %s, up %s; notifications fill %.0f %% of their queue\n",
           standing_text(postgres, "version"), standing_text(postgres, "address"),
           standing_text(postgres, "database"),
           json_is_true(json_object_get(postgres, "in_recovery")) ? "a standby"
                                                                  : standing_text(postgres, "identity"),
           human_ms(status_ms(postgres, "up_seconds")).text,
           status_real(postgres, "notify_queue_usage") * 100);
    if (status_ms(writer, "seconds") >= OLD_WRITER_MS)
        printf("  a transaction holds the changelog since %s: %s%s, pid %lld, %s\n",
               human_ms(status_ms(writer, "seconds")).text, status_text(writer, "application", ""),
               status_text(writer, "gid", ""), standing_integer(writer, "pid"),
               status_text(writer, "state", "?"));
}

static void print_replicas(const json_t *replicas)
{
    const json_t *replica;
    size_t i;

    json_array_foreach (replicas, i, replica)
        printf("  replica %s: %s, %s behind\n", standing_text(replica, "address"),
               standing_text(replica, "state"), human_bytes(standing_integer(replica, "behind_bytes")).text);
}

static void print_primary(const json_t *primary)
{
    const json_t *persistence = json_object_get(primary, "persistence");
    long long most = standing_integer(primary, "max_memory");

    printf("Redis %s at %s, %s, up %s; memory %s of %s, %s; %s\n", status_text(primary, "version", "?"),
           standing_text(primary, "address"), status_text(primary, "role", "?"),
           human_ms(status_ms(primary, "up_seconds")).text,
           human_bytes(standing_integer(primary, "used_memory")).text,
           most ? human_bytes(most).text : "no limit", status_text(primary, "policy", "?"),
           json_is_true(json_object_get(persistence, "aof")) ? "append-only file" : "snapshots only");
    print_replicas(json_object_get(primary, "replicas"));
}

static void print_redis(const json_t *redis)
{
    const json_t *primary;
    size_t i;

    json_array_foreach (json_object_get(redis, "primaries"), i, primary)
        print_primary(primary);
    if (standing_text(redis, "dataset"))
        printf("  holds the data of fleet %s: dataset %s, epoch %lld\n", standing_text(redis, "fleet"),
               standing_text(redis, "dataset"), standing_integer(redis, "epoch"));
    else
        printf("  has no record of fleet %s: a worker that begins fills it anew\n",
               standing_text(redis, "fleet"));
}

static char *count(const json_t *object, const char *name)
{
    return mem_strdup(human_count(standing_integer(object, name)).text);
}

static void print_queues(const json_t *queues)
{
    static const struct table_column columns[] = {{"QUEUE", false}, {"WAITING", true},   {"OLDEST", true},
                                                  {"LATER", true},  {"IN FLIGHT", true}, {"DELAYED", true},
                                                  {"DEAD", true},   {"CONSUMERS", true}, {"", false}};
    struct table *table;
    const json_t *queue;
    size_t i;

    if (json_array_size(queues) == 0)
        return;
    table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach (queues, i, queue) {
        const json_t *oldest = json_object_get(queue, "oldest_waiting_ms");

        table_cell(table, text_escaped(standing_text(queue, "queue"), strlen(standing_text(queue, "queue"))));
        table_cell(table, count(queue, "waiting"));
        table_cell(table,
                   mem_strdup(json_is_integer(oldest) ? human_ms(json_integer_value(oldest)).text : "-"));
        table_cell(table, count(queue, "later"));
        table_cell(table, count(queue, "in_flight"));
        table_cell(table, count(queue, "delayed"));
        table_cell(table, count(queue, "dead"));
        table_cell(table, count(queue, "consumers"));
        table_cell(table, mem_strdup(json_is_true(json_object_get(queue, "paused")) ? "paused" : ""));
    }
    table_print(table, EX_DONE);
}

void status_print_servers(const json_t *status)
{
    if (json_object_get(status, "changelog"))
        print_changelog(json_object_get(status, "changelog"));
    if (json_object_get(status, "postgres"))
        print_postgres(json_object_get(status, "postgres"));
    if (json_object_get(status, "redis"))
        print_redis(json_object_get(status, "redis"));
    print_queues(json_object_get(status, "queues"));
}
