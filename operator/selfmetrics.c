/* The operator's own metrics, by Prometheus' naming conventions: seconds and bytes, counters that end in
 * _total.
 *
 * Nothing is kept here. Each part counts for itself and is asked when somebody scrapes, so that metrics that
 * nobody reads cost nothing, and a scrape is a walk over numbers that are there.
 *
 * The text format wants all samples of a family in one group, behind its HELP and TYPE. Where there are
 * several things with the same families (informers, sources) each family walks over all of them. */
#include "operator/selfmetrics_internal.h"

#include <inttypes.h>
#include <malloc.h>

void selfmetrics_head(struct buf *b, const char *name, const char *type, const char *help) {
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* 17 digits bring a double back as it was. Counters are whole numbers of 64 bits, which a double holds up
 * to 2^53: more than any of them reaches. */
void selfmetrics_number(struct buf *b, const char *name, const char *type, const char *help, double value) {
    selfmetrics_head(b, name, type, help);
    buf_printf(b, "%s %.17g\n", name, value);
}

void selfmetrics_histogram(struct buf *b, const struct selfmetrics_histogram *histogram) {
    const struct selfmetrics_histogram *h = histogram;
    const char *comma = *h->labels ? "," : "", *open = *h->labels ? "{" : "", *close = *h->labels ? "}" : "";
    uint64_t sum = 0;

    /* Prometheus' buckets hold what is in the smaller ones, too; ours are counted apart. */
    for (int i = 0; i < h->buckets; i++) {
        sum += h->counts[i];
        if (i < h->buckets - 1)
            buf_printf(b, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", h->name, h->labels, comma, h->bounds[i],
                       sum);
    }
    buf_printf(b, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", h->name, h->labels, comma, sum);
    buf_printf(b, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %" PRIu64 "\n", h->name, open, h->labels, close, h->sum,
               h->name, open, h->labels, close, sum);
}

/* verbs in the order of enum kube_verb, watches behind them, as in kube_stats. */
static void write_requests(const struct kube_stats *s, struct buf *b) {
    static const char *const verbs[] = {"get", "create", "patch", "apply", "delete", "watch"};
    static const char *const name = "trimtab_kube_request_duration_seconds";

    selfmetrics_head(b, "trimtab_kube_requests_total", "counter", "Requests to the kube-apiserver by verb.");
    for (size_t i = 0; i < sizeof(s->by_verb) / sizeof(s->by_verb[0]); i++)
        buf_printf(b, "trimtab_kube_requests_total{verb=\"%s\"} %" PRIu64 "\n", verbs[i], s->by_verb[i]);
    selfmetrics_head(b, "trimtab_kube_responses_total", "counter", "Answers of the kube-apiserver by class.");
    for (int i = 1; i <= 5; i++)
        buf_printf(b, "trimtab_kube_responses_total{code=\"%dxx\"} %" PRIu64 "\n", i, s->by_class[i]);
    buf_printf(b, "trimtab_kube_responses_total{code=\"none\"} %" PRIu64 "\n", s->failed);
    selfmetrics_head(b, name, "histogram", "Time to the end of an answer.");
    selfmetrics_histogram(b, &(struct selfmetrics_histogram){.name = name,
                                                             .labels = "",
                                                             .bounds = kube_latency_bounds,
                                                             .counts = s->latency_count,
                                                             .buckets = KUBE_LATENCY_BUCKETS,
                                                             .sum = s->latency_sum});
}

static void write_autoscaler(const struct autoscaler *autoscaler, struct buf *b) {
    struct autoscaler_stats s;

    autoscaler_stats(autoscaler, &s);
    selfmetrics_number(b, "trimtab_policies", "gauge", "Policies in memory.", (double)s.policies);
    selfmetrics_number(b, "trimtab_decisions_total", "counter", "Decisions made.", (double)s.decisions);
    selfmetrics_number(b, "trimtab_scale_writes_total", "counter", "Patches of a scale subresource.",
                       (double)s.scale_writes);
    selfmetrics_number(b, "trimtab_scale_conflicts_total", "counter",
                       "Of these, answered 409 and decided again.", (double)s.scale_conflicts);
    selfmetrics_number(b, "trimtab_scale_failures_total", "counter", "Of these, failed.",
                       (double)s.scale_failures);
    selfmetrics_number(b, "trimtab_scale_reads_total", "counter", "Reads of a scale subresource.",
                       (double)s.scale_reads);
    selfmetrics_number(b, "trimtab_status_writes_total", "counter", "Patches of a policy's status.",
                       (double)s.status_writes);
    selfmetrics_number(b, "trimtab_status_failures_total", "counter", "Of these, failed.",
                       (double)s.status_failures);
    selfmetrics_number(b, "trimtab_events_total", "counter", "Events sent.", (double)s.events);
    selfmetrics_number(b, "trimtab_events_dropped_total", "counter",
                       "Events not sent: repeated, or over the rate limit.", (double)s.events_dropped);
    selfmetrics_number(b, "trimtab_decision_records_bytes", "gauge",
                       "Memory of the last decisions that are kept.", (double)s.record_bytes);
}

/* One family of samples over all informers. */
struct informer_family {
    struct buf *body;
    const char *name;
    double (*value)(const struct informer_stats *stats);
};

static double informer_objects(const struct informer_stats *s) {
    return (double)s->objects;
}
static double informer_bytes(const struct informer_stats *s) {
    return (double)s->bytes;
}
static double informer_lists(const struct informer_stats *s) {
    return (double)s->lists;
}
static double informer_events(const struct informer_stats *s) {
    return (double)s->events;
}
static double informer_errors(const struct informer_stats *s) {
    return (double)s->errors;
}

/* Of one resource two versions may be followed, where targets name both. */
static void write_sample(struct buf *b, const char *name, const struct resource *resource, double value) {
    buf_printf(b, "%s{resource=\"%s%s%s\",version=\"%s\"} %.17g\n", name, resource->plural,
               *resource->group ? "." : "", resource->group, resource->version, value);
}

static void write_informer(void *arg, const struct resource *resource, const struct informer *informer) {
    const struct informer_family *family = arg;
    struct informer_stats s;

    informer_stats(informer, &s);
    write_sample(family->body, family->name, resource, family->value(&s));
}

static const char failing[] = "trimtab_informer_failing";

/* No counter, as it is to be seen how long it lasts: an alert is on 1 for some minutes. */
static void write_failing(void *arg, const struct resource *resource, const struct informer *informer) {
    write_sample(arg, failing, resource, informer_error(informer)->code != 0);
}

static void write_informers(const struct informers *informers, struct buf *b) {
    static const struct {
        const char *name, *type, *help;
        double (*value)(const struct informer_stats *stats);
    } families[] = {
        {"trimtab_informer_objects", "gauge", "Objects in the cache.", informer_objects},
        {"trimtab_informer_bytes", "gauge", "About how much memory they take.", informer_bytes},
        {"trimtab_informer_lists_total", "counter", "Full lists.", informer_lists},
        {"trimtab_informer_events_total", "counter", "Events of watches.", informer_events},
        {"trimtab_informer_errors_total", "counter", "Lists and watches that failed.", informer_errors},
    };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        struct informer_family family = {.body = b, .name = families[i].name, .value = families[i].value};
        selfmetrics_head(b, families[i].name, families[i].type, families[i].help);
        informers_each(informers, write_informer, &family);
    }
    selfmetrics_head(b, failing, "gauge", "1 while its list or watch fails: /readyz says why.");
    informers_each(informers, write_failing, b);
}

/* The owner is a label of a sample that is always 1; that of the owner before ends with it. */
static void write_apiservice(void *arg, const struct apiservice_state *state) {
    static const char *const owners[] = {[APISERVICE_UNKNOWN] = "unknown",
                                         [APISERVICE_NOBODY] = "nobody",
                                         [APISERVICE_US] = "us",
                                         [APISERVICE_OTHER] = "other"};

    buf_printf(arg, "trimtab_apiservice_owner{apiservice=\"%s\",expected=\"%s\",owner=\"%s\"} 1\n",
               state->name, state->expected ? "true" : "false", owners[state->owner]);
}

static void write_apiservices(const struct apiservices *services, struct buf *b) {
    selfmetrics_head(b, "trimtab_apiservice_owner", "gauge",
                     "1 for whom the apiserver asks for a metrics API: us, other, nobody; or unknown.");
    apiservices_each(services, write_apiservice, b);
}

static void write_metricsapi(const struct metric_source *source, struct buf *b) {
    struct metricsapi_stats s;

    metricsapi_stats(source, &s);
    selfmetrics_number(b, "trimtab_metrics_api_requests_total", "counter",
                       "Requests for metrics to the cluster's metrics APIs.", (double)s.requests);
    selfmetrics_number(b, "trimtab_metrics_api_failures_total", "counter",
                       "Of these, without a usable answer.", (double)s.failures);
    selfmetrics_number(b, "trimtab_metrics_api_followed", "gauge",
                       "Different things that are asked for regularly.", (double)s.followed);
}

void selfmetrics_write(const struct health *health, struct buf *body) {
    write_autoscaler(health->autoscaler, body);
    write_informers(health->informers, body);
    write_requests(kube_stats(health->kube), body);
    write_metricsapi(health->metricsapi, body);
    /* What is off has no families at all: a 0 would look like something that is on and idle. */
    if (health->serving->apiservices)
        write_apiservices(health->serving->apiservices, body);
    selfmetrics_write_serving(health->serving, body);
    /* It begins anew with each scrape. Of two who scrape each sees a part; their maximum is right. */
    selfmetrics_number(body, "trimtab_loop_lag_seconds", "gauge",
                       "Longest turn of the loop since the last scrape.",
                       (double)loop_take_lag(health->loop) / (double)USEC_PER_SEC);
    /* Without the large blocks that malloc takes from the kernel one by one (hblkhd): they come and go with
     * long answers. */
    selfmetrics_number(body, "trimtab_heap_bytes", "gauge", "Bytes of the heap in use.",
                       (double)mallinfo2().uordblks);
}
