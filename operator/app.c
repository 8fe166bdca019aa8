/* The operator put together: loop, transport, cluster, informers, metric sources, autoscaler, health.
 *
 * Everything here is made once, borrows what was made before it, and is freed in the reverse order; nothing
 * is made anew while running, so no part has to expect that another one goes. Nothing is answered before
 * loop_run turns the loop: a part may be started before one that its answers need. */
#include "operator/app.h"

#include "adapter/metricsapi.h"
#include "adapter/workload.h"
#include "api/client/discovery.h"
#include "autoscaler/autoscaler.h"
#include "informers/informers.h"
#include "net/http_curl.h"
#include "net/httpserver.h"
#include "operator/health.h"
#include "operator/serving.h"
#include <errno.h>
#include <string.h>

struct app {
    const struct options *options;
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
    struct discovery *discovery;
    struct informers *informers;
    struct metric_source *metricsapi, *workload;
    struct serving serving;
    struct autoscaler *autoscaler;
    struct health health;      /* borrows nearly all of the above; what asks it is in server and serving */
    struct httpserver *server; /* NULL where --http-port is 0 */
    bool stopping;             /* the first signal has come: the second one does not wait */
};

/* Half of the terminationGracePeriodSeconds that the chart gives its pod, after which the kubelet kills. */
static const usec_t DRAIN = 5 * USEC_PER_SEC;

static void on_drained(void *arg) {
    struct app *app = arg;

    loop_stop(app->loop);
}

/* Requests under way are answered first; who cannot wait says so again. The loop turns on until then, and so
 * does everything else: the plain port tells health, and a decision that falls into these seconds is written.
 */
static void on_stop(void *arg) {
    struct app *app = arg;

    if (app->stopping) {
        loop_stop(app->loop);
        return;
    }
    log_info(NULL, "stopping");
    app->stopping = true;
    serving_drain(&app->serving, DRAIN, on_drained, app);
}

/* What talks with the apiserver, and then the metrics side, which needs nearly all of it. */
static int start_cluster(struct app *app, struct err *err) {
    const struct options *o = app->options;

    int ret = kubeconfig_find(o->kubeconfig, o->context, &app->config, err);
    if (ret < 0)
        return ret;
    ret = kube_new(app->loop, app->http, app->config, &app->kube, err);
    if (ret < 0)
        return ret;
    log_info(NULL, "cluster %s (%s)", kube_server(app->kube), app->config->source);
    app->discovery = discovery_new(app->kube);
    app->informers =
        informers_new(app->loop, app->kube, &(struct informers_options){.namespaces = o->namespaces.items});
    app->metricsapi = metricsapi_new(app->loop, app->kube, app->discovery, NULL);
    app->workload = workload_new(app->loop, app->informers);
    const struct serving_world world = {.loop = app->loop,
                                        .http = app->http,
                                        .config = app->config,
                                        .kube = app->kube,
                                        .discovery = app->discovery,
                                        .informers = app->informers,
                                        .metricsapi = app->metricsapi};
    return serving_start(&app->serving, &world, o, err);
}

/* Policies subscribe to metrics at the sources of serving: that is started by then, and stopped after us.
 * Prometheus has no second source to fall back to, as the metrics APIs have in the cluster's own. */
static void start_autoscaler(struct app *app) {
    const struct options *o = app->options;
    struct autoscaler_world world = {
        .loop = app->loop,
        .kube = app->kube,
        .discovery = app->discovery,
        .informers = app->informers,
        .sources = {[METRIC_RESOURCE] = app->serving.resource,
                    [METRIC_CONTAINER_RESOURCE] = app->serving.resource,
                    [METRIC_PODS] = app->serving.custom,
                    [METRIC_OBJECT] = app->serving.custom,
                    [METRIC_EXTERNAL] = app->serving.custom,
                    [METRIC_PROMETHEUS] = sources_metric_source(app->serving.sources),
                    [METRIC_WORKLOAD] = app->workload}};
    struct autoscaler_options options = {.flags = {.tolerance = o->tolerance,
                                                   .downscale_stabilization = o->downscale_stabilization,
                                                   .cpu_initialization_period = o->cpu_initialization_period,
                                                   .initial_readiness_delay = o->initial_readiness_delay},
                                         .dry_run = o->dry_run,
                                         .namespaces = o->namespaces.items};

    app->autoscaler = autoscaler_new(&world, &options);
}

/* Health is filled in even where the plain port is off: the secure one answers from it too. */
static int start_server(struct app *app, struct err *err) {
    app->health = (struct health){.loop = app->loop,
                                  .kube = app->kube,
                                  .informers = app->informers,
                                  .metricsapi = app->metricsapi,
                                  .autoscaler = app->autoscaler,
                                  .serving = &app->serving};
    if (app->options->http_port == 0)
        return 0;
    const struct httpserver_options server = {
        .port = (int)app->options->http_port, .handler = health_serve, .arg = &app->health};
    int ret = httpserver_new(app->loop, &server, &app->server, err);
    return ret < 0 ? err_wrap(err, "--http-port %d", (int)app->options->http_port) : 0;
}

static int start(struct app *app, struct err *err) {
    int ret = loop_new(&app->loop, err);
    if (ret == 0)
        ret = loop_on_stop_signal(app->loop, on_stop, app, err);
    if (ret == 0)
        ret = http_curl_new(app->loop, /* max_connections= */ 0, &app->http, err);
    if (ret == 0)
        ret = start_cluster(app, err);
    if (ret < 0)
        return ret;
    start_autoscaler(app);
    ret = start_server(app, err);
    return ret < 0 ? ret : serving_listen(&app->serving, health_serve_secure, &app->health, err);
}

/* In the reverse order of the start; every part takes NULL, so a start that failed half way goes here too.
 * serving is closed in two steps around the autoscaler: its port answers health out of the autoscaler, and
 * the autoscaler's subscriptions are at its sources. */
static void stop(struct app *app) {
    httpserver_free(app->server);
    serving_close(&app->serving);
    autoscaler_free(app->autoscaler);
    serving_stop(&app->serving);
    workload_free(app->workload);
    metricsapi_free(app->metricsapi);
    informers_free(app->informers);
    discovery_free(app->discovery);
    kube_free(app->kube);
    kubeconfig_free(app->config);
    http_curl_free(app->http);
    loop_free(app->loop);
}

int app_run(const struct options *options, struct err *err) {
    struct app app = {.options = options};

    int ret = start(&app, err);
    if (ret == 0)
        ret = loop_run(app.loop, err);
    /* A part that cannot go on has stopped the loop as a signal would; its reason is the result. */
    if (ret == 0 && app.serving.failure.code) {
        *err = app.serving.failure;
        ret = err->code;
    }
    stop(&app);
    return ret;
}
