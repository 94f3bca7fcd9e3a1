/* common/metrics_text.h: what Prometheus reads. */
#include "unit.h"

#include "common/metrics_text.h"

static struct buf text;

static void assert_text(const char *wanted)
{
    ck_assert_str_eq(text.data, wanted);
    buf_free(&text);
}

START_TEST(head_and_values)
{
    metric_head(&text, "a_total", "counter", "How often.");
    metric_put(&text, "a_total", METRIC_NO_LABELS, 3);
    metric_put(&text, "a_total", METRIC_LABELS("x", "1", "y", "2"), 1e14);
    metric_one(&text, "b_seconds", "gauge", "How long.", 0.0125);
    assert_text("# HELP a_total How often.\n# TYPE a_total counter\na_total 3\na_total{x=\"1\",y=\"2\"} "
                "100000000000000\n"
                "# HELP b_seconds How long.\n# TYPE b_seconds gauge\nb_seconds 0.0125\n");
}
END_TEST

START_TEST(labels_are_escaped)
{
    metric_put(&text, "a", METRIC_LABELS("x", "a \"q\" \\ and\na line, Größe"), -1);
    assert_text("a{x=\"a \\\"q\\\" \\\\ and\\na line, Größe\"} -1\n");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
    struct histogram histogram = {{0}, 0};

    histogram_add(&histogram, 0);
    histogram_add(&histogram, 500);
    histogram_add(&histogram, 501);
    histogram_add(&histogram, 2000000);
    histogram_add(&histogram, 31000000);
    ck_assert_int_eq(histogram_count(&histogram), 5);
    metric_put_histogram(&text, "a", METRIC_LABELS("x", "1"), &histogram);
    ck_assert_ptr_nonnull(
        strstr(text.data, "a_bucket{x=\"1\",le=\"0.0005\"} 2\na_bucket{x=\"1\",le=\"0.001\"} 3\n"));
    ck_assert_ptr_nonnull(
        strstr(text.data, "a_bucket{x=\"1\",le=\"1\"} 3\na_bucket{x=\"1\",le=\"2.5\"} 4\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "le=\"30\"} 4\na_bucket{x=\"1\",le=\"+Inf\"} 5\n"
                                            "a_sum{x=\"1\"} 33.001001\na_count{x=\"1\"} 5\n"));
    buf_free(&text);
}
END_TEST

START_TEST(percentiles_are_bounds)
{
    struct histogram histogram = {{0}, 0};

    ck_assert(histogram_percentile(&histogram, 99) == 0);
    for (int i = 0; i < 98; i++)
        histogram_add(&histogram, 700);
    histogram_add(&histogram, 40000);
    histogram_add(&histogram, 99000000);
    ck_assert(histogram_percentile(&histogram, 50) == 0.001);
    ck_assert(histogram_percentile(&histogram, 99) == 0.05);
    ck_assert(histogram_percentile(&histogram, 100) == 30);
}
END_TEST

UNIT_MAIN("metrics_text", UNIT(head_and_values), UNIT(labels_are_escaped), UNIT(histograms_are_cumulative),
          UNIT(percentiles_are_bounds))
