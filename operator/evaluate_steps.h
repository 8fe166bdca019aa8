/* What the files of the single steps share. Private to evaluate. */
#ifndef OPERATOR_EVALUATE_STEPS_H
#define OPERATOR_EVALUATE_STEPS_H

#include "operator/evaluate.h"

/* Answers one step of a case: the fields that its expect has; -EINVAL with the place of what is wrong. */
typedef int step_fn(struct evaluate_case *c, json_t **ret_result, struct err *err);
step_fn step_group_pods, step_requests, step_ratio, step_metrics_client;

/* A member of the case's input, borrowed; NULL where it is absent, as text also where it is "". */
const json_t *step_input(const struct evaluate_case *c, const char *key);
const char *step_text(const struct evaluate_case *c, const char *key);
/* One that must be a whole number. */
int step_int(const struct evaluate_case *c, const char *key, int32_t *ret_value, struct err *err);
/* A quantity somewhere in the case, as HPA's recorder writes them; field names it. */
int step_milli(const struct evaluate_case *c, const char *field, const json_t *value, int64_t *ret,
               struct err *err);

/* Parts of a result, new references: "1500m", an error with its message, a time in whole seconds. */
json_t *step_milli_json(int64_t milli);
json_t *step_error_json(const char *message);
json_t *step_time_json(usec_t t);

#endif
