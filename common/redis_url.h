/* Where a Redis is: redis://[user:pass@]host[:port][/db] or unix://path[?db=n].
 *
 * User and password are percent-decoded. Pure; nothing is resolved or opened.
 */
#ifndef PGUSHER_REDIS_URL_H
#define PGUSHER_REDIS_URL_H

#include "common/status.h"

struct redis_url {
    char *path; /* unix socket; NULL for TCP */
    char *host;
    int port;
    int db;
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none */
};

/* 0, or -1 with err (ST_CONFIG) set. The caller frees with redis_url_free. */
int redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err);
void redis_url_free(struct redis_url *url);
/* What `to` held before is freed; zero-initialise it. */
void redis_url_copy(struct redis_url *to, const struct redis_url *from);
void redis_url_set_password(struct redis_url *url, const char *password); /* NULL: stays as it is */
/* The address without credentials, for messages; the caller frees. */
char *redis_url_show(const struct redis_url *url);

#endif
