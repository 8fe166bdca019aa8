/* /decisions/…: which decisions are shown for which question, as text and as JSON. The autoscaler is a
 * stand-in. */
#include "operator/decisions.h"

#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const usec_t noon = 1767268800 * USEC_PER_SEC;
static const char spec_text[] =
    "{\"scaleTargetRef\": {\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"name\": \"web\"},"
    " \"maxReplicas\": 20, \"metrics\": [{\"type\": \"Prometheus\", \"name\": \"requests\", \"prometheus\":"
    " {\"query\": \"q\", \"target\": {\"type\": \"AverageValue\", \"averageValue\": \"100\"}}}]}";

struct world {
    struct arena arena;
    struct policy_spec spec;
    struct policy_status status;
    struct decide_flags flags;
    struct history history;
    struct autoscaler_policy policy;
    struct recordlog *log;
};

static struct world *present; /* the policy default/web; NULL: there is none */

bool autoscaler_policy(const struct autoscaler *as, const char *ns, const char *name,
                       struct autoscaler_policy *ret_policy) {
    (void)as;
    if (!present || !str_eq(ns, "default") || !str_eq(name, "web"))
        return false;
    *ret_policy = present->policy;
    return true;
}

/* One decision: requests a replica, at so many replicas. */
static void decide_at(struct world *w, int second, int32_t replicas, int64_t requests) {
    struct sample sample = {.quality = QUALITY_VALUE, .message = "", .warning = ""};
    struct decision d;
    struct decide_input in = {
        .now = noon + second * USEC_PER_SEC,
        .spec = &w->spec,
        .status = &w->status,
        .scale = {.known = true, .spec_replicas = replicas, .status_replicas = replicas, .selector = "a=b"},
        .samples = &sample,
        .flags = &w->flags};

    sample.milli = requests * replicas * 1000;
    sample.value = (double)(requests * replicas);
    sample.at = in.now - USEC_PER_SEC;
    decide(&in, &w->history, &w->arena, &d);
    recordlog_add(&w->log, &in, &d, &w->arena);
    w->policy.log = w->log;
}

static int setup(void **state) {
    static struct world w;
    struct err err = {0};
    json_t *spec = json_loads(spec_text, 0, NULL);

    memset(&w, 0, sizeof(w));
    arena_init(&w.arena, 0);
    w.flags = (struct decide_flags){.tolerance = 0.1, .downscale_stabilization = USEC_PER_SEC};
    if (policy_read_spec(spec, &w.arena, &w.spec, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(spec);
    present = *state = &w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;

    recordlog_free(w->log);
    history_done(&w->history);
    arena_done(&w->arena);
    return 0;
}

/* Asks at 12:01:00. */
static int ask(const char *path, const char *query, struct buf *body, const char **type) {
    const struct httpserver_request request = {path, query};

    buf_init(body, 1 << 20);
    *type = "";
    return decisions_serve(NULL, &request, noon + USEC_PER_MIN, body, type);
}

static size_t count_of(const char *text, const char *what) {
    size_t n = 0;

    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

static void assert_refused(const char *path, const char *query, int status, const char *words) {
    struct buf body;
    const char *type;

    assert_int_equal(ask(path, query, &body, &type), status);
    if (!strstr(body.data, words))
        fail_msg("\"%s\" is not in: %s", words, body.data);
    assert_true(str_ends(body.data, "\n"));
    buf_done(&body);
}

static void bad_requests_are_told_why(void **state) {
    (void)state;
    assert_true(decisions_path("/decisions/a/b") && !decisions_path("/decisionsa") && !decisions_path("/"));
    assert_refused("/decisions/default/api", "", 404, "no policy default/api");
    assert_refused("/decisions/default", "", 404, "/decisions/NAMESPACE/NAME");
    assert_refused("/decisions//web", "", 404, "/decisions/NAMESPACE/NAME");
    assert_refused("/decisions/default/", "", 404, "/decisions/NAMESPACE/NAME");
    assert_refused("/decisions/default/web/x", "", 404, "/decisions/NAMESPACE/NAME");
    assert_refused("/decisions/default/web", "since=yesterday", 400, "since \"yesterday\"");
    assert_refused("/decisions/default/web", "since=0s", 400, "since \"0s\"");
    assert_refused("/decisions/default/web", "since=-5m", 400, "since \"-5m\"");
    assert_refused("/decisions/default/web", "limit=0", 400, "limit \"0\"");
    assert_refused("/decisions/default/web", "limit=17", 400, "limit \"17\"");
    assert_refused("/decisions/default/web", "output=xml", 400, "output \"xml\"");
    assert_refused("/decisions/default/web", "output=text&depth=3", 400, "depth \"3\"");
}

/* 0 s: a change; 10 s, 11 s, 12 s: nothing, the same three times; 20 s: held by the bounds. */
static void decide_some(struct world *w) {
    decide_at(w, 0, 10, 140);
    for (int second = 10; second < 13; second++)
        decide_at(w, second, 14, 100);
    decide_at(w, 20, 20, 200);
}

static void the_last_change_and_what_holds(void **state) {
    struct buf body;
    const char *type;

    decide_some(*state);
    assert_int_equal(ask("/decisions/default/web", "output=text", &body, &type), 200);
    const char *change =
        strstr(body.data, "default/web  Deployment/web  10 -> 14 replicas at 12:00:00Z (60 s ago)");
    const char *holds = strstr(body.data, "default/web  Deployment/web  20 replicas at 12:00:20Z (40 s ago)");
    assert_true(change == body.data && holds > change);
    assert_int_equal(count_of(body.data, "default/web  Deployment"), 2);
    buf_done(&body);
}

static void since_and_limit(void **state) {
    static const struct {
        const char *query;
        size_t decisions;
    } cases[] = {
        {"output=text&since=45s", 1},
        {"output=text&since=48s", 2}, /* the last of three that came to the same was then */
        {"output=text&since=10m", 3},
        {"output=text&since=1000000h", 3},
        {"output=text&since=1970-01-01T00:00:00Z", 3},
        {"since=2026-01-01T12:00:20Z&output=text", 1},
        {"output=text&limit=1", 1},
        {"output=text&limit=16", 3},
        {"output=text&since=10m&limit=2", 2},
    };

    decide_some(*state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf body;
        const char *type;
        assert_int_equal(ask("/decisions/default/web", cases[i].query, &body, &type), 200);
        if (count_of(body.data, "default/web  Deployment") != cases[i].decisions)
            fail_msg("%s: %s", cases[i].query, body.data);
        buf_done(&body);
    }
}

static void repeats_are_counted(void **state) {
    struct buf body;
    const char *type;

    decide_some(*state);
    ask("/decisions/default/web", "output=text&limit=16", &body, &type);
    assert_non_null(strstr(body.data, "3 decisions since 2026-01-01T12:00:10Z came to this\n"));
    assert_int_equal(count_of(body.data, "came to this"), 1);
    buf_done(&body);
}

static void json_is_the_default(void **state) {
    struct buf body, again;
    const char *type, *name = "", *reason = "", *first = "";
    int change = 0, count = 0, desired = 0;

    decide_some(*state);
    assert_int_equal(ask("/decisions/default/web", "", &body, &type), 200);
    assert_string_equal(type, "application/json");
    json_t *o = json_loads(body.data, 0, NULL);
    assert_int_equal(json_unpack(o, "{s:s, s:[{s:b, s:i, s:s, s:i, s:s}, {}!]}", "name", &name, "decisions",
                                 "change", &change, "count", &count, "firstTime", &first, "desiredReplicas",
                                 &desired, "reason", &reason),
                     0);
    assert_string_equal(name, "web");
    assert_string_equal(first, "2026-01-01T12:00:00.000000Z");
    assert_string_equal(reason, "AboveTarget");
    assert_true(change && count == 1 && desired == 14);
    json_decref(o);
    ask("/decisions/default/web", "", &again, &type);
    assert_string_equal(again.data, body.data);
    buf_done(&body);
    buf_done(&again);
}

static void nothing_to_show_is_said(void **state) {
    struct world *w = *state;
    struct buf body;
    const char *type;

    assert_int_equal(ask("/decisions/default/web", "output=text", &body, &type), 200);
    assert_string_equal(body.data, "default/web  nothing has been decided since the operator started\n");
    buf_done(&body);
    decide_some(w);
    ask("/decisions/default/web", "output=text&since=1s", &body, &type);
    assert_string_equal(body.data, "default/web  nothing has been decided since 2026-01-01T12:00:59Z\n");
    buf_done(&body);
    w->policy.invalid = "spec.maxReplicas: must be 1 at least";
    ask("/decisions/default/web", "", &body, &type);
    assert_non_null(strstr(body.data, "cannot be used, and nothing is decided: spec.maxReplicas: must be"));
    buf_done(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_requests_are_told_why, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_change_and_what_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(since_and_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_the_default, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_show_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
