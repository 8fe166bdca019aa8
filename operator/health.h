/* What the HTTP port answers: /livez and /healthz (the loop turns), /readyz (the policies are in memory),
 * /metrics, /decisions/… (what was decided, and why). */
#ifndef OPERATOR_HEALTH_H
#define OPERATOR_HEALTH_H

#include "adapter/metricsapi.h"
#include "adapter/prometheus.h"
#include "autoscaler/autoscaler.h"
#include "net/httpserver.h"

/* Everything borrowed. */
struct health {
    struct loop *loop;
    struct kube *kube;
    struct metric_source *prometheus; /* or NULL */
    struct metric_source *metricsapi;
    struct autoscaler *autoscaler;
};

/* A httpserver_handler; arg is a struct health. */
int health_serve(void *arg, const struct httpserver_request *request, struct buf *body,
                 const char **content_type);
/* The operator's own metrics in Prometheus' text format 0.0.4. */
void selfmetrics_write(const struct health *health, struct buf *body);

#endif
