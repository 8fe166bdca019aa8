/* The claims of each target, in a list: there is nearly always one.
 *
 * Invariant: a claim is in the list of claim->target, and in no other; a target without claims is gone. So
 * whoever leaves may free the target, and nobody keeps a pointer to one but its claims. `changed` is called
 * when the lists are whole again; it may look at claims (claims_ahead) but not change them. */
#include "autoscaler/conflict.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct claim_target {
    char *key; /* "Deployment.apps/default/web" */
    struct claim *claims;
};

void claims_init(struct claims *all, claim_changed_fn *changed, void *arg) {
    *all = (struct claims){.changed = changed, .arg = arg};
    map_init(&all->targets);
}

void claims_done(struct claims *all) {
    map_done(&all->targets);
}

/* "apps/v1" -> "apps", "v1" -> "". */
static int group_length(const char *api_version) {
    const char *slash = strchr(api_version, '/');

    return slash ? (int)(slash - api_version) : 0;
}

static char *target_key(const char *ns, const struct object_reference *ref) {
    const char *version = str_or_empty(ref->api_version);

    /* The version is left out: apps/v1 and an older one name the same object. */
    return xasprintf("%s.%.*s/%s/%s", str_or_empty(ref->kind), group_length(version), version, ns,
                     str_or_empty(ref->name));
}

/* Takes key. */
static struct claim_target *target_get(struct claims *all, char *key) {
    struct claim_target *t = map_get(&all->targets, key);

    if (t) {
        free(key);
        return t;
    }
    t = XNEW(struct claim_target);
    t->key = key;
    map_put(&all->targets, t->key, t);
    return t;
}

/* Tells the policies on a target, but the one that made the change. */
static void tell(const struct claims *all, const struct claim_target *target, const struct claim *except) {
    for (struct claim *c = target->claims; c; c = c->next)
        if (c != except && !c->hpa)
            all->changed(all->arg, c);
}

static void leave(struct claims *all, struct claim *claim) {
    struct claim_target *t = claim->target;
    struct claim **at = &t->claims;

    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    claim->next = NULL;
    claim->target = NULL;
    /* It has left already, and does not need to be told. */
    tell(all, t, NULL);
    if (t->claims)
        return;
    map_remove(&all->targets, t->key);
    free(t->key);
    free(t);
}

static void join(struct claim *claim, struct claim_target *target) {
    claim->target = target;
    claim->next = target->claims;
    target->claims = claim;
}

void claims_set(struct claims *all, struct claim *claim, const struct claim *wanted,
                const struct object_reference *ref) {
    char *key = target_key(wanted->ns, ref);
    struct claim_target *before = claim->target;
    bool stays = before && strcmp(before->key, key) == 0;
    /* What may change who is ahead. An HPA's status changes all the time, and is no news to anybody. */
    bool news = !stays || claim->idle != wanted->idle || claim->created != wanted->created;

    if (before && !stays)
        leave(all, claim);
    *claim = (struct claim){.hpa = wanted->hpa,
                            .idle = wanted->idle,
                            .created = wanted->created,
                            .ns = wanted->ns,
                            .name = wanted->name,
                            .user = wanted->user,
                            .target = claim->target,
                            .next = claim->next};
    if (stays)
        free(key);
    else
        join(claim, target_get(all, key));
    if (news)
        tell(all, claim->target, claim);
}

void claims_clear(struct claims *all, struct claim *claim) {
    if (claim->target)
        leave(all, claim);
}

/* HPAs first, then the older one, then by name: every policy comes to the same order. */
static bool comes_before(const struct claim *a, const struct claim *b) {
    if (a->hpa != b->hpa)
        return a->hpa;
    if (a->created != b->created)
        return a->created < b->created;
    /* creationTimestamp has whole seconds: what one file applies is often as old. */
    return strcmp(a->name, b->name) < 0;
}

const struct claim *claims_ahead(const struct claim *policy, const char *except) {
    const struct claim *ahead = NULL;

    if (!policy->target || policy->idle)
        return NULL;
    for (const struct claim *c = policy->target->claims; c; c = c->next) {
        /* Who writes nothing is in nobody's way, whatever its age. */
        if (c == policy || c->idle || (c->hpa && except && strcmp(c->name, except) == 0))
            continue;
        if (comes_before(c, policy) && (!ahead || comes_before(c, ahead)))
            ahead = c;
    }
    return ahead;
}
