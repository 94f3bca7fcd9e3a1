/* cdc/config.h */
#include "unit_config.h"

#define SECOND INT64_C(1000)
#define DAY (86400 * SECOND)

/* As load_changed, where the change must be fine. The caller frees. */
static struct config *load_good(const char *path, const char *value)
{
    struct config *config = load_changed(path, value);

    unit_assert_no_problem(&problems);
    ck_assert_ptr_nonnull(config);
    return config;
}

/* ---- what is read ---- */

START_TEST(example_servers)
{
    struct config *config = load(example, NULL);

    unit_assert_no_problem(&problems);
    ck_assert_str_eq(config->fleet, "default");
    ck_assert_str_eq(config->postgres,
                     "host=/run/postgresql dbname=box_office target_session_attrs=read-write");
    ck_assert_ptr_null(config->postgres_password);
    ck_assert_str_eq(config->redis.path, "/run/redis/redis.sock");
    ck_assert_ptr_null(config->redis.password);
    ck_assert_str_eq(config->http.text, "127.0.0.1:9187");
    config_free(config);
    config_free(NULL);
}
END_TEST

START_TEST(example_projections)
{
    struct config *config = load(example, NULL);
    const struct projection *event = config_projection(config, "event"),
                            *ticket = config_projection(config, "ticket");

    ck_assert_uint_eq(config->nprojections, 2);
    ck_assert_ptr_null(config_projection(config, "venue"));
    ck_assert_str_eq(event->name, "event");
    ck_assert_str_eq(event->source, "event_card");
    ck_assert_uint_eq(event->nid, 1);
    ck_assert_str_eq(event->id[0], "id");
    ck_assert_str_eq(event->key_text, "event:{id}");
    ck_assert_uint_eq(template_columns(event->key), 1);
    ck_assert_str_eq(event->expire_at, "starts_at");
    ck_assert_int_eq(event->expire_grace_ms, 10 * DAY);
    ck_assert_uint_eq(event->nqueues, 1);
    ck_assert_str_eq(event->queues[0], "{search}");
    ck_assert_int_eq(ticket->expire_grace_ms, 0);
    ck_assert_uint_eq(ticket->nqueues, 0);
    config_free(config);
}
END_TEST

START_TEST(many_rows)
{
    struct config *config =
        load_changed("projections.event",
                     "{\"source\": \"card\", \"id\": [\"a\", \"b\"], \"key\": \"card:{b}:{locale}:{a}\","
                     " \"rows\": \"many\", \"watch\": {\"event\": [\"a\", \"b\"]}}");
    const struct projection *card = config_projection(config, "event");

    ck_assert(card->many_rows);
    ck_assert_uint_eq(template_columns(card->key), 3);
    ck_assert_int_eq(config_id_index(card, "b"), 1);
    ck_assert_int_eq(config_id_index(card, "locale"), -1);
    ck_assert(!config_projection(config, "ticket")->many_rows);
    config_free(config);
}
END_TEST

static const struct watch *watch_of(const struct projection *projection, const char *table)
{
    for (size_t i = 0; i < projection->nwatches; i++)
        if (strcmp(projection->watches[i].table, table) == 0)
            return &projection->watches[i];
    ck_abort_msg("no watch of %s", table);
    return NULL;
}

START_TEST(example_watches)
{
    struct config *config = load(example, NULL);
    const struct projection *event = config_projection(config, "event");
    const struct watch *direct = watch_of(event, "ticket"), *lookup = watch_of(event, "venue");

    ck_assert_uint_eq(event->nwatches, 3);
    ck_assert_uint_eq(direct->ncolumns, 1);
    ck_assert_str_eq(direct->columns[0], "event_id");
    ck_assert_ptr_null(direct->lookup);
    ck_assert_uint_eq(lookup->ncolumns, 1);
    ck_assert_str_eq(lookup->columns[0], "id");
    ck_assert_str_eq(lookup->lookup, "SELECT id FROM event WHERE venue_id = ANY($1)");
    config_free(config);
}
END_TEST

static void assert_queue(const struct config *config, const char *name, int failures, int crashes,
                         int64_t lease_ms, int coalesce)
{
    const struct queue_config *queue = queue_config_find(config->queues, config->nqueues, name);

    ck_assert_ptr_nonnull(queue);
    ck_assert_str_eq(queue->name, name);
    ck_assert_int_eq(queue->settings.max_failures, failures);
    ck_assert_int_eq(queue->settings.max_crashes, crashes);
    ck_assert_int_eq(queue->lease_ms, lease_ms);
    ck_assert_int_eq(queue->settings.coalesce, coalesce);
}

START_TEST(limits_that_are_not_said)
{
    struct config *config = load(example, NULL);

    ck_assert_int_eq(config->partitions, 0);
    ck_assert_int_eq(config->look_back_ms, 0);
    ck_assert_int_eq(config->max_lag_rows, 0);
    ck_assert_int_eq(config->max_lag_age_ms, 0);
    ck_assert_int_eq(config->wait_replicas, 0);
    ck_assert_int_eq(config->canary_ms, 30 * SECOND);
    config_free(config);
}
END_TEST

START_TEST(the_canary)
{
    static const struct {
        const char *text;
        int64_t ms;
    } said[] = {{"\"1 s\"", SECOND}, {"\"5 min\"", 300 * SECOND}, {"\"off\"", 0}, {"\"0\"", 0}};

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct config *config = load_good("canary", said[i].text);

        ck_assert_int_eq(config->canary_ms, said[i].ms);
        config_free(config);
    }
}
END_TEST

START_TEST(limits_of_the_changelog)
{
    struct config *config = load_good("partitions", "256");

    ck_assert_int_eq(config->partitions, 256);
    config_free(config);
    config = load_good("look_back", "\"90 s\"");
    ck_assert_int_eq(config->look_back_ms, 90 * SECOND);
    config_free(config);
    config = load_good("max_lag", "{\"rows\": 5000000000, \"age\": \"366 days\"}");
    ck_assert_int_eq(config->max_lag_rows, INT64_C(5000000000));
    ck_assert_int_eq(config->max_lag_age_ms, 366 * DAY);
    config_free(config);
    config = load_good("max_lag", "{\"age\": \"1 s\"}");
    ck_assert_int_eq(config->max_lag_rows, 0);
    ck_assert_int_eq(config->max_lag_age_ms, SECOND);
    config_free(config);
}
END_TEST

START_TEST(sweep)
{
    struct config *config = load_good("sweep", "\"100 ms\"");

    ck_assert_int_eq(config->sweep_ms, 100);
    config_free(config);
    config = load_good("partitions", "3");
    ck_assert_int_eq(config->sweep_ms, 10 * SECOND);
    config_free(config);
}
END_TEST

START_TEST(replicas_to_wait_for)
{
    struct config *config = load_good("redis_wait", "{}");

    ck_assert_int_eq(config->wait_replicas, 1);
    ck_assert_int_eq(config->wait_timeout_ms, 200);
    config_free(config);
    config = load_good("redis_wait", "{\"replicas\": 2, \"timeout\": \"1 s\"}");
    ck_assert_int_eq(config->wait_replicas, 2);
    ck_assert_int_eq(config->wait_timeout_ms, SECOND);
    config_free(config);
}
END_TEST

START_TEST(how_often_to_verify)
{
    struct config *config = load_good("verify", "{\"every\": \"30 s\", \"sample\": 1000}");

    ck_assert_int_eq(config->verify_every_ms, 30 * SECOND);
    ck_assert_int_eq(config->verify_sample, 1000);
    config_free(config);
    config = load_good("verify", "{\"every\": \"1 h\"}");
    ck_assert_int_eq(config->verify_sample, 0);
    config_free(config);
    config = load_good("redis_wait", "{}");
    ck_assert_int_eq(config->verify_every_ms, 0);
    config_free(config);
}
END_TEST

/* What the file does not say stays as it is in the queue. */
START_TEST(queues_say_only_what_is_written)
{
    struct config *config =
        load_good("queues", "{\"{a}\": {}, \"{b}\": {\"max_failures\": 1, \"max_crashes\": 2, "
                            "\"lease\": \"1 min\", \"coalesce\": false}}");

    assert_queue(config, "{a}", 0, 0, 0, 0);
    assert_queue(config, "{b}", 1, 2, 60 * SECOND, -1);
    assert_queue(config, "{search}", 0, 0, 0, 0); /* only a projection names it */
    ck_assert_uint_eq(config->nqueues, 3);
    ck_assert_ptr_null(queue_config_find(config->queues, config->nqueues, "{c}"));
    config_free(config);
}
END_TEST

START_TEST(queues_that_only_a_projection_names)
{
    struct config *config = load_good("projections.ticket.queues", "[\"{x}\", \"{search}\", \"{y}\"]");

    assert_queue(config, "{x}", 0, 0, 0, 0);
    assert_queue(config, "{y}", 0, 0, 0, 0);
    ck_assert_uint_eq(config->nqueues, 3);
    config_free(config);
}
END_TEST

START_TEST(a_watch_may_be_an_object_without_lookup)
{
    struct config *config = load_good("projections.event.watch.ticket", "{\"column\": \"event_id\"}");
    const struct watch *watch = watch_of(config_projection(config, "event"), "ticket");

    ck_assert_str_eq(watch->columns[0], "event_id");
    ck_assert_ptr_null(watch->lookup);
    config_free(config);
}
END_TEST

START_TEST(limits_may_be_reached)
{
    static const char *const fleet = "\"123456789012345678901234567890123456789012345678\"";
    static const char *const eight = "[\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"]";
    char *projections =
        mem_printf("{\"a\": {\"source\": \"a\", \"id\": %s,"
                   " \"key\": \"a:{1}:{2}:{3}:{4}:{5}:{6}:{7}:{8}\", \"watch\": {\"a\": %s}}}",
                   eight, eight);
    struct config *config = load_good("projections", projections);

    ck_assert_uint_eq(config->projections[0].nid, MAX_ID_COLUMNS);
    ck_assert_uint_eq(config->projections[0].watches[0].ncolumns, MAX_ID_COLUMNS);
    config_free(config);
    config_free(load_good("fleet", fleet));
    free(projections);
}
END_TEST

START_TEST(optional_settings_have_defaults)
{
    static const char *const optional[] = {"fleet",
                                           "http",
                                           "queues",
                                           "projections.event.expire_at",
                                           "projections.event.expire_grace",
                                           "projections.event.queues"};
    struct config *config;

    for (size_t i = 0; i < ROWS(optional); i++)
        config_free(load_good(optional[i], NULL));
    config = load_good("fleet", NULL);
    ck_assert_str_eq(config->fleet, "default");
    config_free(config);
    config = load_good("http", NULL);
    ck_assert_ptr_null(config->http.text);
    config_free(config);
    config = load_good("projections.event.expire_at", NULL);
    ck_assert_ptr_null(config_projection(config, "event")->expire_at);
    config_free(config);
}
END_TEST

START_TEST(empty_queue_list_is_no_queue)
{
    struct config *config = load_good("projections.event.queues", "[]");

    ck_assert_uint_eq(config_projection(config, "event")->nqueues, 0);
    config_free(config);
}
END_TEST

START_TEST(the_fleet_of_the_command_line_wins)
{
    struct config *config = load(example, "standby");

    unit_assert_no_problem(&problems);
    ck_assert_str_eq(config->fleet, "standby");
    config_free(config);
}
END_TEST

START_TEST(composite_ids)
{
    struct config *config = load_good(
        "projections", "{\"stock\": {\"source\": \"s\", \"id\": [\"site\", \"sku\"], \"rows\": \"one\","
                       " \"key\": \"{sku}@{site}\", \"watch\": {\"stock\": [\"site\", \"sku\"],"
                       " \"site\": {\"column\": \"nr\", \"lookup\": \"SELECT site, sku FROM stock WHERE"
                       " site = ANY($1)\"}}}}");
    const struct projection *stock = config_projection(config, "stock");

    ck_assert_uint_eq(stock->nid, 2);
    ck_assert_str_eq(stock->id[1], "sku");
    ck_assert_str_eq(template_column(stock->key, 0), "sku");
    ck_assert_str_eq(watch_of(stock, "stock")->columns[1], "sku");
    ck_assert_uint_eq(watch_of(stock, "site")->ncolumns, 1);
    config_free(config);
}
END_TEST

START_TEST(default_file)
{
    unsetenv("PGUSHER_CONFIG");
    ck_assert_str_eq(config_default_file(), "/etc/pgusher/pgusher.json");
    setenv("PGUSHER_CONFIG", "", 1);
    ck_assert_str_eq(config_default_file(), "/etc/pgusher/pgusher.json");
    setenv("PGUSHER_CONFIG", "/x.json", 1);
    ck_assert_str_eq(config_default_file(), "/x.json");
    unsetenv("PGUSHER_CONFIG");
}
END_TEST

START_TEST(servers_as_objects_need_no_password)
{
    struct config *config = load_good("postgres", "{\"conninfo\": \"dbname=a\"}");

    ck_assert_str_eq(config->postgres, "dbname=a");
    ck_assert_ptr_null(config->postgres_password);
    config_free(config);
}
END_TEST

UNIT_MAIN("config", UNIT(example_servers), UNIT(example_projections), UNIT(many_rows), UNIT(example_watches),
          UNIT(limits_that_are_not_said), UNIT(limits_of_the_changelog), UNIT(the_canary), UNIT(sweep),
          UNIT(replicas_to_wait_for), UNIT(how_often_to_verify), UNIT(queues_say_only_what_is_written),
          UNIT(queues_that_only_a_projection_names), UNIT(a_watch_may_be_an_object_without_lookup),
          UNIT(limits_may_be_reached), UNIT(optional_settings_have_defaults),
          UNIT(empty_queue_list_is_no_queue), UNIT(the_fleet_of_the_command_line_wins), UNIT(composite_ids),
          UNIT(default_file), UNIT(servers_as_objects_need_no_password))
