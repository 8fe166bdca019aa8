/* The kubelets as a metric source: cpu and memory of pods and of their containers. Answers of nodes come all
 * the time, each with pods of many namespaces; those who follow a namespace are told together and not more
 * often than a third of a resolution.
 *
 * An answer marks the namespaces of its pods as dirty (mark) and starts the teller, unless it is running;
 * when that fires, all who are dirty and have not been told lately are told, and the others wait for its next
 * round. A namespace is there as long as anybody follows it or it is being told. */
#include "adapter/kubelets_internal.h"
#include "adapter/subscribers.h"
#include "adapter/usage_wanted.h"

#include "base/mem.h"

/* How long answers are gathered before anyone is told. */
static const usec_t TELL_PAUSE = 500 * USEC_PER_MSEC;

/* A namespace whose pods somebody follows. */
struct followed {
    char *ns;
    struct subscribers users;
    usec_t newest; /* wall time of its latest point; 0: none */
    usec_t told;   /* monotonic */
    bool dirty;    /* something has come since */
    bool telling;  /* in the list of those being told: it may not go now */
    struct followed *next_told;
};

struct metric_subscription {
    struct subscriber head; /* first: its list hands it back */
    struct followed *ns;
    struct usage_wanted wanted;
};

static struct followed *follow(struct kubelets *all, const char *ns) {
    struct followed *followed = map_get(&all->followed, ns);

    if (followed)
        return followed;
    followed = XNEW(struct followed);
    followed->ns = xstrdup(ns);
    map_put(&all->followed, followed->ns, followed);
    return followed;
}

/* To be called wherever one of its reasons to be there may have gone. */
static void drop_unused(struct kubelets *all, struct followed *followed) {
    if (followed->users.first || followed->telling)
        return;
    map_remove(&all->followed, followed->ns);
    free(followed->ns);
    free(followed);
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct kubelets *all = (struct kubelets *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);

    sub->head = (struct subscriber){.interval = all->resolution, .changed = changed, .arg = arg};
    usage_wanted_init(&sub->wanted, request->metric, "kubelets measure");
    sub->ns = follow(all, request->ns);
    subscribers_add(&sub->ns->users, &sub->head);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    subscribers_remove(&sub->ns->users, &sub->head);
    drop_unused((struct kubelets *)source, sub->ns);
    usage_wanted_done(&sub->wanted);
    free(sub);
}

/* What there is to say of the source as a whole. The message is for whoever finds none of his pods in it,
 * which happens to each new workload, and to all of them after a start. */
static void judge(const struct kubelets *all, struct sample *sample) {
    if (usage_store_ready(all->usage)) {
        sample->quality = QUALITY_VALUE;
        sample->message =
            "the kubelets have no value of its pods yet: a pod's first comes with the second reading";
    } else if (all->stats.failures && !kubelets_starting(all)) {
        sample->quality = QUALITY_FAILED;
        sample->message = all->last_failure;
    }
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    if (!usage_wanted_begin(&sub->wanted, "kubelet", ret_sample))
        return;
    ret_sample->at = sub->ns->newest;
    judge((const struct kubelets *)source, ret_sample);
    staleness_apply(&sub->wanted.staleness, now, ret_sample);
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    const struct kubelets *all = (const struct kubelets *)source;
    const struct usage_wanted *wanted = &sub->wanted;

    for (uint32_t i = 0; i < count; i++) {
        const struct usage_pod pod = {pods[i]->node, pods[i]->meta.ns, pods[i]->meta.name};
        ret_values[i] = (struct pod_value){0};
        if (!wanted->why)
            usage_store_value(all->usage, &pod, wanted->container, wanted->resource, &ret_values[i]);
        /* A pod without a value has the time 0, which is never too old: it is not known anyway. */
        if (staleness_too_old(&wanted->staleness, ret_values[i].at, now))
            ret_values[i].known = false;
    }
}

/* Telling. */

static void mark(void *arg, const char *ns, usec_t newest) {
    struct kubelets *all = arg;
    struct followed *followed = map_get(&all->followed, ns);

    if (!followed)
        return;
    followed->dirty = true;
    /* The answers of nodes overtake one another. */
    if (followed->newest < newest)
        followed->newest = newest;
    if (!loop_timer_pending(all->teller))
        loop_timer_set(all->teller, TELL_PAUSE);
}

void kubelets_source_changed(struct kubelets *all, const char *node) {
    if (all->followed.len)
        usage_store_namespaces(all->usage, node, mark, all);
}

/* Whoever is told may subscribe and unsubscribe: the list is made before. */
static struct followed *take_due(struct kubelets *all, usec_t now, bool *ret_more) {
    struct followed *due = NULL;
    struct map_iter it = {0};
    void *value;

    *ret_more = false;
    while (map_next(&all->followed, &it, NULL, &value)) {
        struct followed *followed = value;
        if (followed->dirty && followed->told && now - followed->told < all->resolution / 3) {
            *ret_more = true;
        } else if (followed->dirty) {
            followed->telling = true;
            followed->next_told = due;
            due = followed;
        }
    }
    return due;
}

static void on_tell(void *arg) {
    struct kubelets *all = arg;
    usec_t now = loop_now(all->world.loop);
    bool more;

    for (struct followed *followed = take_due(all, now, &more), *next; followed; followed = next) {
        next = followed->next_told;
        /* Before they are told, so that what comes in meanwhile is not forgotten. */
        followed->dirty = false;
        followed->told = now;
        subscribers_tell(&followed->users);
        followed->telling = false;
        drop_unused(all, followed);
    }
    if (more && !loop_timer_pending(all->teller))
        loop_timer_set(all->teller, TELL_PAUSE);
}

void kubelets_source_init(struct kubelets *all) {
    static const struct metric_source_ops ops = {.name = "the kubelets",
                                                 .subscribe = subscribe,
                                                 .unsubscribe = unsubscribe,
                                                 .read = read_sample,
                                                 .read_pods = read_pods};

    all->head.ops = &ops;
    all->teller = loop_timer_new(all->world.loop, on_tell, all);
}

void kubelets_source_done(struct kubelets *all) {
    loop_timer_free(all->teller);
    map_done(&all->followed);
}

struct metric_source *kubelets_source(struct kubelets *all) {
    return &all->head;
}
