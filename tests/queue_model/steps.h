/* One step of a random history: one thing that a producer, a consumer, an operator, or time does. */
#ifndef QUEUE_MODEL_STEPS_H
#define QUEUE_MODEL_STEPS_H

#include "tests/queue_model/world.h"

/* Chooses a step, takes it, and looks at the keys if it was a special one. False: something is broken. */
bool steps_take(struct world *world);

/* consumers and producers that use the library: steps_native.c */
void step_change(struct world *world);
void step_push(struct world *world);
void step_push_later(struct world *world);
void step_reserve(struct world *world);
void step_ack_reserve(struct world *world);
void step_read(struct world *world);
void step_settle(struct world *world);
void step_heartbeat(struct world *world);
void step_move(struct world *world);
void step_crash(struct world *world);
void step_come_back(struct world *world);
void step_close(struct world *world);

/* plain ones: steps_plain.c */
void step_plain_push(struct world *world);
void step_plain_pop(struct world *world);
void step_plain_read(struct world *world);
void step_plain_done(struct world *world);
void step_plain_crash(struct world *world);
void step_promote(struct world *world); /* pgusherd does, for them */
void step_sooner(struct world *world);  /* pgusherd does, of what has changed */
/* A plain consumer that held an item for too long, or whose item was taken back though it had not (the
 * documented limit of Q:seen), does not come back: its late LREM could take what is another's. */
void plain_give_up_overdue(struct world *world);

/* recovery, operators, Redis: steps_operator.c */
void step_recover(struct world *world);
void step_recover_one(struct world *world);
void step_recover_living(struct world *world); /* 11 */
void step_replay(struct world *world);
void step_replay_all(struct world *world);
void step_remove(struct world *world);
void step_purge_dead(struct world *world);
void step_purge_all(struct world *world);
void step_pause(struct world *world);
void step_stats(struct world *world);
void step_forget_scripts(struct world *world);
void step_cut_connections(struct world *world);
void step_restart(struct world *world); /* Redis has another run id */

/* time: steps_time.c */
void step_wait_little(struct world *world);
void step_wait_lease(struct world *world);
void step_wait_long(struct world *world);
void step_wait_plain_timeout(struct world *world);
void step_clock_goes_back(struct world *world);

#endif
