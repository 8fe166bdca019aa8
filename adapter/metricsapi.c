/* The metrics APIs as a source: subscriptions share questions, and read their part of the answers.
 *
 * A subscription holds its fetch (metricsapi_fetch.c) by being in the fetch's list: the last one to leave
 * ends it. What they share is the question; maxAge, the container and the resource are each one's own and
 * applied when it reads. So the Resource metrics of a namespace cost one request, whatever its policies look
 * at. */
#include "adapter/metricsapi_internal.h"
#include "adapter/staleness.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* Whatever a policy wants: most adapters ask their server anew for each request. */
static const usec_t INTERVAL_MIN = USEC_PER_SEC;

struct metric_subscription {
    struct subscriber head;      /* first: its list hands it back */
    struct metrics_fetch *fetch; /* NULL: cannot be asked for, why says why not */
    char *why;
    bool per_usage;             /* of a Resource or ContainerResource: resource of the container, or of all */
    char *resource, *container; /* container NULL: all */
    struct staleness staleness;
};

/* q is taken over by a new fetch, or given up where there is one that asks the same. */
static struct metrics_fetch *fetch_of(struct metricsapi *s, struct metrics_question *q, usec_t interval) {
    struct metrics_fetch *f = map_get(&s->fetches, q->key);

    if (!f)
        return metrics_fetch_new(s, q, interval);
    metrics_question_done(q);
    return f;
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct metricsapi *s = (struct metricsapi *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);
    const struct metric_spec *metric = request->metric;
    struct metrics_question question;
    struct err err = {0};

    sub->head = (struct subscriber){
        .interval = request->interval ? request->interval : s->interval, .changed = changed, .arg = arg};
    if (sub->head.interval < INTERVAL_MIN)
        sub->head.interval = INTERVAL_MIN;
    sub->staleness.max_age = metric->max_age;
    if (metrics_question_init(&question, metric, request->ns, &err) < 0) {
        sub->why = xstrdup(err.text);
        return sub;
    }
    sub->per_usage = question.group == GROUP_RESOURCE;
    sub->resource = xstrdup(str_or_empty(metric->metric));
    if (metric->type == METRIC_CONTAINER_RESOURCE)
        sub->container = xstrdup(str_or_empty(metric->container));
    /* One that is there may be asked for too rarely for this one: the pace is that of the whole list. */
    sub->fetch = fetch_of(s, &question, sub->head.interval);
    subscribers_add(&sub->fetch->users, &sub->head);
    metrics_fetch_pace(sub->fetch);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct metrics_fetch *f = sub->fetch;

    (void)source;
    /* All of it may happen while f tells its subscribers, this one or another: then f outlives being dropped
     * until they have been told. */
    if (f)
        subscribers_remove(&f->users, &sub->head);
    free(sub->why);
    free(sub->resource);
    free(sub->container);
    staleness_done(&sub->staleness);
    free(sub);
    if (f && !f->users.first)
        metrics_fetch_drop(f);
    else if (f)
        metrics_fetch_pace(f);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct metrics_fetch *f = sub->fetch;

    (void)source;
    /* What cannot be asked for never can: the specification of a subscription does not change. */
    if (!f) {
        *ret_sample = (struct sample){.quality = QUALITY_FAILED, .message = sub->why, .warning = ""};
        return;
    }
    *ret_sample = (struct sample){.quality = f->quality,
                                  .value = (double)f->milli / 1000,
                                  .milli = f->milli,
                                  .at = f->at,
                                  .message = f->message,
                                  .warning = "",
                                  .origin = f->api->info->name};
    staleness_apply(&sub->staleness, now, ret_sample);
}

/* HPA looks for the pod's name in the list of its namespace; the list may have it twice, and the last counts.
 */
static void read_pod(const struct metric_subscription *sub, const char *name, usec_t now,
                     struct pod_value *ret_value) {
    const struct metrics_item *item = map_get(&sub->fetch->table->items, name);

    *ret_value = (struct pod_value){0};
    if (!item || staleness_too_old(&sub->staleness, item->at, now))
        return;
    *ret_value =
        (struct pod_value){.known = true, .milli = item->milli, .at = item->at, .window = item->window};
    if (sub->per_usage)
        ret_value->known = metrics_item_usage(item, sub->resource, sub->container, &ret_value->milli);
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    (void)source;
    for (uint32_t i = 0; i < count; i++) {
        if (sub->fetch && sub->fetch->table)
            read_pod(sub, pods[i]->meta.name, now, &ret_values[i]);
        else
            ret_values[i] = (struct pod_value){0};
    }
}

struct metric_source *metricsapi_new(struct loop *loop, struct kube *kube, struct discovery *discovery,
                                     const struct metricsapi_options *options) {
    static const struct metric_source_ops ops = {.name = "the metrics APIs",
                                                 .subscribe = subscribe,
                                                 .unsubscribe = unsubscribe,
                                                 .read = read_sample,
                                                 .read_pods = read_pods};
    const struct metricsapi_options none = {0}, *o = options ? options : &none;
    struct metricsapi *s = XNEW(struct metricsapi);

    s->head.ops = &ops;
    s->loop = loop;
    s->kube = kube;
    s->discovery = discovery;
    s->interval = o->interval > 0 ? o->interval : 15 * USEC_PER_SEC;
    map_init(&s->fetches);
    for (size_t i = 0; i < METRICS_GROUPS; i++) {
        struct metrics_api *api = &s->apis[i];
        *api = (struct metrics_api){.source = s, .info = &metrics_groups[i], .outage = xstrdup("")};
        api->timer = loop_timer_new(loop, metrics_fetch_on_timer, api);
        /* Seeds that differ, lest the three plans of one start have the same jitter. */
        plan_init(&api->plan, o->max_concurrent > 0 ? o->max_concurrent : 8, (uint64_t)clock_wall() + i);
    }
    discovery_on_change(discovery, metrics_fetch_retry_all, s);
    return &s->head;
}

void metricsapi_free(struct metric_source *source) {
    struct metricsapi *s = (struct metricsapi *)source;

    if (!s)
        return;
    for (size_t i = 0; i < METRICS_GROUPS; i++) {
        loop_timer_free(s->apis[i].timer);
        plan_done(&s->apis[i].plan);
        free(s->apis[i].outage);
    }
    map_done(&s->fetches);
    free(s);
}

void metricsapi_stats(const struct metric_source *source, struct metricsapi_stats *ret_stats) {
    const struct metricsapi *s = (const struct metricsapi *)source;

    *ret_stats = s->stats;
    ret_stats->followed = s->fetches.len;
}
