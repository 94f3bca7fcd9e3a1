#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"

static const struct {
    const char *name;
    int syslog_priority;
} levels[] = {{"error", 3}, {"warn", 4}, {"info", 6}, {"debug", 7}};

static struct {
    const char *program;
    enum log_level level;
    bool journal;
    char fleet[64];
} logger = {.program = "pgusher", .level = LOG_LEVEL_INFO};

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream connected to the journal. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_init(const char *program)
{
    logger.program = program;
    logger.journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
    logger.level = level;
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].name, text) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -1;
}

void log_set_fleet(const char *fleet)
{
    snprintf(logger.fleet, sizeof(logger.fleet), "%s", fleet ? fleet : "");
}

static void put_prefix(struct buf *line, enum log_level level)
{
    struct timeval now;
    struct tm tm;
    char text[32];

    if (logger.journal) {
        buf_printf(line, "<%d>", levels[level].syslog_priority);
    } else {
        gettimeofday(&now, NULL);
        gmtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        buf_printf(line, "time=%s.%03dZ ", text, (int)(now.tv_usec / 1000));
    }
    buf_printf(line, "level=%s prog=%s ", levels[level].name, logger.program);
}

static void put_quoted(struct buf *line, const char *text)
{
    buf_putc(line, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(line, "\\%c", *p);
        else if (*p == '\n')
            buf_puts(line, "\\n");
        else if (*p < 0x20 || *p == 0x7f)
            buf_printf(line, "\\u%04x", *p);
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 to U+009F: controls to some terminals */
            buf_printf(line, "\\u%04x", *++p);
        else
            buf_putc(line, (char)*p);
    }
    buf_putc(line, '"');
}

void log_write(enum log_level level, const char *format, ...)
{
    struct buf line = BUF_NONE;
    char *text;
    va_list args;

    if (level > logger.level)
        return;
    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    put_prefix(&line, level);
    if (logger.fleet[0]) {
        buf_puts(&line, "fleet=");
        put_quoted(&line, logger.fleet);
        buf_putc(&line, ' ');
    }
    buf_puts(&line, "msg=");
    put_quoted(&line, text);
    buf_putc(&line, '\n');
    /* One write, so that lines of several processes on one stderr do not mix. */
    if (write(STDERR_FILENO, line.data, line.len) < 0) {
        /* Nowhere left to say it. */
    }
    free(text);
    buf_free(&line);
}
