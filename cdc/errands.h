/* Calls of one script about many subjects: each subject's key goes into a call of its route, and each subject
 * is told its part of the answer. For scripts that answer with one element per subject.
 */
#ifndef PGUSHER_ERRANDS_H
#define PGUSHER_ERRANDS_H

#include <stdbool.h>

#include "common/rconn.h"
#include "common/script.h"

struct errands;

/* The reply is an error only when it stands in the way of this subject alone. */
typedef void errands_answer_fn(void *arg, size_t subject, const struct rreply *reply);

/* done: called when everything that was sent is answered; may send more. */
struct errands *errands_new(struct rconn *rconn, void (*done)(void *arg), void *arg);
void errands_free(struct errands *errands); /* NULL-safe; what is outstanding is waited for */

/* What is added from now on is for this script. Nothing may be outstanding. */
void errands_use(struct errands *errands, const struct script *script, errands_answer_fn *answer);
/* The caller adds the arguments of this subject, about `words` of them, before the next one. */
struct script_call *errands_add(struct errands *errands, const char *key, size_t subject, size_t words);
void errands_send(struct errands *errands);
bool errands_idle(const struct errands *errands);

/* Sends and waits. 0, or -1 with err set when anything that was sent since the last wait failed. */
int errands_wait(struct errands *errands, struct err *err);
/* Whether something has failed since the last wait. */
bool errands_failed(const struct errands *errands);

#endif
