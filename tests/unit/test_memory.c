/* common/mem.h, common/arena.h, common/buf.h */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/mem.h"

#include "unit.h"

/* ---- mem ---- */

START_TEST(mem_of_no_bytes_is_not_null)
{
    void *a = mem_alloc(0), *b = mem_zalloc(0), *c = mem_resize(NULL, 0);

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_nonnull(c);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(mem_zalloc_is_zero)
{
    const char zero[1000] = {0};
    char *used = mem_alloc(sizeof(zero));
    char *fresh;

    memset(used, 'x', sizeof(zero));
    free(used);
    fresh = mem_zalloc(sizeof(zero));
    ck_assert_mem_eq(fresh, zero, sizeof(zero));
    free(fresh);
}
END_TEST

START_TEST(mem_copies_text)
{
    char *whole = mem_strdup("abc"), *head = mem_strndup("abcdef", 2), *none = mem_strndup("abc", 0);
    char *printed = mem_printf("%s-%03d", "n", 7);

    ck_assert_str_eq(whole, "abc");
    ck_assert_str_eq(head, "ab");
    ck_assert_str_eq(none, "");
    ck_assert_str_eq(printed, "n-007");
    ck_assert_ptr_null(mem_strdup(NULL));
    free(whole);
    free(head);
    free(none);
    free(printed);
}
END_TEST

START_TEST(mem_grow_doubles)
{
    int *list = NULL;
    size_t capacity = 0, grown = 0;

    for (int i = 0; i < 10000; i++) {
        size_t before = capacity;

        list = mem_grow(list, (size_t)i, &capacity, sizeof(*list));
        ck_assert_uint_gt(capacity, (size_t)i);
        grown += capacity != before;
        list[i] = i;
    }
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(list[i], i);
    ck_assert_uint_le(grown, 14);
    free(list);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__
/* Or AddressSanitizer would end the program before we can. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

START_TEST(mem_out_of_memory_ends_the_program)
{
    volatile size_t too_much = SIZE_MAX / 2;
    int status;
    pid_t child = fork();

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        close(STDERR_FILENO);
        mem_insist();
        mem_alloc(too_much);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

/* As the queue library needs it: nobody insists here. */
START_TEST(mem_out_of_memory_is_told_where_nobody_insists)
{
    volatile size_t too_much = SIZE_MAX / 8; /* twice as much is still positive to valgrind */
    struct buf buf = BUF_NONE, other = BUF_NONE;

    ck_assert_ptr_null(mem_alloc(too_much));
    ck_assert_ptr_null(mem_strndup("", too_much));
    buf_puts(&buf, "a");
    buf_add(&buf, "b", too_much);
    ck_assert(buf.failed && strcmp(buf.data, "a") == 0);
    buf_printf(&buf, "%s", "c");
    buf_add_buf(&other, &buf);
    ck_assert(other.failed && other.data && strcmp(other.data, "a") == 0);
    ck_assert_ptr_null(buf_take(&other));
    buf_clear(&buf);
    buf_puts(&buf, "d");
    ck_assert(!buf.failed && strcmp(buf.data, "d") == 0);
    buf_free(&buf);
}
END_TEST

/* ---- arena ---- */

struct piece {
    unsigned char *at;
    size_t size;
    unsigned char mark;
};

static void fill(struct arena *arena, struct piece *pieces, size_t count)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < count; i++) {
        struct piece *piece = &pieces[i];

        piece->size = unit_random(&seed, i % 100 == 0 ? 100000 : 300);
        piece->mark = (unsigned char)i;
        piece->at = arena_alloc(arena, piece->size);
        ck_assert_ptr_nonnull(piece->at);
        ck_assert_uint_eq((uintptr_t)piece->at % 8, 0);
        memset(piece->at, piece->mark, piece->size);
    }
}

static void assert_filled(const struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < pieces[i].size; j++)
            if (pieces[i].at[j] != pieces[i].mark)
                ck_abort_msg("piece %zu was overwritten", i);
}

START_TEST(arena_pieces_are_aligned_and_apart)
{
    struct arena *arena = arena_new();
    struct piece pieces[2000];

    fill(arena, pieces, ROWS(pieces));
    assert_filled(pieces, ROWS(pieces));
    arena_free(arena);
}
END_TEST

START_TEST(arena_reset_begins_anew)
{
    struct arena *arena = arena_new();
    struct piece pieces[500];

    for (int round = 0; round < 5; round++) {
        fill(arena, pieces, ROWS(pieces));
        assert_filled(pieces, ROWS(pieces));
        arena_reset(arena);
    }
    arena_reset(arena);
    arena_free(arena);
}
END_TEST

START_TEST(arena_edges)
{
    struct arena *arena = arena_new();
    char *copy = arena_copy(arena, "a\0b", 4);
    char *huge = arena_alloc(arena, 1 << 20);

    ck_assert_mem_eq(copy, "a\0b", 4);
    memset(huge, 'x', 1 << 20);
    ck_assert_mem_eq(copy, "a\0b", 4);
    ck_assert_ptr_nonnull(arena_alloc(arena, 0));
    arena_free(arena);
    arena_free(NULL);
}
END_TEST

/* ---- buf ---- */

START_TEST(buf_begins_without_memory)
{
    struct buf buf = BUF_NONE;

    ck_assert_ptr_null(buf.data);
    buf_clear(&buf);
    ck_assert_ptr_null(buf.data);
    buf_add(&buf, NULL, 0);
    ck_assert_uint_eq(buf.len, 0);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_is_always_terminated)
{
    struct buf buf = BUF_NONE;

    buf_puts(&buf, "ab");
    ck_assert_str_eq(buf.data, "ab");
    buf_putc(&buf, 'c');
    ck_assert_str_eq(buf.data, "abc");
    buf_printf(&buf, "-%d-%s", 42, "x");
    ck_assert_str_eq(buf.data, "abc-42-x");
    buf_add(&buf, "yz!", 2);
    ck_assert_str_eq(buf.data, "abc-42-xyz");
    ck_assert_uint_eq(buf.len, 10);
    buf_free(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len + buf.capacity, 0);
}
END_TEST

START_TEST(buf_holds_bytes)
{
    struct buf buf = BUF_NONE;

    buf_add(&buf, "a\0b", 3);
    buf_putc(&buf, '\0');
    ck_assert_uint_eq(buf.len, 4);
    ck_assert_mem_eq(buf.data, "a\0b\0", 5);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_grows)
{
    struct buf buf = BUF_NONE;

    for (int i = 0; i < 50000; i++) {
        buf_printf(&buf, "%07d\n", i);
        ck_assert_uint_lt(buf.len, buf.capacity);
    }
    ck_assert_uint_eq(buf.len, 8 * 50000);
    for (int i = 0; i < 50000; i++)
        ck_assert_int_eq(atoi(buf.data + (size_t)i * 8), i);
    ck_assert_uint_eq(strlen(buf.data), buf.len);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_clear_keeps_the_memory)
{
    struct buf buf = BUF_NONE;
    char *data;
    size_t capacity;

    buf_printf(&buf, "%1000d", 1);
    data = buf.data;
    capacity = buf.capacity;
    buf_clear(&buf);
    ck_assert_str_eq(buf.data, "");
    buf_puts(&buf, "again");
    ck_assert_str_eq(buf.data, "again");
    ck_assert_ptr_eq(buf.data, data);
    ck_assert_uint_eq(buf.capacity, capacity);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_take_gives_away)
{
    struct buf buf = BUF_NONE;
    char *text, *nothing;

    buf_puts(&buf, "mine");
    text = buf_take(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    nothing = buf_take(&buf);
    buf_puts(&buf, "other");
    ck_assert_str_eq(text, "mine");
    ck_assert_str_eq(nothing, "");
    free(text);
    free(nothing);
    buf_free(&buf);
}
END_TEST

UNIT_MAIN("memory", UNIT(mem_of_no_bytes_is_not_null), UNIT(mem_zalloc_is_zero), UNIT(mem_copies_text),
          UNIT(mem_grow_doubles), UNIT(mem_out_of_memory_ends_the_program),
          UNIT(mem_out_of_memory_is_told_where_nobody_insists), UNIT(arena_pieces_are_aligned_and_apart),
          UNIT(arena_reset_begins_anew), UNIT(arena_edges), UNIT(buf_begins_without_memory),
          UNIT(buf_is_always_terminated), UNIT(buf_holds_bytes), UNIT(buf_grows),
          UNIT(buf_clear_keeps_the_memory), UNIT(buf_take_gives_away))
