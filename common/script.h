/* Calls of the Lua scripts that Redis runs, as commands in the wire format. Pure: sending them is for
 * script_send.h (asynchronous) and the queue library (blocking). */
#ifndef PGUSHER_SCRIPT_H
#define PGUSHER_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct script {
    const char *name;
    const char *sha1; /* of text, hexadecimal */
    const char *text;
};

struct script_call;

/* Where memory may run out (mem.h) a call may be NULL or lack something: all here bear that, and what
 * script_encode makes of it has failed. */
struct script_call *script_call_new(const struct script *script);
void script_call_fail(struct script_call *call); /* a word of it could not be had */
void script_call_free(struct script_call *call); /* NULL-safe */
void script_key(struct script_call *call, const char *key, size_t len);
void script_arg(struct script_call *call, const char *arg, size_t len);
void script_arg_int(struct script_call *call, int64_t arg);
/* `count` keys or arguments that resp_put_bulk wrote one behind the other. */
void script_keys_raw(struct script_call *call, const struct buf *keys, size_t count);
void script_args_raw(struct script_call *call, const struct buf *args, size_t count);
/* The first key of a call that has one; not NUL-terminated. */
const char *script_first_key(const struct script_call *call, size_t *ret_len);
size_t script_call_bytes(const struct script_call *call); /* keys and arguments so far */

/* Adds the command to `command`: EVALSHA, which Redis answers with NOSCRIPT when it does not know the script
 * (any more); or EVAL with the text. */
enum script_verb { SCRIPT_EVALSHA, SCRIPT_EVAL };
void script_encode(const struct script_call *call, enum script_verb verb, struct buf *command);

/* One word in the wire format: $length, the bytes. */
void resp_put_bulk(struct buf *buf, const char *data, size_t len);
/* A command of NUL-terminated words. */
void resp_put_command(struct buf *buf, int argc, const char *const *argv);

#endif
