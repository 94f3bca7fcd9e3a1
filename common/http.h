/* A small HTTP server on the event loop: for a machine that scrapes, a person who looks, never for the world.
 *
 * One request after the other is given to the handler, which answers at once, or keeps the exchange and
 * answers later; meanwhile the connection waits and the loop turns. A handler never waits, nor runs the loop.
 * Requests without a body, by GET, HEAD and POST, are all there is; what is longer, slower or of another kind
 * is refused here. Every answer forbids caching, sniffing, framing, and anything from elsewhere.
 *
 * While it listens for this machine only, the name in Host must be an address or localhost: otherwise a web
 * page could have its own name lead here (DNS rebinding) and read along.
 *
 * libmicrohttpd does the protocol, in its external epoll mode.
 */
#ifndef PGUSHER_HTTP_H
#define PGUSHER_HTTP_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/http_address.h"
#include "common/loop.h"

struct http;
struct http_exchange;

typedef void http_fn(void *arg, struct http_exchange *exchange);

/* NULL with err set; ST_AGAIN: no port is free. */
struct http *http_new(struct loop *loop, const struct http_address *address, http_fn *fn, void *arg,
                      struct err *err);
/* Whoever still waits for an answer gets none. NULL-safe. */
void http_free(struct http *http);
const char *http_name(const struct http *http); /* "127.0.0.1:9187" */

const char *http_path(const struct http_exchange *exchange);
bool http_is_post(const struct http_exchange *exchange);
const char *http_query(const struct http_exchange *exchange, const char *name);  /* NULL: absent */
const char *http_header(const struct http_exchange *exchange, const char *name); /* NULL: absent */

/* Exactly once for each exchange, which is gone afterwards. Takes the body. `type` is a constant. */
void http_answer(struct http_exchange *exchange, unsigned code, const char *type, struct buf *body);
/* The same with one line of plain text. */
void http_say(struct http_exchange *exchange, unsigned code, const char *text);

#endif
