#include "cdc/document.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/script.h"

void document_digest(const struct buf *fields, int64_t expire_ms, char ret_digest[DIGEST_LENGTH + 1])
{
    uint64_t digest = XXH3_64bits_withSeed(fields->data, fields->len, (uint64_t)expire_ms);

    for (size_t i = DIGEST_LENGTH; i-- > 0; digest >>= 4)
        ret_digest[i] = "0123456789abcdef"[digest & 15];
    ret_digest[DIGEST_LENGTH] = '\0';
}

int64_t document_expire_ms(const char *text, int64_t grace_ms)
{
    int64_t ms;

    if (!text || strcmp(text, "infinity") == 0)
        return -1;
    if (strcmp(text, "-infinity") == 0)
        return 1;
    ms = strtoll(text, NULL, 10) + grace_ms;
    return ms > 0 ? ms : 1;
}

static void read_key(struct document *document, const struct plan_projection *projection,
                     const struct pg_rows *rows, int row)
{
    const struct key_template *key = projection->config->key;

    buf_clear(&document->key);
    document->has_null = false;
    for (size_t i = 0; i < template_columns(key); i++) {
        document->values[i] = pg_rows_get(rows, row, DOC_FIRST + projection->key_columns[i], NULL);
        if (document->values[i])
            continue;
        document->has_null = true;
        document->values[i] = "*";
    }
    template_render(key, document->values, &document->key);
}

void document_read(struct document *document, const struct plan_projection *projection,
                   const struct pg_rows *rows, int row)
{
    buf_clear(&document->fields);
    document->nfields = 0;
    for (size_t i = 0; i < projection->config->nid; i++)
        document->id[i] = pg_rows_get(rows, row, DOC_FIRST + projection->id_columns[i], NULL);
    read_key(document, projection, rows, row);
    document->expire_ms =
        document_expire_ms(pg_rows_get(rows, row, DOC_EXPIRE, NULL), projection->config->expire_grace_ms);
    for (size_t i = 0; i < projection->ncolumns; i++) {
        size_t len;
        const char *value = pg_rows_get(rows, row, DOC_FIRST + (int)i, &len);

        if (!projection->stored[i] || !value)
            continue;
        resp_put_bulk(&document->fields, projection->names[i], strlen(projection->names[i]));
        resp_put_bulk(&document->fields, value, len);
        document->nfields++;
    }
}

void document_free(struct document *document)
{
    buf_free(&document->key);
    buf_free(&document->fields);
}
