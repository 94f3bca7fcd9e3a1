#include "common/redis_error.h"

#include <string.h>

static const struct {
    const char *word;
    enum status status;
} words[] = {
    {"LOADING", ST_AGAIN},     {"BUSY", ST_AGAIN},       {"OOM", ST_AGAIN},        {"TRYAGAIN", ST_AGAIN},
    {"CLUSTERDOWN", ST_AGAIN}, {"NOREPLICAS", ST_AGAIN}, {"UNKILLABLE", ST_AGAIN}, {"READONLY", ST_LOST},
    {"MOVED", ST_LOST},        {"ASK", ST_LOST},         {"MASTERDOWN", ST_LOST},  {"NOAUTH", ST_CONFIG},
    {"WRONGPASS", ST_CONFIG},  {"NOPERM", ST_CONFIG},    {"MISCONF", ST_CONFIG},   {"NOPROTO", ST_CONFIG},
    {"DENIED", ST_CONFIG},
};

enum status redis_error_classify(const char *text)
{
    size_t len = strcspn(text, " ");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i].word) == len && strncmp(words[i].word, text, len) == 0)
            return words[i].status;
    if (strncmp(text, "ERR unknown command", 19) == 0 || strncmp(text, "ERR DB index", 12) == 0 ||
        strncmp(text, "ERR The user executing the script", 33) == 0 ||
        strncmp(text, "ERR Protocol error: unauthenticated", 35) ==
            0 || /* a long command without a password */
        strncmp(text, "ERR invalid DB", 14) == 0 ||
        strncmp(text, "ERR AUTH", 8) == 0)
        return ST_CONFIG;
    if (strncmp(text, "ERR max number of clients", 25) == 0)
        return ST_AGAIN;
    return ST_REFUSED;
}
