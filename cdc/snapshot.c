#include "cdc/snapshot.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Reads one xid and the separator behind it; NULL when there is none. */
static const char *read_xid(const char *text, char separator, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return NULL;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno || *end != separator)
        return NULL;
    return separator ? end + 1 : end;
}

/* In order, from xmin up to xmax: PostgreSQL takes no others. */
static int64_t count_in_progress(const char *list, uint64_t xmin, uint64_t xmax)
{
    int64_t count = 0;

    if (!*list)
        return 0;
    for (uint64_t least = xmin;; count++) {
        char *end;
        uint64_t xid;

        if (!isdigit((unsigned char)*list))
            return -1;
        errno = 0;
        xid = strtoull(list, &end, 10);
        if (errno || xid < least || xid >= xmax)
            return -1;
        if (!*end)
            return count + 1;
        if (*end != ',')
            return -1;
        least = xid + 1;
        list = end + 1;
    }
}

/* 0 is none, in its lower half either: there an epoch begins. */
static bool is_xid(uint64_t xid)
{
    return (uint32_t)xid != 0;
}

int64_t snapshot_ordinal(const char *text)
{
    uint64_t xmin, xmax;
    int64_t running;

    text = read_xid(text, ':', &xmin);
    if (text)
        text = read_xid(text, ':', &xmax);
    if (!text || xmin > xmax || !is_xid(xmin) || !is_xid(xmax) || xmax > INT64_MAX)
        return -1;
    running = count_in_progress(text, xmin, xmax);
    if (running < 0)
        return -1;
    return (int64_t)xmax - 1 - running;
}

int64_t version_make(int64_t epoch, int64_t ordinal)
{
    if (epoch < 0 || epoch > VERSION_MAX_EPOCH || ordinal < 0 ||
        ordinal >= (int64_t)1 << VERSION_ORDINAL_BITS)
        return -1;
    return (epoch << VERSION_ORDINAL_BITS) | ordinal;
}
