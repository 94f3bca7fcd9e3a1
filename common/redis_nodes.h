/* What servers say about where the data is: replies of Sentinel and of Redis Cluster, and the address in an
 * error that sends the asker elsewhere. Pure. */
#ifndef PGUSHER_REDIS_NODES_H
#define PGUSHER_REDIS_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redisReply;

/* An answer to SENTINEL GET-MASTER-ADDR-BY-NAME; the host is part of it. During a failover SENTINEL MASTER
 * still names the old primary, when its epoch is the new one already. */
bool redis_read_master(const struct redisReply *reply, const char **ret_host, int *ret_port);
/* From an answer to SENTINEL MASTER. Of two sentinels that with the higher epoch knows the newer. */
int64_t redis_read_master_epoch(const struct redisReply *reply);

/* The i-th element of an answer to CLUSTER SLOTS: who is the primary of which slots. The host is part of the
 * reply; "" means the host that was asked. */
struct redis_range {
    int first;
    int last;
    const char *host;
    int port;
};

bool redis_read_range(const struct redisReply *reply, size_t i, struct redis_range *ret_range);

/* The newest epoch that a node knows, from CLUSTER INFO; -1 while it says that the cluster is not well. */
int64_t redis_read_cluster_epoch(const char *info);

/* An answer to ROLE. */
bool redis_is_primary(const struct redisReply *reply);

/* "MOVED 3999 127.0.0.1:6381" and "ASK 3999 127.0.0.1:6381". The address is part of the text. */
struct redis_redirect {
    bool ask;
    int slot;
    const char *address;
};

bool redis_read_redirect(const char *error, struct redis_redirect *ret_redirect);
/* "host:port", also "::1:6379". The caller frees *ret_host; without a host it is a copy of `same_host`. */
bool redis_read_address(const char *text, const char *same_host, char **ret_host, int *ret_port);

#endif
