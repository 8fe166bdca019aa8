/* The life of rules in simulated time: loading, listing, failing, finding what is new; sources, discovery and
 * Prometheus are stood for by what a test lets them know. */
#include "adapter/ruleset.h"

#include "adapter/tests/fake_http.h"
#include "api/client/tests/fake_discovery.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWERS_MAX = 8, ASKED_MAX = 100 };

/* ---- the world ---- */

/* What the server has for a selector, which stands in the form as it is. */
struct answer {
    const char *selector;
    int status; /* 0: 200 */
    const char *body;
    usec_t delay;
};

struct sources {
    struct promclient *fallback, *named; /* named: "mimir" */
    loop_fn *changed;
    void *arg;
};

struct world {
    struct loop *loop;
    struct fake_http http;
    struct discovery discovery;
    struct sources sources;
    struct ruleset *ruleset;
    struct answer answers[ANSWERS_MAX];
    int asked_count;
    char *asked[ASKED_MAX]; /* selectors */
    usec_t asked_at[ASKED_MAX];
    int changes, looks;
};

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    struct promclient *client = !name ? sources->fallback : str_eq(name, "mimir") ? sources->named : NULL;

    assert_null(ns);
    if (!client)
        err_set(err, -ENOENT, "ClusterMetricSource %s: not found", name ? name : "(default)");
    return client;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    sources->changed = fn;
    sources->arg = arg;
}

/* "match%5B%5D=SELECTOR&start=…" */
static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct world *w = arg;
    const char *form = request->body, *end = strchr(form, '&');

    assert_string_equal(strstr(request->url, "/api"), "/api/v1/series");
    assert_true(str_starts(form, "match%5B%5D="));
    assert_true(w->asked_count < ASKED_MAX);
    char *selector = xstrndup(form + 12, (size_t)(end - form - 12));
    w->asked_at[w->asked_count] = loop_now(w->loop);
    w->asked[w->asked_count++] = selector;
    *ret_reply = (struct fake_reply){.status = 200, .body = "{\"status\":\"success\",\"data\":[]}"};
    for (int i = 0; i < ANSWERS_MAX && w->answers[i].selector; i++) {
        if (!str_eq(w->answers[i].selector, selector))
            continue;
        if (w->answers[i].body)
            ret_reply->body = w->answers[i].body;
        if (w->answers[i].status)
            ret_reply->status = w->answers[i].status;
        ret_reply->delay = w->answers[i].delay;
    }
}

static void on_change(void *arg) {
    ((struct world *)arg)->changes++;
}

static void on_look(void *arg) {
    ((struct world *)arg)->looks++;
}

static void put_resource(struct world *w, const char *group, const char *plural, const char *singular,
                         bool namespaced) {
    w->discovery.resources[w->discovery.count++] = (struct resource){.group = group,
                                                                     .version = "v1",
                                                                     .kind = plural,
                                                                     .plural = plural,
                                                                     .singular = singular,
                                                                     .namespaced = namespaced};
}

static struct promclient *client_of(struct world *w, const char *url) {
    struct promclient *client;

    assert_int_equal(promclient_new(w->loop, &w->http.head,
                                    &(struct prometheus_options){.url = url, .max_concurrent = 8}, &client,
                                    NULL),
                     0);
    return client;
}

static int set_up(void **state) {
    struct world *w = XNEW(struct world);

    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    put_resource(w, "", "namespaces", "namespace", false);
    put_resource(w, "", "pods", "pod", true);
    w->discovery.loaded = true;
    w->sources.fallback = client_of(w, "http://prometheus");
    w->sources.named = client_of(w, "http://mimir");
    w->ruleset = ruleset_new(w->loop, &w->discovery, &w->sources,
                             &(struct ruleset_options){.relist = 10 * USEC_PER_MIN});
    ruleset_on_change(w->ruleset, on_change, w);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;

    ruleset_free(w->ruleset);
    promclient_free(w->sources.fallback);
    promclient_free(w->sources.named);
    assert_int_equal(w->http.in_flight, 0);
    for (int i = 0; i < w->asked_count; i++)
        free(w->asked[i]);
    fake_loop_free(w->loop);
    free(w);
    return 0;
}

static void forget_asked(struct world *w) {
    for (int i = 0; i < w->asked_count; i++)
        free(w->asked[i]);
    w->asked_count = 0;
}

/* The selectors that were asked for since the last call. */
static void check_asked(struct world *w, const char *want) {
    char got[1000] = "";

    for (int i = 0; i < w->asked_count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", w->asked[i]);
    assert_string_equal(got, want);
    forget_asked(w);
}

static void answer(struct world *w, int at, const char *selector, const char *body) {
    w->answers[at] = (struct answer){.selector = selector, .body = body};
}

static struct ruleset_stats stats_of(const struct world *w) {
    struct ruleset_stats stats;

    ruleset_stats(w->ruleset, &stats);
    return stats;
}

static bool has(const struct world *w, const char *metric) {
    const struct registry *registry = ruleset_registry(w->ruleset);

    return registry && registry_find(registry, "pods", true, metric);
}

static int load(struct world *w, const char *text, struct err *err) {
    return ruleset_load(w->ruleset, "rules.yaml", text, strlen(text), err);
}

static void load_good(struct world *w, const char *text) {
    struct err err = {0};

    if (load(w, text, &err) < 0)
        fail_msg("%s", err.text);
}

#define RULE(query)                                                                                          \
    "- {seriesQuery: " query ", metricsQuery: '<<.Series>>', resources: {template: '<<.Resource>>'}}\n"
#define EXTERNAL(query) "- {seriesQuery: " query ", metricsQuery: '<<.Series>>'}\n"
#define SERIES(list) "{\"status\":\"success\",\"data\":[" list "]}"
#define ONE(name) "{\"__name__\":\"" name "\",\"namespace\":\"n\",\"pod\":\"p\"}"

/* ---- the tests ---- */

static void test_no_rules(void **state) {
    struct world *w = *state;

    assert_true(w->discovery.followed);
    fake_loop_run(w->loop, USEC_PER_HOUR);
    assert_true(ruleset_ready(w->ruleset));
    assert_null(ruleset_registry(w->ruleset));
    assert_false(ruleset_look_again(w->ruleset, on_look, w));
    assert_int_equal(ruleset_resources(w->ruleset)->count, 2);
    assert_false(stats_of(w).loaded);
    check_asked(w, "");
    load_good(w, "{}");
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_true(ruleset_ready(w->ruleset));
    assert_true(stats_of(w).loaded);
    check_asked(w, "");
}

static void test_lists_at_once_and_each_interval(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one") "," ONE("one_more")));
    answer(w, 1, "two", SERIES(ONE("two")));
    load_good(w, "rules:\n" RULE("one") RULE("two") RULE("one") "externalRules:\n" EXTERNAL("two"));
    assert_false(ruleset_ready(w->ruleset));
    assert_false(has(w, "one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_true(ruleset_ready(w->ruleset));
    check_asked(w, "one two "); /* each once, custom and external */
    assert_true(has(w, "one") && has(w, "one_more") && has(w, "two"));
    assert_non_null(registry_find_external(ruleset_registry(w->ruleset), "two"));
    assert_int_equal(w->changes, 2); /* the rules; the lists together */
    struct ruleset_stats stats = stats_of(w);
    assert_int_equal(stats.rules, 3);
    assert_int_equal(stats.external, 1);
    assert_int_equal(stats.lists, 1);
    assert_int_equal(stats.failures, 0);
    assert_int_equal(stats.series, 3);
    assert_int_equal(stats.metrics, 6); /* each of pods and of namespaces */
    assert_int_equal(stats.external_metrics, 1);
    assert_true(stats.last_list > 0 && stats.last_took > 0);
    assert_string_equal(stats.error, "");
    /* another round, and one metric less */
    answer(w, 0, "one", SERIES(ONE("one")));
    fake_loop_run(w->loop, 9 * USEC_PER_MIN);
    check_asked(w, "");
    fake_loop_run(w->loop, 1 * USEC_PER_MIN);
    check_asked(w, "one two ");
    assert_false(has(w, "one_more"));
    assert_int_equal(w->changes, 3);
    /* and one that brings nothing new changes nothing */
    fake_loop_run(w->loop, 10 * USEC_PER_MIN);
    check_asked(w, "one two ");
    assert_int_equal(w->changes, 3);
}

static void test_how_far_back(void **state) {
    struct world *w = *state;
    char want[100];

    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, 2);
    /* the age is the interval where none is given */
    usec_t start = (clock_wall() - 10 * USEC_PER_MIN) / USEC_PER_SEC;
    snprintf(want, sizeof(want), "match%%5B%%5D=one&start=%lld&timeout=60000ms", (long long)start);
    if (!str_eq(w->http.body, want)) /* a second has passed between the two */
        snprintf(want, sizeof(want), "match%%5B%%5D=one&start=%lld&timeout=60000ms", (long long)start - 1);
    assert_string_equal(w->http.body, want);
}

static void test_at_most_two_at_once(void **state) {
    struct world *w = *state;

    load_good(w, "rules:\n" RULE("a") RULE("b") RULE("c") RULE("d") RULE("e"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "a b c d e ");
    assert_int_equal(w->http.max_in_flight, 2);
}

static void test_bad_reload_keeps_the_old(void **state) {
    struct world *w = *state;
    struct err err = {0};

    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    forget_asked(w);
    assert_int_equal(load(w, "rules:\n- {seriesQuery: x}\n", &err), -EINVAL);
    assert_true(str_starts(err.text, "rules.yaml:2: rules[0].metricsQuery: "));
    assert_int_equal(load(w,
                          "rules:\n- {seriesQuery: x, metricsQuery: y, "
                          "resources: {overrides: {l: {group: acme.io, resource: cats}}}}\n",
                          &err),
                     -EINVAL);
    assert_string_equal(err.text, "rules.yaml: rules[0]: line 2: resources.overrides.l: the cluster has no "
                                  "resource cats in the group acme.io");
    assert_int_equal(w->discovery.missed, 1);
    assert_true(has(w, "one"));
    assert_int_equal(ruleset_rules(w->ruleset)->rule_count, 1);
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "");
}

static void test_reload_keeps_what_both_ask_for(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    answer(w, 1, "two", SERIES(ONE("two")));
    load_good(w, "rules:\n" RULE("one") RULE("two"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    forget_asked(w);
    answer(w, 2, "three", SERIES(ONE("three")));
    load_good(
        w, "rules:\n" RULE("three") "- {seriesQuery: one, metricsQuery: '<<.Series>>', name: {as: renamed}, "
                                    "resources: {template: '<<.Resource>>'}}\n");
    /* before any answer */
    assert_true(has(w, "renamed"));
    assert_false(has(w, "one") || has(w, "two") || has(w, "three"));
    assert_true(ruleset_ready(w->ruleset));
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "three one ");
    assert_true(has(w, "renamed") && has(w, "three"));
}

static void test_reload_while_listing(void **state) {
    struct world *w = *state;

    w->answers[0] = (struct answer){.selector = "one", .body = SERIES(ONE("one")), .delay = USEC_PER_SEC};
    w->answers[1] = (struct answer){.selector = "two", .body = SERIES(ONE("two")), .delay = USEC_PER_SEC};
    load_good(w, "rules:\n" RULE("one") RULE("two"));
    fake_loop_run(w->loop, USEC_PER_SEC / 2);
    load_good(w, "rules:\n" RULE("two"));
    assert_int_equal(w->http.in_flight, 1);
    fake_loop_run(w->loop, 3 * USEC_PER_SEC);
    check_asked(w, "one two ");
    assert_true(has(w, "two"));
    assert_false(has(w, "one"));
}

/* ---- failures ---- */

static void test_failure_keeps_what_was_known(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    answer(w, 1, "two", SERIES(ONE("two")));
    load_good(w, "rules:\n" RULE("one") RULE("two"));
    fake_loop_run(w->loop, USEC_PER_MIN);
    forget_asked(w);
    w->answers[0] = (struct answer){.selector = "one", .status = 500, .body = "oops"};
    answer(w, 1, "two", SERIES(ONE("two") "," ONE("two_more")));
    fake_loop_run(w->loop, 9 * USEC_PER_MIN + USEC_PER_SEC);
    check_asked(w, "one two ");
    assert_true(has(w, "one") && has(w, "two") && has(w, "two_more"));
    assert_int_equal(stats_of(w).failures, 1);
    assert_true(str_starts(stats_of(w).error, "rules.yaml:2: seriesQuery one: Prometheus http://prometheus"));
    assert_int_equal(stats_of(w).series, 3);
    /* it alone is tried again, ever more slowly */
    fake_loop_run(w->loop, USEC_PER_MIN);
    check_asked(w, "one one one ");
    answer(w, 0, "one", SERIES(ONE("one_two")));
    fake_loop_run(w->loop, USEC_PER_MIN);
    check_asked(w, "one ");
    assert_true(has(w, "one_two"));
    assert_false(has(w, "one"));
    assert_string_equal(stats_of(w).error, "");
}

static void test_answers_that_are_none(void **state) {
    static const struct {
        int status;
        const char *body, *want;
    } cases[] = {
        {400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}", "parse error"},
        {200, "<html>", "not JSON"},
        {200, "{\"status\":\"success\",\"data\":[{\"__name__\":\"x\"", "cut short"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w->answers[0] = (struct answer){.selector = "one", .status = cases[i].status, .body = cases[i].body};
        load_good(w, "rules:\n" RULE("one") RULE("two"));
        fake_loop_run(w->loop, USEC_PER_SEC);
        if (!strstr(stats_of(w).error, cases[i].want))
            fail_msg("%s", stats_of(w).error);
        assert_true(ruleset_ready(w->ruleset));
        assert_false(has(w, "x"));
    }
}

/* A list that nobody answers holds the others up for a moment only. */
static void test_slow_list_holds_up_none(void **state) {
    struct world *w = *state;

    w->answers[0] =
        (struct answer){.selector = "one", .body = SERIES(ONE("one")), .delay = 30 * USEC_PER_SEC};
    answer(w, 1, "two", SERIES(ONE("two")));
    answer(w, 2, "three", SERIES(ONE("three")));
    load_good(w, "rules:\n" RULE("one") RULE("two") RULE("three"));
    fake_loop_run(w->loop, 2 * USEC_PER_SEC);
    assert_true(has(w, "two") && has(w, "three"));
    assert_false(has(w, "one") || ruleset_ready(w->ruleset));
    fake_loop_run(w->loop, 30 * USEC_PER_SEC);
    assert_true(has(w, "one") && ruleset_ready(w->ruleset));
}

/* ---- first series ---- */

static void test_first_series_quickly(void **state) {
    struct world *w = *state;

    answer(w, 0, "old", SERIES(ONE("old")));
    load_good(w, "rules:\n" RULE("old") RULE("new"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "old new ");
    fake_loop_run(w->loop, 2 * USEC_PER_MIN);
    check_asked(w, "new new new new "); /* 5, 10, 20 and 40 s later each */
    answer(w, 1, "new", SERIES(ONE("new")));
    load_good(w, "rules:\n" RULE("old") RULE("new")); /* the back-off begins anew with a load */
    answer(w, 1, "new", SERIES(""));
    fake_loop_run(w->loop, USEC_PER_SEC);
    forget_asked(w);
    answer(w, 1, "new", SERIES(ONE("new")));
    fake_loop_run(w->loop, 5 * USEC_PER_SEC);
    check_asked(w, "new ");
    assert_true(has(w, "new"));
    fake_loop_run(w->loop, 9 * USEC_PER_MIN);
    check_asked(w, "");
}

/* ---- somebody asks for what is not there ---- */

static void test_look_again_is_shared(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_false(ruleset_look_again(w->ruleset, on_look, w)); /* the list is young */
    fake_loop_run(w->loop, 5 * USEC_PER_SEC);
    forget_asked(w);
    answer(w, 0, "one", SERIES(ONE("one") "," ONE("fresh")));
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
    assert_true(ruleset_look_again(w->ruleset, on_change, w));
    assert_int_equal(w->looks, 0);
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "one ");
    assert_int_equal(w->looks, 2);
    assert_true(has(w, "fresh"));
    assert_false(ruleset_look_again(w->ruleset, on_look, w));
    fake_loop_run(w->loop, 5 * USEC_PER_SEC);
    check_asked(w, "");
    assert_int_equal(w->looks, 2);
    assert_int_equal(w->discovery.missed, 5);
}

static void cancel_other(void *arg) {
    struct world *w = arg;

    ruleset_cancel_look(w->ruleset, on_look, w);
    assert_false(ruleset_look_again(w->ruleset, on_look, w));
}

static void test_look_again_cancelled(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, 6 * USEC_PER_SEC);
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
    ruleset_cancel_look(w->ruleset, on_look, w);
    fake_loop_run(w->loop, 6 * USEC_PER_SEC);
    assert_int_equal(w->looks, 0);
    /* also by one who is told before */
    assert_true(ruleset_look_again(w->ruleset, cancel_other, w));
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_int_equal(w->looks, 0);
    /* and those who still wait at the end are told nothing */
    fake_loop_run(w->loop, 6 * USEC_PER_SEC);
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
    fake_loop_run(w->loop, 2);
}

/* A round that takes long is not asked for every few seconds. */
static void test_look_again_spares_slow_servers(void **state) {
    struct world *w = *state;

    w->answers[0] = (struct answer){.selector = "one", .body = SERIES(ONE("one")), .delay = 2 * USEC_PER_SEC};
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, 10 * USEC_PER_SEC);
    assert_false(ruleset_look_again(w->ruleset, on_look, w));
    fake_loop_run(w->loop, 35 * USEC_PER_SEC);
    assert_true(ruleset_look_again(w->ruleset, on_look, w));
}

/* ---- sources ---- */

static void test_source_of_a_rule(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(w, "rules:\n" RULE("one") "- {seriesQuery: one, metricsQuery: y, source: mimir}\n");
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "one one ");
    assert_true(str_starts(w->http.url, "http://mimir/"));
}

static void test_source_is_missing(void **state) {
    struct world *w = *state;
    struct promclient *mimir = steal_ptr(&w->sources.named);

    answer(w, 0, "one", SERIES(ONE("one")));
    answer(w, 1, "two", SERIES(ONE("two")));
    load_good(w, "rules:\n" RULE("one") "- {seriesQuery: two, metricsQuery: y, source: mimir, resources: "
                                        "{template: '<<.Resource>>'}}\n");
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "one ");
    assert_true(has(w, "one") && ruleset_ready(w->ruleset));
    assert_string_equal(stats_of(w).error,
                        "rules.yaml:3: seriesQuery two: ClusterMetricSource mimir: not found");
    w->sources.named = mimir;
    w->sources.changed(w->sources.arg);
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "two ");
    assert_true(has(w, "two"));
    assert_string_equal(stats_of(w).error, "");
    /* the others within a few seconds, for it may have been their server that changed */
    fake_loop_run(w->loop, 10 * USEC_PER_SEC);
    check_asked(w, "one two ");
}

/* While no server was asked, there was nothing to back off from. */
static void test_source_comes_late(void **state) {
    struct world *w = *state;
    struct promclient *mimir = steal_ptr(&w->sources.named);

    load_good(w, "rules:\n- {seriesQuery: two, metricsQuery: y, source: mimir, resources: "
                 "{template: '<<.Resource>>'}}\n");
    for (int i = 0; i < 20; i++) {
        fake_loop_run(w->loop, USEC_PER_SEC / 5);
        w->sources.changed(w->sources.arg);
    }
    check_asked(w, "");
    w->sources.named = mimir;
    w->sources.changed(w->sources.arg);
    fake_loop_run(w->loop, 5 * USEC_PER_SEC);
    answer(w, 0, "two", SERIES(ONE("two")));
    fake_loop_run(w->loop, 30 * USEC_PER_SEC);
    assert_true(has(w, "two"));
}

static void test_source_goes_while_asked(void **state) {
    struct world *w = *state;

    w->answers[0] = (struct answer){.selector = "one", .body = SERIES(ONE("one")), .delay = USEC_PER_SEC};
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, USEC_PER_MSEC);
    assert_int_equal(w->http.in_flight, 1);
    struct promclient *old = w->sources.fallback;
    w->sources.fallback = client_of(w, "http://other");
    w->sources.changed(w->sources.arg);
    assert_int_equal(w->http.in_flight, 0);
    promclient_free(old);
    fake_loop_run(w->loop, 2 * USEC_PER_SEC);
    check_asked(w, "one one ");
    assert_true(str_starts(w->http.url, "http://other/"));
    assert_true(has(w, "one"));
}

/* An operator that may not list MetricSources is told so again and again. */
static void test_others_change_while_asked(void **state) {
    struct world *w = *state;

    w->answers[0] = (struct answer){.selector = "one", .body = SERIES(ONE("one")), .delay = USEC_PER_SEC};
    load_good(w, "rules:\n" RULE("one") RULE("empty") "- {seriesQuery: x, metricsQuery: y, source: gone}\n");
    for (int i = 0; i < 60 * 5; i++) {
        fake_loop_run(w->loop, USEC_PER_SEC / 5);
        w->sources.changed(w->sources.arg);
    }
    assert_true(has(w, "one"));
    check_asked(w, "one empty empty empty empty "); /* 5, 10 and 20 s later each */
    assert_int_equal(w->http.in_flight, 0);
}

/* ---- discovery ---- */

static void test_resources_that_are_missing(void **state) {
    struct world *w = *state;
    struct err err = {0};

    assert_int_equal(ruleset_check(w->ruleset, NULL), 0);
    w->discovery.loaded = false;
    load_good(w,
              "rules:\n- {seriesQuery: x, metricsQuery: y, resources: {overrides: {l: {resource: cats}}}}\n");
    assert_int_equal(ruleset_check(w->ruleset, &err), 0); /* not known yet */
    w->discovery.loaded = true;
    w->discovery.changed(w->discovery.arg);
    w->discovery.broken = "acme.io/v1"; /* it may have cats */
    assert_int_equal(ruleset_check(w->ruleset, &err), 0);
    w->discovery.broken = NULL;
    assert_int_equal(ruleset_check(w->ruleset, &err), -EINVAL);
    assert_true(str_starts(err.text, "rules.yaml: rules[0]: line 2: resources.overrides.l: "));
}

/* A kind may have gone while nobody ran: the other rules are served, and the mistake is told. */
static void test_first_rules_with_one_that_cannot_work(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(
        w,
        "rules:\n- {seriesQuery: x, metricsQuery: y, resources: {overrides: {l: {resource: cats}}}}\n" RULE(
            "one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_true(has(w, "one"));
    assert_true(str_starts(stats_of(w).error, "rules.yaml: rules[0]: line 2: resources.overrides.l: "));
}

static void test_discovery_comes_late(void **state) {
    struct world *w = *state;

    w->discovery.loaded = false;
    answer(w, 0, "one", SERIES(ONE("one")));
    load_good(w, "rules:\n" RULE("one") "- {seriesQuery: x, metricsQuery: y, resources: {overrides: {l: "
                                        "{resource: cats}}}}\n");
    fake_loop_run(w->loop, USEC_PER_SEC);
    assert_null(ruleset_registry(w->ruleset));
    assert_false(ruleset_ready(w->ruleset));
    w->discovery.changed(w->discovery.arg);
    assert_null(ruleset_registry(w->ruleset));
    w->discovery.loaded = true;
    w->discovery.changed(w->discovery.arg);
    assert_true(ruleset_ready(w->ruleset));
    assert_true(has(w, "one"));
    /* a rule that cannot work is left out alone, until its resource is there */
    assert_string_equal(
        stats_of(w).error,
        "rules.yaml: rules[1]: line 3: resources.overrides.l: the cluster has no resource cats");
    /* for which discovery is asked again, and again */
    assert_int_equal(w->discovery.missed, 1);
    w->discovery.changed(w->discovery.arg);
    assert_int_equal(w->discovery.missed, 2);
    put_resource(w, "acme.io", "cats", "cat", true);
    w->discovery.changed(w->discovery.arg);
    assert_string_equal(stats_of(w).error, "");
    assert_int_equal(ruleset_resources(w->ruleset)->count, 3);
    w->discovery.changed(w->discovery.arg);
    assert_int_equal(w->discovery.missed, 2);
}

static void test_new_resource_asks_nobody(void **state) {
    struct world *w = *state;

    answer(w, 0, "one", SERIES("{\"__name__\":\"one\",\"cat\":\"c\",\"pod\":\"p\"}"));
    load_good(w, "rules:\n" RULE("one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    forget_asked(w);
    assert_null(registry_find(ruleset_registry(w->ruleset), "cats", true, "one"));
    int changes = w->changes;
    w->discovery.changed(w->discovery.arg);
    assert_int_equal(w->changes, changes);
    put_resource(w, "acme.io", "cats", "cat", true);
    w->discovery.changed(w->discovery.arg);
    assert_int_equal(w->changes, changes + 1);
    assert_non_null(registry_find(ruleset_registry(w->ruleset), "cats", true, "one"));
    fake_loop_run(w->loop, USEC_PER_SEC);
    check_asked(w, "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_rules),
        TEST(test_lists_at_once_and_each_interval),
        TEST(test_how_far_back),
        TEST(test_at_most_two_at_once),
        TEST(test_bad_reload_keeps_the_old),
        TEST(test_reload_keeps_what_both_ask_for),
        TEST(test_reload_while_listing),
        TEST(test_failure_keeps_what_was_known),
        TEST(test_answers_that_are_none),
        TEST(test_slow_list_holds_up_none),
        TEST(test_first_series_quickly),
        TEST(test_look_again_is_shared),
        TEST(test_look_again_cancelled),
        TEST(test_look_again_spares_slow_servers),
        TEST(test_source_of_a_rule),
        TEST(test_source_is_missing),
        TEST(test_source_comes_late),
        TEST(test_source_goes_while_asked),
        TEST(test_others_change_while_asked),
        TEST(test_resources_that_are_missing),
        TEST(test_first_rules_with_one_that_cannot_work),
        TEST(test_discovery_comes_late),
        TEST(test_new_resource_asks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
