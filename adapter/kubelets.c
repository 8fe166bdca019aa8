/* The kubelets of the nodes, and when each is asked: by the plan that queries have as well, where one that
 * does not answer simply waits for its next turn.
 *
 * A kubelet comes and goes with its node (on_node), or as its labels begin or cease to match the selector. In
 * between it is always in the plan: waiting for its turn, or in flight with call set, until kubelet_scraped
 * puts it back. What was read lies in the usage store by the node's name, and is dropped with the kubelet or
 * when it is too old. Nothing here follows pods: an answer names them, and requests look them up. */
#include "adapter/kubelets_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

enum {
    STARTING_RESOLUTIONS = 2, /* the first data are waited for, as long as answers count */
    /* Enough for a tenth of 2,000 nodes to hang until their requests time out; each has a connection, and so
     * a file descriptor and OpenSSL's buffers. */
    MAX_CONCURRENT = 200,
};

/* A second point needs a kubelet that has measured again: cadvisor does so every 10 s. */
static const usec_t FIRST_INTERVAL = 10 * USEC_PER_SEC;
static const usec_t DEFAULT_RESOLUTION = 15 * USEC_PER_SEC;
static const usec_t DEFAULT_TIMEOUT = 10 * USEC_PER_SEC;

/* The schedule. */

/* At least once a resolution, for last_tick: liveness must not fail because nothing is due. */
static void set_timer(struct kubelets *all) {
    usec_t wait = plan_wait(&all->plan, loop_now(all->world.loop));

    loop_timer_set(all->timer, wait < 0 || wait > all->resolution ? all->resolution : wait);
}

static void on_timer(void *arg) {
    struct kubelets *all = arg;
    struct plan_query *due;

    all->stats.last_tick = loop_now(all->world.loop);
    while ((due = plan_start(&all->plan, all->stats.last_tick)))
        kubelet_scrape((struct kubelet *)due);
    set_timer(all);
}

/* What a kubelet said is kept for a while when it says nothing more, and no longer. It is looked at when a
 * scrape ends, so that it may be there for up to one resolution longer. */
static void drop_old(struct kubelet *kubelet, usec_t now) {
    struct kubelets *all = kubelet->all;

    if (kubelet->answered && now - kubelet->answered >= 2 * all->resolution)
        usage_store_forget(all->usage, kubelet->name);
}

void kubelet_scraped(struct kubelet *kubelet) {
    struct kubelets *all = kubelet->all;
    usec_t now = loop_now(all->world.loop);

    drop_old(kubelet, now);
    /* Answered, whatever it brought: to the plan all queries have one server, which a kubelet that is down
     * must not make look down for the others. */
    plan_finish(&all->plan, &kubelet->planned, PLAN_ANSWERED, 0, now);
    if (!kubelet->tried)
        plan_set_interval(&all->plan, &kubelet->planned, all->resolution, now);
    kubelet->tried = true;
    set_timer(all);
}

/* The nodes. */

static void kubelet_add(struct kubelets *all, const char *name) {
    struct kubelet *kubelet = XNEW(struct kubelet);
    /* Usage is the difference of two points: what is new gets its second one soon, however rare the others
     * are. */
    usec_t interval = all->resolution < FIRST_INTERVAL ? all->resolution : FIRST_INTERVAL;

    kubelet->all = all;
    kubelet->name = xstrdup(name);
    map_put(&all->kubelets, kubelet->name, kubelet);
    plan_add(&all->plan, &kubelet->planned, interval, loop_now(all->world.loop));
    set_timer(all);
}

static void kubelet_free(struct kubelet *kubelet) {
    kubelet_cancel(kubelet);
    free(kubelet->name);
    free(kubelet);
}

static void kubelet_remove(struct kubelets *all, const char *name) {
    struct kubelet *kubelet = map_remove(&all->kubelets, name);

    if (!kubelet)
        return;
    /* A scrape under way is of the plan's count: it is taken out before it is cancelled. */
    plan_remove(&all->plan, &kubelet->planned);
    usage_store_forget(all->usage, name);
    kubelet_free(kubelet);
    set_timer(all);
}

/* Addresses and ports are not looked at: each scrape reads them from the informer. */
static void on_node(void *arg, enum informer_change change, const struct object *old,
                    const struct object *new_) {
    struct kubelets *all = arg;
    const char *name = new_ ? new_->name : old->name;
    bool wanted = new_ && selector_matches(&all->node_selector, new_->labels);
    (void)change;
    bool known = map_get(&all->kubelets, name);

    if (wanted && !known)
        kubelet_add(all, name);
    else if (!wanted && known)
        kubelet_remove(all, name);
}

/* Pods are looked at when somebody asks for them. */
static void on_pod(void *arg, enum informer_change change, const struct object *old,
                   const struct object *new_) {
    (void)arg;
    (void)change;
    (void)old;
    (void)new_;
}

static struct informer *follow(struct kubelets *all, const char *kind, enum object_type type,
                               informer_fn *fn) {
    const struct resource *resource;

    if (discovery_find(all->world.discovery, "v1", kind, &resource, NULL) < 0)
        return NULL;
    return informers_open(all->world.informers, resource, type, fn, all);
}

/* Discovery may have its first answer only later. */
static void on_discovery(void *arg) {
    struct kubelets *all = arg;

    /* Once open they stay: a round that fails, or misses v1, changes nothing about nodes and pods. */
    if (!all->node_informer)
        all->node_informer = follow(all, "Node", OBJECT_NODE, on_node);
    if (!all->pod_informer)
        all->pod_informer = follow(all, "Pod", OBJECT_POD, on_pod);
}

/* The whole. */

static const char *keep(struct kubelets *all, const char *text) {
    return text ? arena_strdup(&all->arena, text) : NULL;
}

static int take_options(struct kubelets *all, const struct kubelets_options *options, struct err *err) {
    int ret = kubelet_address_read(options, &all->address, err);

    if (ret == 0 && options->node_selector &&
        selector_parse(arena_strdup(&all->arena, options->node_selector), &all->arena, &all->node_selector,
                       err) < 0)
        ret = err_wrap(err, "--node-selector");
    all->options = *options;
    /* The caller's texts go: what is still needed is copied, and the rest made unusable. */
    all->options.preferred_types = NULL; /* read */
    all->options.node_selector = NULL;
    all->options.ca_file = keep(all, options->ca_file);
    all->options.cert_file = keep(all, options->cert_file);
    all->options.key_file = keep(all, options->key_file);
    all->resolution = options->resolution ? options->resolution : DEFAULT_RESOLUTION;
    if (!all->options.request_timeout)
        all->options.request_timeout = DEFAULT_TIMEOUT;
    return ret;
}

int kubelets_new(const struct kubelets_world *world, const struct kubelets_options *options,
                 struct kubelets **ret_kubelets, struct err *err) {
    struct kubelets *all = XNEW(struct kubelets);

    arena_init(&all->arena, 0);
    int ret = take_options(all, options, err);
    if (ret < 0) {
        arena_done(&all->arena);
        free(all);
        return ret;
    }
    all->world = *world;
    plan_init(&all->plan, MAX_CONCURRENT, (uint64_t)clock_wall());
    all->usage = usage_store_new(all->resolution);
    all->timer = loop_timer_new(world->loop, on_timer, all);
    all->last_failure = xstrdup("");
    all->started = all->stats.last_tick = loop_now(world->loop);
    kubelets_source_init(all);
    discovery_on_change(world->discovery, on_discovery, all);
    on_discovery(all);
    set_timer(all);
    *ret_kubelets = all;
    return 0;
}

void kubelets_free(struct kubelets *all) {
    struct map_iter it = {0};
    void *kubelet;

    if (!all)
        return;
    /* First what calls us, then what is called. */
    informer_close(all->node_informer);
    informer_close(all->pod_informer);
    while (map_next(&all->kubelets, &it, NULL, &kubelet))
        kubelet_free(kubelet);
    map_done(&all->kubelets);
    plan_done(&all->plan);
    loop_timer_free(all->timer);
    kubelets_source_done(all);
    usage_store_free(all->usage);
    free(all->last_failure);
    arena_done(&all->arena);
    free(all);
}

static bool synced(const struct informer *informer) {
    return informer && informer_synced(informer);
}

bool kubelets_ready(const struct kubelets *all) {
    return synced(all->node_informer) && synced(all->pod_informer) && usage_store_ready(all->usage);
}

/* Bounded, since who may not read the nodes has neither failures nor answers. Hopeless: all that have been
 * asked failed and none answered, or there is no node to ask; then others may serve at once. */
bool kubelets_starting(const struct kubelets *all) {
    bool hopeless = all->kubelets.len ? !all->answered && all->stats.failures : synced(all->node_informer);

    return !hopeless && !usage_store_ready(all->usage) &&
           loop_now(all->world.loop) - all->started < STARTING_RESOLUTIONS * all->resolution;
}

bool kubelets_serves(const struct kubelets *all) {
    return usage_store_ready(all->usage) || kubelets_starting(all);
}

void kubelets_stats(const struct kubelets *all, struct kubelets_stats *ret_stats) {
    usec_t now = loop_now(all->world.loop);
    struct usage_store_stats usage;
    struct map_iter it = {0};
    void *value;

    *ret_stats = all->stats;
    ret_stats->nodes = (uint32_t)all->kubelets.len;
    while (map_next(&all->kubelets, &it, NULL, &value)) {
        const struct kubelet *kubelet = value;
        ret_stats->answered += kubelet->answered && now - kubelet->answered < 2 * all->resolution;
    }
    usage_store_stats(all->usage, &usage);
    ret_stats->pods = usage.pods;
    ret_stats->containers = usage.containers;
    ret_stats->bytes = usage.bytes;
}
