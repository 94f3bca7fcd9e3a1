/* A configuration for the tests of cdc/config.h: a good one, and the same after one change. */
#ifndef PGUSHER_UNIT_CONFIG_H
#define PGUSHER_UNIT_CONFIG_H

#include <jansson.h>

#include "cdc/config.h"
#include "common/mem.h"

#include "unit.h"

/* As the design document shows it. */
static const char *const example =
    "{\n"
    "  \"fleet\": \"default\",\n"
    "  \"postgres\": \"host=/run/postgresql dbname=box_office target_session_attrs=read-write\",\n"
    "  \"redis\": \"unix:///run/redis/redis.sock\",\n"
    "  \"http\": \"127.0.0.1:9187\",\n"
    "  \"projections\": {\n"
    "    \"event\": {\n"
    "      \"source\": \"event_card\",\n"
    "      \"id\": \"id\",\n"
    "      \"key\": \"event:{id}\",\n"
    "      \"expire_at\": \"starts_at\",\n"
    "      \"expire_grace\": \"10 days\",\n"
    "      \"queues\": [\"{search}\"],\n"
    "      \"watch\": {\n"
    "        \"event\":  \"id\",\n"
    "        \"ticket\": \"event_id\",\n"
    "        \"venue\":  { \"column\": \"id\", \"lookup\": \"SELECT id FROM event WHERE venue_id = ANY($1)\" "
    "}\n"
    "      }\n"
    "    },\n"
    "    \"ticket\": { \"source\": \"ticket_card\", \"id\": \"id\", \"key\": \"ticket:{id}\", \"expire_at\": "
    "\"starts_at\",\n"
    "                \"watch\": { \"ticket\": \"id\", \"event\": { \"column\": \"id\", \"lookup\": "
    "\"SELECT id FROM ticket WHERE event_id = ANY($1)\" } } }\n"
    "  },\n"
    "  \"queues\": { \"{search}\": { \"max_failures\": 8, \"max_crashes\": 3, \"lease\": \"30 s\" } }\n"
    "}\n";

static struct problems problems;

static inline struct config *load(const char *text, const char *fleet)
{
    struct unit_file file = unit_file(text);
    struct config *config = config_load(file.path, fleet, &problems);

    if (config)
        ck_assert_str_eq(config->file, file.path);
    unit_file_close(&file);
    return config;
}

/* The example after one change: what stands at the dotted path becomes this JSON value; NULL takes it away.
 */
static inline struct config *load_changed(const char *path, const char *value)
{
    json_t *root = json_loads(example, 0, NULL), *object = root;
    char *words = mem_strdup(path), *word = strtok(words, "."), *next, *text;
    struct config *config;

    while ((next = strtok(NULL, "."))) {
        object = json_object_get(object, word);
        word = next;
    }
    if (value)
        ck_assert_int_eq(json_object_set_new(object, word, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    else
        ck_assert_int_eq(json_object_del(object, word), 0);
    text = json_dumps(root, 0);
    json_decref(root);
    config = load(text, NULL);
    free(text);
    free(words);
    return config;
}

#endif
