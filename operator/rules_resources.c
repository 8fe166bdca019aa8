/* The cluster's resources, for the mapping of labels: from its discovery, or those that every cluster has.
 *
 * The order matters: of two resources of one name the first is meant (events of the core, and not those of
 * events.k8s.io). So a list is only ever added to at its end: Kubernetes' own, then what a file or the rules
 * name. */
#include "api/client/discovery.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Of a file; a cluster with many operators in it has some hundreds. */
enum { RESOURCES_MAX = 5000 };

/* In the order of an apiserver's discovery: core first, then by the priority that kube-apiserver gives to
 * each of its groups. Of each group the version that is preferred. Left out are some that no series is
 * about, as reviews and bindings. */
static const struct own {
    const char *group, *version, *plural, *kind;
    bool namespaced;
} own[] = {
    {"", "v1", "componentstatuses", "ComponentStatus", false},
    {"", "v1", "configmaps", "ConfigMap", true},
    {"", "v1", "endpoints", "Endpoints", true},
    {"", "v1", "events", "Event", true},
    {"", "v1", "limitranges", "LimitRange", true},
    {"", "v1", "namespaces", "Namespace", false},
    {"", "v1", "nodes", "Node", false},
    {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true},
    {"", "v1", "persistentvolumes", "PersistentVolume", false},
    {"", "v1", "pods", "Pod", true},
    {"", "v1", "podtemplates", "PodTemplate", true},
    {"", "v1", "replicationcontrollers", "ReplicationController", true},
    {"", "v1", "resourcequotas", "ResourceQuota", true},
    {"", "v1", "secrets", "Secret", true},
    {"", "v1", "serviceaccounts", "ServiceAccount", true},
    {"", "v1", "services", "Service", true},
    {"apiregistration.k8s.io", "v1", "apiservices", "APIService", false},
    {"apps", "v1", "controllerrevisions", "ControllerRevision", true},
    {"apps", "v1", "daemonsets", "DaemonSet", true},
    {"apps", "v1", "deployments", "Deployment", true},
    {"apps", "v1", "replicasets", "ReplicaSet", true},
    {"apps", "v1", "statefulsets", "StatefulSet", true},
    {"events.k8s.io", "v1", "events", "Event", true},
    {"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true},
    {"batch", "v1", "cronjobs", "CronJob", true},
    {"batch", "v1", "jobs", "Job", true},
    {"certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", false},
    {"networking.k8s.io", "v1", "ingressclasses", "IngressClass", false},
    {"networking.k8s.io", "v1", "ingresses", "Ingress", true},
    {"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true},
    {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true},
    {"rbac.authorization.k8s.io", "v1", "roles", "Role", true},
    {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", false},
    {"storage.k8s.io", "v1", "csinodes", "CSINode", false},
    {"storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity", true},
    {"storage.k8s.io", "v1", "storageclasses", "StorageClass", false},
    {"storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false},
    {"scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false},
    {"coordination.k8s.io", "v1", "leases", "Lease", true},
    {"node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", false},
    {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true},
};

void resource_list_init(struct resource_list *list) {
    *list = (struct resource_list){.from = ""};
    arena_init(&list->arena, 0);
}

void resource_list_done(struct resource_list *list) {
    arena_done(&list->arena);
    free(list->items);
}

static void put(struct resource_list *list, struct cluster_resource resource) {
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = resource;
}

/* The singular of a resource that tells none is its kind in lower case, as apimachinery takes it. */
static const char *lower(struct arena *arena, const char *kind) {
    char *text = arena_strdup(arena, kind);

    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

/* ---- without a cluster ---- */

static const struct cluster_resource *find(const struct resource_list *list, const struct rule_override *o) {
    struct cluster_resources all = {list->items, list->count};

    return cluster_resource_find(&all, o->group, o->resource);
}

struct guessing {
    struct resource_list *list;
    const char *config;
    rules_complain_fn *note;
    void *arg;
};

/* What is none of Kubernetes' own may be a custom one: it is not refused, but told. */
static void add_overrides(struct guessing *g, const struct rule_resources *resources) {
    for (uint32_t i = 0; i < resources->override_count; i++) {
        const struct rule_override *o = &resources->overrides[i];
        const char *group = str_or_empty(o->group);
        struct err err = {0};
        /* An override without a resource is a mistake that the file's reader has told. */
        if (!*o->resource || find(g->list, o))
            continue;
        put(g->list, (struct cluster_resource){.group = group,
                                               .version = "",
                                               .plural = o->resource,
                                               .singular = o->resource,
                                               .kind = o->resource,
                                               .namespaced = true});
        err_set(&err, -ENOENT,
                "%s:%u: note: %s%s%s is none of Kubernetes' own resources, and taken for a custom one",
                g->config, o->line, o->resource, *group ? "." : "", group);
        g->note(g->arg, &err);
    }
}

/* One is guessed once: the next override finds it. Its plural is not known, so the name as written is taken
 * for the plural and the singular. */
void resource_list_guess(struct resource_list *list, const struct rules *rules, const char *config,
                         rules_complain_fn *note, void *arg) {
    struct guessing g = {list, config, note, arg};

    for (uint32_t i = 0; i < rules->rule_count; i++)
        add_overrides(&g, &rules->rules[i].resources);
    for (uint32_t i = 0; i < rules->external_count; i++)
        add_overrides(&g, &rules->external[i].resources);
    add_overrides(&g, &rules->cpu.resources);
    add_overrides(&g, &rules->memory.resources);
}

void resource_list_add_own(struct resource_list *list) {
    list->from = "Kubernetes' own (custom ones by --cluster or --resources)";
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        put(list,
            (struct cluster_resource){own[i].group, own[i].version, own[i].plural,
                                      lower(&list->arena, own[i].kind), own[i].kind, own[i].namespaced});
}

/* ---- from discovery ---- */

static const char *singular_of(struct resource_list *list, const char *singular, const char *kind) {
    return *singular ? arena_strdup(&list->arena, singular) : lower(&list->arena, kind);
}

void resource_list_put(struct resource_list *list, const struct resource *resource) {
    struct arena *arena = &list->arena;

    put(list, (struct cluster_resource){
                  .group = arena_strdup(arena, resource->group),
                  .version = arena_strdup(arena, resource->version),
                  .plural = arena_strdup(arena, resource->plural),
                  .singular = singular_of(list, str_or_empty(resource->singular), resource->kind),
                  .kind = arena_strdup(arena, resource->kind),
                  .namespaced = resource->namespaced});
}

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

/* Group and version of an element, or those of its list; "apps/v1", or "v1" of the core. */
static void set_version(struct resource_list *list, const json_t *element, const json_t *whole,
                        struct cluster_resource *resource) {
    const char *both = text_of(element, "groupVersion");
    const char *slash;

    if (!*both)
        both = text_of(whole, "groupVersion");
    slash = strchr(both, '/');
    resource->group = slash ? arena_strndup(&list->arena, both, (size_t)(slash - both)) : "";
    resource->version = arena_strdup(&list->arena, slash ? slash + 1 : both);
    /* An element that tells them itself comes out of a merged list. */
    if (*text_of(element, "version")) {
        resource->group = arena_strdup(&list->arena, text_of(element, "group"));
        resource->version = arena_strdup(&list->arena, text_of(element, "version"));
    }
}

static bool is_there(const struct resource_list *list, const struct cluster_resource *resource) {
    for (uint32_t i = 0; i < list->count; i++)
        if (str_eq(list->items[i].group, resource->group) && str_eq(list->items[i].plural, resource->plural))
            return true;
    return false;
}

/* A resource that several versions have is one, that of the first. By looking at each: a file has some
 * hundred. */
static int add_element(struct resource_list *list, const json_t *element, const json_t *whole,
                       struct err *err) {
    const char *name = text_of(element, "name"), *kind = text_of(element, "kind");
    const char *singular = text_of(element, "singularName");
    struct cluster_resource resource = {.namespaced = json_is_true(json_object_get(element, "namespaced"))};

    if (!*name || !*kind)
        return err_set(err, -EINVAL, "a resource has no name or no kind");
    /* "pods/status": nothing is ever about a subresource. */
    if (strchr(name, '/'))
        return 0;
    if (list->count == RESOURCES_MAX)
        return err_set(err, -E2BIG, "more than %d resources", RESOURCES_MAX);
    if (!*singular)
        singular = text_of(element, "singular");
    set_version(list, element, whole, &resource);
    resource.plural = arena_strdup(&list->arena, name);
    resource.kind = arena_strdup(&list->arena, kind);
    resource.singular = singular_of(list, singular, kind);
    if (!is_there(list, &resource))
        put(list, resource);
    return 0;
}

int resource_list_add(struct resource_list *list, const json_t *value, struct err *err) {
    const json_t *elements = json_is_array(value) ? value : json_object_get(value, "resources"), *element;
    size_t i;

    if (!json_is_array(elements))
        return err_set(err, -EINVAL,
                       "no list of resources, as kubectl get --raw /apis/GROUP/VERSION prints it");
    json_array_foreach(elements, i, element) {
        /* An array may also be one of lists, as jq -s makes it of several files. */
        bool nested = json_is_array(json_object_get(element, "resources"));
        int ret = nested ? resource_list_add(list, element, err) : add_element(list, element, value, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}
