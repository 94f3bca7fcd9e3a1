/* One log line per event, in logfmt, on stderr.
 *
 *     time=2026-03-01T10:00:00.123Z level=info prog=pgusherd fleet=default msg="caught up"
 *
 * When stderr is the journal (JOURNAL_STREAM names it), the line begins with a syslog priority such as
 * <6> instead of the time, so that journald files it under the right level. A text is always quoted and its
 * control characters are escaped: one event can never become two lines.
 */
#ifndef PGUSHER_LOG_H
#define PGUSHER_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` must outlive the log. Level info until changed. */
void log_init(const char *program);
void log_set_level(enum log_level level);
int log_level_parse(const char *text, enum log_level *ret_level); /* "error|warn|info|debug"; -1 otherwise */
void log_set_fleet(const char *fleet); /* shown in every line from now on; NULL for none; copied */

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
