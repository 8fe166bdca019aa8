/* `trimtab evaluate`: decides offline, from files. What its files share.
 *
 *   documents  -> case_run -> world (objects by kind) -> case_read -> decide_input -> decide -> result
 *                                                                                   -> --check
 *
 * A case is one question: a recorded one with objects of its own, or a policy (or HorizontalPodAutoscaler)
 * among plain objects. */
#ifndef OPERATOR_EVALUATE_H
#define OPERATOR_EVALUATE_H

#include "autoscaler/decide.h"
#include "operator/documents.h"
#include <jansson.h>
#include <stdio.h>

/* ---- where a value stands, for messages ---- */

/* The index-th element of the list `key` ("": the value itself is the list) of what stands at up; with up
 * NULL the whole document. Lives in an arena. */
struct place {
    const struct place *up;
    const char *key;
    size_t index;
    struct document_file *file; /* not const: it remembers its lines */
    size_t document;
};
const struct place *place_in(const struct place *up, const char *key, size_t index, struct arena *arena);
/* "FILE:LINE: field: text" into err; -EINVAL. field ("spec.metrics[1].query") is within the place; "": the
 * place itself, and it is not named. */
int place_error(const struct place *place, const char *field, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for an error that begins with the field's path and ": ". */
int place_wrap(const struct place *place, struct err *err);

/* ---- the world: objects, by kind ---- */

enum input_kind {
    INPUT_POLICY,
    INPUT_HPA,
    INPUT_SCALE,
    INPUT_POD,
    INPUT_NODE,
    INPUT_WORKLOAD, /* Deployment, StatefulSet, ReplicaSet, ReplicationController */
    INPUT_POD_METRICS,
    INPUT_CUSTOM,   /* MetricValueList */
    INPUT_EXTERNAL, /* ExternalMetricValueList */
    INPUT_OTHER,    /* looked at only where it is the scale target */
    INPUT_KINDS,
};

struct input_object {
    const json_t *json; /* borrowed */
    const char *kind;
    const struct place *place;
    const struct object *decoded; /* pods, nodes and workloads, after world_decode; owned */
};

struct input_list {
    struct input_object *items;
    uint32_t count, cap;
};

struct world {
    struct arena arena;
    struct str_pool pool;
    struct input_list of[INPUT_KINDS];
    struct map
        names; /* "KIND/NAMESPACE/NAME": struct input_object, after world_decode; the first of a name */
};
void world_init(struct world *world);
void world_done(struct world *world);
/* How deep lists may stand in a list. */
enum { LISTS_IN_LISTS_MAX = 4 };
/* Adds an object, or those of a List; kinds that nothing is decided from are kept as INPUT_OTHER. -EINVAL for
 * what is no object. */
int world_add(struct world *world, const json_t *object, const struct place *place, struct err *err);
/* Reads pods, nodes and workloads as the operator's cache does. Each that cannot be used is told to complain;
 * -EINVAL where there was one. */
typedef void complain_fn(void *arg, const struct err *err);
int world_decode(struct world *world, complain_fn *complain, void *arg);
/* The object of this kind, namespace and name, or NULL; after world_decode. An object without a namespace is
 * in any. */
const struct input_object *world_find(const struct world *world, const char *kind, const char *ns,
                                      const char *name);

/* Members of JSON objects, absent ones (and an object NULL) as NULL. */
const char *json_text(const json_t *object, const char *key);
const json_t *json_path2(const json_t *object, const char *key, const char *then);

/* ---- a case ---- */

/* What the command line says; it wins over what a case brings along. Negative, and a time of 0: nothing. */
struct evaluate_options {
    double tolerance;
    usec_t downscale_stabilization, cpu_initialization_period, initial_readiness_delay;
    usec_t now;
};
/* Nothing is given. */
void evaluate_options_init(struct evaluate_options *options);

/* How a recorded case's write of the scale went. */
struct write_outcome {
    bool tried, failed;
    const char *error;
};

struct evaluate_case {
    /* what it is */
    const char *name;          /* the recorded one's, or "namespace/name" */
    const char *level;         /* "reconcile", or the single step that a recorded case is about */
    const json_t *recorded;    /* NULL: plain objects */
    const struct place *place; /* of the recorded case, or of the policy */
    const struct world *world;
    const struct input_object *subject; /* the policy or HPA; NULL in some single steps */
    struct arena *arena;                /* of everything below */
    /* what is decided from */
    bool hpa;
    struct policy_spec spec;
    struct policy_status status;
    struct decide_flags flags;
    struct history history; /* owned */
    struct decide_input in;
    const char *ns;
    struct tz **zones;  /* owned, one for each schedule */
    usec_t *first_at;   /* one for each metric: wall time of the first item read; 0: none */
    bool bad_reference; /* the target's apiVersion is none: HPA counts that as the spec's fault */
    /* what came of it */
    struct decision decision;
    struct write_outcome write;
};

/* Fills everything up to `in`; name, level, recorded, place, world, subject and arena are set. err has file,
 * line and field. case_done also after a failure. */
int case_read(struct evaluate_case *c, const struct evaluate_options *options, struct err *err);
void case_done(struct evaluate_case *c);
/* Its flags, clock and history, and the samples of all metrics; called by case_read. */
int case_read_recorded(struct evaluate_case *c, const struct evaluate_options *options, struct err *err);
int case_read_samples(struct evaluate_case *c, struct err *err);
/* A value of input or of an object: -EINVAL with its place. Absent values leave *ret alone. */
int case_int(const struct place *place, const json_t *object, const char *key, const char *field,
             int32_t *ret_value, struct err *err);

/* Decides, and writes as the recorded faults let it. */
void case_decide(struct evaluate_case *c);
/* What came of a whole decision, with the fields of `expect` at level reconcile; new reference. */
json_t *case_result(struct evaluate_case *c);
/* The answer of a single step (any other level); new reference. -EINVAL: the level is unknown, or its input
 * is incomplete. */
int case_step(struct evaluate_case *c, json_t **ret_result, struct err *err);

/* ---- HPA's own words and status ---- */

/* The status that the HPA controller would write; new reference. */
json_t *hpa_status(const struct evaluate_case *c);
/* Whether its comparison takes the two for the same: then it does not write. */
bool hpa_status_equal(const json_t *before, const json_t *status);
/* How HPA calls metric i. */
const char *hpa_metric_name(const struct evaluate_case *c, uint32_t i);
/* Why metric i failed, in HPA's words: of its condition and event, and as its controller hands the error on
 * (of a policy's the policy's own). */
const char *hpa_failure(const struct evaluate_case *c, uint32_t i);
const char *hpa_metric_error(const struct evaluate_case *c, uint32_t i);
/* Why the whole computation failed, or would have where other metrics sufficed. */
const char *hpa_compute_error(const struct evaluate_case *c);
/* HPA's text of a condition. */
const char *hpa_message(const struct evaluate_case *c, const struct condition *condition);

/* ---- output ---- */

/* How results write numbers, as /decisions does: 0.1 and not 0.10000000000000001. --check compares the
 * doubles themselves. */
#define EVALUATE_DIGITS JSON_REAL_PRECISION(15)
/* history as a recorded case has it; new reference. */
json_t *history_json(const struct history *history);
/* Prints a result for people. */
void evaluate_print(const struct evaluate_case *c, const json_t *result, FILE *out);
/* Any JSON value as YAML. */
int evaluate_print_yaml(json_t *value, FILE *out);

/* ---- --check ---- */

/* Compares a result with the case's expect and prints a line for each difference; returns their number. */
unsigned evaluate_check(const struct evaluate_case *c, const json_t *result, FILE *out);

/* ---- all of it ---- */

struct evaluation {
    struct evaluate_options options;
    bool check;
    FILE *out, *complaints;
    bool text;       /* print each result as it is made */
    json_t *results; /* an array; owned by the caller */
    unsigned cases, printed, failed, compared, different, without_expect;
};
/* Evaluates all files together: plain objects of files without a policy belong to every file with one.
 * Results go to e->results, complaints to e->complaints, one line each. */
void evaluate_files(struct evaluation *e, struct document_file *files, size_t count);

#endif
