/* The usage store: every case of data/usage, a long run against the slow model, and its limits.
 * in.json: resolution (s) and answers, each {node, lines} or {forget}; want.json: pods and nodes after the
 * last one, and for each answer its error or "". */
#include "adapter/usage.h"

#include "adapter/tests/usage_model.h"
#include "api/types/tests/cases.h"
#include "base/buf.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 8 << 20 };

static void read_lines(const json_t *lines, struct buf *out) {
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *line = json_string_value(json_array_get(lines, i));
        assert_non_null(line);
        buf_printf(out, "%s\n", line);
    }
}

static const char *give_answer(struct usage_store *store, const json_t *answer, struct err *err) {
    const char *forget = json_string_value(json_object_get(answer, "forget"));
    cleanup_buf struct buf text;

    buf_init(&text, TEXT_MAX);
    if (forget) {
        usage_store_forget(store, forget);
        return "";
    }
    read_lines(json_object_get(answer, "lines"), &text);
    err_clear(err);
    usage_store_take(store, json_string_value(json_object_get(answer, "node")), text.data ? text.data : "",
                     text.len, json_integer_value(json_object_get(answer, "asked_ms")) * USEC_PER_MSEC, err);
    return err->text;
}

static json_t *object_json(const struct metrics_object *object) {
    json_t *usages = json_object();

    for (uint32_t i = 0; i < object->usage_count; i++)
        json_object_set_new(usages, object->usages[i].name,
                            json_pack("{s:I, s:I}", "cpu", (json_int_t)object->usages[i].cpu_nano, "memory",
                                      (json_int_t)object->usages[i].memory_bytes));
    return json_pack("{s:I, s:I, s:o}", "at_ms", (json_int_t)(object->at / USEC_PER_MSEC), "window_ms",
                     (json_int_t)(object->window / USEC_PER_MSEC), "usages", usages);
}

/* What is asked for is what the case wants to see: "node/namespace/pod" or "node". */
static json_t *shown(const struct usage_store *store, const json_t *want) {
    json_t *out = json_object(), *value;
    cleanup_arena struct arena arena;
    const char *key;

    arena_init(&arena, 0);
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        struct metrics_object object;
        char node[64], ns[64], name[64];
        int parts = sscanf(key, "%63[^/]/%63[^/]/%63s", node, ns, name);
        bool found = parts == 3 ? usage_store_pod(store, &(struct usage_pod){node, ns, name}, &arena, &object)
                                : usage_store_node(store, node, &arena, &object);
        json_object_set_new(out, key, found ? object_json(&object) : json_string("none"));
    }
    return out;
}

static void check(const struct test_case *c) {
    usec_t resolution = json_integer_value(json_object_get(c->in, "resolution")) * USEC_PER_SEC;
    struct usage_store *store = usage_store_new(resolution);
    const json_t *answers = json_object_get(c->in, "answers");
    json_t *errors = json_array();
    struct usage_store_stats stats;
    struct err err;

    for (size_t i = 0; i < json_array_size(answers); i++)
        json_array_append_new(errors, json_string(give_answer(store, json_array_get(answers, i), &err)));
    usage_store_stats(store, &stats);
    json_t *got =
        json_pack("{s:o, s:o, s:b, s:i, s:i, s:i}", "errors", errors, "shown",
                  shown(store, json_object_get(c->want, "shown")), "ready", usage_store_ready(store), "nodes",
                  (int)stats.nodes, "pods", (int)stats.pods, "containers", (int)stats.containers);
    assert_json_has(c->want, got);
    json_decref(got);
    usage_store_free(store);
}

/* The run against the model. */

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* What a container may do between two scrapes; now_ms: of the kubelet's clock. */
static void step_point(struct model_point *p, uint32_t *seed, int64_t now_ms) {
    uint32_t dice = next_random(seed) % 20;

    if (dice == 0)
        p->there = !p->there;
    if (!p->there)
        return;
    if (dice == 1 || !p->at_ms) { /* a restart, or the first time */
        p->start_s = (now_ms - next_random(seed) % 40000) / 1000;
        p->cpu_nano = next_random(seed) % 1000;
    } else if (dice == 2) {
        p->cpu_nano /= 2; /* the counter falls */
    } else if (dice == 3) {
        p->memory = 0;
    } else if (dice == 4) {
        p->start_s = 0;
    }
    if (dice == 5)
        p->at_ms -= next_random(seed) % 30000; /* a clock that steps back */
    else if (dice != 6)
        p->at_ms = now_ms;
    p->cpu_nano += next_random(seed) % 5000000;
    p->memory = dice == 3 ? 0 : next_random(seed) % 100000 + 1;
}

static void write_container(struct buf *out, int field, int pod, int container, const struct model_point *p) {
    char labels[128];

    snprintf(labels, sizeof(labels), "{container=\"c%d\",namespace=\"ns%d\",pod=\"p%d\"}", container, pod / 2,
             pod);
    if (field == 0)
        buf_printf(out, "container_cpu_usage_seconds_total%s %.9f %" PRId64 "\n", labels,
                   (double)p->cpu_nano / 1e9, p->at_ms);
    else if (field == 1)
        buf_printf(out, "container_memory_working_set_bytes%s %" PRIu64 " %" PRId64 "\n", labels, p->memory,
                   p->at_ms);
    else if (p->start_s)
        buf_printf(out, "container_start_time_seconds%s %" PRId64 "\n", labels, p->start_s);
}

static void write_answer(struct buf *out, const struct model_answer *answer) {
    buf_reset(out);
    for (int field = 0; field < 3; field++)
        for (int p = 0; p < MODEL_PODS; p++)
            for (int c = 0; c < MODEL_CONTAINERS; c++)
                if (answer->containers[p][c].there)
                    write_container(out, field, p, c, &answer->containers[p][c]);
    if (answer->node.there)
        buf_printf(out,
                   "node_cpu_usage_seconds_total %.9f %" PRId64 "\n"
                   "node_memory_working_set_bytes %" PRIu64 " %" PRId64 "\n",
                   (double)answer->node.cpu_nano / 1e9, answer->node.at_ms, answer->node.memory,
                   answer->node.at_ms);
}

/* The counter as it reads back from its nine digits. */
static void reread(struct model_point *p) {
    char text[64];

    snprintf(text, sizeof(text), "%.9f", (double)p->cpu_nano / 1e9);
    p->cpu_nano = (uint64_t)(strtod(text, NULL) * 1e9);
}

static void compare_pod(const struct usage_store *store, const struct model *model, int pod) {
    cleanup_arena struct arena arena;
    struct metrics_object object;
    char ns[16], name[16];
    uint32_t at = 0;
    int64_t nano, earliest = INT64_MAX;

    arena_init(&arena, 0);
    snprintf(ns, sizeof(ns), "ns%d", pod / 2);
    snprintf(name, sizeof(name), "p%d", pod);
    bool found = usage_store_pod(store, &(struct usage_pod){"n", ns, name}, &arena, &object);
    assert_int_equal(found, model_shows(model, pod));
    for (int c = 0; found && c < MODEL_CONTAINERS; c++) {
        const struct model_point *last = &model->last.containers[pod][c];
        char container[16];
        if (!model_rate(last, &model->prev.containers[pod][c], &nano))
            continue;
        snprintf(container, sizeof(container), "c%d", c);
        assert_true(at < object.usage_count);
        assert_string_equal(object.usages[at].name, container);
        assert_int_equal(object.usages[at].cpu_nano, nano);
        assert_int_equal(object.usages[at++].memory_bytes, last->memory);
        earliest = last->at_ms < earliest ? last->at_ms : earliest;
    }
    if (!found)
        return;
    assert_int_equal(at, object.usage_count);
    assert_int_equal(object.at, earliest * USEC_PER_MSEC);
}

static void compare_node(const struct usage_store *store, const struct model *model) {
    cleanup_arena struct arena arena;
    struct metrics_object object;
    int64_t nano;

    arena_init(&arena, 0);
    bool found = usage_store_node(store, "n", &arena, &object);
    assert_int_equal(found, model_rate(&model->last.node, &model->prev.node, &nano));
    if (!found)
        return;
    assert_int_equal(object.usages[0].cpu_nano, nano);
    assert_int_equal(object.usages[0].memory_bytes, model->last.node.memory);
    assert_int_equal(object.window, (model->last.node.at_ms - model->prev.node.at_ms) * USEC_PER_MSEC);
}

static void follows_the_model(void **state) {
    struct model model = {.resolution_s = 15};
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    struct model_answer world = {.node.there = true};
    cleanup_buf struct buf text;
    uint32_t seed = 20261122, shown_pods = 0;
    int64_t now_ms = 1790000000000;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (int round = 0; round < 4000; round++) {
        now_ms += 5000 + next_random(&seed) % 15000;
        for (int p = 0; p < MODEL_PODS; p++)
            for (int c = 0; c < MODEL_CONTAINERS; c++)
                step_point(&world.containers[p][c], &seed, now_ms);
        step_point(&world.node, &seed, now_ms);
        world.node.start_s = 0; /* the kubelet tells none */
        struct model_answer answer = world;
        for (int p = 0; p < MODEL_PODS; p++)
            for (int c = 0; c < MODEL_CONTAINERS; c++)
                reread(&answer.containers[p][c]);
        reread(&answer.node);
        write_answer(&text, &world);
        assert_int_equal(usage_store_take(store, "n", text.data ? text.data : "", text.len, 0, NULL), 0);
        model_take(&model, &answer);
        for (int p = 0; p < MODEL_PODS; p++) {
            compare_pod(store, &model, p);
            shown_pods += model_shows(&model, p);
        }
        compare_node(store, &model);
    }
    assert_in_range(shown_pods, 1000, 4000 * MODEL_PODS - 1000); /* the run has seen both */
    usage_store_free(store);
}

/* What a decision is given. */

static void give(struct usage_store *store, const char *text) {
    struct err err = {0};

    if (usage_store_take(store, "n", text, strlen(text), 0, &err) < 0)
        fail_msg("%s", err.text);
}

static const char first[] =
    "container_cpu_usage_seconds_total{container=\"a\",namespace=\"s\",pod=\"p\"} 1 1000000\n"
    "container_cpu_usage_seconds_total{container=\"b\",namespace=\"s\",pod=\"p\"} 1 1000000\n"
    "container_memory_working_set_bytes{container=\"a\",namespace=\"s\",pod=\"p\"} 100 1000000\n"
    "container_memory_working_set_bytes{container=\"b\",namespace=\"s\",pod=\"p\"} 200 1000000\n";
static const char second[] =
    "container_cpu_usage_seconds_total{container=\"a\",namespace=\"s\",pod=\"p\"} 2.5000001 1015000\n"
    "container_cpu_usage_seconds_total{container=\"b\",namespace=\"s\",pod=\"p\"} 2.5 1014000\n"
    "container_memory_working_set_bytes{container=\"a\",namespace=\"s\",pod=\"p\"} 110 1015000\n"
    "container_memory_working_set_bytes{container=\"b\",namespace=\"s\",pod=\"p\"} 220 1015000\n";

static struct pod_value value_of(const struct usage_store *store, const char *container,
                                 enum usage_resource resource) {
    struct pod_value value;

    usage_store_value(store, &(struct usage_pod){"n", "s", "p"}, container, resource, &value);
    return value;
}

static void sums_pods_as_hpa(void **state) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);

    (void)state;
    give(store, first);
    assert_false(value_of(store, NULL, USAGE_CPU).known);
    give(store, second);
    struct pod_value cpu = value_of(store, NULL, USAGE_CPU);
    assert_true(cpu.known);
    assert_int_equal(cpu.milli, 101 + 108); /* 100.0000067 and 107.14 milli-cores, each rounded up */
    assert_int_equal(cpu.at, 1014 * USEC_PER_SEC);
    assert_int_equal(cpu.window, 14 * USEC_PER_SEC);
    assert_int_equal(value_of(store, NULL, USAGE_MEMORY).milli, 330000);
    assert_int_equal(value_of(store, "b", USAGE_MEMORY).milli, 220000);
    assert_int_equal(value_of(store, "a", USAGE_CPU).milli, 101);
    assert_false(value_of(store, "c", USAGE_CPU).known);
    usage_store_free(store);
}

static void believes_a_node_of_its_pods_only(void **state) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    struct pod_value value;

    (void)state;
    give(store, first);
    give(store, second);
    usage_store_value(store, &(struct usage_pod){"other", "s", "p"}, NULL, USAGE_CPU, &value);
    assert_false(value.known);
    usage_store_value(store, &(struct usage_pod){NULL, "s", "p"}, NULL, USAGE_CPU, &value);
    assert_false(value.known);
    usage_store_free(store);
}

static void collect(void *arg, const char *ns, usec_t newest) {
    buf_printf(arg, "%s %d;", ns, (int)(newest / USEC_PER_SEC));
}

static void names_each_namespace_once(void **state) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    cleanup_buf struct buf text, names;

    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_init(&names, 1024);
    for (int i = 0; i < 6; i++)
        buf_printf(
            &text,
            "container_cpu_usage_seconds_total{container=\"a\",namespace=\"s%d\",pod=\"p%d\"} 1 %d000\n"
            "container_memory_working_set_bytes{container=\"a\",namespace=\"s%d\",pod=\"p%d\"} 1 1000\n",
            i % 2, i, i + 1, i % 2, i);
    give(store, text.data);
    usage_store_namespaces(store, "n", collect, &names);
    assert_string_equal(names.data, "s0 5;s1 6;");
    usage_store_namespaces(store, "unknown", collect, &names);
    assert_string_equal(names.data, "s0 5;s1 6;");
    usage_store_free(store);
}

/* 1,000 nodes with 100 pods must fit into 60 MiB: so must a hundredth of it into a hundredth. */
static void is_small(void **state) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    cleanup_buf struct buf text;
    struct usage_store_stats stats;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (int i = 0; i < 100; i++) {
        char labels[160];
        snprintf(labels, sizeof(labels),
                 "{container=\"application\",namespace=\"team-%d\",pod=\"application-7c9d8f6b5d-%05d\"}",
                 i / 10, i);
        buf_printf(&text,
                   "container_cpu_usage_seconds_total%s 1 1000\n"
                   "container_memory_working_set_bytes%s 1 1000\n",
                   labels, labels);
    }
    for (int i = 0; i < 10; i++) {
        char node[16];
        snprintf(node, sizeof(node), "node-%d", i);
        assert_int_equal(usage_store_take(store, node, text.data, text.len, 0, NULL), 0);
    }
    usage_store_stats(store, &stats);
    assert_int_equal(stats.pods, 1000);
    assert_int_equal(stats.containers, 1000);
    assert_in_range(stats.bytes, 1, 600 * 1024);
    for (int i = 0; i < 10; i++) {
        char node[16];
        snprintf(node, sizeof(node), "node-%d", i);
        usage_store_forget(store, node);
    }
    usage_store_stats(store, &stats);
    assert_int_equal(stats.bytes, 0);
    assert_int_equal(stats.containers, 0);
    usage_store_free(store);
}

static void bounds_containers(void **state) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    cleanup_buf struct buf text;
    struct err err = {0};

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (int i = 0; i <= USAGE_CONTAINERS_MAX; i++)
        buf_printf(&text, "container_start_time_seconds{container=\"c%d\",namespace=\"s\",pod=\"p\"} 1\n", i);
    assert_int_equal(usage_store_take(store, "n", text.data, text.len, 0, &err), -E2BIG);
    assert_string_equal(err.text, "more than 20000 containers");
    usage_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(sums_pods_as_hpa),
        cmocka_unit_test(believes_a_node_of_its_pods_only),
        cmocka_unit_test(names_each_namespace_once),
        cmocka_unit_test(is_small),
        cmocka_unit_test(bounds_containers),
    };
    int failed = cases_run_dir("usage cases", TEST_DATA_DIR "/usage", check);
    return failed + cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
