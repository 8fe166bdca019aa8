/* The widener: every case of data/widen. in.json: query, perhaps object, ns, object_value, ns_value and most
 * ("objects", "namespaces"); want.json: widened and query. */
#include "adapter/widen.h"

#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const levels[] = {"none", "objects", "namespaces"};

static const char *text_in(const json_t *object, const char *key, const char *otherwise) {
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : otherwise;
}

static void check(const struct test_case *c) {
    const struct widen_labels labels = {.object = text_in(c->in, "object", "pod"),
                                        .ns = text_in(c->in, "ns", "namespace"),
                                        .object_value = text_in(c->in, "object_value", NULL),
                                        .ns_value = text_in(c->in, "ns_value", NULL)};
    const char *most = text_in(c->in, "most", "namespaces");
    cleanup_buf struct buf out;

    buf_init(&out, 1 << 20);
    buf_puts(&out, "=");
    enum widened level = widen_query(text_in(c->in, "query", ""), &labels,
                                     str_eq(most, "objects") ? WIDEN_OBJECTS : WIDEN_NAMESPACES, &out);
    json_t *got = json_pack("{s:s, s:s}", "widened", levels[level], "query", out.data + 1);
    assert_int_equal(out.data[0], '='); /* it is appended */
    assert_json_has(c->want, got);
    json_decref(got);
}

static const char one[] = "sum(x{namespace=\"n\",pod=\"a\"}) by (pod)";

static void test_most(void **state) {
    (void)state;
    cleanup_buf struct buf out;

    buf_init(&out, 4096);
    assert_int_equal(widen_query(one, &(struct widen_labels){.object = "pod"}, WIDEN_NAMESPACES, &out),
                     WIDEN_OBJECTS);
    assert_string_equal(out.data, "sum(x{namespace=\"n\"}) by (pod)");
    buf_reset(&out);
    assert_int_equal(widen_query(one, &(struct widen_labels){.object = "pod"}, WIDEN_NONE, &out), WIDEN_NONE);
    assert_string_equal(out.data, one);
}

/* A list of names may be long, a query longer than the limit is left alone. */
static void test_long(void **state) {
    (void)state;
    cleanup_buf struct buf query, out;

    buf_init(&query, 1 << 20);
    buf_init(&out, 1 << 20);
    buf_puts(&query, "sum(x{pod=~\"a");
    while (query.len < WIDEN_QUERY_MAX - 20)
        buf_puts(&query, "|abcdefgh");
    buf_puts(&query, "\"}) by (pod)");
    assert_int_equal(widen_query(query.data, &(struct widen_labels){.object = "pod"}, WIDEN_OBJECTS, &out),
                     WIDEN_OBJECTS);
    assert_string_equal(out.data, "sum(x{}) by (pod)");
    while (query.len <= WIDEN_QUERY_MAX)
        buf_puts(&query, " ");
    buf_reset(&out);
    assert_int_equal(widen_query(query.data, &(struct widen_labels){.object = "pod"}, WIDEN_OBJECTS, &out),
                     WIDEN_NONE);
    assert_string_equal(out.data, query.data);
}

/* Each "by" gets the namespace: what more than doubles is not cut off, but widened less. */
static void test_growing(void **state) {
    static const struct widen_labels labels = {.object = "p", .ns = "a_label_for_namespaces"};
    cleanup_buf struct buf query, out;

    (void)state;
    buf_init(&query, 1 << 20);
    for (int i = 0; i < 40; i++)
        buf_puts(&query, "sum by(p)(");
    buf_puts(&query, "x{p=\"a\",a_label_for_namespaces=\"n\"}");
    for (int i = 0; i < 40; i++)
        buf_puts(&query, ")");
    buf_init(&out, 2 * query.len);
    assert_int_equal(widen_query(query.data, &labels, WIDEN_NAMESPACES, &out), WIDEN_OBJECTS);
    assert_int_equal(out.len, query.len - strlen("p=\"a\","));
}

static void test_deep(void **state) {
    (void)state;
    cleanup_buf struct buf query, out;

    buf_init(&query, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_puts(&query, i % 2 ? "(" : "-");
    assert_int_equal(widen_query(query.data, &(struct widen_labels){.object = "pod"}, WIDEN_OBJECTS, &out),
                     WIDEN_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_deep),
    };
    int failed = cases_run_dir("widen", TEST_DATA_DIR "/widen", check);

    return failed + cmocka_run_group_tests_name("widen limits", tests, NULL, NULL);
}
