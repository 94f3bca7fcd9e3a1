/* One row of a document SELECT as what the sink wants: key, expiry, fields. Pure. */
#ifndef PGUSHER_DOCUMENT_H
#define PGUSHER_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/plan.h"
#include "common/buf.h"
#include "common/pg.h"

struct document {
    const char *id[MAX_ID_COLUMNS];      /* points into the row, as the next */
    const char *values[MAX_KEY_COLUMNS]; /* of the key template's columns; * for NULL */
    bool has_null;                       /* one of these is: there is no key */
    struct buf key;
    int64_t expire_ms; /* with the grace; < 0: never */
    struct buf fields; /* nfields times name, value in the wire format */
    size_t nfields;
};

/* Fills document from a row behind the first; reuses its buffers. NULL columns are no fields. */
void document_read(struct document *document, const struct plan_projection *projection,
                   const struct pg_rows *rows, int row);
void document_free(struct document *document);

/* What tells two contents apart: 16 hexadecimal digits over the fields, as they stand in a document, and the
 * date. */
enum { DIGEST_LENGTH = 16 };
void document_digest(const struct buf *fields, int64_t expire_ms, char ret_digest[DIGEST_LENGTH + 1]);

/* ms since 1970 of an EXPIRE column and the grace: -1 for NULL and infinity, 1 (long past) for -infinity. */
int64_t document_expire_ms(const char *text, int64_t grace_ms);

#endif
