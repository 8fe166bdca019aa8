/* Paths as an apiserver's rights read them. */
#include "adapter/servedpath.h"

#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const kinds[] = {"metrics", "wrong", "document", "health"};

/* "KIND VERB GROUP RESOURCE/SUBRESOURCE NAME NS" or "KIND VERB PATH", "-" for what is not there. */
static const char *describe(const char *target, struct arena *arena) {
    struct served served;
    struct err err = {0};

    served_read(target, arena, &served, &err);
    const struct access_action *a = &served.action;
    const char *kind = arena_printf(arena, "%s%s", kinds[served.kind], served.wrong ? "!" : "");
    assert_int_equal(served.wrong, err.code);
    if (a->path)
        return arena_printf(arena, "%s %s %s", kind, a->verb, a->path);
    return arena_printf(arena, "%s %s %s %s/%s %s %s", kind, a->verb, a->group, a->resource,
                        a->subresource ? a->subresource : "-", a->name ? a->name : "-", a->ns ? a->ns : "-");
}

static void test_paths(void **state) {
    static const struct {
        const char *target, *want;
    } cases[] = {
#define CUSTOM "/apis/custom.metrics.k8s.io/v1beta1"
        {CUSTOM "/namespaces/shop/pods/*/queue", "metrics get custom.metrics.k8s.io pods/queue * shop"},
        {CUSTOM "/namespaces/shop/pods/web-0/queue?labelSelector=a%3Db",
         "metrics get custom.metrics.k8s.io pods/queue web-0 shop"},
        {CUSTOM "/namespaces/shop/deployments.apps/web/queue",
         "metrics get custom.metrics.k8s.io deployments.apps/queue web shop"},
        {CUSTOM "/nodes/n1/load", "metrics get custom.metrics.k8s.io nodes/load n1 -"},
        {CUSTOM "/namespaces/shop/metrics/queue", "metrics get custom.metrics.k8s.io metrics/- queue shop"},
        {CUSTOM "/namespaces/*/metrics/queue", "metrics get custom.metrics.k8s.io metrics/- queue *"},
        {CUSTOM "/namespaces/shop/queue", "wrong! get " CUSTOM "/namespaces/shop/queue"},
        {CUSTOM "/a/b", "document! get " CUSTOM "/a/b"},
        {CUSTOM "/namespaces/shop/pods/*/queue?labelSelector=a%3D%3D%3Db",
         "metrics! get custom.metrics.k8s.io pods/queue * shop"},
        {CUSTOM, "document get " CUSTOM},
        {CUSTOM "/", "document get " CUSTOM "/"},
#undef CUSTOM
        {"/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/jobs?labelSelector=q%3Dx",
         "metrics list external.metrics.k8s.io jobs/- - shop"},
        {"/apis/metrics.k8s.io/v1beta1/nodes", "metrics list metrics.k8s.io nodes/- - -"},
        {"/apis/metrics.k8s.io/v1beta1/nodes/n1", "metrics get metrics.k8s.io nodes/- n1 -"},
        {"/apis/metrics.k8s.io/v1beta1/pods", "metrics list metrics.k8s.io pods/- - -"},
        {"/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-0",
         "metrics get metrics.k8s.io pods/- web-0 shop"},
        {"/apis/metrics.k8s.io/v1/pods", "document! get /apis/metrics.k8s.io/v1/pods"},
        {"/apis/metrics.k8s.iox/v1beta1/pods", "document get /apis/metrics.k8s.iox/v1beta1/pods"},
        {"/apis", "document get /apis"},
        {"/openapi/v3/apis/metrics.k8s.io/v1beta1?hash=1",
         "document get /openapi/v3/apis/metrics.k8s.io/v1beta1"},
        {"/readyz?verbose", "health get /readyz"},
        {"/livez/ping", "health get /livez/ping"},
        {"/metrics", "health get /metrics"},
        {"/metrics/x", "document get /metrics/x"},
        {"/healthzz", "document get /healthzz"},
        {"/", "document get /"},
        {"", "document get "},
    };
    struct arena arena;
    (void)state;

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(describe(cases[i].target, &arena), cases[i].want);
    arena_done(&arena);
}

/* The rights are those of the path, whatever stands behind it; the route has both. */
static void test_query(void **state) {
    struct served served;
    struct err err = {0};
    struct arena arena;
    (void)state;

    arena_init(&arena, 0);
    served_read("/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queue?labelSelector=app%3Dweb",
                &arena, &served, &err);
    assert_int_equal(served.wrong, 0);
    assert_string_equal(served.path, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queue");
    assert_null(served.route.name);
    assert_int_equal(served.route.labels.count, 1);
    assert_string_equal(served.action.version, "v1beta2");
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
