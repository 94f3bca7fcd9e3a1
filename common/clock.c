#include "common/clock.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t now_ms(clockid_t id)
{
    return now_us(id) / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return now_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
    return now_ms(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

int64_t clock_offset_ms(int64_t theirs_ms, int64_t before_ms, int64_t after_ms)
{
    if (theirs_ms < before_ms)
        return theirs_ms - before_ms;
    return theirs_ms > after_ms ? theirs_ms - after_ms : 0;
}

static const struct unit {
    const char *name;
    double ms;
} units[] = {
    {"ms", 1},         {"millisecond", 1}, {"milliseconds", 1}, {"s", 1e3},       {"sec", 1e3},
    {"second", 1e3},   {"seconds", 1e3},   {"min", 60e3},       {"minute", 60e3}, {"minutes", 60e3},
    {"h", 3600e3},     {"hour", 3600e3},   {"hours", 3600e3},   {"d", 86400e3},   {"day", 86400e3},
    {"days", 86400e3}, {"week", 604800e3}, {"weeks", 604800e3},
};

static const double MAX_MS = 100.0 * 366 * 86400e3;

static double unit_ms(const char *name)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].ms;
    return -1;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
    char *end;
    double number, unit;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return -1;
    number = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    unit = *end ? unit_ms(end) : (number == 0 ? 1 : -1);
    if (unit < 0 || !isfinite(number) || number * unit > MAX_MS)
        return -1;
    *ret_ms = (int64_t)(number * unit + 0.5);
    return 0;
}
