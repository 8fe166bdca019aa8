/* The status document: from a decision to JSON, and whether a person would see a difference. Pure. */
#ifndef AUTOSCALER_STATUS_H
#define AUTOSCALER_STATUS_H

#include "autoscaler/decide.h"

/* A JSON string of a text, NULL as "". What is not UTF-8 (a source's message, a file's name) cannot be in
 * JSON, and that is said in its place. New reference. */
json_t *text_json(const char *text);

/* The whole status as the CRD has it, HPA's fields included; new reference, owned by the caller. */
json_t *status_build(const struct decide_input *input, const struct decision *decision, int64_t generation,
                     usec_t last_scale_time);

/* status.currentMetrics, in HPA's shapes: one entry for each metric, an empty one where it has no value, and
 * none at all where no metric was looked at. New reference. */
json_t *status_current_metrics(const struct decide_input *input, const struct decision *decision);

enum status_difference {
    STATUS_SAME,    /* nothing that is shown has changed */
    STATUS_NUMBERS, /* only the metrics' values, where they stand: worth a write if one has moved
                       (status_moved) */
    STATUS_VALUES,  /* what changes with the load (proposals, warnings): at most one write in 15 s */
    STATUS_STATE, /* replicas, conditions' status or reason, decision.reason, observedGeneration, …: at once
                   */
};
/* Compares what is stored (NULL: nothing) with what would be written. Times that only say "now" do not count.
 */
enum status_difference status_compare(const json_t *stored, const json_t *wanted);

/* The values that a status shows, one for each metric of the decision, in milli-units, are put into
 * ret_shown. */
void status_shown(const struct decision *decision, int64_t *ret_shown);
/* Whether a metric has moved by more than a hundredth of its target since then, or cannot be compared. shown
 * NULL: yes. */
bool status_moved(const int64_t *shown, const struct decide_input *input, const struct decision *decision);

/* A digest of all that status_build shows but the metrics' values and times: where it is the same,
 * status_compare can come to no more than STATUS_NUMBERS, and the document need not be built. Never 0. */
uint64_t status_digest(const struct decide_input *input, const struct decision *decision, int64_t generation,
                       usec_t last_scale_time);

#endif
