#include "tests/queue_model/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int count, failed;

void tap_result(bool ok, const char *format, ...)
{
    va_list args;

    printf("%s %d ", ok ? "ok" : "not ok", ++count);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    failed += !ok;
    if (failed && getenv("STOP"))
        exit(1);
}

void tap_seed(uint64_t seed)
{
    printf("# again: SEED=%llu tests/queue_model/run.sh\n", (unsigned long long)seed);
}

int tap_end(void)
{
    printf("1..%d\n", count);
    return failed ? 1 : 0;
}
