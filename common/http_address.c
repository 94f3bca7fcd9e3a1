#include "common/http_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

enum { BACKLOG = 64 };

/* ---- the text ---- */

/* Digits up to `end`. */
static int parse_port(const char *text, const char *end, uint16_t *ret_port)
{
    unsigned long port = 0;

    if (text == end)
        return -1;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        port = port * 10 + (unsigned long)(*text - '0');
        if (port > UINT16_MAX)
            return -1;
    }
    *ret_port = (uint16_t)port;
    return 0;
}

static int parse_ports(const char *text, struct http_address *address)
{
    const char *end = text + strlen(text), *dash = strchr(text, '-');

    if (parse_port(text, dash ? dash : end, &address->first_port) != 0)
        return -1;
    address->last_port = address->first_port;
    if (dash && parse_port(dash + 1, end, &address->last_port) != 0)
        return -1;
    return dash && (address->first_port == 0 || address->last_port <= address->first_port) ? -1 : 0;
}

static int parse_v6(const char *host, struct http_address *address)
{
    size_t len = strlen(host);
    char *inner;
    int result;

    if (len < 3 || host[len - 1] != ']')
        return -1;
    inner = mem_strndup(host + 1, len - 2);
    address->socket.v6.sin6_family = AF_INET6;
    result = inet_pton(AF_INET6, inner, &address->socket.v6.sin6_addr) == 1 ? 0 : -1;
    free(inner);
    return result;
}

static int parse_host(const char *host, struct http_address *address)
{
    if (*host == '[')
        return parse_v6(host, address);
    if (*host == '\0' || strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    address->socket.v4.sin_family = AF_INET;
    return inet_pton(AF_INET, host, &address->socket.v4.sin_addr) == 1 ? 0 : -1;
}

int http_address_parse(const char *text, struct http_address *ret_address, struct err *err)
{
    const char *colon = strrchr(text, ':');
    struct http_address address = {0};
    char *host = mem_strndup(text, colon ? (size_t)(colon - text) : 0);

    if (!colon || parse_ports(colon + 1, &address) != 0)
        err_set(err, ST_CONFIG,
                "\"%s\" does not end in a port from 0 to 65535 or a range of them; write for example "
                "\"127.0.0.1:9187\" or \"127.0.0.1:9187-9190\"",
                text);
    else if (parse_host(host, &address) != 0)
        err_set(err, ST_CONFIG,
                "\"%s\" is no numeric address; write for example \"127.0.0.1:9187\", \"[::1]:9187\" or, for "
                "all the world, \"0.0.0.0:9187\"",
                host);
    free(host);
    if (err->status != ST_OK)
        return -1;
    *ret_address = address;
    return 0;
}

bool http_address_is_loopback(const struct http_address *address)
{
    if (address->socket.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->socket.v6.sin6_addr);
    return ntohl(address->socket.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* ---- the socket ---- */

static int bind_to(int fd, const struct http_address *address, uint16_t port)
{
    struct http_address full = *address;

    if (full.socket.any.sa_family == AF_INET6) {
        full.socket.v6.sin6_port = htons(port);
        return bind(fd, &full.socket.any, sizeof(full.socket.v6));
    }
    full.socket.v4.sin_port = htons(port);
    return bind(fd, &full.socket.any, sizeof(full.socket.v4));
}

/* A socket of its own for each try: one that was bound to a port whose listen failed keeps it. */
static int listen_on(const struct http_address *address, uint16_t port)
{
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;
    int on = 1;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind_to(fd, address, port) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int http_listen(const struct http_address *address, struct err *err)
{
    for (unsigned port = address->first_port; port <= address->last_port; port++) {
        int fd = listen_on(address, (uint16_t)port);

        if (fd >= 0)
            return fd;
        if (errno != EADDRINUSE)
            break;
    }
    err_set(err, errno == EADDRINUSE ? ST_AGAIN : ST_CONFIG, "%s", strerror(errno));
    return -1;
}

char *http_listener_name(int fd)
{
    struct http_address address = {0};
    socklen_t size = sizeof(address.socket);
    char host[INET6_ADDRSTRLEN] = "?";

    getsockname(fd, &address.socket.any, &size);
    if (address.socket.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address.socket.v6.sin6_addr, host, sizeof(host));
        return mem_printf("[%s]:%u", host, ntohs(address.socket.v6.sin6_port));
    }
    inet_ntop(AF_INET, &address.socket.v4.sin_addr, host, sizeof(host));
    return mem_printf("%s:%u", host, ntohs(address.socket.v4.sin_port));
}
