/* The part of config.h that says where a worker tells how it stands: "http". */
#ifndef PGUSHER_CONFIG_HTTP_H
#define PGUSHER_CONFIG_HTTP_H

#include "common/http_address.h"
#include "common/jconf.h"

struct config_http {
    char *text; /* as it is written; NULL: no server */
    struct http_address address;
    char *token_file;
    char *token; /* who has it may also act; NULL: nobody, or not loaded */
};

void config_http_read(const struct jnode *root, struct config_http *http);
void config_http_free(struct config_http *http);

/* Only workers need the token, and maybe only they may read it. 0, or -1 with a problem. */
int config_http_load_token(struct config_http *http, struct problems *problems);

#endif
