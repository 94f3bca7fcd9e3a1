#include "cdc/config_http.h"

#include <stdlib.h>
#include <string.h>

#include "queue/queue_config.h"

enum { MIN_TOKEN = 16 };

static const char *const http_keys[] = {"address", "token_file", NULL};

void config_http_read(const struct jnode *root, struct config_http *http)
{
    struct jnode node = jconf_member(root, "http");
    struct err err = ERR_NONE;

    if (json_is_object(node.value)) {
        jconf_known(&node, http_keys);
        http->token_file = jconf_string(&node, "token_file", false);
        http->text = jconf_string(&node, "address", true);
        node = jconf_member(&node, "address");
    } else {
        http->text = jconf_string(root, "http", false);
    }
    if (http->text && http_address_parse(http->text, &http->address, &err) != 0)
        jconf_problem(&node, "%s", err.text);
}

void config_http_free(struct config_http *http)
{
    free(http->text);
    free(http->token_file);
    free(http->token);
}

int config_http_load_token(struct config_http *http, struct problems *problems)
{
    struct err err = ERR_NONE;

    if (!http->token_file)
        return 0;
    http->token = queue_config_secret(http->token_file, &err);
    if (http->token && strlen(http->token) < MIN_TOKEN)
        err_set(&err, ST_CONFIG,
                "%s holds fewer than %d characters, which can be guessed; make a token by: openssl rand -hex "
                "24",
                http->token_file, MIN_TOKEN);
    if (err.status == ST_OK)
        return 0;
    problems_add(problems, PROBLEM_ERROR, "http.token_file", "%s", err.text);
    return -1;
}
