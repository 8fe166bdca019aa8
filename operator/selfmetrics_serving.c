/* Own metrics of the metrics side: sources, cache, rules, kubelets, and the APIs that serve it all. Times are
 * counted in microseconds (usec_t) and told in seconds; only sums of latencies are kept as seconds already.
 *
 * Every label here has few values, whatever the load: a server, a section, an API, a class of answers.
 * Metrics, namespaces and users of requests are none; /decisions and the log tell of those. */
#include "operator/selfmetrics_internal.h"

#include <inttypes.h>

static double seconds(usec_t t) {
    return (double)t / (double)USEC_PER_SEC;
}

/* ---- sources: one sample a server, in families that are written one after the other ---- */

struct source_family {
    const char *name, *type, *help;
    double (*value)(const struct promclient_stats *stats);
};
struct source_writer {
    struct buf *body;
    const struct source_family *family;
};

static double source_requests(const struct promclient_stats *s) {
    return (double)s->requests;
}
static double source_failures(const struct promclient_stats *s) {
    return (double)s->failures;
}
static double source_in_flight(const struct promclient_stats *s) {
    return s->in_flight;
}
static double source_waiting(const struct promclient_stats *s) {
    return s->waiting;
}
static double source_last_success(const struct promclient_stats *s) {
    return seconds(s->last_success);
}
static double source_latency(const struct promclient_stats *s) {
    return s->latency_sum;
}

/* The server of --prometheus-url has no name, and no namespace: both labels are then "". Names are those
 * of objects, which need no escapes. */
static void write_source(void *arg, const char *ns, const char *name, const struct promclient_stats *stats,
                         uint32_t policies) {
    const struct source_writer *w = arg;

    (void)policies;
    buf_printf(w->body, "%s{namespace=\"%s\",source=\"%s\"} %.17g\n", w->family->name, ns, name,
               w->family->value(stats));
}

static void write_source_policies(void *arg, const char *ns, const char *name,
                                  const struct promclient_stats *stats, uint32_t policies) {
    (void)stats;
    buf_printf(arg, "trimtab_source_policies{namespace=\"%s\",source=\"%s\"} %" PRIu32 "\n", ns, name,
               policies);
}

static void write_sources(const struct sources *sources, struct buf *b) {
    static const struct source_family families[] = {
        {"trimtab_source_requests_total", "counter", "Requests to a Prometheus-compatible server.",
         source_requests},
        {"trimtab_source_failures_total", "counter", "Of these, without a usable answer.", source_failures},
        {"trimtab_source_request_seconds_total", "counter", "Time that their answers took.", source_latency},
        {"trimtab_source_in_flight", "gauge", "Requests under way.", source_in_flight},
        {"trimtab_source_waiting", "gauge", "Requests that wait for their turn.", source_waiting},
        {"trimtab_source_last_success_timestamp_seconds", "gauge", "Time of the last good answer.",
         source_last_success},
    };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        struct source_writer writer = {.body = b, .family = &families[i]};
        selfmetrics_head(b, families[i].name, families[i].type, families[i].help);
        sources_each(sources, write_source, &writer);
    }
    selfmetrics_head(b, "trimtab_source_policies", "gauge", "Policies with metrics of this server.");
    sources_each(sources, write_source_policies, b);
}

/* ---- the cache and the rules ---- */

static void write_cache(const struct querycache *cache, struct buf *b) {
    struct querycache_stats s;

    querycache_stats(cache, &s);
    selfmetrics_number(b, "trimtab_query_cache_hits_total", "counter", "Values answered from memory.",
                       (double)s.hits);
    selfmetrics_number(b, "trimtab_query_cache_misses_total", "counter", "Values that had to be waited for.",
                       (double)s.misses);
    selfmetrics_number(b, "trimtab_query_cache_shared_total", "counter",
                       "Of these, by a query that was under way already.", (double)s.shared);
    selfmetrics_number(b, "trimtab_query_cache_fetches_total", "counter", "Queries sent.", (double)s.fetches);
    selfmetrics_number(b, "trimtab_query_cache_wide_total", "counter",
                       "Queries sent for all namespaces at once, of the fetches.", (double)s.wide);
    selfmetrics_number(b, "trimtab_query_cache_failures_total", "counter", "Queries that failed.",
                       (double)s.failures);
    selfmetrics_number(b, "trimtab_query_cache_evicted_total", "counter", "Answers dropped for want of room.",
                       (double)s.evicted);
    selfmetrics_number(b, "trimtab_query_cache_queries", "gauge", "Queries that are kept fresh.", s.queries);
    selfmetrics_number(b, "trimtab_query_cache_bytes", "gauge", "Memory of their answers.", (double)s.bytes);
    selfmetrics_number(b, "trimtab_query_cache_oldest_age_seconds", "gauge",
                       "Age of the oldest answer that is kept fresh.", seconds(s.oldest));
}

/* Two things may be wrong with rules: those in force may not be whole (trimtab_rules_failing), and newer
 * ones may have been refused (trimtab_rules_current, below). */
static void write_ruleset(const struct ruleset *ruleset, struct buf *b) {
    struct ruleset_stats s;

    ruleset_stats(ruleset, &s);
    selfmetrics_number(b, "trimtab_rules_loaded", "gauge", "1 where rules are in force.", s.loaded);
    selfmetrics_number(b, "trimtab_rules_failing", "gauge",
                       "1 while a rule is left out or its series cannot be listed: /readyz says why.",
                       s.error[0] != '\0');
    selfmetrics_head(b, "trimtab_rules", "gauge", "Rules in force.");
    buf_printf(b,
               "trimtab_rules{section=\"rules\"} %" PRIu32
               "\ntrimtab_rules{section=\"externalRules\"} %" PRIu32 "\n",
               s.rules, s.external);
    selfmetrics_head(b, "trimtab_rules_metrics", "gauge", "Metrics that they define, by API.");
    buf_printf(b,
               "trimtab_rules_metrics{api=\"custom.metrics.k8s.io\"} %" PRIu32
               "\ntrimtab_rules_metrics{api=\"external.metrics.k8s.io\"} %" PRIu32 "\n",
               s.metrics, s.external_metrics);
    selfmetrics_number(b, "trimtab_relists_total", "counter", "Rounds of listing series.", (double)s.lists);
    selfmetrics_number(b, "trimtab_relist_failures_total", "counter", "Of these, with a list that failed.",
                       (double)s.failures);
    selfmetrics_number(b, "trimtab_relist_series", "gauge", "Series in the last round.", (double)s.series);
    selfmetrics_number(b, "trimtab_relist_duration_seconds", "gauge", "Time that the last round took.",
                       seconds(s.last_took));
    selfmetrics_number(b, "trimtab_relist_timestamp_seconds", "gauge", "Time of the last round.",
                       seconds(s.last_list));
}

static void write_rulesfollow(const struct rulesfollow *follow, struct buf *b) {
    struct rulesfollow_stats s;

    rulesfollow_stats(follow, &s);
    selfmetrics_number(b, "trimtab_rules_loads_total", "counter", "Configurations taken.", (double)s.loads);
    selfmetrics_number(b, "trimtab_rules_refused_total", "counter",
                       "Configurations refused: the log says why.", (double)s.refused);
    selfmetrics_number(b, "trimtab_rules_current", "gauge", "1 where the newest configuration is in force.",
                       rulesfollow_error(follow)->code == 0);
    selfmetrics_number(b, "trimtab_rules_load_timestamp_seconds", "gauge",
                       "Time at which the configuration in force was taken.", seconds(s.last_load));
}

/* ---- the kubelets ---- */

static void write_kubelets(const struct kubelets *kubelets, struct buf *b) {
    struct kubelets_stats s;

    kubelets_stats(kubelets, &s);
    selfmetrics_number(b, "trimtab_kubelet_scrapes_total", "counter", "Readings of a kubelet.",
                       (double)s.scrapes);
    selfmetrics_number(b, "trimtab_kubelet_failures_total", "counter", "Of these, without an answer.",
                       (double)s.failures);
    selfmetrics_number(b, "trimtab_kubelet_malformed_total", "counter",
                       "Of these, with one that is malformed.", (double)s.malformed);
    selfmetrics_number(b, "trimtab_kubelet_scrape_seconds_total", "counter", "Time that they took.",
                       s.latency_sum);
    selfmetrics_number(b, "trimtab_kubelet_nodes", "gauge", "Nodes whose kubelet is read.", s.nodes);
    selfmetrics_number(b, "trimtab_kubelet_nodes_answered", "gauge", "Of these, with data that is current.",
                       s.answered);
    selfmetrics_number(b, "trimtab_kubelet_pods", "gauge", "Pods with data.", s.pods);
    selfmetrics_number(b, "trimtab_kubelet_bytes", "gauge", "Memory of the data.", (double)s.bytes);
}

/* ---- the APIs ---- */

/* Classes from 2xx on: there are no answers of class 1. All of them are written from the start, at 0:
 * rate() does not see a counter that begins with 1. */
static void write_served(const struct metricsserver *server, struct buf *b) {
    static const char *const name = "trimtab_api_request_duration_seconds";
    const struct metricsserver_stats *s = metricsserver_stats(server);
    char labels[64];

    selfmetrics_head(b, "trimtab_api_requests_total", "counter", "Requests to the secure port.");
    for (int kind = 0; kind < SERVED_KINDS; kind++)
        for (int class = 2; class <= 5; class ++)
            buf_printf(b, "trimtab_api_requests_total{api=\"%s\",code=\"%dxx\"} %" PRIu64 "\n",
                       metricsserver_kind_name(kind), class, s->by_class[kind][class]);
    selfmetrics_head(b, name, "histogram", "Time to their answer.");
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        snprintf(labels, sizeof(labels), "api=\"%s\"", metricsserver_kind_name(kind));
        selfmetrics_histogram(b, &(struct selfmetrics_histogram){.name = name,
                                                                 .labels = labels,
                                                                 .bounds = served_bounds,
                                                                 .counts = s->latency_count[kind],
                                                                 .buckets = SERVED_BUCKETS,
                                                                 .sum = s->latency_sum[kind]});
    }
    selfmetrics_number(b, "trimtab_api_waiting", "gauge", "Requests that wait for their answer.", s->waiting);
    selfmetrics_number(b, "trimtab_api_remote_total", "counter", "Requests passed on to the remote adapter.",
                       (double)s->remote);
}

static void write_remote(const struct remote *remote, struct buf *b) {
    struct remote_stats s;

    remote_stats(remote, &s);
    selfmetrics_number(b, "trimtab_remote_up", "gauge", "1 where the remote adapter answered last time.",
                       s.up);
    selfmetrics_number(b, "trimtab_remote_failures_total", "counter", "Requests to it without an answer.",
                       (double)s.failures);
    selfmetrics_number(b, "trimtab_remote_metrics", "gauge", "Metrics that it lists.", s.entries);
    selfmetrics_number(b, "trimtab_remote_list_timestamp_seconds", "gauge", "When its lists were read last.",
                       seconds(s.last_list));
}

static void write_connections(const struct httpsserver *server, struct buf *b) {
    struct httpsserver_stats s;

    httpsserver_stats(server, &s);
    selfmetrics_number(b, "trimtab_api_answer_bytes", "gauge", "Memory of answers that are on their way.",
                       (double)s.answer_bytes);
    selfmetrics_number(b, "trimtab_api_connections", "gauge", "Connections to the secure port.",
                       s.connections);
    selfmetrics_number(b, "trimtab_api_connections_total", "counter", "Connections taken.",
                       (double)s.accepted);
    selfmetrics_number(b, "trimtab_api_connections_refused_total", "counter",
                       "Connections refused: too many, or no certificate yet.", (double)s.refused);
    selfmetrics_number(b, "trimtab_api_connections_replaced_total", "counter",
                       "Connections without a request under way that were closed for a new one.",
                       (double)s.replaced);
    selfmetrics_number(b, "trimtab_api_handshake_failures_total", "counter", "TLS handshakes that failed.",
                       (double)s.handshakes_failed);
}

static void write_access(const struct access *access, struct buf *b) {
    struct access_stats s;

    access_stats(access, &s);
    selfmetrics_head(b, "trimtab_access_reviews_total", "counter",
                     "Questions to the apiserver about who may.");
    buf_printf(b,
               "trimtab_access_reviews_total{kind=\"token\"} %" PRIu64
               "\ntrimtab_access_reviews_total{kind=\"subject\"} %" PRIu64 "\n",
               s.token_reviews, s.access_reviews);
    selfmetrics_number(b, "trimtab_access_cache_hits_total", "counter", "Verdicts from memory.",
                       (double)s.cache_hits);
    selfmetrics_number(b, "trimtab_access_denied_total", "counter", "Requests that were forbidden.",
                       (double)s.denied);
    selfmetrics_number(b, "trimtab_access_unauthenticated_total", "counter",
                       "Requests with credentials that do not hold.", (double)s.unauthenticated);
    selfmetrics_number(b, "trimtab_access_failures_total", "counter", "Questions without an answer.",
                       (double)s.failures);
}

void selfmetrics_write_serving(const struct serving *serving, struct buf *b) {
    const struct serving *s = serving;

    write_sources(s->sources, b);
    write_cache(s->cache, b);
    write_ruleset(s->ruleset, b);
    if (s->rulesfollow)
        write_rulesfollow(s->rulesfollow, b);
    if (s->kubelets)
        write_kubelets(s->kubelets, b);
    if (s->remote)
        write_remote(s->remote, b);
    /* With --secure-port 0 nothing is served, and from here on there is nothing to count. */
    if (!s->server)
        return;
    write_served(s->metricsserver, b);
    write_connections(s->server, b);
    write_access(s->access, b);
    /* A timestamp and not what is left: an alert subtracts time(), and it is right between scrapes too. */
    selfmetrics_number(b, "trimtab_certificate_not_after_timestamp_seconds", "gauge",
                       "When the serving certificate ends.", seconds(servingcert_not_after(s->cert)));
}
