#include "common/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void problems_add(struct problems *problems, enum problem_level level, const char *place, const char *format,
                  ...)
{
    struct problem *problem;
    char *text;
    va_list args;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    problems->list = mem_grow(problems->list, problems->count, &problems->capacity, sizeof(*problem));
    problem = &problems->list[problems->count++];
    problem->level = level;
    problem->place = mem_strdup(place);
    problem->text = text;
    if (level == PROBLEM_ERROR)
        problems->errors++;
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].place);
        free(problems->list[i].text);
    }
    free(problems->list);
    *problems = (struct problems){0};
}

enum { MAX_NAME = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[MAX_NAME + 1];
    size_t b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *suggest(const char *wanted, const char *const *names, size_t count)
{
    size_t limit = (strlen(wanted) + 2) / 3;
    size_t best_distance = limit + 1;
    const char *best = NULL;

    if (strlen(wanted) > MAX_NAME)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = strlen(names[i]) > MAX_NAME ? best_distance : edit_distance(wanted, names[i]);

        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}
