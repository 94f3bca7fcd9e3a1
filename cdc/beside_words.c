/* Words of the commands that write records. See beside.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside_private.h"
#include "common/mem.h"
#include "common/script.h"

static void words_put(struct words *words, const char *word)
{
    resp_put_bulk(&words->text, word, strlen(word));
    words->count++;
}

void words_put_pair(struct words *words, const char *name, const char *value)
{
    words_put(words, name);
    words_put(words, value);
}

void words_put_cursor(struct words *words, int part, const struct cursor *cursor)
{
    char *text = cursor_encode(cursor), name[16];

    snprintf(name, sizeof(name), "p%d", part);
    words_put_pair(words, name, text);
    free(text);
}

char *note_name(const char *projection)
{
    return mem_printf("backfill:%s", projection);
}

void words_put_note(struct words *words, const char *projection, const char *text)
{
    char *name = note_name(projection);

    words_put_pair(words, name, text);
    free(name);
}

void words_free(struct words *words)
{
    buf_free(&words->text);
}
