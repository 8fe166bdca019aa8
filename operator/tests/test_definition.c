/* What the definitions of AutoscalingPolicy and MetricSource admit and refuse, and what the operator makes of
 * it: objects also come past the definition, out of files and from before an update. The manifests are those
 * that their own tests hold against an API server. */
#include "api/types/policy.h"
#include "api/types/promsource.h"
#include "autoscaler/decide.h"
#include "autoscaler/status.h"
#include "operator/documents.h"
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CRDS TEST_DATA_DIR "/../../../crds"

typedef int read_spec_fn(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec,
                         struct err *err);

/* A manifest, read. */
struct reading {
    struct document_file file;
    struct arena arena;
    struct policy_spec spec;
    struct err err; /* code != 0: refused */
};

static void reading_begin(struct reading *r, const char *path, read_spec_fn *read) {
    *r = (struct reading){0};
    arena_init(&r->arena, 0);
    if (documents_read(path, &r->file, &r->err) < 0)
        fail_msg("%s", r->err.text);
    if (read(json_object_get(json_array_get(r->file.documents, 0), "spec"), &r->arena, &r->spec, &r->err) ==
        0)
        err_clear(&r->err);
}

static void reading_end(struct reading *r) {
    arena_done(&r->arena);
    documents_done(&r->file);
}

/* The first metric that can never be computed; NULL: all can. */
static const char *first_fault(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (spec->metrics[i].invalid)
            return spec->metrics[i].invalid;
    return NULL;
}

static void expect_read(const char *path, read_spec_fn *read) {
    struct reading r;

    reading_begin(&r, path, read);
    if (r.err.code == 0)
        policy_check_fields(json_array_get(r.file.documents, 0), read == hpa_read_spec, &r.err);
    if (r.err.code)
        fail_msg("%s: %s", path, r.err.text);
    if (first_fault(&r.spec))
        fail_msg("%s: %s", path, first_fault(&r.spec));
    reading_end(&r);
}

static void is_read(const char *path) {
    expect_read(path, policy_read_spec);
}

static void is_read_as_both(const char *path) {
    expect_read(path, policy_read_spec);
    expect_read(path, hpa_read_spec);
}

/* What the operator can do without reads on: a name that no API server has, a field too much. Such a manifest
 * says so in a comment, and only such a one. A field that nobody knows the check of fields finds, and only
 * such a one. */
static void is_refused(const char *path) {
    struct reading r;
    struct err unknown;
    bool reads;

    reading_begin(&r, path, policy_read_spec);
    if ((policy_check_fields(json_array_get(r.file.documents, 0), false, &unknown) < 0) !=
        (strstr(r.file.text, "field not declared in schema") != NULL))
        fail_msg("%s: the check of fields and the API server disagree", path);
    reads = strstr(r.file.text, "\n# operator: reads it") != NULL;
    if (reads && (r.err.code || first_fault(&r.spec)))
        fail_msg("%s: refused: %s", path, r.err.code ? r.err.text : first_fault(&r.spec));
    if (!reads && !r.err.code && !first_fault(&r.spec))
        fail_msg("%s is neither refused nor marked with \"# operator: reads it\"", path);
    reading_end(&r);
}

static void each_of(const char *dir, void (*fn)(const char *path)) {
    struct dirent **names;
    char path[512];
    int count = scandir(dir, &names, NULL, alphasort), manifests = 0;

    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        if (str_ends(names[i]->d_name, ".yaml")) {
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
            fn(path);
            manifests++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(manifests > 0);
}

static void test_examples(void **state) {
    (void)state;
    each_of(CRDS "/examples", is_read);
}

static void test_accepted(void **state) {
    (void)state;
    each_of(CRDS "/tests/accepted", is_read);
}

static void test_hpa(void **state) {
    (void)state;
    each_of(CRDS "/tests/hpa", is_read_as_both);
}

static void test_refused(void **state) {
    (void)state;
    each_of(CRDS "/tests/refused", is_refused);
}

/* ---- MetricSource: what comes from the cluster is read again, the names of Secrets above all ---- */

/* Reads a manifest's spec as the operator does; *ret_marked: it says that the operator reads it. */
static struct err source_error(const char *path, bool *ret_marked) {
    struct document_file file;
    struct promsource_spec spec;
    cleanup_arena struct arena arena;
    struct err err = {0};

    arena_init(&arena, 0);
    if (documents_read(path, &file, &err) < 0)
        fail_msg("%s", err.text);
    *ret_marked = strstr(file.text, "\n# operator: reads it") != NULL;
    if (promsource_read_spec(json_object_get(json_array_get(file.documents, 0), "spec"), &arena, &spec,
                             &err) == 0)
        err_clear(&err);
    documents_done(&file);
    return err;
}

static void source_is_read(const char *path) {
    bool marked;
    struct err err = source_error(path, &marked);

    if (err.code)
        fail_msg("%s: %s", path, err.text);
}

static void source_is_refused(const char *path) {
    bool reads;
    struct err err = source_error(path, &reads);

    if (reads != (err.code == 0))
        fail_msg("%s: %s", path, err.code ? err.text : "neither refused nor marked");
}

static void test_sources(void **state) {
    (void)state;
    each_of(CRDS "/tests/sources/accepted", source_is_read);
    each_of(CRDS "/tests/sources/refused", source_is_refused);
}

/* ---- fields: evaluate refuses what the definition does not have ---- */

static const json_t *member(const json_t *o, const char *a, const char *b) {
    return json_object_get(json_object_get(o, a), b);
}

/* The schema of the definition's only version; the file is the caller's to end. */
static const json_t *read_schema(struct document_file *ret_file) {
    struct err err;

    if (documents_read(CRDS "/autoscalingpolicies.yaml", ret_file, &err) < 0)
        fail_msg("%s", err.text);
    const json_t *crd = json_array_get(ret_file->documents, 0);
    return member(json_array_get(member(crd, "spec", "versions"), 0), "schema", "openAPIV3Schema");
}

/* A field that no object has, and that is like none. */
#define NOBODYS "????????????????????????????????????????"

/* A document with such a field is refused with the names of those that could stand there, in order. */
static void names_those_of(const json_t *document, json_t *properties) {
    char want[512] = "";
    const char *between = "the fields here are ", *key;
    struct err err = {0};
    json_t *of;
    size_t n = 0;

    json_object_foreach(properties, key, of) {
        n += (size_t)snprintf(want + n, sizeof(want) - n, "%s%s", between, key);
        between = ", ";
    }
    assert_int_equal(policy_check_fields(document, false, &err), -EINVAL);
    if (!str_ends(err.text, want))
        fail_msg("%s; but of the definition %s", err.text, want);
}

/* Every object that schema describes has the same fields to the check as in the definition; innermost is the
 * one in document that stands for it. The number of objects. */
static unsigned same_fields(json_t *document, json_t *innermost, const json_t *schema) {
    json_t *properties = json_object_get(schema, "properties"), *of;
    unsigned objects = 1;
    const char *key;

    json_object_set_new(innermost, NOBODYS, json_true());
    names_those_of(document, properties);
    json_object_clear(innermost);
    json_object_foreach(properties, key, of) {
        const json_t *items = json_object_get(of, "items"), *element = items ? items : of;
        json_t *inner = json_object();
        json_object_set_new(innermost, key, items ? json_pack("[O]", inner) : json_incref(inner));
        if (json_object_get(element, "properties") && !str_eq(key, "status")) {
            objects += same_fields(document, inner, element);
        } else {
            json_object_set_new(inner, NOBODYS, json_true());
            assert_int_equal(policy_check_fields(document, false, NULL), 0);
        }
        json_decref(inner);
        json_object_clear(innermost);
    }
    return objects;
}

static void test_fields(void **state) {
    (void)state;
    struct document_file definition;
    const json_t *schema = read_schema(&definition);
    json_t *document = json_object();

    assert_true(same_fields(document, document, schema) > 30);
    json_decref(document);
    documents_done(&definition);
}

/* ---- status: the API server drops what the definition does not know ---- */

/* Fails where value is of another type than schema says, or has a field that it does not know. */
static void fits(const json_t *value, const json_t *schema, const char *name) {
    const char *type = json_string_value(json_object_get(schema, "type"));
    const char *key;
    const json_t *item;
    size_t i;

    if (json_object_get(schema, "x-kubernetes-preserve-unknown-fields") ||
        json_object_get(schema, "x-kubernetes-int-or-string"))
        return;
    if (!type)
        fail_msg("status has the field %s, which the definition does not know", name);
    assert_int_equal(str_eq(type, "object"), json_is_object(value));
    assert_int_equal(str_eq(type, "array"), json_is_array(value));
    assert_int_equal(str_eq(type, "string"), json_is_string(value));
    assert_int_equal(str_eq(type, "integer"), json_is_integer(value));
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
        fits(item, member(schema, "properties", key), key);
    json_array_foreach(value, i, item) fits(item, json_object_get(schema, "items"), name);
}

enum { METRICS = 8, GONE = METRICS - 1 };

/* A world in which every metric of every-field.yaml but the last has a value, of one pod. */
struct status_world {
    struct pod_container container;
    struct pod pod;
    const struct pod *pods;
    struct pod_value of_pod;
    struct pod_values values;
    struct sample samples[METRICS];
    const struct tz *zones[2];
};

static void status_world_fill(struct status_world *w, usec_t now) {
    *w = (struct status_world){
        .container = {.name = "app", .cpu_milli = 100, .memory_milli = 1000},
        .pod = {.meta = {.name = "web-1"},
                .phase = POD_RUNNING,
                .ready = CONDITION_TRUE,
                .start_time = now - USEC_PER_HOUR,
                .ready_transition = now - USEC_PER_HOUR,
                .pod_cpu_milli = -1,
                .pod_memory_milli = -1,
                .container_count = 1},
        .of_pod = {.known = true, .milli = 90, .at = now, .window = USEC_PER_MIN},
    };
    w->pod.containers = &w->container;
    w->pods = &w->pod;
    w->values = (struct pod_values){.of_pods = &w->of_pod};
    for (uint32_t i = 0; i < METRICS; i++)
        w->samples[i] = (struct sample){.quality = i == GONE ? QUALITY_FAILED : QUALITY_VALUE,
                                        .value = 90,
                                        .milli = 90000,
                                        .at = now,
                                        .message = i == GONE ? "connection refused" : "",
                                        .warning = "a warning",
                                        .origin = "somewhere",
                                        .pods = i < 3 ? &w->values : NULL};
}

/* The status of a first decision from every field. */
static json_t *status_of(const struct policy_spec *spec, struct arena *arena) {
    static const struct decide_flags flags = {.tolerance = 0.1,
                                              .downscale_stabilization = 300 * USEC_PER_SEC};
    const struct policy_status before = {.proposed = -1};
    const usec_t now = 1800000000 * USEC_PER_SEC;
    struct status_world w;
    struct history history = {0};
    struct decision d;
    struct tz *utc;
    struct err err;
    json_t *status;

    status_world_fill(&w, now);
    assert_int_equal(tz_load("UTC", &utc, &err), 0);
    w.zones[0] = w.zones[1] = utc;
    struct decide_input in = {
        .now = now,
        .spec = spec,
        .status = &before,
        .pods = 1,
        .ready_pods = 1,
        .scale = {.known = true, .spec_replicas = 1, .status_replicas = 1, .selector = "a=b"},
        .pod_list = &w.pods,
        .samples = w.samples,
        .zones = w.zones,
        .flags = &flags};
    decide(&in, &history, arena, &d);
    status = status_build(&in, &d, 1, now);
    history_done(&history);
    tz_free(utc);
    return status;
}

static void test_status(void **state) {
    (void)state;
    struct document_file definition;
    const json_t *root = read_schema(&definition);
    struct reading r;

    reading_begin(&r, CRDS "/tests/accepted/every-field.yaml", policy_read_spec);
    assert_int_equal(r.spec.metric_count, METRICS);
    json_t *status = status_of(&r.spec, &r.arena);
    /* It is worth something only where each metric has shown its shape. */
    for (uint32_t i = 0; i < GONE; i++)
        assert_string_equal(json_string_value(json_object_get(
                                json_array_get(json_object_get(status, "currentMetrics"), i), "type")),
                            r.spec.metrics[i].type_text);
    fits(status, member(root, "properties", "status"), "status");
    json_decref(status);
    reading_end(&r);
    documents_done(&definition);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_accepted), cmocka_unit_test(test_hpa),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_status),   cmocka_unit_test(test_fields),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests_name("definition", tests, NULL, NULL);
}
