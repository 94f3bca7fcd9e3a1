/* common/pg_hosts.h: what is made of a conninfo, a service file and the environment. */
#include "common/pg_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"

#include "unit.h"

static char service_file[] = "/tmp/pgusher-services-XXXXXX";

/* "name/address/port" of each host, "-" for what is not known. */
static char *hosts_of(const char *conninfo)
{
    struct pg_target target = {conninfo, NULL, "unit"};
    struct buf text = BUF_NONE;
    struct pg_hosts hosts;

    pg_hosts_init(&hosts, &target);
    for (size_t i = 0; i < hosts.count; i++) {
        const struct pg_host *host = &hosts.list[i];

        buf_printf(&text, "%s%s/%s/%s", i ? " " : "", host->name ? host->name : "-",
                   host->address ? host->address : "-", host->port ? host->port : "-");
    }
    pg_hosts_free(&hosts);
    return buf_take(&text);
}

static const struct {
    const char *conninfo;
    const char *hosts;
} lists[] = {
    {"host=a", "a/-/5432"},
    {"host=a,b,c", "a/-/5432 b/-/5432 c/-/5432"},
    {"host=a,b port=1,2", "a/-/1 b/-/2"},
    {"host=a,b port=7", "a/-/7 b/-/7"},
    {"postgresql://a:1,[::1]:2/db", "a/-/1 ::1/-/2"},
    {"postgresql:///db?host=/run,/srv&port=1", "/run/-/1 /srv/-/1"},
    {"host=a,b hostaddr=10.0.0.1,10.0.0.2", "a/10.0.0.1/5432 b/10.0.0.2/5432"},
    {"hostaddr=10.0.0.1,10.0.0.2 port=5,6", "-/10.0.0.1/5 -/10.0.0.2/6"},
    {"service=two user=x", "s1/-/71 s2/-/72"},
    {"service=two host=mine", "-/-/-"}, /* two ports, one host: libpq's to refuse */
    {"service=two host=mine port=9", "mine/-/9"},
    {"dbname=x", "-/-/-"},
    {"host=a,,c", "-/-/-"},
    {"host=a,b port=1,", "-/-/-"},
    {"host=a,b hostaddr=10.0.0.1", "-/-/-"},
    {"host=a,b,c port=1,2", "-/-/-"},
    {"nonsense", "-/-/-"},
    {"host=a nonsense=1", "-/-/-"},
    {"", "-/-/-"},
};

static void begin(void)
{
    int fd = mkstemp(service_file);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd, "[two]\nhost=s1,s2\nport=71,72\n"), 0);
    close(fd);
    for (const char *const *name = (const char *[]){"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", NULL};
         *name; name++)
        unsetenv(*name);
    setenv("PGSERVICEFILE", service_file, 1);
}

static void end(void)
{
    unlink(service_file);
    memcpy(strchr(service_file, 0) - 6, "XXXXXX", 6);
}

START_TEST(each_host_by_itself)
{
    char *hosts;

    begin();
    hosts = hosts_of(lists[_i].conninfo);
    ck_assert_str_eq(hosts, lists[_i].hosts);
    free(hosts);
    end();
}
END_TEST

START_TEST(hosts_of_the_environment)
{
    char *hosts;

    begin();
    setenv("PGHOST", "e1,e2", 1);
    setenv("PGPORT", "1,2", 1);
    hosts = hosts_of("dbname=x");
    ck_assert_str_eq(hosts, "e1/-/1 e2/-/2");
    free(hosts);
    end();
}
END_TEST

static const struct {
    const char *conninfo;
    int64_t ms;
} deadlines[] = {
    {"host=a", 10000},
    {"host=a connect_timeout=0", 10000},
    {"host=a connect_timeout=-1", 10000},
    {"host=a connect_timeout=1", 2000}, /* as libpq has it */
    {"host=a connect_timeout=30", 30000},
    {"host=a connect_timeout=9223372036854775807", INT64_C(2147483647) * 1000},
};

START_TEST(how_long_one_may_take)
{
    struct pg_target target = {deadlines[_i].conninfo, NULL, "unit"};
    struct pg_hosts hosts;

    begin();
    pg_hosts_init(&hosts, &target);
    ck_assert_int_eq(hosts.deadline_ms, deadlines[_i].ms);
    pg_hosts_free(&hosts);
    end();
}
END_TEST

static const struct {
    const char *conninfo;
    bool any;
} sessions[] = {
    {"host=a,b", true},
    {"host=a,b target_session_attrs=any", true},
    {"host=a,b target_session_attrs=read-write", false},
    {"host=a,b target_session_attrs=standby", false},
};

START_TEST(whether_a_standby_is_asked_for)
{
    struct pg_target target = {sessions[_i].conninfo, NULL, "unit"};
    struct pg_hosts hosts;

    begin();
    pg_hosts_init(&hosts, &target);
    ck_assert_int_eq(hosts.any, sessions[_i].any);
    pg_hosts_free(&hosts);
    end();
}
END_TEST

static const struct {
    const char *name;
    const char *address;
    bool needs;
} named[] = {
    {"db.example", NULL, true}, {"127.0.0.1", NULL, true},  {"db.example", "10.0.0.1", false},
    {"/run", NULL, false},      {"@abstract", NULL, false}, {NULL, "10.0.0.1", false},
    {NULL, NULL, false},
};

START_TEST(only_a_name_needs_an_address)
{
    struct pg_host host;

    pg_host_init(&host, named[_i].name, named[_i].address, "1");
    ck_assert_int_eq(pg_host_needs_address(&host), named[_i].needs);
    pg_host_free(&host);
}
END_TEST

UNIT_MAIN("pg_hosts", UNIT_ROWS(each_host_by_itself, lists), UNIT(hosts_of_the_environment),
          UNIT_ROWS(how_long_one_may_take, deadlines), UNIT_ROWS(whether_a_standby_is_asked_for, sessions),
          UNIT_ROWS(only_a_name_needs_an_address, named))
