/* Every recorded case at the level of what is answered: the query that is sent is the recorded one, widened,
 * and what Prometheus says to it becomes the recorded answer. */
#include "adapter/tests/own_world.h"

#include "adapter/ownquery.h"
#include "adapter/widen.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct recorded_cluster cluster;

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

/* ---- what Prometheus said ---- */

/* The first label in "by (label, …)" of a query that was recorded, "" where there is none. Owned by the
 * caller. */
static char *group_of(const char *query) {
    const char *by = strstr(query, "by (");

    return by ? xstrndup(by + 4, strcspn(by + 4, ",)")) : xstrdup("");
}

/* "250m", "12k", "7" as Prometheus has it. */
static char *number_of(const char *quantity) {
    static const char units[] = "m kMGTPE";
    size_t len = strspn(quantity, "-0123456789");
    const char *unit = quantity[len] ? strchr(units, quantity[len]) : units + 1;

    assert_non_null(unit);
    return xasprintf("%.*se%d", (int)len, quantity, (int)(unit - units - 1) * 3);
}

/* A scalar is an item whose labels are null. */
static bool is_scalar(const json_t *body) {
    const json_t *item = json_array_get(json_object_get(body, "items"), 0);

    return item && json_is_null(json_object_get(item, "metricLabels"));
}

static json_t *scalar_of(const json_t *body) {
    cleanup_free char *number =
        number_of(text_of(json_array_get(json_object_get(body, "items"), 0), "value"));

    return json_pack("[i, s]", 1700000000, number);
}

static json_t *element_of(const json_t *item, const char *group) {
    const json_t *object = json_object_get(item, "describedObject");
    cleanup_free char *number = number_of(text_of(item, "value"));
    json_t *labels = object ? json_object() : json_incref(json_object_get(item, "metricLabels"));

    if (object)
        json_object_set(labels, group, json_object_get(object, "name"));
    return json_pack("{s:o, s:[i, s]}", "metric", labels, "value", 1700000000, number);
}

static json_t *vector_of(const json_t *body, const char *query) {
    cleanup_free char *group = group_of(query);
    json_t *elements = json_array(), *item;
    size_t i;

    json_array_foreach(json_object_get(body, "items"), i, item)
        json_array_append_new(elements, element_of(item, group));
    return elements;
}

/* The answer of Prometheus from which the recorded body was made. Owned by the caller. */
static char *answer_of(const json_t *body, const char *query) {
    bool scalar = is_scalar(body);
    json_t *result = scalar ? scalar_of(body) : vector_of(body, query);
    json_t *document = json_pack("{s:s, s:{s:s, s:o}}", "status", "success", "data", "resultType",
                                 scalar ? "scalar" : "vector", "result", result);
    char *text = json_dumps(document, JSON_COMPACT);

    json_decref(document);
    return text;
}

/* ---- what was answered ---- */

struct got {
    int status;
    char *reason, *message;
    json_t *items; /* name and value, or labels and value */
};

static json_t *labels_of(const struct metrics_value *value) {
    json_t *labels = value->labels ? json_object() : json_null();

    for (uint32_t i = 0; value->labels && i < value->label_count; i++)
        json_object_set_new(labels, value->labels[i].name, json_string(value->labels[i].value));
    return labels;
}

static void on_answer(void *arg, const struct metrics_answer *answer) {
    struct got *got = arg;

    got->status = answer->status;
    got->reason = xstrdup(str_or_empty(answer->reason));
    got->message = xstrdup(str_or_empty(answer->message));
    got->items = json_array();
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct metrics_value *v = &answer->values[i];
        json_t *item = json_pack("{s:I}", "milli", (json_int_t)v->milli);
        if (v->name)
            json_object_set_new(item, "name", json_string(v->name));
        if (v->name && v->ns)
            json_object_set_new(item, "namespace", json_string(v->ns));
        if (!v->name)
            json_object_set_new(item, "labels", labels_of(v));
        json_array_append_new(got->items, item);
    }
}

static void got_done(struct got *got) {
    free(got->reason);
    free(got->message);
    json_decref(got->items);
}

static int64_t milli_of(const char *quantity) {
    cleanup_free char *number = number_of(quantity);
    double value = 0;

    assert_int_equal(str_to_double(number, &value), 0);
    return (int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5));
}

/* The recorded items in the form of got's. */
static json_t *items_of(const json_t *body) {
    json_t *items = json_array(), *item;
    size_t i;

    json_array_foreach(json_object_get(body, "items"), i, item) {
        const json_t *object = json_object_get(item, "describedObject");
        json_t *want = json_pack("{s:I}", "milli", (json_int_t)milli_of(text_of(item, "value")));
        if (object)
            json_object_set(want, "name", json_object_get(object, "name"));
        if (object && json_object_get(object, "namespace"))
            json_object_set(want, "namespace", json_object_get(object, "namespace"));
        if (!object)
            json_object_set(want, "labels", json_object_get(item, "metricLabels"));
        json_array_append_new(items, want);
    }
    return items;
}

/* ---- one path ---- */

/* What the last matcher on the label has, which is the one of the objects' names; owned. */
static char *names_in(const char *query, const char *label) {
    cleanup_free char *one = xasprintf("%s=\"", label), *some = xasprintf("%s=~\"", label);
    const char *value = "";

    for (const char *at = query; *at; at++) {
        if (str_starts(at, one))
            value = at + strlen(one);
        if (str_starts(at, some))
            value = at + strlen(some);
    }
    return xstrndup(value, strcspn(value, "\""));
}

/* Whether a recorded query is sent so, or wider. */
static void check_query(const struct own_world *w, const char *path, const char *recorded) {
    const char *sent = w->count ? w->queries[0] : "";
    cleanup_free char *group = group_of(recorded);
    cleanup_buf struct buf tidy, wide;

    buf_init(&tidy, 65536);
    buf_init(&wide, 65536);
    buf_puts(&tidy, recorded);
    own_query_tidy(&tidy);
    cleanup_free char *names = names_in(tidy.data, group);
    widen_query(tidy.data, &(struct widen_labels){.object = group, .object_value = names}, WIDEN_OBJECTS,
                &wide);
    if (!str_eq(sent, tidy.data) && !str_eq(sent, wide.data))
        fail_msg("%s sends %s, and not %s or %s", path, sent, tidy.data, wide.data);
}

/* Where we answer better than the reference: what is infinite, and queries that it builds wrong. What
 * Prometheus said to a query that failed is not known. */
static bool is_better(const json_t *recorded) {
    const json_t *body = json_object_get(recorded, "body");
    json_t *item;
    size_t i;

    if (json_integer_value(json_object_get(recorded, "status")) == 500 &&
        json_array_size(json_object_get(recorded, "promql")))
        return true;
    json_array_foreach(json_object_get(body, "items"), i,
                       item) if (str_eq(text_of(item, "value"), "-9223372036854775808m")) return true;
    return false;
}

static void check_got(const char *path, const json_t *recorded, const struct got *got) {
    const json_t *body = json_object_get(recorded, "body");
    json_t *want = items_of(body);

    assert_int_equal(got->status, json_integer_value(json_object_get(recorded, "status")));
    if (got->status == 404 && !strstr(path, "external"))
        assert_string_equal(got->message, text_of(body, "message"));
    else if (got->status != 200)
        assert_true(str_starts(got->message, str_eq(text_of(body, "reason"), "NotFound")
                                                 ? "the server could not find the metric "
                                                 : text_of(body, "message")));
    if (got->status == 200 && !json_equal(want, got->items)) {
        cleanup_free char *text = json_dumps(got->items, 0);
        fail_msg("%s gives %s", path, text);
    }
    json_decref(want);
}

static void check_path(const struct recorded *rules, const json_t *recorded) {
    const char *path = text_of(recorded, "path");
    const json_t *body = json_object_get(recorded, "body");
    const char *query =
        str_or_empty(json_string_value(json_array_get(json_object_get(recorded, "promql"), 0)));
    cleanup_free char *answer = answer_of(body, query);
    cleanup_arena struct arena arena;
    struct metrics_route route;
    struct got got = {0};

    arena_init(&arena, 0);
    if (metrics_route_read(path, &arena, &route, NULL) < 0 || route.api == ROUTE_RESOURCE ||
        strstr(path, "fieldSelector"))
        return;
    struct own_world *w = own_world_new(&cluster, rules);
    w->body = answer;
    struct ownmetrics_call *call = ownmetrics_ask(w->own, &route, on_answer, &got);
    assert_true((call == NULL) == (got.status != 0));
    fake_loop_run(w->loop, USEC_PER_SEC);
    if (!*query)
        assert_int_equal(w->count, 0);
    else if (json_integer_value(json_object_get(recorded, "status")) != 500)
        check_query(w, path, query);
    if (!is_better(recorded))
        check_got(path, recorded, &got);
    assert_int_not_equal(got.status, 0);
    got_done(&got);
    own_world_free(w);
}

static void check_case(const struct test_case *c) {
    struct recorded rules;
    json_t *answer;
    size_t i;

    if (!json_is_true(json_object_get(c->in, "started")))
        return;
    assert_int_equal(recorded_init(&rules, c->in, &cluster, NULL), 0);
    json_array_foreach(json_object_get(c->in, "answers"), i, answer) check_path(&rules, answer);
    recorded_done(&rules);
}

int main(void) {
    struct test_cases cases = {0};

    recorded_cluster_init(&cluster);
    recorded_add_cases(&cases);
    int failed = cases_run("ownvectors", &cases, check_case);
    recorded_cluster_done(&cluster);
    return failed;
}
