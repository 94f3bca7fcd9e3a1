/* Progress of a long run on stderr: a bar with rate and time left on a terminal, now and then a line
 * otherwise. */
#ifndef PGUSHER_PROGRESS_H
#define PGUSHER_PROGRESS_H

#include <stdint.h>

struct progress;

/* total < 0: unknown. `label` must outlive it. */
struct progress *progress_new(const char *label, int64_t total);
/* So many were done before. */
void progress_from(struct progress *progress, int64_t done);
/* The total is another one, or known only now. */
void progress_aim(struct progress *progress, int64_t total);
/* How many keys of Redis were compared first; 0: none. */
void progress_keys(struct progress *progress, int64_t keys);
void progress_update(struct progress *progress, int64_t done);
/* Ends the line; says how many, how long and how fast. Frees. */
void progress_end(struct progress *progress, int64_t done);

#endif
