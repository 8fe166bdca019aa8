/* What `trimtab rules` reads: series of scrapes and of Prometheus' answers, resources of discovery documents.
 */
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- series ---- */

static void assert_series(const struct series_list *list, const char *const *want) {
    for (uint32_t i = 0; i < list->count; i++) {
        cleanup_buf struct buf text;
        buf_init(&text, 4096);
        series_write(&list->items[i], &text);
        assert_non_null(want[i]);
        assert_string_equal(text.data, want[i]);
    }
    assert_null(want[list->count]);
}

/* The labels of the target are those that the series does not have; an empty one is none. */
static void adds_the_targets_labels(void **state) {
    static const char text[] = "hits{pod=\"a\"} 1\nhits{pod=\"\",b=\"2\"} 1\nup 1\n";
    static const char *const want[] = {"hits{b=\"2\",job=\"j\",pod=\"web\"}", "hits{job=\"j\",pod=\"a\"}",
                                       "up{job=\"j\",pod=\"web\"}", NULL};
    static const struct series_label labels[] = {{"pod", "web"}, {"job", "j"}};
    const struct series target = {"", 2, labels};
    struct series_list list;

    (void)state;
    series_list_init(&list);
    assert_int_equal(series_list_add_scrape(&list, "x.prom", text, strlen(text), &target, NULL), 0);
    series_list_sort(&list);
    assert_series(&list, want);
    series_list_done(&list);
}

static void names_file_and_line_of_a_bad_scrape(void **state) {
    static const char text[] = "hits 1\nhits{\n";
    const struct series target = {"", 0, NULL};
    struct series_list list;
    struct err err = {0};

    (void)state;
    series_list_init(&list);
    assert_int_equal(series_list_add_scrape(&list, "x.prom", text, strlen(text), &target, &err), -EINVAL);
    assert_true(str_starts(err.text, "x.prom: line 2: "));
    series_list_done(&list);
}

/* As Prometheus writes them: a quote in a value does not end it, nor does a line end the message. */
static void quotes_the_values(void **state) {
    static const char text[] = "hits{path=\"a\\\"b\\nc\\\\d\"} 1\n";
    static const char *const want[] = {"hits{path=\"a\\\"b\\nc\\\\d\"}", NULL};
    const struct series target = {"", 0, NULL};
    struct series_list list;

    (void)state;
    series_list_init(&list);
    assert_int_equal(series_list_add_scrape(&list, "x.prom", text, strlen(text), &target, NULL), 0);
    assert_series(&list, want);
    series_list_done(&list);
}

/* As Prometheus sorts: label by label, where the name is one of them; upper case comes before it. */
static void sorts_as_prometheus(void **state) {
    static const char first[] =
        "{\"status\":\"success\",\"data\":["
        "{\"__name__\":\"b\",\"x\":\"1\"},{\"__name__\":\"a\",\"x\":\"2\"},"
        "{\"__name__\":\"a\",\"x\":\"1\",\"y\":\"1\"},{\"__name__\":\"a\",\"x\":\"1\"},"
        "{\"__name__\":\"z\",\"A\":\"1\"}]}";
    static const char second[] =
        "{\"status\":\"success\",\"data\":[{\"x\":\"1\",\"__name__\":\"b\",\"empty\":\"\"}]}";
    static const char *const want[] = {"z{A=\"1\"}", "a{x=\"1\"}", "a{x=\"1\",y=\"1\"}",
                                       "a{x=\"2\"}", "b{x=\"1\"}", NULL};
    struct series_list list;

    (void)state;
    series_list_init(&list);
    assert_int_equal(series_list_add_answer(&list, first, strlen(first), NULL), 0);
    assert_int_equal(series_list_add_answer(&list, second, strlen(second), NULL), 0);
    assert_int_equal(list.count, 6);
    series_list_sort(&list);
    assert_series(&list, want);
    series_list_done(&list);
}

static void refuses_what_is_no_answer(void **state) {
    static const char *const bad[] = {"",
                                      "<html>",
                                      "{}",
                                      "{\"data\":null}",
                                      "{\"data\":{\"a\":1}}",
                                      "{\"status\":\"success\",\"data\":[{}"};
    struct series_list list;

    (void)state;
    series_list_init(&list);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        assert_int_equal(series_list_add_answer(&list, bad[i], strlen(bad[i]), &err), -EBADMSG);
        assert_true(str_starts(err.text, "the answer is"));
    }
    series_list_done(&list);
}

static void bounds_the_labels(void **state) {
    enum { TOO_MANY = 1000 };
    json_t *object = json_object(), *answer = json_pack("{s:s,s:[O]}", "status", "success", "data", object);
    struct series_list list;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < TOO_MANY; i++) {
        cleanup_free char *name = xasprintf("l%d", i);
        json_object_set_new(object, name, json_string("v"));
    }
    cleanup_free char *text = json_dumps(answer, 0);
    series_list_init(&list);
    assert_int_equal(series_list_add_answer(&list, text, strlen(text), &err), -E2BIG);
    series_list_done(&list);
    json_decref(answer);
    json_decref(object);
}

/* ---- resources ---- */

static const char core[] =
    "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":["
    "{\"name\":\"pods\",\"singularName\":\"pod\",\"namespaced\":true,\"kind\":\"Pod\"},"
    "{\"name\":\"pods/log\",\"singularName\":\"\",\"namespaced\":true,\"kind\":\"Pod\"},"
    "{\"name\":\"nodes\",\"singularName\":\"\",\"namespaced\":false,\"kind\":\"Node\"}]}";
static const char acme[] =
    "{\"groupVersion\":\"acme.example/v1\",\"resources\":[{\"name\":\"widgets\",\"kind\":"
    "\"Widget\",\"namespaced\":true}]}";
static const char merged[] =
    "[{\"name\":\"widgets\",\"singular\":\"widget\",\"group\":\"acme.example\",\"version\":"
    "\"v2\",\"kind\":\"Widget\",\"namespaced\":true},{\"name\":\"gears\",\"groupVersion\":"
    "\"acme.example/v1\",\"kind\":\"Gear\"}]";

static int add(struct resource_list *list, const char *text, struct err *err) {
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    int ret = resource_list_add(list, value, err);
    json_decref(value);
    return ret;
}

static void assert_resource(const struct cluster_resource *r, struct cluster_resource want) {
    assert_string_equal(r->plural, want.plural);
    assert_string_equal(r->group, want.group);
    assert_string_equal(r->version, want.version);
    assert_string_equal(r->singular, want.singular);
    assert_string_equal(r->kind, want.kind);
    assert_int_equal(r->namespaced, want.namespaced);
}

/* What another version has, too, is there once; subresources are none; a singular that is not told is the
 * kind's. */
static void reads_discovery(void **state) {
    struct resource_list list;

    (void)state;
    resource_list_init(&list);
    assert_int_equal(add(&list, core, NULL), 0);
    assert_int_equal(add(&list, acme, NULL), 0);
    assert_int_equal(add(&list, merged, NULL), 0);
    assert_int_equal(list.count, 4);
    assert_resource(&list.items[0], (struct cluster_resource){"", "v1", "pods", "pod", "Pod", true});
    assert_resource(&list.items[1], (struct cluster_resource){"", "v1", "nodes", "node", "Node", false});
    assert_resource(&list.items[2],
                    (struct cluster_resource){"acme.example", "v1", "widgets", "widget", "Widget", true});
    assert_resource(&list.items[3],
                    (struct cluster_resource){"acme.example", "v1", "gears", "gear", "Gear", false});
    resource_list_done(&list);
}

static void reads_a_list_of_lists(void **state) {
    cleanup_free char *text = xasprintf("[%s,%s]", core, acme);
    struct resource_list list;

    (void)state;
    resource_list_init(&list);
    assert_int_equal(add(&list, text, NULL), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[2].group, "acme.example");
    resource_list_done(&list);
}

static void refuses_what_is_no_resource(void **state) {
    static const char *const bad[] = {"{}", "3", "{\"resources\":3}", "[{}]", "[3]", "[{\"name\":\"x\"}]"};
    struct resource_list list;

    (void)state;
    resource_list_init(&list);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        assert_int_equal(add(&list, bad[i], &err), -EINVAL);
        assert_true(*err.text);
    }
    resource_list_done(&list);
}

/* Every cluster's; found by both numbers. */
static void has_kubernetes_own(void **state) {
    struct resource_list list;

    (void)state;
    resource_list_init(&list);
    resource_list_add_own(&list);
    const struct cluster_resources all = {list.items, list.count};
    assert_string_equal(cluster_resource_find(&all, NULL, "ingress")->group, "networking.k8s.io");
    assert_string_equal(cluster_resource_find(&all, NULL, "events")->group, "");
    assert_ptr_equal(cluster_resource_find(&all, "apps", "deployment"),
                     cluster_resource_find(&all, NULL, "deployments"));
    assert_null(cluster_resource_find(&all, NULL, "widgets"));
    resource_list_done(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_the_targets_labels),
        cmocka_unit_test(names_file_and_line_of_a_bad_scrape),
        cmocka_unit_test(quotes_the_values),
        cmocka_unit_test(sorts_as_prometheus),
        cmocka_unit_test(refuses_what_is_no_answer),
        cmocka_unit_test(bounds_the_labels),
        cmocka_unit_test(reads_discovery),
        cmocka_unit_test(reads_a_list_of_lists),
        cmocka_unit_test(refuses_what_is_no_resource),
        cmocka_unit_test(has_kubernetes_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
