#include "cdc/snapshot.h"

#include <ctype.h>
#include <errno.h>
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

static int64_t count_in_progress(const char *list)
{
    int64_t count = 0;

    if (!*list)
        return 0;
    for (;;) {
        char *end;

        if (!isdigit((unsigned char)*list))
            return -1;
        strtoull(list, &end, 10);
        count++;
        if (!*end)
            return count;
        if (*end != ',')
            return -1;
        list = end + 1;
    }
}

int64_t snapshot_ordinal(const char *text)
{
    uint64_t xmin, xmax;
    int64_t running;

    text = read_xid(text, ':', &xmin);
    if (text)
        text = read_xid(text, ':', &xmax);
    if (!text || xmin > xmax)
        return -1;
    running = count_in_progress(text);
    if (running < 0 || xmax > INT64_MAX || (int64_t)xmax - 1 - running < 0)
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
