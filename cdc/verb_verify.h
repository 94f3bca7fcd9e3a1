/* What pgusher verify prints. */
#ifndef PGUSHER_VERB_VERIFY_H
#define PGUSHER_VERB_VERIFY_H

#include <jansson.h>

#include "cdc/verify.h"

struct verify_report {
    const struct verify_result **results;
    size_t count;
    json_t *last; /* what earlier runs found, when this one could not begin; NULL: not asked for */
};

/* An array with what the last run of each projection found. The caller's; NULL with err set. */
json_t *verify_report_last(struct session *session, struct err *err);

/* Prints all, and gives the exit code; err: why the run is not complete, if it is not. */
enum exit_code verify_report_print(const struct verify_report *report, bool json, const struct err *err);

#endif
