/* Lists of a remote adapter. What is asked of them is only whether asking the remote is worth while: a "yes"
 * that is wrong costs a request that answers 404, a "no" that is wrong hides a metric. In doubt it is "yes".
 */
#include "adapter/remote_list.h"

#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 50000 };

/* What stands for all metrics of an adapter that does not list names: of one that takes its lists from
 * custom-metrics-apiserver, as KEDA does since 2.11 (pkg/provider/defaults there: in the singular at first,
 * in the plural in v1.30.0; a custom metric's name begins with its resource, which is empty there). */
static const char *const placeholders[] = {"externalmetrics", "externalmetric", "/custommetrics",
                                           "/custommetric"};

static bool is_placeholder(const char *name) {
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
        if (str_eq(name, placeholders[i]))
            return true;
    return false;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct apidocs_entry *)a)->name, ((const struct apidocs_entry *)b)->name);
}

/* Takes an entry in; one that is no metric is left out. */
static void take(struct remote_list *list, const json_t *item, bool external) {
    const char *name = json_string_value(json_object_get(item, "name"));

    if (!name || !name[0] || (!external && !strchr(name, '/')))
        return;
    list->nameless |= is_placeholder(name);
    if (name[0] == '/')
        return;
    list->entries[list->count++] =
        (struct apidocs_entry){.external = external,
                               .namespaced = json_is_true(json_object_get(item, "namespaced")),
                               .name = arena_strdup(&list->arena, name)};
}

int remote_list_read(const json_t *document, bool external, struct remote_list *ret_list, struct err *err) {
    const json_t *resources = json_object_get(document, "resources");
    size_t n = json_array_size(resources);
    struct remote_list list = {.known = true};

    /* Go writes a list that has nothing in it as null */
    if (!str_eq(json_string_value(json_object_get(document, "kind")), "APIResourceList") ||
        (resources && !json_is_array(resources) && !json_is_null(resources)))
        return err_set(err, -EBADMSG, "its list of metrics is no APIResourceList");
    if (n > NAMES_MAX)
        return err_set(err, -E2BIG, "it lists more than %d metrics", NAMES_MAX);
    arena_init(&list.arena, 0);
    list.entries = ARENA_ARRAY(&list.arena, struct apidocs_entry, n + 1);
    for (size_t i = 0; i < n; i++)
        take(&list, json_array_get(resources, i), external);
    if (list.count > 1)
        qsort(list.entries, list.count, sizeof(list.entries[0]), by_name);
    *ret_list = list;
    return 0;
}

void remote_list_done(struct remote_list *list) {
    if (list->known)
        arena_done(&list->arena);
    *list = (struct remote_list){0};
}

static bool lists(const struct remote_list *list, const char *name) {
    const struct apidocs_entry key = {.name = name};

    return list->count && bsearch(&key, list->entries, list->count, sizeof(list->entries[0]), by_name);
}

/* "deployments.apps" is asked for as deployments, deployment, deployment.apps too. The plural of an ordinary
 * word is made with s or es; a remote that is asked in vain once too often answers 404 by itself. */
static bool is_resource(const char *listed, size_t listed_len, const char *asked) {
    size_t base = strcspn(asked, "."), end = 0;

    while (end < listed_len && listed[end] != '.')
        end++;
    if (strncmp(listed, asked, base) != 0 || end < base)
        return false;
    const char *rest = listed + base;
    size_t rest_len = end - base;
    bool same =
        rest_len == 0 || (rest_len == 1 && rest[0] == 's') || (rest_len == 2 && strncmp(rest, "es", 2) == 0);
    if (!same || !asked[base])
        return same;
    return listed_len - end == strlen(asked + base) &&
           strncmp(listed + end, asked + base, listed_len - end) == 0;
}

bool remote_list_has(const struct remote_list *list, const struct metrics_route *route) {
    if (!list->known || list->nameless)
        return true;
    if (route->api == ROUTE_EXTERNAL)
        return lists(list, route->metric);
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->entries[i].name, *slash = strchr(name, '/');
        if (strcmp(slash + 1, route->metric) == 0 &&
            is_resource(name, (size_t)(slash - name), route->resource))
            return true;
    }
    return false;
}
