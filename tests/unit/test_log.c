/* common/log.h */
#include "common/log.h"

#include <regex.h>
#include <sys/stat.h>
#include <time.h>

#include "common/mem.h"

#include "unit.h"

static struct unit_stderr caught;

/* A fresh log whose stderr is caught. */
static void begin(void)
{
    unsetenv("JOURNAL_STREAM");
    caught = unit_stderr_catch();
    log_init("unit");
    log_set_level(LOG_LEVEL_INFO);
    log_set_fleet(NULL);
}

/* What was logged since begin; the caller frees. */
static char *end(void)
{
    return unit_stderr_release(&caught);
}

static void assert_ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);

    ck_assert_msg(len >= tail_len && strcmp(text + len - tail_len, tail) == 0,
                  "\"%s\" does not end with \"%s\"", text, tail);
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    int result;

    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    ck_assert_msg(result == 0, "\"%s\" does not match %s", text, pattern);
}

START_TEST(a_line_is_logfmt)
{
    char *text;

    begin();
    log_info("caught up after %d %s", 3, "rows");
    text = end();
    assert_matches(text, "^time=[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z "
                         "level=info prog=unit msg=\"caught up after 3 rows\"\n$");
    free(text);
}
END_TEST

START_TEST(time_is_utc)
{
    struct tm tm = {0};
    time_t now = time(NULL), logged;
    char *text;

    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    begin();
    log_info("x");
    text = end();
    ck_assert_ptr_nonnull(strptime(text, "time=%Y-%m-%dT%H:%M:%S", &tm));
    logged = timegm(&tm);
    ck_assert_int_ge(logged, now);
    ck_assert_int_le(logged, now + 5);
    free(text);
    unsetenv("TZ");
}
END_TEST

static const struct {
    const char *text;
    const char *quoted;
} quoting[] = {
    {"plain", "\"plain\""},
    {"", "\"\""},
    {"a \"b\"", "\"a \\\"b\\\"\""},
    {"c:\\d", "\"c:\\\\d\""},
    {"one\ntwo\n", "\"one\\ntwo\\n\""},
    {"\r\t\033[0m\177", "\"\\u000d\\u0009\\u001b[0m\\u007f\""},
    {"Zürich 東京", "\"Zürich 東京\""},
    {"100%s%n", "\"100%s%n\""},
    {"x\" level=error y=\"", "\"x\\\" level=error y=\\\"\""},
};

START_TEST(texts_are_quoted)
{
    char *tail = mem_printf(" msg=%s\n", quoting[_i].quoted);
    char *text;

    begin();
    log_info("%s", quoting[_i].text);
    text = end();
    assert_ends_with(text, tail);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
    free(tail);
}
END_TEST

START_TEST(long_texts_stay_whole)
{
    char *text, *message = mem_alloc(100001);

    memset(message, 'x', 100000);
    message[100000] = '\0';
    begin();
    log_info("%s", message);
    text = end();
    ck_assert_ptr_nonnull(strstr(text, message));
    free(text);
    free(message);
}
END_TEST

static const char *const names[] = {"error", "warn", "info", "debug"};

/* Logs one line of each level and checks that the levels up to `shown` came out. */
static void assert_shown(enum log_level shown)
{
    char *text = end();

    for (int i = 0; i < 4; i++) {
        char *word = mem_printf("level=%s ", names[i]);

        ck_assert_int_eq(strstr(text, word) != NULL, i <= (int)shown);
        free(word);
    }
    free(text);
}

static void log_each_level(void)
{
    log_error("x");
    log_warn("x");
    log_info("x");
    log_debug("x");
}

START_TEST(level_hides_what_is_below)
{
    for (int i = 0; i < 4; i++) {
        begin();
        log_set_level((enum log_level)i);
        log_each_level();
        assert_shown((enum log_level)i);
    }
}
END_TEST

START_TEST(level_names)
{
    for (int i = 0; i < 4; i++) {
        enum log_level level = LOG_LEVEL_ERROR;

        ck_assert_int_eq(log_level_parse(names[i], &level), 0);
        ck_assert_int_eq(level, i);
    }
}
END_TEST

START_TEST(unknown_level_names)
{
    static const char *const wrong[] = {"", "INFO", "warning", "inf", "info ", "3"};
    enum log_level level = LOG_LEVEL_WARN;

    for (size_t i = 0; i < ROWS(wrong); i++)
        ck_assert_int_eq(log_level_parse(wrong[i], &level), -1);
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
}
END_TEST

START_TEST(fleet_stands_in_every_line)
{
    char name[] = "east \"1\"";
    char *text;

    begin();
    log_set_fleet(name);
    memset(name, 'x', sizeof(name) - 1);
    log_warn("a");
    log_set_fleet(NULL);
    log_warn("b");
    text = end();
    ck_assert_ptr_nonnull(strstr(text, " prog=unit fleet=\"east \\\"1\\\"\" msg=\"a\"\n"));
    ck_assert_ptr_nonnull(strstr(text, " prog=unit msg=\"b\"\n"));
    free(text);
}
END_TEST

/* Says in JOURNAL_STREAM that the inode of stderr, plus `off`, is the journal's. */
static void set_journal_stream(unsigned long long off)
{
    struct stat st;
    char *stream;

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    stream = mem_printf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + off);
    setenv("JOURNAL_STREAM", stream, 1);
    free(stream);
    log_init("unit");
}

START_TEST(journal_lines_begin_with_the_priority)
{
    char *text;

    begin();
    set_journal_stream(0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_each_level();
    text = end();
    ck_assert_str_eq(text, "<3>level=error prog=unit msg=\"x\"\n<4>level=warn prog=unit msg=\"x\"\n"
                           "<6>level=info prog=unit msg=\"x\"\n<7>level=debug prog=unit msg=\"x\"\n");
    free(text);
}
END_TEST

START_TEST(another_journal_stream_is_not_ours)
{
    char *text;

    begin();
    set_journal_stream(1);
    log_info("a");
    setenv("JOURNAL_STREAM", "nonsense", 1);
    log_init("unit");
    log_info("b");
    text = end();
    assert_matches(text, "^time=.*msg=\"a\"\ntime=.*msg=\"b\"\n$");
    free(text);
}
END_TEST

UNIT_MAIN("log", UNIT(a_line_is_logfmt), UNIT(time_is_utc), UNIT_ROWS(texts_are_quoted, quoting),
          UNIT(long_texts_stay_whole), UNIT(level_hides_what_is_below), UNIT(level_names),
          UNIT(unknown_level_names), UNIT(fleet_stands_in_every_line),
          UNIT(journal_lines_begin_with_the_priority), UNIT(another_journal_stream_is_not_ours))
