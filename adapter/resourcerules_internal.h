/* The inside of resourceRules, shared by the questions (resourcerules_query.c), the requests
 * (resourcerules.c), what is read from answers (resourcerules_values.c) and policies
 * (resourcerules_source.c). */
#ifndef ADAPTER_RESOURCERULES_INTERNAL_H
#define ADAPTER_RESOURCERULES_INTERNAL_H

#include "adapter/resourcerules.h"
#include "adapter/rulequery.h"

/* Of what is measured. */
enum resource_of { OF_CPU, OF_MEMORY, OF_COUNT };

/* A container of a pod, or a node itself (name ""). */
struct measured_container {
    struct measured_container *next;
    const char *name;
    double values[OF_COUNT];
};

/* A pod or node that is asked for. */
struct measured {
    const struct object *object; /* a reference */
    struct measured_container *containers;
    bool has[OF_COUNT];
    usec_t at; /* wall time of the evaluation */
};

/* A query as it is sent, and how its answer is read. */
struct resource_question {
    struct querycache_query query;
    const char *source; /* the server; NULL: the default one */
    enum resource_of of;
    const char *label, *container_label; /* of the object; of the container, NULL: nodes */
    const char *ns_label;                /* NULL: all of the answer is of ns */
    const char *ns;
};

/* The objects of one question, all of one namespace. */
struct resource_group {
    const char *ns; /* NULL: nodes */
    const char **names;
    uint32_t count;
    bool all; /* the request is about all namespaces: one question for all of them, if it goes */
};

/* The question for the group's objects, texts in arena. */
int resource_question_write(const struct ruleset *ruleset, const struct resource_group *group,
                            enum resource_of of, struct arena *arena, struct resource_question *ret_question,
                            struct err *err);

/* Takes the samples of an answer to those among by_key (struct measured by their objects' keys). */
void resource_values_take(const struct resource_question *question, const struct vector *vector,
                          const struct map *by_key, struct arena *arena);
/* Whether both resources are known; then the object as it is shown, in arena. */
bool resource_values_object(const struct measured *measured, usec_t window, struct arena *arena,
                            struct metrics_object *ret_object);

struct resource_source;

/* The metric source for policies, which asks for the pods of a namespace as requests do. Its subscriptions
 * have ended when it is freed. */
struct resource_source *resource_source_new(struct resourcerules *all, struct loop *loop);
void resource_source_free(struct resource_source *source);
struct metric_source *resource_source_head(struct resource_source *source);

#endif
