/* Figures in the text format that Prometheus reads, and histograms with fixed bounds. Pure.
 *
 * Labels are pairs of name and value, ended by NULL: METRIC_LABELS("queue", name). A
 * metric's head comes once, before all its values.
 */
#ifndef PGUSHER_METRICS_TEXT_H
#define PGUSHER_METRICS_TEXT_H

#include <stdint.h>

#include "common/buf.h"

#define METRIC_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define METRIC_NO_LABELS ((const char *const[]){NULL})

/* Of durations in microseconds; counting one costs a few comparisons. */
enum { HISTOGRAM_BOUNDS = 15 };
struct histogram {
    int64_t counts[HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last one is above all bounds */
    int64_t sum_us;
};

void histogram_add(struct histogram *histogram, int64_t us);
/* An upper bound for so many of a hundred, in seconds, as far as the bounds tell; 0: there are none, and
 * what is above all bounds counts as the last one. */
double histogram_percentile(const struct histogram *histogram, int percent);
int64_t histogram_count(const struct histogram *histogram);

/* type: "counter", "gauge" or "histogram". */
void metric_head(struct buf *buf, const char *name, const char *type, const char *help);
void metric_put(struct buf *buf, const char *name, const char *const *labels, double value);
void metric_put_histogram(struct buf *buf, const char *name, const char *const *labels,
                          const struct histogram *histogram);
/* Head and only value of one without labels. */
void metric_one(struct buf *buf, const char *name, const char *type, const char *help, double value);

#endif
