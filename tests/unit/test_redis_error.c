/* common/redis_error.h */
#include "common/redis_error.h"

#include "unit.h"

static const struct {
    const char *text;
    enum status status;
} replies[] = {
    {"LOADING Redis is loading the dataset in memory", ST_AGAIN},
    {"BUSY Redis is busy running a script.", ST_AGAIN},
    {"OOM command not allowed when used memory > 'maxmemory'.", ST_AGAIN},
    {"TRYAGAIN Multiple keys request during rehashing of slot", ST_AGAIN},
    {"CLUSTERDOWN The cluster is down", ST_AGAIN},
    {"NOREPLICAS Not enough good replicas to write.", ST_AGAIN},
    {"ERR max number of clients reached", ST_AGAIN},
    {"READONLY You can't write against a read only replica.", ST_LOST},
    {"MOVED 3999 127.0.0.1:6381", ST_LOST},
    {"ASK 3999 127.0.0.1:6381", ST_LOST},
    {"MASTERDOWN Link with MASTER is down", ST_LOST},
    {"NOAUTH Authentication required.", ST_CONFIG},
    {"WRONGPASS invalid username-password pair or user is disabled.", ST_CONFIG},
    {"NOPERM this user has no permissions to run the 'hset' command", ST_CONFIG},
    {"ERR The user executing the script can't run this command or subcommand script: 0d84", ST_CONFIG},
    {"ERR ACL failure in script: User default has no permissions to run the 'restore' command", ST_CONFIG},
    {"MISCONF Redis is configured to save RDB snapshots, but it can't persist on disk.", ST_CONFIG},
    {"ERR unknown command 'HSET', with args beginning with: 'a'", ST_CONFIG},
    {"ERR unknown command `HSET`", ST_CONFIG},
    {"ERR Protocol error: unauthenticated multibulk length", ST_CONFIG},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", ST_REFUSED},
    {"ERR value is not an integer or out of range", ST_REFUSED},
    {"BUSYKEY Target key name already exists.", ST_REFUSED},
    {"OOMPH", ST_REFUSED},
    {"LOADING", ST_AGAIN},
    {"loading", ST_REFUSED},
    {"ERR", ST_REFUSED},
    {"", ST_REFUSED},
};

START_TEST(error_words)
{
    ck_assert_msg(redis_error_classify(replies[_i].text) == replies[_i].status, "%s", replies[_i].text);
}
END_TEST

UNIT_MAIN("redis_error", UNIT_ROWS(error_words, replies))
