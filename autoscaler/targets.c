/* Scale targets: from a policy's scaleTargetRef to a followed object, its scale, and the policy's metric
 * subscriptions.
 *
 * Policies share a target, targets a kind, and a kind is one informer; each goes with the last that uses it.
 * What a scale is comes from two places. Of Deployments and the like the cache has the fields; of any other
 * kind it has metadata alone, and the scale subresource is asked for once a version. Either may be behind
 * what a request has just answered (a write of ours, a read after a conflict), which is kept beside the cache
 * as the target's reading and counts for as long as the cache has no later version. */
#include "autoscaler/entry.h"

#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { FAILED_READ_REPEAT = 10 }; /* retry intervals; HPA asks once a sync period, 15 s */

static void queue_entries(struct target *target) {
    for (struct entry *e = target->entries; e; e = e->next_of_target)
        entry_queue_paced(e);
}

/* Without the version: policies that name one object by two versions share one target. */
static char *target_key(const struct resource *resource, const char *ns, const char *name) {
    return xasprintf("%s.%s/%s/%s", resource->plural, resource->group, ns, name);
}

/* Notes which version it is for, so that the decision that follows does not read it once more. */
static void read_for(struct target *target, const struct object *o) {
    free(target->reading_of);
    target->reading_of = xstrdup(o->resource_version);
    target_read_scale(target);
}

/* A kind whose scale is not in the fields that the cache keeps is read whenever the object has changed. */
static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct target_kind *kind = arg;
    const struct object *o = new_ ? new_ : old;
    cleanup_free char *key = target_key(kind->resource, o->ns, o->name);
    struct target *target = map_get(&kind->autoscaler->targets, key);

    if (!target)
        return;
    if (kind->type == OBJECT_META && change != INFORMER_DELETED)
        read_for(target, o);
    else
        queue_entries(target);
}

/* The built-in kinds carry replicas and selector in known fields. By the pointer: discovery has one resource
 * for each kind and version, and keeps it. */
static struct target_kind *kind_get(struct autoscaler *as, const struct resource *resource) {
    for (struct target_kind *k = as->kinds; k; k = k->next)
        if (k->resource == resource)
            return k;
    struct target_kind *k = XNEW(struct target_kind);
    *k = (struct target_kind){.autoscaler = as,
                              .resource = resource,
                              .type = object_type_of(resource->group, resource->plural),
                              .next = as->kinds};
    as->kinds = k;
    k->informer = informers_open(as->world.informers, resource, k->type, on_object, k);
    return k;
}

/* The last target of a kind ends its watch, and with it the memory of all its objects. */
static void kind_put(struct target_kind *kind) {
    struct target_kind **p = &kind->autoscaler->kinds;

    if (--kind->users)
        return;
    while (*p != kind)
        p = &(*p)->next;
    *p = kind->next;
    informer_close(kind->informer);
    free(kind);
}

static void reading_clear(struct scale_reading *r) {
    free(r->resource_version);
    free(r->selector);
    *r = (struct scale_reading){0};
}

static struct target *target_get(struct autoscaler *as, const struct resource *resource, const char *ns,
                                 const char *name) {
    /* Becomes the new target's own, which the map borrows. */
    char *key = target_key(resource, ns, name);
    struct target *t = map_get(&as->targets, key);

    if (t) {
        free(key);
        return t;
    }
    t = XNEW(struct target);
    *t = (struct target){.key = key, .ns = xstrdup(ns), .name = xstrdup(name)};
    t->kind = kind_get(as, resource);
    t->kind->users++;
    map_put(&as->targets, t->key, t);
    return t;
}

static void target_detach(struct target *target, struct entry *entry) {
    struct entry **p = &target->entries;

    while (*p != entry)
        p = &(*p)->next_of_target;
    *p = entry->next_of_target;
    entry->next_of_target = NULL;
    entry->target = NULL;
}

/* Frees a target that nobody is attached to any more. */
static void target_drop(struct target *target) {
    if (target->entries)
        return;
    map_remove(&target->kind->autoscaler->targets, target->key);
    kube_cancel(target->get);
    kind_put(target->kind);
    reading_clear(&target->reading);
    free(target->reading_of);
    free(target->ns);
    free(target->name);
    free(target->key);
    free(target);
}

void target_take_scale(struct target *target, const json_t *scale) {
    struct scale_reading *r = &target->reading;
    const json_t *meta = json_object_get(scale, "metadata"), *spec = json_object_get(scale, "spec"),
                 *status = json_object_get(scale, "status");

    reading_clear(r);
    r->known = true;
    r->resource_version = xstrdup(str_or_empty(json_string_value(json_object_get(meta, "resourceVersion"))));
    /* A Scale leaves 0 out. */
    r->spec_replicas = (int32_t)json_integer_value(json_object_get(spec, "replicas"));
    r->status_replicas = (int32_t)json_integer_value(json_object_get(status, "replicas"));
    r->selector = xstrdup(str_or_empty(json_string_value(json_object_get(status, "selector"))));
}

/* A failure is kept for the policies to tell; view_of_meta asks again after a while. */
static void on_scale(void *arg, const struct kube_reply *reply) {
    struct target *target = arg;

    target->get = NULL;
    if (reply->err.code == 0) {
        target_take_scale(target, reply->body);
    } else {
        reading_clear(&target->reading);
        target->reading.err = reply->err;
    }
    /* Before the policies look: they wait while a read is under way. */
    if (target->get_again)
        target_read_scale(target);
    for (struct entry *e = target->entries; e; e = e->next_of_target)
        entry_queue(e, 0);
}

/* One request at a time; what changed while one was under way is asked for once more when it is back, since
 * its answer may be older than the change. */
void target_read_scale(struct target *target) {
    struct autoscaler *as = target->kind->autoscaler;
    cleanup_buf struct buf path;

    buf_init(&path, 2048);
    target->get_again = target->get != NULL;
    if (target->get)
        return;
    if (resource_path(target->kind->resource, target->ns, target->name, "scale", &path) < 0)
        return;
    as->stats.scale_reads++;
    target->asked = loop_now(as->world.loop);
    target->get = kube_start(
        as->world.kube,
        &(struct kube_request){.verb = KUBE_GET, .path = path.data, .on_done = on_scale, .arg = target});
}

/* resourceVersions grow; Kubernetes compares them as numbers itself since 1.35. */
static uint64_t version_number(const char *version) {
    int64_t v = 0;
    return version && str_to_i64(version, &v) == 0 ? (uint64_t)v : 0;
}

static const struct object *cached(const struct target *target) {
    return informer_get(target->kind->informer, target->ns, target->name);
}

/* Our own write is answered before the watch brings it: until then the cache's replicas are those of before,
 * and a decision from them would be made twice. */
static bool reading_is_newer(const struct target *target, const struct object *o) {
    return target->reading.known &&
           (!o || version_number(target->reading.resource_version) >= version_number(o->resource_version));
}

const char *target_uid(const struct target *target) {
    const struct object *o = target ? cached(target) : NULL;

    return o ? o->uid : NULL;
}

/* Of whichever scale was decided on, so that the write is refused if another has come in between. */
const char *target_version(const struct target *target) {
    const struct object *o = cached(target);

    if (reading_is_newer(target, o))
        return target->reading.resource_version;
    return o ? o->resource_version : NULL;
}

static void view_of_reading(const struct scale_reading *r, struct arena *arena, struct scale_view *ret) {
    *ret = (struct scale_view){.known = r->known,
                               .spec_replicas = r->spec_replicas,
                               .status_replicas = r->status_replicas,
                               .selector = arena_strdup(arena, str_or_empty(r->selector))};
    if (!r->known)
        ret->error = arena_strdup(arena, err_text(&r->err));
}

/* The object may stay as it is for good: what could not be read is asked for again without a change of it.
 * Not at every look, since an answer wakes all policies of the target, and they would ask in turns. */
static bool failed_long_ago(const struct target *target) {
    const struct autoscaler *as = target->kind->autoscaler;

    return target->reading.err.code && !target->get &&
           loop_now(as->world.loop) - target->asked >= FAILED_READ_REPEAT * as->options.retry_interval;
}

/* Of a kind whose cache holds metadata alone; -EAGAIN until its scale has been read for this version. */
static int view_of_meta(struct target *target, const struct object *o, struct arena *arena,
                        struct scale_view *ret) {
    if (!str_eq(target->reading_of, o->resource_version) || failed_long_ago(target))
        read_for(target, o);
    /* A read under way may bring what we do not know yet; its end queues all policies of the target. */
    if (target->get || (!target->reading.known && !target->reading.err.code))
        return -EAGAIN;
    view_of_reading(&target->reading, arena, ret);
    return 0;
}

static void view_of_workload(const struct target *target, const struct object *o, struct arena *arena,
                             struct scale_view *ret) {
    const struct workload *w = (const struct workload *)o;

    if (reading_is_newer(target, o)) {
        view_of_reading(&target->reading, arena, ret);
        return;
    }
    *ret = (struct scale_view){.known = true,
                               .spec_replicas = w->spec_replicas,
                               .status_replicas = w->status_replicas,
                               .selector = arena_strdup(arena, w->selector)};
}

static void view_of_missing(const struct target *target, struct arena *arena, struct scale_view *ret) {
    const struct resource *r = target->kind->resource;

    *ret = (struct scale_view){.error = arena_printf(arena, "%s%s%s \"%s\" not found", r->plural,
                                                     *r->group ? "." : "", r->group, target->name)};
}

int entry_scale(struct entry *entry, struct arena *arena, struct scale_view *ret_scale) {
    struct target *target = entry->target;

    if (!target) {
        *ret_scale = (struct scale_view){.error = arena_strdup(arena, err_text(&entry->bind_err))};
        return 0;
    }
    const struct err *err = informer_error(target->kind->informer);
    /* A kind that cannot be listed would keep the policy waiting for good: that is told instead. */
    if (!informer_synced(target->kind->informer)) {
        if (!err->code)
            return -EAGAIN;
        *ret_scale = (struct scale_view){.error = arena_strdup(arena, err_text(err))};
        return 0;
    }
    const struct object *o = cached(target);
    if (!o)
        view_of_missing(target, arena, ret_scale);
    else if (target->kind->type == OBJECT_META)
        return view_of_meta(target, o, arena, ret_scale);
    else
        view_of_workload(target, o, arena, ret_scale);
    return 0;
}

static void on_metric(void *arg) {
    entry_queue_sampled(arg);
}

static void on_pod(void *arg, enum informer_change change, const struct object *old,
                   const struct object *new_) {
    /* Pods are counted when a sample asks for it; their own changes decide nothing. */
    (void)arg, (void)change, (void)old, (void)new_;
}

/* Metrics of pods, and all that are measured against the ready ones. */
static bool needs_pods(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (metric_of_pods(spec->metrics[i].type) || spec->metrics[i].target.type == TARGET_VALUE)
            return true;
    return false;
}

static void use_pods(struct entry *entry) {
    static const struct resource pods = {
        .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true};
    static const struct resource replicasets = {
        .group = "apps", .version = "v1", .kind = "ReplicaSet", .plural = "replicasets", .namespaced = true};
    struct autoscaler *as = entry->autoscaler;

    entry->uses_pods = true;
    /* Both or none: without ReplicaSets nobody knows whose a Deployment's pods are. */
    if (as->pod_users++)
        return;
    as->pods = informers_open(as->world.informers, &pods, OBJECT_POD, on_pod, as);
    as->replicasets = informers_open(as->world.informers, &replicasets, OBJECT_WORKLOAD, on_pod, as);
}

static void leave_pods(struct autoscaler *as) {
    if (--as->pod_users)
        return;
    informer_close(as->pods);
    informer_close(as->replicasets);
    as->pods = as->replicasets = NULL;
}

/* Zones are kept for good: there are some hundred, and policies share few of them. */
static const struct tz *zone_get(struct autoscaler *as, const char *name, struct err *err) {
    struct tz *zone = map_get(&as->zones, name);

    if (zone || tz_load(name, &zone, err) < 0)
        return zone;
    map_put(&as->zones, xstrdup(name), zone);
    return zone;
}

/* The zones of the schedules; one that the system does not know makes the spec unusable. */
static void find_zones(struct entry *entry) {
    const struct policy_spec *spec = &entry->bound->spec;
    struct err err;

    free(entry->zones);
    entry->zones = xcalloc(spec->schedule_count + 1, sizeof(const struct tz *));
    err_clear(&entry->zone_err);
    for (uint32_t i = 0; i < spec->schedule_count && !entry->zone_err.code; i++) {
        entry->zones[i] = zone_get(entry->autoscaler, spec->schedules[i].time_zone, &err);
        if (!entry->zones[i])
            err_set(&entry->zone_err, -EINVAL, "spec.schedules[%" PRIu32 "].timeZone: %s", i, err_text(&err));
    }
}

/* An invalid metric has no subscription; the decision tells what is wrong with it. */
static void subscribe(struct entry *entry) {
    const struct policy_spec *spec = &entry->bound->spec;
    struct metric_source *const *sources = entry->autoscaler->world.sources;

    /* In the order of spec.metrics; a NULL stays where a metric is invalid or its type has no source. */
    entry->subscriptions = xcalloc(spec->metric_count, sizeof(struct metric_subscription *));
    for (uint32_t i = 0; i < spec->metric_count; i++) {
        const struct metric_request request = {
            .metric = &spec->metrics[i], .ns = entry->bound->meta.ns, .interval = spec->interval};
        struct metric_source *source = sources[spec->metrics[i].type];
        if (source && !spec->metrics[i].invalid)
            entry->subscriptions[i] = source->ops->subscribe(source, &request, on_metric, entry);
    }
    if (needs_pods(spec))
        use_pods(entry);
}

static void unsubscribe(struct autoscaler *as, const struct policy_object *bound,
                        struct metric_subscription **subscriptions) {
    if (!bound || !subscriptions)
        return;
    for (uint32_t i = 0; i < bound->spec.metric_count; i++) {
        struct metric_source *source = as->world.sources[bound->spec.metrics[i].type];
        if (subscriptions[i])
            source->ops->unsubscribe(source, subscriptions[i]);
    }
    free(subscriptions);
}

void entry_unbind(struct entry *entry) {
    /* Subscriptions borrow the metrics of the bound policy: its reference goes last. */
    if (entry->uses_pods)
        leave_pods(entry->autoscaler);
    entry->uses_pods = false;
    unsubscribe(entry->autoscaler, entry->bound, entry->subscriptions);
    entry->subscriptions = NULL;
    free(entry->zones);
    entry->zones = NULL;
    struct target *target = entry->target;
    if (target) {
        target_detach(target, entry);
        target_drop(target);
    }
    object_unref(entry->bound ? &entry->bound->meta : NULL);
    entry->bound = NULL;
}

/* Resolves the kind and attaches the entry to its target. */
static int find_target(struct entry *entry) {
    const struct object_reference *ref = &entry->policy->spec.target;
    const struct resource *resource = NULL;

    err_clear(&entry->bind_err);
    int ret = discovery_find(entry->autoscaler->world.discovery, ref->api_version, ref->kind, &resource,
                             &entry->bind_err);
    if (ret < 0)
        return ret;
    /* Discovery lists a subresource beside its kind; without one there is nothing to read or write. */
    if (!resource->has_scale)
        return err_set(&entry->bind_err, -ENOTSUP,
                       "%s.%s has no scale subresource: name a kind that can be scaled in scaleTargetRef",
                       resource->plural, resource->group);
    entry->target = target_get(entry->autoscaler, resource, entry->policy->meta.ns, ref->name);
    entry->next_of_target = entry->target->entries;
    entry->target->entries = entry;
    return 0;
}

/* Binds to an edited policy. What the old spec used is let go only after the new one has taken what it uses,
 * so that a kind or a query that is in both goes on without a break. */
static int rebind(struct entry *entry) {
    struct autoscaler *as = entry->autoscaler;
    const struct policy_object *bound = entry->bound;
    struct metric_subscription **subscriptions = entry->subscriptions;
    struct target *target = entry->target;
    bool used_pods = entry->uses_pods;

    if (target)
        target_detach(target, entry);
    entry->uses_pods = false;
    entry->bound = (const struct policy_object *)object_ref(&entry->policy->meta);
    /* New metrics have no sample yet: the policy gets its time to wait again. */
    entry->born = loop_now(as->world.loop);
    free(entry->shown);
    entry->shown = NULL;
    find_zones(entry);
    subscribe(entry);
    int ret = find_target(entry);
    if (target)
        target_drop(target);
    if (used_pods)
        leave_pods(as);
    unsubscribe(as, bound, subscriptions);
    object_unref(bound ? &bound->meta : NULL);
    return ret;
}

/* By generation, which counts changes of the spec alone: our own writes of the status must not rebind. The
 * uid tells a policy that was deleted and made anew, whose generation begins at 1 again. */
int entry_bind(struct entry *entry) {
    bool same_spec = entry->bound && entry->bound->meta.generation == entry->policy->meta.generation &&
                     str_eq(entry->bound->meta.uid, entry->policy->meta.uid);

    if (!same_spec)
        return rebind(entry);
    /* A kind that was not served before may be now. */
    return entry->target ? 0 : find_target(entry);
}
