/* Everything that is written to the cluster leaves from here: the scale, a policy's status, events.
 *
 * Of each policy one write of the scale and one of the status may be under way, also side by side. While the
 * scale's is, nothing is decided for the policy: input and decision wait in its arena for the answer, which
 * is part of the decision (condition, event, record). A status is a copy of its own, and holds nothing up.
 *
 * What failed is never sent again as it was: after a pause the policy decides anew, from what is there then.
 */
#include "autoscaler/entry.h"

#include "autoscaler/status.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CONFLICTS_AT_ONCE = 5 }; /* as HPA's retry on conflict; then like any other failure */
static const usec_t backoff_max = 10 * USEC_PER_SEC;
static const usec_t warning_repeat = USEC_PER_MIN;

static usec_t now_mono(const struct entry *e) {
    return loop_now(e->autoscaler->world.loop);
}

/* Decisions wait as well (not_before), so that samples do not send a server in trouble one request after
 * the other. */
static void retry_later(struct entry *e, const struct kube_reply *reply) {
    usec_t wait = entry_backoff(e, e->autoscaler->options.retry_interval, backoff_max);

    e->failures++;
    e->not_before = now_mono(e) + (reply->retry_after > wait ? reply->retry_after : wait);
    entry_queue(e, e->not_before);
}

/* ---- the scale ---- */

static void scale_succeeded(struct entry *e, const struct kube_reply *reply) {
    const struct decision *d = &e->decision;

    e->conflicts = e->failures = 0;
    if (e->target && reply->body)
        target_take_scale(e->target, reply->body);
    history_store_scale(&e->history, e->input.spec, d->current, d->desired, e->input.now);
    e->last_scale_time = e->input.now;
    log_info(e->key, "%s/%s: %s", e->deciding->spec.target.kind, e->deciding->spec.target.name, d->message);
    decision_written(&e->decision, &e->input, /* succeeded= */ true, NULL, &e->arena);
    entry_finish(e);
}

static void scale_failed(struct entry *e, const struct kube_reply *reply) {
    e->conflicts = 0;
    e->autoscaler->stats.scale_failures++;
    log_warn(e->key, "scaling to %d replicas: %s", e->decision.desired, err_text(&reply->err));
    /* entry_finish asks for a look of its own and gives the arena back; not_before, set behind it, holds
     * that look up as well. */
    decision_written(&e->decision, &e->input, /* succeeded= */ false, err_text(&reply->err), &e->arena);
    entry_finish(e);
    retry_later(e, reply);
}

static void on_scale_written(void *arg, const struct kube_reply *reply) {
    struct entry *e = arg;

    e->scale_call = NULL;
    if (reply->err.code == 0) {
        scale_succeeded(e, reply);
    } else if (reply->status == 409 && e->target && e->conflicts < CONFLICTS_AT_ONCE) {
        /* Someone else changed it in between: what we decided was about another state. */
        e->conflicts++;
        e->autoscaler->stats.scale_conflicts++;
        target_read_scale(e->target);
    } else {
        scale_failed(e, reply);
    }
}

void write_scale(struct entry *e) {
    /* There is a target: without one there is no scale, and nothing to be rescaled. */
    struct autoscaler *as = e->autoscaler;
    struct target *t = e->target;
    const char *version = target_version(t);
    cleanup_buf struct buf path;

    buf_init(&path, 2048);
    if (resource_path(t->kind->resource, t->ns, t->name, "scale", &path) < 0)
        return;
    /* The resourceVersion makes it a compare-and-swap: a change that we have not seen is not overwritten. */
    json_t *body = json_pack("{s:{s:s}, s:{s:i}}", "metadata", "resourceVersion", str_or_empty(version),
                             "spec", "replicas", e->decision.desired);
    as->stats.scale_writes++;
    e->scale_call = kube_start(as->world.kube, &(struct kube_request){.verb = KUBE_MERGE_PATCH,
                                                                      .path = path.data,
                                                                      .body = body,
                                                                      .on_done = on_scale_written,
                                                                      .arg = e});
    json_decref(body);
}

/* ---- the status ---- */

/* The JSON merge patch (RFC 7396) that makes `from` into `to`: what is gone becomes null, objects are
 * descended into, arrays (conditions, metrics) are sent whole. Custom resources have no strategic merge
 * patch, which would know better. */
static json_t *merge_diff(const json_t *from, json_t *to) {
    json_t *patch = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(to, key, value) {
        json_t *old = json_object_get(from, key);
        if (json_is_object(old) && json_is_object(value))
            json_object_set_new(patch, key, merge_diff(old, value));
        else if (!json_equal(old, value))
            json_object_set(patch, key, value);
    }
    void *iter = json_object_iter((json_t *)(uintptr_t)from);
    for (; iter; iter = json_object_iter_next((json_t *)(uintptr_t)from, iter))
        if (!json_object_get(to, json_object_iter_key(iter)))
            json_object_set_new(patch, json_object_iter_key(iter), json_null());
    return patch;
}

static uint64_t version_of(const json_t *document) {
    const char *text =
        json_string_value(json_object_get(json_object_get(document, "metadata"), "resourceVersion"));
    int64_t version = 0;

    return text && str_to_i64(text, &version) == 0 ? (uint64_t)version : 0;
}

/* The place that this write leaves goes to the policy that has waited longest. If that one finds nothing to
 * write any more the place is free for whoever looks next, and the others wait for another write to end. */
static void status_over(struct entry *e) {
    struct autoscaler *as = e->autoscaler;
    cleanup_free char *next = workqueue_take(as->waiting, 0);
    struct entry *waiting = next ? map_get(&as->entries, next) : NULL;

    e->status_call = NULL;
    as->statuses_under_way--;
    if (waiting)
        entry_queue(waiting, 0);
}

/* What was refused has not been shown: the values count as moved, so that the next look writes them. */
static void status_failed(struct entry *e, const struct kube_reply *reply) {
    e->autoscaler->stats.status_failures++;
    log_warn(e->key, "writing status: %s", err_text(&reply->err));
    free(e->shown);
    e->shown = NULL;
    retry_later(e, reply);
}

static void on_status_written(void *arg, const struct kube_reply *reply) {
    struct entry *e = arg;
    json_t *sent = e->status_sent;

    status_over(e);
    e->status_sent = NULL;
    if (reply->err.code == 0) {
        uint64_t version = version_of(reply->body);
        /* The watch may have been faster than the answer: what it brought is later then. */
        if (version >= e->stored_version)
            entry_set_stored(e, sent, version);
        e->failures = 0;
        entry_queue_paced(e);          /* what changed meanwhile was held back */
    } else if (reply->status != 404) { /* deleted: the watch will say so */
        status_failed(e, reply);
    }
    json_decref(sent);
}

void write_status(struct entry *e, json_t *wanted) {
    struct autoscaler *as = e->autoscaler;
    cleanup_free char *path =
        xasprintf("/apis/autoscaling.trimtab.dev/v1/namespaces/%s/autoscalingpolicies/%s/status",
                  e->policy->meta.ns, e->policy->meta.name);
    /* The uid keeps the status of a deleted policy from landing on a new one of the same name. */
    json_t *body = json_pack("{s:{s:s}, s:o}", "metadata", "uid", e->policy->meta.uid, "status",
                             merge_diff(e->stored, wanted));

    as->stats.status_writes++;
    as->statuses_under_way++;
    e->last_status_write = now_mono(e);
    e->status_sent = json_incref(wanted);
    e->status_call = kube_start(
        as->world.kube,
        &(struct kube_request){
            .verb = KUBE_MERGE_PATCH, .path = path, .body = body, .on_done = on_status_written, .arg = e});
    json_decref(body);
}

/* ---- taking over from an HPA ---- */

/* The manifest is for people, to go back; the uid is for us, to know an HPA that was made again. */
struct kube_call *write_taken_over(struct entry *e, const char *manifest, const char *uid,
                                   kube_done_fn *done) {
    const struct object *o = &e->policy->meta;
    cleanup_free char *path =
        xasprintf("/apis/autoscaling.trimtab.dev/v1/namespaces/%s/autoscalingpolicies/%s", o->ns, o->name);
    json_t *body = json_pack("{s:{s:s, s:{s:s, s:s}}}", "metadata", "uid", o->uid, "annotations",
                             "autoscaling.trimtab.dev/taken-over", manifest,
                             "autoscaling.trimtab.dev/taken-over-uid", uid);
    struct kube_call *call =
        kube_start(e->autoscaler->world.kube,
                   &(struct kube_request){
                       .verb = KUBE_MERGE_PATCH, .path = path, .body = body, .on_done = done, .arg = e});

    json_decref(body);
    return call;
}

struct kube_call *write_hpa_delete(struct entry *e, const struct object_names *hpa, kube_done_fn *done) {
    cleanup_free char *path =
        xasprintf("/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers/%s", hpa->ns, hpa->name);
    /* Someone may have edited it since it was stored: its manifest would be lost. The server answers 409
     * where a precondition does not hold. */
    json_t *body =
        json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "meta.k8s.io/v1", "kind", "DeleteOptions",
                  "preconditions", "uid", hpa->uid, "resourceVersion", hpa->resource_version);
    struct kube_call *call = kube_start(
        e->autoscaler->world.kube,
        &(struct kube_request){.verb = KUBE_DELETE, .path = path, .body = body, .on_done = done, .arg = e});

    json_decref(body);
    return call;
}

/* ---- events ---- */

static void on_event_written(void *arg, const struct kube_reply *reply) {
    (void)arg;
    if (reply->err.code)
        log_debug(NULL, "writing an event: %s",
                  err_text(&reply->err)); /* an event is a courtesy, never retried */
}

/* Without arg: the policy may be gone by the time of the answer, and nothing waits for it. */
static void post(struct autoscaler *as, enum kube_verb verb, const char *path, json_t *body) {
    kube_start(as->world.kube,
               &(struct kube_request){.verb = verb, .path = path, .body = body, .on_done = on_event_written});
    json_decref(body);
}

/* What the size was before a rescale; HPA's message does not say, and a new start wants to know (past.c). */
static json_t *event_annotations(const struct entry *e, const struct decision_event *event) {
    json_t *annotations = json_object();

    if (str_eq(event->reason, "SuccessfulRescale"))
        json_object_set_new(annotations, "autoscaling.trimtab.dev/from",
                            json_sprintf("%d", (int)e->decision.current));
    return annotations;
}

/* core/v1 Event, as client-go's recorder writes it. */
static json_t *event_document(const struct entry *e, const struct decision_event *event,
                              const struct eventlog_slot *slot) {
    const struct object *o = &e->policy->meta;
    char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

    return json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:o}, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:s, s:o, s:s, s:{s:s}, s:s, s:s, "
        "s:s, s:I}",
        "apiVersion", "v1", "kind", "Event", "metadata", "name", slot->name, "namespace", o->ns,
        "annotations", event_annotations(e, event), "involvedObject", "apiVersion",
        "autoscaling.trimtab.dev/v1", "kind", "AutoscalingPolicy", "namespace", o->ns, "name", o->name, "uid",
        o->uid, "resourceVersion", o->resource_version, "reason", event->reason, "message",
        text_json(event->message), "type", event->warning ? "Warning" : "Normal", "source", "component",
        "trimtab", "firstTimestamp", clock_format(slot->first, first), "lastTimestamp",
        clock_format(slot->last, last), "reportingComponent", "trimtab", "count", (json_int_t)slot->count);
}

static void create_event(struct entry *e, const struct decision_event *event, struct eventlog_slot *slot) {
    struct autoscaler *as = e->autoscaler;
    const struct object *o = &e->policy->meta;
    cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/events", o->ns);

    /* As client-go: the object's name and the time in nanoseconds, of which ours has the thousands; the
     * serial tells apart what is said within one microsecond. */
    snprintf(slot->name, sizeof(slot->name), "%.40s.%" PRIx64, o->name,
             (uint64_t)slot->first * 1000 + as->event_serial++ % 1000);
    post(as, KUBE_CREATE, path, event_document(e, event, slot));
}

static void count_event(struct entry *e, const struct decision_event *event,
                        const struct eventlog_slot *slot) {
    char last[CLOCK_TEXT_MAX];
    cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/events/%s", e->policy->meta.ns, slot->name);

    post(e->autoscaler, KUBE_MERGE_PATCH, path,
         json_pack("{s:{s:o}, s:I, s:s}", "metadata", "annotations", event_annotations(e, event), "count",
                   (json_int_t)slot->count, "lastTimestamp", clock_format(slot->last, last)));
}

void write_event(struct entry *e, const struct decision_event *event) {
    struct eventlog_slot *slot = NULL;
    enum eventlog_action action = eventlog_add(&e->events, event->reason, event->message, clock_wall(),
                                               event->warning ? warning_repeat : 0, &slot);

    if (action == EVENTLOG_DROP) {
        e->autoscaler->stats.events_dropped++;
        return;
    }
    e->autoscaler->stats.events++;
    if (action == EVENTLOG_CREATE)
        create_event(e, event, slot);
    else
        count_event(e, event, slot);
}

void writes_cancel(struct entry *e) {
    kube_cancel(e->scale_call);
    e->scale_call = NULL;
    if (e->status_call) {
        /* A cancelled call is never answered: its place would be lost to all. */
        kube_cancel(e->status_call);
        status_over(e);
    }
    json_decref(e->status_sent);
    e->status_sent = NULL;
}
