/* Hash map: against a plain array under random puts and removes, tombstones, iteration. */
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include <stdio.h>

enum { KEYS = 2000, STEPS = 200000 };

/* A repeatable random number; the same ones on every machine. */
static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

struct reference {
    char keys[KEYS][16];
    void *values[KEYS]; /* NULL: not in */
    size_t len;
};

static void compare(const struct map *m, const struct reference *want) {
    struct map_iter it = {0};
    const char *key;
    void *value;
    size_t seen = 0;

    assert_int_equal(m->len, want->len);
    for (size_t i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(m, want->keys[i]), want->values[i]);
    for (; map_next(m, &it, &key, &value); seen++) {
        int64_t i = -1;
        assert_int_equal(str_to_i64(key + strlen("key-"), &i), 0);
        assert_ptr_equal(want->values[i], value);
    }
    assert_int_equal(seen, want->len);
}

static void test_against_a_reference(void **state) {
    (void)state;
    cleanup_map struct map m;
    cleanup_free struct reference *want = XNEW(struct reference);
    uint32_t seed = 2463534242u;

    map_init(&m);
    for (int i = 0; i < KEYS; i++)
        snprintf(want->keys[i], sizeof(want->keys[i]), "key-%d", i);
    for (int step = 0; step < STEPS; step++) {
        size_t i = next_random(&seed) % KEYS;
        /* long phases of growing and of shrinking */
        bool put = next_random(&seed) % 10 < (step / 20000 % 2 ? 2 : 8);
        void *value = put ? want->keys[next_random(&seed) % KEYS] : NULL;
        void *old = put ? map_put(&m, want->keys[i], value) : map_remove(&m, want->keys[i]);
        assert_ptr_equal(old, want->values[i]);
        want->len += (put && !want->values[i]) - (size_t)(!put && want->values[i]);
        want->values[i] = value;
        if (step % 10000 == 0)
            compare(&m, want);
    }
    compare(&m, want);
}

/* Keys that come and go must not let the table grow, nor a search run for ever. */
static void test_tombstones_do_not_fill_it(void **state) {
    (void)state;
    cleanup_map struct map m;
    char keys[100][8];

    map_init(&m);
    for (int i = 0; i < 100000; i++) {
        char *key = keys[i % 100];
        if (i >= 5)
            assert_ptr_equal(map_remove(&m, keys[(i - 5) % 100]), keys);
        snprintf(key, sizeof(keys[0]), "%d", i);
        assert_null(map_put(&m, key, keys));
        assert_true(m.cap <= 16);
        assert_true(m.filled < m.cap);
    }
    assert_null(map_get(&m, "absent"));
    assert_int_equal(m.len, 5);
}

static void test_empty(void **state) {
    (void)state;
    cleanup_map struct map m;
    struct map_iter it = {0};

    map_init(&m);
    assert_null(map_get(&m, "a"));
    assert_null(map_remove(&m, "a"));
    assert_false(map_next(&m, &it, NULL, NULL));
}

/* The empty key is a key like others, and is not the mark of a removed entry. */
static void test_empty_key(void **state) {
    (void)state;
    cleanup_map struct map m;
    int one, two;

    map_init(&m);
    map_put(&m, "a", &one);
    map_remove(&m, "a");
    assert_null(map_get(&m, ""));
    assert_null(map_put(&m, "", &two));
    assert_ptr_equal(map_get(&m, ""), &two);
    assert_ptr_equal(map_remove(&m, ""), &two);
    assert_null(map_get(&m, ""));
}

static void test_lookup_by_length(void **state) {
    (void)state;
    cleanup_map struct map m;
    int value;

    map_init(&m);
    map_put(&m, "web", &value);
    assert_ptr_equal(map_get_n(&m, "website", 3), &value);
    assert_null(map_get_n(&m, "website", 4));
    assert_null(map_get_n(&m, "web\0x", 5));
    assert_null(map_get_n(&m, "we", 2));
}

/* Putting again takes the new key too: the old one may be freed. */
static void test_replace_takes_the_key(void **state) {
    (void)state;
    cleanup_map struct map m;
    char *first = xstrdup("name"), *second = xstrdup("name");
    struct map_iter it = {0};
    const char *key = NULL;

    map_init(&m);
    map_put(&m, first, first);
    assert_ptr_equal(map_put(&m, second, second), first);
    free(first);
    assert_true(map_next(&m, &it, &key, NULL));
    assert_ptr_equal(key, second);
    assert_int_equal(m.len, 1);
    free(second);
}

static void test_remove_while_iterating(void **state) {
    (void)state;
    cleanup_map struct map m;
    char keys[50][8];
    struct map_iter it = {0};
    const char *key;
    int seen = 0;

    map_init(&m);
    for (int i = 0; i < 50; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        map_put(&m, keys[i], keys[i]);
    }
    for (; map_next(&m, &it, &key, NULL); seen++)
        assert_non_null(map_remove(&m, key));
    assert_int_equal(seen, 50);
    assert_int_equal(m.len, 0);
}

/* Whatever the hashes are: what is printed in this order must be the same in each process. */
static void test_order(void **state) {
    (void)state;
    static const char *const keys[] = {"b", "a", "d", "c", "f", "e", "h", "g", "j", "i", "l", "k"};
    for (uint64_t seed = 0; seed < 100; seed++) {
        cleanup_map struct map m;
        struct map_iter it = {0};
        const char *key;
        char seen[16] = "";
        size_t len = 0;
        int value;
        hash_set_key(seed, 0);
        map_init(&m);
        for (int i = 0; i < 12; i++)
            map_put(&m, keys[i], &value);
        map_remove(&m, "d");
        map_put(&m, "b", &value);
        map_remove(&m, "g");
        map_put(&m, "d", &value);
        while (map_next(&m, &it, &key, NULL))
            seen[len++] = key[0];
        assert_string_equal(seen, "bacfehjilkd");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_reference),
        cmocka_unit_test(test_tombstones_do_not_fill_it),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_empty_key),
        cmocka_unit_test(test_lookup_by_length),
        cmocka_unit_test(test_replace_takes_the_key),
        cmocka_unit_test(test_remove_while_iterating),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
