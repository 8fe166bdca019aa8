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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_its_limit),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_at_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
