/* Recorded decisions of the HPA controller (data/hpa), read as inputs of our stages. */
#ifndef AUTOSCALER_TESTS_HPA_VECTOR_H
#define AUTOSCALER_TESTS_HPA_VECTOR_H

#include "api/types/policy.h"
#include "autoscaler/decide.h"

struct hpa_vector {
    const json_t *json, *expect, *input;
    struct arena arena;
    struct policy_spec spec;
    struct policy_status status;
    struct decide_flags flags;
    struct history history;
    struct str_pool pool;
    struct pod **all_pods; /* of the case; a reference each */
    uint32_t all_count;
    const struct pod **pods; /* those that the scale's selector picks; of a case without a scale all */
    struct sample *samples;
    struct decide_input in;
};

/* Reads a case; a malformed one fails the test. */
void hpa_vector_init(struct hpa_vector *v, const json_t *json);
void hpa_vector_done(struct hpa_vector *v);
/* input.<key> as a number. */
int32_t hpa_input(const struct hpa_vector *v, const char *key);
/* Whether the case says that this part of expect is not to be compared. */
bool hpa_unpinned(const struct hpa_vector *v, const char *part);
/* A history for comparison, and the one that the case expects; new references. */
json_t *hpa_history_json(const struct history *history);
json_t *hpa_history_wanted(const struct hpa_vector *v);

/* ---- hpa_samples.c ---- */

/* The case's metrics as the answers of the three APIs would be read, one sample for each metric of the spec.
 */
void hpa_read_samples(struct hpa_vector *v);
/* Values by pod name ({"web-0": "50m"} or {"web-0": {"value", "timestamp", "window"}}), joined with the pods.
 */
const struct pod_values *hpa_join(struct hpa_vector *v, const json_t *by_name);

#endif
