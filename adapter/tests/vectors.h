/* The recorded cases of data/adapter: a configuration, the series of a target, and what prometheus-adapter
 * made of them. */
#ifndef ADAPTER_TESTS_VECTORS_H
#define ADAPTER_TESTS_VECTORS_H

#include "adapter/registry.h"
#include "api/types/tests/cases.h"

struct recorded_cluster {
    json_t *json; /* cluster.json */
    struct arena arena;
    struct cluster_resources resources;
};

void recorded_cluster_init(struct recorded_cluster *cluster);
void recorded_cluster_done(struct recorded_cluster *cluster);

struct recorded {
    struct rules *rules;
    struct registry *registry; /* with the case's series in it */
};

/* Reads the configuration of a case and feeds its series to the rules; the error of what refused it. */
int recorded_init(struct recorded *v, const json_t *json, const struct recorded_cluster *cluster,
                  struct err *err);
void recorded_done(struct recorded *v);

/* Every case of data/adapter. */
void recorded_add_cases(struct test_cases *cases);

#endif
