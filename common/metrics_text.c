#include "common/metrics_text.h"

#include <math.h>
#include <stdio.h>

static const int64_t bounds_us[HISTOGRAM_BOUNDS] = {500,     1000,    2500,    5000,     10000,
                                                    25000,   50000,   100000,  250000,   500000,
                                                    1000000, 2500000, 5000000, 10000000, 30000000};

void histogram_add(struct histogram *histogram, int64_t us)
{
    size_t i = 0;

    while (i < HISTOGRAM_BOUNDS && us > bounds_us[i])
        i++;
    histogram->counts[i]++;
    histogram->sum_us += us;
}

int64_t histogram_count(const struct histogram *histogram)
{
    int64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += histogram->counts[i];
    return count;
}

double histogram_percentile(const struct histogram *histogram, int percent)
{
    int64_t count = histogram_count(histogram), below = 0;

    if (count == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += histogram->counts[i];
        if (below * 100 >= count * percent)
            return (double)bounds_us[i] / 1e6;
    }
    return (double)bounds_us[HISTOGRAM_BOUNDS - 1] / 1e6;
}

/* ---- text ---- */

void metric_head(struct buf *buf, const char *name, const char *type, const char *help)
{
    buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_escaped(struct buf *buf, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_puts(buf, "\\n");
        else if (*text == '"' || *text == '\\')
            buf_printf(buf, "\\%c", *text);
        else
            buf_putc(buf, *text);
    }
}

/* Without the closing brace; whether there is an opening one. */
static int put_labels(struct buf *buf, const char *const *labels)
{
    int count = 0;

    for (; *labels; labels += 2) {
        buf_printf(buf, "%s%s=\"", count++ ? "," : "{", labels[0]);
        put_escaped(buf, labels[1]);
        buf_putc(buf, '"');
    }
    return count;
}

static void put_number(struct buf *buf, double value)
{
    if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(buf, " %.0f\n", value);
    else
        buf_printf(buf, " %.15g\n", value);
}

void metric_put(struct buf *buf, const char *name, const char *const *labels, double value)
{
    buf_puts(buf, name);
    if (put_labels(buf, labels))
        buf_putc(buf, '}');
    put_number(buf, value);
}

static void put_part(struct buf *buf, const char *name, const char *part, const char *const *labels,
                     double value)
{
    buf_printf(buf, "%s_%s", name, part);
    if (put_labels(buf, labels))
        buf_putc(buf, '}');
    put_number(buf, value);
}

void metric_put_histogram(struct buf *buf, const char *name, const char *const *labels,
                          const struct histogram *histogram)
{
    int64_t below = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        below += histogram->counts[i];
        buf_printf(buf, "%s_bucket", name);
        buf_puts(buf, put_labels(buf, labels) ? "," : "{");
        if (i < HISTOGRAM_BOUNDS)
            buf_printf(buf, "le=\"%g\"}", (double)bounds_us[i] / 1e6);
        else
            buf_puts(buf, "le=\"+Inf\"}");
        put_number(buf, (double)below);
    }
    put_part(buf, name, "sum", labels, (double)histogram->sum_us / 1e6);
    put_part(buf, name, "count", labels, (double)below);
}

void metric_one(struct buf *buf, const char *name, const char *type, const char *help, double value)
{
    metric_head(buf, name, type, help);
    metric_put(buf, name, METRIC_NO_LABELS, value);
}
