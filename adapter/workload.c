/* Counting pods and nodes: a counter for each different selector of a namespace, kept by the informers'
 * changes; those whose number has moved are told once, at the end of the turn.
 *
 * An informer is open while its kind has a counter, and a counter lives while it has a subscription. Until
 * the first list is whole (synced) nothing is counted; then each is counted once from the cache, and
 * from there on by differences, so that a change of one pod costs a look at the selectors of its namespace
 * and nothing else. A counter is in the map of its key, in its space and, while it waits to be told, in the
 * list of those that changed; counter_drop takes it out of all three. */
#include "adapter/workload.h"

#include "adapter/subscribers.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"
#include <errno.h>
#include <string.h>

enum { SELECTOR_MAX = 4096, KINDS = WORKLOAD_NODES + 1 };

/* The counters of one namespace; nodes have "". */
struct space {
    char *ns;
    struct counter *first;
};

/* Pods or nodes, followed while somebody counts them. */
struct followed {
    struct workload_source *source;
    const struct resource *resource;
    enum object_type type;
    struct informer *informer; /* NULL: nobody counts */
    bool synced;               /* the counters are right */
    struct map spaces;         /* by namespace */
    char *error;               /* why it is not followed at the moment; "" where it is */
    usec_t since;              /* wall; when error came up */
};

/* How many match one selector, whoever shares it. */
struct counter {
    struct followed *kind;
    struct space *space;
    struct counter *next;         /* of the same space */
    struct counter *next_changed; /* of those to be told */
    bool changed;
    char *key;
    struct arena arena; /* of the selector */
    struct selector selector;
    struct subscribers users;
    int64_t count;
};

struct workload_source {
    struct metric_source head;
    struct loop *loop;
    struct informers *informers;
    struct followed kinds[KINDS]; /* by enum workload_kind */
    struct map counters;          /* by key */
    struct counter *changed;      /* to be told at the end of this turn */
};

struct metric_subscription {
    struct subscriber head;
    struct counter *counter; /* NULL: cannot be counted, why says why not */
    char *why;
    usec_t max_age;
    char *stale; /* the text of STALE, made when it is first needed */
};

static bool counts(const struct counter *c, const struct object *o) {
    if (!o || !selector_matches(&c->selector, o->labels))
        return false;
    if (o->type != OBJECT_POD)
        return true;
    const struct pod *pod = (const struct pod *)o;
    return !o->deleting && pod->phase != POD_SUCCEEDED && pod->phase != POD_FAILED;
}

static void mark(struct counter *c) {
    struct workload_source *w = c->kind->source;

    if (c->changed)
        return;
    c->changed = true;
    c->next_changed = w->changed;
    w->changed = c;
}

/* Leaves c->changed as it is: the counter goes, and is told nothing any more. */
static void unmark(struct counter *c) {
    struct counter **at = &c->kind->source->changed;

    while (*at && *at != c)
        at = &(*at)->next_changed;
    if (*at)
        *at = c->next_changed;
}

/* Before the first list is whole nothing is counted: the informer tells of everything that was there. */
static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct followed *kind = arg;
    const struct object *any = new_ ? new_ : old;

    (void)change;
    struct space *space = kind->synced ? map_get(&kind->spaces, any->ns) : NULL;
    for (struct counter *c = space ? space->first : NULL; c; c = c->next) {
        int delta = (int)counts(c, new_) - (int)counts(c, old);
        c->count += delta;
        if (delta)
            mark(c);
    }
}

/* By counts once more: the selector is the cache's to judge, but not which pods are finished. */
static void count_one(void *arg, const struct object *object) {
    struct counter *c = arg;

    c->count += counts(c, object);
}

/* Counts anew what the cache has; only the namespace's own objects are looked at. */
static void recount(struct counter *c) {
    c->count = 0;
    informer_select(c->kind->informer, c->space->ns, &c->selector, count_one, c);
    mark(c);
}

/* Recounts every counter of a kind, or only has its subscribers told. */
static void all_changed(struct followed *kind, bool again) {
    struct map_iter it = {0};
    void *space;

    while (map_next(&kind->spaces, &it, NULL, &space))
        for (struct counter *c = ((struct space *)space)->first; c; c = c->next) {
            if (again)
                recount(c);
            else
                mark(c);
        }
}

/* What has become of a kind in this turn. */
static void look(struct followed *kind) {
    const struct err *err = informer_error(kind->informer);
    const char *error = err->code ? err_text(err) : "";

    if (!str_eq(kind->error, error)) {
        if (!kind->error[0]) /* since the first one: another reason begins no new wait */
            kind->since = clock_wall();
        free(kind->error);
        kind->error = xstrdup(error);
        /* Once there are numbers an error does not change them; they only grow old (age). */
        if (!kind->synced)
            all_changed(kind, false);
    }
    if (!kind->synced && informer_synced(kind->informer)) {
        kind->synced = true;
        all_changed(kind, true);
    }
}

static void counter_free(struct counter *c) {
    arena_done(&c->arena);
    free(c->key);
    free(c);
}

static void on_turn(void *arg) {
    struct workload_source *w = arg;

    for (size_t i = 0; i < KINDS; i++)
        if (w->kinds[i].informer)
            look(&w->kinds[i]);
    /* A subscriber may end its own or any other subscription meanwhile, and so drop counters, also this one,
     * whose memory then waits for us. */
    while (w->changed) {
        struct counter *c = w->changed;
        w->changed = c->next_changed;
        c->changed = false;
        subscribers_tell(&c->users);
        if (!c->users.first)
            counter_free(c);
    }
}

static void enter_space(struct counter *c, const char *ns) {
    struct space *space = map_get(&c->kind->spaces, ns);

    if (!space) {
        space = XNEW(struct space);
        space->ns = xstrdup(ns);
        map_put(&c->kind->spaces, space->ns, space);
    }
    c->space = space;
    c->next = space->first;
    space->first = c;
}

static void leave_space(struct counter *c) {
    struct space *space = c->space;
    struct counter **at = &space->first;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (space->first)
        return;
    map_remove(&c->kind->spaces, space->ns);
    free(space->ns);
    free(space);
}

/* The counter of a key; -EINVAL says what is wrong with the selector. */
static int counter_of(struct workload_source *w, const struct metric_request *request,
                      struct counter **ret_counter, struct err *err) {
    struct followed *kind = &w->kinds[request->metric->workload];
    const char *ns = kind->resource->namespaced ? request->ns : "";
    const char *selector = str_or_empty(request->metric->selector);
    /* Selectors are compared as they are written: two that mean the same are counted twice, and no harm done.
     */
    cleanup_free char *key = xasprintf("%s\n%s\n%s", kind->resource->plural, ns, selector);

    *ret_counter = map_get(&w->counters, key);
    if (*ret_counter)
        return 0;
    struct counter *c = XNEW(struct counter);
    c->kind = kind;
    c->key = steal_ptr(&key);
    arena_init(&c->arena, 0);
    int ret = selector_parse(selector, &c->arena, &c->selector, err);
    if (ret < 0) {
        counter_free(c);
        return ret;
    }
    map_put(&w->counters, c->key, c);
    enter_space(c, ns);
    if (!kind->informer)
        kind->informer = informers_open(w->informers, kind->resource, kind->type, on_object, kind);
    if (kind->synced)
        recount(c);
    *ret_counter = c;
    return 0;
}

/* The memory goes at once, or when the subscribers have been told. */
static void counter_drop(struct counter *c) {
    struct followed *kind = c->kind;

    map_remove(&kind->source->counters, c->key);
    unmark(c);
    leave_space(c);
    if (!c->users.telling)
        counter_free(c);
    if (kind->spaces.len)
        return;
    informer_close(steal_ptr(&kind->informer));
    kind->synced = false;
    kind->error[0] = '\0';
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct workload_source *w = (struct workload_source *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);
    const struct metric_spec *metric = request->metric;
    struct err err = {0};

    sub->head = (struct subscriber){.changed = changed, .arg = arg};
    sub->max_age = metric->max_age;
    if (metric->type != METRIC_WORKLOAD)
        err_set(&err, -EINVAL, "this metric does not count pods or nodes");
    else if (strlen(str_or_empty(metric->selector)) > SELECTOR_MAX)
        err_set(&err, -EINVAL, "the selector is longer than %d bytes", SELECTOR_MAX);
    else
        counter_of(w, request, &sub->counter, &err);
    if (!sub->counter) {
        sub->why = xstrdup(err.text);
        return sub;
    }
    /* Never told inside this call: where there is a number already, at the end of the turn. */
    subscribers_add(&sub->counter->users, &sub->head);
    if (sub->counter->kind->synced)
        mark(sub->counter);
    loop_wake(w->loop);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct counter *c = sub->counter;

    (void)source;
    if (c)
        subscribers_remove(&c->users, &sub->head);
    if (c && !c->users.first)
        counter_drop(c);
    free(sub->why);
    free(sub->stale);
    free(sub);
}

/* The objects are as old as the moment since which nothing is told of them. */
static void age(struct metric_subscription *sub, usec_t now, struct sample *ret_sample) {
    char time[CLOCK_TEXT_MAX], max[CLOCK_TEXT_MAX];
    const struct followed *kind = sub->counter->kind;

    ret_sample->at = kind->error[0] ? kind->since : now;
    if (sub->max_age <= 0 || now - ret_sample->at <= sub->max_age)
        return;
    /* The sample borrows the text until the next reading. */
    free(sub->stale);
    sub->stale =
        xasprintf("%s have not been followed since %s, longer than maxAge %s: %s", kind->resource->plural,
                  clock_format(kind->since, time), clock_format_duration(sub->max_age, max), kind->error);
    ret_sample->quality = QUALITY_STALE;
    ret_sample->message = sub->stale;
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct counter *c = sub->counter;

    (void)source;
    *ret_sample =
        (struct sample){.quality = QUALITY_FAILED, .message = "", .warning = "", .origin = "the cluster"};
    if (!c) {
        ret_sample->message = sub->why;
    } else if (c->kind->synced) {
        ret_sample->quality = c->count ? QUALITY_VALUE : QUALITY_ZERO;
        ret_sample->value = (double)c->count;
        ret_sample->milli = c->count * 1000;
        age(sub, now, ret_sample);
    } else if (c->kind->error[0]) {
        ret_sample->message = c->kind->error;
    } else {
        ret_sample->quality = QUALITY_PENDING;
    }
}

struct metric_source *workload_new(struct loop *loop, struct informers *informers) {
    static const struct metric_source_ops ops = {
        .name = "the cluster", .subscribe = subscribe, .unsubscribe = unsubscribe, .read = read_sample};
    static const struct resource pods = {
        .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true};
    static const struct resource nodes = {.group = "", .version = "v1", .kind = "Node", .plural = "nodes"};
    struct workload_source *w = XNEW(struct workload_source);

    w->head.ops = &ops;
    w->loop = loop;
    w->informers = informers;
    w->kinds[WORKLOAD_PODS] = (struct followed){.resource = &pods, .type = OBJECT_POD};
    w->kinds[WORKLOAD_NODES] = (struct followed){.resource = &nodes, .type = OBJECT_NODE};
    for (size_t i = 0; i < KINDS; i++) {
        w->kinds[i].source = w;
        w->kinds[i].error = xstrdup("");
        map_init(&w->kinds[i].spaces);
    }
    map_init(&w->counters);
    loop_on_turn(loop, on_turn, w);
    return &w->head;
}

void workload_free(struct metric_source *source) {
    struct workload_source *w = (struct workload_source *)source;

    if (!w)
        return;
    for (size_t i = 0; i < KINDS; i++) {
        free(w->kinds[i].error);
        map_done(&w->kinds[i].spaces);
    }
    map_done(&w->counters);
    free(w);
}
