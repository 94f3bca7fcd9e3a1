/* What an error reply of Redis means for the caller, by its first word.
 *
 *   ST_AGAIN   LOADING, BUSY, OOM, TRYAGAIN, CLUSTERDOWN, NOREPLICAS
 *   ST_LOST    READONLY, MOVED, ASK, MASTERDOWN: this is not (any more) the primary
 *   ST_CONFIG  NOAUTH, WRONGPASS, NOPERM, MISCONF, unknown command
 *   ST_REFUSED anything else, WRONGTYPE first: this document or item only
 */
#ifndef PGUSHER_REDIS_ERROR_H
#define PGUSHER_REDIS_ERROR_H

#include <stdbool.h>

#include "common/status.h"

enum status redis_error_classify(const char *text);
/* READONLY, MASTERDOWN, LOADING, CLUSTERDOWN: it is the same for all commands to this server. */
bool redis_error_is_of_server(const char *text);
/* MOVED, ASK: the key is elsewhere in the cluster. */
bool redis_error_redirects(const char *text);

#endif
