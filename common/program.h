/* What each of our programs does first. */
#ifndef PGUSHER_PROGRAM_H
#define PGUSHER_PROGRAM_H

/* Memory that runs out ends the program (mem.h, jconf.h); standard input, output and error are open; messages
 * begin with its name. Once, at the beginning of main. */
void program_begin(const char *name);

#endif
