/* Bad configurations: cdc/config.h finds all mistakes, each with its path. */
#include "unit_config.h"

#define EVENT "projections.event"
#define MANY(key)                                                                                            \
    "{\"source\": \"card\", \"id\": \"id\", \"rows\": \"many\", \"key\": \"" key                             \
    "\", \"watch\": {\"event\": \"id\"}}"
#define VENUE EVENT ".watch.venue"

/* One change to the example (NULL takes the member away) and what is said: where, and the essential words. */
static const struct {
    const char *path;
    const char *value;
    const char *place;
    const char *words;
} mistakes[] = {
    {"projectionz", "{}", "projectionz", "did you mean \"projections\"?"},
    {"x", "1", "x", "unknown key"},

    {"fleet", "3", "fleet", "must be a string, not a number"},
    {"fleet", "\"\"", "fleet", "empty"},
    {"fleet", "\"1234567890123456789012345678901234567890123456789012345678901234\"", "fleet", "1 to 48"},
    {"http", "9187", "http", "must be a string"},
    {"http", "\"localhost\"", "http", "does not end in a port"},
    {"http", "\"9187\"", "http", "\"127.0.0.1:9187-9190\""},
    {"http", "\":65536\"", "http", "a port from 0 to 65535"},
    {"http", "\":9190-9187\"", "http", "range"},
    {"http", "\":0-9187\"", "http", "range"},
    {"http", "\"example.com:80\"", "http", "\"example.com\" is no numeric address"},
    {"http", "\"::1:80\"", "http", "\"[::1]:9187\""},
    {"http", "{}", "http.address", "missing"},
    {"http", "{\"address\": \":0\", \"tokenfile\": \"x\"}", "http.tokenfile", "did you mean \"token_file\"?"},
    {"http", "{\"address\": \":0\", \"token_file\": 7}", "http.token_file", "must be a string"},

    {"postgres", NULL, "postgres", "missing"},
    {"postgres", "3", "postgres", "must be"},
    {"postgres", "\"\"", "postgres", "empty"},
    {"postgres", "{}", "postgres.conninfo", "missing"},
    {"postgres", "{\"conninfo\": \"x\", \"pasword_file\": \"x\"}", "postgres.pasword_file",
     "\"password_file\"?"},
    {"postgres", "{\"conninfo\": \"x\", \"password_file\": 7}", "postgres.password_file", "must be a string"},
    {"postgres", "{\"conninfo\": \"x\", \"password_file\": \"/nonexistent/f\"}", "postgres.password_file",
     "/nonexistent/f: No such file"},
    {"redis", NULL, "redis", "missing"},
    {"redis", "[]", "redis", "must be"},
    {"redis", "\"http://x\"", "redis", "redis://"},
    {"redis", "\"redis://host:port\"", "redis", "is no port number"},
    {"redis", "\"redis+sentinel://host\"", "redis", "master is missing"},
    {"redis", "{}", "redis.url", "missing"},
    {"redis", "{\"conninfo\": \"x\"}", "redis.conninfo", "unknown key"},

    {"partitions", "0", "partitions", "1"},
    {"partitions", "257", "partitions", "256"},
    {"partitions", "\"16\"", "partitions", "whole number"},
    {"look_back", "300", "look_back", "duration"},
    {"look_back", "\"5 mins ago\"", "look_back", "is no duration"},
    {"look_back", "\"999 ms\"", "look_back", "between 1 s and 366 days"},
    {"look_back", "\"367 days\"", "look_back", "between 1 s and 366 days"},
    {"canary", "30", "canary", "duration"},
    {"canary", "\"no\"", "canary", "is no duration"},
    {"canary", "\"999 ms\"", "canary", "between 1 s and 1 h, or \"off\""},
    {"canary", "\"61 min\"", "canary", "between 1 s and 1 h"},
    {"max_lag", "\"1 day\"", "max_lag", "must be an object"},
    {"max_lag", "{\"row\": 1}", "max_lag.row", "did you mean \"rows\"?"},
    {"max_lag", "{\"rows\": 0}", "max_lag.rows", "1"},
    {"max_lag", "{\"rows\": 1.5}", "max_lag.rows", "whole number"},
    {"max_lag", "{\"age\": \"0 s\"}", "max_lag.age", "between 1 s and 366 days"},
    {"sweep", "5", "sweep", "duration"},
    {"sweep", "\"99 ms\"", "sweep", "between 100 ms and 1 h"},
    {"sweep", "\"61 min\"", "sweep", "between 100 ms and 1 h"},
    {"redis_wait", "1", "redis_wait", "must be an object"},
    {"redis_wait", "{\"replica\": 1}", "redis_wait.replica", "did you mean \"replicas\"?"},
    {"redis_wait", "{\"replicas\": -1}", "redis_wait.replicas", "0"},
    {"redis_wait", "{\"timeout\": \"0 ms\"}", "redis_wait.timeout", "between 1 ms and 60 s"},
    {"redis_wait", "{\"timeout\": \"61 s\"}", "redis_wait.timeout", "between 1 ms and 60 s"},

    {"verify", "\"1 h\"", "verify", "must be an object"},
    {"verify", "{\"sample\": 10}", "verify.every", "is missing"},
    {"verify", "{\"every\": \"10 ms\"}", "verify.every", "between 1 s and 366 days"},
    {"verify", "{\"every\": \"1 h\", \"sample\": 0}", "verify.sample", "1"},
    {"verify", "{\"every\": \"1 h\", \"samples\": 5}", "verify.samples", "did you mean \"sample\"?"},

    {"projections", NULL, "projections", "missing"},
    {"projections", "{}", "projections", "at least one"},
    {"projections", "[]", "projections", "must be an object"},
    {"projections", "\"event\"", "projections", "must be an object"},
    {EVENT, "7", EVENT, "must be an object"},
    {EVENT ".qeues", "[]", EVENT ".qeues", "did you mean \"queues\"?"},

    {EVENT ".source", NULL, EVENT ".source", "missing"},
    {EVENT ".source", "null", EVENT ".source", "must be a string, not null"},
    {EVENT ".source", "\"\"", EVENT ".source", "empty"},

    {EVENT ".id", NULL, EVENT ".id", "missing"},
    {EVENT ".id", "{}", EVENT ".id", "must be a string or a list"},
    {EVENT ".id", "[]", EVENT ".id", "empty"},
    {EVENT ".id", "[\"id\", 7]", EVENT ".id[1]", "must be a string"},
    {EVENT ".id", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]", EVENT ".id", "at most 8"},

    {EVENT ".key", NULL, EVENT ".key", "missing"},
    {EVENT ".key", "7", EVENT ".key", "must be a string"},
    {EVENT ".key", "\"card\"", EVENT ".key", "no column"},
    {EVENT ".key", "\"event:{id\"", EVENT ".key", "{ without its }"},
    {EVENT ".key", "\"event:{id}{nr}\"", EVENT ".key", "nothing separates {id} from {nr}"},
    {EVENT ".key", "\"event:{name}\"", EVENT ".key", "\"name\", which is not in \"id\""},
    {EVENT ".key", "\"event:{id}:{name}\"", EVENT ".key", "\"name\", which is not in \"id\""},
    {EVENT ".key", "\"event:{name}\"", EVENT ".key", "leaves out id column \"id\""},
    {EVENT ".id", "[\"id\", \"nr\"]", EVENT ".key", "leaves out id column \"nr\""},
    {"projections.ticket.key", "\"event:{id}\"", "projections.ticket.key", "\"event\""},

    {EVENT ".rows", "\"many\"", EVENT ".key", "names no column beside \"id\""},
    {EVENT ".key", "\"event:{id}:{name}\"", EVENT ".key", "write \"rows\": \"many\""},
    {EVENT, MANY("event:{name}"), EVENT ".key", "leaves out id column \"id\""},
    {EVENT, MANY("event:{id}{name}"), EVENT ".key", "nothing separates {id} from {name}"},
    {EVENT, MANY("event:*:{id}:{name}"), EVENT ".key", "holds a *"},
    {EVENT, MANY("{id}:{a}:{b}:{c}:{d}:{e}:{f}:{g}:{h}:{i}:{j}:{k}:{l}:{m}:{n}:{o}:{p}"), EVENT ".key",
     "has 17 columns; at most 16"},
    {EVENT ".rows", "\"some\"", EVENT ".rows", "not \"some\""},
    {EVENT ".rows", "2", EVENT ".rows", "must be a string"},
    {EVENT ".expire_at", "7", EVENT ".expire_at", "must be a string"},
    {EVENT ".expire_grace", "\"ten dayz\"", EVENT ".expire_grace", "\"ten dayz\" is no duration"},
    {EVENT ".expire_grace", "10", EVENT ".expire_grace", "duration"},
    {EVENT ".queues", "7", EVENT ".queues", "must be a string or a list"},
    {EVENT ".queues", "[\"{a}\", 1]", EVENT ".queues[1]", "must be a string"},
    {EVENT ".queues", "[\"\"]", EVENT ".queues[0]", "empty"},

    {EVENT ".watch", NULL, EVENT ".watch", "missing"},
    {EVENT ".watch", "[]", EVENT ".watch", "must be an object"},
    {EVENT ".watch", "{}", EVENT ".watch", "at least one table"},
    {EVENT ".watch.ticket", "5", EVENT ".watch.ticket", "must be a string"},
    {EVENT ".watch.ticket", "null", EVENT ".watch.ticket", "must be a string"},
    {EVENT ".watch.ticket", "[]", EVENT ".watch.ticket", "empty"},
    {EVENT ".watch.ticket", "[\"a\", \"b\"]", EVENT ".watch.ticket",
     "2 columns, but \"id\" of the projection has 1"},
    {EVENT ".id", "[\"id\", \"nr\"]", EVENT ".watch.ticket", "1 column, but \"id\" of the projection has 2"},
    {VENUE ".look", "1", VENUE ".look", "did you mean \"lookup\"?"},
    {VENUE ".column", NULL, VENUE ".column", "missing"},
    {VENUE ".column", "7", VENUE ".column", "must be a string"},
    {VENUE, "{\"column\": [\"a\", \"b\"]}", VENUE, "2 columns, but \"id\" of the projection has 1"},
    {VENUE ".lookup", "5", VENUE ".lookup", "must be a string"},
    {VENUE ".lookup", "\"\"", VENUE ".lookup", "empty"},
    {VENUE ".lookup", "\"SELECT 1\"", VENUE ".lookup", "does not use $1"},
    {VENUE ".column", "[\"a\", \"b\"]", VENUE ".lookup",
     "does not use $2, the array of the values of column \"b\""},

    {"queues", "[]", "queues", "must be an object"},
    {"queues", "{\"\": {}}", "queues", "name"},
    {"queues.{search}", "8", "queues.{search}", "must be an object"},
    {"queues.{search}.max_failuers", "8", "queues.{search}.max_failuers", "did you mean \"max_failures\"?"},
    {"queues.{search}.max_failures", "0", "queues.{search}.max_failures", "from 1 to"},
    {"queues.{search}.max_failures", "\"8\"", "queues.{search}.max_failures", "whole number"},
    {"queues.{search}.max_crashes", "0", "queues.{search}.max_crashes", "from 1 to"},
    {"queues.{search}.lease", "\"soon\"", "queues.{search}.lease", "\"soon\" is no duration"},
    {"queues.{search}.lease", "30", "queues.{search}.lease", "duration"},
    {"queues.{search}.coalesce", "1", "queues.{search}.coalesce", "true or false"},
};

START_TEST(mistake)
{
    ck_assert_ptr_null(load_changed(mistakes[_i].path, mistakes[_i].value));
    ck_assert_uint_gt(problems.errors, 0);
    unit_assert_problem(&problems, mistakes[_i].place, mistakes[_i].words);
    problems_free(&problems);
}
END_TEST

/* Projections that no program could work with, whatever the words. */
static const char *const unworkable[] = {
    /* one id column twice */
    "{\"a\": {\"source\": \"a\", \"id\": [\"x\", \"y\", \"y\"], \"key\": \"a:{x}:{y}\","
    " \"watch\": {\"a\": [\"x\", \"y\", \"y\"]}}}",
    /* the same keys, though the columns have other names */
    "{\"z\": {\"source\": \"z\", \"id\": \"x\", \"key\": \"z:{x}\", \"watch\": {\"z\": \"x\"}},"
    " \"a\": {\"source\": \"a\", \"id\": \"x\", \"key\": \"k:{x}\", \"watch\": {\"a\": \"x\"}},"
    " \"b\": {\"source\": \"b\", \"id\": \"y\", \"key\": \"k:{y}\", \"watch\": {\"b\": \"y\"}}}",
    /* more columns in a watch than a route has places */
    "{\"a\": {\"source\": \"a\", \"id\": \"x\", \"key\": \"a:{x}\", \"watch\": {\"b\": {"
    "\"column\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"],"
    "\"lookup\": \"SELECT x FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)\"}}}}",
};

START_TEST(unworkable_projections)
{
    ck_assert_ptr_null(load_changed("projections", unworkable[_i]));
    ck_assert_uint_gt(problems.errors, 0);
    problems_free(&problems);
}
END_TEST

START_TEST(all_mistakes_in_one_reading)
{
    ck_assert_ptr_null(
        load("{\"postgres\": 7, \"fleeet\": \"x\", \"projections\": {\"a\": {\"id\": [], \"watch\": 1},"
             " \"b\": []}, \"queues\": {\"q\": {\"lease\": 0}}}",
             NULL));
    unit_assert_problem(&problems, "postgres", "must be");
    unit_assert_problem(&problems, "fleeet", "unknown key");
    unit_assert_problem(&problems, "redis", "missing");
    unit_assert_problem(&problems, "projections.a.source", "missing");
    unit_assert_problem(&problems, "projections.a.id", "empty");
    unit_assert_problem(&problems, "projections.a.key", "missing");
    unit_assert_problem(&problems, "projections.a.watch", "must be an object");
    unit_assert_problem(&problems, "projections.b", "must be an object");
    unit_assert_problem(&problems, "queues.q.lease", "duration");
    problems_free(&problems);
}
END_TEST

START_TEST(fleet_of_the_command_line_is_checked)
{
    char name[65];

    memset(name, 'f', 64);
    name[64] = '\0';
    ck_assert_ptr_null(load(example, name));
    unit_assert_problem(&problems, "fleet", "1 to 48");
    problems_free(&problems);
    ck_assert_ptr_null(load(example, ""));
    unit_assert_problem(&problems, "fleet", "1 to 48");
    problems_free(&problems);
}
END_TEST

START_TEST(earlier_problems_do_not_spoil_a_good_file)
{
    struct config *config;

    problems_add(&problems, PROBLEM_ERROR, "elsewhere", "wrong");
    config = load(example, NULL);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(problems.count, 1);
    config_free(config);
    problems_free(&problems);
}
END_TEST

START_TEST(no_file)
{
    ck_assert_ptr_null(config_load("/nonexistent/pgusher.json", NULL, &problems));
    unit_assert_problem(&problems, "", "No such file");
    problems_free(&problems);
}
END_TEST

UNIT_MAIN("config_errors", UNIT_ROWS(mistake, mistakes), UNIT_ROWS(unworkable_projections, unworkable),
          UNIT(all_mistakes_in_one_reading), UNIT(fleet_of_the_command_line_is_checked),
          UNIT(earlier_problems_do_not_spoil_a_good_file), UNIT(no_file))
