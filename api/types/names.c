/* The words that the API uses for the enumerations of api/types. They stand in specs, in status and in
 * records, so that none of them may change. */
#include "api/types/policy.h"
#include "api/types/sample.h"

const char *metric_type_name(enum metric_type type) {
    static const char *const names[] = {
        [METRIC_RESOURCE] = "Resource", [METRIC_CONTAINER_RESOURCE] = "ContainerResource",
        [METRIC_PODS] = "Pods",         [METRIC_OBJECT] = "Object",
        [METRIC_EXTERNAL] = "External", [METRIC_PROMETHEUS] = "Prometheus",
        [METRIC_WORKLOAD] = "Workload", [METRIC_UNKNOWN] = "",
    };
    return names[type];
}

const char *target_type_name(enum target_type type) {
    static const char *const names[] = {
        [TARGET_UTILIZATION] = "Utilization",
        [TARGET_VALUE] = "Value",
        [TARGET_AVERAGE_VALUE] = "AverageValue",
    };
    return names[type];
}

const char *fallback_behavior_name(enum fallback_behavior behavior) {
    static const char *const names[] = {
        [FALLBACK_HOLD] = "Hold",
        [FALLBACK_STATIC] = "Static",
        [FALLBACK_AT_LEAST] = "AtLeast",
        [FALLBACK_AT_MOST] = "AtMost",
    };
    return names[behavior];
}

const char *quality_name(enum quality quality) {
    static const char *const names[] = {
        [QUALITY_PENDING] = "Pending", [QUALITY_VALUE] = "Value", [QUALITY_ZERO] = "Zero",
        [QUALITY_ABSENT] = "Absent",   [QUALITY_STALE] = "Stale", [QUALITY_FAILED] = "Failed",
    };
    return names[quality];
}
