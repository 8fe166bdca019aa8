/* What must hold of decisions with all that a policy may have at once: metrics of every type, activation,
 * whenMissing, fallback, schedules, a formula, a pause. Worlds are made up from a seed; a failure prints it.
 * Metrics of pods are also held against a second, slow reading of HPA's rules. */
#include "autoscaler/record.h"
#include "autoscaler/stages.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORLDS = 3000, METRICS = 3, PODS = 12, CONTAINERS = 2 };
static const usec_t start = 1767225600 * USEC_PER_SEC; /* 2026-01-01T00:00:00Z */

struct world {
    uint64_t seed, random;
    bool falls_back;
    struct arena arena;
    struct policy_spec spec;
    struct policy_status status;
    struct sample samples[METRICS];
    struct pod_values joined[METRICS];
    struct pod_value values[METRICS][PODS];
    struct pod_container containers[PODS][CONTAINERS];
    struct pod pods[PODS];
    char names[PODS][16];
    const struct pod *list[PODS];
    struct tz *utc;
    const struct tz *zones[2];
    struct condition conditions[3];
    struct decide_flags flags;
    struct history history;
    struct decide_input in;
};

static uint32_t pick(struct world *w, uint32_t n) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 33) % n;
}

static bool coin(struct world *w, uint32_t of) {
    return pick(w, of) == 0;
}

#define check(w, cond)                                                                                       \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            fail_msg("seed %llu: %s", (unsigned long long)(w)->seed, #cond);                                 \
    } while (0)

/* ---- specs, as JSON, so that the reader takes part ---- */

static json_t *quantity(int64_t milli) {
    return json_sprintf("%lldm", (long long)milli);
}

static json_t *average_target(struct world *w) {
    return json_pack("{s:s, s:o}", "type", "AverageValue", "averageValue",
                     quantity(1 + (int64_t)pick(w, 100000)));
}

static json_t *total_target(struct world *w) {
    if (coin(w, 2))
        return average_target(w);
    return json_pack("{s:s, s:o}", "type", "Value", "value", quantity(1 + (int64_t)pick(w, 100000)));
}

static json_t *resource_target(struct world *w) {
    if (coin(w, 2))
        return average_target(w);
    return json_pack("{s:s, s:i}", "type", "Utilization", "averageUtilization", 1 + (int)pick(w, 150));
}

static json_t *metric_source(struct world *w, enum metric_type type) {
    static const char *const resources[] = {"cpu", "memory"};

    switch (type) {
    case METRIC_RESOURCE:
        return json_pack("{s:{s:s, s:o}}", "resource", "name", resources[pick(w, 2)], "target",
                         resource_target(w));
    case METRIC_CONTAINER_RESOURCE:
        return json_pack("{s:{s:s, s:s, s:o}}", "containerResource", "name", resources[pick(w, 2)],
                         "container", "app", "target", resource_target(w));
    case METRIC_PODS:
        return json_pack("{s:{s:{s:s}, s:o}}", "pods", "metric", "name", "qps", "target", average_target(w));
    case METRIC_OBJECT:
        return json_pack("{s:{s:{s:s, s:s}, s:{s:s}, s:o}}", "object", "describedObject", "kind", "Service",
                         "name", "web", "metric", "name", "hits", "target", total_target(w));
    case METRIC_EXTERNAL:
        return json_pack("{s:{s:{s:s}, s:o}}", "external", "metric", "name", "queue", "target",
                         total_target(w));
    case METRIC_WORKLOAD:
        return json_pack("{s:{s:o}}", "workload", "target", total_target(w));
    case METRIC_PROMETHEUS:
    case METRIC_UNKNOWN:
        break;
    }
    return json_pack("{s:{s:s, s:o}}", "prometheus", "query", "up", "target", total_target(w));
}

static json_t *metric_json(struct world *w, uint32_t i) {
    static const char *const missing[] = {"Hold", "Ignore", "Zero", "Fallback"};
    /* The first one works without pods, so that any policy may sleep. */
    enum metric_type type = (enum metric_type)(i == 0 ? METRIC_PROMETHEUS : pick(w, METRIC_UNKNOWN));
    json_t *m = metric_source(w, type);

    json_object_set_new(m, "type", json_string(metric_type_name(type)));
    json_object_set_new(m, "name", json_sprintf("m%u", i));
    if (coin(w, 3))
        json_object_set_new(m, "whenMissing", json_string(missing[pick(w, w->falls_back ? 4 : 3)]));
    if (i == 0 && coin(w, 3))
        json_object_set_new(m, "activation", quantity(pick(w, 20000)));
    return m;
}

static json_t *rules_json(struct world *w) {
    static const char *const selects[] = {"Max", "Min", "Disabled"};
    static const char *const types[] = {"Pods", "Percent"};
    json_t *rules = json_pack("{s:i, s:s, s:[]}", "stabilizationWindowSeconds", (int)pick(w, 400),
                              "selectPolicy", selects[pick(w, 3)], "policies");

    for (uint32_t n = 1 + pick(w, 2); n > 0; n--)
        json_array_append_new(json_object_get(rules, "policies"),
                              json_pack("{s:s, s:i, s:i}", "type", types[pick(w, 2)], "value",
                                        1 + (int)pick(w, 100), "periodSeconds", 1 + (int)pick(w, 90)));
    return rules;
}

static void add_schedules(struct world *w, json_t *spec) {
    static const char *const starts[] = {"0 * * * *", "30 23 * * *", "*/10 * * * *", "0 0 1 1 *"};
    json_t *list = json_array();

    for (uint32_t i = 0, n = 1 + pick(w, 2); i < n; i++) {
        int floor = (int)pick(w, 10);
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:o, s:i, s:i}", "name", json_sprintf("s%u", i), "start",
                                        starts[pick(w, 4)], "duration", json_sprintf("%um", 1 + pick(w, 90)),
                                        "minReplicas", floor, "maxReplicas", floor + 1 + (int)pick(w, 20)));
    }
    json_object_set_new(spec, "schedules", list);
}

static void add_fallback(struct world *w, json_t *spec) {
    static const char *const behaviors[] = {"Hold", "Static", "AtLeast", "AtMost"};
    uint32_t behavior = pick(w, 4);
    json_t *fallback = json_pack("{s:s, s:o}", "behavior", behaviors[behavior], "after",
                                 json_sprintf("%us", 1 + pick(w, 300)));

    if (behavior > 0)
        json_object_set_new(fallback, "replicas", json_integer(pick(w, 20)));
    json_object_set_new(spec, "fallback", fallback);
}

static void add_ours(struct world *w, json_t *spec) {
    static const char *const formulas[] = {"max(m0, replicas / 2)", "if(missing(m0), replicas, m0 + 1)",
                                           "value(m0) / 7", "avg(m0, m0, 3) % 9"};

    if (coin(w, 3))
        json_object_set_new(spec, "activation",
                            json_pack("{s:o}", "after", json_sprintf("%us", 1 + pick(w, 600))));
    if (w->falls_back)
        add_fallback(w, spec);
    if (coin(w, 3))
        add_schedules(w, spec);
    if (coin(w, 4))
        json_object_set_new(spec, "formula", json_string(formulas[pick(w, 4)]));
    if (coin(w, 2))
        json_object_set_new(spec, "behavior",
                            json_pack("{s:o, s:o}", "scaleUp", rules_json(w), "scaleDown", rules_json(w)));
}

static void make_spec(struct world *w) {
    int floor = (int)pick(w, 4);
    json_t *spec = json_pack("{s:{s:s, s:s, s:s}, s:i, s:i, s:[]}", "scaleTargetRef", "apiVersion", "apps/v1",
                             "kind", "Deployment", "name", "web", "minReplicas", floor, "maxReplicas",
                             floor + 1 + (int)pick(w, 20), "metrics");
    struct err err = {0};

    w->falls_back = coin(w, 3);
    for (uint32_t i = 0, n = 1 + pick(w, METRICS); i < n; i++)
        json_array_append_new(json_object_get(spec, "metrics"), metric_json(w, i));
    add_ours(w, spec);
    if (policy_read_spec(spec, &w->arena, &w->spec, &err) < 0)
        fail_msg("seed %llu: %s", (unsigned long long)w->seed, err.text);
    json_decref(spec);
}

/* ---- the cluster ---- */

static void make_pod(struct world *w, uint32_t i) {
    struct pod *p = &w->pods[i];

    snprintf(w->names[i], sizeof(w->names[i]), "web-%u", i);
    *p = (struct pod){.meta = {.name = w->names[i], .ns = "default", .deleting = coin(w, 10)},
                      .phase = (uint8_t)(coin(w, 4) ? pick(w, 5) : POD_RUNNING),
                      .ready = (uint8_t)(coin(w, 4) ? pick(w, 4) : CONDITION_TRUE),
                      .pod_cpu_milli = -1,
                      .pod_memory_milli = -1,
                      .container_count = CONTAINERS,
                      .containers = w->containers[i]};
    p->start_time = coin(w, 8) ? 0 : start - (usec_t)pick(w, 900) * USEC_PER_SEC;
    p->ready_transition = p->start_time + (usec_t)pick(w, 120) * USEC_PER_SEC;
    for (uint32_t c = 0; c < CONTAINERS; c++)
        w->containers[i][c] = (struct pod_container){.name = c == 0 ? "app" : "sidecar",
                                                     .cpu_milli = 1 + (int64_t)pick(w, 1000),
                                                     .memory_milli = 1000 * (1 + (int64_t)pick(w, 1000000))};
    w->list[i] = p;
}

static void make_sample(struct world *w, uint32_t i) {
    struct sample *s = &w->samples[i];
    int64_t milli = coin(w, 8) ? 0 : (int64_t)pick(w, 400000);

    *s = (struct sample){.quality = milli ? QUALITY_VALUE : QUALITY_ZERO,
                         .value = (double)milli / 1000,
                         .milli = milli,
                         .at = start,
                         .message = "",
                         .warning = ""};
    if (!metric_of_pods(w->spec.metrics[i].type))
        return;
    s->quality = QUALITY_VALUE;
    w->joined[i] = (struct pod_values){.of_pods = w->values[i]};
    s->pods = &w->joined[i];
    for (uint32_t p = 0; p < PODS; p++)
        w->values[i][p] = (struct pod_value){.known = !coin(w, 8),
                                             .milli = (int64_t)pick(w, 200000),
                                             .at = start - (usec_t)pick(w, 60) * USEC_PER_SEC,
                                             .window = 30 * USEC_PER_SEC};
}

static void make_status(struct world *w) {
    static const char *const types[] = {"ScaledToZero", "Active", "Fallback"};

    w->status.conditions = w->conditions;
    for (uint32_t i = 0; i < 3; i++)
        if (coin(w, 2))
            w->conditions[w->status.condition_count++] =
                (struct condition){.type = types[i],
                                   .status = coin(w, 2) ? "True" : "False",
                                   .reason = "X",
                                   .message = "",
                                   .last_transition = start - (usec_t)pick(w, 700) * USEC_PER_SEC};
}

static void make_history(struct world *w) {
    w->history.has_recommendations = true;
    for (uint32_t n = pick(w, 6); n > 0; n--)
        history_put(&w->history.recommendations, -1,
                    (struct history_entry){.at = start - (usec_t)pick(w, 500) * USEC_PER_SEC,
                                           .value = (int32_t)pick(w, 25)});
}

static void set_scale(struct world *w, int32_t replicas) {
    w->in.scale.spec_replicas = w->in.scale.status_replicas = replicas;
}

static void world_init(struct world *w, uint64_t seed) {
    struct err err;

    *w = (struct world){.seed = seed, .random = seed * 0x9e3779b97f4a7c15u + 1};
    for (int i = 0; i < 8; i++)
        pick(w, 2);
    arena_init(&w->arena, 0);
    make_spec(w);
    assert_int_equal(tz_load("UTC", &w->utc, &err), 0);
    w->zones[0] = w->zones[1] = w->utc;
    for (uint32_t i = 0; i < PODS; i++)
        make_pod(w, i);
    for (uint32_t i = 0; i < w->spec.metric_count; i++)
        make_sample(w, i);
    make_status(w);
    make_history(w);
    w->flags = (struct decide_flags){.tolerance = 0.1,
                                     .downscale_stabilization = pick(w, 301) * USEC_PER_SEC,
                                     .cpu_initialization_period = 5 * USEC_PER_MIN,
                                     .initial_readiness_delay = 30 * USEC_PER_SEC};
    w->in = (struct decide_input){.now = start,
                                  .spec = &w->spec,
                                  .status = &w->status,
                                  .samples = w->samples,
                                  .pod_list = w->list,
                                  .pods = PODS,
                                  .zones = w->zones,
                                  .flags = &w->flags};
    for (uint32_t i = 0; i < PODS; i++)
        w->in.ready_pods += w->pods[i].phase == POD_RUNNING && w->pods[i].ready == CONDITION_TRUE;
    w->in.scale = (struct scale_view){.known = true, .selector = "app=web"};
    set_scale(w, (int32_t)pick(w, 25));
}

static void world_done(struct world *w) {
    history_done(&w->history);
    tz_free(w->utc);
    arena_done(&w->arena);
}

static void copy_list(const struct history_list *from, struct history_list *to) {
    for (uint32_t i = 0; i < from->count; i++)
        history_put(to, -1, from->items[i]);
}

/* Decides on a copy of the history, so that the world stays as it is. */
static struct decision try(struct world *w) {
    struct history h = {.has_recommendations = w->history.has_recommendations};
    struct decision d;

    copy_list(&w->history.recommendations, &h.recommendations);
    decide(&w->in, &h, &w->arena, &d);
    history_done(&h);
    return d;
}

/* ---- properties ---- */

static void within_bounds(struct world *w) {
    struct decision d = try(w);
    const struct scheduled *s = &d.steps.scheduled;
    bool moved = d.steps.path == PATH_COMPUTED || d.steps.path == PATH_FALLBACK ||
                 d.steps.path == PATH_ABOVE_MAX || d.steps.path == PATH_BELOW_MIN;

    check(w, s->min_replicas >= 0 && s->min_replicas <= s->max_replicas);
    check(w, !moved || (d.desired >= s->min_replicas && d.desired <= s->max_replicas));
    check(w, moved || d.desired == d.current);
    check(w, d.message[0] != '\0');
    check(w, d.desired == d.current || d.rescale_reason[0] != '\0');
    check(w, d.look_again == 0 || d.look_again > w->in.now);
}

/* Unless the policy itself says what stands for missing data, it holds. */
static void never_down_without_data(struct world *w) {
    struct decision d;
    uint32_t i = pick(w, w->spec.metric_count);

    if (w->spec.formula || w->spec.has_fallback)
        return;
    for (uint32_t k = 0; k < w->spec.metric_count; k++)
        w->spec.metrics[k].when_missing = MISSING_HOLD;
    w->samples[i].quality =
        (enum quality[]){QUALITY_PENDING, QUALITY_ABSENT, QUALITY_STALE, QUALITY_FAILED}[pick(w, 4)];
    d = try(w);
    check(w,
          d.desired >= d.current || d.current > d.steps.scheduled.max_replicas || d.steps.activated.asleep);
}

/* Asleep means: every metric that could wake it has said no. */
static void sleeps_only_by_knowledge(struct world *w) {
    struct decision d;

    w->samples[0].quality = QUALITY_FAILED;
    w->spec.metrics[0].when_missing = MISSING_HOLD;
    w->spec.metrics[0].has_activation = true;
    d = try(w);
    check(w, !d.steps.activated.asleep || d.current == 0);
}

static void preview_and_conflict_write_nothing(struct world *w) {
    struct decision active = try(w), other;

    w->spec.mode = MODE_PREVIEW;
    other = try(w);
    check(w, !other.rescale && other.preview == active.desired && other.reason == active.reason);
    w->spec.mode = MODE_ACTIVE;
    w->in.conflict = "HorizontalPodAutoscaler web";
    other = try(w);
    check(w, !other.rescale && other.desired == other.current && other.reason == REASON_CONFLICT);
}

static char *dump(struct world *w, const struct decision *d) {
    json_t *json = record_json(record_of(&w->in, d, &w->arena));
    char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
}

static void same_input_same_bytes(struct world *w) {
    struct decision a = try(w), b = try(w);
    char *first = dump(w, &a), *second = dump(w, &b);

    check(w, strcmp(first, second) == 0 && a.look_again == b.look_again);
    free(first);
    free(second);
}

static bool has_metric_of_pods(const struct world *w) {
    for (uint32_t i = 0; i < w->spec.metric_count; i++)
        if (metric_of_pods(w->spec.metrics[i].type))
            return true;
    return false;
}

/* What a decision remembers is in its conditions: the next one starts from them. */
static void carry_conditions(struct world *w, const struct decision *d) {
    w->status.conditions = d->conditions;
    w->status.condition_count = d->condition_count;
}

/* Before look_again, time alone changes nothing: whoever decides may sleep. Pods that grow up are left out:
 * their metrics come anew all the time. */
static void nothing_changes_before(struct world *w) {
    struct decision d, later;
    usec_t until;

    if (has_metric_of_pods(w))
        return;
    for (uint32_t i = 0; w->falls_back && i < w->spec.metric_count; i++)
        w->samples[i].quality = QUALITY_FAILED;
    for (int settle = 0; settle < 6; settle++) {
        decide(&w->in, &w->history, &w->arena, &d);
        carry_conditions(w, &d);
        set_scale(w, d.desired);
    }
    if (d.desired != d.current)
        return;
    until = d.look_again ? d.look_again - 1 : start + 20 * USEC_PER_MIN;
    for (int i = 1; i <= 4; i++) {
        w->in.now = start + (until - start) * i / 4;
        later = try(w);
        check(w, later.desired == d.desired && later.reason == d.reason);
    }
}

static bool told_before(const struct decision *d, uint32_t i) {
    return condition_find(d->conditions, i, d->conditions[i].type) != NULL;
}

/* REASON and the condition name the quality that status.metrics shows. */
static bool failure_as_shown(const struct decision *d) {
    enum quality quality = d->proposals[d->steps.combined.first_invalid].quality;

    if (d->steps.path != PATH_FAILED || d->reason == REASON_PAUSED)
        return true;
    return (d->reason == REASON_METRIC_ABSENT) == (quality == QUALITY_ABSENT) &&
           (d->reason == REASON_METRIC_STALE) == (quality == QUALITY_STALE);
}

/* Each condition once, however long a policy runs, and no more conditions and events than there is room for:
 * the numbers are those of conditions_begin and events_begin. */
static void tells_each_once(struct world *w) {
    static const char *const conflicts[] = {NULL, NULL, NULL, "HorizontalPodAutoscaler web"};
    bool started = !coin(w, 3); /* else no pod has anything to say */
    struct decision d;

    for (uint32_t i = 0; i < PODS && !started; i++)
        w->pods[i].phase = POD_PENDING;
    for (int round = 0; round < 8; round++) {
        w->samples[pick(w, w->spec.metric_count)].quality = (enum quality)pick(w, QUALITY_FAILED + 1);
        w->in.scale.known = !coin(w, 8);
        w->in.scale.selector = coin(w, 8) ? "" : "app=web";
        w->in.conflict = conflicts[pick(w, 4)];
        decide(&w->in, &w->history, &w->arena, &d);
        check(w, failure_as_shown(&d));
        if (d.rescale)
            decision_written(&d, &w->in, coin(w, 2), "refused", &w->arena);
        check(w, d.condition_count <= 10 && d.event_count <= w->spec.metric_count + 4);
        for (uint32_t i = 0; i < d.condition_count; i++)
            check(w, !told_before(&d, i));
        carry_conditions(w, &d);
        w->in.now += (usec_t)pick(w, 300) * USEC_PER_SEC;
    }
}

/* ---- the slow model: one metric of pods, as HPA's documentation of the algorithm tells it ---- */

struct model_set {
    double values[PODS], requests[PODS];
    int count;
};

static double model_request(const struct world *w, const struct metric_spec *m, int p) {
    double sum = 0;

    for (int c = 0; c < (m->container ? 1 : CONTAINERS); c++)
        sum += (double)(strcmp(m->metric, "cpu") == 0 ? w->containers[p][c].cpu_milli
                                                      : w->containers[p][c].memory_milli);
    return sum;
}

static void model_add(struct model_set *set, double value, double request) {
    set->values[set->count] = value;
    set->requests[set->count++] = request;
}

static double model_ratio(const struct metric_spec *m, const struct model_set *set) {
    double values = 0, requests = 0;

    for (int i = 0; i < set->count; i++) {
        values += set->values[i];
        requests += set->requests[i];
    }
    if (m->target.type == TARGET_UTILIZATION)
        return trunc(values * 100 / requests) / m->target.utilization;
    return trunc(values / set->count) / (double)m->target.milli;
}

enum model_group { MODEL_GONE, MODEL_UNREADY, MODEL_MISSING, MODEL_COUNTED, MODEL_GROUPS };

/* A pod's cpu counts once it has settled. */
static bool model_settling(const struct world *w, const struct pod *pod, const struct pod_value *v) {
    bool unready = pod->ready == CONDITION_FALSE;

    if (pod->ready == CONDITION_ABSENT || pod->start_time == 0)
        return true;
    if (pod->start_time + w->flags.cpu_initialization_period > w->in.now)
        return unready || v->at < pod->ready_transition + v->window;
    return unready && pod->start_time + w->flags.initial_readiness_delay > pod->ready_transition;
}

static enum model_group model_group(const struct world *w, uint32_t metric, int p) {
    const struct pod *pod = &w->pods[p];
    const struct metric_spec *m = &w->spec.metrics[metric];
    bool cpu = m->type != METRIC_PODS && strcmp(m->metric, "cpu") == 0;

    if (pod->meta.deleting || pod->phase == POD_FAILED)
        return MODEL_GONE;
    if (pod->phase == POD_PENDING)
        return MODEL_UNREADY;
    if (!w->values[metric][p].known)
        return MODEL_MISSING;
    return cpu && model_settling(w, pod, &w->values[metric][p]) ? MODEL_UNREADY : MODEL_COUNTED;
}

static bool model_within(double ratio) {
    return 1.0 - 0.1 <= ratio && ratio <= 1.0 + 0.1;
}

/* What a pod is taken to use. */
static double model_value(const struct world *w, uint32_t metric, int p, double ratio) {
    const struct metric_spec *m = &w->spec.metrics[metric];
    double percent = m->target.utilization > 100 ? m->target.utilization : 100;
    enum model_group g = model_group(w, metric, p);

    if (g == MODEL_COUNTED)
        return (double)w->values[metric][p].milli;
    if (g == MODEL_UNREADY || ratio > 1)
        return 0;
    return m->target.type == TARGET_UTILIZATION ? trunc(model_request(w, m, p) * percent / 100)
                                                : (double)m->target.milli;
}

/* The ratio over the pods of these groups; adds them up anew each time. */
static double model_over(const struct world *w, uint32_t metric, const bool groups[MODEL_GROUPS],
                         double ratio, int *ret_count) {
    struct model_set set = {0};

    for (int p = 0; p < PODS; p++)
        if (groups[model_group(w, metric, p)])
            model_add(&set, model_value(w, metric, p, ratio),
                      w->spec.metrics[metric].type == METRIC_PODS
                          ? 0
                          : model_request(w, &w->spec.metrics[metric], p));
    *ret_count = set.count;
    return set.count > 0 ? model_ratio(&w->spec.metrics[metric], &set) : 0;
}

/* -1: it cannot be computed. */
static int32_t model(const struct world *w, uint32_t metric) {
    const bool counted[MODEL_GROUPS] = {[MODEL_COUNTED] = true};
    bool filled[MODEL_GROUPS] = {[MODEL_COUNTED] = true};
    int spec = w->in.scale.spec_replicas, count, all;
    double ratio = model_over(w, metric, counted, 1, &count), again;

    if (count == 0)
        return -1;
    filled[MODEL_MISSING] = ratio != 1;
    filled[MODEL_UNREADY] = ratio > 1;
    again = model_over(w, metric, filled, ratio, &all);
    if (model_within(again) || (ratio - 1) * (again - 1) < 0)
        return spec;
    int32_t n = (int32_t)ceil(again * all);
    bool assumed = all > count;
    return assumed && ((again < 1 && n > spec) || (again > 1 && n < spec)) ? spec : n;
}

static void pods_as_the_model(struct world *w) {
    for (uint32_t i = 0; i < w->spec.metric_count; i++) {
        struct proposal p;
        int32_t want;
        if (!metric_of_pods(w->spec.metrics[i].type))
            continue;
        w->spec.has_behavior = false; /* its tolerances */
        propose(&w->in, i, &w->arena, &p);
        want = model(w, i);
        check(w, p.valid == (want >= 0));
        check(w, !p.valid || p.replicas == want);
    }
}

/* ---- */

static void for_worlds(void (*fn)(struct world *)) {
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct world w;
        world_init(&w, seed);
        fn(&w);
        world_done(&w);
    }
}

#define PROPERTY(fn)                                                                                         \
    static void test_##fn(void **state) {                                                                    \
        (void)state;                                                                                         \
        for_worlds(fn);                                                                                      \
    }

PROPERTY(within_bounds)
PROPERTY(never_down_without_data)
PROPERTY(sleeps_only_by_knowledge)
PROPERTY(preview_and_conflict_write_nothing)
PROPERTY(same_input_same_bytes)
PROPERTY(nothing_changes_before)
PROPERTY(tells_each_once)
PROPERTY(pods_as_the_model)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_bounds),
        cmocka_unit_test(test_never_down_without_data),
        cmocka_unit_test(test_sleeps_only_by_knowledge),
        cmocka_unit_test(test_preview_and_conflict_write_nothing),
        cmocka_unit_test(test_same_input_same_bytes),
        cmocka_unit_test(test_nothing_changes_before),
        cmocka_unit_test(test_tells_each_once),
        cmocka_unit_test(test_pods_as_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
