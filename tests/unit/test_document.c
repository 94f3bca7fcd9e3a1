/* The pure part of cdc/document.h. */
#include "cdc/document.h"

#include "unit.h"

#define DAY INT64_C(86400000)

static const struct {
    const char *text;
    int64_t grace_ms;
    int64_t expire_ms;
} expiries[] = {
    {NULL, 0, -1},
    {NULL, 10 * DAY, -1},
    {"infinity", 0, -1},
    {"infinity", 10 * DAY, -1},
    {"-infinity", 0, 1},
    {"-infinity", 10 * DAY, 1},
    {"1772359200000", 0, INT64_C(1772359200000)},
    {"1772359200123", 10 * DAY, INT64_C(1772359200123) + 10 * DAY},
    {"1", 0, 1},
    {"0", 0, 1},
    {"-1", 0, 1},
    {"-210866803200000", 0, 1}, /* 4714 BC */
    {"-1000", 2000, 1000},      /* before 1970, with the grace behind it */
    {"-2000", 2000, 1},
    {"9224318015999999", 36600 * DAY, INT64_C(9224318015999999) + 36600 * DAY}, /* 294276 AD */
    {"185542587100800000", 0, INT64_C(185542587100800000)}, /* the last date: 5874897 AD */
};

START_TEST(expiry)
{
    ck_assert_int_eq(document_expire_ms(expiries[_i].text, expiries[_i].grace_ms), expiries[_i].expire_ms);
}
END_TEST

UNIT_MAIN("document", UNIT_ROWS(expiry, expiries))
