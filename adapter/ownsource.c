/* Our own metrics for policies: subscriptions to one thing share a feed, a feed follows the query of it in
 * the cache and keeps what the answer says.
 *
 * What a feed follows is found in steps, as for a request: the route, the rule's query, the names where the
 * query depends on them, the server (find_question). Each may fail, which is the feed's answer then, or not
 * be known yet (-EAGAIN): then the feed is marked (again) and one timer for all looks for it later. The same
 * timer finds all feeds' queries anew when rules or servers change; what comes out the same is followed on.
 *
 * A feed lives as long as it has subscriptions. If the last one ends while they are told, the feed leaves the
 * map at once and is freed behind the telling (feed_drop, tell). */
#include "adapter/ownmetrics_internal.h"

#include "adapter/metricsapi_path.h"
#include "adapter/promjson.h"
#include "adapter/staleness.h"
#include "adapter/subscribers.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* A rule's query gives all objects of its metric, a policy's own one (prometheus.c) one number: so it is
 * asked less often. */
static const usec_t INTERVAL = 10 * USEC_PER_SEC, INTERVAL_MIN = USEC_PER_SEC;
/* How often what is waited for (the first list of the pods, a kind that discovery is to tell) is looked for.
 */
static const usec_t LOOK_AGAIN = USEC_PER_SEC;

struct own_source {
    struct metric_source head;
    struct ownmetrics *own;
    struct map feeds;         /* by the question's key */
    struct loop_timer *later; /* finds anew what feeds ask for */
    bool all;                 /* of all of them, and not only of those that are marked */
};

/* What an answer says of a pod. */
struct own_value {
    int64_t milli;
    usec_t at;
};

struct own_feed {
    struct own_source *source;
    struct metrics_question question;
    struct subscribers users;
    /* What it asks for. */
    struct arena arena; /* of route, beside the question's texts */
    struct metrics_route route;
    bool routed;
    char *resource; /* of an Object */
    struct own_query *query;
    /* What is followed for it. */
    struct querycache_follow *follow;
    struct promclient *client;
    char *text;
    usec_t interval;
    bool again; /* what it asks for is to be found anew */
    bool news;  /* it has failed, and nobody has been told */
    /* The last answer. */
    enum quality quality;
    int64_t milli;           /* of an Object's or an External metric */
    usec_t at;               /* wall; 0: none */
    char *message, *warning; /* or "" */
    struct arena values_arena;
    struct map values; /* of a metric of pods: by name */
};

struct metric_subscription {
    struct subscriber head; /* first: its list hands it back */
    struct own_feed *feed;  /* NULL: cannot be asked for, why says why not */
    char *why;
    struct staleness staleness;
};

/* ---- what an answer says ---- */

static void replace(char **text, const char *with) {
    if (str_eq(*text, with))
        return;
    free(*text);
    *text = xstrdup(with);
}

static void keep(struct own_feed *f, enum quality quality, const char *message) {
    f->quality = quality;
    f->milli = 0;
    f->at = 0;
    replace(&f->message, message);
    replace(&f->warning, "");
    map_done(&f->values);
    map_init(&f->values);
    /* Last: the map's keys and values are in it. */
    arena_reset(&f->values_arena);
}

/* Neither NaN nor an infinity is a number of anything that one could scale by. */
static bool counts(const struct vector_sample *sample) {
    return isfinite(sample->value);
}

static void take_pods(struct own_feed *f, const struct vector *vector) {
    for (uint32_t i = 0; i < vector->count; i++) {
        const struct vector_sample *sample = &vector->samples[i];
        const char *name = vector_label(sample, f->query->label);
        /* Elements without the object's label are of no pod; of two with the same name the later one
         * stays, as in the reference. */
        if (!name || !counts(sample))
            continue;
        struct own_value *value = ARENA_NEW(&f->values_arena, struct own_value);
        *value = (struct own_value){promjson_milli(sample->value), sample->at};
        map_put(&f->values, arena_strdup(&f->values_arena, name), value);
        f->at = sample->at > f->at ? sample->at : f->at;
    }
    f->quality = f->values.len ? QUALITY_VALUE : QUALITY_ABSENT;
}

static void take_total(struct own_feed *f, int64_t milli, usec_t at) {
    f->quality = milli ? QUALITY_VALUE : QUALITY_ZERO;
    f->milli = milli;
    f->at = at;
}

/* An object that the answer has nothing of is ABSENT, and not 0. */
static void take_object(struct own_feed *f, const struct vector *vector) {
    const struct vector_sample *sample = vector_find(vector, f->query->label, f->route.name);

    if (sample && counts(sample))
        take_total(f, promjson_milli(sample->value), sample->at);
}

static int64_t add_saturated(int64_t a, int64_t b) {
    int64_t sum = 0;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

/* HPA adds up whatever the metric's selector has left. */
static void take_external(struct own_feed *f, const struct vector *vector) {
    int64_t sum = 0;
    uint32_t count = 0;
    usec_t at = 0;

    for (uint32_t i = 0; i < vector->count; i++) {
        const struct vector_sample *sample = &vector->samples[i];
        if (!counts(sample))
            continue;
        /* In milli-units, as HPA does it, and not as doubles: so the sum is the same to the digit. */
        sum = add_saturated(sum, promjson_milli(sample->value));
        at = sample->at > at ? sample->at : at;
        count++;
    }
    if (count)
        take_total(f, sum, at);
}

static void take_vector(struct own_feed *f, const struct vector *vector) {
    keep(f, QUALITY_ABSENT, "");
    if (f->question.type == METRIC_PODS)
        take_pods(f, vector);
    else if (f->question.type == METRIC_OBJECT)
        take_object(f, vector);
    else
        take_external(f, vector);
    if (f->quality == QUALITY_ABSENT)
        replace(&f->message, "the query gives no value");
}

/* ---- what is asked for ---- */

static void feed_free(struct own_feed *f) {
    metrics_question_done(&f->question);
    own_query_unref(f->query);
    map_done(&f->values);
    arena_done(&f->values_arena);
    arena_done(&f->arena);
    free(f->resource);
    free(f->text);
    free(f->message);
    free(f->warning);
    free(f);
}

static void stop(struct own_feed *f) {
    querycache_unfollow(steal_ptr(&f->follow));
    free(steal_ptr(&f->text));
    f->client = NULL;
}

/* Stops asking; the memory goes at once, or when the subscribers have been told. */
static void feed_drop(struct own_feed *f) {
    stop(f);
    map_remove(&f->source->feeds, f->question.key);
    if (!f->users.telling)
        feed_free(f);
}

static void find_later(struct own_feed *f, usec_t delay) {
    struct loop_timer *later = f->source->later;

    f->again = true;
    /* Never later than it is set already: other feeds may be waiting for that. */
    if (!delay || !loop_timer_pending(later))
        loop_timer_set(later, delay);
}

static void tell(struct own_feed *f) {
    subscribers_tell(&f->users);
    if (!f->users.first) /* the last one went while being told */
        feed_free(f);
}

static void on_values(void *arg, const struct vector *vector, const struct err *err) {
    struct own_feed *f = arg;

    if (!vector)
        keep(f, QUALITY_FAILED, err_text(err));
    else if (vector->scalar && f->question.type != METRIC_EXTERNAL)
        keep(f, QUALITY_FAILED, "the query gives a scalar, and not a value for each object");
    else
        take_vector(f, vector);
    /* The last good answer, while none comes. */
    if (vector && err->code)
        replace(&f->warning, err_text(err));
    /* Pods come and go: a query with their names in it is written anew for the next time. */
    if (f->query && !f->query->text && !f->query->err.code)
        find_later(f, 0);
    tell(f);
}

/* What an object's metric is asked under, as HPA does it: "deployments.apps", owned by the caller; NULL for a
 * Namespace, which is the policy's own, whatever its name says. Errors of discovery_find. */
static int described_resource(const struct ownmetrics *own, const struct object_reference *described,
                              char **ret_name, struct err *err) {
    const char *api_version = str_or_empty(described->api_version), *kind = str_or_empty(described->kind);
    const struct resource *r = NULL;

    *ret_name = NULL;
    /* Of the core group alone: a kind of another group may have this name. */
    if (str_eq(kind, "Namespace") && !strchr(api_version, '/'))
        return 0;
    int ret = discovery_find(own->world.discovery, api_version, kind, &r, err);
    if (ret == 0)
        *ret_name = xasprintf("%s%s%s", r->plural, *r->group ? "." : "", r->group);
    return ret;
}

static int route_object(struct own_feed *f, struct err *err) {
    const struct metrics_question *q = &f->question;
    const struct object_reference described = {q->api_version, q->kind, q->name};

    free(steal_ptr(&f->resource));
    int ret = described_resource(f->source->own, &described, &f->resource, err);
    if (ret == 0 && !f->resource)
        f->route.ns = NULL;
    f->route.resource = f->resource ? f->resource : "namespaces";
    f->route.name = f->resource ? q->name : q->ns;
    return ret;
}

static int find_route(struct own_feed *f, struct err *err) {
    const struct metrics_question *q = &f->question;
    struct metrics_route *r = &f->route;
    int ret = 0;

    /* Once found it stays: a question never changes, and equal kinds keep their plural. */
    if (f->routed)
        return 0;
    arena_reset(&f->arena);
    *r = (struct metrics_route){
        .api = q->type == METRIC_EXTERNAL ? ROUTE_EXTERNAL : ROUTE_CUSTOM, .ns = q->ns, .metric = q->metric};
    if (q->type == METRIC_PODS)
        r->resource = "pods";
    else if (q->type == METRIC_OBJECT)
        ret = route_object(f, err);
    if (ret == 0 && q->selector)
        ret = selector_parse(q->selector, &f->arena, &r->metric_labels, err);
    f->routed = ret == 0;
    return ret;
}

static int find_names(struct own_feed *f, struct own_names *ret_names, struct err *err) {
    static const struct selector all;
    struct ownmetrics *own = f->source->own;

    /* These are the same whatever the pods are called, so the informer is not even opened for them. */
    if (f->query->text || f->query->external)
        return 0;
    /* All pods of the namespace and not the target's: one query serves whichever policies ask. */
    const struct own_wanted wanted = {&f->query->resource, f->route.ns, &all, /* labels_text= */ NULL};
    if (f->question.type == METRIC_PODS)
        return own_objects_list(own->objects, &wanted, ret_names, err);
    *ret_names = (struct own_names){.count = 1, .names = &f->route.name};
    return 0;
}

static int find_query(struct own_feed *f, struct err *err) {
    const struct metrics_route *r = &f->route;

    own_query_unref(f->query);
    f->query = own_find(f->source->own, r);
    if (f->query)
        return 0;
    return err_set(err, -ENOENT, "no rule defines the metric %s%s%s", r->metric, r->resource ? " of " : "",
                   str_or_empty(r->resource));
}

static usec_t interval_of(const struct own_feed *f) {
    usec_t interval = subscribers_interval(&f->users);

    return interval < INTERVAL_MIN ? INTERVAL_MIN : interval;
}

static void follow(struct own_feed *f, const struct own_question *question) {
    usec_t interval = interval_of(f);

    /* What is the same goes on: a new follower would soon be told the same answer once more. */
    if (f->follow && question->client == f->client && str_eq(question->query.text, f->text) &&
        interval == f->interval)
        return;
    stop(f);
    f->client = question->client;
    f->text = xstrdup(question->query.text);
    f->interval = interval;
    f->follow = querycache_follow(f->source->own->world.cache, f->client, &question->query, f->interval,
                                  on_values, f);
}

/* Follows the query that there is to follow now; -EAGAIN: it is not known yet. */
static int find_question(struct own_feed *f, struct err *err) {
    cleanup_own_question struct own_question question = {0};
    struct own_names names = {0};

    /* For the clean-up, where no step gets as far as own_question_init. */
    buf_init(&question.scratch, 1);
    int ret = find_route(f, err);
    if (ret == 0)
        ret = find_query(f, err);
    if (ret == 0)
        ret = find_names(f, &names, err);
    if (ret == 0)
        ret = own_question_init(&question, f->source->own, f->query, &names, err);
    if (ret == 0)
        follow(f, &question);
    return ret;
}

/* Whether its answer has become another one by that. */
static bool refresh(struct own_feed *f) {
    struct err err = {0};
    int ret = find_question(f, &err);

    /* Meanwhile what was followed goes on, and a new feed is PENDING. */
    if (ret == -EAGAIN)
        find_later(f, LOOK_AGAIN);
    if (ret == 0 || ret == -EAGAIN)
        return false;
    stop(f);
    /* Who has been told need not be told the same again. */
    if (f->quality == QUALITY_FAILED && str_eq(f->message, err.text))
        return false;
    keep(f, QUALITY_FAILED, err_text(&err));
    return true;
}

static struct own_feed *find_news(const struct own_source *s) {
    struct map_iter it = {0};
    void *value = NULL;

    while (map_next(&s->feeds, &it, NULL, &value))
        if (((struct own_feed *)value)->news)
            return value;
    return NULL;
}

/* Those who are told may end any subscription, or start one: each time the next one is searched for. It is
 * seldom that there is one, which is when a rule has gone. */
static void on_later(void *arg) {
    struct own_source *s = arg;
    struct map_iter it = {0};
    void *value = NULL;
    struct own_feed *f;
    /* Taken before the round: what marks all anew within it is for the next one. */
    bool all = s->all;

    s->all = false;
    /* Nobody is told within this loop, so that no feed comes or goes. */
    while (map_next(&s->feeds, &it, NULL, &value)) {
        f = value;
        if (!all && !f->again)
            continue;
        f->again = false;
        f->news |= refresh(f);
    }
    while ((f = find_news(s))) {
        f->news = false;
        tell(f);
    }
}

void own_source_stop(struct own_source *source, const struct promclient *client) {
    struct map_iter it = {0};
    void *feed;

    /* Before the cache forgets the client, so that no feed is told of it: it is to find another one. */
    while (map_next(&source->feeds, &it, NULL, &feed))
        if (((struct own_feed *)feed)->client == client)
            stop(feed);
}

void own_source_reconsider(struct own_source *source) {
    source->all = true;
    loop_timer_set(source->later, 0);
}

/* ---- subscriptions ---- */

static struct own_feed *feed_of(struct own_source *s, struct metrics_question *q) {
    struct own_feed *f = map_get(&s->feeds, q->key);

    if (f) {
        metrics_question_done(q);
        return f;
    }
    f = XNEW(struct own_feed);
    f->source = s;
    f->question = *q;
    f->message = xstrdup("");
    f->warning = xstrdup("");
    arena_init(&f->arena, 1024);
    arena_init(&f->values_arena, 0);
    map_put(&s->feeds, f->question.key, f);
    return f;
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct own_source *s = (struct own_source *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);
    struct metrics_question question;
    struct err err = {0};

    sub->head = (struct subscriber){
        .interval = request->interval ? request->interval : INTERVAL, .changed = changed, .arg = arg};
    sub->staleness.max_age = request->metric->max_age;
    if (request->metric->type < METRIC_PODS)
        err_set(&err, -EINVAL, "this metric is not one of rules");
    if (err.code || metrics_question_init(&question, request->metric, request->ns, &err) < 0) {
        sub->why = xstrdup(err.text);
        return sub;
    }
    sub->feed = feed_of(s, &question);
    subscribers_add(&sub->feed->users, &sub->head);
    /* Who subscribes reads a failure at once; those who were there are told on a later turn. */
    if (refresh(sub->feed) && sub->head.next) {
        sub->feed->news = true;
        find_later(sub->feed, 0);
    }
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct own_feed *f = sub->feed;

    (void)source;
    if (f)
        subscribers_remove(&f->users, &sub->head);
    staleness_done(&sub->staleness);
    free(sub->why);
    free(sub);
    if (f && !f->users.first)
        feed_drop(f);
    /* On a later turn, since many policies may go in this one. */
    else if (f && interval_of(f) != f->interval)
        find_later(f, 0);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct own_feed *f = sub->feed;

    (void)source;
    if (!f) {
        *ret_sample = (struct sample){.quality = QUALITY_FAILED, .message = sub->why, .warning = ""};
        return;
    }
    *ret_sample = (struct sample){.quality = f->quality,
                                  .value = (double)f->milli / 1000,
                                  .milli = f->milli,
                                  .at = f->at,
                                  .message = f->message,
                                  .warning = f->warning,
                                  .origin = "rules"};
    staleness_apply(&sub->staleness, now, ret_sample);
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    (void)source;
    for (uint32_t i = 0; i < count; i++) {
        /* By name: the feed is of one namespace, and so are the pods. */
        const struct own_value *value = sub->feed ? map_get(&sub->feed->values, pods[i]->meta.name) : NULL;
        ret_values[i] = (struct pod_value){0};
        if (value && !staleness_too_old(&sub->staleness, value->at, now))
            ret_values[i] = (struct pod_value){.known = true, .milli = value->milli, .at = value->at};
    }
}

struct own_source *own_source_new(struct ownmetrics *own) {
    static const struct metric_source_ops ops = {.name = "rules",
                                                 .subscribe = subscribe,
                                                 .unsubscribe = unsubscribe,
                                                 .read = read_sample,
                                                 .read_pods = read_pods};
    struct own_source *s = XNEW(struct own_source);

    s->head.ops = &ops;
    s->own = own;
    map_init(&s->feeds);
    s->later = loop_timer_new(own->world.loop, on_later, s);
    return s;
}

void own_source_free(struct own_source *source) {
    if (!source)
        return;
    loop_timer_free(source->later);
    /* Empty: feeds go with their subscriptions. */
    map_done(&source->feeds);
    free(source);
}

struct metric_source *own_source_head(struct own_source *source) {
    return &source->head;
}

bool ownmetrics_defines(const struct ownmetrics *own, const struct metric_spec *metric, const char *ns) {
    struct metrics_route route = {.api = metric->type == METRIC_EXTERNAL ? ROUTE_EXTERNAL : ROUTE_CUSTOM,
                                  .ns = ns,
                                  .resource = "pods",
                                  .metric = metric->metric};
    cleanup_free char *resource = NULL;

    if (metric->type < METRIC_PODS || metric->type > METRIC_EXTERNAL || !metric->metric)
        return false;
    if (metric->type != METRIC_OBJECT)
        return ownmetrics_has(own, &route);
    /* A kind that is not known, or not yet, is one that no rule of ours has objects of. */
    if (described_resource(own, &metric->described, &resource, NULL) < 0)
        return false;
    if (!resource)
        route.ns = NULL;
    route.resource = resource ? resource : "namespaces";
    return ownmetrics_has(own, &route);
}
