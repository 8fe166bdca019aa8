/* Which pods are the target's own. A selector alone tells little: labels that two workloads share, a Job's
 * pods, pods made by hand. The chain of controllers tells: pod -> ReplicaSet -> Deployment, or pod -> target.
 */
#include "autoscaler/owners.h"

#include <string.h>

/* Whether this controller is the target. By uid where both are known: of two incarnations of one name only
 * the present one counts. */
static bool is_target(const struct object *child, const struct owner_target *target) {
    if (target->uid && *target->uid && child->owner_uid && *child->owner_uid)
        return strcmp(child->owner_uid, target->uid) == 0;
    return str_eq(child->owner_kind, target->kind) && str_eq(child->owner_name, target->name);
}

static bool has_controller(const struct object *o) {
    return (o->owner_uid && *o->owner_uid) || (o->owner_name && *o->owner_name);
}

/* The ReplicaSet that controls the pod; one of the same name made later is another. */
static const struct object *replicaset_of(const struct object *pod, owner_find_fn *find, void *arg) {
    const struct object *set = find(arg, pod->ns, str_or_empty(pod->owner_name));

    /* Where a uid is not known the name has to do. */
    if (!set || !pod->owner_uid || !*pod->owner_uid || !*set->uid)
        return set;
    return strcmp(set->uid, pod->owner_uid) == 0 ? set : NULL;
}

enum ownership owners_look(const struct object *pod, const struct owner_target *target, owner_find_fn *find,
                           void *arg) {
    if (!has_controller(pod))
        return OWNED_BY_NONE;
    if (is_target(pod, target))
        return OWNED;
    /* Only a Deployment has its pods through something in between. */
    if (!str_eq(target->kind, "Deployment") || !str_eq(pod->owner_kind, "ReplicaSet"))
        return OWNED_BY_OTHER;
    const struct object *set = replicaset_of(pod, find, arg);
    if (!set)
        return OWNER_UNKNOWN;
    if (!has_controller(set))
        return OWNED_BY_NONE;
    return is_target(set, target) ? OWNED : OWNED_BY_OTHER;
}

/* The kinds whose way of owning pods is known. */
static bool is_known_kind(const char *kind) {
    static const char *const kinds[] = {"Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (str_eq(kind, kinds[i]))
            return true;
    return false;
}

/* Pods of one controller come in rows and share its interned uid: each row is looked at once. */
struct row {
    const char *owner_uid;
    enum ownership ownership;
};

static enum ownership look_in_row(struct row *row, const struct object *pod,
                                  const struct owner_target *target, owner_find_fn *find, void *arg) {
    if (!row->owner_uid || pod->owner_uid != row->owner_uid)
        *row = (struct row){pod->owner_uid, owners_look(pod, target, find, arg)};
    return row->ownership;
}

static uint32_t drop_uncontrolled(const struct pod **pods, uint32_t count, const struct owner_target *target,
                                  owner_find_fn *find, void *arg) {
    struct row row = {0};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (look_in_row(&row, &pods[i]->meta, target, find, arg) != OWNED_BY_NONE)
            pods[kept++] = pods[i];
    return kept;
}

uint32_t owners_filter(const struct pod **pods, uint32_t count, const struct owner_target *target,
                       owner_find_fn *find, void *arg) {
    uint32_t kept = 0, owned = 0, uncontrolled = 0;
    struct row row = {0};

    if (!is_known_kind(target->kind))
        return count;
    for (uint32_t i = 0; i < count; i++) {
        enum ownership o = look_in_row(&row, &pods[i]->meta, target, find, arg);
        owned += o == OWNED;
        uncontrolled += o == OWNED_BY_NONE;
        if (o != OWNED_BY_OTHER)
            pods[kept++] = pods[i];
    }
    /* Where none is owned, the workload may be about to adopt those without a controller: they count. */
    return owned && uncontrolled ? drop_uncontrolled(pods, kept, target, find, arg) : kept;
}

/* Running or about to; a ReplicaSet leaves its failed pods behind for long after a rollout. */
static bool is_active(const struct pod *pod) {
    return !pod->meta.deleting && pod->phase != POD_FAILED && pod->phase != POD_SUCCEEDED;
}

bool owners_rollout(const struct pod *const *pods, uint32_t count) {
    const char *first = NULL;

    for (uint32_t i = 0; i < count; i++) {
        const char *uid = pods[i]->meta.owner_uid;
        if (!uid || !is_active(pods[i]))
            continue;
        /* Two ReplicaSets of one Deployment have pods at once: the old one and the new one. */
        if (first && !str_eq(uid, first))
            return true;
        first = uid;
    }
    return false;
}
