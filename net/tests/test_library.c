/* Loading libraries: what is there works, what is not is named. */
#include "net/curl_library.h"
#include "net/library.h"
#include "net/lws_library.h"
#include "net/openssl_library.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct maths {
    double (*cos)(double x), (*pow)(double x, double y);
};

static void assert_refused(const struct library *library, const char *said) {
    struct err err = {0};
    struct maths maths = {0};

    assert_int_equal(library_open(library, &maths, &err), -ELIBACC);
    assert_int_equal(err.code, -ELIBACC);
    if (!strstr(err_text(&err), said) || !strstr(err_text(&err), ": install maths"))
        fail_msg("%s", err_text(&err));
    assert_null(maths.cos);
}

static void a_library_that_is_not_there_is_named(void **state) {
    (void)state;
    static const char *const names[] = {"cos", "pow"};
    struct library library = {"libnot-there.so.6", "maths", "", names, 2};

    assert_refused(&library, "libnot-there.so.6: ");
}

/* Another library, or one too old, lacks functions: the first of them is named, and nothing is taken. */
static void a_function_that_is_not_there_is_named(void **state) {
    (void)state;
    static const char *const names[] = {"s", "ness"};
    struct library library = {"libm.so.6", "maths", "co", names, 2};

    assert_refused(&library, "coness");
}

static void the_table_has_the_functions_in_their_order(void **state) {
    (void)state;
    static const char *const names[] = {"cos", "pow"};
    struct library library = {"libm.so.6", "maths", "", names, 2};
    struct maths maths = {0};

    assert_int_equal(library_open(&library, &maths, NULL), 0);
    assert_true(maths.cos(0) == 1.0);
    assert_true(maths.pow(2, 10) == 1024.0);
}

/* Nothing loads them before they are needed, and what is loaded stays. */
static void each_is_loaded_once(void **state) {
    (void)state;
    assert_null(libcurl);
    assert_null(libwebsockets);
    assert_null(openssl);
    library_need(curl_library_load);
    library_need(lws_library_load);
    library_need(openssl_library_load);
    const struct curl_library *curl = libcurl;
    const struct lws_library *lws = libwebsockets;
    const struct openssl_library *ssl = openssl;
    assert_int_equal(curl_library_load(NULL), 0);
    assert_int_equal(lws_library_load(NULL), 0);
    assert_int_equal(openssl_library_load(NULL), 0);
    assert_ptr_equal(libcurl, curl);
    assert_ptr_equal(libwebsockets, lws);
    assert_ptr_equal(openssl, ssl);
    assert_int_equal(libcurl->getdate("Thu, 01 Jan 1970 00:01:00 GMT", NULL), 60);
    assert_string_equal(openssl->X509_verify_cert_error_string(X509_V_OK), "ok");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_that_is_not_there_is_named),
        cmocka_unit_test(a_function_that_is_not_there_is_named),
        cmocka_unit_test(the_table_has_the_functions_in_their_order),
        cmocka_unit_test(each_is_loaded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
