/* Cached objects: made in one block where that is possible, shared by counting, freed with the last user.
 *
 * Three things are counted, each for itself: objects, label sets and containers, and the texts of the pool.
 * An object holds one reference of all that it points to and gives them back when it goes, in whatever order
 * the others go. The counts are plain numbers: objects never leave the loop's thread. */
#include "api/types/object.h"

#include "api/types/policy.h"
#include "api/types/promsource.h"
#include "base/mem.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum object_type object_type_of(const char *group, const char *plural) {
    static const struct {
        const char *group, *plural;
        enum object_type type;
    } known[] = {
        {"", "pods", OBJECT_POD},
        {"", "nodes", OBJECT_NODE},
        {"", "replicationcontrollers", OBJECT_WORKLOAD},
        {"apps", "deployments", OBJECT_WORKLOAD},
        {"apps", "statefulsets", OBJECT_WORKLOAD},
        {"apps", "replicasets", OBJECT_WORKLOAD},
        {"autoscaling", "horizontalpodautoscalers", OBJECT_HPA},
        {"autoscaling.trimtab.dev", "autoscalingpolicies", OBJECT_POLICY},
        {"autoscaling.trimtab.dev", "metricsources", OBJECT_METRIC_SOURCE},
        {"autoscaling.trimtab.dev", "clustermetricsources", OBJECT_METRIC_SOURCE},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(known[i].group, group) && str_eq(known[i].plural, plural))
            return known[i].type;
    return OBJECT_META;
}

struct labels *labels_new(uint32_t count) {
    struct labels *labels = xcalloc(1, sizeof(*labels) + count * sizeof(struct label));

    labels->count = count;
    labels->refs = 1;
    return labels;
}

/* refs 0 is one user, as in labels that a test has made by hand; the first reference makes them two. */
struct labels *labels_ref(struct labels *labels) {
    if (labels)
        labels->refs += labels->refs ? 1 : 2;
    return labels;
}

void labels_unref(struct labels *labels, struct str_pool *pool) {
    if (!labels)
        return;
    if (labels->refs > 1) {
        labels->refs--;
        return;
    }
    for (uint32_t i = 0; i < labels->count; i++) {
        str_release(pool, labels->items[i].key);
        str_release(pool, labels->items[i].value);
    }
    free(labels);
}

/* In their order, which is that of the API server's answer: JSON of a Go map is sorted. Two orders of the
 * same labels would only be shared less. */
bool labels_equal(const struct labels *a, const struct labels *b) {
    uint32_t count = a ? a->count : 0;

    if (count != (b ? b->count : 0))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!str_eq(a->items[i].key, b->items[i].key) || !str_eq(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

const char *labels_get(const struct labels *labels, const char *key) {
    for (uint32_t i = 0; labels && i < labels->count; i++)
        if (strcmp(labels->items[i].key, key) == 0)
            return labels->items[i].value;
    return NULL;
}

/* Every type begins with a struct object, so that one pointer fits all. The block of object_new begins with
 * it as well: free of that pointer frees the texts behind it. */
static size_t type_size(enum object_type type) {
    switch (type) {
    case OBJECT_POD:
        return sizeof(struct pod);
    case OBJECT_NODE:
        return sizeof(struct node);
    case OBJECT_WORKLOAD:
        return sizeof(struct workload);
    case OBJECT_POLICY:
        return sizeof(struct policy_object);
    case OBJECT_HPA:
        return sizeof(struct hpa_object);
    case OBJECT_METRIC_SOURCE:
        return sizeof(struct promsource_object);
    case OBJECT_META:
    default:
        return sizeof(struct object);
    }
}

/* Copies text with its NUL to *at and moves *at behind it; returns where it went. */
static char *place(char **at, const char *text, size_t len) {
    char *to = *at;

    memcpy(to, text, len);
    to[len] = '\0';
    *at += len + 1;
    return to;
}

/* One block: the struct, and behind it key, uid and version. The name is the end of the key. Ten thousands of
 * these are kept, and four more allocations each would be felt. Only the namespace is pooled: it repeats. */
struct object *object_new(enum object_type type, struct str_pool *pool, const struct object_names *names) {
    const char *ns = str_or_empty(names->ns), *name = str_or_empty(names->name);
    const char *uid = str_or_empty(names->uid), *version = str_or_empty(names->resource_version);
    size_t ns_len = strlen(ns), name_len = strlen(name), uid_len = strlen(uid), version_len = strlen(version);
    size_t size = type_size(type);
    /* 4: the NULs of name, uid and version, and the slash, which takes the place of the namespace's NUL */
    struct object *o = xcalloc(1, size + ns_len + name_len + uid_len + version_len + 4);
    char *at = (char *)o + size;

    *o = (struct object){.refs = 1, .type = (uint8_t)type, .packed = true, .pool = pool};
    o->ns = str_intern(pool, ns, ns_len);
    o->key = at;
    if (ns_len)
        place(&at, ns, ns_len)[ns_len] = '/';
    o->name = place(&at, name, name_len);
    o->uid = place(&at, uid, uid_len);
    o->resource_version = place(&at, version, version_len);
    return o;
}

/* The count stands before the array, as in the string pool. */
struct shared_containers {
    uint32_t refs, count;
    struct pod_container items[];
};

static struct shared_containers *of_items(struct pod_container *items) {
    return (struct shared_containers *)((uintptr_t)items - offsetof(struct shared_containers, items));
}

/* Shared by the pods of a template, which are most of a cluster's objects. */
struct pod_container *pod_containers_new(uint32_t count) {
    struct shared_containers *shared = xcalloc(1, sizeof(*shared) + count * sizeof(struct pod_container));

    shared->refs = 1;
    shared->count = count;
    return shared->items;
}

struct pod_container *pod_containers_ref(struct pod_container *containers) {
    if (containers)
        of_items(containers)->refs++;
    return containers;
}

void pod_containers_unref(struct pod_container *containers, struct str_pool *pool) {
    if (!containers)
        return;
    struct shared_containers *shared = of_items(containers);
    if (--shared->refs)
        return;
    for (uint32_t i = 0; i < shared->count; i++)
        str_release(pool, containers[i].name);
    free(shared);
}

bool pod_containers_equal(const struct pod *a, const struct pod *b) {
    if (a->container_count != b->container_count)
        return false;
    for (uint32_t i = 0; i < a->container_count; i++) {
        const struct pod_container *c = &a->containers[i], *d = &b->containers[i];
        if (c->cpu_milli != d->cpu_milli || c->memory_milli != d->memory_milli || c->sidecar != d->sidecar ||
            !str_eq(c->name, d->name))
            return false;
    }
    return true;
}

/* Pods that are not packed are those made by hand, in tests: their containers are not shared. */
static void pod_done(struct pod *pod) {
    struct str_pool *pool = pod->meta.pool;

    str_release(pool, pod->node);
    if (pod->meta.packed) {
        pod_containers_unref(pod->containers, pool);
        return;
    }
    for (uint32_t i = 0; i < pod->container_count; i++)
        str_release(pool, pod->containers[i].name);
    free(pod->containers);
}

const char *const node_address_names[NODE_ADDRESSES] = {
    [NODE_HOSTNAME] = "Hostname",      [NODE_INTERNAL_DNS] = "InternalDNS",
    [NODE_INTERNAL_IP] = "InternalIP", [NODE_EXTERNAL_DNS] = "ExternalDNS",
    [NODE_EXTERNAL_IP] = "ExternalIP",
};

static void node_done(const struct node *node) {
    for (int i = 0; i < NODE_ADDRESSES; i++)
        str_release(node->meta.pool, node->addresses[i]);
    str_release(node->meta.pool, node->metrics_path);
}

/* What a policy's spec and status say lives in its arena; nothing of it is in the pool. */
static void policy_done(struct policy_object *policy) {
    arena_done(&policy->arena);
    json_decref(policy->status_json);
}

static void hpa_done(const struct hpa_object *hpa) {
    str_release(hpa->meta.pool, hpa->api_version);
    str_release(hpa->meta.pool, hpa->target_kind);
    str_release(hpa->meta.pool, hpa->target_name);
}

static void type_done(struct object *o) {
    switch ((enum object_type)o->type) {
    case OBJECT_POD:
        pod_done((struct pod *)o);
        break;
    case OBJECT_NODE:
        node_done((struct node *)o);
        break;
    case OBJECT_WORKLOAD:
        free(((struct workload *)o)->selector);
        break;
    case OBJECT_POLICY:
        policy_done((struct policy_object *)o);
        break;
    case OBJECT_HPA:
        hpa_done((const struct hpa_object *)o);
        break;
    case OBJECT_METRIC_SOURCE:
        promsource_done((struct promsource_object *)o);
        break;
    case OBJECT_META:
    default:
        break;
    }
}

/* Objects are immutable to all but their count. */
static struct object *writable(const struct object *o) {
    return (struct object *)(uintptr_t)o;
}

const struct object *object_ref(const struct object *o) {
    writable(o)->refs++;
    return o;
}

/* The type's own part first, which takes the pool from meta. */
static void object_free(struct object *o) {
    type_done(o);
    labels_unref(o->labels, o->pool);
    str_release(o->pool, o->ns);
    str_release(o->pool, o->owner_uid);
    str_release(o->pool, o->owner_kind);
    str_release(o->pool, o->owner_name);
    if (!o->packed) {
        free(o->key);
        free(o->uid);
        free(o->resource_version);
    }
    free(o);
}

void object_unref(const struct object *o) {
    if (o && --writable(o)->refs == 0)
        object_free(writable(o));
}

/* What belongs to it alone: labels, containers and pooled texts are shared. */
size_t object_bytes(const struct object *o) {
    size_t bytes = malloc_usable_size(writable(o));

    if (o->type == OBJECT_WORKLOAD)
        bytes += malloc_usable_size(((const struct workload *)o)->selector);
    return bytes;
}
