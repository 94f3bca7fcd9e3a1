/* cdc/pace.h */
#include "cdc/pace.h"

#include "unit.h"

enum { STEPS = 400 };

/* What a place is like: what a step costs there, and each of its documents, in microseconds. */
struct place {
    int step_us;
    int document_us;
};

struct outcome {
    int64_t documents, longest_ms, ms;
};

static int64_t cost_ms(const struct place *place, int limit)
{
    return (place->step_us + (int64_t)limit * place->document_us + 500) / 1000;
}

static struct outcome walk(struct pace *pace, const struct place *place, int steps)
{
    struct outcome outcome = {0};

    for (int i = 0; i < steps; i++) {
        int limit = pace_choose(pace);
        int64_t ms = cost_ms(place, limit);

        ck_assert(limit == PACE_SMALL || limit == PACE_LARGE);
        pace_took(pace, limit, limit, ms);
        outcome.documents += limit;
        outcome.ms += ms;
        if (ms > outcome.longest_ms)
            outcome.longest_ms = ms;
    }
    return outcome;
}

START_TEST(cheap_documents_come_by_the_hundred)
{
    struct outcome outcome = walk(&(struct pace){0}, &(struct place){300, 20}, STEPS);

    ck_assert_int_eq(outcome.documents, STEPS * PACE_LARGE);
}
END_TEST

START_TEST(dear_documents_come_by_the_ten)
{
    struct outcome outcome = walk(&(struct pace){0}, &(struct place){300, 1000}, STEPS);

    ck_assert_int_lt(outcome.documents, STEPS * PACE_SMALL * 2);
}
END_TEST

/* Far away, or on a machine that has much else to do. */
START_TEST(where_steps_are_dear_they_are_not_made_small)
{
    struct outcome outcome = walk(&(struct pace){0}, &(struct place){50000, 20}, STEPS);

    ck_assert_int_gt(outcome.documents, STEPS * PACE_LARGE * 9 / 10);
}
END_TEST

START_TEST(what_changes_is_noticed)
{
    static const struct place dear = {300, 1000}, cheap = {300, 20}, far = {50000, 20};
    struct pace pace = {0};

    walk(&pace, &dear, STEPS);
    ck_assert_int_gt(walk(&pace, &cheap, STEPS).documents, STEPS * PACE_LARGE / 2);
    ck_assert_int_lt(walk(&pace, &dear, STEPS).documents, STEPS * PACE_LARGE / 4);
    ck_assert_int_gt(walk(&pace, &far, STEPS).documents, STEPS * PACE_LARGE / 2);
}
END_TEST

/* The last step of a backfill says nothing about others. */
START_TEST(a_step_that_met_few_documents_teaches_nothing)
{
    struct pace pace = {0};

    pace_took(&pace, PACE_LARGE, 3, 1000);
    ck_assert_int_eq(pace_choose(&pace), PACE_LARGE);
}
END_TEST

UNIT_MAIN("pace", UNIT(cheap_documents_come_by_the_hundred), UNIT(dear_documents_come_by_the_ten),
          UNIT(where_steps_are_dear_they_are_not_made_small), UNIT(what_changes_is_noticed),
          UNIT(a_step_that_met_few_documents_teaches_nothing))
