/* What is sent to a remote adapter, and what its lists are taken for. */
#include "adapter/remote_forward.h"
#include "adapter/remote_list.h"
#include "base/tests/cm.h"
#include <errno.h>

static const char *const no_texts[] = {NULL};
static const struct identity_extra no_extra = {0};

static void test_identity(void **state) {
    static const char *const groups[] = {"a", "b, c", NULL}, *const values[] = {"1", "", NULL};
    static const struct identity_extra extra[] = {{"example.com/key", values}, {"50%", values}, {0}};
    static const char *const want[] = {"X-Remote-User: system:serviceaccount:shop:web",
                                       "X-Remote-Uid: 7",
                                       "X-Remote-Group: a",
                                       "X-Remote-Group: b, c",
                                       "X-Remote-Extra-example.com%2Fkey: 1",
                                       "X-Remote-Extra-example.com%2Fkey: ",
                                       "X-Remote-Extra-50%25: 1",
                                       "X-Remote-Extra-50%25: "};
    const struct identity who = {"system:serviceaccount:shop:web", "7", groups, extra};
    cleanup_arena struct arena arena;
    struct forward_lines lines = {.arena = &arena};

    (void)state;
    arena_init(&arena, 0);
    assert_int_equal(forward_identity(&lines, &who, NULL), 0);
    assert_int_equal(lines.count, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < lines.count; i++)
        assert_string_equal(lines.lines[i], want[i]);
    assert_null(lines.lines[lines.count]);
}

/* A name that would arrive as another one is not sent. */
static void test_names_that_would_change(void **state) {
    static const char *const bad[] = {"admin ", " admin", "admin\r\nX-Remote-Group: system:masters", "a\tb",
                                      "a\x7f"};
    cleanup_arena struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *const groups[] = {bad[i], NULL};
        const struct identity_extra extra[] = {{"k", groups}, {0}};
        const struct identity cases[] = {{bad[i], "", no_texts, &no_extra},
                                         {"u", bad[i], no_texts, &no_extra},
                                         {"u", "", groups, &no_extra},
                                         {"u", "", no_texts, extra}};
        for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
            struct forward_lines lines = {.arena = &arena};
            if (forward_identity(&lines, &cases[at], NULL) != -EINVAL)
                fail_msg("\"%s\" as part %zu", bad[i], at);
        }
    }
}

static void test_lines_are_bounded(void **state) {
    cleanup_arena struct arena arena;
    struct forward_lines lines = {.arena = &arena};

    (void)state;
    arena_init(&arena, 0);
    for (int i = 0; i < FORWARD_LINES_MAX; i++)
        assert_int_equal(forward_line(&lines, "A", "b", NULL), 0);
    assert_int_equal(forward_line(&lines, "A", "b", NULL), -EINVAL);
}

static void test_targets(void **state) {
    static const char *const good[] = {
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/pods/*/queue?labelSelector=a%2Fb%3D..",
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/deployments.apps/web/.hidden/...",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/a/..b",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/a/m%20x",
    };
    static const char *const bad[] = {
        "",
        "http://elsewhere/",
        "apis/x",
        "//elsewhere/x",
        "/apis/../x",
        "/apis/./x",
        "/apis/..",
        "/apis/.?x",
        "/apis/%2e%2E/x",
        "/apis/.%2e/x",
        "/apis/%2e",
        "/apis//x",
        "/apis/x/",
        "/apis/x%2fy",
        "/apis/x%2Fy",
        "/apis/x%5cy",
        "/apis/x\\y",
        "/apis/x#y",
        "/apis/x?y#z",
        "/apis/x y",
        "/apis/x\r\ny",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (forward_check_target(good[i], NULL) != 0)
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (forward_check_target(bad[i], NULL) != -EINVAL)
            fail_msg("%s", bad[i]);
}

static int read_text(const char *text, bool external, struct remote_list *ret_list) {
    json_t *document = json_loads(text, 0, NULL);
    int ret = remote_list_read(document, external, ret_list, NULL);

    json_decref(document);
    return ret;
}

#define LIST(items) "{\"kind\":\"APIResourceList\",\"resources\":" items "}"

static bool has(const struct remote_list *list, const char *resource, const char *metric) {
    const struct metrics_route route = {
        .api = resource ? ROUTE_CUSTOM : ROUTE_EXTERNAL, .resource = resource, .metric = metric};

    return remote_list_has(list, &route);
}

static void test_custom_list(void **state) {
    struct remote_list list = {0};

    (void)state;
    assert_true(has(&list, "pods", "x")); /* never read */
    assert_int_equal(read_text(LIST("[{\"name\":\"pods/q\",\"namespaced\":true},{\"name\":\"namespaces/q\","
                                    "\"namespaced\":false},{\"name\":\"deployments.apps/r\"},{\"name\":"
                                    "\"ingresses.networking.k8s.io/r\"},{\"name\":\"nothing\"},{},5]"),
                               false, &list),
                     0);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.entries[0].name, "deployments.apps/r");
    assert_string_equal(list.entries[3].name, "pods/q");
    assert_true(list.entries[3].namespaced && !list.entries[2].namespaced);
    assert_true(has(&list, "pods", "q") && has(&list, "pod", "q") && has(&list, "namespaces", "q"));
    assert_true(has(&list, "deployment", "r") && has(&list, "deployments.apps", "r"));
    assert_true(has(&list, "ingress", "r") && has(&list, "ingress.networking.k8s.io", "r"));
    assert_false(has(&list, "pods", "r") || has(&list, "p", "q") || has(&list, "podss", "q"));
    assert_false(has(&list, "deployments.extensions", "r") || has(&list, "deployments.apps.x", "r"));
    remote_list_done(&list);
    assert_false(list.known);
}

static void test_external_list(void **state) {
    struct remote_list list;

    (void)state;
    assert_int_equal(read_text(LIST("[{\"name\":\"b\"},{\"name\":\"a\"}]"), true, &list), 0);
    assert_true(has(&list, NULL, "a") && has(&list, NULL, "b"));
    assert_false(has(&list, NULL, "c") || has(&list, NULL, ""));
    remote_list_done(&list);
    assert_int_equal(read_text(LIST("null"), true, &list), 0);
    assert_false(has(&list, NULL, "a"));
    remote_list_done(&list);
    assert_int_equal(read_text(LIST("{}"), true, &list), -EBADMSG);
    assert_int_equal(read_text("{\"kind\":\"Status\"}", true, &list), -EBADMSG);
    assert_int_equal(read_text("[]", true, &list), -EBADMSG);
    assert_int_equal(remote_list_read(NULL, true, &list, NULL), -EBADMSG);
}

/* One entry that stands for all: what it is called has changed with the library that makes it. */
static void test_lists_without_names(void **state) {
    static const struct {
        const char *text;
        bool external, any;
    } cases[] = {
        {LIST("[{\"name\":\"externalmetrics\"}]"), true, true},
        {LIST("[{\"name\":\"externalmetric\"}]"), true, true},
        {LIST("[{\"name\":\"externalmetrics_total\"}]"), true, false},
        {LIST("[{\"name\":\"/custommetrics\"}]"), false, true},
        {LIST("[{\"name\":\"/custommetric\"}]"), false, true},
        {LIST("[{\"name\":\"pods/custommetrics\"}]"), false, false},
    };
    struct remote_list list;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_text(cases[i].text, cases[i].external, &list), 0);
        assert_int_equal(has(&list, cases[i].external ? NULL : "pods", "s0-prometheus"), cases[i].any);
        remote_list_done(&list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_names_that_would_change),
        cmocka_unit_test(test_lines_are_bounded),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_custom_list),
        cmocka_unit_test(test_external_list),
        cmocka_unit_test(test_lists_without_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
