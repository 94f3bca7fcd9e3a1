#include "queue/consume_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_nodes.h"
#include "common/script.h"

enum { MAX_REDIRECTS = 5, REST_BASE_MS = 500, REST_CAP_MS = 5000 };

struct node {
    struct node *next;
    char *address; /* as MOVED names it; NULL: the URL's */
    struct rlink *link;
    struct backoff backoff;
    int64_t rests_until_ms; /* it failed */
};

struct nodes {
    struct redis_url url;
    int timeout_ms;
    struct node *home; /* the first of the list */
};

/* ---- nodes ---- */

static void node_free(struct node *node)
{
    rlink_free(node->link);
    free(node->address);
    free(node);
}

/* NULL: that is no address. */
static struct node *node_new(const struct nodes *nodes, const char *address)
{
    struct node *node = mem_zalloc(sizeof(*node));

    node->link = rlink_new(&nodes->url, nodes->timeout_ms);
    node->address = mem_strdup(address);
    backoff_init(&node->backoff, REST_BASE_MS, REST_CAP_MS);
    if (!address || rlink_redirect(node->link, address))
        return node;
    node_free(node);
    return NULL;
}

static bool is_resting(const struct node *node)
{
    return clock_mono_ms() < node->rests_until_ms;
}

/* Each failure may have taken the whole timeout, and whoever asks next would wait as long. */
static void let_rest(struct node *node)
{
    node->rests_until_ms = clock_mono_ms() + backoff_next(&node->backoff);
    if (node->address)
        rlink_redirect(node->link, node->address); /* where it could not be opened, it would look elsewhere */
}

/* NULL: that is no address. */
static struct node *node_at(struct nodes *nodes, const char *address)
{
    struct node *node = nodes->home;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the first is home and stays */
    while (node->next && strcmp(node->next->address, address) != 0)
        node = node->next;
    if (!node->next)
        node->next = node_new(nodes, address);
    return node->next;
}

struct nodes *nodes_new(struct redis_url *url, int timeout_ms)
{
    struct nodes *nodes = mem_zalloc(sizeof(*nodes));

    nodes->url = *url;
    *url = (struct redis_url){0};
    nodes->timeout_ms = timeout_ms;
    nodes->home = node_new(nodes, NULL);
    return nodes;
}

/* After an error they may not be what they were; but who rests is not to be asked for that. */
static void forget_others(struct nodes *nodes)
{
    struct node **at = &nodes->home->next;

    while (*at) {
        struct node *node = *at;

        if (is_resting(node)) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        node_free(node);
    }
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    for (struct node *node = nodes->home, *next; node; node = next) {
        next = node->next;
        node_free(node);
    }
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

static int exchange(struct nodes *nodes, struct node *node, const struct buf *commands, size_t count,
                    redisReply **ret_replies, struct err *err)
{
    if (is_resting(node)) {
        err_set(err, ST_AGAIN, "Redis%s%s failed a moment ago", node->address ? " at " : "",
                node->address ? node->address : "");
        return -1;
    }
    if (rlink_exchange(node->link, commands, count, ret_replies, err) != 0) {
        let_rest(node);
        forget_others(nodes);
        return -1;
    }
    backoff_reset(&node->backoff);
    return 0;
}

static int ask_node(struct nodes *nodes, struct node *node, struct question *questions, size_t count,
                    struct err *err)
{
    redisReply *replies[2 * NODES_PIPELINE];
    struct buf commands = BUF_NONE;
    size_t ncommands = 0;
    int failed = 0;

    for (size_t i = 0; i < count; i++)
        if (is_for(&questions[i], node))
            put_question(&commands, &questions[i], &ncommands);
    if (ncommands)
        failed = exchange(nodes, node, &commands, ncommands, replies, err);
    if (ncommands && !failed)
        take_replies(questions, count, node, replies);
    buf_free(&commands);
    return failed;
}

/* MOVED, or ASK likewise: the question is open again. */
static void follow(struct nodes *nodes, struct question *question)
{
    const redisReply *reply = question->reply;
    struct redis_redirect redirect;
    struct node *node;

    if (reply->type != REDIS_REPLY_ERROR || !redis_read_redirect(reply->str, &redirect))
        return;
    node = node_at(nodes, redirect.address);
    if (!node)
        return;
    question->asking = redirect.ask;
    question->node = node;
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
        if (ask_node(nodes, node, questions, count, err) != 0)
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
        if (round > MAX_REDIRECTS) {
            err_set(err, ST_AGAIN, "the nodes of the Redis Cluster do not agree where a key is");
            forget_others(nodes);
            return -1;
        }
        if (ask_them(nodes, questions, count, err) != 0)
            return -1;
    }
    return 0;
}
