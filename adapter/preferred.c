/* Subscriptions that are passed on, each to one of two sources.
 *
 * A subscription has a leg at the source that is to be asked, and while it moves a former leg at the other
 * one, which is read until the new one has an answer: a move shall not look like missing data, which would
 * hold or change a workload. Both legs report to on_changed, which ends the former one as soon as it can. */
#include "adapter/preferred.h"

#include "base/arena.h"
#include "base/mem.h"
#include <string.h>

struct preferred {
    struct metric_source head;
    struct preferred_options options;
    struct metric_subscription *subscriptions;
};

/* A subscription at one of the sources. */
struct leg {
    struct metric_source *source; /* NULL: there is none */
    struct metric_subscription *sub;
};

struct metric_subscription {
    struct metric_subscription *next, **at;
    struct arena arena; /* of request */
    struct metric_request request;
    metric_changed_fn *changed;
    void *arg;
    struct leg leg, former; /* former: read until leg has an answer */
};

static void link_to_list(struct metric_subscription *sub, struct metric_subscription **list) {
    sub->next = *list;
    sub->at = list;
    if (sub->next)
        sub->next->at = &sub->next;
    *list = sub;
}

static void unlink_from_list(struct metric_subscription *sub) {
    *sub->at = sub->next;
    if (sub->next)
        sub->next->at = sub->at;
}

/* ---- the request, kept for a move ---- */

static const char *copy_text(struct arena *arena, const char *text) {
    return text ? arena_strdup(arena, text) : NULL;
}

static void copy_request(struct metric_subscription *sub, const struct metric_request *request) {
    struct arena *arena = &sub->arena;
    struct metric_spec *m = ARENA_NEW(arena, struct metric_spec);

    /* With all its numbers; each pointer in it is replaced below, and one that is added to the struct must
     * be, too. */
    *m = *request->metric;
    m->type_text = copy_text(arena, m->type_text);
    m->invalid = copy_text(arena, m->invalid);
    m->name = copy_text(arena, m->name);
    m->metric = copy_text(arena, m->metric);
    m->container = copy_text(arena, m->container);
    m->selector = copy_text(arena, m->selector);
    m->selector_json = copy_text(arena, m->selector_json);
    m->described =
        (struct object_reference){copy_text(arena, m->described.api_version),
                                  copy_text(arena, m->described.kind), copy_text(arena, m->described.name)};
    m->query = copy_text(arena, m->query);
    m->source = copy_text(arena, m->source);
    m->target.text = copy_text(arena, m->target.text);
    sub->request = *request;
    sub->request.metric = m;
    sub->request.ns = copy_text(arena, request->ns);
}

/* ---- legs ---- */

static void leg_end(struct leg *leg) {
    struct leg ended = *leg;

    /* Emptied first: nobody who comes by meanwhile finds a leg that is half gone. */
    *leg = (struct leg){0};
    if (ended.source)
        ended.source->ops->unsubscribe(ended.source, ended.sub);
}

/* No time is needed to tell what this is asked for. */
static enum quality leg_quality(const struct leg *leg) {
    struct sample sample;

    leg->source->ops->read(leg->source, leg->sub, /* now= */ 0, &sample);
    return sample.quality;
}

static void on_changed(void *arg) {
    struct metric_subscription *sub = arg;

    if (sub->former.source && sub->leg.source && leg_quality(&sub->leg) != QUALITY_PENDING)
        leg_end(&sub->former);
    /* Last: it may end the subscription. */
    if (sub->changed)
        sub->changed(sub->arg);
}

static void leg_start(struct metric_subscription *sub, struct metric_source *source) {
    sub->leg.source = source;
    sub->leg.sub = source->ops->subscribe(source, &sub->request, on_changed, sub);
}

static struct metric_source *choose(const struct preferred *p, const struct metric_request *request) {
    const struct preferred_options *o = &p->options;

    return o->serves(o->arg, request->metric, request->ns) ? o->first : o->second;
}

/* Back and forth before the new source has answered: the former one goes on. One that has nothing to say is
 * not read meanwhile: a failure of who is not asked any more is none. */
static void move(struct metric_subscription *sub, struct metric_source *to) {
    enum quality before;

    if (sub->former.source == to) {
        leg_end(&sub->leg);
        sub->leg = sub->former;
        sub->former = (struct leg){0};
        return;
    }
    leg_end(&sub->former);
    before = leg_quality(&sub->leg);
    if (before == QUALITY_PENDING || before == QUALITY_FAILED)
        leg_end(&sub->leg);
    /* Empty where there was nothing to be read on. */
    sub->former = sub->leg;
    leg_start(sub, to);
    /* One that knows its answer at once tells nobody of it. */
    on_changed(sub);
}

static const struct leg *leg_to_read(const struct metric_subscription *sub) {
    return sub->former.source ? &sub->former : &sub->leg;
}

/* ---- the source ---- */

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct preferred *p = (struct preferred *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);

    arena_init(&sub->arena, 512);
    copy_request(sub, request);
    sub->changed = changed;
    sub->arg = arg;
    link_to_list(sub, &p->subscriptions);
    leg_start(sub, choose(p, &sub->request));
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    (void)source;
    leg_end(&sub->former);
    leg_end(&sub->leg);
    unlink_from_list(sub);
    arena_done(&sub->arena);
    free(sub);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct leg *leg = leg_to_read(sub);

    (void)source;
    leg->source->ops->read(leg->source, leg->sub, now, ret_sample);
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    const struct leg *leg = leg_to_read(sub);

    (void)source;
    leg->source->ops->read_pods(leg->source, leg->sub, now, pods, count, ret_values);
}

struct metric_source *preferred_new(const struct preferred_options *options) {
    static const struct metric_source_ops ops = {.name = "the metrics of pods and objects",
                                                 .subscribe = subscribe,
                                                 .unsubscribe = unsubscribe,
                                                 .read = read_sample,
                                                 .read_pods = read_pods};
    struct preferred *p = XNEW(struct preferred);

    p->head.ops = &ops;
    p->options = *options;
    return &p->head;
}

void preferred_free(struct metric_source *source) {
    free(source);
}

/* Whoever is told may end any subscription, or start one: each is taken from the list of those that are still
 * to be looked at, and ending one takes it out of whichever list it is in. */
void preferred_reconsider(struct metric_source *source) {
    struct preferred *p = (struct preferred *)source;
    struct metric_subscription *rest = steal_ptr(&p->subscriptions);

    /* The head of the list is a variable here: who unlinks the first one moves it on. */
    if (rest)
        rest->at = &rest;
    while (rest) {
        struct metric_subscription *sub = rest;
        unlink_from_list(sub);
        link_to_list(sub, &p->subscriptions);
        /* It is in the list of those that are done before it moves, for that may be its end. */
        struct metric_source *to = choose(p, &sub->request);
        if (to != sub->leg.source)
            move(sub, to);
    }
}
