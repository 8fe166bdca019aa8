/* Rules over a real Prometheus: its recording rules make the series, which come and go. */
#include "adapter/ruleset.h"

#include "adapter/tests/prom_process.h"
#include "api/client/tests/fake_discovery.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tests/cm.h"
#include "net/http_curl.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the cluster, which does not change, and the one server ---- */

struct sources {
    struct promclient *client;
};

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    (void)ns;
    (void)name;
    (void)err;
    return sources->client;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    (void)sources;
    (void)fn;
    (void)arg;
}

/* ---- the world ---- */

struct live {
    struct prom_process prometheus;
    struct loop *loop;
    struct http *http;
    struct discovery discovery;
    struct sources sources;
    struct ruleset *ruleset;
};

#define RECORD(name, labels) "  - {record: " name ", expr: vector(1), labels: {" labels "}}\n"

static void put_records(struct live *l, const char *records) {
    cleanup_free char *text = xasprintf("groups:\n- name: app\n  interval: 1s\n  rules:\n%s", records);

    prom_process_put(&l->prometheus, "records.yml", text);
}

static struct live *live_new(bool use_get) {
    struct live *l = XNEW(struct live);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    prom_process_init(&l->prometheus);
    prom_process_put(&l->prometheus, "web.yml", "{}");
    prom_process_put(&l->prometheus, "prometheus.yml", "rule_files: [records.yml]\n");
    put_records(l,
                RECORD("app_requests", "pod: p, namespace: n") RECORD("app_errors", "pod: p, unit: 'µ\"\\'"));
    prom_process_start(&l->prometheus);
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(http_curl_new(l->loop, 8, &l->http, NULL), 0);
    cleanup_free char *url = xasprintf("http://127.0.0.1:%d", l->prometheus.port);
    const struct prometheus_options options = {.url = url, .use_get = use_get};
    assert_int_equal(promclient_new(l->loop, l->http, &options, &l->sources.client, NULL), 0);
    l->discovery = (struct discovery){
        .resources = {{.group = "",
                       .version = "v1",
                       .kind = "Pod",
                       .plural = "pods",
                       .singular = "pod",
                       .namespaced = true}},
        .count = 1,
        .loaded = true,
    };
    l->ruleset = ruleset_new(l->loop, &l->discovery, &l->sources,
                             &(struct ruleset_options){.max_age = USEC_PER_HOUR, .relist = USEC_PER_HOUR});
    return l;
}

static void live_free(struct live *l) {
    ruleset_free(l->ruleset);
    promclient_free(l->sources.client);
    http_curl_free(l->http);
    loop_free(l->loop);
    prom_process_stop(&l->prometheus);
    prom_process_done(&l->prometheus);
    free(l);
}

static void load(struct live *l, const char *text) {
    struct err err = {0};

    if (ruleset_load(l->ruleset, "rules.yaml", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
}

static bool has(const struct live *l, const char *metric) {
    const struct registry *registry = ruleset_registry(l->ruleset);

    return registry && registry_find(registry, "pods", true, metric);
}

/* Turns until the metric is there, at most a minute. */
static void wait_for(struct live *l, const char *metric) {
    usec_t end = clock_mono() + USEC_PER_MIN;
    struct ruleset_stats stats;

    while (!has(l, metric) && clock_mono() < end)
        loop_turn(l->loop, 100 * USEC_PER_MSEC);
    ruleset_stats(l->ruleset, &stats);
    if (!has(l, metric))
        fail_msg("%s: %s", metric, stats.error);
}

static void count(void *arg) {
    ++*(int *)arg;
}

static const char config[] =
    "rules:\n"
    "- {seriesQuery: '{__name__=~\"^app_.*\",pod!=\"\"}', metricsQuery: '<<.Series>>', resources: {template: "
    "'<<.Resource>>'}}\n"
    "- {seriesQuery: 'later{pod!=\"\"}', metricsQuery: '<<.Series>>', resources: {template: "
    "'<<.Resource>>'}}\n";

/* The interval is an hour: all of this comes without waiting for it. */
static void test_series_show_up(void **state) {
    (void)state;
    for (int get = 0; get < 2; get++) {
        struct live *l = live_new(get);
        load(l, config);
        wait_for(l, "app_requests");
        wait_for(l, "app_errors");
        assert_false(has(l, "later"));
        if (get) {
            live_free(l);
            return;
        }
        /* the first series of a rule */
        put_records(l, RECORD("app_requests", "pod: p") RECORD("later", "pod: p"));
        prom_process_reload(&l->prometheus);
        wait_for(l, "later");
        live_free(l);
    }
}

static void test_look_again(void **state) {
    struct live *l = live_new(false);
    usec_t end = clock_mono() + USEC_PER_MIN;
    int looks = 0;

    (void)state;
    load(l, config);
    wait_for(l, "app_requests");
    put_records(l, RECORD("app_fresh", "pod: p"));
    prom_process_reload(&l->prometheus);
    for (int asked = 0; !has(l, "app_fresh") && clock_mono() < end;) {
        if (asked == looks)
            asked += ruleset_look_again(l->ruleset, count, &looks);
        loop_turn(l->loop, 100 * USEC_PER_MSEC);
    }
    assert_true(has(l, "app_fresh") && looks > 0);
    live_free(l);
}

static void test_refusals_and_outages(void **state) {
    struct live *l = live_new(false);
    struct ruleset_stats stats;

    (void)state;
    load(l, config);
    wait_for(l, "app_requests");
    load(l, "rules:\n- {seriesQuery: 'app_requests{', metricsQuery: x}\n"
            "- {seriesQuery: 'app_requests', metricsQuery: x, resources: {template: '<<.Resource>>'}}\n");
    wait_for(l, "app_requests");
    ruleset_stats(l->ruleset, &stats);
    if (!strstr(stats.error, "rules.yaml:2: seriesQuery app_requests{: Prometheus http://127.0.0.1:") ||
        !strstr(stats.error, "bad_data"))
        fail_msg("%s", stats.error);
    prom_process_stop(&l->prometheus);
    load(l, config);
    for (usec_t end = clock_mono() + USEC_PER_MIN; clock_mono() < end;) {
        ruleset_stats(l->ruleset, &stats);
        if (strstr(stats.error, "efused"))
            break;
        loop_turn(l->loop, 100 * USEC_PER_MSEC);
    }
    assert_non_null(strstr(stats.error, "efused"));
    prom_process_start(&l->prometheus);
    wait_for(l, "app_errors");
    live_free(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_show_up),
        cmocka_unit_test(test_look_again),
        cmocka_unit_test(test_refusals_and_outages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
