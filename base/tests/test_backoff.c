/* Waits after failures. */
#include "base/backoff.h"
#include "base/tests/cm.h"

static void test_doubles_up_to_its_limit(void **state) {
    static const usec_t at_most[] = {100, 200, 400, 800, 1000, 1000, 1000};
    struct backoff b;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        backoff_init(&b, 100, 1000, seed);
        for (size_t i = 0; i < sizeof(at_most) / sizeof(at_most[0]); i++) {
            usec_t wait = backoff_next(&b, 0);
            assert_in_range(wait, at_most[i] / 2, at_most[i]);
        }
        b.failures = 0;
        assert_in_range(backoff_next(&b, 0), 50, 100);
    }
}

static void test_differs(void **state) {
    struct backoff a, b;
    int equal = 0;

    (void)state;
    backoff_init(&a, USEC_PER_SEC, USEC_PER_MIN, 1);
    backoff_init(&b, USEC_PER_SEC, USEC_PER_MIN, 2);
    for (int i = 0; i < 20; i++)
        equal += backoff_next(&a, 0) == backoff_next(&b, 0);
    assert_in_range(equal, 0, 2);
}

static void test_at_least(void **state) {
    struct backoff b;

    (void)state;
    backoff_init(&b, 100, 1000, 7);
    assert_in_range(backoff_next(&b, 5000), 5000, 5050);
    /* a seed that would leave xorshift at 0 */
    backoff_init(&b, 100, 1000, 0x9e3779b97f4a7c15u);
    usec_t first = backoff_next(&b, 0);
    b.failures = 0;
    assert_int_not_equal(first, backoff_next(&b, 0));
}

static void test_rule(void **state) {
    (void)state;
    assert_int_equal(backoff_wait(100, 1000, 1, 0, 0), 50);
    assert_int_equal(backoff_wait(100, 1000, 1, 0, UINT32_MAX), 100);
    assert_int_equal(backoff_wait(100, 1000, 0, 0, UINT32_MAX), 100);
    assert_int_equal(backoff_wait(100, 1000, 3, 0, 0), 200);
    assert_int_equal(backoff_wait(100, 1000, UINT32_MAX, 0, UINT32_MAX), 1000);
    assert_int_equal(backoff_wait(2000, 1000, 1, 0, UINT32_MAX), 1000);
    assert_int_equal(backoff_wait(100, 1000, 1, 70, 0), 70);
    assert_int_equal(backoff_wait(100, 1000, 1, 5000, UINT32_MAX), 5050);
    assert_int_equal(backoff_wait(100, 1000, 1, 70, UINT32_MAX), 100);
}

static void test_seeds_differ(void **state) {
    static const char owners[2];
    uint64_t a = backoff_seed(&owners[0]), b = backoff_seed(&owners[1]);

    (void)state;
    assert_true(a != 0 && b != 0 && a != b);
    assert_int_not_equal(backoff_random(&a), backoff_random(&b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_its_limit),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_at_least),
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_seeds_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
