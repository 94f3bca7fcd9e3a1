/* How a worker tells how it stands, over HTTP, where the configuration has "http":
 *
 *   /metrics      for Prometheus: this process, and what is known of its fleet
 *   /status.json  what `pgusher status --json` shows, this process, and its last hour
 *   /             a page for people, which shows that (see page/)
 *   /livez        200 while the event loop turns
 *   /readyz       200 while the worker gets on or has nothing to do; else 503 and why, on one line
 *
 *   /retry, /replay  actions, see worker_action.h
 *
 * It answers also while a page is applied, for the worker waits in the same loop. A handler never waits.
 *
 * Workers of one host may have the same configuration: whoever finds the port taken says so once, works on
 * without, and tries again now and then, so that the port is served as long as any of them lives. With a
 * range of ports each takes one.
 */
#ifndef PGUSHER_WORKER_HTTP_H
#define PGUSHER_WORKER_HTTP_H

struct worker;
struct worker_http;

/* Makes worker->http what worker->config says: opens it, closes it, or leaves it. */
void worker_http_configure(struct worker *worker);
void worker_http_free(struct worker_http *http); /* NULL-safe */

#endif
