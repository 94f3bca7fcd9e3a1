#include "common/pg_error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix; /* longest match first within a class */
    enum status status;
} classes[] = {
    {"08", ST_LOST},    {"57P01", ST_LOST},   {"57P02", ST_LOST},   {"57P03", ST_AGAIN},
    {"57P04", ST_LOST}, {"57P05", ST_LOST},   {"25006", ST_LOST},   {"26000", ST_LOST},
    {"25", ST_AGAIN},   {"40", ST_AGAIN},     {"53400", ST_CONFIG}, /* temp_file_limit: waiting makes the
                                                                       query no smaller */
    {"53", ST_AGAIN},   {"55000", ST_CONFIG}, /* a materialized view that was never filled */
    {"55", ST_AGAIN},   {"57", ST_AGAIN},     {"58P01", ST_CONFIG}, /* a function's library is gone */
    {"58", ST_AGAIN},   {"72", ST_AGAIN},     {"0A", ST_CONFIG},    {"28", ST_CONFIG},
    {"3D", ST_CONFIG},  {"3F", ST_CONFIG},    {"42", ST_CONFIG},
};

enum status pg_classify(const char *sqlstate)
{
    if (!sqlstate)
        return ST_LOST;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].status;
    return ST_REFUSED;
}

enum status pg_classify_result(const char *severity, const char *sqlstate)
{
    bool ends_session = !severity || strcmp(severity, "ERROR") != 0;

    if (!ends_session && (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0))
        return ST_CONFIG;
    return pg_classify(sqlstate);
}

static bool is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!isdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]))
            return false;
    return text[5] == ':' && text[6] == ' ';
}

/* The severity word is translated by the server, so the code is found by its shape. */
static const char *find_sqlstate(const char *message)
{
    for (const char *p = strstr(message, ":  "); p; p = strstr(p + 1, ":  "))
        if (strlen(p) > 10 && is_sqlstate(p + 3))
            return p + 3;
    return NULL;
}

/* What libpq itself says when the two sides' TLS settings do not go together. */
static const char *const tls_words[] = {"certificate", "does not support SSL", "private key"};

bool pg_lacked_memory(const char *message)
{
    return strstr(message, "out of memory") || strstr(message, "Memory allocation failure");
}

/* Whether what one server said is the operator's to mend. */
static bool is_operators(const char *text, size_t len)
{
    const char *code = find_sqlstate(text);

    if (code && code < text + len)
        return pg_classify(code) == ST_CONFIG;
    for (size_t i = 0; i < sizeof(tls_words) / sizeof(tls_words[0]); i++)
        if (memmem(text, len, tls_words[i], strlen(tls_words[i])))
            return true;
    return false;
}

/* Of several hosts each has its own error: only when all are the operator's is there nothing to wait for. */
static enum status worst_to_wait_for(const char *message)
{
    static const char start[] = "connection to server";
    const char *next, *p = strstr(message, start);

    for (p = p ? p : message; p; p = next) {
        next = *p ? strstr(p + 1, start) : NULL;
        if (!is_operators(p, next ? (size_t)(next - p) : strlen(p)))
            return ST_AGAIN;
    }
    return ST_CONFIG;
}

/* Copies a text on one line: its lines are separated by semicolons. */
static void put_on_one_line(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;
    bool space = false, line = false;

    for (size_t i = 0; i < len && n + 3 < size; i++) {
        if (line && strncmp(text + i, "LOCATION:", 9) == 0)
            i += strcspn(text + i, "\n");
        if (isspace((unsigned char)text[i])) {
            space = true;
            line = line || text[i] == '\n';
            continue;
        }
        if (line && n)
            out[n++] = ';';
        if (space && n)
            out[n++] = ' ';
        space = line = false;
        out[n++] = text[i];
    }
    out[n] = '\0';
}

void pg_connect_error(const char *verbose_message, struct err *err)
{
    const char *code = find_sqlstate(verbose_message);
    enum status status = worst_to_wait_for(verbose_message);
    char line[sizeof(err->text)];

    if (code && (status == ST_CONFIG || !find_sqlstate(code))) {
        put_on_one_line(code + 7, strcspn(code + 7, "\n"), line, sizeof(line));
        err_set(err, status, "PostgreSQL: %.700s (SQLSTATE %.5s)", line, code);
        return;
    }
    put_on_one_line(verbose_message, strlen(verbose_message), line, sizeof(line));
    err_set(err, status, "PostgreSQL: %.700s", line);
}

void pg_lost_error(const char *message, struct err *err)
{
    char line[sizeof(err->text)];

    put_on_one_line(message, strlen(message), line, sizeof(line));
    err_set(err, ST_LOST, "PostgreSQL: %.700s", line);
}

/* The last one: a message may quote another. NULL: it is no answer of the server. */
static const char *find_code(const char *text)
{
    static const char mark[] = "(SQLSTATE ";
    const char *code = NULL;

    for (const char *p = strstr(text, mark); p; p = strstr(p + 1, mark))
        code = p + strlen(mark);
    return code && strlen(code) > 5 ? code : NULL;
}

/* Class XX is the server's own trouble. Of a text that was cut nobody knows. */
static bool may_show_data(const char *text, const char *code)
{
    if (!code)
        return strlen(text) >= sizeof(((struct err *)0)->text) - 1;
    return pg_classify(code) == ST_REFUSED && strncmp(code, "XX", 2) != 0;
}

struct pg_error_logged pg_error_for_log(const char *text)
{
    struct pg_error_logged logged;
    const char *start = strstr(text, "PostgreSQL: "), *code = start ? find_code(start) : NULL;

    if (start && may_show_data(text, code))
        snprintf(logged.text, sizeof(logged.text),
                 "%.*sPostgreSQL: SQLSTATE %.5s, whose text may show data: see level debug",
                 (int)(start - text), text, code ? code : "?");
    else
        snprintf(logged.text, sizeof(logged.text), "%s", text);
    return logged;
}
