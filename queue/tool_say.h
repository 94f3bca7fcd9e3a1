/* How a verb of pgusher-queue opens its queue, and how it says on stderr what is wrong: "pgusher-queue: …".
 */
#ifndef PGUSHER_QUEUE_TOOL_SAY_H
#define PGUSHER_QUEUE_TOOL_SAY_H

#include "common/status.h"
#include "queue/tool_target.h"

void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A handle, not yet connected: the first call does that, and its failure is told by tool_fail. timeout_ms of
 * a call, 0 for the usual one. NULL after it has said what is wrong with the address. */
struct pgusher_queue *tool_open(const struct tool_target *target, int timeout_ms);
/* Says why the last call failed, and gives the exit code for it. */
enum exit_code tool_fail(const struct pgusher_queue *queue);
/* The same for raw commands. */
enum exit_code tool_fail_with(const struct err *err, const struct tool_target *target);

#endif
