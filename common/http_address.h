/* Where a small HTTP server listens: "127.0.0.1:9187", "[::1]:9187", ":9187" (this machine only), or a range
 * of ports, "127.0.0.1:9187-9190", of which the first free one is taken. Port 0: the system picks one.
 *
 * Addresses are numeric, or "localhost": nothing is asked of a name server.
 */
#ifndef PGUSHER_HTTP_ADDRESS_H
#define PGUSHER_HTTP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

struct http_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket; /* without a port */
    uint16_t first_port;
    uint16_t last_port;
};

/* 0, or -1 with err set. */
int http_address_parse(const char *text, struct http_address *ret_address, struct err *err);
/* Only this machine reaches it. */
bool http_address_is_loopback(const struct http_address *address);
/* A listening socket that does not block, on the first port that is free. -1 with err set; ST_AGAIN: no port
 * is free. */
int http_listen(const struct http_address *address, struct err *err);
/* "127.0.0.1:9187" as the socket has it; the caller frees. */
char *http_listener_name(int fd);

#endif
