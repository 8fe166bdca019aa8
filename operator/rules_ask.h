/* What `trimtab rules` asks of Prometheus and of a cluster, one request after the other. */
#ifndef OPERATOR_RULES_ASK_H
#define OPERATOR_RULES_ASK_H

#include "adapter/promrequest.h"
#include "operator/asker.h"
#include "operator/rules.h"

/* A Prometheus, and since when its series count (wall time). */
struct rules_prometheus {
    struct asker *asker;
    struct prom_endpoint *endpoint;
    usec_t start;
};
/* Adds the series that Prometheus has had for each distinct seriesQuery of the rules,
 * as prometheus-adapter asks for them. -EINVAL "config:LINE: …" where Prometheus refuses a selector; any
 * failure ends it, as it does there. */
int rules_ask_series(const struct rules_prometheus *prometheus, const struct rules *rules, const char *config,
                     struct series_list *list, struct err *err);
/* Adds series that no seriesQuery may select, but that concern the metric (rules_concerns): a sample of each
 * name. */
int rules_ask_concerned(const struct rules_prometheus *prometheus, const struct rules *rules,
                        const char *metric, struct series_list *list, struct err *err);
/* Adds the resources of the cluster's discovery; groups that cannot be read are left out and told to
 * complain. */
int rules_ask_resources(struct asker *asker, struct resource_list *list, rules_complain_fn *complain,
                        void *arg, struct err *err);
/* Sets the request's names to those of the objects that its route selects, in the cluster's order. They live
 * in arena. */
int rules_ask_names(struct asker *asker, const struct cluster_resource *resource,
                    struct rules_request *request, struct arena *arena, struct err *err);
/* Looks for what keeps a metric that is there (rules_report_metric) from those who ask for it: no APIService,
 * or no right of the HPA controller. Sets the member "obstacle" of each place that has one, "unknown" where
 * it could not be found out. */
void rules_ask_access(struct asker *asker, json_t *metric);

#endif
