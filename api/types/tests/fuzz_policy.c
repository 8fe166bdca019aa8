/* Policies from any JSON: read or refused, and never without a word. The same spec read as a
 * HorizontalPodAutoscaler's too. */
#include "api/types/policy.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What whoever decides relies on without looking. */
static bool sound_metric(const struct metric_spec *m) {
    return m->type_text && m->target.text && (m->invalid || m->type != METRIC_UNKNOWN) &&
           (m->invalid || m->target.utilization > 0 || m->target.milli > 0) && m->activation_milli >= 0;
}

static bool sound_schedule(const struct policy_schedule *s) {
    return s->name && s->time_zone && s->start.minutes && (s->duration > 0 || s->end.minutes) &&
           (s->min_replicas >= 0 || s->max_replicas >= 0);
}

static bool sound(const struct policy_spec *s) {
    if (s->min_replicas > s->max_replicas || s->metric_count == 0 || !s->formula_text != !s->formula)
        return false;
    for (uint32_t i = 0; i < s->metric_count; i++)
        if (!sound_metric(&s->metrics[i]))
            return false;
    for (uint32_t i = 0; i < s->schedule_count; i++)
        if (!sound_schedule(&s->schedules[i]))
            return false;
    return (s->fallback.behavior == FALLBACK_HOLD) == (s->fallback.replicas < 0);
}

static void read_policy(const json_t *document) {
    struct policy_object *policy = NULL;
    struct str_pool pool;
    struct err err = {0};

    str_pool_init(&pool);
    if (policy_from_json(document, &pool, &policy, &err) == 0) {
        if (policy->invalid.code ? policy->invalid.text[0] == '\0' : !sound(&policy->spec))
            abort();
        object_unref(&policy->meta);
    } else if (err.text[0] == '\0') {
        abort();
    }
    str_pool_done(&pool);
}

static void read_hpa(const json_t *document) {
    cleanup_arena struct arena arena;
    struct policy_spec spec;
    struct err err = {0};

    arena_init(&arena, 0);
    if (hpa_read_spec(json_object_get(document, "spec"), &arena, &spec, &err) < 0) {
        if (strncmp(err.text, "spec", 4) != 0)
            abort();
    } else if (!sound(&spec) || spec.schedule_count || spec.formula || spec.has_fallback) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *document = json_loadb((const char *)data, size, 0, NULL);

    if (!document)
        return 0;
    read_policy(document);
    read_hpa(document);
    json_decref(document);
    return 0;
}
