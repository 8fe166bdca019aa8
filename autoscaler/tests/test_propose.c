/* What one metric asks for, as data: the same world once for a policy and once as HPA answers it, where it is
 * wrong included. Times in a case are seconds before its now. */
#include "api/types/quantity.h"
#include "api/types/tests/cases.h"
#include "autoscaler/stages.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PODS_MAX = 64, CONTAINERS_MAX = 4 };
static const usec_t now = 1767225600 * USEC_PER_SEC;

struct world {
    struct arena arena;
    struct policy_spec spec;
    struct policy_status status;
    struct decide_flags flags;
    struct pod pods[PODS_MAX];
    const struct pod *list[PODS_MAX];
    struct pod_container containers[PODS_MAX][CONTAINERS_MAX];
    struct pod_value values[PODS_MAX], others[PODS_MAX];
    struct pod_values joined;
    struct sample sample;
    struct decide_input in;
};

static const char *text(const json_t *object, const char *key, const char *otherwise) {
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : otherwise;
}

static int64_t milli_of(const char *quantity) {
    int64_t milli = 0;
    struct err err = {0};

    if (quantity_parse(quantity, &milli, &err) < 0)
        fail_msg("%s", err.text);
    return milli;
}

/* So many seconds ago. */
static usec_t ago(const json_t *object, const char *key, double otherwise) {
    const json_t *value = json_object_get(object, key);

    return now - (usec_t)((value ? json_number_value(value) : otherwise) * (double)USEC_PER_SEC);
}

static int index_of(const char *word, const char *const *words) {
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    fail_msg("unknown word \"%s\"", word);
    return -1;
}

/* {"app": {"cpu": "100m"}, "sidecar": {}} */
static void read_containers(struct world *w, const json_t *item, uint32_t i) {
    json_t *containers = json_object_get(item, "containers"), *requests;
    struct pod *pod = &w->pods[i];
    const char *name;

    pod->containers = w->containers[i];
    json_object_foreach(containers, name, requests) {
        struct pod_container *c = &w->containers[i][pod->container_count++];
        assert_true(pod->container_count <= CONTAINERS_MAX);
        *c = (struct pod_container){.name = name, .cpu_milli = -1, .memory_milli = -1};
        if (json_object_get(requests, "cpu"))
            c->cpu_milli = milli_of(text(requests, "cpu", ""));
        if (json_object_get(requests, "memory"))
            c->memory_milli = milli_of(text(requests, "memory", ""));
    }
}

static void read_pod(struct world *w, const json_t *item) {
    static const char *const phases[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown", NULL};
    static const char *const states[] = {"", "True", "False", "Unknown", NULL};
    const char *value = text(item, "value", NULL), *whole = text(item, "podCpu", NULL);
    uint32_t i = w->in.pods++;
    struct pod *pod = &w->pods[i];

    assert_true(i < PODS_MAX);
    *pod = (struct pod){
        .meta = {.name = arena_printf(&w->arena, "web-%u", i), .owner_uid = text(item, "owner", "rs-1")},
        .phase = (uint8_t)index_of(text(item, "phase", "Running"), phases),
        .ready = (uint8_t)index_of(text(item, "ready", "True"), states),
        .start_time = ago(item, "started", 3600),
        .ready_transition = ago(item, "transition", 3590),
        .pod_cpu_milli = whole ? milli_of(whole) : -1,
        .pod_memory_milli = -1,
    };
    pod->meta.deleting = json_is_true(json_object_get(item, "deleting"));
    read_containers(w, item, i);
    if (value)
        w->values[i] = (struct pod_value){
            .known = true, .milli = milli_of(value), .at = ago(item, "age", 10), .window = 30 * USEC_PER_SEC};
    w->list[i] = pod;
    w->in.ready_pods += pod->phase == POD_RUNNING && pod->ready == CONDITION_TRUE;
}

static void read_pods(struct world *w, const json_t *in) {
    const json_t *list = json_object_get(in, "pods"), *others = json_object_get(in, "others");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i), *count = json_object_get(item, "count");
        for (json_int_t k = count ? json_integer_value(count) : 1; k > 0; k--)
            read_pod(w, item);
    }
    for (size_t i = 0; i < json_array_size(others); i++)
        w->others[w->joined.other_count++] = (struct pod_value){
            .known = true, .milli = milli_of(json_string_value(json_array_get(others, i))), .at = now};
    w->joined.of_pods = w->values;
    w->joined.others = w->others;
    w->in.pod_list = w->list;
}

static void read_sample(struct world *w, const json_t *in) {
    static const char *const qualities[] = {"Pending", "Value", "Zero", "Absent", "Stale", "Failed", NULL};
    const json_t *item = json_object_get(in, "sample");
    int64_t milli = milli_of(text(item, "value", "0"));

    w->sample = (struct sample){.quality = (enum quality)index_of(text(item, "quality", "Value"), qualities),
                                .milli = milli,
                                .value = (double)milli / 1000,
                                .at = ago(item, "age", 10),
                                .message = text(item, "message", ""),
                                .warning = ""};
    if (metric_of_pods(w->spec.metrics[0].type))
        w->sample.pods = &w->joined;
}

static void read_spec(struct world *w, const json_t *in) {
    json_t *spec = json_pack("{s:{s:s,s:s,s:s}, s:i, s:i, s:[O]}", "scaleTargetRef", "apiVersion", "apps/v1",
                             "kind", "Deployment", "name", "web", "minReplicas", 1, "maxReplicas", 100,
                             "metrics", json_object_get(in, "metric"));
    struct err err = {0};

    if (json_object_get(in, "behavior"))
        json_object_set(spec, "behavior", json_object_get(in, "behavior"));
    if ((w->flags.hpa ? hpa_read_spec : policy_read_spec)(spec, &w->arena, &w->spec, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(spec);
}

static void world_init(struct world *w, const json_t *in, bool hpa) {
    *w = (struct world){
        .flags = {.tolerance = 0.1,
                  .cpu_initialization_period = 5 * USEC_PER_MIN,
                  .initial_readiness_delay = 30 * USEC_PER_SEC,
                  .no_tolerance_fields = json_is_true(json_object_get(in, "noToleranceFields")),
                  .no_pod_level_resources = json_is_true(json_object_get(in, "noPodLevel")),
                  .hpa = hpa}};
    arena_init(&w->arena, 0);
    read_spec(w, in);
    w->in = (struct decide_input){
        .now = now, .spec = &w->spec, .status = &w->status, .samples = &w->sample, .flags = &w->flags};
    w->in.scale.known = true;
    w->in.scale.spec_replicas = (int32_t)json_integer_value(json_object_get(in, "replicas"));
    w->in.scale.status_replicas = w->in.scale.spec_replicas;
    if (json_object_get(in, "statusReplicas"))
        w->in.scale.status_replicas = (int32_t)json_integer_value(json_object_get(in, "statusReplicas"));
    read_pods(w, in);
    read_sample(w, in);
}

static json_t *proposal_json(const struct proposal *p) {
    json_t *o =
        json_pack("{s:b, s:b, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:i}", "valid", p->valid,
                  "within", p->within, "replicas", p->valid ? p->replicas : -1, "label", p->label, "name",
                  p->name, "arithmetic", p->arithmetic, "note", p->note, "current", p->current_text,
                  "quality", quality_name(p->quality), "milli", (json_int_t)p->current_milli, "utilization",
                  p->utilization, "counted", p->counted_pods, "pods", p->pods);

    json_object_set_new(o, "age", p->at ? json_integer((now - p->at) / USEC_PER_SEC) : json_null());
    if (!p->valid)
        json_object_set_new(o, "failure", json_sprintf("%s: %s", p->failure_reason, p->failure));
    return o;
}

static json_t *propose_once(const json_t *in, bool hpa) {
    struct world *w = calloc(1, sizeof(*w));
    struct proposal p;
    json_t *out;

    world_init(w, in, hpa);
    propose(&w->in, 0, &w->arena, &p);
    out = proposal_json(&p);
    arena_done(&w->arena);
    free(w);
    return out;
}

static void check(const struct test_case *c) {
    static const char *const sides[] = {"policy", "hpa"};

    assert_true(json_object_size(c->want) > 0);
    for (int hpa = 0; hpa < 2; hpa++) {
        const json_t *want = json_object_get(c->want, sides[hpa]);
        json_t *got = want ? propose_once(c->in, hpa) : NULL;
        if (want)
            assert_json_has(want, got);
        json_decref(got);
    }
}

int main(void) {
    return cases_run_dir("propose", TEST_DATA_DIR "/propose", check);
}
