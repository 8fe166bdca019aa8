/* Loading libcurl: what is there works, what is not is named. */
#include "net/curl_library.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_refused(const char *file, const char *said) {
    struct err err = {0};
    struct curl_library library = {0};

    assert_int_equal(curl_library_open(file, &library, &err), -ELIBACC);
    assert_int_equal(err.code, -ELIBACC);
    if (!strstr(err_text(&err), said) || !strstr(err_text(&err), ": install libcurl4"))
        fail_msg("%s", err_text(&err));
    assert_null(library.easy_init);
}

static void a_library_that_is_not_there_is_named(void **state) {
    (void)state;
    assert_refused("libnot-there.so.4", "libnot-there.so.4: ");
}

/* Another library, or one too old, lacks functions: the first of them is named. */
static void a_function_that_is_not_there_is_named(void **state) {
    (void)state;
    assert_refused("libm.so.6", "curl_easy_cleanup");
}

static void it_is_loaded_once_and_works(void **state) {
    (void)state;
    struct err err = {0};

    assert_null(libcurl); /* nothing loads it before it is needed */
    assert_int_equal(curl_library_load(&err), 0);
    const struct curl_library *first = libcurl;
    assert_non_null(first);
    curl_library_need();
    assert_ptr_equal(libcurl, first);
    assert_int_equal(libcurl->getdate("Thu, 01 Jan 1970 00:01:00 GMT", NULL), 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_that_is_not_there_is_named),
        cmocka_unit_test(a_function_that_is_not_there_is_named),
        cmocka_unit_test(it_is_loaded_once_and_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
