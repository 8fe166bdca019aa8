/* The shell around the decision: which policies there are, and which of them are due. Each turn of the loop
 * ends here: every due policy is decided once, however many events asked for it.
 *
 * An entry is made when its policy is first seen, and freed at the end of a turn: a deletion only marks it,
 * for whoever calls back in the middle of one may still hold it. Its key stands in the queue once, with the
 * earliest time that anybody asked for; later wishes are lost there. So each look asks at its end for the
 * next one that it needs (look_again in reconcile.c). */
#include "autoscaler/autoscaler.h"

#include "autoscaler/entry.h"
#include "base/mem.h"
#include <stdlib.h>

/* Decisions of one turn may take this long; what is left is done in the next, so that sockets are served in
 * between. */
static const usec_t turn_budget = 20 * USEC_PER_MSEC;
static const usec_t default_pace = USEC_PER_SEC;
static const size_t decision_arena = (size_t)16 * 1024;

static const struct resource policies_resource = {.group = "autoscaling.trimtab.dev",
                                                  .version = "v1",
                                                  .kind = "AutoscalingPolicy",
                                                  .plural = "autoscalingpolicies",
                                                  .namespaced = true};

void entry_queue(struct entry *entry, usec_t when) {
    workqueue_add(entry->autoscaler->queue, entry->key, when);
}

/* A sample comes once an interval, give or take the network: a little early is not too early. */
static usec_t paced(usec_t last, usec_t pace) {
    return last ? last + pace - pace / 10 : 0;
}

void entry_queue_paced(struct entry *entry) {
    usec_t interval = entry->policy->spec.interval;

    entry_queue(entry, paced(entry->last_decided, interval ? interval : default_pace));
}

/* Without an interval of its own a policy is decided at once for a sample, at most once a second; that
 * something else was looked at in between does not hold the sample up. */
void entry_queue_sampled(struct entry *entry) {
    entry->sampled = true;
    if (entry->policy->spec.interval)
        entry_queue_paced(entry);
    else
        entry_queue(entry, paced(entry->last_sampled, default_pace));
}

/* Many policies fail at once, with the apiserver: the fifth up or down keeps them from coming back as
 * one. The bound of the shift keeps base in range; max cuts it long before. */
usec_t entry_backoff(struct entry *entry, usec_t base, usec_t max) {
    usec_t d = base << (entry->failures < 10 ? entry->failures : 10);

    if (d > max)
        d = max;
    return d - d / 5 + rand_r(&entry->autoscaler->seed) % (d / 5 * 2 + 1);
}

static struct entry *entry_new(struct autoscaler *as, const char *key) {
    struct entry *e = XNEW(struct entry);

    e->autoscaler = as;
    e->key = xstrdup(key);
    e->born = loop_now(as->world.loop);
    arena_init(&e->arena, decision_arena);
    arena_init(&e->status_arena, 1024);
    /* The map borrows the key, so that entry_free lets go of it last. */
    map_put(&as->entries, e->key, e);
    return e;
}

/* Calls are cancelled first, since an answer would find nobody. The claim borrows its names from the
 * policy, and what is bound its metrics from the bound one: both go before the references do. */
static void entry_free(struct entry *e) {
    writes_cancel(e);
    entry_unclaim(e);
    entry_unbind(e);
    workqueue_remove(e->autoscaler->queue, e->key);
    workqueue_remove(e->autoscaler->waiting, e->key);
    map_remove(&e->autoscaler->entries, e->key);
    history_done(&e->history);
    recordlog_free(e->log);
    json_decref(e->stored);
    free(e->shown);
    arena_done(&e->arena);
    arena_done(&e->status_arena);
    object_unref(e->policy ? &e->policy->meta : NULL);
    object_unref(e->deciding ? &e->deciding->meta : NULL);
    free(e->key);
    free(e);
}

/* A policy that was deleted and made anew under its name starts anew, too. */
static void forget_past(struct entry *e) {
    writes_cancel(e);
    history_done(&e->history);
    e->history = (struct history){0};
    recordlog_free(e->log);
    e->log = NULL;
    e->events = (struct eventlog){0};
    e->last_decided = e->last_status_write = e->last_sampled = 0;
    e->born = loop_now(e->autoscaler->world.loop);
    entry_set_stored(e, NULL, 0);
}

static void take_policy(struct entry *e, const struct policy_object *policy) {
    int64_t version = 0;

    if (e->policy && !str_eq(e->policy->meta.uid, policy->meta.uid))
        forget_past(e);
    object_unref(e->policy ? &e->policy->meta : NULL);
    e->policy = (const struct policy_object *)object_ref(&policy->meta);
    e->deleted = false;
    /* The watch may still bring versions from before our last write of the status, which knows better. */
    if (str_to_i64(policy->meta.resource_version, &version) == 0 && (uint64_t)version >= e->stored_version)
        entry_set_stored(e, policy->status_json, (uint64_t)version);
}

static void on_policy(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct autoscaler *as = arg;
    const struct object *o = new_ ? new_ : old;
    struct entry *e = map_get(&as->entries, o->key);

    if (change == INFORMER_DELETED) {
        if (e) {
            e->deleted = true;
            /* The next in line may act in this very turn. */
            entry_unclaim(e);
        }
    } else {
        if (!e)
            e = entry_new(as, o->key);
        take_policy(e, (const struct policy_object *)o);
        entry_claim(e);
    }
    if (e)
        entry_queue(e, 0);
}

/* In memory, or not to be had; not open counts. */
static bool settled(const struct informer *informer) {
    return !informer || informer_synced(informer) || informer_error(informer)->code;
}

/* Nothing is decided before policies and HPAs are all in: a target shared by two of them must be seen with
 * both. */
static bool may_decide(const struct autoscaler *as) {
    return informer_synced(as->policies) && rivals_settled(as) && past_settled(as) && settled(as->pods) &&
           settled(as->replicasets);
}

static void set_timer(struct autoscaler *as) {
    usec_t when, now = loop_now(as->world.loop);

    if (!may_decide(as) || !workqueue_next(as->queue, &when))
        /* What lets us decide, or fills the queue, happens in a turn, and that ends in on_turn as well. */
        loop_timer_cancel(as->timer);
    else
        loop_timer_set(as->timer, when > now ? when - now : 0);
}

static void on_turn(void *arg) {
    struct autoscaler *as = arg;
    usec_t start = clock_mono();

    /* Asked anew for each: binding a policy may have opened a list that is not in yet. */
    while (may_decide(as) && clock_mono() - start < turn_budget) {
        cleanup_free char *key = workqueue_take(as->queue, loop_now(as->world.loop));
        struct entry *e = key ? map_get(&as->entries, key) : NULL;
        if (!key)
            break;
        if (e && e->deleted)
            entry_free(e);
        else if (e)
            entry_reconcile(e);
    }
    set_timer(as);
}

static void on_timer(void *arg) {
    (void)arg; /* the turn that follows does the work */
}

/* A kind that was not served may be now. Those that have a target keep it: discovery's resources stay
 * valid. */
static void on_discovery(void *arg) {
    struct autoscaler *as = arg;
    struct map_iter it = {0};
    void *e;

    while (map_next(&as->entries, &it, NULL, &e))
        if (!((struct entry *)e)->target)
            entry_queue(e, 0);
}

struct autoscaler *autoscaler_new(const struct autoscaler_world *world,
                                  const struct autoscaler_options *options) {
    struct autoscaler *as = XNEW(struct autoscaler);

    as->world = *world;
    as->options = *options;
    /* The world is complete only at the end: none of what is opened here calls back before it is done. */
    if (!as->options.status_interval)
        as->options.status_interval = 15 * USEC_PER_SEC;
    if (!as->options.retry_interval)
        as->options.retry_interval = USEC_PER_SEC;
    as->seed = (unsigned)clock_wall();
    arena_init(&as->spare, decision_arena);
    map_init(&as->entries);
    map_init(&as->targets);
    map_init(&as->zones);
    as->queue = workqueue_new();
    as->waiting = workqueue_new();
    as->timer = loop_timer_new(world->loop, on_timer, as);
    as->policies = informers_open(world->informers, &policies_resource, OBJECT_POLICY, on_policy, as);
    rivals_open(as);
    past_open(as);
    discovery_on_change(world->discovery, on_discovery, as);
    loop_on_turn(world->loop, on_turn, as);
    return as;
}

static void free_entries(struct autoscaler *as) {
    struct map_iter it = {0};
    void *e;

    while (map_next(&as->entries, &it, NULL, &e))
        entry_free(e);
}

static void free_zones(struct autoscaler *as) {
    struct map_iter it = {0};
    const char *name;
    void *zone;

    while (map_next(&as->zones, &it, &name, &zone)) {
        tz_free(zone);
        free((char *)(uintptr_t)name);
    }
    map_done(&as->zones);
}

void autoscaler_free(struct autoscaler *as) {
    if (!as)
        return;
    /* In the reverse order of use: entries have calls, claims and subscriptions in all that follows, and
     * claims that change still ask the queue. */
    free_entries(as);
    rivals_close(as);
    past_close(as);
    informer_close(as->policies);
    loop_timer_free(as->timer);
    workqueue_free(as->queue);
    workqueue_free(as->waiting);
    arena_done(&as->spare);
    free(as->pod_list.pods);
    free_zones(as);
    map_done(&as->entries);
    map_done(&as->targets);
    free(as);
}

bool autoscaler_ready(const struct autoscaler *as) {
    return informer_synced(as->policies);
}

const struct err *autoscaler_error(const struct autoscaler *as) {
    return informer_error(as->policies);
}

void autoscaler_stats(const struct autoscaler *as, struct autoscaler_stats *ret_stats) {
    struct map_iter it = {0};
    void *value;

    *ret_stats = as->stats;
    ret_stats->policies = as->entries.len;
    ret_stats->record_bytes = 0;
    while (map_next(&as->entries, &it, NULL, &value))
        ret_stats->record_bytes += recordlog_bytes(((const struct entry *)value)->log);
}

bool autoscaler_policy(const struct autoscaler *as, const char *ns, const char *name,
                       struct autoscaler_policy *ret_policy) {
    cleanup_free char *key = xasprintf("%s/%s", ns, name);
    const struct entry *e = map_get(&as->entries, key);

    if (!e || e->deleted)
        return false;
    const struct err *invalid = e->policy->invalid.code ? &e->policy->invalid : &e->zone_err;
    *ret_policy = (struct autoscaler_policy){.log = e->log, .invalid = invalid->code ? invalid->text : NULL};
    return true;
}
