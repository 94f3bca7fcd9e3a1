/* What a program that has shim.c preloaded may ask of it. The N-th allocation from now on fails (after: and
 * all that follow it); 0 ends it. */
#ifndef PGUSHER_INJECT_SHIM_H
#define PGUSHER_INJECT_SHIM_H

void inject_arm(long first, int after);
long inject_failed(void); /* how many have failed since */
long inject_live(void);   /* allocations that are not freed yet, whoever made them */

#endif
