/* queue/consume_work.h and queue/consume_end.h */
#include "queue/consume_work.h"

#include <signal.h>

#include "unit.h"

static const struct run_end GOOD = {END_EXITED, 0};
static const struct run_end FAILED = {END_EXITED, 3};

/* ---- how a run ended ---- */

static const struct {
    int wait_status;
    struct run_end end;
    enum run_meaning meaning;
    enum run_meaning while_stopping;
    const char *text;
} ends[] = {
    {0, {END_EXITED, 0}, RUN_GOOD, RUN_GOOD, "CMD exited with status 0"},
    {3 << 8, {END_EXITED, 3}, RUN_BAD, RUN_BAD, "CMD exited with status 3"},
    {75 << 8, {END_EXITED, 75}, RUN_UNAVAILABLE, RUN_UNAVAILABLE, "CMD exited with status 75"},
    {126 << 8, {END_EXITED, 126}, RUN_NO_COMMAND, RUN_NO_COMMAND, "CMD exited with status 126"},
    {127 << 8, {END_EXITED, 127}, RUN_NO_COMMAND, RUN_NO_COMMAND, "CMD exited with status 127"},
    {143 << 8, {END_EXITED, 143}, RUN_BAD, RUN_STOPPED, "CMD exited with status 143"},
    {255 << 8, {END_EXITED, 255}, RUN_BAD, RUN_BAD, "CMD exited with status 255"},
    {SIGSEGV, {END_SIGNALLED, SIGSEGV}, RUN_BAD, RUN_BAD, "CMD was killed by signal 11 (Segmentation fault)"},
    {SIGSEGV | 0x80,
     {END_SIGNALLED, SIGSEGV},
     RUN_BAD,
     RUN_BAD,
     "CMD was killed by signal 11 (Segmentation fault)"},
    {SIGTERM, {END_SIGNALLED, SIGTERM}, RUN_BAD, RUN_STOPPED, "CMD was killed by signal 15 (Terminated)"},
};

START_TEST(how_a_run_ended)
{
    struct run_end end = run_end_of(ends[_i].wait_status);
    struct run_end stopped = run_end_while_stopping(&end);
    char *text = run_end_text(&end, "CMD", 0);

    ck_assert_int_eq(end.kind, ends[_i].end.kind);
    ck_assert_int_eq(end.number, ends[_i].end.number);
    ck_assert_int_eq(run_end_meaning(&end), ends[_i].meaning);
    ck_assert_int_eq(run_end_meaning(&stopped), ends[_i].while_stopping);
    ck_assert_str_eq(text, ends[_i].text);
    free(text);
}
END_TEST

static const struct {
    struct run_end end;
    int64_t timeout_ms;
    enum run_meaning meaning;
    const char *text;
} own_ends[] = {
    {{END_TIMED_OUT, 0}, 30000, RUN_BAD, "CMD took longer than 30 s"},
    {{END_TIMED_OUT, 0}, 1500, RUN_BAD, "CMD took longer than 1500 ms"},
    {{END_STOPPED, 0}, 0, RUN_STOPPED, "CMD was stopped by our shutdown"},
    {{END_NOT_BEGUN, 0}, 0, RUN_UNAVAILABLE, "CMD could not be started"},
};

START_TEST(how_we_ended_it)
{
    char *text = run_end_text(&own_ends[_i].end, "CMD", own_ends[_i].timeout_ms);

    ck_assert_int_eq(run_end_meaning(&own_ends[_i].end), own_ends[_i].meaning);
    ck_assert_str_eq(text, own_ends[_i].text);
    free(text);
}
END_TEST

START_TEST(long_commands_are_cut_between_characters)
{
    struct buf command = BUF_NONE;
    char *text;

    buf_putc(&command, 'x');
    for (int i = 0; i < 1000; i++)
        buf_puts(&command, "ä");
    text = run_command_text(command.data);
    ck_assert_uint_lt(strlen(text), 210);
    ck_assert_ptr_nonnull(strstr(text, "ä…"));
    free(text);
    buf_free(&command);
}
END_TEST

/* ---- lines ---- */

/* Items a, b, c …, ready to run. */
static struct work *letters(size_t count)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    struct work *work = work_new(count);

    for (size_t i = 0; i < count; i++)
        work_add(work, alphabet + i, 1, 1);
    work_put_items(work);
    work_begin(work);
    return work;
}

static void assert_input(const struct work *work, const char *text)
{
    struct buf input = BUF_NONE;

    work_run_input(work, &input);
    ck_assert_str_eq(input.data, text);
    buf_free(&input);
}

static void assert_fates(const struct work *work, const char *fates)
{
    static const char letter[] = {
        [FATE_OPEN] = '?', [FATE_ACK] = '+', [FATE_NACK] = '-', [FATE_BURY] = 'x', [FATE_RELEASE] = '<'};
    char found[32] = "";

    for (size_t i = 0; i < work_count(work); i++)
        found[i] = letter[work_item(work, i)->fate];
    ck_assert_str_eq(found, fates);
}

START_TEST(items_are_lines)
{
    struct work *work = letters(3);

    ck_assert(work_next(work));
    ck_assert_uint_eq(work_run_count(work), 3);
    assert_input(work, "a\nb\nc\n");
    assert_fates(work, "???");
    work_free(work);
    work_free(NULL);
}
END_TEST

START_TEST(what_is_no_line_is_buried)
{
    struct work *work = work_new(5);

    work_add(work, "a\nb", 3, 1);
    work_add(work, "good", 4, 1);
    work_add(work, "nul\0", 4, 1);
    work_add(work, "", 0, 1);
    work_add(work, "tab\tand \xff", 9, 1);
    work_bury_empty(work);
    work_put_items(work);
    work_begin(work);
    assert_fates(work, "x?xx?");
    ck_assert_ptr_nonnull(strstr(work_item(work, 0)->reason, "line break"));
    ck_assert_ptr_nonnull(strstr(work_item(work, 2)->reason, "NUL"));
    ck_assert_ptr_nonnull(strstr(work_item(work, 3)->reason, "empty"));
    ck_assert(work_next(work));
    assert_input(work, "good\ntab\tand \xff\n");
    work_free(work);
}
END_TEST

START_TEST(lines_may_come_in_any_order)
{
    struct work *work = work_new(2);

    work_add(work, "a", 1, 1);
    work_add(work, "b", 1, 7);
    ck_assert(!work_has_line(work, 1));
    work_put_line(work, 1, "{2}\n", 4);
    work_put_line(work, 0, "{1}\n", 4);
    ck_assert(work_has_line(work, 1));
    work_begin(work);
    ck_assert(work_next(work));
    assert_input(work, "{1}\n{2}\n");
    ck_assert_int_eq(work_run_attempt(work), 7);
    work_free(work);
}
END_TEST

/* ---- judging ---- */

static enum run_meaning judge(struct work *work, const char *verdicts, struct run_end end)
{
    static const struct work_command command = {"CMD", 30000};
    enum run_meaning meaning;
    char *what;

    work_run_says(work, verdicts, strlen(verdicts));
    meaning = work_judge(work, &end, &command, &what);
    free(what);
    return meaning;
}

static const struct {
    const char *verdicts;
    struct run_end end;
    enum run_meaning meaning;
    const char *fates;
    const char *next; /* run; NULL: none */
} judged[] = {
    {"", {END_EXITED, 0}, RUN_GOOD, "++++", NULL},
    {"ok\ta\n", {END_EXITED, 0}, RUN_GOOD, "++++", NULL},
    {"fail\tb\tx\n", {END_EXITED, 0}, RUN_GOOD, "+-++", NULL},
    {"", {END_EXITED, 3}, RUN_BAD, "????", "a\nb\n"},
    {"", {END_SIGNALLED, SIGSEGV}, RUN_BAD, "????", "a\nb\n"},
    {"", {END_TIMED_OUT, 0}, RUN_BAD, "????", "a\nb\n"},
    {"ok\ta\nfail\tb\n", {END_EXITED, 3}, RUN_BAD, "+-??", "c\n"},
    {"ok\ta\nfail\tb\nok\tc\n", {END_EXITED, 3}, RUN_BAD, "+-+-", NULL},
    {"ok\ta\nok\tb\nok\tc\nok\td\n", {END_EXITED, 3}, RUN_BAD, "++++", NULL},
    {"", {END_EXITED, 75}, RUN_UNAVAILABLE, "<<<<", NULL},
    {"ok\ta\nfail\tb\n", {END_EXITED, 75}, RUN_UNAVAILABLE, "+-<<", NULL},
    {"ok\ta\n", {END_EXITED, 127}, RUN_NO_COMMAND, "+<<<", NULL},
    {"ok\ta\n", {END_STOPPED, 0}, RUN_STOPPED, "+<<<", NULL},
    {"", {END_NOT_BEGUN, 0}, RUN_UNAVAILABLE, "<<<<", NULL},
    {"ok\ta\nok\tz\n", {END_EXITED, 0}, RUN_BAD, "+???", "b\n"},
    {"ok\ta\nok\tb\nok\tc\nnonsense\n", {END_EXITED, 0}, RUN_BAD, "+++-", NULL},
    {"ok\ta\nok\tb", {END_EXITED, 0}, RUN_BAD, "+???", "b\n"},
    {"nonsense\n", {END_EXITED, 75}, RUN_UNAVAILABLE, "<<<<", NULL},
};

START_TEST(judging_a_run)
{
    struct work *work = letters(4);

    ck_assert(work_next(work));
    ck_assert_int_eq(judge(work, judged[_i].verdicts, judged[_i].end), judged[_i].meaning);
    assert_fates(work, judged[_i].fates);
    ck_assert_int_eq(work_next(work), judged[_i].next != NULL);
    if (judged[_i].next)
        assert_input(work, judged[_i].next);
    work_free(work);
}
END_TEST

static const struct {
    const char *verdicts;
    struct run_end end;
    const char *reason;
} reasons[] = {
    {"", {END_EXITED, 3}, "CMD exited with status 3"},
    {"", {END_TIMED_OUT, 0}, "CMD took longer than 30 s"},
    {"fail\ta\tits own\n", {END_EXITED, 3}, "its own"},
    {"fail\ta\n", {END_EXITED, 0}, "CMD refused it without a reason"},
    {"ok\tb\n", {END_EXITED, 0}, "CMD wrote a wrong verdict: \"ok\tb\" names no item of this run"},
    {"ok\tb\n", {END_EXITED, 3}, "CMD exited with status 3"},
};

START_TEST(a_single_item_is_charged_with_the_reason)
{
    struct work *work = letters(1);

    ck_assert(work_next(work));
    judge(work, reasons[_i].verdicts, reasons[_i].end);
    assert_fates(work, "-");
    ck_assert_str_eq(work_item(work, 0)->reason, reasons[_i].reason);
    ck_assert(!work_next(work));
    work_free(work);
}
END_TEST

/* Runs all there is; the command fails whenever it is given one of these. */
static int run_against(struct work *work, const char *culprits)
{
    int runs = 0;

    for (; work_next(work); runs++) {
        bool failed = false;

        ck_assert_int_eq(work_run_is_first(work), runs == 0);
        for (size_t i = 0; i < work_run_count(work); i++)
            failed = failed || strchr(culprits, *work_run_item(work, i)->data);
        judge(work, "", failed ? FAILED : GOOD);
    }
    return runs;
}

START_TEST(the_culprits_alone_are_charged)
{
    struct work *one = letters(16);
    struct work *two = letters(16);

    ck_assert_int_eq(run_against(one, "f"), 9);
    assert_fates(one, "+++++-++++++++++");
    run_against(two, "ap");
    assert_fates(two, "-++++++++++++++-");
    work_free(one);
    work_free(two);
}
END_TEST

START_TEST(good_halves_are_acked_and_an_outage_releases_the_rest)
{
    struct work *work = letters(8);

    ck_assert(work_next(work));
    judge(work, "", FAILED);
    ck_assert(work_next(work));
    judge(work, "", GOOD);
    assert_fates(work, "++++????");
    ck_assert(work_next(work));
    judge(work, "ok\tf\n", (struct run_end){END_EXITED, 75});
    assert_fates(work, "++++<+<<");
    ck_assert(!work_next(work));
    work_free(work);
}
END_TEST

START_TEST(verdicts_use_the_names_that_were_shown)
{
    struct work *work = work_new(2);

    work_add(work, "\xff", 1, 1);
    work_add(work, "b", 1, 1);
    work_rename(work, 0, "\xef\xbf\xbd", 3);
    work_put_items(work);
    work_begin(work);
    ck_assert(work_next(work));
    judge(work, "ok\t\xef\xbf\xbd\nfail\tb\tx\n", FAILED);
    assert_fates(work, "+-");
    work_free(work);
}
END_TEST

START_TEST(decided_is_decided)
{
    struct work *work = letters(2);

    work_decide(work, 0, FATE_NACK, "first");
    work_decide(work, 0, FATE_ACK, NULL);
    work_decide_open(work, FATE_RELEASE);
    assert_fates(work, "-<");
    ck_assert_str_eq(work_item(work, 0)->reason, "first");
    ck_assert(!work_next(work));
    work_free(work);
}
END_TEST

UNIT_MAIN("consume_work", UNIT_ROWS(how_a_run_ended, ends), UNIT_ROWS(how_we_ended_it, own_ends),
          UNIT(long_commands_are_cut_between_characters), UNIT(items_are_lines),
          UNIT(what_is_no_line_is_buried), UNIT(lines_may_come_in_any_order),
          UNIT_ROWS(judging_a_run, judged), UNIT_ROWS(a_single_item_is_charged_with_the_reason, reasons),
          UNIT(the_culprits_alone_are_charged), UNIT(good_halves_are_acked_and_an_outage_releases_the_rest),
          UNIT(verdicts_use_the_names_that_were_shown), UNIT(decided_is_decided))
