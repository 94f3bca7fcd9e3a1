/* Numbers as people read them. The text lives until the end of the full expression:
 * printf("%s changes", human_count(3210).text). Pure. */
#ifndef PGUSHER_HUMAN_H
#define PGUSHER_HUMAN_H

#include <stdint.h>

struct human {
    char text[64];
};

struct human human_count(int64_t count); /* "3,210" */
/* "1 change", "3,210 changes"; the word is given for one, and takes an s. Of some 30 bytes at most. */
struct human human_of(int64_t count, const char *word);
struct human human_ms(int64_t ms); /* "350 ms", "3.2 s", "12 s", "5 min 3 s", "2 h 5 min", "3 days 4 h" */
struct human human_bytes(int64_t bytes);    /* "512 bytes", "1.5 MB": of 1024 each */
struct human human_rate(double per_second); /* "0.3", "12", "3,210" */

#endif
