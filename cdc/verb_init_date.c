/* Which column says when a document ends: only its name can tell. */
#include <regex.h>
#include <string.h>

#include "cdc/verb_init.h"

/* What the names of dates say, the best first. After a beginning it is not over yet. */
static const struct occasion {
    const char *pattern;
    bool late;
} occasions[] = {
    {"^(expires?|expired|expiry|expiration)_?(at|on|date|time)?$", false},
    {"^valid_?(until|till|to|thru|through)$", false},
    {"^(ends?|end|finish(es)?|closes?)_?(at|on|date|time)$", false},
    {"^(starts?|begins?)_?(at|on|date|time)$", true},
    {"^(event|show|concert|match|game|performance|departure|arrival|departs|arrives|takes_?place)_?(date|at|"
     "on|time)$",
     true},
};
enum { OCCASIONS = sizeof(occasions) / sizeof(occasions[0]) };

static bool is_date(const struct init_column *column)
{
    return strncmp(column->base_type, "timestamp", 9) == 0 || strcmp(column->base_type, "date") == 0;
}

static bool matches(const char *pattern, const char *name)
{
    regex_t regex;
    bool found;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        return false;
    found = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static const struct init_column *find_occasion(const struct init_card *card, const char *pattern)
{
    for (size_t i = 0; i < card->table->ncolumns; i++) {
        const struct init_column *column = &card->table->columns[i];

        if (is_date(column) && init_card_shows(card, column) && matches(pattern, column->name))
            return column;
    }
    return NULL;
}

static void explain(const struct init_catalog *catalog, struct init_card *card)
{
    struct list column = {(char **)&card->expire_at->name, 1};

    init_note(
        card,
        "documents expire at %s%s: take \"expire_at\" out of the configuration if they shall stay, or name "
        "another date",
        card->expire_at->name, card->expire_late ? ", and a day after it (\"expire_grace\")" : "");
    if (strcmp(card->expire_at->base_type, "timestamp with time zone") != 0)
        init_note(card, "%s has no time zone and is read as UTC", card->expire_at->name);
    if (!card->expire_at->indexed)
        init_want_index(catalog, card, card->table, &column);
}

void init_choose_date(const struct init_catalog *catalog, struct init_card *card)
{
    for (size_t i = 0; i < OCCASIONS && !card->expire_at; i++) {
        card->expire_at = find_occasion(card, occasions[i].pattern);
        card->expire_late =
            card->expire_at && (occasions[i].late || strcmp(card->expire_at->base_type, "date") == 0);
    }
    if (card->expire_at)
        explain(catalog, card);
    else
        init_note(
            card,
            "no column says when a document ends (expires_at, valid_until, ends_at, starts_at …): they stay");
}
