/* What a step may do after an error, and the one error text that travels with it.
 *
 * Every failure is classified once, where it enters the program (an SQLSTATE, a Redis error word,
 * an errno), into what its owner may do about it. Everything above that edge only looks at the class.
 */
#ifndef PGUSHER_STATUS_H
#define PGUSHER_STATUS_H

#include <stdarg.h>

enum status {
    ST_OK,      /* done */
    ST_AGAIN,   /* not done; the same call may succeed later */
    ST_LOST,    /* outcome unknown: the retry must be idempotent */
    ST_REFUSED, /* this input is poison; park it with its reason and go on */
    ST_CONFIG,  /* an operator must act: configuration, privileges, credentials */
    ST_UNFIT,   /* the same, but only this part of the work is concerned: leave it out, and go on */
};

/* The first text wins: err_set on an err that is already set changes nothing, so that a cause is
 * never painted over by its consequences. Zero-initialise with ERR_NONE. */
struct err {
    enum status status;
    char text[768];
};

#define ERR_NONE                                                                                             \
    {                                                                                                        \
        ST_OK, ""                                                                                            \
    }

void err_clear(struct err *err);
void err_set(struct err *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void err_set_memory(struct err *err); /* it was out: ST_AGAIN */
void err_copy(struct err *err, const struct err *from);
/* The same for one of several who were asked: the first reason stays, but what an operator must mend is told
 * rather than that somebody is down. */
void err_copy_graver(struct err *err, const struct err *from);
/* Puts "context: " before the text of an error; nothing when there is none. */
void err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exit codes of all programs. */
enum exit_code {
    EX_DONE = 0,
    EX_NOT_SO = 1,      /* the thing asked for is not so */
    EX_BAD_USAGE = 64,  /* command line */
    EX_NO_SERVICE = 69, /* PostgreSQL or Redis unavailable */
    EX_BAD_CONFIG = 78, /* configuration */
};

enum exit_code status_exit_code(enum status status);

#endif
