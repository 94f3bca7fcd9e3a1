/* What a worker tells Prometheus: of this process always, from its own memory (see metrics.h). Names and
 * units follow Prometheus' conventions; a figure that is not known is absent, never 0. */
#ifndef PGUSHER_WORKER_METRICS_H
#define PGUSHER_WORKER_METRICS_H

#include "common/buf.h"

struct worker;

void worker_metrics(struct worker *worker, struct buf *text);

#endif
