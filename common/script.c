#include "common/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct script_call {
    const struct script *script;
    struct buf keys; /* in the wire format */
    struct buf args;
    size_t first_key; /* where its bytes begin in keys */
    size_t first_key_len;
    size_t nkeys;
    size_t nargs;
};

struct script_call *script_call_new(const struct script *script)
{
    struct script_call *call = mem_zalloc(sizeof(*call));

    if (call)
        call->script = script;
    return call;
}

void script_call_fail(struct script_call *call)
{
    if (call)
        call->keys.failed = true;
}

void script_call_free(struct script_call *call)
{
    if (!call)
        return;
    buf_free(&call->keys);
    buf_free(&call->args);
    free(call);
}

void resp_put_bulk(struct buf *buf, const char *data, size_t len)
{
    char head[DECIMAL_MAX + 3] = "$";
    size_t n = 1 + decimal_put(head + 1, (int64_t)len);

    memcpy(head + n, "\r\n", 2);
    buf_add(buf, head, n + 2);
    buf_add(buf, data, len);
    buf_add(buf, "\r\n", 2);
}

void script_key(struct script_call *call, const char *key, size_t len)
{
    if (!call)
        return;
    resp_put_bulk(&call->keys, key, len);
    if (call->nkeys++ == 0) {
        call->first_key = call->keys.len - len - 2;
        call->first_key_len = len;
    }
}

const char *script_first_key(const struct script_call *call, size_t *ret_len)
{
    *ret_len = call->first_key_len;
    return call->keys.data + call->first_key;
}

void script_arg(struct script_call *call, const char *arg, size_t len)
{
    if (!call)
        return;
    call->nargs++;
    resp_put_bulk(&call->args, arg, len);
}

void script_arg_int(struct script_call *call, int64_t arg)
{
    char digits[DECIMAL_MAX];

    script_arg(call, digits, decimal_put(digits, arg));
}

void script_keys_raw(struct script_call *call, const struct buf *keys, size_t count)
{
    if (!call)
        return;
    call->nkeys += count;
    buf_add_buf(&call->keys, keys);
}

void script_args_raw(struct script_call *call, const struct buf *args, size_t count)
{
    if (!call)
        return;
    call->nargs += count;
    buf_add_buf(&call->args, args);
}

size_t script_call_bytes(const struct script_call *call)
{
    return call->keys.len + call->args.len;
}

void resp_put_command(struct buf *buf, int argc, const char *const *argv)
{
    buf_printf(buf, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++)
        resp_put_bulk(buf, argv[i], strlen(argv[i]));
}

void script_encode(const struct script_call *call, enum script_verb verb, struct buf *command)
{
    const char *word = verb == SCRIPT_EVAL ? "EVAL" : "EVALSHA", *script;
    char nkeys[24];

    if (!call) {
        command->failed = true;
        return;
    }
    script = verb == SCRIPT_EVAL ? call->script->text : call->script->sha1;
    snprintf(nkeys, sizeof(nkeys), "%zu", call->nkeys);
    buf_printf(command, "*%zu\r\n", 3 + call->nkeys + call->nargs);
    resp_put_bulk(command, word, strlen(word));
    resp_put_bulk(command, script, strlen(script));
    resp_put_bulk(command, nkeys, strlen(nkeys));
    buf_add_buf(command, &call->keys);
    buf_add_buf(command, &call->args);
}
