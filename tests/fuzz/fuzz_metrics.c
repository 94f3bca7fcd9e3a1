/* common/metrics_text.h: whatever a label holds, Prometheus reads it as that: its text format, read here by
 * its rules. Lines: label values; then numbers. */
#include "common/metrics_text.h"

#include <math.h>

#include "fuzz.h"

enum { MAX_LABELS = 3 };

/* A quoted label value. */
static void check_value(const char **text, const char *wanted)
{
    must(*(*text)++ == '"', "%s", *text);
    for (; **text != '"'; (*text)++, wanted++) {
        char c = **text;

        must(c && c != '\n', "a value does not end: %s", *text);
        if (c == '\\') {
            ++*text;
            must(**text && strchr("n\"\\", **text), "no escape: %s", *text);
            c = **text == 'n' ? '\n' : **text;
        }
        must(c == *wanted, "another value: %s", *text);
    }
    ++*text;
    must(!*wanted, "a value that ends early: %s", *text);
}

static void must_follow(const char **text, const char *word)
{
    must(strncmp(*text, word, strlen(word)) == 0, "\"%s\", not \"%s\"", *text, word);
    *text += strlen(word);
}

static double check_number(const char **text)
{
    char *end;
    double number = strtod(*text, &end);

    must(end > *text && *end == '\n', "no number: %s", *text);
    *text = end + 1;
    return number;
}

static void check_labels(const char **text, const char *const *labels, const char *behind)
{
    for (size_t i = 0; labels[2 * i]; i++) {
        must_follow(text, i ? "," : "{");
        must_follow(text, labels[2 * i]);
        must_follow(text, "=");
        check_value(text, labels[2 * i + 1]);
    }
    must_follow(text, behind);
}

static void check_histogram(const char *const *labels, const struct histogram *histogram)
{
    struct buf buf = BUF_NONE;
    const char *text;
    double before = 0, bound_before = -1;

    metric_put_histogram(&buf, "h", labels, histogram);
    text = buf.data;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        double bound, count;
        char *end;

        must_follow(&text, "h_bucket");
        check_labels(&text, labels, labels[0] ? ",le=\"" : "{le=\"");
        bound = strtod(text, &end);
        text = end;
        must(bound > bound_before && (i < HISTOGRAM_BOUNDS) == (bool)isfinite(bound), "bound %g", bound);
        must_follow(&text, "\"} ");
        count = check_number(&text);
        must(count >= before, "fewer below %g", bound);
        before = count;
        bound_before = bound;
    }
    must_follow(&text, "h_sum");
    check_labels(&text, labels, labels[0] ? "} " : " ");
    check_number(&text);
    must_follow(&text, "h_count");
    check_labels(&text, labels, labels[0] ? "} " : " ");
    must(check_number(&text) == before && !*text, "another count");
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t count = input_byte(&input) % (MAX_LABELS + 1);
    char *values[MAX_LABELS];
    const char *labels[2 * MAX_LABELS + 1] = {NULL}, *text;
    struct histogram histogram = {{0}, 0};
    struct buf buf = BUF_NONE;
    double value, back;

    for (size_t i = 0; i < count; i++) {
        labels[2 * i] = (const char *const[]){"queue", "state", "z_9"}[i];
        labels[2 * i + 1] = values[i] = input_line(&input);
    }
    memcpy(&value, input.left >= 8 ? input.at : (const uint8_t *)"12345678", sizeof(value));
    metric_put(&buf, "m", labels, value);
    text = buf.data;
    must_follow(&text, "m");
    check_labels(&text, labels, count ? "} " : " ");
    back = check_number(&text);
    must(isnan(value)   ? isnan(back)
         : isinf(value) ? back == value
                        : fabs(back - value) <= fabs(value) * 1e-14,
         "%.17g as %.17g", value, back);
    must(!*text, "more: %s", text);
    while (input.left >= 4) {
        uint32_t us;

        memcpy(&us, input.at, sizeof(us));
        input.at += sizeof(us);
        input.left -= sizeof(us);
        histogram_add(&histogram, us);
    }
    check_histogram(labels, &histogram);
    must(histogram_percentile(&histogram, 50) <= histogram_percentile(&histogram, 99),
         "half is above nearly all");
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    buf_free(&buf);
    return 0;
}
