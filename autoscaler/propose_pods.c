/* Metrics that each pod has of its own: Resource, ContainerResource, Pods (GetResourceReplicas,
 * calcPlainMetricReplicas in HPA's replica_calculator.go).
 *
 *   pods_sum: groups and sums -> requests_fail: may it be computed at all -> propose_sums: the ratio of what
 *   was measured, which is shown -> settle, if that is all of it, else settle_filled: a second ratio, with
 *   something assumed of the others, which may weaken the first and not turn it round
 *
 * Sums have 128 bits and are cut to HPA's int64 where it would have cut them (narrow), not before. */
#include "autoscaler/pods.h"
#include "autoscaler/propose_internal.h"
#include <inttypes.h>

/* The pods that make up a ratio. */
struct set {
    uint32_t count;   /* metrics in it: what the ratio is multiplied with */
    uint32_t entries; /* of them those that are in the sums */
    pods_sum_t value, request;
};

struct measure {
    double ratio;
    int32_t utilization; /* percent; -1: the target is not of utilization */
    int64_t average;     /* milli */
};

/* HPA's int64 wraps around; ours ends at its ends. */
static int64_t narrow(const struct propose_args *a, pods_sum_t x) {
    if (a->hpa)
        return (int64_t)(uint64_t)x;
    if (x > INT64_MAX)
        return INT64_MAX;
    return x < INT64_MIN ? INT64_MIN : (int64_t)x;
}

/* Cut off to whole percent before it is compared, as HPA does: 54.99 % against 50 is 1.08. */
static int32_t percent_of(const struct propose_args *a, const struct set *set) {
    pods_sum_t percent;

    if (!a->hpa) {
        percent = set->value * 100 / set->request;
        return percent > INT32_MAX ? INT32_MAX : percent < 0 ? 0 : (int32_t)percent;
    }
    /* Every step as Go has it, which wraps, and at last int32(). */
    percent = narrow(a, (pods_sum_t)narrow(a, set->value) * 100);
    return (int32_t)(uint32_t)(uint64_t)(percent / narrow(a, set->request));
}

/* False: the requests of the set are nothing to divide by. */
static bool measure_set(const struct propose_args *a, const struct set *set, struct measure *ret) {
    const struct metric_target *target = &a->metric->target;
    struct measure m = {.utilization = -1};

    if (set->entries == 0)
        return false;
    m.average = (int64_t)((pods_sum_t)narrow(a, set->value) / set->entries);
    if (target->type == TARGET_UTILIZATION) {
        if (narrow(a, set->request) == 0)
            return false;
        m.utilization = percent_of(a, set);
        m.ratio = (double)m.utilization / (double)target->utilization;
    } else {
        m.ratio = (double)m.average / (double)target->milli;
    }
    *ret = m;
    return true;
}

/* ---- what is not measured ---- */

/* Pods that were not measured hold back whichever way it goes: up they count as idle, down as busy. */
static void fill(const struct propose_args *a, const struct pods_sums *s, double ratio, struct set *set) {
    bool utilization = a->metric->target.type == TARGET_UTILIZATION;

    if (s->missing.count > 0 && ratio != 1.0) {
        set->count += s->missing.count;
        set->entries += s->missing.count;
        set->request += s->missing.request;
        if (ratio < 1.0)
            set->value +=
                utilization ? s->missing.assumed : (pods_sum_t)a->metric->target.milli * s->missing.count;
    }
    /* Down, who is not ready is left out and not filled in: the others carry the load. */
    if (s->unready.count > 0 && ratio > 1.0) {
        set->count += s->unready.count;
        set->entries += s->unready.count;
        set->request += s->unready.request;
    }
}

/* "with 1 missing at 100%, 2 unready at 0: " */
static const char *fill_text(const struct propose_args *a, const struct pods_sums *s, double ratio) {
    const struct metric_target *target = &a->metric->target;
    const char *missing = "", *unready = "";

    if (s->missing.count > 0 && ratio != 1.0) {
        const char *at = "0";
        if (ratio < 1.0 && target->type == TARGET_UTILIZATION)
            at = arena_printf(a->arena, "%" PRId32 "%%",
                              target->utilization > 100 ? target->utilization : 100);
        else if (ratio < 1.0)
            at = "target";
        missing = arena_printf(a->arena, "%" PRIu32 " missing at %s", s->missing.count, at);
    }
    if (s->unready.count > 0 && ratio > 1.0)
        unready =
            arena_printf(a->arena, "%s%" PRIu32 " unready at 0", missing[0] ? ", " : "", s->unready.count);
    if (missing[0] == '\0' && unready[0] == '\0')
        return "";
    return arena_printf(a->arena, "with %s%s: ", missing, unready);
}

/* ---- the answer ---- */

/* The operands are in HPA's order: doubles do not forgive another. */
static int32_t ceil_times(const struct propose_args *a, double ratio, uint32_t count) {
    double x = ratio * (double)count;

    return a->hpa ? propose_ceil_go(x) : propose_ceil(x);
}

/* What was assumed would decide, not what was measured: nothing changes. */
static void stay(const struct propose_args *a, struct proposal *p, const char *with, const char *why) {
    p->replicas = a->in->scale.spec_replicas;
    p->arithmetic = arena_printf(a->arena, "%s%s", with, why);
}

static void add_note(const struct propose_args *a, struct proposal *p, const char *note) {
    p->note = p->note[0] == '\0' ? note : arena_printf(a->arena, "%s; %s", p->note, note);
}

/* Surge pods do some of the work, but neither direction may be taken because of them alone: up they are not
 * multiplied with, and down no more is asked for than there should be. */
static void times_surge(const struct propose_args *a, struct proposal *p, double ratio, uint32_t count,
                        const char *with) {
    int32_t spec = a->in->scale.spec_replicas;
    uint32_t used = ratio > 1.0 ? (uint32_t)spec : count;
    int32_t asked = propose_ceil(ratio * (double)used);

    p->replicas = ratio <= 1.0 && asked > spec ? spec : asked;
    p->arithmetic = arena_printf(a->arena, "%sceil(%.4g x %" PRIu32 ") = %" PRId32, with, ratio, used, asked);
    if (p->replicas != asked)
        p->arithmetic = arena_printf(a->arena, "%s, but no more than %" PRId32, p->arithmetic, spec);
    add_note(a, p,
             arena_printf(a->arena, "%" PRIu32 " surge pods not counted", p->counted_pods - (uint32_t)spec));
}

/* count: of the metrics in the ratio. with: what was assumed for it, in words. */
static void times(const struct propose_args *a, struct proposal *p, double ratio, uint32_t count,
                  const char *with) {
    if (propose_surge(a, p->counted_pods)) {
        times_surge(a, p, ratio, count, with);
        return;
    }
    p->replicas = ceil_times(a, ratio, count);
    p->arithmetic =
        arena_printf(a->arena, "%sceil(%.4g x %" PRIu32 ") = %" PRId32, with, ratio, count, p->replicas);
}

/* Everything was measured. */
static void settle(const struct propose_args *a, struct proposal *p, uint32_t count) {
    p->within = propose_within(&a->tolerances, p->ratio);
    if (p->within) {
        p->replicas = a->in->scale.spec_replicas;
        p->arithmetic = propose_stays(a, p->ratio, p->replicas);
        return;
    }
    times(a, p, p->ratio, count, "");
}

/* Something was assumed: it may hold back, never turn the direction. */
static void settle_filled(const struct propose_args *a, struct proposal *p, const struct pods_sums *s,
                          struct set set) {
    int32_t spec = a->in->scale.spec_replicas;
    const char *with = fill_text(a, s, p->ratio);
    struct measure m;

    fill(a, s, p->ratio, &set);
    if (!measure_set(a, &set, &m)) {
        propose_fail(a, p, "no metrics returned matched known pods");
        return;
    }
    p->within = propose_within(&a->tolerances, m.ratio);
    if (p->within) {
        stay(a, p, with, propose_stays(a, m.ratio, spec));
        return;
    }
    if ((p->ratio < 1.0 && m.ratio > 1.0) || (p->ratio > 1.0 && m.ratio < 1.0)) {
        stay(a, p, with,
             arena_printf(a->arena, "%.4g of target, the other way: %" PRId32 " stay", m.ratio, spec));
        return;
    }
    times(a, p, m.ratio, set.count, with);
    /* With more pods than spec (a surge) ratio and number may point different ways. */
    if ((m.ratio < 1.0 && p->replicas > spec) || (m.ratio > 1.0 && p->replicas < spec))
        stay(a, p, with,
             arena_printf(a->arena, "ceil(%.4g x %" PRIu32 ") = %" PRId32 ", the other way: %" PRId32 " stay",
                          m.ratio, set.count, p->replicas, spec));
}

/* ---- requests ---- */

/* HPA's words, where the metric fails because of it. */
static const char *request_error(const struct propose_args *a, const struct pods_query *q,
                                 const struct pod *pod) {
    const struct pod_container *c = pods_lacking(q, pod);

    if (c)
        return arena_printf(a->arena, "missing request for %s in container %s of Pod %s", a->metric->metric,
                            c->name, pod->meta.name);
    if (a->metric->container)
        return arena_printf(a->arena, "container %s not found in Pod %s", a->metric->container,
                            pod->meta.name);
    return arena_printf(a->arena, "missing pod-level request for %s in Pod %s", a->metric->metric,
                        pod->meta.name);
}

/* The same for the note of a metric that can do without the pod. */
static const char *lacking_text(const struct propose_args *a, const struct pods_query *q,
                                const struct pod *pod) {
    const struct pod_container *c = pods_lacking(q, pod);

    if (c)
        return arena_printf(a->arena, "pod %s: container %s requests no %s", pod->meta.name, c->name,
                            a->metric->metric);
    if (a->metric->container)
        return arena_printf(a->arena, "pod %s: has no container %s", pod->meta.name, a->metric->container);
    return arena_printf(a->arena, "pod %s: requests no %s", pod->meta.name, a->metric->metric);
}

/* A policy goes by the pods that do say what they request, and says which one does not. */
static bool requests_fail(const struct propose_args *a, const struct pods_query *q, const struct pods_sums *s,
                          struct proposal *p) {
    if (s->lacking == 0)
        return false;
    if (a->hpa || s->counted.lacking == s->counted.count) {
        p->quality = QUALITY_FAILED;
        propose_fail(a, p, request_error(a, q, s->first_lacking));
        return true;
    }
    p->note =
        arena_printf(a->arena, "%s: %" PRIu32 " of %" PRIu32 " pods %s", lacking_text(a, q, s->first_lacking),
                     s->lacking, a->in->pods, s->counted.lacking > 0 ? "left out" : "taken for average ones");
    return false;
}

/* ---- one metric ---- */

/* HPA's two steps: what was measured gives the direction and what is shown; where something was not measured,
 * a second ratio with it filled in gives the number. Metrics of unknown pods have no request, and count all
 * the same in what the second ratio is multiplied with. */
static void propose_sums(const struct propose_args *a, const struct pods_sums *s, struct proposal *p) {
    bool utilization = a->metric->target.type == TARGET_UTILIZATION;
    struct set set = {
        .count = s->counted.count + s->others.count,
        .entries = s->counted.count - s->counted.lacking + (utilization ? 0 : s->others.count),
        .value = s->counted.value + (utilization ? 0 : s->others.value),
        .request = s->counted.request,
    };
    struct measure m;

    if (!measure_set(a, &set, &m)) {
        p->quality = QUALITY_ABSENT;
        propose_fail(a, p, "no metrics returned matched known pods");
        return;
    }
    p->valid = p->has_current = true;
    p->ratio = m.ratio;
    p->utilization = m.utilization;
    p->current_milli = m.average;
    p->value = (double)m.average / 1000;
    p->quality = m.average == 0 ? QUALITY_ZERO : QUALITY_VALUE;
    if (s->missing.count == 0 && !(s->unready.count > 0 && m.ratio > 1.0))
        settle(a, p, s->counted.count);
    else
        settle_filled(a, p, s, set);
}

/* HPA's words, where the source has none. */
static const char UNKNOWN_PODS[] = "did not receive metrics for targeted pods (pods might be unready)";

void propose_pods(const struct propose_args *a, struct proposal *p) {
    const struct sample *sample = a->sample;
    const struct pods_query q = {
        .in = a->in,
        .metric = a->metric,
        .resource = pods_resource(a->metric),
        .values = sample->pods,
        .requests = a->metric->target.type == TARGET_UTILIZATION,
    };
    struct pods_sums s;

    p->quality = sample->quality;
    p->at = sample->at;
    if (!propose_has_value(sample) || !sample->pods) {
        propose_fail_source(a, p);
        return;
    }
    p->pods = a->in->pods;
    p->quality = QUALITY_ABSENT; /* until something turns up */
    if ((a->in->pods == 0 || !a->in->pod_list) && a->hpa && pods_resource(a->metric)) {
        /* Its resource metrics are asked for by the same selector, and that comes first. */
        propose_fail(a, p,
                     arena_printf(a->arena,
                                  "unable to get metrics for resource %s: no metrics returned from resource "
                                  "metrics API",
                                  a->metric->metric));
        return;
    }
    if (a->in->pods == 0 || !a->in->pod_list) {
        propose_fail(a, p, "no pods returned by selector while calculating replica count");
        return;
    }
    pods_sum(&q, &s);
    p->counted_pods = s.counted.count;
    p->at = s.oldest; /* the worst of them is what the decision rests on */
    if (s.counted.count + s.others.count == 0)
        propose_fail(a, p, *str_or_empty(sample->message) ? sample->message : UNKNOWN_PODS);
    else if (!requests_fail(a, &q, &s, p))
        propose_sums(a, &s, p);
}
