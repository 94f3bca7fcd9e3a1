#include "common/pg_hosts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { DEADLINE_MS = 10000, MIN_DEADLINE_MS = 2000, MAX_PARAMS = 16 };

struct params {
    const char *keywords[MAX_PARAMS + 1];
    const char *values[MAX_PARAMS + 1];
    size_t count;
};

static void add(struct params *params, const char *keyword, const char *value)
{
    if (!value || params->count == MAX_PARAMS)
        return;
    params->keywords[params->count] = keyword;
    params->values[params->count++] = value;
}

/* libpq takes the last of equal keywords and expands dbname in place: what stands before it is a default that
 * the conninfo may change, what is added behind it is not. */
static void add_target(struct params *params, const struct pg_target *target)
{
    add(params, "keepalives_idle", "2");
    add(params, "keepalives_interval", "1");
    add(params, "keepalives_count", "3");
    add(params, "tcp_user_timeout", "5000");
    add(params, "password", target->password);
    add(params, "dbname", target->conninfo);
    add(params, "application_name", target->application_name);
    add(params, "client_encoding", "UTF8");
}

static PGconn *start(const struct params *params)
{
    PGconn *conn = PQconnectStartParams(params->keywords, params->values, 1);

    if (!conn)
        mem_exhausted();
    return conn;
}

struct pg_target pg_target_copy(const struct pg_target *target)
{
    return (struct pg_target){mem_strdup(target->conninfo), mem_strdup(target->password),
                              mem_strdup(target->application_name)};
}

void pg_target_free(struct pg_target *target)
{
    free((char *)target->conninfo);
    free((char *)target->password);
    free((char *)target->application_name);
    *target = (struct pg_target){0};
}

/* ---- what libpq makes of a conninfo ---- */

/* A connection that is refused for one of its options goes nowhere, yet tells all of them. */
static PQconninfoOption *options_of(const struct pg_target *target)
{
    struct params params = {0};
    PQconninfoOption *options;
    PGconn *conn;

    add_target(&params, target);
    add(&params, "sslmode", "none of them");
    conn = start(&params);
    options = PQconninfo(conn);
    PQfinish(conn);
    return options;
}

/* NULL when not set. */
static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

static size_t list_count(const char *list)
{
    size_t n = list ? 1 : 0;

    for (; list && *list; list++)
        n += *list == ',';
    return n;
}

/* The caller frees; NULL when the list has no such item, or an empty one. */
static char *list_item(const char *list, size_t i)
{
    if (!list)
        return NULL;
    for (; i; i--) {
        list = strchr(list, ',');
        if (!list)
            return NULL;
        list++;
    }
    return *list && *list != ',' ? mem_strndup(list, strcspn(list, ",")) : NULL;
}

static void read_hosts(struct pg_hosts *hosts, const char *names, const char *addresses, const char *ports)
{
    hosts->count = addresses ? list_count(addresses) : list_count(names);
    if (!hosts->count)
        hosts->count = 1;
    hosts->list = mem_zalloc(sizeof(*hosts->list) * hosts->count);
    for (size_t i = 0; i < hosts->count; i++) {
        hosts->list[i].name = list_item(names, i);
        hosts->list[i].address = list_item(addresses, i);
        hosts->list[i].port = list_item(ports, list_count(ports) > 1 ? i : 0);
    }
}

/* Lists with gaps, or of unequal length, are left to libpq as they are. */
static bool each_stands_alone(const struct pg_hosts *hosts, const char *names, const char *addresses,
                              const char *ports)
{
    if ((addresses && names && list_count(names) != hosts->count) ||
        (list_count(ports) > 1 && list_count(ports) != hosts->count))
        return false;
    for (size_t i = 0; i < hosts->count; i++)
        if (!hosts->list[i].port || (addresses ? !hosts->list[i].address : !hosts->list[i].name))
            return false;
    return true;
}

static int64_t deadline_ms(const char *connect_timeout)
{
    int64_t seconds = connect_timeout ? strtoll(connect_timeout, NULL, 10) : 0;

    if (seconds <= 0)
        return DEADLINE_MS;
    if (seconds > INT_MAX) /* libpq takes an int */
        seconds = INT_MAX;
    return seconds * 1000 < MIN_DEADLINE_MS ? MIN_DEADLINE_MS : seconds * 1000;
}

void pg_hosts_init(struct pg_hosts *hosts, const struct pg_target *target)
{
    PQconninfoOption *options = options_of(target);
    const char *names = option(options, "host"), *addresses = option(options, "hostaddr");
    const char *ports = option(options, "port"), *attrs = option(options, "target_session_attrs");

    read_hosts(hosts, names, addresses, ports);
    if (!each_stands_alone(hosts, names, addresses, ports)) {
        pg_hosts_free(hosts);
        read_hosts(hosts, NULL, NULL, NULL);
    }
    hosts->any = !attrs || strcmp(attrs, "any") == 0;
    hosts->deadline_ms = deadline_ms(option(options, "connect_timeout"));
    PQconninfoFree(options);
}

void pg_hosts_free(struct pg_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        pg_host_free(&hosts->list[i]);
    free(hosts->list);
    hosts->list = NULL;
    hosts->count = 0;
}

/* ---- one of them ---- */

void pg_host_init(struct pg_host *host, const char *name, const char *address, const char *port)
{
    host->name = mem_strdup(name);
    host->address = mem_strdup(address);
    host->port = mem_strdup(port);
}

void pg_host_free(struct pg_host *host)
{
    free(host->name);
    free(host->address);
    free(host->port);
}

bool pg_host_needs_address(const struct pg_host *host)
{
    return host->name && !host->address && host->name[0] != '/' && host->name[0] != '@';
}

PGconn *pg_host_connect(const struct pg_host *host, const struct pg_hosts *hosts,
                        const struct pg_target *target)
{
    struct params params = {0};

    add_target(&params, target);
    add(&params, "host", host->name);
    add(&params, "hostaddr", host->address);
    add(&params, "port", host->port);
    if (hosts->count > 1 && hosts->any)
        add(&params, "target_session_attrs", "read-write");
    return start(&params);
}
