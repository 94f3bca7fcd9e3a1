/* Where a Redis is:
 *
 *   redis://[user:pass@]host[:port][/db]
 *   unix://path[?db=n]
 *   redis+sentinel://[user:pass@]host[:port],…/master-name[?db=n&sentinel_user=…&sentinel_password=…]
 *   redis+cluster://[user:pass@]host[:port],…
 *
 * rediss:// (rediss+sentinel://, rediss+cluster://) is the same over TLS, with ?cacert=…&cert=…&key=…&sni=…,
 * where hiredis can (redis_tls.h). An IPv6 address stands in brackets. User, password and what follows a ?
 * are percent-decoded. Pure; nothing is resolved or opened.
 */
#ifndef PGUSHER_REDIS_URL_H
#define PGUSHER_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

enum redis_kind { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_address {
    char *host;
    int port;
};

struct redis_url {
    enum redis_kind kind;
    char *path; /* unix socket; NULL for TCP */
    /* The server; with Sentinel the sentinels, with a cluster some of its nodes. Empty for a unix socket. */
    struct redis_address *addresses;
    size_t naddresses;
    char *master; /* as the sentinels call it; NULL without */
    int db;
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none */
    char *sentinel_user;
    char *sentinel_password;
    bool tls;
    char *cacert; /* NULL: the system's */
    char *cert;   /* NULL: none */
    char *key;
    char *sni; /* the name that the certificate must hold; NULL: the host */
};

/* 0, or -1 with err (ST_CONFIG) set. The caller frees with redis_url_free. */
int redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err);
void redis_url_free(struct redis_url *url);
/* What `to` held before is freed; zero-initialise it. These four leave `to` as it is and give false when
 * memory is out (mem.h). */
bool redis_url_copy(struct redis_url *to, const struct redis_url *from);
bool redis_url_set_password(struct redis_url *url, const char *password); /* NULL: stays as it is */
/* The address without credentials, for messages; the caller frees. */
char *redis_url_show(const struct redis_url *url);

/* One server of those behind `from`, to talk to with the same credentials; or one of its sentinels, with
 * those for sentinels. What `to` held before is freed. */
bool redis_url_to_server(struct redis_url *to, const struct redis_url *from, const char *host, int port);
bool redis_url_to_sentinel(struct redis_url *to, const struct redis_url *from, size_t i);

#endif
