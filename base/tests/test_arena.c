/* Arenas: alignment, zeroed memory, blocks larger than a block, reset. */
#include "base/arena.h"

#include "base/tests/cm.h"

static void test_aligned_zeroed_and_apart(void **state) {
    (void)state;
    cleanup_arena struct arena a;
    unsigned char *last = NULL;

    arena_init(&a, 256);
    for (size_t size = 1; size < 600; size++) {
        unsigned char *p = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
        if (last)
            assert_int_equal(last[size - 2], 0xff); /* the one before, size - 1 bytes, is untouched */
        last = p;
    }
}

static void test_default_block(void **state) {
    (void)state;
    cleanup_arena struct arena a;

    arena_init(&a, 0);
    assert_null(a.blocks);
    assert_non_null(arena_alloc(&a, 0));
    assert_int_equal(a.block_size, 4096);
}

static void test_reset_keeps_one_block(void **state) {
    (void)state;
    cleanup_arena struct arena a;

    arena_init(&a, 256);
    arena_reset(&a); /* of an empty one */
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(&a, 100), 0xaa, 100);
    assert_int_equal(a.used, 100 * 112);
    const void *block = a.blocks;
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_ptr_equal(a.blocks, block);
    const unsigned char *p = arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0); /* zeroed again */
}

/* One large round must not be paid for ever. */
static void test_reset_lets_large_blocks_go(void **state) {
    (void)state;
    cleanup_arena struct arena a;

    arena_init(&a, 256);
    arena_alloc(&a, 100000);
    arena_reset(&a);
    assert_null(a.blocks);
    assert_non_null(arena_alloc(&a, 1));
}

static void test_strings(void **state) {
    (void)state;
    cleanup_arena struct arena a;
    char wide[1000];

    arena_init(&a, 64);
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    assert_string_equal(arena_strdup(&a, ""), "");
    assert_string_equal(arena_strdup(&a, wide), wide);
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(ARENA_JOIN(&a, "one", "", " and ", "two"), "one and two");
    assert_string_equal(ARENA_JOIN(&a, ""), "");
    assert_string_equal(ARENA_JOIN(&a, wide, ""), wide);
    assert_string_equal(arena_join(&a, (const char *const[]){NULL}), "");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
    assert_string_equal(arena_printf(&a, "%d of %s", 3, "four"), "3 of four");
    assert_string_equal(arena_printf(&a, "%s", wide), wide);
}

/* A text is first written into what is left of a block; where that is too little it goes into the next one.
 */
static void test_texts_at_the_end_of_blocks(void **state) {
    (void)state;
    cleanup_arena struct arena a;
    char *texts[200];

    arena_init(&a, 100); /* no multiple of the alignment */
    for (int i = 0; i < 200; i++)
        texts[i] = arena_printf(&a, "%0*d", i % 120 + 1, i % 10);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(strlen(texts[i]), i % 120 + 1);
        assert_int_equal(texts[i][i % 120], '0' + i % 10);
    }
    arena_reset(&a); /* what lay there before does not show */
    assert_string_equal(arena_strndup(&a, "abcdef", 2), "ab");
    assert_string_equal(arena_printf(&a, "%s", "c"), "c");
}

struct pair {
    int64_t a;
    char b;
};

static void test_typed(void **state) {
    (void)state;
    cleanup_arena struct arena a;

    arena_init(&a, 64);
    struct pair *one = ARENA_NEW(&a, struct pair), *many = ARENA_ARRAY(&a, struct pair, 100);
    one->b = 1;
    many[0].a = INT64_MAX;
    many[99].b = 2;
    assert_int_equal(one->b, 1);
    assert_int_equal(one->a, 0);
    assert_int_equal(many[98].b, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_zeroed_and_apart),
        cmocka_unit_test(test_default_block),
        cmocka_unit_test(test_reset_keeps_one_block),
        cmocka_unit_test(test_reset_lets_large_blocks_go),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_texts_at_the_end_of_blocks),
        cmocka_unit_test(test_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
