/* queue/consume_verdict.h: the verdicts are those that the header promises, read here once more in the most
 * simple way, and the same in whatever pieces the stream comes. First the items' names, then the stream. */
#include "queue/consume_verdict.h"

#include "fuzz.h"

enum { MAX_NAMES = 6, MAX_NAME = 40 };

/* ---- what the header says ---- */

struct judgement {
    enum verdict verdict;
    char *reason;
};

static bool is_name(const struct verdict_name *name, const char *text, size_t len)
{
    return name->len == len && memcmp(name->data, text, len) == 0;
}

static void judge(struct judgement *judgement, enum verdict verdict, const char *reason, size_t len)
{
    if (judgement->verdict == VERDICT_FAIL)
        return;
    judgement->verdict = verdict;
    if (len)
        judgement->reason = strndup(reason, len < VERDICT_REASON_BYTES ? len : VERDICT_REASON_BYTES);
}

/* The length of the longest name that stands before the end or a tab; -1: none. */
static long longest(const struct verdict_name *names, size_t count, const char *text, size_t len)
{
    long found = -1;

    for (size_t i = 0; i < count; i++)
        if (names[i].len <= len && memcmp(names[i].data, text, names[i].len) == 0 &&
            (names[i].len == len || text[names[i].len] == '\t') && (long)names[i].len > found)
            found = (long)names[i].len;
    return found;
}

/* Whether the line is right. */
static bool judge_line(const struct verdict_name *names, size_t count, const char *line, size_t len,
                       struct judgement *judgements)
{
    bool ok = len >= 3 && memcmp(line, "ok\t", 3) == 0, fail = len >= 5 && memcmp(line, "fail\t", 5) == 0,
         known = false;
    const char *rest = line + (ok ? 3 : 5), *reason = NULL;
    long name_len;

    if (!ok && !fail)
        return false;
    len -= (size_t)(rest - line);
    name_len = ok ? (long)len : longest(names, count, rest, len);
    if (name_len < 0)
        return false;
    if ((size_t)name_len < len)
        reason = rest + name_len + 1;
    for (size_t i = 0; i < count; i++) {
        if (!is_name(&names[i], rest, (size_t)name_len))
            continue;
        known = true;
        judge(&judgements[i], ok ? VERDICT_OK : VERDICT_FAIL, reason,
              reason ? len - (size_t)(reason - rest) : 0);
    }
    return known;
}

static bool judge_all(const struct verdict_name *names, size_t count, const char *stream, size_t len,
                      struct judgement *judgements)
{
    bool right = true;

    while (len) {
        const char *end = memchr(stream, '\n', len);

        if (!end)
            return false;
        right &= judge_line(names, count, stream, (size_t)(end - stream), judgements);
        len -= (size_t)(end + 1 - stream);
        stream = end + 1;
    }
    return right;
}

/* ---- what the code says ---- */

static struct verdicts *read_in_pieces(const struct verdict_name *names, size_t count, const uint8_t *stream,
                                       size_t len, size_t piece)
{
    struct verdicts *verdicts = verdicts_new(names, count);

    while (len) {
        size_t n = len < piece ? len : piece;
        char *exact = exactly(stream, n);

        verdicts_feed(verdicts, exact, n);
        free(exact);
        stream += n;
        len -= n;
    }
    verdicts_finish(verdicts);
    return verdicts;
}

static void check(const struct verdicts *verdicts, size_t count, const struct judgement *judgements,
                  bool right)
{
    const char *wrong = verdicts_wrong(verdicts);

    for (size_t i = 0; i < count; i++) {
        const char *reason;

        must(verdicts_get(verdicts, i, &reason) == judgements[i].verdict, "item %zu: %d, not %d", i,
             verdicts_get(verdicts, i, NULL), judgements[i].verdict);
        must(!reason == !judgements[i].reason && (!reason || strcmp(reason, judgements[i].reason) == 0),
             "item %zu: %s, not %s", i, reason, judgements[i].reason);
    }
    must(!wrong == right, "%s", wrong ? wrong : "nothing is said to be wrong");
    must(!wrong || is_utf8(wrong, strlen(wrong)), "%s", wrong);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t count = input_byte(&input) % (MAX_NAMES + 1);
    size_t pieces[] = {SIZE_MAX, 1, (size_t)input_byte(&input) + 1};
    struct verdict_name names[MAX_NAMES];
    struct judgement judgements[MAX_NAMES] = {0};
    bool right;

    for (size_t i = 0; i < count; i++)
        names[i].data = input_bytes(&input, MAX_NAME, &names[i].len);
    right = judge_all(names, count, (const char *)input.at, input.left, judgements);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct verdicts *verdicts = read_in_pieces(names, count, input.at, input.left, pieces[i]);

        check(verdicts, count, judgements, right);
        verdicts_free(verdicts);
    }
    for (size_t i = 0; i < count; i++) {
        free((char *)names[i].data);
        free(judgements[i].reason);
    }
    return 0;
}
