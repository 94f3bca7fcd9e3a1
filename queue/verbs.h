/* The verbs of pgusher-queue, each in a file of its name (verb_push.c), or of its first one's where several
 * share it. */
#ifndef PGUSHER_QUEUE_VERBS_H
#define PGUSHER_QUEUE_VERBS_H

#include "queue/tool_options.h"

typedef enum exit_code verb_fn(const struct tool *tool);

verb_fn verb_list;
verb_fn verb_stats;
verb_fn verb_peek; /* verb_peek.c */
verb_fn verb_dead;
verb_fn verb_push;
verb_fn verb_recover; /* verb_pause.c */
verb_fn verb_pause;
verb_fn verb_resume;
verb_fn verb_replay; /* verb_replay.c */
verb_fn verb_rm;
verb_fn verb_purge;
verb_fn verb_doctor; /* doctor.c */

#endif
