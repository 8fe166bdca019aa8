/* Our own metrics as policies see them, on simulated time. */
#include "adapter/tests/own_world.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define SAMPLE(label, name, value)                                                                           \
    "{\"metric\":{\"" label "\":\"" name "\"},\"value\":[1700000000,\"" value "\"]}"
#define AT ((usec_t)1700000000 * SEC) /* of every sample */

static const char config[] =
    "rules:\n"
    "- seriesQuery: 'depth{namespace!=\"\"}'\n"
    "  resources: {template: '<<.Resource>>'}\n"
    "  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n"
    "- seriesQuery: 'named{namespace!=\"\"}'\n"
    "  resources: {template: '<<.Resource>>'}\n"
    "  metricsQuery: 'topk(1, <<.Series>>{pod=~\"<<index .LabelValuesByName \"pod\">>\"})'\n"
    "externalRules:\n"
    "- seriesQuery: 'backlog{}'\n"
    "  resources: {namespaced: false}\n"
    "  metricsQuery: '<<.Series>>{<<.LabelMatchers>>}'\n";
static const char exposition[] = "depth{namespace=\"shop\",pod=\"web-1\",service=\"frontend\"} 1\n"
                                 "named{namespace=\"shop\",pod=\"web-1\"} 1\n"
                                 "backlog{queue=\"a\"} 1\n";

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

/* ---- subscribers ---- */

struct follower {
    struct own_world *w;
    struct metric_subscription *sub;
    int told;
    bool in_call, leaves;
};

static void leave(struct follower *f) {
    struct metric_source *source = ownmetrics_source(f->w->own);

    if (f->sub)
        source->ops->unsubscribe(source, f->sub);
    f->sub = NULL;
}

static void on_changed(void *arg) {
    struct follower *f = arg;

    assert_false(f->in_call);
    f->told++;
    if (f->leaves)
        leave(f);
}

static void follow(struct follower *f, struct own_world *w, const struct metric_spec *metric,
                   usec_t interval) {
    struct metric_source *source = ownmetrics_source(w->own);
    const struct metric_request request = {.metric = metric, .ns = "shop", .interval = interval};

    *f = (struct follower){.w = w, .in_call = true};
    f->sub = source->ops->subscribe(source, &request, on_changed, f);
    f->in_call = false;
}

static struct sample read_at(const struct follower *f, usec_t now) {
    struct metric_source *source = ownmetrics_source(f->w->own);
    struct sample sample;

    source->ops->read(source, f->sub, now, &sample);
    return sample;
}

static void expect(const struct follower *f, enum quality quality, int64_t milli, const char *message) {
    struct sample sample = read_at(f, AT);

    assert_string_equal(sample.message, message);
    assert_string_equal(quality_name(sample.quality), quality_name(quality));
    assert_int_equal(sample.milli, milli);
    assert_true(sample.value == (double)milli / 1000);
}

static struct pod_value read_pod(const struct follower *f, const char *name, usec_t now) {
    struct metric_source *source = ownmetrics_source(f->w->own);
    struct pod pod = {.meta = {.name = name}};
    const struct pod *pods[] = {&pod};
    struct pod_value value;

    source->ops->read_pods(source, f->sub, now, pods, 1, &value);
    return value;
}

static struct own_world *world_new(const char *body) {
    return own_world_of(&rules, body);
}

static const struct metric_spec depth_of_pods = {.type = METRIC_PODS, .metric = "depth"},
                                named_of_pods = {.type = METRIC_PODS, .metric = "named"},
                                backlog = {.type = METRIC_EXTERNAL, .metric = "backlog"},
                                depth_of_service = {.type = METRIC_OBJECT,
                                                    .metric = "depth",
                                                    .described = {"v1", "Service", "frontend"}},
                                depth_of_namespace = {.type = METRIC_OBJECT,
                                                      .metric = "depth",
                                                      .described = {"v1", "Namespace", "any"}};

/* ---- tests ---- */

static void test_pods(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(
        SAMPLE("pod", "web-1", "1.5") "," SAMPLE("pod", "web-2", "NaN") "," SAMPLE("pod", "web-3", "0")));
    struct metric_spec impatient = depth_of_pods;
    struct follower a, b;

    (void)state;
    impatient.max_age = 30 * SEC;
    follow(&a, w, &depth_of_pods, 0);
    follow(&b, w, &impatient, 0);
    expect(&a, QUALITY_PENDING, 0, "");
    assert_false(read_pod(&a, "web-1", AT).known);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 1);
    assert_int_equal(w->count, 1);
    assert_string_equal(w->queries[0], "sum(depth{namespace=\"shop\"}) by (pod)");
    expect(&a, QUALITY_VALUE, 0, "");
    assert_int_equal(read_at(&a, AT).at, AT);
    assert_string_equal(read_at(&a, AT).origin, "rules");
    assert_int_equal(read_pod(&a, "web-1", AT).milli, 1500);
    assert_int_equal(read_pod(&a, "web-1", AT).at, AT);
    assert_true(read_pod(&a, "web-3", AT).known);
    assert_false(read_pod(&a, "web-2", AT).known); /* NaN is no number of anything */
    assert_false(read_pod(&a, "web-4", AT).known);
    /* Too old for one of them. */
    assert_int_equal(read_at(&a, AT + 31 * SEC).quality, QUALITY_VALUE);
    assert_int_equal(read_at(&b, AT + 31 * SEC).quality, QUALITY_STALE);
    assert_true(read_pod(&b, "web-1", AT + 30 * SEC).known);
    assert_false(read_pod(&b, "web-1", AT + 31 * SEC).known);
    leave(&a);
    leave(&b);
    own_world_free(w);
}

static void test_one_number(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("service", "backend", "3") "," SAMPLE(
        "service", "frontend", "-2.5") "," SAMPLE("namespace", "shop", "0") "," SAMPLE("x", "y", "+Inf")));
    struct follower service, namespace, external;

    (void)state;
    follow(&service, w, &depth_of_service, 0);
    follow(&namespace, w, &depth_of_namespace, 0);
    follow(&external, w, &backlog, 0);
    fake_loop_run(w->loop, SEC);
    expect(&service, QUALITY_VALUE, -2500, "");
    expect(&namespace, QUALITY_ZERO, 0, "");
    expect(&external, QUALITY_VALUE, 500, "");
    assert_int_equal(w->count, 3);
    own_world_say(w, OWN_VECTOR(SAMPLE("x", "y", "9e16") "," SAMPLE("x", "z", "9e16")));
    fake_loop_run(w->loop, SEC);
    expect(&service, QUALITY_ABSENT, 0, "the query gives no value");
    expect(&external, QUALITY_VALUE, INT64_MAX, "");
    own_world_say(w, OWN_VECTOR(""));
    fake_loop_run(w->loop, SEC);
    expect(&external, QUALITY_ABSENT, 0, "the query gives no value");
    leave(&service);
    leave(&namespace);
    leave(&external);
    own_world_free(w);
}

static void test_a_server_that_fails(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("x", "y", "3")));
    struct follower f;

    (void)state;
    follow(&f, w, &backlog, 0);
    fake_loop_run(w->loop, SEC);
    w->status = 503;
    w->body = "busy";
    fake_loop_run(w->loop, USEC_PER_MIN);
    /* The last good answer, and why it is the last. */
    expect(&f, QUALITY_VALUE, 3000, "");
    assert_non_null(strstr(read_at(&f, AT).warning, "503"));
    fake_loop_run(w->loop, 3 * USEC_PER_MIN);
    assert_int_equal(read_at(&f, AT).quality, QUALITY_FAILED);
    assert_non_null(strstr(read_at(&f, AT).message, "503"));
    w->status = 0;
    w->body = OWN_VECTOR(SAMPLE("x", "y", "4"));
    fake_loop_run(w->loop, USEC_PER_MIN);
    expect(&f, QUALITY_VALUE, 4000, "");
    assert_string_equal(read_at(&f, AT).warning, "");
    leave(&f);
    own_world_free(w);
}

static void test_intervals(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("x", "y", "3")));
    struct follower slow, fast;

    (void)state;
    follow(&slow, w, &backlog, USEC_PER_MIN);
    fake_loop_run(w->loop, 2 * USEC_PER_MIN);
    int before = w->count;
    assert_in_range(before, 2, 4);
    follow(&fast, w, &backlog, 5 * SEC);
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_in_range(w->count - before, 10, 16);
    leave(&fast);
    fake_loop_run(w->loop, SEC);
    before = w->count;
    fake_loop_run(w->loop, 2 * USEC_PER_MIN);
    assert_in_range(w->count - before, 1, 4);
    leave(&slow);
    own_world_free(w);
}

static void test_rules_that_come_and_go(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("pod", "web-1", "3")));
    struct follower f, g;

    (void)state;
    w->ruleset.registry = NULL;
    assert_false(ownmetrics_defines(w->own, &depth_of_pods, "shop"));
    follow(&f, w, &depth_of_pods, 0);
    expect(&f, QUALITY_FAILED, 0, "no rule defines the metric depth of pods");
    w->ruleset.registry = rules.recorded.registry;
    w->ruleset.changed(w->ruleset.changed_arg);
    fake_loop_run(w->loop, SEC);
    expect(&f, QUALITY_VALUE, 0, "");
    int told = f.told;
    w->ruleset.changed(w->ruleset.changed_arg); /* to the same */
    fake_loop_run(w->loop, SEC);
    assert_int_equal(f.told, told);
    assert_int_equal(w->count, 1);
    follow(&g, w, &backlog, 0);
    fake_loop_run(w->loop, SEC);
    g.leaves = true;
    w->ruleset.registry = NULL;
    w->ruleset.changed(w->ruleset.changed_arg);
    fake_loop_run(w->loop, SEC);
    expect(&f, QUALITY_FAILED, 0, "no rule defines the metric depth of pods");
    assert_false(read_pod(&f, "web-1", AT).known);
    assert_int_equal(f.told, told + 1);
    assert_null(g.sub);
    leave(&f);
    own_world_free(w);
}

/* Who subscribes in the turn of the change finds the failure first, and takes it from nobody. */
static void test_one_comes_as_the_rules_go(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("pod", "web-1", "3")));
    struct follower f, g;

    (void)state;
    follow(&f, w, &depth_of_pods, 0);
    fake_loop_run(w->loop, SEC);
    expect(&f, QUALITY_VALUE, 0, "");
    int told = f.told;
    w->ruleset.registry = NULL;
    w->ruleset.changed(w->ruleset.changed_arg);
    follow(&g, w, &depth_of_pods, 0);
    expect(&g, QUALITY_FAILED, 0, "no rule defines the metric depth of pods");
    fake_loop_run(w->loop, SEC);
    expect(&f, QUALITY_FAILED, 0, "no rule defines the metric depth of pods");
    assert_int_equal(f.told, told + 1);
    leave(&f);
    leave(&g);
    own_world_free(w);
}

static bool has_sent(const struct own_world *w, const char *query) {
    for (int i = 0; i < w->count && i < OWN_QUERIES; i++)
        if (str_eq(w->queries[i], query))
            return true;
    return false;
}

static void test_what_has_to_be_known_first(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("pod", "web-1", "3")));
    struct informer *pods = own_world_informer(&w->informers, "pods");
    struct follower named, service;

    (void)state;
    pods->withheld = true;
    w->discovery.silent = true;
    follow(&named, w, &named_of_pods, 0);
    follow(&service, w, &depth_of_service, 0);
    fake_loop_run(w->loop, 5 * SEC);
    expect(&named, QUALITY_PENDING, 0, "");
    expect(&service, QUALITY_PENDING, 0, "");
    assert_int_equal(w->count, 0);
    pods->withheld = false;
    w->discovery.silent = false;
    fake_loop_run(w->loop, 2 * SEC);
    assert_int_equal(read_pod(&named, "web-1", AT).milli, 3000);
    assert_int_equal(read_at(&service, AT).quality, QUALITY_ABSENT);
    leave(&service);
    /* The query follows the pods that there are. */
    assert_true(has_sent(w, "topk(1, named{pod=~\"db-0|web-1|web-2|web-3|web.v2-0|web.v2-1\"})"));
    own_world_delete(pods, "web-2");
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_string_equal(w->queries[w->count - 1],
                        "topk(1, named{pod=~\"db-0|web-1|web-3|web.v2-0|web.v2-1\"})");
    leave(&named);
    own_world_free(w);
}

/* An answer to one query with names in it is no reason to write the others' anew. */
static void test_one_is_written_anew(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("pod", "web-1", "3")));
    struct follower named, pods, service, queue;

    (void)state;
    follow(&named, w, &named_of_pods, 0);
    follow(&pods, w, &depth_of_pods, 0);
    follow(&service, w, &depth_of_service, 0);
    follow(&queue, w, &backlog, 0);
    fake_loop_run(w->loop, 5 * SEC);
    int asked = w->sources.asked, told = named.told;
    fake_loop_run(w->loop, 5 * USEC_PER_MIN);
    assert_true(named.told - told > 20);
    assert_int_equal(w->sources.asked - asked, named.told - told);
    leave(&named);
    leave(&pods);
    leave(&service);
    leave(&queue);
    own_world_free(w);
}

static void test_what_cannot_be_asked(void **state) {
    static const struct metric_spec cpu = {.type = METRIC_RESOURCE, .metric = "cpu"},
                                    slash = {.type = METRIC_PODS, .metric = "a/b"},
                                    selector = {
                                        .type = METRIC_EXTERNAL, .metric = "backlog", .selector = "a>b"};
    struct own_world *w = world_new(NULL);
    struct follower f;

    (void)state;
    follow(&f, w, &cpu, 0);
    expect(&f, QUALITY_FAILED, 0, "this metric is not one of rules");
    assert_false(read_pod(&f, "web-1", AT).known);
    leave(&f);
    follow(&f, w, &slash, 0);
    assert_int_equal(read_at(&f, AT).quality, QUALITY_FAILED);
    leave(&f);
    follow(&f, w, &selector, 0);
    assert_int_equal(read_at(&f, AT).quality, QUALITY_FAILED);
    leave(&f);
    w->body = "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"1\"]}}";
    follow(&f, w, &depth_of_pods, 0);
    fake_loop_run(w->loop, SEC);
    expect(&f, QUALITY_FAILED, 0, "the query gives a scalar, and not a value for each object");
    leave(&f);
    own_world_free(w);
}

static void test_what_is_defined(void **state) {
    static const struct metric_spec node = {.type = METRIC_OBJECT,
                                            .metric = "depth",
                                            .described = {"v1", "Node", "node-a"}},
                                    unknown = {.type = METRIC_OBJECT,
                                               .metric = "depth",
                                               .described = {"v9", "Thing", "x"}},
                                    cpu = {.type = METRIC_RESOURCE, .metric = "cpu"};
    struct own_world *w = world_new(NULL);

    (void)state;
    assert_true(ownmetrics_defines(w->own, &depth_of_pods, "shop"));
    assert_true(ownmetrics_defines(w->own, &depth_of_service, "shop"));
    assert_true(ownmetrics_defines(w->own, &depth_of_namespace, "shop"));
    assert_true(ownmetrics_defines(w->own, &backlog, "shop"));
    assert_false(ownmetrics_defines(w->own, &node, "shop"));
    assert_false(ownmetrics_defines(w->own, &unknown, "shop"));
    assert_false(ownmetrics_defines(w->own, &cpu, "shop"));
    own_world_free(w);
}

static void test_who_leaves_while_being_told(void **state) {
    struct own_world *w = world_new(OWN_VECTOR(SAMPLE("pod", "web-1", "3")));
    struct follower f[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        follow(&f[i], w, &depth_of_pods, 0);
        f[i].leaves = true;
    }
    fake_loop_run(w->loop, USEC_PER_MIN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f[i].told, 1);
    assert_int_equal(w->count, 1);
    own_world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_one_number),
        cmocka_unit_test(test_a_server_that_fails),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_rules_that_come_and_go),
        cmocka_unit_test(test_one_comes_as_the_rules_go),
        cmocka_unit_test(test_what_has_to_be_known_first),
        cmocka_unit_test(test_one_is_written_anew),
        cmocka_unit_test(test_what_cannot_be_asked),
        cmocka_unit_test(test_what_is_defined),
        cmocka_unit_test(test_who_leaves_while_being_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
