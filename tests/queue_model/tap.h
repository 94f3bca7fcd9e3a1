/* The Test Anything Protocol: one line a test, the number of tests at the end. With $STOP=1 the first failure
 * ends the program. */
#ifndef QUEUE_MODEL_TAP_H
#define QUEUE_MODEL_TAP_H

#include <stdbool.h>
#include <stdint.h>

void tap_result(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_seed(uint64_t seed); /* how to see the last failure again */
int tap_end(void);            /* the program's exit code */

#endif
