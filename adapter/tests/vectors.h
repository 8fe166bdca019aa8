/* The recorded cases of data/adapter: a configuration, the series of a target, and what prometheus-adapter
 * made of them. */
#ifndef ADAPTER_TESTS_VECTORS_H
#define ADAPTER_TESTS_VECTORS_H

#include "adapter/registry.h"
#include <jansson.h>

struct vector_cluster {
    json_t *json; /* cluster.json */
    struct arena arena;
    struct cluster_resources resources;
};

void vector_cluster_init(struct vector_cluster *cluster);
void vector_cluster_done(struct vector_cluster *cluster);

struct vector {
    struct rules *rules;
    struct registry *registry; /* with the case's series in it */
};

/* Reads the configuration of a case and feeds its series to the rules; the error of what refused it. */
int vector_init(struct vector *v, const json_t *json, const struct vector_cluster *cluster, struct err *err);
void vector_done(struct vector *v);

#endif
