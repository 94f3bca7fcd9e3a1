/* common/pg_hosts.h: any conninfo gives at least one host to try and a time that ends. No connection is made.
 */
#include "common/pg_hosts.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *conninfo = input_text(&input, '\0');
    struct pg_target target = {conninfo, "hunter2", "fuzz"};
    struct pg_hosts hosts;

    pg_hosts_init(&hosts, &target);
    must(hosts.count >= 1 && hosts.list, "%s gives no host", conninfo);
    must(hosts.deadline_ms >= 2000, "%s gives %lld ms", conninfo, (long long)hosts.deadline_ms);
    for (size_t i = 0; i < hosts.count; i++) {
        struct pg_host *host = &hosts.list[i];

        must(hosts.count == 1 || (host->port && (host->name || host->address)), "host %zu of %s has gaps", i,
             conninfo);
        must(!pg_host_needs_address(host) || (host->name && host->name[0] != '/'), "%s is to be resolved",
             host->name);
    }
    pg_hosts_free(&hosts);
    free(conninfo);
    return 0;
}
