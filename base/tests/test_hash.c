/* The keyed hash: known values, and another key. */
#include "base/hash.h"

#include "base/tests/cm.h"
#include <string.h>

/* As CPython 3.11 and newer hash the same bytes with PYTHONHASHSEED=0, that is with a key of zeros. */
static void test_known_values(void **state) {
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {
        {"a", UINT64_C(0x407448d2b89b1813)},
        {"abc", UINT64_C(0xc03bc3a0042630f2)},
        {"eight by", UINT64_C(0xd54cf3f0e0ee2aad)},
        {"pod-name-17", UINT64_C(0x53c6ab52e1ee7325)},
        {"sixteen bytes ok", UINT64_C(0x990122690d52edb7)},
        {"web-7d4b9c6f5d-x2x9z", UINT64_C(0x427903d2cccaa4e6)},
    };
    (void)state;
    hash_set_key(0, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(hash_bytes(cases[i].text, strlen(cases[i].text)) == cases[i].hash);
}

/* The same with PYTHONHASHSEED=42: here it shows which half of the key goes where. */
static void test_known_values_of_a_key(void **state) {
    (void)state;
    hash_set_key(UINT64_C(0xdc504fd368cd90af), UINT64_C(0xb920bb9ffe99e9c1));
    assert_true(hash_bytes("abc", 3) == UINT64_C(0x35b382d0c5d675e9));
    assert_true(hash_bytes("web-7d4b9c6f5d-x2x9z", 20) == UINT64_C(0x6b70133885867b6e));
}

static void test_the_key_counts(void **state) {
    (void)state;
    hash_set_key(0, 1);
    uint64_t one = hash_bytes("abc", 3);
    hash_set_key(1, 0);
    uint64_t other = hash_bytes("abc", 3);
    assert_true(one != other);
    assert_true(one != UINT64_C(0xc03bc3a0042630f2) && other != UINT64_C(0xc03bc3a0042630f2));
    assert_true(hash_bytes("abc", 3) == other);
    assert_true(hash_bytes("", 0) != hash_bytes("\0", 1));
}

/* The first test to run: nobody has set a key yet. */
static void test_a_key_of_its_own(void **state) {
    (void)state;
    uint64_t own = hash_bytes("abc", 3);
    assert_true(hash_bytes("abc", 3) == own);
    hash_set_key(0, 0);
    assert_true(hash_bytes("abc", 3) != own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_of_its_own),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_known_values_of_a_key),
        cmocka_unit_test(test_the_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
