/* What the configuration file says about queues, and where Redis is: the part that pgusherd, pgusher and
 * pgusher-queue share. Pure: looks at the file only.
 *
 * Mistakes are added to the node's problems, each with its path; reading goes on. Durations are in ms.
 */
#ifndef PGUSHER_QUEUE_CONFIG_H
#define PGUSHER_QUEUE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/jconf.h"
#include "common/problems.h"
#include "common/redis_url.h"
#include "queue/settings.h"

struct queue_config {
    char *name;
    struct queue_settings settings; /* what the file says: told to the queue, for all who use it */
    int64_t lease_ms;               /* 0: the library's */
};

/* Reads the root's "queues" behind the `*count` that *list holds. The caller frees with queue_config_free. */
void queue_config_read(const struct jnode *root, struct queue_config **list, size_t *count);
/* A queue with default settings, unless it is there. */
void queue_config_add(struct queue_config **list, size_t *count, const char *name);
const struct queue_config *queue_config_find(const struct queue_config *list, size_t count, const char *name);
/* A cluster keeps all keys of a queue together only if its name holds a hash tag. Other URLs pass. */
void queue_config_check_names(const struct queue_config *list, size_t count, const struct redis_url *url,
                              struct problems *problems);
void queue_config_free(struct queue_config *list, size_t count);

/* The first line of a file that holds a secret, maybe one of ${CREDENTIALS_DIRECTORY}; NULL with err set. The
 * caller frees. */
char *queue_config_secret(const char *file, struct err *err);

/* "postgres" and "redis" are a string, or an object of the string and a password_file. Returns the string and
 * the file's password (NULL: none); the caller frees both. */
char *queue_config_server(const struct jnode *root, const char *name, const char *member,
                          char **ret_password);
/* "redis": the address as it is written (NULL: missing), and all that is known in ret_url, which is left
 * alone if the address is wrong. The caller frees both. */
char *queue_config_redis(const struct jnode *root, struct redis_url *ret_url);

/* All that pgusher-queue reads of a file; the rest is the business of other programs. */
struct queue_host {
    char *redis; /* address; NULL: not read */
    struct redis_url url;
    struct queue_config *queues; /* those of "queues", then those that only projections name */
    size_t nqueues;
};

/* 0; -1 when the file has errors: the problems say which. The caller frees with queue_host_free in either
 * case. */
int queue_host_load(const char *file, bool with_redis, struct queue_host *ret_host,
                    struct problems *problems);
void queue_host_free(struct queue_host *host);

/* $PGUSHER_CONFIG or /etc/pgusher/pgusher.json. */
const char *config_default_file(void);

#endif
