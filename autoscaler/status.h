/* The status document: from a decision to JSON, and whether a person would see a difference. Pure. */
#ifndef AUTOSCALER_STATUS_H
#define AUTOSCALER_STATUS_H

#include "autoscaler/decide.h"

/* The whole status as the CRD has it, HPA's fields included; new reference, owned by the caller. */
json_t *status_build(const struct decide_input *input, const struct decision *decision, int64_t generation,
                     usec_t last_scale_time);

enum status_difference {
    STATUS_SAME,   /* nothing that is shown has changed */
    STATUS_VALUES, /* mere values (targets, sample values, ages, messages): at most one write in 15 s */
    STATUS_STATE, /* replicas, conditions' status or reason, decision.reason, observedGeneration, …: at once
                   */
};
/* Compares what is stored (NULL: nothing) with what would be written. Times that only say "now" do not count.
 */
enum status_difference status_compare(const json_t *stored, const json_t *wanted);

#endif
