/* From the notes of a document to the object that is cached. What cannot be right spoils the object, which is
 * then left out and told of: a pod whose start is no time, or a number of replicas that was cut to fit, would
 * be decided upon as if it were true. */
#include "informers/decode_fields.h"

#include "base/buf.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Labels, owners and names of containers repeat a thousandfold in a cluster: each text is kept once. */
static const char *intern(struct str_pool *pool, const char *text) {
    return text ? str_intern(pool, text, strlen(text)) : NULL;
}

/* Absent is 0; what is there and is no time makes the object unusable, since readiness would be guessed. */
static usec_t time_of(struct notes *n, const char *text, const char *field) {
    usec_t t = 0;

    if (text && clock_parse(text, &t) < 0)
        notes_spoil(n, field, "is not a time");
    return t;
}

/* In the order of the document: labels_equal compares in that order. */
static struct labels *build_labels(const struct notes *n, struct str_pool *pool) {
    if (!n->labels.count)
        return NULL;
    struct labels *labels = labels_new(n->labels.count);
    for (uint32_t i = 0; i < n->labels.count; i++) {
        labels->items[i].key = intern(pool, n->labels.items[i].key);
        labels->items[i].value = intern(pool, n->labels.items[i].value);
    }
    return labels;
}

/* A pod that no kubelet has seen yet may have no phase: that is Pending. Protobuf writes texts that are
 * empty, where JSON leaves them out. */
static uint8_t pod_phase(const char *text) {
    static const char *const names[] = {[POD_PENDING] = "Pending",
                                        [POD_RUNNING] = "Running",
                                        [POD_SUCCEEDED] = "Succeeded",
                                        [POD_FAILED] = "Failed"};

    for (uint8_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return text && *text ? POD_UNKNOWN : POD_PENDING;
}

/* App containers first, then sidecars: JSON and protobuf bring them in different orders. */
static void build_containers(const struct notes *n, struct str_pool *pool, struct pod *pod) {
    if (n->containers.count)
        pod->containers = pod_containers_new(n->containers.count);
    for (int sidecars = 0; sidecars < 2; sidecars++)
        for (uint32_t i = 0; i < n->containers.count; i++) {
            const struct notes_container *c = &n->containers.items[i];
            if (c->init != (sidecars == 1))
                continue;
            pod->containers[pod->container_count++] = (struct pod_container){.name = intern(pool, c->name),
                                                                             .cpu_milli = c->cpu_milli,
                                                                             .memory_milli = c->memory_milli,
                                                                             .sidecar = c->init};
        }
}

static void build_pod(struct notes *n, struct str_pool *pool, struct pod *pod) {
    pod->phase = pod_phase(n->phase);
    pod->ready = n->ready;
    pod->start_time = time_of(n, n->start_time, "status.startTime");
    pod->ready_transition = time_of(n, n->ready_transition, "the Ready condition's lastTransitionTime");
    pod->node = n->node && *n->node ? intern(pool, n->node) : NULL;
    pod->pod_cpu_milli = n->cpu_milli;
    pod->pod_memory_milli = n->memory_milli;
    build_containers(n, pool, pod);
}

/* A port that is none is not worth the node: it is as if it were absent. */
static void build_node(const struct notes *n, struct str_pool *pool, struct node *node) {
    node->ready = n->ready;
    for (int i = 0; i < NODE_ADDRESSES; i++)
        node->addresses[i] = intern(pool, n->addresses[i]);
    if (n->kubelet_port > 0 && n->kubelet_port <= UINT16_MAX)
        node->kubelet_port = (uint16_t)n->kubelet_port;
    node->metrics_path = intern(pool, n->metrics_path);
    node->cpu_milli = n->cpu_milli;
    node->memory_milli = n->memory_milli;
}

static int32_t replicas(struct notes *n, int64_t value, const char *field) {
    if (value >= 0 && value <= INT32_MAX)
        return (int32_t)value;
    notes_spoil(n, field, "is out of range");
    return 0;
}

static void build_workload(struct notes *n, struct workload *workload) {
    workload->spec_replicas = replicas(n, n->spec_replicas, "spec.replicas");
    workload->status_replicas = replicas(n, n->status_replicas, "status.replicas");
    workload->selector = notes_selector(n);
}

static void build_hpa(struct notes *n, struct str_pool *pool, struct hpa_object *hpa) {
    hpa->created = time_of(n, n->created, "metadata.creationTimestamp");
    hpa->api_version = intern(pool, str_or_empty(n->target.api_version));
    hpa->target_kind = intern(pool, str_or_empty(n->target.kind));
    hpa->target_name = intern(pool, str_or_empty(n->target.name));
}

/* The part that only this type has. */
static void build_type(struct notes *n, struct str_pool *pool, struct object *o) {
    switch ((enum object_type)o->type) {
    case OBJECT_POD:
        build_pod(n, pool, (struct pod *)o);
        break;
    case OBJECT_NODE:
        build_node(n, pool, (struct node *)o);
        break;
    case OBJECT_WORKLOAD:
        build_workload(n, (struct workload *)o);
        break;
    case OBJECT_HPA:
        build_hpa(n, pool, (struct hpa_object *)o);
        break;
    case OBJECT_META:
    case OBJECT_POLICY:
    case OBJECT_METRIC_SOURCE:
    default:
        break;
    }
}

/* The key is "namespace/name": a slash in either would make two objects one. */
static void check_names(struct notes *n) {
    if (!n->name || !*n->name)
        notes_spoil(n, "metadata.name", "is missing");
    else if (strchr(n->name, '/') || strchr(str_or_empty(n->ns), '/'))
        notes_spoil(n, "metadata.name", "has a slash in it");
}

static int spoilt(const struct notes *n, struct err *err) {
    return err_set(err, -EINVAL, "%s %s", n->bad_field, n->bad);
}

int notes_build(struct notes *n, enum object_type type, struct str_pool *pool, struct object **ret_object,
                struct err *err) {
    check_names(n);
    if (n->bad)
        return spoilt(n, err);
    /* From here on the object owns what it has, and may still turn out bad. */
    struct object *o = object_new(
        type, pool,
        &(struct object_names){.ns = n->ns, .name = n->name, .uid = n->uid, .resource_version = n->version});
    o->generation = n->generation;
    o->deleting = n->deleting;
    o->labels = build_labels(n, pool);
    o->owner_uid = intern(pool, n->controller.uid);
    o->owner_kind = intern(pool, n->controller.kind);
    o->owner_name = intern(pool, n->controller.name);
    build_type(n, pool, o);
    if (n->bad) {
        object_unref(o);
        return spoilt(n, err);
    }
    *ret_object = o;
    return 0;
}

/* Terms of one key may come in either order (qsort is not stable): all of them must hold. */
static int by_key(const void *a, const void *b) {
    const struct notes_term *s = a, *t = b;

    return strcmp(s->key, t->key);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "key in (a,b)", values sorted, as apimachinery's Requirement.String writes it. */
static int write_values(struct buf *out, const struct notes_term *term, const char *op) {
    int ret = buf_printf(out, "%s %s (", term->key, op);

    qsort(term->values, term->value_count, sizeof(*term->values), by_text);
    for (uint32_t i = 0; ret == 0 && i < term->value_count; i++)
        ret = buf_printf(out, "%s%s", i ? "," : "", term->values[i]);
    return ret < 0 ? ret : buf_puts(out, ")");
}

/* As apimachinery writes it: an equality is key=value; In and NotIn without values are an error. */
static int write_term(struct buf *out, const struct notes_term *term) {
    const char *op = str_or_empty(term->op);

    if (term->value)
        return buf_printf(out, "%s=%s", term->key, term->value);
    if (strcmp(op, "Exists") == 0)
        return buf_puts(out, term->key);
    if (strcmp(op, "DoesNotExist") == 0)
        return buf_printf(out, "!%s", term->key);
    if (term->value_count && strcmp(op, "In") == 0)
        return write_values(out, term, "in");
    if (term->value_count && strcmp(op, "NotIn") == 0)
        return write_values(out, term, "notin");
    return -EINVAL;
}

/* 64 KiB, as selector_parse takes, which reads the text later. */
char *notes_selector(struct notes *n) {
    cleanup_buf struct buf out;
    int ret = 0;

    buf_init(&out, (size_t)64 * 1024);
    if (n->terms.count)
        qsort(n->terms.items, n->terms.count, sizeof(*n->terms.items), by_key);
    for (uint32_t i = 0; ret == 0 && i < n->terms.count; i++) {
        ret = i ? buf_puts(&out, ",") : 0;
        if (ret == 0)
            ret = write_term(&out, &n->terms.items[i]);
    }
    if (ret < 0)
        notes_spoil(n, "spec.selector",
                    "is too long or has a term without values or with an unknown operator");
    return buf_detach(&out);
}
