/* From a request to the query that is sent: found by a key of all that it depends on.
 *
 * Rendering a template and proving that the result can be widened takes longer than all the rest of a request
 * that is answered from memory, so both are done once for each kind of request. The names of the objects are
 * no part of the kind where a template only puts the matchers out as they stand: then the query is rendered
 * with a name that stands for any, and kept if that can be left out. Queries are counted: the map has one
 * reference, and whoever waits or follows another, so that the rules may change meanwhile. */
#include "adapter/ownquery.h"

#include "adapter/rulequery.h"
#include "adapter/widen.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* Namespaces and selectors come from whoever asks: past this many kinds of requests all are found anew. */
static const size_t KEPT_MAX = 4096;
static const size_t KEY_MAX = (size_t)64 << 10;
static const size_t TEXT_MAX = (size_t)8 << 20;
/* Stands for the names of the objects in a query that is the same for all of them. */
static const char any_object[] = "any-object-of-the-request";

struct own_queries {
    struct map by_key;
    struct buf key;
};

struct own_queries *own_queries_new(void) {
    struct own_queries *queries = XNEW(struct own_queries);

    buf_init(&queries->key, KEY_MAX);
    return queries;
}

void own_queries_forget(struct own_queries *queries) {
    struct map_iter it = {0};
    void *query;

    while (map_next(&queries->by_key, &it, NULL, &query))
        own_query_unref(query);
    map_done(&queries->by_key);
    map_init(&queries->by_key);
}

void own_queries_free(struct own_queries *queries) {
    if (!queries)
        return;
    own_queries_forget(queries);
    map_done(&queries->by_key);
    buf_done(&queries->key);
    free(queries);
}

void own_query_unref(struct own_query *query) {
    if (!query || --query->refs)
        return;
    arena_done(&query->arena);
    free(query->joined.values);
    free(query);
}

/* ---- the key ---- */

enum { SEPARATOR = '\x1f' };

/* False where the part holds a control character, as nothing that exists does: then it might pass for another
 * key, and the query is not kept. */
static bool add_part(struct buf *key, const char *part) {
    size_t len = strlen(part);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)part[i] < ' ')
            return false;
    return buf_append(key, part, len) == 0 && buf_append(key, &(char){SEPARATOR}, 1) == 0;
}

static bool write_key(const struct metrics_route *route, struct buf *key) {
    const struct selector *selector = &route->metric_labels;

    buf_reset(key);
    /* "n" and "c": the same metric may be there of namespaced objects and of the cluster's. */
    bool good = add_part(key, route->api == ROUTE_EXTERNAL ? "e"
                              : route->ns                  ? "n"
                                                           : "c") &&
                add_part(key, str_or_empty(route->ns)) && add_part(key, str_or_empty(route->resource)) &&
                add_part(key, route->metric);
    for (uint32_t i = 0; good && i < selector->count; i++) {
        const struct selector_term *term = &selector->terms[i];
        /* Ends with = or a blank, as no value of a label does: so it is told from the last value of the
         * term before. */
        const char op[] = {(char)('0' + (int)term->op), term->equality ? '=' : ' ', '\0'};
        good = add_part(key, op) && add_part(key, term->key);
        for (uint32_t v = 0; good && v < term->count; v++)
            good = add_part(key, term->values[v]);
    }
    return good;
}

/* ---- what a query is made of ---- */

/* Kubernetes' labels have dots, dashes and slashes, which Prometheus' scrapes turn into underscores; the
 * reference sends them as they are, and is refused. */
static const char *prometheus_label(struct arena *arena, const char *key) {
    char *label = arena_strdup(arena, key);

    for (char *c = label; *c; c++)
        if (*c == '.' || *c == '-' || *c == '/')
            *c = '_';
    return label;
}

static void take_selector(struct own_query *q, const struct selector *selector) {
    q->selector = selector_copy(selector, &q->arena);
    for (uint32_t i = 0; i < q->selector.count; i++)
        q->selector.terms[i].key = prometheus_label(&q->arena, q->selector.terms[i].key);
}

static void copy_resource(struct own_query *q, const struct cluster_resource *r) {
    q->resource = (struct cluster_resource){.group = arena_strdup(&q->arena, r->group),
                                            .version = arena_strdup(&q->arena, r->version),
                                            .plural = arena_strdup(&q->arena, r->plural),
                                            .singular = arena_strdup(&q->arena, r->singular),
                                            .kind = arena_strdup(&q->arena, r->kind),
                                            .namespaced = r->namespaced};
}

/* ---- rendering and widening ---- */

/* As the reference would send it, but for what it sends in vain. */
static int render(const struct own_query *q, const struct cluster_resources *resources,
                  const char *const *names, uint32_t name_count, struct buf *out, struct err *err) {
    const struct rulequery request = {.rule = q->rule,
                                      .series = q->series,
                                      .resources = resources,
                                      .ns = q->ns,
                                      .resource = q->external ? NULL : &q->resource,
                                      .name_count = name_count,
                                      .names = names,
                                      .metric_selector = &q->selector};
    int ret = rulequery_write(&request, out, err);

    if (ret == 0)
        own_query_tidy(out);
    return ret;
}

/* "a|b", as the matcher of the names has it: whatever else is asked of their label stays. */
static void write_names(const char *const *names, uint32_t name_count, struct buf *out) {
    for (uint32_t i = 0; i < name_count; i++) {
        buf_puts(out, i ? "|" : "");
        buf_puts(out, names[i]);
    }
}

/* Appends the query for all objects where it gives the same; false: nothing is appended. */
static bool widen(const struct own_query *q, const char *query, const char *const *names, uint32_t name_count,
                  struct buf *out) {
    cleanup_buf struct buf wanted;
    size_t before = out->len;

    buf_init(&wanted, TEXT_MAX);
    write_names(names, name_count, &wanted);
    const struct widen_labels labels = {.object = q->label, .object_value = wanted.data};
    if (widen_query(query, &labels, WIDEN_OBJECTS, out) != WIDEN_NONE)
        return true;
    /* widen_query appends the query itself where it can leave out nothing. */
    out->len = before;
    out->data[before] = '\0';
    return false;
}

int own_query_render(const struct own_query *query, const struct cluster_resources *resources,
                     const char *const *names, uint32_t name_count, struct buf *out, struct err *err) {
    cleanup_buf struct buf text;

    buf_init(&text, TEXT_MAX);
    int ret = render(query, resources, names, name_count, &text, err);
    if (ret == 0 && !widen(query, text.data, names, name_count, out))
        ret = buf_puts(out, text.data);
    return ret;
}

/* "" where the rule has none. */
static const char *label_of(struct own_query *q, const struct cluster_resources *resources,
                            const struct cluster_resource *resource) {
    cleanup_buf struct buf label;

    buf_init(&label, TEXT_MAX);
    if (!resource || rule_label(&q->rule->resources, resources, resource, &label) < 0)
        return "";
    return arena_strdup(&q->arena, label.data);
}

/* The query for all namespaces, of the one for the one that is asked for. */
static void find_wide(struct own_query *q, const struct cluster_resources *resources, const char *query) {
    const struct widen_labels labels = {
        .object = q->label,
        .ns = label_of(q, resources, cluster_resource_find(resources, "", "namespaces")),
        .object_value = any_object,
        .ns_value = q->ns};
    cleanup_buf struct buf wide;

    buf_init(&wide, TEXT_MAX);
    if (!q->ns || !*labels.ns || widen_query(query, &labels, WIDEN_NAMESPACES, &wide) != WIDEN_NAMESPACES)
        return;
    q->wide = arena_strdup(&q->arena, wide.data);
    q->ns_label = labels.ns;
}

/* Where only the matcher of the names tells one request from the next, and can be left out, there is one
 * query for all of them. Of a template that does more with the names nothing is known before they are. */
static void find_text(struct own_query *q, const struct cluster_resources *resources) {
    static const char *const free_fields[] = {"Series", "GroupBy", "GroupBySlice", NULL};
    const char *const names[] = {any_object};
    cleanup_buf struct buf text, wide;

    buf_init(&text, TEXT_MAX);
    buf_init(&wide, TEXT_MAX);
    if (!q->external && !template_only_shows(q->rule->query, "LabelMatchers", free_fields))
        return;
    q->err.code = render(q, resources, names, q->external ? 0 : 1, &text, &q->err);
    if (q->err.code)
        return;
    /* An external metric has no objects: what was rendered is all that there is. */
    if (q->external)
        q->text = arena_strdup(&q->arena, text.data);
    if (q->external || !widen(q, text.data, names, 1, &wide))
        return;
    q->text = arena_strdup(&q->arena, wide.data);
    find_wide(q, resources, text.data);
}

static struct own_query *new_query(const struct registry_entry *entry,
                                   const struct cluster_resources *resources,
                                   const struct metrics_route *route) {
    struct own_query *q = XNEW(struct own_query);

    q->refs = 1;
    arena_init(&q->arena, 1024);
    q->external = !entry->resource;
    if (entry->resource)
        copy_resource(q, entry->resource);
    q->rule = entry->rule;
    q->series = arena_strdup(&q->arena, entry->series);
    q->ns = route->ns ? arena_strdup(&q->arena, route->ns) : NULL;
    q->source = entry->rule->source ? arena_strdup(&q->arena, entry->rule->source) : NULL;
    take_selector(q, &route->metric_labels);
    q->label = q->external ? "" : label_of(q, resources, &q->resource);
    /* Last: it renders, and so needs all that stands above. */
    find_text(q, resources);
    return q;
}

static const struct registry_entry *find_entry(const struct registry *registry,
                                               const struct metrics_route *route) {
    if (!registry)
        return NULL;
    if (route->api == ROUTE_EXTERNAL)
        return registry_find_external(registry, route->metric);
    return registry_find(registry, route->resource, route->ns != NULL, route->metric);
}

struct own_query *own_queries_find(struct own_queries *queries, const struct registry *registry,
                                   const struct cluster_resources *resources,
                                   const struct metrics_route *route) {
    bool has_key = write_key(route, &queries->key);
    struct own_query *q = has_key ? map_get_n(&queries->by_key, queries->key.data, queries->key.len) : NULL;

    if (!q) {
        const struct registry_entry *entry = find_entry(registry, route);
        if (!entry)
            return NULL;
        q = new_query(entry, resources, route);
        /* The one reference is the caller's then. */
        if (!has_key)
            return q;
        if (queries->by_key.len >= KEPT_MAX)
            own_queries_forget(queries);
        /* In the query's own arena, so that it lives as long as the map needs it. */
        q->key = arena_strdup(&q->arena, queries->key.data);
        map_put(&queries->by_key, q->key, q);
    }
    q->refs++;
    return q;
}

/* ---- commas in vain ---- */

/* The end of the string that begins at text; with its last quote. */
static const char *skip_string(const char *text) {
    char quote = *text++;

    while (*text && *text != quote)
        text += *text == '\\' && quote != '`' && text[1] ? 2 : 1;
    return *text ? text + 1 : text;
}

/* The end of the string or comment that begins at text; text itself where none does. */
static const char *skip_verbatim(const char *text) {
    if (*text == '#')
        return text + strcspn(text, "\n");
    return *text && strchr("\"'`", *text) ? skip_string(text) : text;
}

void own_query_tidy(struct buf *query) {
    /* In place: nothing becomes longer. What is in strings and comments stays as it is. */
    char *out = query->data;
    char last = '\0'; /* that is no blank */

    for (const char *at = query->data; *at;) {
        const char *end = skip_verbatim(at);
        if (end > at) {
            if (*at != '#')
                last = *at;
            memmove(out, at, (size_t)(end - at));
            out += end - at;
            at = end;
            continue;
        }
        bool vain = *at == ',' && (last == '{' || last == ',');
        if (!vain)
            *out++ = *at;
        if (!vain && !strchr(" \t\r\n", *at))
            last = *at;
        at++;
    }
    *out = '\0';
    query->len = (size_t)(out - query->data);
}
