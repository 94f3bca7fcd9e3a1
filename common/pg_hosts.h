/* The servers that a conninfo names, each by itself, and how libpq is asked for one of them.
 *
 * Hosts may come from the conninfo, a service file or the environment; libpq itself is asked what it makes of
 * them. */
#ifndef PGUSHER_PG_HOSTS_H
#define PGUSHER_PG_HOSTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/pg.h"

struct pg_host {
    char *name;    /* NULL: as libpq finds it */
    char *address; /* numeric; NULL until resolved, and for unix sockets */
    char *port;
};

struct pg_hosts {
    size_t count; /* at least 1 */
    struct pg_host *list;
    bool any;            /* the conninfo takes any server, be it a standby */
    int64_t deadline_ms; /* for one of them to be up */
};

void pg_hosts_init(struct pg_hosts *hosts, const struct pg_target *target);
void pg_hosts_free(struct pg_hosts *hosts);

/* Copies; name, address and port may be NULL. */
void pg_host_init(struct pg_host *host, const char *name, const char *address, const char *port);
void pg_host_free(struct pg_host *host);
/* Its name must be resolved first. */
bool pg_host_needs_address(const struct pg_host *host);

/* Texts of one's own; pg_target_free frees them. */
struct pg_target pg_target_copy(const struct pg_target *target);
void pg_target_free(struct pg_target *target);

/* Begins to connect to this one host. Never NULL. */
PGconn *pg_host_connect(const struct pg_host *host, const struct pg_hosts *hosts,
                        const struct pg_target *target);

#endif
