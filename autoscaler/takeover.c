/* Taking over from an HPA, so that at every moment exactly one of the two acts. While the HPA is there it
 * scales and the policy does not, but computes what it would do. Once that rests on valid metrics:
 *
 *   GET the HPA ─> its manifest goes into an annotation of the policy ─> DELETE the HPA, only if it is still
 *   the one that was read (uid and resourceVersion) ─> the policy decides and acts
 *
 * Whatever fails on the way leaves the HPA scaling; it is tried again from the beginning. */
#include "autoscaler/entry.h"

#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>

enum {
    CHANGES_AT_ONCE = 5,
    TAKEOVERS_AT_ONCE =
        8,              /* of all policies: a migration of a thousand must not fill the apiserver's queues */
    RETRIES_LATER = 30, /* a failed try is repeated after so many retry intervals */
};

struct takeover {
    char *hpa, *uid, *version; /* of the HPA that is being taken over; version: as read */
    int64_t generation;        /* of the policy that asked for it */
    struct kube_call *call;
    usec_t not_before; /* monotonic */
    unsigned changes;  /* times in a row that somebody changed it meanwhile */
    bool deleting;     /* its deletion was asked for, and has not been refused */
    char *trouble;     /* why the last try failed; NULL: it did not */
};

static usec_t now_mono(const struct entry *e) {
    return loop_now(e->autoscaler->world.loop);
}

void takeover_end(struct entry *entry) {
    struct takeover *t = entry->takeover;

    if (!t)
        return;
    entry->takeover = NULL;
    /* A call that is cancelled is not answered: its place is given back here. */
    if (t->call)
        entry->autoscaler->rivals.takeovers--;
    kube_cancel(t->call);
    free(t->hpa);
    free(t->uid);
    free(t->version);
    free(t->trouble);
    free(t);
}

/* At once, and not with the next decision: that may wait for samples while the HPA is being deleted. */
void takeover_revise(struct entry *entry) {
    const struct takeover *t = entry->takeover;
    const struct policy_object *p = entry->policy;

    if (t && (t->generation != p->meta.generation || !str_eq(t->hpa, p->take_over_from)))
        takeover_end(entry);
}

static const char *metadata_text(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(json_object_get(object, "metadata"), key)));
}

/* An answer is in; the next step may start another call. */
static void called(struct entry *e) {
    e->takeover->call = NULL;
    e->autoscaler->rivals.takeovers--;
}

static void call(struct entry *e, struct kube_call *call) {
    e->takeover->call = call;
    e->autoscaler->rivals.takeovers++;
}

/* Waits, and lets the condition say why. */
static void wait_for(struct entry *e, usec_t wait, const char *what, const char *why) {
    struct takeover *t = e->takeover;
    usec_t again = RETRIES_LATER * e->autoscaler->options.retry_interval;

    free(t->trouble);
    t->trouble = xasprintf("%s: %s", what, why);
    t->changes = 0;
    t->not_before = now_mono(e) + (wait > again ? wait : again);
    entry_queue(e, 0);
    log_warn(e->key, "taking over from HorizontalPodAutoscaler %s: %s", t->hpa, t->trouble);
}

/* HPAs change by themselves every few seconds (status), so that a lost race is run again at once. */
static void failed(struct entry *e, const char *what, const struct kube_reply *reply) {
    if (reply->status == 409 && e->takeover->changes++ < CHANGES_AT_ONCE)
        entry_queue(e, 0);
    else
        wait_for(e, reply->retry_after, what, err_text(&reply->err));
}

/* With finalizers an HPA stays, and its controller goes on scaling, until they are through. A DELETE then is
 * answered with the object, which has a deletionTimestamp now, and else with a Status. */
static bool is_lingering(struct entry *e, const json_t *hpa) {
    if (!*metadata_text(hpa, "deletionTimestamp"))
        return false;
    wait_for(e, 0, "deleting it", "it is being deleted and waits for its finalizers");
    return true;
}

/* ---- the third step: delete ---- */

static void tell(struct entry *e) {
    cleanup_free char *text =
        xasprintf("took over from HorizontalPodAutoscaler %s; its manifest is in the annotation %s",
                  e->takeover->hpa, "autoscaling.trimtab.dev/taken-over");

    e->takeover->deleting = false;
    log_info(e->key, "%s", text);
    write_event(e, &(struct decision_event){.reason = "TookOver", .message = text});
}

/* It may also be in nobody's way because it has turned to another target. */
static bool is_there(const struct entry *e) {
    const struct takeover *t = e->takeover;
    const struct object *hpa = informer_get(e->autoscaler->rivals.hpas, e->policy->meta.ns, t->hpa);

    return hpa && str_eq(hpa->uid, t->uid);
}

void takeover_gone(struct entry *entry) {
    if (entry->takeover && entry->takeover->deleting && !is_there(entry))
        tell(entry);
    takeover_end(entry);
}

static void on_deleted(void *arg, const struct kube_reply *reply) {
    struct entry *e = arg;
    const struct takeover *t = e->takeover;

    called(e);
    if (reply->err.code) {
        /* without a word from the server it may be deleted all the same: the watch will tell */
        e->takeover->deleting = reply->status == 0 || reply->status >= 500;
        failed(e, "deleting it", reply);
        return;
    }
    if (is_lingering(e, reply->body))
        return;
    tell(e);
    rivals_hpa_gone(e->autoscaler, e->policy->meta.ns, t->hpa, t->uid); /* queues this policy */
}

/* ---- the second: keep the manifest ---- */

static void on_stored(void *arg, const struct kube_reply *reply) {
    struct entry *e = arg;
    const struct takeover *t = e->takeover;

    called(e);
    if (reply->err.code) {
        failed(e, "storing its manifest", reply);
        return;
    }
    /* From here on the watch may tell of the deletion, also before its answer does (takeover_gone). */
    e->takeover->deleting = true;
    call(e, write_hpa_delete(
                e,
                &(struct object_names){
                    .ns = e->policy->meta.ns, .name = t->hpa, .uid = t->uid, .resource_version = t->version},
                on_deleted));
}

/* What a person would apply to have the HPA back: nothing that the server fills in. */
static json_t *manifest_of(const json_t *hpa) {
    static const char last_applied[] = "kubectl.kubernetes.io/last-applied-configuration";
    const json_t *metadata = json_object_get(hpa, "metadata");
    json_t *annotations = json_copy(json_object_get(metadata, "annotations"));

    json_object_del(annotations, last_applied); /* a copy of the rest */
    return json_pack("{s:s, s:s, s:{s:O, s:O, s:O*, s:o*}, s:O}", "apiVersion", "autoscaling/v2", "kind",
                     "HorizontalPodAutoscaler", "metadata", "name", json_object_get(metadata, "name"),
                     "namespace", json_object_get(metadata, "namespace"), "labels",
                     json_object_get(metadata, "labels"), "annotations", annotations, "spec",
                     json_object_get(hpa, "spec"));
}

/* ---- the first: read ---- */

static void on_read(void *arg, const struct kube_reply *reply) {
    struct entry *e = arg;
    struct takeover *t = e->takeover;

    called(e);
    if (reply->err.code) {
        failed(e, "reading it", reply);
        return;
    }
    if (!str_eq(metadata_text(reply->body, "uid"), t->uid) || is_lingering(e, reply->body))
        return; /* another one of that name: the watch is about to tell */
    json_t *manifest = manifest_of(reply->body);
    if (!manifest) {
        wait_for(e, 0, "reading it", "it has no name or no spec");
        return;
    }
    /* The deletion is bound to what was read and stored, not to what the HPA has become meanwhile. */
    free(t->version);
    t->version = xstrdup(metadata_text(reply->body, "resourceVersion"));
    cleanup_free char *text = json_dumps(manifest, JSON_COMPACT);
    json_decref(manifest);
    call(e, write_taken_over(e, text, t->uid, on_stored));
}

static void start(struct entry *e) {
    cleanup_free char *path = xasprintf("/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers/%s",
                                        e->policy->meta.ns, e->takeover->hpa);

    call(e, kube_start(e->autoscaler->world.kube,
                       &(struct kube_request){.verb = KUBE_GET, .path = path, .on_done = on_read, .arg = e}));
}

/* ---- when ---- */

/* Whether the policy could take its place now: decides as in Preview, and wants every metric to count. What
 * it would have wanted is remembered, as a recommendation of its own. */
static bool could_act(struct entry *e) {
    struct policy_spec spec = *e->input.spec;
    struct decide_input probe = e->input;
    struct decision d;

    /* The conflict is not in input yet, so that it decides as if there were none. */
    spec.mode = MODE_PREVIEW;
    probe.spec = &spec;
    decide(&probe, &e->history, &e->arena, &d);
    for (uint32_t i = 0; i < d.proposal_count; i++)
        if (!d.proposals[i].valid && !d.proposals[i].ignored)
            return false;
    return !d.failed && d.proposal_count > 0;
}

static struct takeover *takeover_of(struct entry *e, const char *hpa, const char *uid) {
    if (e->takeover && !str_eq(e->takeover->uid, uid))
        takeover_end(e);
    if (!e->takeover) {
        e->takeover = XNEW(struct takeover);
        *e->takeover = (struct takeover){
            .hpa = xstrdup(hpa), .uid = xstrdup(uid), .generation = e->policy->meta.generation};
    }
    return e->takeover;
}

static const char *state_of(struct entry *e, const struct takeover *t) {
    if (t->call)
        return "under way";
    if (!could_act(e))
        return "waiting for metrics";
    /* Only asked after could_act, so that the recommendations go on while it waits. */
    if (now_mono(e) < t->not_before) {
        entry_queue(e, t->not_before);
        return t->trouble;
    }
    if (e->autoscaler->rivals.takeovers >= TAKEOVERS_AT_ONCE) {
        entry_queue(e, now_mono(e) + e->autoscaler->options.retry_interval);
        return "waiting for others that do so";
    }
    start(e);
    return t->trouble ? t->trouble : "under way";
}

const char *takeover_look(struct entry *entry, const char *hpa, const char *uid) {
    /* Somebody made it again after it was taken over: that is how one goes back. */
    const char *before = entry->policy->taken_over_uid;
    if (before && !str_eq(before, uid)) {
        takeover_end(entry);
        return arena_printf(&entry->arena,
                            "HorizontalPodAutoscaler %s was taken over and has been created again: it scales "
                            "the target, and this policy waits",
                            hpa);
    }
    return arena_printf(&entry->arena, "taking over from HorizontalPodAutoscaler %s: %s", hpa,
                        str_or_empty(state_of(entry, takeover_of(entry, hpa, uid))));
}
