/* common/http_address.h: an address is refused with a reason, or it is one of this form and no other: written
 * down again it is the same. */
#include "common/http_address.h"

#include <arpa/inet.h>

#include "fuzz.h"

static void write_again(const struct http_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    bool v6 = address->socket.any.sa_family == AF_INET6;
    bool one = address->first_port == address->last_port;

    if (v6)
        inet_ntop(AF_INET6, &address->socket.v6.sin6_addr, host, sizeof(host));
    else
        inet_ntop(AF_INET, &address->socket.v4.sin_addr, host, sizeof(host));
    snprintf(text, size, v6 ? "[%s]:%u" : "%s:%u", host, address->first_port);
    if (!one)
        snprintf(text + strlen(text), size - strlen(text), "-%u", address->last_port);
}

static void check(const char *text, const struct http_address *address)
{
    struct http_address again;
    struct err err = ERR_NONE;
    char written[100];
    bool v6 = address->socket.any.sa_family == AF_INET6;

    must(v6 || address->socket.any.sa_family == AF_INET, "%s", text);
    must(address->first_port <= address->last_port, "%s", text);
    must(strspn(strrchr(text, ':') + 1, "0123456789-") == strlen(strrchr(text, ':') + 1), "%s", text);
    must(text[0] == ':' || text[0] == '[' || strncmp(text, "localhost:", 10) == 0 ||
             (text[0] >= '0' && text[0] <= '9'),
         "%s needs a name server", text);
    write_again(address, written, sizeof(written));
    must(http_address_parse(written, &again, &err) == 0, "%s, read as %s, is refused: %s", text, written,
         err.text);
    must(memcmp(address, &again, sizeof(again)) == 0, "%s is not %s", text, written);
    if (http_address_is_loopback(address))
        must(strncmp(written, "127.", 4) == 0 || strncmp(written, "[::1]:", 6) == 0, "%s reaches further",
             written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *text = input_text(&input, '\0');
    struct http_address address;
    struct err err = ERR_NONE;

    if (http_address_parse(text, &address, &err) == 0)
        check(text, &address);
    else
        must(err.status == ST_CONFIG && is_utf8(err.text, strlen(err.text)), "%s: %s", text, err.text);
    free(text);
    return 0;
}
