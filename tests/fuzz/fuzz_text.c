/* common/utf8.h, common/status.h, common/log.h, common/clock.h, queue/consume_end.h: texts from anywhere.
 * What is cut stays UTF-8, as strict as PostgreSQL's; one event is one line. */
#include "common/utf8.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/status.h"
#include "fuzz.h"
#include "queue/consume_end.h"

static void check_utf8(const char *text, size_t len)
{
    size_t valid = utf8_valid_length(text, len), n;

    must(valid <= len && is_utf8(text, valid), "%zu of %zu bytes are said to be UTF-8: %.*s", valid, len,
         (int)len, text);
    must(valid == len || character_at(text + valid, len - valid, &n) < 0, "a character begins at %zu", valid);
}

static void check_excerpt(const char *text, size_t len)
{
    char *excerpt = run_excerpt(text, len, 20);

    must(is_utf8(excerpt, strlen(excerpt)), "%s", excerpt);
    free(excerpt);
}

/* The context is the program's own, the text anything. */
static void check_err(const char *text)
{
    struct err err = ERR_NONE, copy = ERR_NONE;

    err_set(&err, ST_AGAIN, "Redis: %s", text);
    must(is_utf8(err.text, strlen(err.text)), "%s", err.text);
    err_context(&err, "%s",
                "a context that is rather long, so that what stands behind it has to be cut somewhere");
    must(err.status == ST_AGAIN && is_utf8(err.text, strlen(err.text)), "%s", err.text);
    err_set(&err, ST_CONFIG, "second");
    err_copy(&copy, &err);
    must(copy.status == ST_AGAIN && strcmp(copy.text, err.text) == 0, "%s", copy.text);
}

static char *logged(const char *text)
{
    static int file = -1;
    int saved = dup(STDERR_FILENO);
    char *line;
    off_t len;

    if (file < 0)
        file = memfd_create("log", MFD_CLOEXEC);
    must(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0, "no file");
    dup2(file, STDERR_FILENO);
    log_warn("%s", text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    len = lseek(file, 0, SEEK_END);
    line = calloc(1, (size_t)len + 1);
    must(pread(file, line, (size_t)len, 0) == len, "no log");
    return line;
}

/* msg="…", with ", \ and control characters escaped */
static void check_log(const char *text)
{
    char *line = logged(text);
    const char *at = strstr(line, " msg=\""), *newline = strchr(line, '\n');

    must(newline && !newline[1], "not one line: %s", line);
    must(at, "%s", line);
    for (at += 6; *at != '"'; at++) {
        must((unsigned char)*at >= 0x20 && *at != 0x7f, "a control character in %s", line);
        at += *at == '\\';
    }
    must(at + 1 == newline, "it ends early: %s", line);
    free(line);
}

static void check_duration(const char *text)
{
    struct human human;
    int64_t ms, again;
    char written[40];

    if (duration_parse(text, &ms) != 0)
        return;
    must(ms >= 0 && ms <= INT64_C(3162240000000), "%s is %" PRId64 " ms", text, ms);
    snprintf(written, sizeof(written), "%" PRId64 " ms", ms);
    must(duration_parse(written, &again) == 0 && again == ms, "%s is not %s", text, written);
    human = human_ms(ms);
    must(strlen(human.text) && strlen(human.text) < sizeof(human.text), "%s", human.text);
    human = human_bytes(ms);
    must(strlen(human.text), "%s", written);
    human = human_count(ms);
    must(strlen(human.text), "%s", written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *bytes = exactly(data, size), *text = input_text(&input, '\0');

    check_utf8(bytes, size);
    check_excerpt(bytes, size);
    check_err(text);
    check_log(text);
    check_duration(text);
    free(bytes);
    free(text);
    return 0;
}
