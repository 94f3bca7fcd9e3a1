#include "queue/queue_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_slot.h"
#include "queue/pgusher-queue.h"

enum { MIN_PLAIN_TIMEOUT_MS = 1 };

static const char *const settings_known[] = {"max_failures",  "max_crashes", "lease",
                                             "plain_timeout", "coalesce",    NULL};

/* ---- queues ---- */

const struct queue_config *queue_config_find(const struct queue_config *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

static struct queue_config *append(struct queue_config **list, size_t *count, const char *name)
{
    struct queue_config *queue;

    *list = mem_resize(*list, sizeof(**list) * (*count + 1));
    queue = &(*list)[(*count)++];
    *queue = (struct queue_config){.name = mem_strdup(name)};
    return queue;
}

void queue_config_add(struct queue_config **list, size_t *count, const char *name)
{
    if (!queue_config_find(*list, *count, name))
        append(list, count, name);
}

static int64_t read_duration(const struct jnode *object, const char *name, int64_t min_ms)
{
    struct jnode node = jconf_member(object, name);
    int64_t ms = jconf_duration_ms(object, name, min_ms);

    if (!node.value)
        return 0;
    if (ms < min_ms)
        jconf_problem(&node, "must be at least %lld ms", (long long)min_ms);
    return ms;
}

static int read_coalesce(const struct jnode *object)
{
    if (!jconf_member(object, "coalesce").value)
        return 0;
    return jconf_bool(object, "coalesce", true) ? 1 : -1;
}

static void read_queue(const struct jnode *object, struct queue_config *queue)
{
    struct queue_settings *settings = &queue->settings;

    if (!jconf_is_object(object))
        return;
    jconf_known(object, settings_known);
    settings->max_failures = (int)jconf_integer(object, "max_failures", 1, 1000000, 0);
    settings->max_crashes = (int)jconf_integer(object, "max_crashes", 1, 1000000, 0);
    settings->plain_timeout_ms = read_duration(object, "plain_timeout", MIN_PLAIN_TIMEOUT_MS);
    settings->coalesce = read_coalesce(object);
    queue->lease_ms = read_duration(object, "lease", PGUSHER_QUEUE_MIN_LEASE_MS);
}

void queue_config_read(const struct jnode *root, struct queue_config **list, size_t *count)
{
    struct jnode node = jconf_member(root, "queues");
    const char *name;
    json_t *value;

    if (!node.value || !jconf_is_object(&node))
        return;
    json_object_foreach (node.value, name, value) {
        struct jnode member = jconf_member(&node, name);

        if (name[0])
            read_queue(&member, append(list, count, name));
        else
            jconf_problem(&node, "a queue needs a name");
    }
}

void queue_config_check_names(const struct queue_config *list, size_t count, const struct redis_url *url,
                              struct problems *problems)
{
    for (size_t i = 0; url->kind == REDIS_CLUSTER && i < count; i++) {
        const char *name = list[i].name;
        char *place;

        if (redis_slot_tagged(name, strlen(name)))
            continue;
        place = mem_printf("queues.%s", name);
        problems_add(problems, PROBLEM_ERROR, place,
                     "in a Redis Cluster the name of a queue needs a hash tag, such as \"{%s}\"", name);
        free(place);
    }
}

void queue_config_free(struct queue_config *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].name);
    free(list);
}

/* ---- servers ---- */

/* Under systemd the credentials of the unit; a person who types a command has none, but may read what they
 * are made from. The caller frees. */
static char *find_credential(const char *file)
{
    static const char variable[] = "${CREDENTIALS_DIRECTORY}/";
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (strncmp(file, variable, strlen(variable)) != 0)
        return mem_strdup(file);
    return mem_printf("%s/%s", directory ? directory : "/etc/pgusher/credentials", file + strlen(variable));
}

char *queue_config_secret(const char *file, struct err *err)
{
    char *path = find_credential(file), *line = NULL, *secret = NULL;
    FILE *stream = fopen(path, "re");
    size_t size = 0;

    if (!stream) {
        err_set(err, ST_CONFIG, "cannot read %s: %s", path, strerror(errno));
    } else if (getline(&line, &size, stream) < 0 || strcspn(line, "\r\n") == 0) {
        err_set(err, ST_CONFIG, "%s is empty", path);
    } else {
        line[strcspn(line, "\r\n")] = '\0';
        secret = mem_strdup(line);
    }
    if (stream)
        fclose(stream);
    free(line);
    free(path);
    return secret;
}

static char *read_password_file(const struct jnode *object)
{
    struct jnode node = jconf_member(object, "password_file");
    char *file = jconf_string(object, "password_file", false), *password;
    struct err err = ERR_NONE;

    if (!file)
        return NULL;
    password = queue_config_secret(file, &err);
    if (!password)
        jconf_problem(&node, "%s", err.text);
    free(file);
    return password;
}

char *queue_config_server(const struct jnode *root, const char *name, const char *member, char **ret_password)
{
    struct jnode node = jconf_member(root, name);
    const char *const known[] = {member, "password_file", NULL};

    *ret_password = NULL;
    if (!json_is_object(node.value))
        return jconf_string(root, name, true);
    jconf_known(&node, known);
    *ret_password = read_password_file(&node);
    return jconf_string(&node, member, true);
}

char *queue_config_redis(const struct jnode *root, struct redis_url *ret_url)
{
    struct jnode node = jconf_member(root, "redis");
    struct err err = ERR_NONE;
    char *password;
    char *address = queue_config_server(root, "redis", "url", &password);

    if (json_is_object(node.value))
        node = jconf_member(&node, "url");
    if (address && redis_url_parse(address, ret_url, &err) != 0)
        jconf_problem(&node, "%s", err.text);
    redis_url_set_password(ret_url, password);
    free(password);
    return address;
}

/* ---- the file, as pgusher-queue reads it ---- */

static void add_queues_of(const json_t *projection, struct queue_host *host)
{
    const json_t *queues = json_object_get(projection, "queues");
    const json_t *name;
    size_t i;

    if (json_string_length(queues))
        queue_config_add(&host->queues, &host->nqueues, json_string_value(queues));
    json_array_foreach (queues, i, name)
        if (json_string_length(name))
            queue_config_add(&host->queues, &host->nqueues, json_string_value(name));
}

int queue_host_load(const char *file, bool with_redis, struct queue_host *ret_host, struct problems *problems)
{
    size_t errors = problems->errors;
    json_t *document = jconf_load(file, problems);
    struct jnode root = jconf_root(document, problems);
    const char *name;
    json_t *projection;

    *ret_host = (struct queue_host){0};
    if (!document)
        return -1;
    if (with_redis)
        ret_host->redis = queue_config_redis(&root, &ret_host->url);
    queue_config_read(&root, &ret_host->queues, &ret_host->nqueues);
    json_object_foreach (json_object_get(document, "projections"), name, projection)
        add_queues_of(projection, ret_host);
    queue_config_check_names(ret_host->queues, ret_host->nqueues, &ret_host->url, problems);
    json_decref(document);
    return problems->errors > errors ? -1 : 0;
}

void queue_host_free(struct queue_host *host)
{
    free(host->redis);
    redis_url_free(&host->url);
    queue_config_free(host->queues, host->nqueues);
    *host = (struct queue_host){0};
}

const char *config_default_file(void)
{
    const char *file = getenv("PGUSHER_CONFIG");

    return file && file[0] ? file : "/etc/pgusher/pgusher.json";
}
