#include "queue/consume_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/script.h"

enum { MAX_REDIRECTS = 5, TIMEOUT_MS = 5000 };

struct node {
    struct node *next;
    char *address; /* as MOVED names it; NULL: the URL's */
    struct rlink *link;
};

struct nodes {
    struct redis_url url;
    struct node *home; /* the first of the list */
};

/* ---- nodes ---- */

static struct node *node_new(const struct redis_url *url, const char *address)
{
    struct node *node = mem_zalloc(sizeof(*node));

    node->link = rlink_new(url, TIMEOUT_MS);
    node->address = mem_strdup(address);
    if (address)
        rlink_redirect(node->link, address);
    return node;
}

static void list_free(struct node *node)
{
    while (node) {
        struct node *next = node->next;

        rlink_free(node->link);
        free(node->address);
        free(node);
        node = next;
    }
}

static struct node *node_at(struct nodes *nodes, const char *address)
{
    struct node *node = nodes->home;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the first is home and stays */
    while (node->next && strcmp(node->next->address, address) != 0)
        node = node->next;
    if (!node->next)
        node->next = node_new(&nodes->url, address);
    return node->next;
}

struct nodes *nodes_new(struct redis_url *url)
{
    struct nodes *nodes = mem_zalloc(sizeof(*nodes));

    nodes->url = *url;
    *url = (struct redis_url){0};
    nodes->home = node_new(&nodes->url, NULL);
    return nodes;
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    list_free(nodes->home);
    redis_url_free(&nodes->url);
    free(nodes);
}

void nodes_stay_with(struct nodes *nodes, const struct rlink *queue)
{
    if (nodes->url.kind != REDIS_SENTINEL || rlink_is_with(nodes->home->link, queue))
        return;
    rlink_close(nodes->home->link);
    rlink_stay_with(nodes->home->link, queue);
}

/* After an error the others may not be what they were. */
static void forget_others(struct nodes *nodes)
{
    list_free(nodes->home->next);
    nodes->home->next = NULL;
}

/* ---- asking ---- */

static void put_question(struct buf *commands, const struct question *question, size_t *ncommands)
{
    if (question->asking) {
        resp_put_command(commands, 1, (const char *const[]){"ASKING"});
        ++*ncommands;
    }
    buf_puts(commands, "*2\r\n");
    resp_put_bulk(commands, question->verb, strlen(question->verb));
    resp_put_bulk(commands, question->key, question->len);
    ++*ncommands;
}

static bool is_for(const struct question *question, const struct node *node)
{
    return question->node == node && !question->reply;
}

static void take_replies(struct question *questions, size_t count, const struct node *node,
                         redisReply **replies)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_for(&questions[i], node))
            continue;
        if (questions[i].asking)
            freeReplyObject(*replies++);
        questions[i].reply = *replies++;
    }
}

static int ask_node(struct node *node, struct question *questions, size_t count, struct err *err)
{
    redisReply *replies[2 * NODES_PIPELINE];
    struct buf commands = BUF_NONE;
    size_t ncommands = 0;
    int failed = 0;

    for (size_t i = 0; i < count; i++)
        if (is_for(&questions[i], node))
            put_question(&commands, &questions[i], &ncommands);
    if (ncommands)
        failed = rlink_exchange(node->link, &commands, ncommands, replies, err);
    if (ncommands && !failed)
        take_replies(questions, count, node, replies);
    buf_free(&commands);
    return failed;
}

/* "MOVED 3999 127.0.0.1:6381", or ASK likewise: the question is open again. */
static void follow(struct nodes *nodes, struct question *question)
{
    const redisReply *reply = question->reply;

    if (reply->type != REDIS_REPLY_ERROR ||
        (strncmp(reply->str, "MOVED ", 6) != 0 && strncmp(reply->str, "ASK ", 4) != 0))
        return;
    question->asking = reply->str[0] == 'A';
    question->node = node_at(nodes, strrchr(reply->str, ' ') + 1);
    freeReplyObject(question->reply);
    question->reply = NULL;
}

static bool all_answered(const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!questions[i].reply)
            return false;
    return true;
}

static int ask_them(struct nodes *nodes, struct question *questions, size_t count, struct err *err)
{
    for (struct node *node = nodes->home; node; node = node->next)
        if (ask_node(node, questions, count, err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        follow(nodes, &questions[i]);
    return 0;
}

int nodes_ask(struct nodes *nodes, struct question *questions, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        questions[i].node = nodes->home;
    for (int round = 0; !all_answered(questions, count); round++) {
        if (round > MAX_REDIRECTS)
            err_set(err, ST_AGAIN, "the nodes of the Redis Cluster do not agree where a key is");
        if (round > MAX_REDIRECTS || ask_them(nodes, questions, count, err) != 0) {
            forget_others(nodes);
            return -1;
        }
    }
    return 0;
}
