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

static bool begins_with_word(const char *text, const char *word)
{
    size_t len = strcspn(text, " ");

    return strlen(word) == len && strncmp(word, text, len) == 0;
}

bool redis_error_is_of_server(const char *text)
{
    return begins_with_word(text, "READONLY") || begins_with_word(text, "MASTERDOWN") ||
           begins_with_word(text, "LOADING") || begins_with_word(text, "CLUSTERDOWN");
}

bool redis_error_redirects(const char *text)
{
    return begins_with_word(text, "MOVED") || begins_with_word(text, "ASK");
}

enum status redis_error_classify(const char *text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (begins_with_word(text, words[i].word))
            return words[i].status;
    if (strncmp(text, "ERR unknown command", 19) == 0 || strncmp(text, "ERR DB index", 12) == 0 ||
        strncmp(text, "ERR The user executing the script", 33) == 0 || /* Redis 7.0 */
        strncmp(text, "ERR ACL failure in script", 25) == 0 ||         /* later ones, and Valkey */
        strncmp(text, "ERR Protocol error: unauthenticated", 35) ==
            0 || /* a long command without a password */
        strncmp(text, "ERR invalid DB", 14) == 0 ||
        strncmp(text, "ERR AUTH", 8) == 0)
        return ST_CONFIG;
    if (strncmp(text, "ERR max number of clients", 25) == 0)
        return ST_AGAIN;
    return ST_REFUSED;
}
