/* What the model puts in the place of libc.
 *
 * Lost answers: the read() and recv() that hiredis calls can be made to fail after the answer has arrived. So
 * Redis has done what it was asked, and the library cannot know.
 *
 * Chance: getrandom() gives the same to the same seed, or names of consumers would differ when a history is
 * replayed. */
#ifndef QUEUE_MODEL_FAULT_H
#define QUEUE_MODEL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

void fault_seed(uint64_t seed);
void fault_spare(int fd); /* the model's own connection */
/* The answer that comes after `passed` others is lost. */
void fault_lose_answer(int passed);
bool fault_disarm(void); /* whether an answer was lost since the last call */

#endif
