#include "common/human.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct human human_count(int64_t count)
{
    struct human human;
    char digits[24];
    size_t len, out = 0;

    snprintf(digits, sizeof(digits), "%llu",
             count < 0 ? 0ULL - (unsigned long long)count : (unsigned long long)count);
    len = strlen(digits);
    if (count < 0)
        human.text[out++] = '-';
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            human.text[out++] = ',';
        human.text[out++] = digits[i];
    }
    human.text[out] = '\0';
    return human;
}

struct human human_of(int64_t count, const char *word)
{
    struct human human;

    snprintf(human.text, sizeof(human.text), "%.30s %.30s%s", human_count(count).text, word,
             count == 1 ? "" : "s");
    return human;
}

/* "5 min 3 s", without the smaller part when that is 0 */
static struct human in_two(int64_t ms, int64_t unit, const char *name, int64_t smaller,
                           const char *smaller_name)
{
    int64_t more = ms % unit / smaller;
    struct human human;

    if (more)
        snprintf(human.text, sizeof(human.text), "%lld %s %lld %s", (long long)(ms / unit), name,
                 (long long)more, smaller_name);
    else
        snprintf(human.text, sizeof(human.text), "%lld %s", (long long)(ms / unit), name);
    return human;
}

struct human human_ms(int64_t ms)
{
    struct human human;

    if (ms >= 2 * DAY)
        return in_two(ms, DAY, "days", HOUR, "h");
    if (ms >= HOUR)
        return in_two(ms, HOUR, "h", MINUTE, "min");
    if (ms >= MINUTE)
        return in_two(ms, MINUTE, "min", SECOND, "s");
    if (ms < SECOND)
        snprintf(human.text, sizeof(human.text), "%lld ms", (long long)ms);
    else if (ms < 10 * SECOND)
        snprintf(human.text, sizeof(human.text), "%lld.%lld s", (long long)(ms / SECOND),
                 (long long)(ms % SECOND / 100));
    else
        snprintf(human.text, sizeof(human.text), "%lld s", (long long)(ms / SECOND));
    return human;
}

struct human human_bytes(int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    struct human human;
    size_t i = 0;

    while (amount >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1024;
        i++;
    }
    snprintf(human.text, sizeof(human.text), "%.*f %s", i && amount < 100 ? 1 : 0, amount, units[i]);
    return human;
}

struct human human_rate(double per_second)
{
    struct human human;

    if (per_second >= 10 || per_second <= 0)
        return human_count((int64_t)(per_second + 0.5));
    snprintf(human.text, sizeof(human.text), "%.1f", per_second);
    return human;
}
