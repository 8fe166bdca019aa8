/* The kubelets: when each is asked, what is kept of their answers, and what requests and policies get. */
#include "adapter/tests/kubelets_world.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define WEB ((struct world_pod){.node = 0, .cores = 0.25, .memory = 1000})

/* One node with one pod that has been measured twice. */
static struct kubelets_world_fake *small_world(const struct kubelets_options *options) {
    struct kubelets_world_fake *w = world_new(options);

    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_node(w, 0, NULL);
    world_run(w, 14 * SEC);
    return w;
}

static struct kubelets_stats stats_of(const struct kubelets_world_fake *w) {
    struct kubelets_stats stats;

    kubelets_stats(w->kubelets, &stats);
    return stats;
}

static void asks_each_once_a_resolution(void **state) {
    struct kubelets_world_fake *w = world_new(NULL);
    int per_second[600] = {0}, most = 0;

    (void)state;
    for (int i = 0; i < 150; i++)
        world_put_node(w, i, NULL);
    world_run(w, 300 * SEC);
    uint64_t before = stats_of(w).scrapes;
    for (int second = 0; second < 150; second++) {
        int started = w->http.started;
        world_run(w, SEC);
        per_second[second] = w->http.started - started;
        most = per_second[second] > most ? per_second[second] : most;
    }
    assert_int_equal(stats_of(w).scrapes - before, 1500);
    assert_in_range(most, 10, 20); /* 10 on average */
    for (int i = 0; i < 150; i++)
        assert_in_range(w->nodes[i].least, 10 * SEC, 15 * SEC);
    assert_int_equal(stats_of(w).answered, 150);
    world_free(w);
}

/* What has no second point yet is not shown, and that takes ten seconds. */
static void is_ready_after_two_scrapes(void **state) {
    struct kubelets_world_fake *w = world_new(NULL);

    (void)state;
    assert_false(kubelets_ready(w->kubelets));
    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_node(w, 0, NULL);
    world_run(w, 9 * SEC);
    assert_int_equal(w->nodes[0].asked, 1);
    assert_string_equal(world_ask(w, "pods"), "200");
    assert_false(kubelets_ready(w->kubelets));
    world_run(w, 4 * SEC);
    assert_int_equal(w->nodes[0].asked, 2);
    assert_string_equal(world_ask(w, "pods"), "200 shop/web app=250m/1000 w web");
    assert_string_equal(world_ask(w, "nodes"), "200 node-0 =2000m/4096 w");
    assert_true(kubelets_ready(w->kubelets));
    world_free(w);
}

static void answers_what_is_asked(void **state) {
    struct kubelets_world_fake *w = world_new(NULL);

    (void)state;
    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_pod(w, 1, "shop", "api", (struct world_pod){.node = 1, .cores = 1.5, .memory = 7});
    world_put_pod(w, 2, "bank", "web", (struct world_pod){.node = 1, .cores = 0.5, .memory = 9});
    world_put_node(w, 0, "a");
    world_put_node(w, 1, "b");
    world_run(w, 20 * SEC);
    assert_string_equal(world_ask(w, "pods"), "200 bank/web app=500m/9 w web | shop/api app=1500m/7 w api | "
                                              "shop/web app=250m/1000 w web");
    assert_string_equal(world_ask(w, "namespaces/shop/pods"),
                        "200 shop/api app=1500m/7 w api | shop/web app=250m/1000 w web");
    assert_string_equal(world_ask(w, "namespaces/shop/pods?labelSelector=app%3Dapi"),
                        "200 shop/api app=1500m/7 w api");
    assert_string_equal(world_ask(w, "pods?labelSelector=app%3Dweb&fieldSelector=metadata.namespace%3Dbank"),
                        "200 bank/web app=500m/9 w web");
    assert_string_equal(world_ask(w, "namespaces/shop/pods/web"), "200 shop/web app=250m/1000 w web");
    assert_string_equal(world_ask(w, "namespaces/none/pods"), "200");
    assert_string_equal(world_ask(w, "nodes"), "200 node-0 =2000m/4096 w a | node-1 =2000m/4096 w b");
    assert_string_equal(world_ask(w, "nodes?labelSelector=zone%3Db"), "200 node-1 =2000m/4096 w b");
    assert_string_equal(world_ask(w, "nodes/node-1"), "200 node-1 =2000m/4096 w b");
    world_free(w);
}

static void says_what_is_not_there(void **state) {
    struct kubelets_world_fake *w = small_world(NULL);

    (void)state;
    assert_string_equal(world_ask(w, "namespaces/shop/pods/none"), "404 NotFound pods \"none\" not found");
    assert_string_equal(world_ask(w, "nodes/none"), "404 NotFound nodes \"none\" not found");
    world_put_pod(w, 1, "shop", "new", (struct world_pod){.node = 1});
    world_put_node(w, 1, NULL);
    assert_string_equal(world_ask(w, "namespaces/shop/pods/new"),
                        "404 NotFound podmetrics.metrics.k8s.io \"shop/new\" not found");
    assert_string_equal(world_ask(w, "nodes/node-1"),
                        "404 NotFound nodemetrics.metrics.k8s.io \"node-1\" not found");
    ((struct pod *)(uintptr_t)w->pods[0].object)->phase = POD_SUCCEEDED;
    assert_string_equal(world_ask(w, "namespaces/shop/pods/web"), "404 NotFound pods \"web\" not found");
    assert_string_equal(world_ask(w, "pods"), "200");
    world_sync(false);
    assert_string_equal(world_ask(w, "pods"),
                        "503 ServiceUnavailable the cluster's pods and nodes are not known yet");
    assert_false(kubelets_ready(w->kubelets));
    world_free(w);
}

/* A kubelet is believed about the pods that are bound to its node, and about no other. */
static void believes_a_kubelet_of_its_pods_only(void **state) {
    struct kubelets_world_fake *w = small_world(NULL);

    (void)state;
    w->pods[0].node = 1; /* another one speaks of it now, and it is still bound to node-0 */
    world_put_node(w, 1, NULL);
    world_run(w, 60 * SEC);
    assert_string_equal(world_ask(w, "pods"), "200");
    world_free(w);
}

static void keeps_a_value_for_two_resolutions(void **state) {
    static const enum node_fault faults[] = {NODE_MALFORMED, NODE_FORBIDDEN, NODE_DOWN};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct kubelets_world_fake *w = small_world(NULL);
        w->nodes[0].fault = faults[i];
        world_run(w, 14 * SEC); /* the answer before is at most 18 s old */
        assert_string_equal(world_ask(w, "pods"), "200 shop/web app=250m/1000 w web");
        world_run(w, 46 * SEC);
        assert_string_equal(world_ask(w, "pods"), "200");
        assert_string_equal(world_ask(w, "nodes"), "200");
        assert_int_equal(stats_of(w).answered, 0);
        assert_true(stats_of(w).failures >= 2);
        assert_int_equal(stats_of(w).malformed > 0, faults[i] == NODE_MALFORMED);
        w->nodes[0].fault = NODE_WELL;
        world_run(w, 50 * SEC);
        assert_string_equal(world_ask(w, "pods"), "200 shop/web app=250m/1000 w web");
        world_free(w);
    }
}

/* cadvisor may not have measured again between two scrapes. */
static void keeps_the_points_of_a_clock_that_stands(void **state) {
    struct kubelets_world_fake *w = world_new(NULL);

    (void)state;
    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_node(w, 0, NULL);
    w->nodes[0].fault = NODE_STOPPED_CLOCK;
    world_run(w, 60 * SEC);
    assert_string_equal(world_ask(w, "pods"), "200");
    w->nodes[0].fault = NODE_WELL;
    world_run(w, 20 * SEC);
    assert_string_equal(world_ask(w, "pods"), "200 shop/web app=250m/1000 w web");
    world_free(w);
}

static void lets_go_of_nodes(void **state) {
    struct kubelets_world_fake *w = small_world(NULL);

    (void)state;
    world_put_node(w, 1, NULL);
    for (int i = 0; i < 100 && !w->http.in_flight; i++) /* until it is being asked */
        world_run(w, 2 * USEC_PER_MSEC);
    assert_int_equal(w->http.in_flight, 1);
    world_drop_node(w, 1);
    assert_int_equal(w->http.in_flight, 0);
    world_drop_node(w, 0);
    assert_string_equal(world_ask(w, "pods"), "200");
    int asked = w->nodes[0].asked;
    world_run(w, 60 * SEC);
    assert_int_equal(w->nodes[0].asked, asked);
    assert_int_equal(stats_of(w).nodes, 0);
    assert_int_equal(stats_of(w).bytes, 0);
    assert_true(loop_now(w->loop) - stats_of(w).last_tick <= 15 * SEC); /* it lives */
    world_put_node(w, 0, NULL);
    world_run(w, 14 * SEC);
    assert_string_equal(world_ask(w, "pods"), "200 shop/web app=250m/1000 w web");
    world_free(w);
}

static void asks_the_selected_nodes_only(void **state) {
    static const struct kubelets_options options = {.node_selector = "zone in (a,b)"};
    struct kubelets_world_fake *w = world_new(&options);

    (void)state;
    world_put_node(w, 0, "a");
    world_put_node(w, 1, "c");
    world_put_node(w, 2, NULL);
    world_run(w, 60 * SEC);
    assert_true(w->nodes[0].asked > 3);
    assert_int_equal(w->nodes[1].asked + w->nodes[2].asked, 0);
    world_put_node(w, 1, "b");
    world_put_node(w, 0, "c");
    assert_int_equal(stats_of(w).nodes, 1);
    world_run(w, 60 * SEC);
    assert_true(w->nodes[1].asked > 3);
    world_free(w);
}

static void says_who_we_are_where_it_is_safe(void **state) {
    static const struct kubelets_options insecure = {.insecure_tls = true},
                                         plain = {.deprecated_completely_insecure = true};
    struct kubelets_world_fake *w = small_world(NULL);

    (void)state;
    assert_non_null(strstr(w->http.headers, "Authorization: Bearer ours\n"));
    assert_string_equal(w->http.url, "https://10.0.0.0:10250/metrics/resource");
    assert_false(w->http.insecure);
    world_free(w);

    w = small_world(&insecure);
    assert_non_null(strstr(w->http.headers, "Authorization: Bearer ours\n"));
    assert_true(w->http.insecure);
    world_free(w);

    w = small_world(&plain);
    assert_null(strstr(w->http.headers, "Authorization"));
    assert_string_equal(w->http.url, "http://10.0.0.0:10250/metrics/resource");
    world_free(w);
}

/* Policies. */

struct follower {
    struct metric_source *source;
    struct metric_subscription *sub;
    int told;
    bool leaves;
};

static void told(void *arg) {
    struct follower *f = arg;

    f->told++;
    if (f->leaves) {
        f->source->ops->unsubscribe(f->source, f->sub);
        f->sub = NULL;
    }
}

static void follow(struct follower *f, struct kubelets_world_fake *w, const struct metric_spec *metric) {
    const struct metric_request request = {.metric = metric, .ns = "shop"};

    *f = (struct follower){.source = kubelets_source(w->kubelets)};
    f->sub = f->source->ops->subscribe(f->source, &request, told, f);
}

static void leave(struct follower *f) {
    if (f->sub)
        f->source->ops->unsubscribe(f->source, f->sub);
}

static struct sample read_of(const struct follower *f, usec_t now) {
    struct sample sample;

    f->source->ops->read(f->source, f->sub, now, &sample);
    return sample;
}

static struct pod_value value_of(const struct follower *f, const struct kubelets_world_fake *w, usec_t now) {
    const struct pod *pod = (const struct pod *)w->pods[0].object;
    struct pod_value value;

    f->source->ops->read_pods(f->source, f->sub, now, &pod, 1, &value);
    return value;
}

static void gives_policies_their_values(void **state) {
    static const struct metric_spec cpu = {.type = METRIC_RESOURCE, .metric = "cpu", .max_age = 60 * SEC},
                                    memory = {.type = METRIC_CONTAINER_RESOURCE,
                                              .metric = "memory",
                                              .container = "app"},
                                    other = {.type = METRIC_CONTAINER_RESOURCE,
                                             .metric = "memory",
                                             .container = "other"},
                                    disk = {.type = METRIC_RESOURCE, .metric = "disk"};
    struct kubelets_world_fake *w = world_new(NULL);
    struct follower f[4];

    (void)state;
    follow(&f[0], w, &cpu);
    follow(&f[1], w, &memory);
    follow(&f[2], w, &other);
    follow(&f[3], w, &disk);
    assert_int_equal(read_of(&f[0], 0).quality, QUALITY_PENDING);
    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_node(w, 0, NULL);
    world_run(w, 14 * SEC);
    struct sample sample = read_of(&f[0], 0);
    assert_int_equal(sample.quality, QUALITY_VALUE);
    assert_string_equal(sample.origin, "kubelet");
    assert_int_equal(value_of(&f[0], w, 0).milli, 250);
    assert_in_range(value_of(&f[0], w, 0).window, 10 * SEC, 14 * SEC);
    assert_int_equal(value_of(&f[1], w, 0).milli, 1000000);
    assert_false(value_of(&f[2], w, 0).known);
    assert_int_equal(read_of(&f[3], 0).quality, QUALITY_FAILED);
    assert_string_equal(read_of(&f[3], 0).message, "kubelets measure cpu and memory, not disk");
    /* Too old for this one alone. */
    assert_int_equal(read_of(&f[0], sample.at + 61 * SEC).quality, QUALITY_STALE);
    assert_false(value_of(&f[0], w, sample.at + 61 * SEC).known);
    assert_true(value_of(&f[1], w, sample.at + 61 * SEC).known);
    for (int i = 0; i < 4; i++)
        leave(&f[i]);
    world_free(w);
}

static void expect_starting(struct kubelets_world_fake *w, const struct follower *f, usec_t run, bool serves,
                            enum quality quality) {
    world_run(w, run);
    assert_int_equal(kubelets_serves(w->kubelets), serves);
    assert_int_equal(read_of(f, 0).quality, quality);
}

/* After a start policies wait for the second reading, and do not for kubelets that all fail. */
static void lets_policies_wait_after_a_start(void **state) {
    static const struct metric_spec cpu = {.type = METRIC_RESOURCE, .metric = "cpu"};
    struct kubelets_world_fake *w = world_new(NULL);
    struct follower f;

    (void)state;
    follow(&f, w, &cpu);
    expect_starting(w, &f, 0, false, QUALITY_PENDING); /* there are none */
    world_sync(false);
    expect_starting(w, &f, 0, true, QUALITY_PENDING);
    world_put_pod(w, 0, "shop", "web", WEB);
    world_put_node(w, 0, NULL);
    world_put_node(w, 1, NULL);
    w->nodes[1].fault = NODE_FORBIDDEN;
    world_sync(true);
    expect_starting(w, &f, 5 * SEC, true, QUALITY_PENDING);
    expect_starting(w, &f, 9 * SEC, true, QUALITY_VALUE);
    leave(&f);
    world_free(w);

    w = world_new(NULL);
    follow(&f, w, &cpu);
    world_put_node(w, 0, NULL);
    w->nodes[0].fault = NODE_FORBIDDEN;
    expect_starting(w, &f, 5 * SEC, false, QUALITY_FAILED);
    leave(&f);
    world_free(w);

    w = world_new(NULL); /* who may not read the nodes */
    world_sync(false);
    follow(&f, w, &cpu);
    expect_starting(w, &f, 29 * SEC, true, QUALITY_PENDING);
    expect_starting(w, &f, 2 * SEC, false, QUALITY_PENDING);
    leave(&f);
    world_free(w);
}

static void tells_policies_of_their_namespace(void **state) {
    static const struct metric_spec cpu = {.type = METRIC_RESOURCE, .metric = "cpu"};
    struct kubelets_world_fake *w = world_new(NULL);
    struct follower stays, leaves;

    (void)state;
    follow(&stays, w, &cpu);
    follow(&leaves, w, &cpu);
    leaves.leaves = true;
    /* Sixteen nodes bring something of the namespace all the time. */
    for (int i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof(name), "web-%d", i);
        world_put_pod(w, i, "shop", name, (struct world_pod){.node = i, .cores = 1, .memory = 1});
        world_put_node(w, i, NULL);
    }
    world_run(w, SEC);
    assert_int_equal(stays.told, 1);
    assert_int_equal(leaves.told, 1);
    world_run(w, 150 * SEC);
    assert_in_range(stays.told, 20, 31); /* at most every 5 s */
    assert_int_equal(leaves.told, 1);
    for (int i = 0; i < 16; i++)
        world_put_pod(w, i, "bank", "other", (struct world_pod){.node = i, .cores = 1, .memory = 1});
    world_run(w, 10 * SEC); /* what was said before is told still */
    int before = stays.told;
    world_run(w, 150 * SEC);
    assert_int_equal(stays.told, before);
    leave(&stays);
    world_free(w);
}

static void tells_policies_what_fails(void **state) {
    static const struct metric_spec cpu = {.type = METRIC_RESOURCE, .metric = "cpu"};
    struct kubelets_world_fake *w = world_new(NULL);
    struct follower f;

    (void)state;
    follow(&f, w, &cpu);
    w->nodes[0].fault = NODE_FORBIDDEN;
    world_put_node(w, 0, NULL);
    world_run(w, SEC);
    struct sample sample = read_of(&f, 0);
    assert_int_equal(sample.quality, QUALITY_FAILED);
    assert_string_equal(sample.message, "kubelet of node node-0: HTTP status 403 (our account needs get on "
                                        "nodes/metrics)");
    leave(&f);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_each_once_a_resolution),
        cmocka_unit_test(is_ready_after_two_scrapes),
        cmocka_unit_test(answers_what_is_asked),
        cmocka_unit_test(says_what_is_not_there),
        cmocka_unit_test(believes_a_kubelet_of_its_pods_only),
        cmocka_unit_test(keeps_a_value_for_two_resolutions),
        cmocka_unit_test(keeps_the_points_of_a_clock_that_stands),
        cmocka_unit_test(lets_go_of_nodes),
        cmocka_unit_test(asks_the_selected_nodes_only),
        cmocka_unit_test(says_who_we_are_where_it_is_safe),
        cmocka_unit_test(gives_policies_their_values),
        cmocka_unit_test(lets_policies_wait_after_a_start),
        cmocka_unit_test(tells_policies_of_their_namespace),
        cmocka_unit_test(tells_policies_what_fails),
    };
    return cmocka_run_group_tests_name("kubelets", tests, NULL, NULL);
}
