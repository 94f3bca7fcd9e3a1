/* The configuration file: projections, watches, queues, and where PostgreSQL and Redis are. Pure: looks at
 * the file only; whether tables and columns exist is for plan.h.
 *
 * All mistakes of a file are found in one reading, each with its JSON path. Owned by the caller; everything
 * in it lives until config_free.
 */
#ifndef PGUSHER_CONFIG_H
#define PGUSHER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/config_http.h"
#include "cdc/template.h"
#include "common/problems.h"
#include "common/redis_url.h"
#include "queue/queue_config.h"

enum { MAX_ID_COLUMNS = 8, MAX_KEY_COLUMNS = 16 };

/* A changed row of `table` concerns the documents whose id stands in `columns`, or which `lookup` finds for
 * them. */
struct watch {
    char *table;
    char **columns;
    size_t ncolumns;
    char *lookup; /* NULL: the columns are the id; otherwise SQL, one array parameter per column */
};

struct projection {
    char *name;
    char *source;
    char **id;
    size_t nid;
    char *key_text;
    /* over exactly the id columns, and with many_rows at least one more; NULL when key_text is wrong */
    struct key_template *key;
    bool many_rows;  /* an id may yield several rows, a document each */
    char *expire_at; /* column; NULL: never */
    int64_t expire_grace_ms;
    char **queues;
    size_t nqueues;
    struct watch *watches;
    size_t nwatches;
};

struct config {
    char *file;
    char *fleet;
    char *postgres;          /* conninfo or URI */
    char *postgres_password; /* from password_file; NULL: as libpq finds it */
    struct redis_url redis;
    struct config_http http;
    char *redis_text;     /* the same as it is written, maybe with a password: never to be shown */
    int partitions;       /* of the changelog, chosen by the first install; 0: not said */
    int64_t look_back_ms; /* how long a fleet may rewind; 0: not said, as the other limits below */
    int64_t max_lag_rows; /* who is further behind is cut loose from the changelog */
    int64_t max_lag_age_ms;
    int64_t sweep_ms;  /* how often documents whose date passed are told to the queues */
    int wait_replicas; /* of Redis, that must have a write before a cursor moves over it; 0: none */
    int64_t wait_timeout_ms;
    int64_t canary_ms;       /* how often a canary is sent; 0: never */
    int64_t verify_every_ms; /* workers compare Redis with PostgreSQL so often; 0: they do not */
    int64_t verify_sample;   /* documents of each projection; 0: all */
    struct projection *projections;
    size_t nprojections;
    struct queue_config *queues;
    size_t nqueues;
};

/* Reads the file. NULL when it has errors; the problems say which. `fleet` overrides the file's (NULL: do
 * not). */
struct config *config_load(const char *file, const char *fleet, struct problems *problems);
void config_free(struct config *config); /* NULL-safe */

/* Which of the id columns this is; -1: none. */
int config_id_index(const struct projection *projection, const char *column);
const struct projection *config_projection(const struct config *config, const char *name); /* NULL: none */

#endif
