/* Status documents and lists of values. The fields stand in the order in which the original has them. Texts
 * are put together by hand, not as a tree of JSON: lists of a hundred items are asked for thousands of times
 * a second. Whatever comes from outside (names, labels, messages) goes through jsontext_write. */
#include "adapter/metricswrite.h"

#include "adapter/exposition.h"
#include "adapter/metricswrite_internal.h"
#include "base/jsontext.h"
#include "base/str.h"

/* Breaking a time into a date is the dearest part of a short item. */
void metrics_write_stamp(struct buf *out, struct metrics_stamp *stamp, usec_t at) {
    usec_t second = at / USEC_PER_SEC;

    if (!stamp->text[0] || second != stamp->second)
        clock_format(at, stamp->text);
    stamp->second = second;
    buf_puts(out, "\"");
    buf_puts(out, stamp->text);
    buf_puts(out, "\"");
}

void metrics_write_status(struct buf *out, int code, const char *reason, const char *message) {
    buf_puts(
        out,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":");
    jsontext_write(out, message);
    if (*str_or_empty(reason)) {
        buf_puts(out, ",\"reason\":");
        jsontext_write(out, reason);
    }
    buf_printf(out, ",\"code\":%d}\n", code);
}

/* Lists have no resourceVersion: there is nothing to watch. */
static void write_list_head(struct buf *out, const char *kind, const char *group, const char *version) {
    buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s/%s\",\"metadata\":{},\"items\":[", kind, group,
               version);
}

/* ---- custom.metrics.k8s.io ---- */

/* What stands around the name and the value of an item: equal for all of a list, so it is put together once.
 * A list has thousands of items a second to write. */
struct item_frame {
    const char *kind, *ns;
    struct buf head; /* before the name, for objects of ns */
    struct buf tail; /* from behind the name to the time */
    struct buf end;  /* behind the value */
    struct metrics_stamp stamp;
};

static void frame_done(struct item_frame *frame) {
    buf_done(&frame->head);
    buf_done(&frame->tail);
    buf_done(&frame->end);
}

static void frame_head(struct item_frame *frame, const char *ns) {
    frame->ns = ns;
    buf_reset(&frame->head);
    buf_puts(&frame->head, "{\"describedObject\":{\"kind\":");
    jsontext_write(&frame->head, frame->kind);
    if (*str_or_empty(ns)) {
        buf_puts(&frame->head, ",\"namespace\":");
        jsontext_write(&frame->head, ns);
    }
    buf_puts(&frame->head, ",\"name\":");
}

/* v1beta1 has the metric's name beside the object, and the selector at the end. */
static void frame_v1beta1(struct item_frame *frame, const char *metric, const struct selector *selector) {
    buf_puts(&frame->tail, ",\"metricName\":");
    jsontext_write(&frame->tail, metric);
    buf_puts(&frame->end, ",\"selector\":");
    metrics_write_selector(&frame->end, selector);
}

static void frame_v1beta2(struct item_frame *frame, const char *metric, const struct selector *selector) {
    buf_puts(&frame->tail, ",\"metric\":{\"name\":");
    jsontext_write(&frame->tail, metric);
    buf_puts(&frame->tail, ",\"selector\":");
    metrics_write_selector(&frame->tail, selector);
    buf_puts(&frame->tail, "}");
}

/* The apiVersion has its slash also where there is no group: core objects are "/v1". */
static void frame_init(struct item_frame *frame, const struct metrics_route *route,
                       const struct metrics_answer *answer) {
    const struct cluster_resource *resource = answer->resource;

    buf_init(&frame->head, SIZE_MAX);
    buf_init(&frame->tail, SIZE_MAX);
    buf_init(&frame->end, SIZE_MAX);
    frame->kind = resource->kind;
    frame_head(frame, answer->values[0].ns);
    buf_printf(&frame->tail, ",\"apiVersion\":\"%s/%s\"}", resource->group, resource->version);
    if (str_eq(route->version, "v1beta1"))
        frame_v1beta1(frame, answer->metric, &route->metric_labels);
    else
        frame_v1beta2(frame, answer->metric, &route->metric_labels);
    buf_puts(&frame->tail, ",\"timestamp\":");
    frame->stamp = (struct metrics_stamp){0};
    buf_puts(&frame->end, "}");
}

/* The objects of a list are of one namespace. The time is that of the evaluation: an answer out of memory
 * must not look newer than it is. */
static void write_item(struct buf *out, struct item_frame *frame, const struct metrics_value *value) {
    /* Pointers are compared: equal texts at two places cost a new head, nothing else. */
    if (value->ns != frame->ns)
        frame_head(frame, value->ns);
    buf_append(out, frame->head.data, frame->head.len);
    jsontext_write(out, value->name);
    buf_append(out, frame->tail.data, frame->tail.len);
    metrics_write_stamp(out, &frame->stamp, value->at);
    buf_puts(out, ",\"value\":\"");
    metrics_write_milli(out, value->milli);
    buf_puts(out, "\"");
    buf_append(out, frame->end.data, frame->end.len);
}

/* Without items there may be no resource either to make a frame of. */
static void write_custom(struct buf *out, const struct metrics_route *route,
                         const struct metrics_answer *answer) {
    struct item_frame frame;

    write_list_head(out, "MetricValueList", "custom.metrics.k8s.io", route->version);
    if (answer->count) {
        frame_init(&frame, route, answer);
        for (uint32_t i = 0; i < answer->count; i++) {
            buf_puts(out, i > 0 ? "," : "");
            write_item(out, &frame, &answer->values[i]);
        }
        frame_done(&frame);
    }
    buf_puts(out, "]}\n");
}

/* ---- external.metrics.k8s.io ---- */

/* A scalar has no labels, not even an empty set of them: the original's map is nil there, which is null. */
static void write_metric_labels(struct buf *out, const struct metrics_value *value) {
    if (!value->labels) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{");
    for (uint32_t i = 0; i < value->label_count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        jsontext_write(out, value->labels[i].name);
        buf_puts(out, ":");
        jsontext_write(out, value->labels[i].value);
    }
    buf_puts(out, "}");
}

static void write_external(struct buf *out, const struct metrics_route *route,
                           const struct metrics_answer *answer) {
    struct metrics_stamp stamp = {0};

    write_list_head(out, "ExternalMetricValueList", "external.metrics.k8s.io", route->version);
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct metrics_value *value = &answer->values[i];
        buf_puts(out, i > 0 ? ",{\"metricName\":" : "{\"metricName\":");
        jsontext_write(out, answer->metric);
        buf_puts(out, ",\"metricLabels\":");
        write_metric_labels(out, value);
        buf_puts(out, ",\"timestamp\":");
        metrics_write_stamp(out, &stamp, value->at);
        buf_puts(out, ",\"value\":\"");
        metrics_write_milli(out, value->milli);
        buf_puts(out, "\"}");
    }
    buf_puts(out, "]}\n");
}

void metrics_write_answer(struct buf *out, const struct metrics_route *route,
                          const struct metrics_answer *answer, bool table, usec_t now) {
    if (answer->status != 200)
        metrics_write_status(out, answer->status, answer->reason, answer->message);
    else if (route->api == ROUTE_CUSTOM)
        write_custom(out, route, answer);
    else if (route->api == ROUTE_EXTERNAL)
        write_external(out, route, answer);
    else if (table)
        metrics_write_table(out, answer, now);
    else
        metrics_write_objects(out, route, answer, now);
}
