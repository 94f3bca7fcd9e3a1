/* What a worker tells Prometheus: of this process always, from its own memory (see metrics.h); of the fleet
 * what a look has seen (see worker_look.h). Names and
 * units follow Prometheus' conventions; a figure that is not known is absent, never 0. */
#ifndef PGUSHER_WORKER_METRICS_H
#define PGUSHER_WORKER_METRICS_H

#include <jansson.h>
#include <stdint.h>

#include "common/buf.h"

struct worker;

void worker_metrics(struct worker *worker, struct buf *text);
/* status: as look_status has it. */
void worker_metrics_fleet(const json_t *status, int64_t age_ms, struct buf *text);

#endif
