/* The pods under a metric, grouped and summed up; see pods.h. Runs for every pod of every decision: one pass,
 * no allocation. */
#include "autoscaler/pods.h"
#include "base/str.h"
#include <string.h>

enum pods_resource pods_resource(const struct metric_spec *metric) {
    if (metric->type != METRIC_RESOURCE && metric->type != METRIC_CONTAINER_RESOURCE)
        return PODS_NO_RESOURCE;
    if (str_eq(metric->metric, "cpu"))
        return PODS_CPU;
    return str_eq(metric->metric, "memory") ? PODS_MEMORY : PODS_OTHER_RESOURCE;
}

/* A starting pod burns cpu that says nothing about load. */
static bool is_starting(const struct pods_query *q, const struct pod *pod, const struct pod_value *value) {
    const struct decide_flags *flags = q->in->flags;

    /* The kubelet has not told of it yet. */
    if (pod->ready == CONDITION_ABSENT || pod->start_time == 0)
        return true;
    /* While it may be initialising, a whole window must have been measured since it became ready. */
    if (pod->start_time + flags->cpu_initialization_period > q->in->now)
        return pod->ready == CONDITION_FALSE || value->at < pod->ready_transition + value->window;
    /* Later, only a pod that has never been ready is left out. */
    return pod->ready == CONDITION_FALSE &&
           pod->start_time + flags->initial_readiness_delay > pod->ready_transition;
}

enum pod_group pods_group(const struct pods_query *q, const struct pod *pod, const struct pod_value *value) {
    if (pod->meta.deleting || pod->phase == POD_FAILED)
        return POD_IGNORED;
    if (pod->phase == POD_PENDING)
        return POD_UNREADY;
    /* In HPA's order: a pod that has succeeded is not special, it just has no measurement any more. */
    if (!value || !value->known)
        return POD_MISSING;
    return q->resource == PODS_CPU && is_starting(q, pod, value) ? POD_UNREADY : POD_COUNTED;
}

/* ---- requests ---- */

static int64_t container_request(const struct pods_query *q, const struct pod_container *c) {
    switch (q->resource) {
    case PODS_CPU:
        return c->cpu_milli;
    case PODS_MEMORY:
        return c->memory_milli;
    case PODS_NO_RESOURCE:
    case PODS_OTHER_RESOURCE:
        break;
    }
    return -1; /* the cache keeps requests of no other resource */
}

static int64_t named_request(const struct pods_query *q, const struct pod *pod) {
    for (uint32_t i = 0; i < pod->container_count; i++)
        if (str_eq(pod->containers[i].name, q->metric->container))
            return container_request(q, &pod->containers[i]);
    return -1;
}

static bool has_pod_level(const struct pods_query *q, const struct pod *pod) {
    return !q->in->flags->no_pod_level_resources && (pod->pod_cpu_milli >= 0 || pod->pod_memory_milli >= 0);
}

/* A pod that requests something as a whole: what it does not name is the sum of the containers that do. */
static int64_t pod_level_request(const struct pods_query *q, const struct pod *pod) {
    int64_t own = q->resource == PODS_CPU      ? pod->pod_cpu_milli
                  : q->resource == PODS_MEMORY ? pod->pod_memory_milli
                                               : -1;
    int64_t sum = -1;

    for (uint32_t i = 0; own < 0 && i < pod->container_count; i++) {
        int64_t request = container_request(q, &pod->containers[i]);
        if (request >= 0 && __builtin_add_overflow(sum < 0 ? 0 : sum, request, &sum))
            sum = INT64_MAX;
    }
    return own >= 0 ? own : sum;
}

int64_t pods_request(const struct pods_query *q, const struct pod *pod) {
    int64_t sum = 0;

    if (q->metric->container)
        return named_request(q, pod);
    if (has_pod_level(q, pod))
        return pod_level_request(q, pod);
    for (uint32_t i = 0; i < pod->container_count; i++) {
        int64_t request = container_request(q, &pod->containers[i]);
        if (request < 0)
            return -1;
        if (__builtin_add_overflow(sum, request, &sum))
            sum = INT64_MAX;
    }
    return sum;
}

const struct pod_container *pods_lacking(const struct pods_query *q, const struct pod *pod) {
    if (!q->metric->container && has_pod_level(q, pod))
        return NULL;
    for (uint32_t i = 0; i < pod->container_count; i++) {
        const struct pod_container *c = &pod->containers[i];
        if (q->metric->container && !str_eq(c->name, q->metric->container))
            continue;
        if (container_request(q, c) < 0)
            return c;
    }
    return NULL;
}

/* ---- sums ---- */

/* What a missing pod is taken to use when the others ask for fewer: all of its request, or as much as the
 * target where that is more. */
static pods_sum_t assumed(const struct pods_query *q, int64_t request) {
    int32_t percent = q->metric->target.utilization > 100 ? q->metric->target.utilization : 100;

    return (pods_sum_t)request * percent / 100;
}

/* Not of POD_IGNORED, which has no sums. */
static struct pods_part *part_of(struct pods_sums *s, enum pod_group group) {
    return group == POD_COUNTED ? &s->counted : group == POD_UNREADY ? &s->unready : &s->missing;
}

static void add_request(const struct pods_query *q, const struct pod *pod, struct pods_sums *s,
                        struct pods_part *part) {
    int64_t request = pods_request(q, pod);

    if (request >= 0 && part) {
        part->request += request;
        if (part == &s->missing)
            part->assumed += assumed(q, request);
    }
    if (request >= 0)
        return;
    if (part)
        part->lacking++;
    if (s->lacking++ == 0)
        s->first_lacking = pod;
}

static void add_pod(const struct pods_query *q, const struct pod *pod, const struct pod_value *value,
                    struct pods_sums *s) {
    enum pod_group group = pods_group(q, pod, value);
    struct pods_part *part = group == POD_IGNORED ? NULL : part_of(s, group);
    uint32_t lacking = s->lacking;

    /* HPA wants the request of a pod that is ignored too; we do not. */
    if (q->requests && (part || q->in->flags->hpa))
        add_request(q, pod, s, part);
    if (part)
        part->count++;
    if (group != POD_COUNTED)
        return;
    /* Its request was found just now, or none is asked for; else the value has nothing to stand against. */
    if (lacking == s->lacking)
        s->counted.value += value->milli;
    if (value->at > 0 && (s->oldest == 0 || value->at < s->oldest))
        s->oldest = value->at;
}

/* Pods that do not say what they request are taken for average ones where the sums must hold them: leaving
 * them out would scale down because of what is not known. */
static void assume_requests(const struct pods_query *q, struct pods_sums *s) {
    struct pods_part *parts[] = {&s->unready, &s->missing};
    uint32_t known = s->counted.count - s->counted.lacking;
    int64_t average = known > 0 ? (int64_t)(s->counted.request / known) : 0;

    for (size_t i = 0; i < 2; i++)
        parts[i]->request += (pods_sum_t)average * parts[i]->lacking;
    s->missing.assumed += assumed(q, average) * s->missing.lacking;
}

void pods_sum(const struct pods_query *q, struct pods_sums *ret_sums) {
    const struct pod_values *values = q->values;
    struct pods_sums s = {0};

    for (uint32_t i = 0; i < q->in->pods; i++)
        /* Where the source has measured nothing at all every pod is missing. */
        add_pod(q, q->in->pod_list[i], values->of_pods ? &values->of_pods[i] : NULL, &s);
    if (s.lacking > 0)
        assume_requests(q, &s);
    /* HPA counts metrics of pods that it does not see; a policy does not: they may be another workload's. */
    for (uint32_t i = 0; q->in->flags->hpa && i < values->other_count; i++)
        s.others.value += values->others[i].milli;
    s.others.count = q->in->flags->hpa ? values->other_count : 0;
    *ret_sums = s;
}
