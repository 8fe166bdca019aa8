/* The operator put together: loop, transport, cluster, informers, metric sources, autoscaler, health. */
#include "operator/app.h"

#include "adapter/metricsapi.h"
#include "adapter/prometheus.h"
#include "adapter/workload.h"
#include "api/client/discovery.h"
#include "autoscaler/autoscaler.h"
#include "informers/informers.h"
#include "net/http_curl.h"
#include "net/httpserver.h"
#include "operator/health.h"
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
    struct metric_source *prometheus, *metricsapi, *workload;
    struct autoscaler *autoscaler;
    struct health health;
    struct httpserver *server;
};

static void on_stop(void *arg) {
    struct app *app = arg;

    log_info(NULL, "stopping");
    loop_stop(app->loop);
}

static int start_prometheus(struct app *app, struct err *err) {
    const struct options *o = app->options;
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    if (!o->prometheus_url) {
        log_warn(NULL,
                 "no --prometheus-url: policies with Prometheus metrics will say that they cannot be read");
        return 0;
    }
    struct prometheus_options p = options_prometheus(o, &arena);
    int ret = prometheus_new(app->loop, app->http, &p, &app->prometheus, err);
    return ret < 0 ? err_wrap(err, "--prometheus-url and what belongs to it") : 0;
}

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
    return 0;
}

static void start_autoscaler(struct app *app) {
    const struct options *o = app->options;
    struct autoscaler_world world = {.loop = app->loop,
                                     .kube = app->kube,
                                     .discovery = app->discovery,
                                     .informers = app->informers,
                                     .sources = {[METRIC_RESOURCE] = app->metricsapi,
                                                 [METRIC_CONTAINER_RESOURCE] = app->metricsapi,
                                                 [METRIC_PODS] = app->metricsapi,
                                                 [METRIC_OBJECT] = app->metricsapi,
                                                 [METRIC_EXTERNAL] = app->metricsapi,
                                                 [METRIC_PROMETHEUS] = app->prometheus,
                                                 [METRIC_WORKLOAD] = app->workload}};
    struct autoscaler_options options = {.flags = {.tolerance = o->tolerance,
                                                   .downscale_stabilization = o->downscale_stabilization,
                                                   .cpu_initialization_period = o->cpu_initialization_period,
                                                   .initial_readiness_delay = o->initial_readiness_delay},
                                         .dry_run = o->dry_run,
                                         .namespaces = o->namespaces.items};

    app->autoscaler = autoscaler_new(&world, &options);
}

static int start_server(struct app *app, struct err *err) {
    if (app->options->http_port == 0)
        return 0;
    app->health = (struct health){.loop = app->loop,
                                  .kube = app->kube,
                                  .prometheus = app->prometheus,
                                  .metricsapi = app->metricsapi,
                                  .autoscaler = app->autoscaler};
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
    if (ret == 0)
        ret = start_prometheus(app, err);
    if (ret < 0)
        return ret;
    start_autoscaler(app);
    return start_server(app, err);
}

/* In the reverse order of the start; every part takes NULL. */
static void stop(struct app *app) {
    httpserver_free(app->server);
    autoscaler_free(app->autoscaler);
    prometheus_free(app->prometheus);
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
    stop(&app);
    return ret;
}
