/* Included before everything else in the build that counts coverage: who leaves without exit handlers writes
 * its counters first. What a test kills with SIGKILL is not counted. */
#ifndef PGUSHER_COUNTED_H
#define PGUSHER_COUNTED_H

#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);

#define _exit(code) (__gcov_dump(), _exit(code))
#define abort() (__gcov_dump(), abort())

#endif
