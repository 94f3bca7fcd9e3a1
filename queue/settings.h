/* The settings that all who use a queue share: they stand in its meta hash, where the scripts read them. */
#ifndef PGUSHER_QUEUE_SETTINGS_H
#define PGUSHER_QUEUE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/* 0: as it is in the queue. */
struct queue_settings {
    int max_failures;
    int max_crashes;
    int64_t plain_timeout_ms;
    int coalesce; /* 1 yes, -1 no */
};

/* Adds the command that writes them, in the wire format. false: there is nothing to write. */
bool queue_settings_put(const struct queue_settings *settings, const char *meta_key, struct buf *command);

#endif
