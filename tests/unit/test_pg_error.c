/* common/pg_error.h, and the classes that common/pg.h promises. */
#include "common/pg_error.h"

#include "unit.h"

static const struct {
    const char *sqlstate;
    enum status status;
} states[] = {
    {"40001", ST_AGAIN},   /* serialization failure */
    {"40P01", ST_AGAIN},   /* deadlock */
    {"55P03", ST_AGAIN},   /* lock timeout */
    {"53100", ST_AGAIN},   /* disk full */
    {"53200", ST_AGAIN},   /* out of memory */
    {"53300", ST_AGAIN},   /* too many connections */
    {"53400", ST_CONFIG},  /* temp_file_limit */
    {"55000", ST_CONFIG},  /* materialized view without data */
    {"58030", ST_AGAIN},   /* input/output error */
    {"58P01", ST_CONFIG},  /* a library is gone */
    {"54000", ST_REFUSED}, /* a value too large */
    {"XX000", ST_REFUSED}, /* cache lookup failed, invalid memory alloc request size */
    {"XX001", ST_REFUSED}, /* a page is corrupt */
    {"57014", ST_AGAIN},   /* cancelled, statement timeout */
    {"57P03", ST_AGAIN},   /* starting up, or in recovery */
    {"42P01", ST_CONFIG},  /* no such table */
    {"42703", ST_CONFIG},  /* no such column */
    {"42883", ST_CONFIG},  /* no such function */
    {"42501", ST_CONFIG},  /* no privilege */
    {"3D000", ST_CONFIG},  /* no such database */
    {"3F000", ST_CONFIG},  /* no such schema */
    {"28000", ST_CONFIG},  /* no such role, pg_hba.conf */
    {"28P01", ST_CONFIG},  /* wrong password */
    {"22012", ST_REFUSED}, /* division by zero */
    {"22P02", ST_REFUSED}, /* bad cast */
    {"22003", ST_REFUSED}, /* out of range */
    {"23505", ST_REFUSED}, /* unique constraint */
    {"21000", ST_REFUSED}, /* more than one row from a subquery */
    {"P0001", ST_REFUSED}, /* RAISE */
    {"08006", ST_LOST},    /* connection failure */
    {"57P01", ST_LOST},    /* the administrator ended the session */
    {"57P02", ST_LOST},    /* the server crashed */
    {"57P05", ST_LOST},    /* idle session timeout */
    {"25006", ST_LOST},    /* read only: this is not the primary any more */
    {NULL, ST_LOST},       /* libpq found no server to ask */
};

START_TEST(sqlstates)
{
    ck_assert_int_eq(pg_classify(states[_i].sqlstate), states[_i].status);
}
END_TEST

START_TEST(memory_of_our_own_is_no_mistake_in_a_conninfo)
{
    ck_assert(pg_lacked_memory("out of memory\n"));
    ck_assert(
        pg_lacked_memory("could not translate Unix-domain socket path \"/run/.s.PGSQL.5432\" to address: "
                         "Memory allocation failure\n"));
    ck_assert(!pg_lacked_memory("invalid sslmode value: \"none\"\n"));
}
END_TEST

START_TEST(connection_of_a_foreign_table)
{
    ck_assert_int_eq(pg_classify_result("ERROR", "08001"), ST_CONFIG);
    ck_assert_int_eq(pg_classify_result("ERROR", "57P01"), ST_CONFIG);
    ck_assert_int_eq(pg_classify_result("FATAL", "57P01"), ST_LOST);
    ck_assert_int_eq(pg_classify_result("FATAL", "08006"), ST_LOST);
    ck_assert_int_eq(pg_classify_result(NULL, NULL), ST_LOST);
    ck_assert_int_eq(pg_classify_result("ERROR", "25006"), ST_LOST);
}
END_TEST

static const struct {
    const char *message;
    enum status status;
    const char *text;
} connects[] = {
    {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed "
     "for user "
     "\"x\"\nLOCATION:  auth_failed, auth.c:326\n",
     ST_CONFIG, "PostgreSQL: password authentication failed for user \"x\" (SQLSTATE 28P01)"},
    {"connection to server on socket \"/run/s\" failed: FATAL:  3D000: database \"b\" does not "
     "exist\nLOCATION:  x\n",
     ST_CONFIG, "PostgreSQL: database \"b\" does not exist (SQLSTATE 3D000)"},
    {"connection to server on socket \"/run/s\" failed: FATAL:  57P03: the database system is starting up\n",
     ST_AGAIN, "PostgreSQL: the database system is starting up (SQLSTATE 57P03)"},
    {"failed: FATAL:  53300: sorry, too many clients already", ST_AGAIN,
     "PostgreSQL: sorry, too many clients already (SQLSTATE 53300)"},
    {"failed: SCHWERWIEGEND:  28000: Rolle \"x\" existiert nicht\n", ST_CONFIG,
     "PostgreSQL: Rolle \"x\" existiert nicht (SQLSTATE 28000)"},
    {"failed: FATAL:  57P01: terminating connection\n", ST_AGAIN,
     "PostgreSQL: terminating connection (SQLSTATE 57P01)"},
    {"connection to server on socket \"/run/s\" failed: Connection refused\n\tIs the server running?\n\n",
     ST_AGAIN,
     "PostgreSQL: connection to server on socket \"/run/s\" failed: Connection refused; Is the server "
     "running?"},
    {"failed: Connection refused\nfailed: FATAL:  28P01: wrong\nLOCATION:  x\n", ST_CONFIG,
     "PostgreSQL: wrong (SQLSTATE 28P01)"},
    {"could not translate host name \"a:b:  1234:\" to address", ST_AGAIN,
     "PostgreSQL: could not translate host name \"a:b: 1234:\" to address"},
    {"connection to server at \"x\", failed: address:  FE801:2 is wrong", ST_AGAIN,
     "PostgreSQL: connection to server at \"x\", failed: address: FE801:2 is wrong"},
    {"connection to server at \"a\" failed: SSL error: certificate verify failed\n", ST_CONFIG,
     "PostgreSQL: connection to server at \"a\" failed: SSL error: certificate verify failed"},
    {"connection to server at \"a\" failed: server does not support SSL, but SSL was required\n"
     "connection to server at \"b\" failed: Connection refused\n",
     ST_AGAIN,
     "PostgreSQL: connection to server at \"a\" failed: server does not support SSL, but SSL was required; "
     "connection to server at \"b\" failed: Connection refused"},
    {"connection to server at \"a\" failed: FATAL:  28P01: wrong\nLOCATION:  auth_failed, auth.c:326\n"
     "connection to server at \"b\" failed: FATAL:  3D000: none\nLOCATION:  InitPostgres, postinit.c:1\n",
     ST_CONFIG, "PostgreSQL: wrong (SQLSTATE 28P01)"},
    {"connection to server at \"a\" failed: FATAL:  57P03: starting up\nLOCATION:  Port, postmaster.c:1\n"
     "connection to server at \"b\" failed: FATAL:  3D000: none\nLOCATION:  InitPostgres, postinit.c:1\n",
     ST_AGAIN,
     "PostgreSQL: connection to server at \"a\" failed: FATAL: 57P03: starting up; "
     "connection to server at \"b\" failed: FATAL: 3D000: none"},
    {":  12345: ", ST_AGAIN, "PostgreSQL: : 12345:"},
    {"", ST_AGAIN, "PostgreSQL: "},
};

START_TEST(connection_errors)
{
    struct err err = ERR_NONE;

    pg_connect_error(connects[_i].message, &err);
    ck_assert_int_eq(err.status, connects[_i].status);
    ck_assert_str_eq(err.text, connects[_i].text);
}
END_TEST

START_TEST(long_connection_errors_are_cut)
{
    struct err err = ERR_NONE;
    char message[5000];

    memset(message, 'x', sizeof(message) - 1);
    memcpy(message, "FATAL:  28000: ", 15);
    message[sizeof(message) - 1] = '\0';
    pg_connect_error(message, &err);
    ck_assert_int_eq(err.status, ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "PostgreSQL: xxx"));
    ck_assert_ptr_nonnull(strstr(err.text, "xxx (SQLSTATE 28000)"));
}
END_TEST

START_TEST(a_lost_connection)
{
    struct err err = ERR_NONE;

    pg_lost_error("server closed the connection unexpectedly\n\tThis probably means\n", &err);
    ck_assert_int_eq(err.status, ST_LOST);
    ck_assert_str_eq(err.text, "PostgreSQL: server closed the connection unexpectedly; This probably means");
}
END_TEST

static const struct {
    const char *text, *logged;
} logs[] = {
    {"PostgreSQL: invalid input syntax for type integer: \"Ann\" (SQLSTATE 22P02)",
     "PostgreSQL: SQLSTATE 22P02, whose text may show data: see level debug"},
    {"projection a: PostgreSQL: x; Key (name)=(Ann) (SQLSTATE 23505)",
     "projection a: PostgreSQL: SQLSTATE 23505, whose text may show data: see level debug"},
    {"PostgreSQL: \"(SQLSTATE 42P01)\" is no number (SQLSTATE P0001)",
     "PostgreSQL: SQLSTATE P0001, whose text may show data: see level debug"},
    {"PostgreSQL: relation \"a\" does not exist (SQLSTATE 42P01)",
     "PostgreSQL: relation \"a\" does not exist (SQLSTATE 42P01)"},
    {"PostgreSQL: could not read block (SQLSTATE XX001)",
     "PostgreSQL: could not read block (SQLSTATE XX001)"},
    {"PostgreSQL: server closed the connection", "PostgreSQL: server closed the connection"},
    {"Redis: WRONGTYPE", "Redis: WRONGTYPE"},
    {"", ""},
};

START_TEST(errors_for_the_log)
{
    ck_assert_str_eq(pg_error_for_log(logs[_i].text).text, logs[_i].logged);
}
END_TEST

START_TEST(what_was_cut_may_show_data)
{
    struct err err = ERR_NONE;

    err_set(&err, ST_REFUSED, "PostgreSQL: %0900d (SQLSTATE 22P02)", 1);
    ck_assert_str_eq(pg_error_for_log(err.text).text,
                     "PostgreSQL: SQLSTATE ?, whose text may show data: see level debug");
}
END_TEST

UNIT_MAIN("pg_error", UNIT_ROWS(sqlstates, states), UNIT(memory_of_our_own_is_no_mistake_in_a_conninfo),
          UNIT(connection_of_a_foreign_table), UNIT_ROWS(connection_errors, connects),
          UNIT(long_connection_errors_are_cut), UNIT(a_lost_connection), UNIT_ROWS(errors_for_the_log, logs),
          UNIT(what_was_cut_may_show_data))
