/* Recorded decisions of the HPA controller (data/hpa), read as inputs of our stages. A metric of type
 * External is read as one of type Prometheus; of a case at level "stages" the metrics' proposals are given.
 */
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
    struct sample *samples;
    struct decide_input in;
};

/* Reads a case; a malformed one fails the test. */
void hpa_vector_init(struct hpa_vector *v, const json_t *json);
void hpa_vector_done(struct hpa_vector *v);
/* input.<key> as a number. */
int32_t hpa_input(const struct hpa_vector *v, const char *key);
/* The proposals that the case gives (level "stages"), one for each metric. */
struct proposal *hpa_proposals(struct hpa_vector *v);
/* A history for comparison, and the one that the case expects; new references. */
json_t *hpa_history_json(const struct history *history);
json_t *hpa_history_wanted(const struct hpa_vector *v);

#endif
