/* cdc/config.h, queue/queue_config.h: any file is refused with reasons that can be printed, or it gives a
 * configuration whose every part is there. What pgusherd takes, pgusher-queue takes too, and reads the same
 * of it. Passwords are in no message. */
#include "cdc/config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define SECRET "hunter2-of-the-file"

/* ---- files ---- */

static int file_of(const char *text, size_t len, char *path, size_t size)
{
    int file = memfd_create("config", MFD_CLOEXEC);

    must(file >= 0 && write(file, text, len) == (ssize_t)len, "no file");
    snprintf(path, size, "/proc/self/fd/%d", file);
    return file;
}

/* A password comes from our own file, whatever it is called: there are files that never end. */
static void redirect_password(json_t *root, const char *server, const char *path)
{
    json_t *object = json_object_get(root, server), *file = json_object_get(object, "password_file");

    if (json_is_string(file) && json_string_length(file))
        json_object_set_new(object, "password_file", json_string(path));
}

/* ---- what was read ---- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_problems(const struct problems *problems, bool secret_is_secret)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        must(problem->text[0] && is_utf8(problem->text, strlen(problem->text)), "%s: %s", problem->place,
             problem->text);
        must(is_utf8(problem->place, strlen(problem->place)), "the place \"%s\" cannot be printed as JSON",
             problem->place);
        must(!secret_is_secret || !strstr(problem->text, SECRET), "%s: %s", problem->place, problem->text);
    }
}

static void check_watch(const struct projection *projection, const struct watch *watch)
{
    must(watch->table && watch->ncolumns >= 1 && watch->ncolumns <= MAX_ID_COLUMNS, "watch %s of %s",
         watch->table, projection->name);
    must(watch->lookup || watch->ncolumns == projection->nid, "watch %s of %s gives no id", watch->table,
         projection->name);
}

static void check_once(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            must(strcmp(names[i], names[j]) != 0, "%s twice", names[i]);
}

static void check_projection(const struct config *config, const struct projection *projection)
{
    must(projection->name && projection->source && projection->key && projection->key_text, "%s",
         projection->name);
    must(projection->nid >= 1 && projection->nid <= MAX_ID_COLUMNS, "%s has %zu ids", projection->name,
         projection->nid);
    must(template_columns(projection->key) <= MAX_KEY_COLUMNS, "%s", projection->key_text);
    must(projection->many_rows == (template_columns(projection->key) > projection->nid), "%s",
         projection->key_text);
    for (size_t i = 0; i < template_columns(projection->key); i++)
        must(projection->many_rows || config_id_index(projection, template_column(projection->key, i)) >= 0,
             "%s is no id", template_column(projection->key, i));
    check_once(projection->id, projection->nid);
    check_once(projection->queues, projection->nqueues);
    must(projection->expire_grace_ms >= 0, "%s", projection->name);
    must(projection->nwatches >= 1, "%s watches nothing", projection->name);
    for (size_t i = 0; i < projection->nwatches; i++)
        check_watch(projection, &projection->watches[i]);
    for (size_t i = 0; i < projection->nqueues; i++)
        must(queue_config_find(config->queues, config->nqueues, projection->queues[i]),
             "queue %s is not known", projection->queues[i]);
    must(config_projection(config, projection->name) == projection, "there are two of %s", projection->name);
}

static void check_config(const struct config *config)
{
    must(config->fleet && config->postgres && config->redis_text && config->nprojections, "incomplete");
    must(config->redis.path || config->redis.naddresses, "no Redis");
    must(config->partitions >= 0 && config->partitions <= 256 && config->sweep_ms > 0, "limits");
    must(!config->postgres_password || strcmp(config->postgres_password, SECRET) == 0, "another password");
    for (size_t i = 0; i < config->nprojections; i++)
        check_projection(config, &config->projections[i]);
    for (size_t i = 0; i < config->nqueues; i++)
        must(queue_config_find(config->queues, config->nqueues, config->queues[i].name) == &config->queues[i],
             "there are two of %s", config->queues[i].name);
}

/* ---- the two programs ---- */

static void check_host(const struct queue_host *host, const struct config *config)
{
    char *shown = redis_url_show(&host->url), *other = redis_url_show(&config->redis);

    must(strcmp(shown, other) == 0 && same(host->url.password, config->redis.password) &&
             host->url.db == config->redis.db,
         "%s, and %s", shown, other);
    must(host->nqueues == config->nqueues, "%zu queues, and %zu", host->nqueues, config->nqueues);
    for (size_t i = 0; i < config->nqueues; i++) {
        const struct queue_config *own =
            queue_config_find(host->queues, host->nqueues, config->queues[i].name);

        must(own && own->lease_ms == config->queues[i].lease_ms, "queue %s", config->queues[i].name);
        must(memcmp(&own->settings, &config->queues[i].settings, sizeof(own->settings)) == 0, "queue %s",
             own->name);
    }
    free(shown);
    free(other);
}

static void check_file(const char *path, bool secret_is_secret)
{
    struct problems problems = {0}, host_problems = {0};
    struct config *config = config_load(path, NULL, &problems);
    struct queue_host host;
    int result = queue_host_load(path, true, &host, &host_problems);

    must(!config == (problems.errors > 0), "%zu errors", problems.errors);
    must((result == 0) == (host_problems.errors == 0), "%zu errors", host_problems.errors);
    check_problems(&problems, secret_is_secret);
    check_problems(&host_problems, secret_is_secret);
    must(!config || result == 0, "pgusher-queue refuses it: %s: %s", host_problems.list[0].place,
         host_problems.list[0].text);
    if (config) {
        check_config(config);
        check_host(&host, config);
    }
    config_free(config);
    queue_host_free(&host);
    problems_free(&problems);
    problems_free(&host_problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40], password_path[40];
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    char *text = NULL;
    int file, password_file = -1;

    if (json_is_object(root)) {
        password_file = file_of(SECRET "\n", strlen(SECRET) + 1, password_path, sizeof(password_path));
        redirect_password(root, "redis", password_path);
        redirect_password(root, "postgres", password_path);
        text = json_dumps(root, 0);
    }
    file = file_of(text ? text : (const char *)data, text ? strlen(text) : size, path, sizeof(path));
    check_file(path, !memmem(data, size, SECRET, strlen(SECRET)));
    close(file);
    if (password_file >= 0)
        close(password_file);
    free(text);
    json_decref(root);
    return 0;
}
