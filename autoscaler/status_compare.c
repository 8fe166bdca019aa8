/* Whether a person would see a difference between two statuses, and how pressing it is. */
#include "autoscaler/status.h"
#include <string.h>

/* Times that only say "now" (a condition's transition moves with its status). */
static bool is_time(const char *key) {
    static const char *const keys[] = {"sampleTime", "age", "time", "lastTransitionTime"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* What changes with the load alone. */
static bool is_value(const char *key) {
    static const char *const keys[] = {"targets", "value",    "message",        "proposal",
                                       "metric",  "warnings", "currentMetrics", "averageValue"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static enum status_difference compare(const json_t *a, const json_t *b);

static enum status_difference larger(enum status_difference a, enum status_difference b) {
    return a > b ? a : b;
}

static enum status_difference compare_member(const char *key, const json_t *a, const json_t *b) {
    if (is_time(key))
        return STATUS_SAME;
    if (is_value(key))
        return json_equal(a, b) ? STATUS_SAME : STATUS_VALUES;
    return compare(a, b);
}

static enum status_difference compare_objects(const json_t *a, const json_t *b) {
    enum status_difference worst = STATUS_SAME;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)b, key, value) worst =
        larger(worst, compare_member(key, json_object_get(a, key), value));
    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        if (!json_object_get(b, key))
            worst = larger(worst, compare_member(key, value, NULL));
    }
    return worst;
}

static enum status_difference compare(const json_t *a, const json_t *b) {
    enum status_difference worst = STATUS_SAME;

    if (json_is_object(a) && json_is_object(b))
        return compare_objects(a, b);
    if (!json_is_array(a) || !json_is_array(b))
        return json_equal(a, b) ? STATUS_SAME : STATUS_STATE;
    if (json_array_size(a) != json_array_size(b))
        return STATUS_STATE;
    for (size_t i = 0; i < json_array_size(b); i++)
        worst = larger(worst, compare(json_array_get(a, i), json_array_get(b, i)));
    return worst;
}

enum status_difference status_compare(const json_t *stored, const json_t *wanted) {
    return stored ? compare(stored, wanted) : STATUS_STATE;
}
