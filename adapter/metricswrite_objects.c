/* PodMetrics and NodeMetrics, and their Table, which kubectl get prints (the columns are those of
 * metrics-server, pkg/api/table.go). */
#include "adapter/metricswrite_internal.h"

#include "base/jsontext.h"
#include "base/str.h"

static bool is_pods(const struct metrics_route *route) {
    return str_eq(route->resource, "pods");
}

/* ---- parts ---- */

/* The object is made for the answer, so it is as old as this. */
static void write_metadata(struct buf *out, const struct metrics_object *object,
                           struct metrics_stamp *created, usec_t now) {
    buf_puts(out, "\"metadata\":{\"name\":");
    jsontext_write(out, object->name);
    if (*str_or_empty(object->ns)) {
        buf_puts(out, ",\"namespace\":");
        jsontext_write(out, object->ns);
    }
    buf_puts(out, ",\"creationTimestamp\":");
    metrics_write_stamp(out, created, now);
    for (uint32_t i = 0; object->labels && i < object->labels->count; i++) {
        buf_puts(out, i > 0 ? "," : ",\"labels\":{");
        jsontext_write(out, object->labels->items[i].key);
        buf_puts(out, ":");
        jsontext_write(out, object->labels->items[i].value);
    }
    buf_puts(out, object->labels && object->labels->count ? "}}" : "}");
}

/* A value that is not known is 0 beside one that is. */
static void write_cpu(struct buf *out, const struct metrics_usage *usage) {
    metrics_write_nano(out, usage->cpu_nano > 0 ? usage->cpu_nano : 0);
}

/* Below zero: not known. */
static void write_memory(struct buf *out, const struct metrics_usage *usage) {
    if (usage->memory_bytes < 0)
        buf_puts(out, "0");
    else
        metrics_write_memory(out, usage->memory_bytes, usage->memory_milli);
}

static void write_usage(struct buf *out, const struct metrics_usage *usage) {
    buf_puts(out, "\"usage\":{\"cpu\":\"");
    write_cpu(out, usage);
    buf_puts(out, "\",\"memory\":\"");
    write_memory(out, usage);
    buf_puts(out, "\"}");
}

static void write_containers(struct buf *out, const struct metrics_object *pod) {
    buf_puts(out, "\"containers\":[");
    for (uint32_t i = 0; i < pod->usage_count; i++) {
        buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        jsontext_write(out, pod->usages[i].name);
        buf_puts(out, ",");
        write_usage(out, &pod->usages[i]);
        buf_puts(out, "}");
    }
    buf_puts(out, "]");
}

/* ---- objects ---- */

/* The two times of an object; both are remembered, as those of its neighbours are the same. */
struct object_stamps {
    struct metrics_stamp created, measured;
};

/* All of an object but what is before its metadata. */
static void write_object(struct buf *out, const struct metrics_object *object, bool pod,
                         struct object_stamps *stamps, usec_t now) {
    static const struct metrics_usage none = {0};

    write_metadata(out, object, &stamps->created, now);
    buf_puts(out, ",\"timestamp\":");
    metrics_write_stamp(out, &stamps->measured, object->at);
    buf_puts(out, ",\"window\":\"");
    metrics_write_duration(out, object->window);
    buf_puts(out, "\",");
    if (pod)
        write_containers(out, object);
    else
        write_usage(out, object->usage_count ? object->usages : &none);
    buf_puts(out, "}");
}

/* Of a list the items have no kind, of one object it stands before the metadata. */
void metrics_write_objects(struct buf *out, const struct metrics_route *route,
                           const struct metrics_answer *answer, usec_t now) {
    const char *kind = is_pods(route) ? "PodMetrics" : "NodeMetrics";
    bool one = route->name && answer->count == 1;
    struct object_stamps stamps = {0};

    buf_printf(out, "{\"kind\":\"%s%s\",\"apiVersion\":\"metrics.k8s.io/%s\",", kind, one ? "" : "List",
               route->version);
    if (!one)
        buf_puts(out, "\"metadata\":{},\"items\":[");
    for (uint32_t i = 0; i < answer->count; i++) {
        buf_puts(out, one ? "" : i > 0 ? ",{" : "{");
        write_object(out, &answer->objects[i], is_pods(route), &stamps, now);
    }
    buf_puts(out, one ? "\n" : "]}\n");
}

/* ---- Table ---- */

static void add(int64_t *sum, int64_t value) {
    if (value > 0 && __builtin_add_overflow(*sum, value, sum))
        *sum = INT64_MAX;
}

/* A pod's row has the sum of its containers. Thousandths are added up by themselves: carried only once, they
 * lose nothing. */
static struct metrics_usage sum_of(const struct metrics_object *object) {
    struct metrics_usage sum = {0};
    int64_t milli = 0;

    for (uint32_t i = 0; i < object->usage_count; i++) {
        add(&sum.cpu_nano, object->usages[i].cpu_nano);
        add(&sum.memory_bytes, object->usages[i].memory_bytes);
        add(&milli, object->usages[i].memory_milli);
    }
    add(&sum.memory_bytes, milli / 1000);
    sum.memory_milli = (int)(milli % 1000);
    return sum;
}

/* The object of a row is cut to its metadata, as kubectl asks for it by default. */
static void write_row(struct buf *out, const struct metrics_object *object, struct metrics_stamp *created,
                      usec_t now) {
    struct metrics_usage sum = sum_of(object);

    buf_puts(out, "{\"cells\":[");
    jsontext_write(out, object->name);
    buf_puts(out, ",\"");
    write_cpu(out, &sum);
    buf_puts(out, "\",\"");
    write_memory(out, &sum);
    buf_puts(out, "\",\"");
    metrics_write_duration(out, object->window);
    buf_puts(out, "\"],\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",");
    write_metadata(out, object, created, now);
    buf_puts(out, "}}");
}

void metrics_write_table(struct buf *out, const struct metrics_answer *answer, usec_t now) {
    struct metrics_stamp created = {0};

    buf_puts(
        out,
        "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"columnDefinitions\":["
        "{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\","
        "\"description\":\"Name of the resource\",\"priority\":0},"
        "{\"name\":\"cpu\",\"type\":\"string\",\"format\":\"quantity\",\"description\":\"\",\"priority\":0},"
        "{\"name\":\"memory\",\"type\":\"string\",\"format\":\"quantity\",\"description\":\"\",\"priority\":"
        "0},"
        "{\"name\":\"Window\",\"type\":\"string\",\"format\":\"duration\",\"description\":\"\",\"priority\":"
        "0}"
        "],\"rows\":[");
    for (uint32_t i = 0; i < answer->count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        write_row(out, &answer->objects[i], &created, now);
    }
    buf_puts(out, "]}\n");
}
