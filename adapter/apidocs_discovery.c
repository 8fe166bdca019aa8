/* Discovery: groups, their resources, and both in one document as kubectl and the aggregator prefer it. */
#include "adapter/apidocs_internal.h"

#include "base/jsontext.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* ---- what a version lists ---- */

static void list_add(struct apidocs_list *list, struct apidocs_resource resource) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->items = xrealloc(list->items, list->room * sizeof(*list->items));
    }
    list->items[list->count++] = resource;
}

/* "pods/queue_depth", "deployments.apps/queue_depth", or an external metric's name alone. */
static void add_entry(void *arg, const struct registry_entry *entry) {
    struct apidocs_list *list = arg;
    const struct cluster_resource *r = entry->resource;
    const char *name = entry->metric;

    if (r)
        name = ARENA_JOIN(&list->arena, r->plural, *r->group ? "." : "", r->group, "/", entry->metric);
    list_add(list, (struct apidocs_resource){.name = name,
                                             .namespaced = entry->namespaced,
                                             .kind = r ? "MetricValueList" : "ExternalMetricValueList",
                                             .verbs = "[\"get\"]"});
}

/* Those of our rules first, then those of the other adapter: of one name the first stays. */
static void add_metrics(struct apidocs_list *list, const struct apidocs *docs, bool external) {
    if (docs->registry)
        registry_each(docs->registry, external, add_entry, list);
    for (uint32_t i = 0; i < docs->other_count; i++) {
        const struct apidocs_entry *other = &docs->others[i];
        if (other->external == external)
            list_add(list, (struct apidocs_resource){.name = other->name,
                                                     .namespaced = other->namespaced,
                                                     .kind = external ? "ExternalMetricValueList"
                                                                      : "MetricValueList",
                                                     .verbs = "[\"get\"]",
                                                     .other = true});
    }
}

/* By name, and of one name ours before another adapter's. */
static int by_name(const void *a, const void *b) {
    const struct apidocs_resource *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->other - y->other;
}

void apidocs_list_init(struct apidocs_list *list, const struct apidocs *docs,
                       const struct apidocs_version *version) {
    size_t kept = 0;

    *list = (struct apidocs_list){0};
    arena_init(&list->arena, 0);
    if (str_eq(version->group, "metrics.k8s.io")) {
        list_add(list, (struct apidocs_resource){"nodes", false, "NodeMetrics", "[\"get\",\"list\"]", false});
        list_add(list, (struct apidocs_resource){"pods", true, "PodMetrics", "[\"get\",\"list\"]", false});
        return;
    }
    add_metrics(list, docs, str_eq(version->group, "external.metrics.k8s.io"));
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), by_name);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || !str_eq(list->items[i].name, list->items[kept - 1].name))
            list->items[kept++] = list->items[i];
    list->count = kept;
}

void apidocs_list_done(struct apidocs_list *list) {
    free(list->items);
    arena_done(&list->arena);
}

/* ---- a document for each group and version ---- */

/* Names of groups and versions are ours and need no escaping; names of metrics are people's. */
static void write_version(struct buf *out, const struct apidocs_version *version) {
    buf_printf(out, "{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", version->group, version->version,
               version->version);
}

/* The end of a group: its versions, from the preferred one on. */
static void write_versions(const struct apidocs *docs, const struct apidocs_version *first, struct buf *out) {
    buf_printf(out, "\"name\":\"%s\",\"versions\":[", first->group);
    write_version(out, first);
    for (const struct apidocs_version *v = apidocs_served(docs, first + 1); v;
         v = apidocs_served(docs, v + 1)) {
        /* first is written whether it is listed or not: a group has at least its preferred version. */
        if (v->listed && str_eq(v->group, first->group)) {
            buf_puts(out, ",");
            write_version(out, v);
        }
    }
    buf_puts(out, "],\"preferredVersion\":");
    write_version(out, first);
    buf_puts(out, "}");
}

void apidocs_write_group(const struct apidocs *docs, const struct apidocs_version *first, struct buf *out) {
    buf_puts(out, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
    write_versions(docs, first, out);
    buf_puts(out, "\n");
}

void apidocs_write_groups(const struct apidocs *docs, struct buf *out) {
    const char *group = NULL;

    buf_puts(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        if (str_eq(v->group, group))
            continue;
        buf_puts(out, group ? ",{" : "{");
        write_versions(docs, v, out);
        group = v->group;
    }
    buf_puts(out, "]}\n");
}

void apidocs_write_resources(const struct apidocs *docs, const struct apidocs_version *version,
                             struct buf *out) {
    struct apidocs_list list;

    apidocs_list_init(&list, docs, version);
    buf_printf(
        out, "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%s/%s\",\"resources\":[",
        version->group, version->version);
    for (size_t i = 0; i < list.count; i++) {
        const struct apidocs_resource *r = &list.items[i];
        buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        jsontext_write(out, r->name);
        buf_printf(out, ",\"singularName\":\"\",\"namespaced\":%s,\"kind\":\"%s\",\"verbs\":%s}",
                   r->namespaced ? "true" : "false", r->kind, r->verbs);
    }
    buf_puts(out, "]}\n");
    apidocs_list_done(&list);
}

/* ---- aggregated ---- */

/* The length of a resource's name: what stands before its subresource. */
static size_t parent_length(const struct apidocs_resource *r) {
    return strcspn(r->name, "/");
}

/* One resource may be there in both scopes, if another adapter lists it so: those are two parents. */
static bool same_parent(const struct apidocs_resource *a, const struct apidocs_resource *b) {
    size_t len = parent_length(a);

    return len == parent_length(b) && strncmp(a->name, b->name, len) == 0 && a->namespaced == b->namespaced;
}

/* Group and version are left empty: then they are those of the list, as the apiserver has it. */
static void write_kind(struct buf *out, const char *kind) {
    buf_printf(out, "\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"%s\"}", kind);
}

static void write_subresource(struct buf *out, const struct apidocs_resource *r) {
    buf_puts(out, "{\"subresource\":");
    jsontext_write(out, r->name + parent_length(r) + 1);
    buf_puts(out, ",");
    write_kind(out, r->kind);
    buf_printf(out, ",\"verbs\":%s}", r->verbs);
}

/* A resource with all its subresources, from items[0] on; returns how many entries it took. The parent of
 * metrics is not served itself: its kind is empty, as the aggregator's own conversion makes it, and not left
 * out, for client-go 0.26.0 to 0.26.3 panics then (kubernetes/kubernetes#118361). */
static size_t write_resource(struct buf *out, const struct apidocs_resource *items, size_t count) {
    bool sub = items->name[parent_length(items)] == '/';
    cleanup_free char *name = xstrndup(items->name, parent_length(items));
    size_t taken = 1;

    buf_puts(out, "{\"resource\":");
    jsontext_write(out, name);
    buf_puts(out, ",");
    write_kind(out, sub ? "" : items->kind);
    buf_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"\",\"verbs\":%s",
               items->namespaced ? "Namespaced" : "Cluster", sub ? "null" : items->verbs);
    if (sub) {
        buf_puts(out, ",\"subresources\":[");
        write_subresource(out, items);
        for (; taken < count && same_parent(items, &items[taken]); taken++) {
            buf_puts(out, ",");
            write_subresource(out, &items[taken]);
        }
        buf_puts(out, "]");
    }
    buf_puts(out, "}");
    return taken;
}

/* Nothing is ever stale: what we list is what we serve at this moment. */
static void write_discovery(const struct apidocs *docs, const struct apidocs_version *version,
                            struct buf *out) {
    struct apidocs_list list;

    apidocs_list_init(&list, docs, version);
    buf_printf(out, "{\"version\":\"%s\",\"resources\":[", version->version);
    for (size_t i = 0; i < list.count;) {
        buf_puts(out, i > 0 ? "," : "");
        i += write_resource(out, &list.items[i], list.count - i);
    }
    buf_puts(out, "],\"freshness\":\"Current\"}");
    apidocs_list_done(&list);
}

/* Versions of one group are neighbours in the table; the group is closed when the next one begins. */
void apidocs_write_aggregated(const struct apidocs *docs, const char *form, struct buf *out) {
    const char *group = NULL;

    buf_printf(
        out,
        "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/%s\",\"metadata\":{},"
        "\"items\":[",
        form);
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        bool again = str_eq(v->group, group);
        if (again)
            buf_puts(out, ",");
        else
            buf_printf(out, "%s{\"metadata\":{\"name\":\"%s\"},\"versions\":[", group ? "]}," : "", v->group);
        write_discovery(docs, v, out);
        group = v->group;
    }
    buf_puts(out, group ? "]}]}\n" : "]}\n");
}
