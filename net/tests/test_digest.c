/* Digests: equal for equal texts and keys, and HMAC-SHA-256 as RFC 4231 has it. */
#include "base/tests/cm.h"
#include "net/digest.h"

/* A key that is filled up with zeros is the same key to HMAC: RFC 4231, test case 2. */
static void test_known(void **state) {
    const struct digest_key key = {"Jefe"};
    static const char data[] = "what do ya want for nothing?";
    char text[DIGEST_TEXT_MAX];

    (void)state;
    assert_int_equal(digest_text(&key, data, strlen(data), text, NULL), 0);
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_keys_differ(void **state) {
    struct digest_key one, two;
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];

    (void)state;
    assert_int_equal(digest_key_new(&one, NULL), 0);
    assert_int_equal(digest_key_new(&two, NULL), 0);
    assert_int_equal(digest_text(&one, "token", 5, a, NULL), 0);
    assert_int_equal(digest_text(&two, "token", 5, b, NULL), 0);
    assert_int_equal(digest_text(&one, "token", 5, again, NULL), 0);
    assert_string_equal(a, again);
    assert_string_not_equal(a, b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_keys_differ)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
