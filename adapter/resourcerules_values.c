/* From samples to the usage of pods and nodes. Two answers meet here, one of cpu and one of memory, in any
 * order and maybe of different times: each adds to the containers that it names, and an object is shown when
 * both have named it. */
#include "adapter/resourcerules_internal.h"

#include "base/buf.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* A list, looked through: pods have a few containers. Its order is that of the samples, which nothing depends
 * on: usages are sorted when the object is shown. */
static struct measured_container *container_of(struct measured *measured, const char *name,
                                               struct arena *arena) {
    for (struct measured_container *c = measured->containers; c; c = c->next)
        if (strcmp(c->name, name) == 0)
            return c;
    struct measured_container *c = ARENA_NEW(arena, struct measured_container);
    c->name = arena_strdup(arena, name);
    c->next = measured->containers;
    measured->containers = c;
    return c;
}

/* Several samples of one container add up; of a node the first one counts. */
static void take_value(const struct resource_question *question, const struct vector_sample *sample,
                       struct measured *measured, struct arena *arena) {
    bool node = !question->container_label;
    const char *name = node ? "" : str_or_empty(vector_label(sample, question->container_label));
    double value = sample->value > 0 ? sample->value : 0; /* NaN is not above 0 either */

    if (node && measured->has[question->of])
        return;
    container_of(measured, name, arena)->values[question->of] += value;
    measured->has[question->of] = true;
    /* The earliest counts, as there: one of the two answers may be the last good one of a query that fails.
     */
    if (!measured->at || sample->at < measured->at)
        measured->at = sample->at;
}

/* A widened answer has pods in it that nobody asked for, or that are gone: only those of by_key count, whose
 * keys are those of objects, "namespace/name", or the name of a node. */
void resource_values_take(const struct resource_question *question, const struct vector *vector,
                          const struct map *by_key, struct arena *arena) {
    cleanup_buf struct buf key;

    buf_init(&key, 4096);
    for (uint32_t i = 0; i < vector->count; i++) {
        const struct vector_sample *sample = &vector->samples[i];
        const char *ns = question->ns_label ? vector_label(sample, question->ns_label) : question->ns;
        const char *name = vector_label(sample, question->label);
        if (!name || (question->ns && !ns))
            continue;
        buf_reset(&key);
        if (buf_printf(&key, "%s%s%s", str_or_empty(ns), ns ? "/" : "", name) < 0)
            continue; /* longer than any name of an object */
        struct measured *measured = map_get_n(by_key, key.data, key.len);
        if (measured)
            take_value(question, sample, measured, arena);
    }
}

/* In thousandths, truncated as the original does it; at most so many, for the conversion of a larger double
 * to an integer is undefined (C11, 6.3.1.4). */
static int64_t milli(double value, int64_t most) {
    double scaled = value * 1000;

    return scaled < (double)most ? (int64_t)scaled : most;
}

/* cpu comes in nanocores, as the kubelets' does, but no finer than the milli-cores that the original gives.
 */
static struct metrics_usage usage_of(const struct measured_container *c) {
    int64_t memory = milli(c->values[OF_MEMORY], INT64_MAX);

    return (struct metrics_usage){.name = c->name,
                                  .cpu_nano = milli(c->values[OF_CPU], INT64_MAX / 1000000) * 1000000,
                                  .memory_bytes = memory / 1000,
                                  .memory_milli = (int)(memory % 1000)};
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct metrics_usage *)a)->name, ((const struct metrics_usage *)b)->name);
}

bool resource_values_object(const struct measured *measured, usec_t window, struct arena *arena,
                            struct metrics_object *ret_object) {
    const struct object *o = measured->object;
    uint32_t count = 0;

    if (!measured->has[OF_CPU] || !measured->has[OF_MEMORY])
        return false;
    for (const struct measured_container *c = measured->containers; c; c = c->next)
        count++;
    struct metrics_usage *usages = ARENA_ARRAY(arena, struct metrics_usage, count);
    count = 0;
    for (const struct measured_container *c = measured->containers; c; c = c->next)
        usages[count++] = usage_of(c);
    qsort(usages, count, sizeof(*usages), by_name);
    *ret_object = (struct metrics_object){.ns = o->ns,
                                          .name = o->name,
                                          .labels = o->labels,
                                          .at = measured->at,
                                          .window = window,
                                          .usage_count = count,
                                          .usages = usages};
    return true;
}
