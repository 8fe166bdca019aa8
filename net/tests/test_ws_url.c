/* Websocket URLs, taken apart or refused. */
#include "net/ws_url.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void urls_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool secure;
        int port;
        const char *name, *authority, *path;
    } cases[] = {
        {"wss://10.0.0.1:6443/api/v1/pods?watch=1&a=b", true, 6443, "10.0.0.1", "10.0.0.1:6443",
         "/api/v1/pods?watch=1&a=b"},
        {"wss://api.example/x", true, 443, "api.example", "api.example:443", "/x"},
        {"ws://api.example", false, 80, "api.example", "api.example:80", "/"},
        {"wss://[::1]:6443/x", true, 6443, "::1", "[::1]:6443", "/x"},
        {"wss://h:1/a?labelSelector=a%3Db%2Cc", true, 1, "h", "h:1", "/a?labelSelector=a%3Db%2Cc"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ws_url url = {0};
        struct err err = {0};
        if (ws_url_parse(cases[i].text, &url, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(url.secure, cases[i].secure);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.name, cases[i].name);
        assert_string_equal(url.authority, cases[i].authority);
        assert_string_equal(url.path, cases[i].path);
        ws_url_done(&url);
    }
}

static void other_urls_are_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",          "x",           "https://h/",     "wss://", "ws://u@h/", "ws://u:p@h/", "ws://h:99999/",
        "ws://h:x/", "ws://[::1/x", "ws://h\r\nX: y/"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ws_url url = {0};
        struct err err = {0};
        if (ws_url_parse(cases[i], &url, &err) != -EINVAL)
            fail_msg("%s is accepted", cases[i]);
        assert_null(url.name);
        assert_true(strlen(err.text) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(other_urls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
