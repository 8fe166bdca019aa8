/* Who else scales the targets of our policies.
 *
 * Claims (conflict.h) are set as soon as a watch shows something; who is ahead of whom is asked again in
 * each decision. So a change of one claimant needs no more than to queue the others on its target. Of an HPA
 * the last object is kept, since the claim borrows its names from it and the take-over its uid. */
#include "autoscaler/entry.h"

#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>

static const struct resource hpas_resource = {.group = "autoscaling",
                                              .version = "v2",
                                              .kind = "HorizontalPodAutoscaler",
                                              .plural = "horizontalpodautoscalers",
                                              .namespaced = true};

struct hpa_claim {
    struct claim claim;
    const struct hpa_object *object; /* a reference */
    bool gone;                       /* we have deleted it: what the watch still says of it is old */
};

/* At once, not at the policy's pace: while nobody looks, nobody or both might act. */
static void on_changed(void *arg, struct claim *claim) {
    (void)arg;
    entry_queue(claim->user, 0);
}

/* ---- HPAs ---- */

static void forget_hpa(struct autoscaler *as, const char *key) {
    struct hpa_claim *h = map_remove(&as->rivals.of_hpas, key);

    if (!h)
        return;
    claims_clear(&as->rivals.claims, &h->claim);
    object_unref(&h->object->meta);
    free(h);
}

/* An HPA's status is written every few seconds; claims_set tells nobody of what is no news. */
static void keep_hpa(struct autoscaler *as, const struct hpa_object *hpa) {
    const struct object_reference ref = {hpa->api_version, hpa->target_kind, hpa->target_name};
    struct hpa_claim *h = map_get(&as->rivals.of_hpas, hpa->meta.key);
    const struct object *old = h ? &h->object->meta : NULL;

    if (!h)
        h = XNEW(struct hpa_claim);
    /* An HPA made again under the name has another uid, and claims anew. */
    h->gone = h->gone && old && str_eq(old->uid, hpa->meta.uid);
    h->object = (const struct hpa_object *)object_ref(&hpa->meta);
    map_put(&as->rivals.of_hpas, hpa->meta.key, h); /* the key is the present object's */
    if (!h->gone)
        claims_set(
            &as->rivals.claims, &h->claim,
            &(struct claim){
                .hpa = true, .created = hpa->created, .ns = hpa->meta.ns, .name = hpa->meta.name, .user = h},
            &ref);
    /* Only now: until claims_set the claim had its names from it, and the map its key. */
    object_unref(old);
}

static void on_hpa(void *arg, enum informer_change change, const struct object *old,
                   const struct object *new_) {
    if (change == INFORMER_DELETED)
        forget_hpa(arg, old->key);
    else
        keep_hpa(arg, (const struct hpa_object *)new_);
}

void rivals_hpa_gone(struct autoscaler *as, const char *ns, const char *name, const char *uid) {
    cleanup_free char *key = xasprintf("%s/%s", ns, name);
    struct hpa_claim *h = map_get(&as->rivals.of_hpas, key);

    if (!h || !str_eq(h->object->meta.uid, uid))
        return;
    h->gone = true;
    /* Marked and not forgotten: the watch may still show it modified before it shows it deleted. */
    claims_clear(&as->rivals.claims, &h->claim);
}

void rivals_open(struct autoscaler *as) {
    map_init(&as->rivals.of_hpas);
    claims_init(&as->rivals.claims, on_changed, as);
    as->rivals.hpas = informers_open(as->world.informers, &hpas_resource, OBJECT_HPA, on_hpa, as);
}

void rivals_close(struct autoscaler *as) {
    struct map_iter it = {0};
    const char *key;

    informer_close(as->rivals.hpas);
    while (map_next(&as->rivals.of_hpas, &it, &key, NULL))
        forget_hpa(as, key);
    map_done(&as->rivals.of_hpas);
    claims_done(&as->rivals.claims);
}

/* Forbidden, or not served: waiting would not help. Anything else passes, and then the HPAs are known. */
static bool out_of_reach(const struct informer *hpas) {
    int code = informer_error(hpas)->code;

    return code == -EACCES || code == -ENOENT;
}

bool rivals_settled(const struct autoscaler *as) {
    return informer_synced(as->rivals.hpas) || out_of_reach(as->rivals.hpas);
}

static void warn_once(struct autoscaler *as) {
    if (informer_synced(as->rivals.hpas) || as->rivals.warned)
        return;
    as->rivals.warned = true;
    log_warn(NULL, "policies act without a look at HorizontalPodAutoscalers: %s",
             err_text(informer_error(as->rivals.hpas)));
}

/* ---- policies ---- */

/* Known only once the policy is bound; an edit may have mended it. */
static bool lacks_zone(const struct entry *entry) {
    const struct object *now = &entry->policy->meta, *bound = entry->bound ? &entry->bound->meta : NULL;

    return entry->zone_err.code && bound && bound->generation == now->generation &&
           str_eq(bound->uid, now->uid);
}

/* A policy claims its target as soon as it is seen, long before its first decision: of two that are new the
 * younger one must not be first only because its turn came first. */
void entry_claim(struct entry *entry) {
    const struct policy_object *p = entry->policy;
    const struct claim wanted = {.idle = p->spec.mode == MODE_PREVIEW || entry->autoscaler->options.dry_run ||
                                         lacks_zone(entry),
                                 .created = p->created,
                                 .ns = p->meta.ns,
                                 .name = p->meta.name,
                                 .user = entry};

    takeover_revise(entry);
    if (p->invalid.code || p->meta.deleting)
        entry_unclaim(entry);
    else
        claims_set(&entry->autoscaler->rivals.claims, &entry->claim, &wanted, &p->spec.target);
}

void entry_unclaim(struct entry *entry) {
    takeover_end(entry);
    claims_clear(&entry->autoscaler->rivals.claims, &entry->claim);
}

static const char *text_of(const struct entry *entry, const struct claim *rival, struct arena *arena) {
    if (rival->hpa)
        return arena_printf(arena, "HorizontalPodAutoscaler %s", rival->name);
    return arena_printf(arena, "AutoscalingPolicy %s/%s", entry->policy->meta.ns, rival->name);
}

/* Whoever stands in the way beside the HPA that is to be taken over would go on doing so: that one is named,
 * and the HPA is left alone. */
void entry_find_rival(struct entry *entry) {
    const char *from = entry->policy->take_over_from;
    const struct claim *rival = claims_ahead(&entry->claim, from);

    warn_once(entry->autoscaler);
    if (rival) {
        takeover_end(entry);
        entry->input.conflict = text_of(entry, rival, &entry->arena);
        return;
    }
    rival = claims_ahead(&entry->claim, NULL);
    if (!rival) {
        takeover_gone(entry);
        return;
    }
    /* Nobody but that HPA, or the first question had found another one: user is an hpa_claim. */
    const struct hpa_claim *h = rival->user;
    const char *text = takeover_look(entry, rival->name, h->object->meta.uid);
    entry->input.conflict = text_of(entry, rival, &entry->arena);
    entry->input.conflict_text = text;
}
