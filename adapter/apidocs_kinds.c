/* The kinds of the metrics APIs and the paths that answer with them, as k8s.io/metrics declares them: what
 * `kubectl explain` prints. Metadata and selectors are spelt out where they are used, so that the aggregator,
 * which merges the documents of all apiservers, finds no second definition of a name that it knows. */
#include "adapter/apidocs_internal.h"

#define TYPE_FIELDS                                                                                          \
    {"apiVersion", APIDOCS_STRING, false, "The version of this representation."}, {                          \
        "kind", APIDOCS_STRING, false, "The kind of this object."                                            \
    }
#define LIST_FIELDS(of)                                                                                      \
    TYPE_FIELDS, {"metadata", APIDOCS_OBJECT, false, "Standard list metadata."}, {                           \
        "items", APIDOCS_LIST, true, "The items of the list.", of                                            \
    }

static const struct apidocs_field object_metadata[] = {
    {"name", APIDOCS_STRING, false, "The name of the object that was measured."},
    {"namespace", APIDOCS_STRING, false, "Its namespace."},
    {"creationTimestamp", APIDOCS_TIME, false, "When this object was made."},
    {"labels", APIDOCS_MAP, false, "The labels of the object that was measured."},
    {NULL}};

static const struct apidocs_field object_reference[] = {
    {"apiVersion", APIDOCS_STRING, false, "API version of the referent."},
    {"kind", APIDOCS_STRING, false, "Kind of the referent."},
    {"name", APIDOCS_STRING, false, "Name of the referent."},
    {"namespace", APIDOCS_STRING, false, "Namespace of the referent."},
    {NULL}};

static const struct apidocs_field match_expression[] = {
    {"key", APIDOCS_STRING, true, "The label that the expression is about."},
    {"operator", APIDOCS_STRING, true, "In, NotIn, Exists or DoesNotExist."},
    {"values", APIDOCS_LIST, false, "The values, of In and NotIn."},
    {NULL}};

static const struct apidocs_field label_selector[] = {
    {"matchLabels", APIDOCS_MAP, false, "Labels and the values that they must have."},
    {"matchExpressions", APIDOCS_LIST, false, "Further demands; all must hold.", NULL, match_expression},
    {NULL}};

/* ---- custom.metrics.k8s.io ---- */

static const struct apidocs_field value_list[] = {LIST_FIELDS("MetricValue"), {NULL}};

static const struct apidocs_field value_v1beta1[] = {
    TYPE_FIELDS,
    {"describedObject", APIDOCS_OBJECT, true, "The object that the metric describes.", NULL,
     object_reference},
    {"metricName", APIDOCS_STRING, true, "The name of the metric."},
    {"timestamp", APIDOCS_TIME, true, "When the value was produced."},
    {"value", APIDOCS_STRING, true, "The value, a quantity."},
    {"selector", APIDOCS_OBJECT, false, "The selector that the metric was asked for with.", NULL,
     label_selector},
    {NULL}};

static const struct apidocs_schema custom_v1beta1[] = {
    {"MetricValue", false, "The value of a metric for some object.", value_v1beta1},
    {"MetricValueList", false, "Values of a metric for some objects.", value_list},
    {NULL}};

static const struct apidocs_field identifier[] = {{"name", APIDOCS_STRING, true, "The name of the metric."},
                                                  {"selector", APIDOCS_OBJECT, false,
                                                   "The selector that the metric was asked for with.", NULL,
                                                   label_selector},
                                                  {NULL}};

static const struct apidocs_field value_v1beta2[] = {
    TYPE_FIELDS,
    {"describedObject", APIDOCS_OBJECT, true, "The object that the metric describes.", NULL,
     object_reference},
    {"metric", APIDOCS_OBJECT, true, "The metric.", "MetricIdentifier"},
    {"timestamp", APIDOCS_TIME, true, "When the value was produced."},
    {"value", APIDOCS_STRING, true, "The value, a quantity."},
    {NULL}};

static const struct apidocs_schema custom_v1beta2[] = {
    {"MetricIdentifier", true, "A metric, by its name and a selector.", identifier},
    {"MetricValue", false, "The value of a metric for some object.", value_v1beta2},
    {"MetricValueList", false, "Values of a metric for some objects.", value_list},
    {NULL}};

/* An operationId must be unique in its document, and OpenAPI v2 has one document for all: so the version is
 * part of it. */
#define CUSTOM_PATHS(v)                                                                                      \
    {"/namespaces/{namespace}/metrics/{name}", "MetricValueList", "readCustomMetrics" v "ForNamespace",      \
     "a metric of a namespace"},                                                                             \
        {"/namespaces/{namespace}/{resource}/{name}/{subresource}", "MetricValueList",                       \
         "listCustomMetrics" v "Namespaced", "a metric of one object of a namespace, or with * of several"}, \
        {"/{resource}/{name}/{subresource}", "MetricValueList", "listCustomMetrics" v,                       \
         "a metric of one object without a namespace, or with * of several"},                                \
    {                                                                                                        \
        NULL                                                                                                 \
    }

static const struct apidocs_path custom_v1beta1_paths[] = {CUSTOM_PATHS("V1beta1")};
static const struct apidocs_path custom_v1beta2_paths[] = {CUSTOM_PATHS("V1beta2")};

/* ---- external.metrics.k8s.io ---- */

static const struct apidocs_field external_value[] = {
    TYPE_FIELDS,
    {"metricName", APIDOCS_STRING, true, "The name of the metric."},
    {"metricLabels", APIDOCS_MAP, true, "The labels of this one value."},
    {"timestamp", APIDOCS_TIME, true, "When the value was produced."},
    {"value", APIDOCS_STRING, true, "The value, a quantity."},
    {NULL}};

static const struct apidocs_field external_list[] = {LIST_FIELDS("ExternalMetricValue"), {NULL}};

static const struct apidocs_schema external_v1beta1[] = {
    {"ExternalMetricValue", false, "A value of a metric that belongs to no object.", external_value},
    {"ExternalMetricValueList", false, "Values of a metric, each with its own labels.", external_list},
    {NULL}};

static const struct apidocs_path external_paths[] = {{"/namespaces/{namespace}/{resource}",
                                                      "ExternalMetricValueList", "listExternalMetricsV1beta1",
                                                      "the values of a metric"},
                                                     {NULL}};

/* ---- metrics.k8s.io ---- */

/* Quantities are strings: in JSON there is no more to say of them. */
#define USAGE                                                                                                \
    { "usage", APIDOCS_MAP, true, "What is used of cpu and memory, as quantities." }
#define MEASURED                                                                                             \
    TYPE_FIELDS, {"metadata", APIDOCS_OBJECT, false, "Standard object metadata.", NULL, object_metadata},    \
        {"timestamp", APIDOCS_TIME, true, "The end of the window."}, {                                       \
        "window", APIDOCS_STRING, true, "The span of time that was measured over."                           \
    }

static const struct apidocs_field container[] = {
    {"name", APIDOCS_STRING, true, "The name of the container."}, USAGE, {NULL}};
static const struct apidocs_field node[] = {MEASURED, USAGE, {NULL}};
static const struct apidocs_field node_list[] = {LIST_FIELDS("NodeMetrics"), {NULL}};
static const struct apidocs_field pod[] = {
    MEASURED, {"containers", APIDOCS_LIST, true, "What each container uses.", "ContainerMetrics"}, {NULL}};
static const struct apidocs_field pod_list[] = {LIST_FIELDS("PodMetrics"), {NULL}};

static const struct apidocs_schema resource_v1beta1[] = {
    {"ContainerMetrics", true, "What a container uses.", container},
    {"NodeMetrics", false, "What a node uses.", node},
    {"NodeMetricsList", false, "What nodes use.", node_list},
    {"PodMetrics", false, "What a pod uses.", pod},
    {"PodMetricsList", false, "What pods use.", pod_list},
    {NULL}};

/* The only ones with an action: resources of the other groups are as many as there are metrics, and of no
 * kind that a client could get by itself. */
static const struct apidocs_path resource_paths[] = {
    {"/nodes", "NodeMetricsList", "listMetricsV1beta1NodeMetrics", "all nodes", "list", "NodeMetrics"},
    {"/nodes/{name}", "NodeMetrics", "readMetricsV1beta1NodeMetrics", "a node", "get", "NodeMetrics"},
    {"/pods", "PodMetricsList", "listMetricsV1beta1PodMetricsForAllNamespaces", "all pods", "list",
     "PodMetrics"},
    {"/namespaces/{namespace}/pods", "PodMetricsList", "listMetricsV1beta1NamespacedPodMetrics",
     "the pods of a namespace", "list", "PodMetrics"},
    {"/namespaces/{namespace}/pods/{name}", "PodMetrics", "readMetricsV1beta1NamespacedPodMetrics", "a pod",
     "get", "PodMetrics"},
    {NULL}};

/* The group's own document names v1beta1 of the custom metrics alone, as the original's does; in aggregated
 * discovery, which the original leaves them out of, both are there. */
const struct apidocs_version apidocs_versions[] = {
    {"custom.metrics.k8s.io", "v1beta1", true, "custom_metrics.v1beta1", custom_v1beta1,
     custom_v1beta1_paths},
    {"custom.metrics.k8s.io", "v1beta2", false, "custom_metrics.v1beta2", custom_v1beta2,
     custom_v1beta2_paths},
    {"external.metrics.k8s.io", "v1beta1", true, "external_metrics.v1beta1", external_v1beta1,
     external_paths},
    {"metrics.k8s.io", "v1beta1", true, "metrics.v1beta1", resource_v1beta1, resource_paths},
    {NULL}};
