/* How the files that read a policy's spec tell where they are: a chain of path elements on the stack, written
 * out only when something is wrong. Private to api/types. */
#ifndef API_TYPES_POLICY_READ_H
#define API_TYPES_POLICY_READ_H

#include "api/types/policy.h"

enum {
    POLICY_METRICS_MAX = 64,
    POLICY_RULES_MAX = 32,
    POLICY_SCHEDULES_MAX = 16,
    POLICY_EXCEPT_MAX = 100,
    POLICY_QUERY_MAX = 8192,
    POLICY_TEXT_MAX = 1024, /* of any other string */
};

struct path {
    const struct path *up;
    const char *name; /* NULL: an element of the list above */
    size_t index;
};

struct reader {
    struct arena *arena;
    struct err *err;
    bool hpa; /* the spec of a HorizontalPodAutoscaler: our own fields and types are not looked at */
};

/* -EINVAL with "spec.metrics[1].prometheus.<key>: …"; key may be NULL. */
int read_error(struct reader *r, const struct path *path, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The members of an object. Absent ones (null counts as absent) leave *ret as it is; required ones, wrong
 * types and what is out of range are errors. Strings are copied into the arena. */
int read_object(struct reader *r, const json_t *parent, const struct path *path, bool required,
                const json_t **ret_object);
int read_string(struct reader *r, const json_t *object, const struct path *path, const char *key,
                const char **ret_text);
int read_required_string(struct reader *r, const json_t *object, const struct path *path, const char *key,
                         const char **ret_text);
struct read_range {
    int64_t min, max;
};
int read_int(struct reader *r, const json_t *object, const struct path *path, const char *key,
             struct read_range range, int32_t *ret_value);
int read_duration(struct reader *r, const json_t *object, const struct path *path, const char *key,
                  struct read_range range, usec_t *ret_duration);
/* One of names (count of them); *ret_index is left as it is where the member is absent. */
struct read_words {
    const char *const *names;
    int count;
};
int read_word(struct reader *r, const json_t *object, const struct path *path, const char *key,
              struct read_words words, int *ret_index);

/* A number or a quantity's text ("50", 0.5, "250m"). */
struct read_quantity {
    bool found, above_zero; /* above_zero: 0 is refused; set by the caller, as found is by the reader */
    int64_t milli;
    const char *text; /* as written; a number as the shortest text that reads back as the same */
};
int read_quantity(struct reader *r, const json_t *object, const struct path *path, const char *key,
                  struct read_quantity *ret_quantity);
/* Whether object has the member, null counting as absent. */
bool read_has(const json_t *object, const char *key);

/* Part of the spec each, in its own file; up is the path of spec. What they check of other parts these must
 * have been read for. */
typedef int policy_part_fn(struct reader *r, const json_t *spec, const struct path *up,
                           struct policy_spec *ret);
policy_part_fn policy_read_metrics; /* with HPA's default where there are none */
policy_part_fn policy_read_behavior;
policy_part_fn policy_read_schedules;
policy_part_fn policy_read_fallback;   /* after metrics */
policy_part_fn policy_read_activation; /* after metrics, limits and schedules */
policy_part_fn policy_read_formula;    /* after metrics */

/* The target of a metric whose type is known: parent is the object that has it. What HPA fails the metric
 * alone for becomes m->invalid. */
int policy_read_target(struct reader *r, const json_t *parent, const struct path *up, struct metric_spec *m);
/* scaleTargetRef and describedObject. */
int policy_read_reference(struct reader *r, const json_t *parent, const struct path *path,
                          struct object_reference *ret);

#endif
