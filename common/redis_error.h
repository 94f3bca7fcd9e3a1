/* What an error reply of Redis means for the caller, by its first word.
 *
 *   ST_AGAIN   LOADING, BUSY, OOM, TRYAGAIN, CLUSTERDOWN, NOREPLICAS
 *   ST_LOST    READONLY, MOVED, ASK, MASTERDOWN: this is not (any more) the primary
 *   ST_CONFIG  NOAUTH, WRONGPASS, NOPERM, MISCONF, unknown command
 *   ST_REFUSED anything else, WRONGTYPE first: this document or item only
 */
#ifndef PGUSHER_REDIS_ERROR_H
#define PGUSHER_REDIS_ERROR_H

#include "common/status.h"

enum status redis_error_classify(const char *text);

#endif
