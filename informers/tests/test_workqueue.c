/* The queue: each key once, in order, at its time. */
#include "informers/workqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void expect_take(struct workqueue *queue, usec_t now, const char *want) {
    char *key = workqueue_take(queue, now);

    if (want)
        assert_non_null(key);
    else
        assert_null(key);
    if (want)
        assert_string_equal(key, want);
    free(key);
}

static void test_order_and_once(void **state) {
    struct workqueue *queue = workqueue_new();

    (void)state;
    workqueue_add(queue, "c", 0);
    workqueue_add(queue, "a", 0);
    workqueue_add(queue, "c", 0);
    workqueue_add(queue, "b", 0);
    assert_int_equal(workqueue_length(queue), 3);
    expect_take(queue, 1, "c");
    expect_take(queue, 1, "a");
    workqueue_add(queue, "c", 0);
    expect_take(queue, 1, "b");
    expect_take(queue, 1, "c");
    expect_take(queue, 1, NULL);
    workqueue_free(queue);
}

static void test_time(void **state) {
    struct workqueue *queue = workqueue_new();
    usec_t when = -1;

    (void)state;
    assert_false(workqueue_next(queue, &when));
    workqueue_add(queue, "later", 300);
    workqueue_add(queue, "soon", 200);
    workqueue_add(queue, "later", 400); /* the earlier time counts */
    assert_true(workqueue_next(queue, &when));
    assert_int_equal(when, 200);
    expect_take(queue, 199, NULL);
    expect_take(queue, 200, "soon");
    expect_take(queue, 299, NULL);
    workqueue_add(queue, "later", 100);
    expect_take(queue, 100, "later");
    assert_int_equal(workqueue_length(queue), 0);
    workqueue_free(queue);
}

static void test_remove(void **state) {
    struct workqueue *queue = workqueue_new();

    (void)state;
    for (int i = 0; i < 10; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%d", i);
        workqueue_add(queue, key, 10 - i);
    }
    workqueue_remove(queue, "k9");
    workqueue_remove(queue, "k5");
    workqueue_remove(queue, "k0");
    workqueue_remove(queue, "none");
    for (int i = 8; i > 0; i--) {
        char key[8];
        snprintf(key, sizeof(key), "k%d", i);
        if (i != 5)
            expect_take(queue, 100, key);
    }
    expect_take(queue, 100, NULL);
    workqueue_free(queue);
}

/* Against a plain array: whatever is added and removed, the earliest comes first. */
static void test_many(void **state) {
    enum { KEYS = 10000 };
    struct workqueue *queue = workqueue_new();
    static usec_t when[KEYS];
    unsigned seed = 1;
    usec_t last = 0;
    size_t left = 0;
    char *key;

    (void)state;
    for (int i = 0; i < KEYS; i++) {
        char name[16];
        when[i] = (usec_t)(rand_r(&seed) % 5000) + 1;
        snprintf(name, sizeof(name), "%d", i);
        workqueue_add(queue, name, when[i]);
    }
    for (int i = 0; i < KEYS; i += 3) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        workqueue_remove(queue, name);
        when[i] = 0;
    }
    while ((key = workqueue_take(queue, 1000000))) {
        long i = strtol(key, NULL, 10);
        assert_true(when[i] >= last);
        last = when[i];
        left++;
        free(key);
    }
    assert_int_equal(left, KEYS - (KEYS + 2) / 3);
    workqueue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_once),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
