/* Builds the metrics side from the options, in the order in which its parts need one another.
 *
 * It has two halves with the autoscaler between them. serving_start makes where metrics come from, which the
 * autoscaler subscribes to; serving_listen makes the secure port, whose health tells of the autoscaler. The
 * end is the same in reverse: serving_close, autoscaler_free, serving_stop. That is the only reason for two
 * functions each.
 *
 *   sources -> cache -> rules (ownmetrics, resourcerules) --.
 *   kubelets ------------------------------------------------+-> preferred -> autoscaler
 *   the cluster's metrics APIs (other adapters) -------------'
 *
 * The metrics APIs are served from the same parts, but never from the cluster's: a request for what we do not
 * have would come back to us through the aggregator. For those there is the remote adapter, which is asked
 * directly. */
#include "operator/serving.h"

#include "base/str.h"
#include "operator/version.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const usec_t LOOK = USEC_PER_SEC;

/* ---- where metrics come from ---- */

/* The options' texts are copied by sources_new, so the arena may go. */
static int start_sources(struct serving *s, struct err *err) {
    const struct options *o = s->options;
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    struct prometheus_options fallback = options_prometheus(o, &arena);
    const struct sources_world world = {.loop = s->world.loop,
                                        .http = s->world.http,
                                        .kube = s->world.kube,
                                        .discovery = s->world.discovery,
                                        .informers = s->world.informers,
                                        .fallback = o->prometheus_url ? &fallback : NULL,
                                        .own_ns =
                                            o->own_namespace ? o->own_namespace : getenv("POD_NAMESPACE"),
                                        .write_status = !o->dry_run};
    int ret = sources_new(&world, &s->sources, err);
    return ret < 0 ? err_wrap(err, "--prometheus-url and what belongs to it") : 0;
}

/* All but the following is made without any rules as well: the APIs are served then, empty, as an HPA that
 * asks shall be told "no such metric" and not "no such API". */
static int start_rules(struct serving *s, struct err *err) {
    const struct options *o = s->options;

    if (o->rules && o->rules_configmap)
        return err_set(err, -EINVAL, "--rules and --rules-configmap: only one of the two can be given");
    s->cache = querycache_new(s->world.loop,
                              &(struct querycache_options){.freshness = o->freshness, .max_age = o->stale});
    s->ruleset =
        ruleset_new(s->world.loop, s->world.discovery, s->sources,
                    &(struct ruleset_options){.relist = o->relist_interval, .max_age = o->metrics_max_age});
    const struct ownmetrics_world own = {.loop = s->world.loop,
                                         .discovery = s->world.discovery,
                                         .informers = s->world.informers,
                                         .sources = s->sources,
                                         .ruleset = s->ruleset,
                                         .cache = s->cache,
                                         .namespaces = o->namespaces.items};
    s->own = ownmetrics_new(&own);
    const struct resourcerules_world resource = {.loop = s->world.loop,
                                                 .discovery = s->world.discovery,
                                                 .informers = s->world.informers,
                                                 .sources = s->sources,
                                                 .ruleset = s->ruleset,
                                                 .cache = s->cache};
    s->resourcerules = resourcerules_new(&resource);
    if (!o->rules && !o->rules_configmap)
        return 0;
    return rulesfollow_new(s->world.loop, s->world.kube, s->ruleset,
                           &(struct rulesfollow_place){o->rules, o->rules_configmap}, &s->rulesfollow, err);
}

static int start_remote(struct serving *s, struct err *err) {
    const struct options *o = s->options;
    const struct remote_options options = {.target = o->remote_adapter,
                                           .ca_file = o->remote_ca_file,
                                           .cert_file = o->remote_cert_file,
                                           .key_file = o->remote_key_file,
                                           .ourselves = s->world.config};

    /* Only requests to the secure port are passed on: policies ask other adapters through the apiserver. */
    if (!o->remote_adapter || o->secure_port == 0)
        return 0;
    int ret = remote_new(s->world.loop, s->world.http, s->world.kube, &options, &s->remote, err);
    return ret < 0 ? err_wrap(err, "--remote-adapter") : 0;
}

static int start_kubelets(struct serving *s, struct err *err) {
    const struct options *o = s->options;
    const struct kubelets_world world = {.loop = s->world.loop,
                                         .http = s->world.http,
                                         .kube = s->world.kube,
                                         .discovery = s->world.discovery,
                                         .informers = s->world.informers};
    const struct kubelets_options options = {.resolution = o->metric_resolution,
                                             .preferred_types = o->kubelet_address_types.items,
                                             .port = (int)o->kubelet_port,
                                             .use_node_status_port = o->kubelet_status_port,
                                             .insecure_tls = o->kubelet_insecure_tls,
                                             .ca_file = o->kubelet_ca_file,
                                             .cert_file = o->kubelet_cert_file,
                                             .key_file = o->kubelet_key_file,
                                             .request_timeout = o->kubelet_timeout,
                                             .node_selector = o->node_selector,
                                             .deprecated_completely_insecure = o->kubelet_insecure};

    if (!o->kubelet_metrics)
        return 0;
    return kubelets_new(&world, &options, &s->kubelets, err);
}

/* ---- ours before the cluster's ---- */

/* The only two that kubelets and resourceRules know. A Resource metric may have any
 * name; the others are asked of the cluster. */
static bool is_usage(const struct metric_spec *metric) {
    return str_eq(metric->metric, "cpu") || str_eq(metric->metric, "memory");
}

/* These three are asked at each subscription and each reconsideration, for every metric of every policy:
 * they only look at what is in memory. */
static bool serves_resource(void *arg, const struct metric_spec *metric, const char *ns) {
    const struct serving *s = arg;

    (void)ns;
    return s->kubelets && is_usage(metric) && kubelets_serves(s->kubelets);
}

static bool serves_by_rules(void *arg, const struct metric_spec *metric, const char *ns) {
    const struct serving *s = arg;

    (void)ns;
    return is_usage(metric) && resourcerules_serve(s->resourcerules);
}

static bool serves_custom(void *arg, const struct metric_spec *metric, const char *ns) {
    const struct serving *s = arg;

    return ownmetrics_defines(s->own, metric, ns);
}

/* As prometheus-adapter refuses to start with a file that names what the cluster does not have: who gave it
 * is there to see it. Of a file that changes later the last good one stays; of a ConfigMap, which the chart
 * has, the rule alone is left out, so that a kind that goes does not take every restart of us with it. */
static void check_first_rules(struct serving *s) {
    if (!s->options->rules || s->rules_checked || !discovery_loaded(s->world.discovery))
        return;
    s->rules_checked = true;
    if (ruleset_check(s->ruleset, &s->failure) < 0)
        loop_stop(s->world.loop);
}

/* Told last: ownmetrics and resourcerules have subscribed to the ruleset before start_preferred did, and
 * so know the new rules when they are asked what they serve. resource is
 * not asked: it chooses by the kubelets alone, and usage, which may stand behind it, for itself. */
static void on_rules(void *arg) {
    struct serving *s = arg;

    preferred_reconsider(s->custom);
    preferred_reconsider(s->usage);
    check_first_rules(s);
}

/* Data come with an answer and go with time alone, when one has been missing for long: nothing would call us.
 * Policies subscribe at any time, so that a change since the last look is not all there is to find. */
static void on_look(void *arg) {
    struct serving *s = arg;

    preferred_reconsider(s->resource);
    loop_timer_set(s->look, LOOK);
}

/* Usage comes from the kubelets, else by resourceRules, else from the API. */
static void start_preferred(struct serving *s) {
    const struct preferred_options usage = {.first = resourcerules_source(s->resourcerules),
                                            .second = s->world.metricsapi,
                                            .serves = serves_by_rules,
                                            .arg = s};

    s->usage = preferred_new(&usage);
    const struct preferred_options resource = {.first = s->kubelets ? kubelets_source(s->kubelets) : NULL,
                                               .second = s->usage,
                                               .serves = serves_resource,
                                               .arg = s},
                                   custom = {.first = ownmetrics_source(s->own),
                                             .second = s->world.metricsapi,
                                             .serves = serves_custom,
                                             .arg = s};

    s->resource = preferred_new(&resource);
    s->custom = preferred_new(&custom);
    ruleset_on_change(s->ruleset, on_rules, s);
    if (!s->kubelets)
        return;
    s->look = loop_timer_new(s->world.loop, on_look, s);
    loop_timer_set(s->look, LOOK);
}

int serving_start(struct serving *serving, const struct serving_world *world, const struct options *options,
                  struct err *err) {
    *serving = (struct serving){.world = *world, .options = options, .started = loop_now(world->loop)};
    int ret = start_sources(serving, err);
    if (ret == 0)
        ret = start_rules(serving, err);
    if (ret == 0)
        ret = start_kubelets(serving, err);
    if (ret == 0)
        ret = start_remote(serving, err);
    if (ret == 0)
        start_preferred(serving);
    return ret;
}

/* ---- the secure port ---- */

static int start_access(struct serving *s, struct err *err) {
    const struct options *o = s->options;
    const struct access_options options = {
        .client_ca_file = o->client_ca_file,
        .requestheader_client_ca_file = o->requestheader_ca_file,
        .requestheader_allowed_names = o->requestheader_names.items,
        .requestheader_username_headers = o->requestheader_users.items,
        .requestheader_group_headers = o->requestheader_groups.items,
        .requestheader_extra_headers_prefix = o->requestheader_extras.items,
        .skip_lookup = o->skip_lookup,
        .tolerate_lookup_failure = o->tolerate_lookup_failure,
        .token_ttl = o->token_ttl,
        .authorized_ttl = o->authorized_ttl,
        .unauthorized_ttl = o->unauthorized_ttl,
        .always_allow_paths = o->always_allow_paths.items,
    };

    int ret = access_new(s->world.loop, s->world.kube, s->server, &options, &s->access, err);
    if (ret == 0)
        metricsserver_set_access(s->metricsserver, s->access);
    return ret;
}

/* "NAMESPACE/NAME" into its halves, in the arena; NULL leaves both as they are. */
static int split_name(const char *flag, const char *text, struct arena *arena, const char **ret_ns,
                      const char **ret_name, struct err *err) {
    const char *slash = text ? strchr(text, '/') : NULL;

    if (!text)
        return 0;
    if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/'))
        return err_set(err, -EINVAL, "--%s: \"%s\" is not of the form NAMESPACE/NAME", flag, text);
    *ret_ns = arena_strndup(arena, text, (size_t)(slash - text));
    *ret_name = arena_strdup(arena, slash + 1);
    return 0;
}

/* metrics.k8s.io is not among them: kubelets are read for policies too, beside a metrics-server. */
static void follow_apiservices(struct serving *s, const struct servingcert_options *cert) {
    static const char *const by_rules[] = {"v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io",
                                           "v1beta1.external.metrics.k8s.io", NULL};
    const struct options *o = s->options;
    bool serves = o->rules || o->rules_configmap || o->remote_adapter;
    const struct apiservices_options options = {.service_ns = cert->service_ns,
                                                .service = cert->service,
                                                .managed = o->apiservices.items,
                                                .expected = serves ? by_rules : NULL};

    if (cert->service)
        s->apiservices = apiservices_new(s->world.loop, s->world.kube, &options);
}

/* What it is started with is copied by those who need it, so the arena goes at the end. The APIServices
 * come first: the certificate tells them whom to trust as soon as it has one. */
static int start_certificate(struct serving *s, struct err *err) {
    const struct options *o = s->options;
    struct servingcert_options options = {
        .cert_file = o->tls_cert_file, .key_file = o->tls_key_file, .cert_dir = o->cert_dir};
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    if (!o->tls_cert_file != !o->tls_key_file)
        return err_set(err, -EINVAL, "--tls-cert-file and --tls-private-key-file: both are needed, or none");
    int ret = split_name("cert-secret", o->cert_secret, &arena, &options.secret_ns, &options.secret, err);
    if (ret == 0)
        ret = split_name("service", o->service, &arena, &options.service_ns, &options.service, err);
    if (ret == 0 && o->apiservices.count && !o->service)
        ret = err_set(err, -EINVAL, "--manage-apiservices: --service is needed, that they shall point at");
    if (ret < 0)
        return ret;
    follow_apiservices(s, &options);
    options.apiservices = s->apiservices;
    return servingcert_new(s->world.loop, s->world.kube, s->server, &options, &s->cert, err);
}

int serving_listen(struct serving *serving, metricsserver_health_fn *health, void *arg, struct err *err) {
    struct serving *s = serving;
    const struct options *o = s->options;

    if (o->secure_port == 0)
        return 0;
    s->metricsserver = metricsserver_new(&(struct metricsserver_world){.loop = s->world.loop,
                                                                       .ruleset = s->ruleset,
                                                                       .own = s->own,
                                                                       .kubelets = s->kubelets,
                                                                       .resourcerules = s->resourcerules,
                                                                       .remote = s->remote,
                                                                       .version = TRIMTAB_VERSION,
                                                                       .health = health,
                                                                       .health_arg = arg});
    const struct httpsserver_options options = {
        .address = o->bind_address,
        .port = (int)o->secure_port,
        .tls_min_version = str_eq(o->tls_min_version, "VersionTLS13") ? 13 : 12,
        .handler = metricsserver_handle,
        .arg = s->metricsserver,
    };
    int ret = httpsserver_new(s->world.loop, &options, &s->server, err);
    if (ret < 0)
        return err_wrap(err, "--secure-port %d", (int)o->secure_port);
    ret = start_access(s, err);
    if (ret == 0)
        ret = start_certificate(s, err);
    if (ret == 0)
        log_info(NULL, "metrics APIs on port %d", httpsserver_port(s->server));
    return ret;
}

void serving_drain(struct serving *serving, usec_t limit, loop_fn *done, void *arg) {
    if (serving->server)
        httpsserver_drain(serving->server, limit, done, arg);
    else
        done(arg);
}

/* ---- health and end ---- */

/* Between the first and the second reading of the kubelets that answer; those that do not answer shall not
 * keep the other two APIs from being reached. */
static const usec_t KUBELETS_WAIT = USEC_PER_MIN;

static bool kubelets_wait(const struct serving *s) {
    struct kubelets_stats stats = {0};

    if (!s->kubelets || kubelets_ready(s->kubelets) || loop_now(s->world.loop) - s->started >= KUBELETS_WAIT)
        return false;
    kubelets_stats(s->kubelets, &stats);
    return stats.answered > 0 || (stats.nodes > 0 && stats.failures == 0);
}

static bool missing(struct buf *why, const char *what, const struct err *err) {
    buf_printf(why, "%s%s%s\n", what, err && err->code ? ": " : "", err && err->code ? err_text(err) : "");
    return false;
}

/* A ConfigMap comes when the apiserver sends it; one that is refused, or is not there, is not waited for. */
static bool rules_wait(const struct serving *s) {
    struct rulesfollow_stats stats;

    if (!s->rulesfollow || rulesfollow_error(s->rulesfollow)->code)
        return false;
    rulesfollow_stats(s->rulesfollow, &stats);
    return stats.loads == 0;
}

bool serving_ready(const struct serving *serving, struct buf *why) {
    const struct serving *s = serving;
    bool ready = true;

    if (rules_wait(s))
        ready = missing(why, "the rules have not been read yet", NULL);
    if (!ruleset_ready(s->ruleset))
        ready = missing(why, "the series of the rules have not been listed yet",
                        s->rulesfollow ? rulesfollow_error(s->rulesfollow) : NULL);
    if (s->access && !access_ready(s->access))
        ready = missing(why, "the front proxy's authority is not known yet", access_error(s->access));
    if (s->cert && !servingcert_ready(s->cert))
        ready = missing(why, "there is no serving certificate yet", servingcert_error(s->cert));
    if (kubelets_wait(s))
        ready = missing(why, "the kubelets have not been read twice yet", NULL);
    return ready;
}

static void warn_of(struct buf *out, const char *what, const struct err *err) {
    if (err->code)
        buf_printf(out, "warning: %s: %s\n", what, err_text(err));
}

/* One that we do not expect to have is the business of whoever has it. */
static void warn_of_apiservice(void *arg, const struct apiservice_state *state) {
    if (state->expected && state->err->code)
        buf_printf(arg, "warning: %s\n", err_text(state->err));
}

void serving_warnings(const struct serving *serving, struct buf *out) {
    struct ruleset_stats rules;

    ruleset_stats(serving->ruleset, &rules);
    if (rules.error[0])
        buf_printf(out, "warning: rules: %s\n", rules.error);
    if (serving->rulesfollow)
        warn_of(out, "rules", rulesfollow_error(serving->rulesfollow));
    if (serving->access)
        warn_of(out, "authentication", access_error(serving->access));
    if (serving->cert)
        warn_of(out, "certificate", servingcert_error(serving->cert));
    if (serving->apiservices)
        apiservices_each(serving->apiservices, warn_of_apiservice, out);
}

/* In the reverse order of the start; every part takes NULL. The server goes before access and metricsserver:
 * those who still wait for an answer are ended with it, in both. */
void serving_close(struct serving *serving) {
    struct serving *s = serving;

    servingcert_free(steal_ptr(&s->cert));
    apiservices_free(steal_ptr(&s->apiservices));
    httpsserver_free(steal_ptr(&s->server));
    access_free(steal_ptr(&s->access));
    metricsserver_free(steal_ptr(&s->metricsserver));
}

/* Every subscription has ended with the autoscaler. What chooses goes before what is chosen from, what
 * asks before the cache, and the cache before the servers that its answers are of. */
void serving_stop(struct serving *serving) {
    struct serving *s = serving;

    loop_timer_free(s->look);
    remote_free(s->remote);
    preferred_free(s->resource);
    preferred_free(s->usage);
    preferred_free(s->custom);
    kubelets_free(s->kubelets);
    rulesfollow_free(s->rulesfollow);
    resourcerules_free(s->resourcerules);
    ownmetrics_free(s->own);
    ruleset_free(s->ruleset);
    querycache_free(s->cache);
    sources_free(s->sources);
}
