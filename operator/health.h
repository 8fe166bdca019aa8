/* What the HTTP port answers: /livez and /healthz (the loop turns), /readyz (the policies are in memory; then
 * also what is wrong and keeps nobody waiting), /metrics, /decisions/… (what was decided, and why). */
#ifndef OPERATOR_HEALTH_H
#define OPERATOR_HEALTH_H

#include "adapter/metricsapi.h"
#include "autoscaler/autoscaler.h"
#include "net/httpserver.h"
#include "operator/serving.h"

/* Everything borrowed. */
struct health {
    struct loop *loop;
    struct kube *kube;
    struct informers *informers;
    struct metric_source *metricsapi;
    struct autoscaler *autoscaler;
    const struct serving *serving;
};

/* A httpserver_handler; arg is a struct health. */
int health_serve(void *arg, const struct httpserver_request *request, struct buf *body,
                 const char **content_type);
/* What the secure port answers of these: a metricsserver_health_fn; arg is a struct health. */
bool health_serve_secure(void *arg, const char *path, struct buf *body, int *ret_status);
/* The operator's own metrics in Prometheus' text format 0.0.4. */
void selfmetrics_write(const struct health *health, struct buf *body);

#endif
