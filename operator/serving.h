/* The metrics side of the operator put together: where metrics come from (Prometheus-compatible servers,
 * rules, kubelets), and the metrics APIs that serve them. */
#ifndef OPERATOR_SERVING_H
#define OPERATOR_SERVING_H

#include "adapter/kubelets.h"
#include "adapter/metricsapi.h"
#include "adapter/metricsserver.h"
#include "adapter/ownmetrics.h"
#include "adapter/preferred.h"
#include "adapter/querycache.h"
#include "adapter/remote.h"
#include "adapter/resourcerules.h"
#include "adapter/ruleset.h"
#include "adapter/sources.h"
#include "operator/options.h"
#include "operator/rulesfollow.h"
#include "operator/servingcert.h"

/* What the cluster's side has made already; borrowed. */
struct serving_world {
    struct loop *loop;
    struct http *http;
    const struct kubeconfig *config;
    struct kube *kube;
    struct discovery *discovery;
    struct informers *informers;
    struct metric_source *metricsapi; /* other adapters' metrics, where ours has none */
};

/* Parts are NULL where they are off. */
struct serving {
    struct serving_world world;
    const struct options *options;
    struct sources *sources;
    struct querycache *cache;
    struct ruleset *ruleset;
    struct rulesfollow *rulesfollow;
    struct ownmetrics *own;
    struct kubelets *kubelets;
    struct resourcerules *resourcerules;
    /* Ours before the cluster's; usage is what comes after the kubelets in resource. */
    struct metric_source *resource, *usage, *custom;
    struct remote *remote;
    struct metricsserver *metricsserver;
    struct httpsserver *server;
    struct access *access;
    struct apiservices *apiservices;
    struct servingcert *cert;
    struct loop_timer *look;
    bool rules_checked; /* against the cluster's resources, once */
    struct err failure; /* code not 0: the loop has been stopped because of it */
    usec_t started;     /* monotonic */
};

/* Starts everything that the options ask for; options are borrowed. -EINVAL names the option. On failure
 * serving_stop takes down what was started. */
int serving_start(struct serving *serving, const struct serving_world *world, const struct options *options,
                  struct err *err);
/* The secure port listens; called when the autoscaler is there, as health tells of it. */
int serving_listen(struct serving *serving, metricsserver_health_fn *health, void *arg, struct err *err);
/* Stops accepting; requests under way are answered first, within limit; then done is called. */
void serving_drain(struct serving *serving, usec_t limit, loop_fn *done, void *arg);
/* Ends the secure port, before the autoscaler that it tells of; then, after the autoscaler, the rest. */
void serving_close(struct serving *serving);
void serving_stop(struct serving *serving);
/* Whether the metrics APIs can be asked; if not, why is appended to why, a line each. */
bool serving_ready(const struct serving *serving, struct buf *why);
/* What is wrong and keeps nobody from asking: rules that were refused, APIServices that others have. A line
 * each. */
void serving_warnings(const struct serving *serving, struct buf *out);

#endif
