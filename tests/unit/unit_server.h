/* A server for the tests of what talks to one: a port on 127.0.0.1, and a process that answers there. */
#ifndef PGUSHER_UNIT_SERVER_H
#define PGUSHER_UNIT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "unit.h"

/* A listening socket, at a port that the system picks. */
static inline int unit_listen(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return listener;
}

/* serve(connection, arg) is called for one connection after the other, in a process of its own that ends with
 * the test. */
static inline pid_t unit_serve(void (*serve)(int fd, const void *arg), const void *arg, int *ret_port)
{
    int listener = unit_listen(ret_port), fd;
    pid_t server = fork();

    ck_assert_int_ge(server, 0);
    if (server > 0) {
        close(listener);
        return server;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve(fd, arg);
        close(fd);
    }
    _exit(EXIT_SUCCESS);
}

static inline void unit_server_end(pid_t server)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

#endif
