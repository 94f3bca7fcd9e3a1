/* TLS under a hiredis connection, where the program was built with a hiredis that can: 1.0 or later with its
 * part for TLS (Makefile).
 *
 * The server's certificate must be signed by `cacert` (or by one the system trusts) and hold the name or the
 * address that was connected to, or `sni`.
 */
#ifndef PGUSHER_REDIS_TLS_H
#define PGUSHER_REDIS_TLS_H

#include "common/redis_url.h"
#include "common/status.h"

struct redisContext;

/* 0, or -1 with err (ST_CONFIG) when this program has no TLS. */
int redis_tls_check(struct err *err);
/* Wraps a connection that has been opened or is being opened to url's first address. 0, or -1 with err set:
 * ST_CONFIG for a bad file, ST_AGAIN for a handshake that failed. */
int redis_tls_wrap(struct redisContext *context, const struct redis_url *url, struct err *err);
/* Why a connection failed: what TLS says, which hiredis does not tell, or else what hiredis says. */
const char *redis_tls_why(const struct redisContext *context);
/* Before hiredis reads or writes: OpenSSL keeps one list of errors per thread, and takes what another
 * connection left there for an error of this one. */
void redis_tls_forget(void);

#endif
