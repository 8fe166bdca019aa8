/* resourceRules for policies: those of a namespace share what a request for all its pods is answered, which
 * is asked for again and again. Mostly that is in the cache's memory, and has changed or not.
 *
 * A feed is made for the first subscriber of a namespace. When the last one has gone it leaves the map at
 * once, so that whoever comes next gets a new one, and is freed: by the one who unsubscribes, or, where that
 * happens while the subscribers are told, by on_answer when all were told. */
#include "adapter/resourcerules_internal.h"

#include "adapter/subscribers.h"
#include "adapter/usage_wanted.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

/* How soon an answer that the cache has got is seen: the cache asks the server every 10 s where nothing else
 * is set, and a look that finds what is known costs no query. */
static const usec_t LOOK = 5 * USEC_PER_SEC;

struct resource_source {
    struct metric_source head;
    struct resourcerules *all;
    struct loop *loop;
    struct map feeds; /* struct resource_feed by namespace */
};

/* The pods of a namespace. */
struct resource_feed {
    struct resource_source *source;
    char *ns;
    struct subscribers users;
    struct loop_timer *timer;        /* the next look; off while call is under way */
    struct resourcerules_call *call; /* under way */
    bool answered;                   /* at all, with values or a failure */
    char *failure;                   /* why the last answer is none; NULL: it is one */
    usec_t newest;                   /* wall time of the evaluation; 0: of nothing */
    struct arena arena;              /* of pods, of one answer alone: emptied before the next is taken */
    struct map pods;                 /* struct metrics_object by name */
};

struct metric_subscription {
    struct subscriber head; /* first: its list hands it back */
    struct resource_feed *feed;
    struct usage_wanted wanted;
};

/* ---- what an answer says ---- */

/* The answer is borrowed for the callback; of its texts only the names are needed later. */
static struct metrics_object *copy_object(struct arena *arena, const struct metrics_object *from) {
    struct metrics_object *to = ARENA_NEW(arena, struct metrics_object);
    struct metrics_usage *usages = ARENA_ARRAY(arena, struct metrics_usage, from->usage_count + 1);

    for (uint32_t i = 0; i < from->usage_count; i++) {
        usages[i] = from->usages[i];
        usages[i].name = arena_strdup(arena, from->usages[i].name);
    }
    *to = (struct metrics_object){.name = arena_strdup(arena, from->name),
                                  .at = from->at,
                                  .window = from->window,
                                  .usage_count = from->usage_count,
                                  .usages = usages};
    return to;
}

static void forget(struct resource_feed *f) {
    map_done(&f->pods);
    map_init(&f->pods);
    arena_reset(&f->arena);
    free(steal_ptr(&f->failure));
    f->newest = 0;
}

/* A failure takes the values before it away: that a good answer stands in for a failed fetch for a while is
 * the cache's work, and here it has ended. */
static void take(struct resource_feed *f, const struct metrics_answer *answer) {
    forget(f);
    f->answered = true;
    if (answer->status != 200)
        f->failure = xstrdup(answer->message);
    for (uint32_t i = 0; i < answer->count; i++) {
        struct metrics_object *pod = copy_object(&f->arena, &answer->objects[i]);
        map_put(&f->pods, pod->name, pod);
        f->newest = pod->at > f->newest ? pod->at : f->newest;
    }
}

static bool is_same(const struct metrics_object *a, const struct metrics_object *b) {
    if (a->at != b->at || a->usage_count != b->usage_count)
        return false;
    for (uint32_t i = 0; i < a->usage_count; i++) {
        const struct metrics_usage *x = &a->usages[i], *y = &b->usages[i];
        if (!str_eq(x->name, y->name) || x->cpu_nano != y->cpu_nano || x->memory_bytes != y->memory_bytes ||
            x->memory_milli != y->memory_milli)
            return false;
    }
    return true;
}

/* Whether it says another thing than the last one. The times alone do not tell: a pod's is that of the older
 * one of its two evaluations, and may stand still while the other one goes on. */
static bool is_news(const struct resource_feed *f, const struct metrics_answer *answer) {
    if (!f->answered || answer->status != 200 || f->failure || answer->count != f->pods.len)
        return !f->answered || answer->status == 200 || !str_eq(f->failure, answer->message);
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct metrics_object *known = map_get(&f->pods, answer->objects[i].name);
        if (!known || !is_same(known, &answer->objects[i]))
            return true;
    }
    return false;
}

static void feed_free(struct resource_feed *f) {
    resourcerules_cancel(f->call);
    loop_timer_free(f->timer);
    forget(f);
    map_done(&f->pods);
    arena_done(&f->arena);
    free(f->ns);
    free(f);
}

static void on_answer(void *arg, const struct metrics_answer *answer) {
    struct resource_feed *f = arg;

    f->call = NULL;
    loop_timer_set(f->timer, LOOK);
    if (answer->status == 503 || !is_news(f, answer)) /* 503: the pods are not known yet */
        return;
    /* Taken before anybody is told: they read the samples while they are. */
    take(f, answer);
    subscribers_tell(&f->users);
    if (!f->users.first) /* the last one went while being told */
        feed_free(f);
}

/* Answered from memory, on_answer runs before resourcerules_answer returns. */
static void on_look(void *arg) {
    struct resource_feed *f = arg;
    const struct metrics_route route = {.api = ROUTE_RESOURCE, .ns = f->ns, .resource = "pods"};
    struct resourcerules_call *call = resourcerules_answer(f->source->all, &route, on_answer, f);

    if (call) /* else it has been answered, and may be gone */
        f->call = call;
}

/* ---- the source ---- */

static struct resource_feed *feed_of(struct resource_source *s, const char *ns) {
    struct resource_feed *f = map_get(&s->feeds, ns);

    if (f)
        return f;
    f = XNEW(struct resource_feed);
    f->source = s;
    f->ns = xstrdup(ns);
    f->timer = loop_timer_new(s->loop, on_look, f);
    arena_init(&f->arena, 4096);
    map_put(&s->feeds, f->ns, f);
    loop_timer_set(f->timer, 0);
    return f;
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct metric_subscription *sub = XNEW(struct metric_subscription);

    sub->head = (struct subscriber){.interval = LOOK, .changed = changed, .arg = arg};
    usage_wanted_init(&sub->wanted, request->metric, "resourceRules give");
    sub->feed = feed_of((struct resource_source *)source, request->ns);
    subscribers_add(&sub->feed->users, &sub->head);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct resource_source *s = (struct resource_source *)source;
    struct resource_feed *f = sub->feed;

    subscribers_remove(&f->users, &sub->head);
    usage_wanted_done(&sub->wanted);
    free(sub);
    if (f->users.first)
        return;
    /* The map's key is the feed's own text: out of the map before the feed goes. */
    map_remove(&s->feeds, f->ns);
    if (!f->users.telling)
        feed_free(f);
}

/* Whether there are values is judged for the namespace, not for this subscriber's pods: which of those lack
 * one, read_pods tells. */
static void judge(const struct resource_feed *f, struct sample *sample) {
    if (f->failure) {
        sample->quality = QUALITY_FAILED;
        sample->message = f->failure;
    } else if (f->pods.len) {
        sample->quality = QUALITY_VALUE;
    } else if (f->answered) {
        sample->quality = QUALITY_ABSENT;
        sample->message = "resourceRules give no pod of the namespace both cpu and memory";
    }
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    (void)source;
    if (!usage_wanted_begin(&sub->wanted, "rules", ret_sample))
        return;
    ret_sample->at = sub->feed->newest;
    judge(sub->feed, ret_sample);
    staleness_apply(&sub->wanted.staleness, now, ret_sample);
}

/* As HPA adds them up; a pod without the container is not known. */
static struct pod_value value_of(const struct usage_wanted *wanted, const struct metrics_object *pod) {
    struct pod_value value = {.at = pod->at, .window = pod->window};

    for (uint32_t i = 0; i < pod->usage_count; i++) {
        if (wanted->container && !str_eq(pod->usages[i].name, wanted->container))
            continue;
        value.known = true;
        usage_add(&value.milli, &pod->usages[i], wanted->resource);
    }
    return value;
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    (void)source;
    for (uint32_t i = 0; i < count; i++) {
        const struct metrics_object *pod = map_get(&sub->feed->pods, pods[i]->meta.name);
        ret_values[i] = (struct pod_value){0};
        if (pod && !sub->wanted.why && !staleness_too_old(&sub->wanted.staleness, pod->at, now))
            ret_values[i] = value_of(&sub->wanted, pod);
    }
}

struct resource_source *resource_source_new(struct resourcerules *all, struct loop *loop) {
    static const struct metric_source_ops ops = {.name = "resourceRules",
                                                 .subscribe = subscribe,
                                                 .unsubscribe = unsubscribe,
                                                 .read = read_sample,
                                                 .read_pods = read_pods};
    struct resource_source *s = XNEW(struct resource_source);

    *s = (struct resource_source){.head.ops = &ops, .all = all, .loop = loop};
    map_init(&s->feeds);
    return s;
}

void resource_source_free(struct resource_source *source) {
    if (!source)
        return;
    map_done(&source->feeds);
    free(source);
}

struct metric_source *resource_source_head(struct resource_source *source) {
    return &source->head;
}
