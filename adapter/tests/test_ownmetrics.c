/* Requests for our own metrics on simulated time: what they wait for, what they share, and what they are told
 * where something is missing. */
#include "adapter/tests/own_world.h"

#include "adapter/ownobjects.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define PODS "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/"
#define EXTERNAL "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/"
#define POD(name, value) "{\"metric\":{\"pod\":\"" name "\"},\"value\":[1700000000,\"" value "\"]}"

static const char config[] =
    "rules:\n"
    "- seriesQuery: 'depth{namespace!=\"\"}'\n"
    "  resources: {template: '<<.Resource>>'}\n"
    "  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n"
    "- seriesQuery: 'named{namespace!=\"\"}'\n"
    "  resources: {template: '<<.Resource>>'}\n"
    "  metricsQuery: 'topk(1, <<.Series>>{pod=~\"<<index .LabelValuesByName \"pod\">>\"})'\n"
    "- seriesQuery: 'lost{namespace!=\"\"}'\n"
    "  resources: {overrides: {pod: {resource: pod}}}\n"
    "  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n"
    "externalRules:\n"
    "- seriesQuery: 'backlog{}'\n"
    "  resources: {namespaced: false}\n"
    "  metricsQuery: '<<.Series>>{<<.LabelMatchers>>,queue!=\"\"}'\n"
    "- seriesQuery: 'homeless{}'\n"
    "  metricsQuery: '<<.Series>>{<<.LabelMatchers>>}'\n";
static const char exposition[] = "depth{namespace=\"shop\",pod=\"web-1\",service=\"frontend\"} 1\n"
                                 "named{namespace=\"shop\",pod=\"web-1\"} 1\n"
                                 "lost{namespace=\"shop\",pod=\"web-1\"} 1\n"
                                 "backlog{queue=\"a\"} 1\nhomeless 1\n";

/* A request, and what it was told. */
struct asker {
    struct own_world *w;
    struct arena arena;
    struct ownmetrics_call *call;
    int told, status;
    uint32_t count;
    char text[2048]; /* "web-1=7000 web-2=1" or the message */
    bool cancels;    /* other, when it is told */
    struct asker *other;
};

static void put(struct asker *a, const char *text) {
    size_t len = strlen(a->text);

    snprintf(a->text + len, sizeof(a->text) - len, "%s", text);
}

static void on_answer(void *arg, const struct metrics_answer *answer) {
    struct asker *a = arg;

    a->told++;
    a->call = NULL;
    a->status = answer->status;
    a->count = answer->count;
    a->text[0] = '\0';
    put(a, str_or_empty(answer->message));
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct metrics_value *v = &answer->values[i];
        cleanup_free char *text =
            xasprintf("%s%s=%lld", i ? " " : "", str_or_empty(v->name), (long long)v->milli);
        put(a, text);
    }
    if (a->cancels) {
        ownmetrics_cancel(a->other->call);
        a->other->call = NULL;
    }
}

static void ask(struct asker *a, struct own_world *w, const char *path) {
    struct metrics_route route;
    struct arena arena; /* gone before the answer is there */

    *a = (struct asker){.w = w};
    arena_init(&arena, 0);
    assert_int_equal(metrics_route_read(path, &arena, &route, NULL), 0);
    a->call = ownmetrics_ask(w->own, &route, on_answer, a);
    arena_done(&arena);
    assert_true((a->call == NULL) == (a->told == 1));
}

static void expect(const struct asker *a, int status, const char *text) {
    assert_int_equal(a->told, 1);
    assert_string_equal(a->text, text);
    assert_int_equal(a->status, status);
}

static struct own_rules rules;

static int setup(void **state) {
    own_rules_init(&rules, config, exposition);
    *state = NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    own_rules_done(&rules);
    return 0;
}

static struct own_world *world_new(const char *body) {
    return own_world_of(&rules, body);
}

/* Asks and waits for the answer. */
static void get(struct asker *a, struct own_world *w, const char *path) {
    ask(a, w, path);
    fake_loop_run(w->loop, SEC);
}

/* ---- what is shared ---- */

static void test_one_query_for_all_objects(void **state) {
    struct own_world *w =
        world_new(OWN_VECTOR(POD("web-2", "0.25") "," POD("web-1", "7") "," POD("gone", "1")));
    struct asker a, b, c;

    (void)state;
    ask(&a, w, PODS "*/depth");
    ask(&b, w, PODS "web-2/depth");
    ask(&c, w, PODS "*/depth?labelSelector=app%3Ddb");
    fake_loop_run(w->loop, SEC);
    expect(&a, 200, "web-1=7000 web-2=250");
    expect(&b, 200, "web-2=250");
    expect(&c, 200, "");
    assert_int_equal(w->count, 1);
    assert_string_equal(w->queries[0], "sum(depth{namespace=\"shop\"}) by (pod)");
    /* From memory, and not a turn later. */
    ask(&a, w, PODS "web-1/depth");
    expect(&a, 200, "web-1=7000");
    ask(&a, w, PODS "db-0/depth");
    expect(&a, 404, "the server could not find the metric depth for pods db-0");
    ask(&a, w, PODS "*/depth?labelSelector=app%3Dnone");
    expect(&a, 404, "the server could not find the metric depth for pods");
    assert_int_equal(w->count, 1);
    assert_int_equal(w->informers.items[0].opened, 1);
    own_world_free(w);
}

static void test_lists_follow_the_objects(void **state) {
    struct own_world *w = world_new(
        OWN_VECTOR(POD("web-1", "1") "," POD("web-2", "2") "," POD("web-3", "3") "," POD("db-0", "4")));
    struct informer *pods = own_world_informer(&w->informers, "pods");
    struct asker a, b;

    (void)state;
    for (int i = 0; i < 3; i++) {
        get(&a, w, PODS "*/depth?labelSelector=app%3Dweb");
        expect(&a, 200, "web-1=1000 web-2=2000 web-3=3000");
        get(&a, w, PODS "*/depth");
        expect(&a, 200, "db-0=4000 web-1=1000 web-2=2000 web-3=3000");
    }
    own_world_delete(pods, "web-2");
    get(&a, w, PODS "*/depth?labelSelector=app%3Dweb");
    expect(&a, 200, "web-1=1000 web-3=3000");
    own_world_relabel(pods, "web-1", "db-0");
    get(&a, w, PODS "*/depth?labelSelector=app%3Dweb");
    expect(&a, 200, "web-3=3000");
    /* Another answer to the same list. */
    w->body = OWN_VECTOR(POD("web-3", "5"));
    fake_loop_run(w->loop, USEC_PER_MIN);
    get(&a, w, PODS "*/depth?labelSelector=app%3Dweb");
    expect(&a, 200, "web-3=5000");
    /* One that waits has its own copy. */
    ask(&a, w, PODS "*/depth?labelSelector=app%3Dweb&metricLabelSelector=verb");
    own_world_delete(pods, "web-3");
    get(&b, w, PODS "*/depth?labelSelector=app%3Dweb");
    expect(&a, 200, "web-3=5000");
    expect(&b, 404, "the server could not find the metric depth for pods");
    for (int i = 0; i < 600; i++) {
        cleanup_free char *path = xasprintf(PODS "*/depth?labelSelector=app%%21%%3Dx%d", i);
        get(&a, w, path);
        assert_int_equal(a.status, 200);
    }
    own_world_free(w);
}

static void test_names_in_a_query_that_needs_them(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct asker a;

    (void)state;
    get(&a, w, PODS "*/named?labelSelector=app%3Dweb");
    expect(&a, 200, "web-1=7000");
    get(&a, w, PODS "web-1/named");
    assert_int_equal(w->count, 2);
    assert_string_equal(w->queries[0], "topk(1, named{pod=~\"web-1|web-2|web-3\"})");
    assert_string_equal(w->queries[1], "topk(1, named{pod=~\"web-1\"})");
    own_world_free(w);
}

static void test_selectors_are_queries_of_their_own(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct asker a;

    (void)state;
    get(&a, w, PODS "web-1/depth?metricLabelSelector=app.kubernetes.io%2Fname%3Dx");
    get(&a, w, PODS "web-1/depth?metricLabelSelector=app%21%3Dx");
    get(&a, w, PODS "web-1/depth?metricLabelSelector=app%3Dx");
    get(&a, w, PODS "web-1/depth?metricLabelSelector=app+in+(x)");
    assert_int_equal(w->count, 4);
    assert_string_equal(w->queries[0],
                        "sum(depth{app_kubernetes_io_name=\"x\",namespace=\"shop\"}) by (pod)");
    /* What is asked of the objects' label beside their names stays. */
    get(&a, w, PODS "web-1/depth?metricLabelSelector=pod%3Dweb-2");
    assert_string_equal(w->queries[4], "sum(depth{pod=\"web-2\",namespace=\"shop\"}) by (pod)");
    own_world_free(w);
}

static void test_external(void **state) {
    struct own_world *w = world_new(OWN_VECTOR("{\"metric\":{\"queue\":\"a\"},\"value\":[1,\"1.5\"]},"
                                               "{\"metric\":{},\"value\":[1,\"NaN\"]},"
                                               "{\"metric\":{},\"value\":[1,\"+Inf\"]},"
                                               "{\"metric\":{},\"value\":[1,\"1e17\"]}"));
    struct asker a;

    (void)state;
    get(&a, w, EXTERNAL "backlog");
    expect(&a, 200, "=1500 =9223372036854775807");
    assert_string_equal(w->queries[0], "backlog{queue!=\"\"}");
    /* No label of the rule stands for namespaces. */
    get(&a, w, EXTERNAL "homeless");
    assert_int_equal(a.status, 500);
    assert_non_null(strstr(a.text, "unable to fetch metrics: no label is known for namespaces"));
    get(&a, w, EXTERNAL "nosuch");
    expect(&a, 404, "the server could not find the metric nosuch for namespaces");
    own_world_free(w);
}

static void test_values(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "1") "," POD("web-1", "2") "," POD(
        "web-2", "NaN") "," POD("web-3", "+Inf") "," POD("db-0", "-0.0019")));
    struct asker a;

    (void)state;
    get(&a, w, PODS "*/depth");
    expect(&a, 200, "db-0=-1 web-1=2000 web-2=0");
    get(&a, w, PODS "web-3/depth");
    expect(&a, 404, "the server could not find the metric depth for pods web-3");
    own_world_free(w);
}

/* ---- what is waited for ---- */

static void test_the_first_list_of_objects(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct informer *pods = own_world_informer(&w->informers, "pods");
    struct asker a, b;

    (void)state;
    pods->withheld = true;
    ask(&a, w, PODS "*/depth");
    ask(&b, w, PODS "*/depth");
    a.cancels = true;
    a.other = &b;
    b.cancels = true;
    b.other = &a;
    fake_loop_run(w->loop, SEC);
    assert_int_equal(a.told + b.told + w->count, 0);
    pods->withheld = false;
    fake_loop_run(w->loop, SEC);
    assert_int_equal(a.told + b.told, 1);
    assert_int_equal(w->count, 1);
    /* A name does not need them. */
    pods->withheld = true;
    get(&a, w, PODS "web-1/depth");
    expect(&a, 200, "web-1=7000");
    ask(&a, w, PODS "*/depth");
    fake_loop_run(w->loop, 11 * SEC);
    expect(&a, 500,
           "Internal error occurred: unable to list matching resources: the first list is not in yet");
    err_set(&pods->err, -EACCES, "pods is forbidden: not you");
    ask(&a, w, PODS "*/depth");
    expect(&a, 500, "Internal error occurred: unable to list matching resources: pods is forbidden: not you");
    own_world_free(w);
}

static void test_informers_that_nobody_needs_are_closed(void **state) {
    struct own_world *w = world_new(NULL);
    struct asker a;

    (void)state;
    get(&a, w, PODS "*/depth");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/services/*/depth");
    fake_loop_run(w->loop, 9 * USEC_PER_MIN);
    get(&a, w, PODS "*/depth");
    fake_loop_run(w->loop, 5 * USEC_PER_MIN);
    assert_int_equal(own_world_informer(&w->informers, "pods")->open, 1);
    assert_int_equal(own_world_informer(&w->informers, "services")->open, 0);
    assert_int_equal(own_world_informer(&w->informers, "pods")->type, OBJECT_POD);
    assert_int_equal(own_world_informer(&w->informers, "services")->type, OBJECT_META);
    fake_loop_run(w->loop, 8 * USEC_PER_MIN);
    assert_int_equal(own_world_informer(&w->informers, "pods")->open, 0);
    get(&a, w, PODS "*/depth");
    assert_int_equal(own_world_informer(&w->informers, "pods")->opened, 2);
    own_world_free(w);
}

static void test_an_unknown_metric_is_looked_for(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct asker a;

    (void)state;
    w->ruleset.registry = NULL;
    w->ruleset.stale = true;
    ask(&a, w, PODS "web-1/depth");
    assert_non_null(a.call);
    w->ruleset.registry = rules.recorded.registry;
    own_world_listed(&w->ruleset);
    fake_loop_run(w->loop, SEC);
    expect(&a, 200, "web-1=7000");
    w->ruleset.stale = true;
    ask(&a, w, PODS "web-1/nosuch");
    own_world_listed(&w->ruleset);
    expect(&a, 404, "the server could not find the metric nosuch for pods");
    assert_int_equal(w->ruleset.looks, 2);
    ask(&a, w, PODS "web-1/nosuch");
    expect(&a, 404, "the server could not find the metric nosuch for pods");
    /* The list does not come. */
    w->ruleset.stale = true;
    ask(&a, w, PODS "web-1/nosuch");
    fake_loop_run(w->loop, 11 * SEC);
    expect(&a, 404, "the server could not find the metric nosuch for pods");
    assert_int_equal(w->ruleset.cancelled, 1);
    own_world_free(w);
}

static void test_no_list_of_series_yet(void **state) {
    struct own_world *w = world_new(NULL);
    struct asker a;

    (void)state;
    w->ruleset.registry = NULL;
    w->ruleset.ready = false;
    w->ruleset.error = "Prometheus http://prom:9090: connection refused";
    ask(&a, w, PODS "web-1/depth");
    expect(
        &a, 500,
        "Internal error occurred: unable to fetch metrics: Prometheus http://prom:9090: connection refused");
    own_world_free(w);
}

/* ---- what goes wrong ---- */

static void test_refusals(void **state) {
    struct own_world *w = world_new(NULL);
    struct asker a;

    (void)state;
    /* No label for namespaces: to the reference there is no such metric. */
    get(&a, w, PODS "web-1/lost");
    expect(&a, 404, "the server could not find the metric lost for pods");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/frobs/*/depth");
    expect(&a, 500,
           "Internal error occurred: unable to list matching resources: the cluster has no resource frobs");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/%2A/pods/%2A/depth");
    expect(&a, 404, "the server could not find the metric depth for pods");
    assert_int_equal(w->count, 0);
    own_world_say(w, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"1\"]}}");
    get(&a, w, PODS "web-1/depth");
    assert_int_equal(a.status, 500);
    get(&a, w, EXTERNAL "backlog");
    expect(&a, 200, "=1000");
    own_world_say(w, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}");
    get(&a, w, EXTERNAL "backlog");
    assert_int_equal(a.status, 500);
    assert_true(
        str_starts(a.text, "Internal error occurred: unable to fetch metrics: Prometheus http://prom:9090"));
    own_world_free(w);
}

static uint64_t list_of(struct own_world *w, struct own_objects *objects, const char *selector) {
    static const struct selector all;
    const struct own_wanted wanted = {cluster_resource_find(w->ruleset.resources, NULL, "pods"), "shop", &all,
                                      selector};
    struct own_names names = {0};
    struct err err = {0};

    assert_int_equal(own_objects_list(objects, &wanted, &names, &err), 0);
    return names.serial;
}

/* Each of many HPAs has a selector of its own, and has its list kept; long selectors push the others out. */
static void test_many_selectors(void **state) {
    enum { HPAS = 5000, LONG = 60000, LONG_COUNT = 1000 };
    struct own_world *w = world_new(NULL);
    struct own_objects *objects = own_objects_new(w->loop, &w->discovery, &w->informers);
    cleanup_free char *text = xmalloc(LONG + 1);

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < HPAS; i++) {
            snprintf(text, LONG, "app=web-%d", i);
            assert_int_equal(list_of(w, objects, text), i + 1);
        }
    memset(text, 'a', LONG);
    text[LONG] = '\0';
    for (int i = 0; i < LONG_COUNT; i++) {
        text[i % LONG] = 'b';
        list_of(w, objects, text);
    }
    assert_int_equal(list_of(w, objects, "app=web-0"), HPAS + LONG_COUNT + 1);
    own_objects_free(objects);
    own_world_free(w);
}

static void test_only_some_namespaces(void **state) {
    static const char *const shop[] = {"queue", "shop", NULL};
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct metrics_route route = {.api = ROUTE_CUSTOM, .ns = "shop", .resource = "pods", .metric = "depth"};
    struct asker a;

    (void)state;
    own_world_limit(w, shop);
    assert_true(ownmetrics_has(w->own, &route));
    route.ns = "default";
    assert_false(ownmetrics_has(w->own, &route));
    get(&a, w, PODS "web-1/depth");
    expect(&a, 200, "web-1=7000");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/api-0/depth");
    expect(&a, 404, "the server could not find the metric depth for pods");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/metrics/depth");
    expect(&a, 404, "the server could not find the metric depth for namespaces");
    /* The same in other words. */
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespace/default/depth");
    expect(&a, 404, "the server could not find the metric depth for namespace");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces./default/depth");
    expect(&a, 404, "the server could not find the metric depth for namespaces.");
    get(&a, w, "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/backlog");
    expect(&a, 404, "the server could not find the metric backlog for namespaces");
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/%2A/metrics/depth");
    expect(&a, 200, "");
    assert_int_equal(w->count, 2);
    own_world_free(w);
}

static void test_a_server_that_goes(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    struct asker a;

    (void)state;
    ask(&a, w, PODS "web-1/depth");
    own_world_say(w, OWN_VECTOR(POD("web-1", "8")));
    fake_loop_run(w->loop, SEC);
    expect(&a, 200, "web-1=8000");
    /* Another one has changed. */
    w->sources.changed(w->sources.arg);
    ask(&a, w, PODS "web-1/depth");
    expect(&a, 200, "web-1=8000");
    struct promclient *client = w->sources.client;
    w->sources.client = NULL;
    w->sources.changed(w->sources.arg);
    ask(&a, w, PODS "web-1/depth");
    expect(
        &a, 500,
        "Internal error occurred: unable to fetch metrics: there is no default server: set --prometheus-url");
    /* It is not known yet whether there is one. */
    w->sources.unsettled = true;
    ask(&a, w, PODS "web-1/depth");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(a.told, 0);
    w->sources.client = client;
    fake_loop_run(w->loop, SEC);
    expect(&a, 200, "web-1=8000");
    own_world_free(w);
}

static void test_rules_that_change(void **state) {
    static const char other[] = "rules:\n- seriesQuery: 'depth{}'\n  resources: {template: '<<.Resource>>'}\n"
                                "  source: mimir\n"
                                "  metricsQuery: 'max(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n";
    struct own_world *w = world_new(OWN_VECTOR(POD("web-1", "7")));
    json_t *c = json_pack("{s:s, s:s}", "config", other, "exposition", exposition);
    struct recorded changed;
    struct asker a;

    (void)state;
    get(&a, w, PODS "web-1/depth");
    assert_null(w->sources.name);
    assert_int_equal(recorded_init(&changed, c, &rules.cluster, NULL), 0);
    json_decref(c);
    w->ruleset.registry = changed.registry;
    w->ruleset.changed(w->ruleset.changed_arg);
    get(&a, w, PODS "web-1/depth");
    assert_string_equal(w->queries[1], "max(depth{namespace=\"shop\"}) by (pod)");
    assert_string_equal(w->sources.name, "mimir");
    own_world_free(w);
    recorded_done(&changed);
}

static void test_what_is_called_off(void **state) {
    struct own_world *w = world_new(NULL);
    struct asker askers[4];

    (void)state;
    own_world_informer(&w->informers, "services")->withheld = true;
    ask(&askers[0], w, PODS "web-1/depth");
    ask(&askers[1], w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/services/*/depth");
    w->ruleset.stale = true;
    ask(&askers[2], w, PODS "web-1/nosuch");
    for (int i = 0; i < 3; i++)
        ownmetrics_cancel(askers[i].call);
    ownmetrics_cancel(NULL);
    assert_int_equal(w->ruleset.cancelled, 1);
    /* And what is left when everything ends. */
    ask(&askers[3], w, PODS "web-2/depth");
    own_world_free(w);
    for (int i = 0; i < 4; i++)
        assert_int_equal(askers[i].told, 0);
}

static void test_many_kinds_of_requests(void **state) {
    struct own_world *w = world_new(NULL);
    struct asker a;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        cleanup_free char *path = xasprintf(PODS "web-1/lost?metricLabelSelector=a%%3Dv%d", i);
        ask(&a, w, path);
        assert_int_equal(a.status, 404);
    }
    /* A name that would pass for another key is none that is known. */
    get(&a, w, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop%1Fpods/pods/web-1/depth");
    assert_string_equal(w->queries[0], "sum(depth{namespace=\"shop\\x1fpods\"}) by (pod)");
    own_world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_query_for_all_objects),
        cmocka_unit_test(test_lists_follow_the_objects),
        cmocka_unit_test(test_names_in_a_query_that_needs_them),
        cmocka_unit_test(test_selectors_are_queries_of_their_own),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_the_first_list_of_objects),
        cmocka_unit_test(test_informers_that_nobody_needs_are_closed),
        cmocka_unit_test(test_an_unknown_metric_is_looked_for),
        cmocka_unit_test(test_no_list_of_series_yet),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_selectors),
        cmocka_unit_test(test_only_some_namespaces),
        cmocka_unit_test(test_a_server_that_goes),
        cmocka_unit_test(test_rules_that_change),
        cmocka_unit_test(test_what_is_called_off),
        cmocka_unit_test(test_many_kinds_of_requests),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
