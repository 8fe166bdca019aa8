/* From a request to its query: the matchers that stand for the request, and the template that they go into.
 *
 * Matchers stand in the original's order, so that a request gives the same text as there, to the byte: the
 * recorded cases of the tests hold us to that. After an overflow writing goes on, and it is told once, before
 * the template is run. */
#include "adapter/rulequery.h"

#include "adapter/goquote.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of the matchers: a request that spells out more names than this is not one that Prometheus would take. */
enum { MATCHERS_MAX = 4 * 1024 * 1024 };

/* What the template is run with, as it grows. */
struct parts {
    struct arena arena;
    struct buf matchers;
    struct template_pair *pairs; /* label -> values; one more than there can be */
    uint32_t pair_count;
    int failed; /* the first overflow */
};

static void parts_init(struct parts *p, const struct rulequery *query) {
    uint32_t terms = query->metric_selector ? query->metric_selector->count : 0;

    *p = (struct parts){0};
    arena_init(&p->arena, 0);
    buf_init(&p->matchers, MATCHERS_MAX);
    /* The namespace and the objects are the two more. */
    p->pairs = ARENA_ARRAY(&p->arena, struct template_pair, terms + 2);
}

static void parts_done(struct parts *p) {
    buf_done(&p->matchers);
    arena_done(&p->arena);
}
#define cleanup_parts cleanup(parts_done)

/* A label has one value in the map: that of the last matcher on it. A selector on the namespace's label is
 * thus one more matcher, but the map has the namespace of the request. */
static void put_pair(struct parts *p, const char *label, const char *value) {
    uint32_t i = 0;

    while (i < p->pair_count && strcmp(p->pairs[i].key, label) != 0)
        i++;
    p->pairs[i] = (struct template_pair){label, value};
    p->pair_count += i == p->pair_count;
}

static void add_matcher(struct parts *p, const char *label, const char *op, const char *value) {
    int ret = p->matchers.len ? buf_puts(&p->matchers, ",") : 0;

    if (ret == 0)
        ret = buf_puts(&p->matchers, label);
    if (ret == 0)
        ret = buf_puts(&p->matchers, op);
    if (ret == 0)
        ret = go_quote(value, &p->matchers);
    if (ret < 0)
        p->failed = ret;
}

/* "a|b|c" in the arena. */
static const char *join(struct parts *p, const char *const *values, uint32_t count) {
    cleanup_buf struct buf text;

    buf_init(&text, MATCHERS_MAX);
    for (uint32_t i = 0; p->failed == 0 && i < count; i++) {
        p->failed = i ? buf_puts(&text, "|") : 0;
        if (p->failed == 0)
            p->failed = buf_puts(&text, values[i]);
    }
    return arena_strdup(&p->arena, text.data);
}

/* ---- the metric selector ---- */

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted as in the original; in a copy, for the selector is the request's. */
static const char *sorted_values(struct parts *p, const struct selector_term *term) {
    const char **values = ARENA_ARRAY(&p->arena, const char *, term->count + 1);

    for (uint32_t i = 0; i < term->count; i++)
        values[i] = term->values[i];
    qsort(values, term->count, sizeof(*values), compare_texts);
    return join(p, values, term->count);
}

static void add_term(struct parts *p, const struct selector_term *term) {
    const char *value = sorted_values(p, term);

    switch (term->op) {
    case SELECTOR_IN:
        add_matcher(p, term->key, term->equality ? "=" : "=~", value);
        break;
    case SELECTOR_NOT_IN:
        add_matcher(p, term->key, term->equality ? "!=" : "!~", value);
        break;
    case SELECTOR_EXISTS:
        add_matcher(p, term->key, "!=", "");
        break;
    case SELECTOR_NOT_EXISTS:
        add_matcher(p, term->key, "=", "");
        break;
    case SELECTOR_GREATER: /* PromQL has no such matcher: the route does not let them through */
    case SELECTOR_LESS:
        break;
    }
    put_pair(p, term->key, value);
}

/* By key; terms of one key stay in their order, as in the original: that is the order of their addresses, for
 * qsort alone does not keep it. */
static int compare_terms(const void *a, const void *b) {
    const struct selector_term *x = *(const struct selector_term *const *)a;
    const struct selector_term *y = *(const struct selector_term *const *)b;
    int order = strcmp(x->key, y->key);

    return order ? order : (x > y) - (x < y);
}

static void add_selector(struct parts *p, const struct selector *selector) {
    const struct selector_term **terms;

    if (!selector)
        return;
    terms = ARENA_ARRAY(&p->arena, const struct selector_term *, selector->count + 1);
    for (uint32_t i = 0; i < selector->count; i++)
        terms[i] = &selector->terms[i];
    qsort(terms, selector->count, sizeof(const struct selector_term *), compare_terms);
    for (uint32_t i = 0; i < selector->count; i++)
        add_term(p, terms[i]);
}

/* ---- the namespace and the objects ---- */

/* The rule's label for a resource, in the arena. */
static int find_label(struct parts *p, const struct rule_resources *resources, const struct rulequery *query,
                      const struct cluster_resource *resource, const char **ret_label, struct err *err) {
    cleanup_buf struct buf label;

    buf_init(&label, MATCHERS_MAX);
    int ret = resource ? rule_label(resources, query->resources, resource, &label) : -ENOENT;
    if (ret < 0)
        return err_set(err, ret, "no label is known for %s: neither an override nor a template gives one",
                       resource ? resource->plural : "namespaces");
    *ret_label = arena_strdup(&p->arena, label.data);
    return 0;
}

static int add_namespace(struct parts *p, const struct rule_resources *resources,
                         const struct rulequery *query, struct err *err) {
    const struct cluster_resource *namespaces = cluster_resource_find(query->resources, "", "namespaces");
    const char *label = "";

    int ret = find_label(p, resources, query, namespaces, &label, err);
    if (ret < 0)
        return ret;
    add_matcher(p, label, "=", query->ns);
    put_pair(p, label, query->ns);
    return 0;
}

/* Names are not escaped for the regular expression: the original leaves them as they are, and drops what is
 * selected too much from the answer. */
static int add_objects(struct parts *p, const struct rule_resources *resources, const struct rulequery *query,
                       const char **ret_label, struct err *err) {
    int ret = find_label(p, resources, query, query->resource, ret_label, err);

    if (ret < 0)
        return ret;
    const char *names = join(p, query->names, query->name_count);
    add_matcher(p, *ret_label, query->name_count > 1 ? "=~" : "=", names);
    put_pair(p, *ret_label, names);
    return 0;
}

/* ---- the template ---- */

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct template_pair *)a)->key, ((const struct template_pair *)b)->key);
}

static int run(struct parts *p, const struct template *template, const char *series, const char *const *group,
               struct buf *out, struct err *err) {
    size_t before = out->len;
    uint32_t count = group[0] ? group[1] ? 2 : 1 : 0;

    if (p->failed < 0)
        return err_set(err, -EOVERFLOW, "the matchers are longer than %d bytes", MATCHERS_MAX);
    /* Go's templates range over a map in the order of its keys. */
    qsort(p->pairs, p->pair_count, sizeof(*p->pairs), compare_pairs);
    const char *group_by = !count       ? ""
                           : count == 1 ? group[0]
                                        : ARENA_JOIN(&p->arena, group[0], ",", group[1]);
    const struct template_field fields[] = {
        {.name = "Series", .kind = TEMPLATE_STRING, .text = series},
        {.name = "LabelMatchers", .kind = TEMPLATE_STRING, .text = p->matchers.data},
        {.name = "LabelValuesByName", .kind = TEMPLATE_MAP, .count = p->pair_count, .pairs = p->pairs},
        {.name = "GroupBy", .kind = TEMPLATE_STRING, .text = group_by},
        {.name = "GroupBySlice", .kind = TEMPLATE_LIST, .count = count, .list = group},
    };
    int ret = template_run(template, fields, sizeof(fields) / sizeof(fields[0]), out, err);
    if (ret == 0 && out->len == before)
        ret = err_set(err, -EINVAL, "metricsQuery gives an empty text");
    return ret;
}

/* resources: of the rule; the namespace is asked for where the request has one. container: the label that
 * results are also grouped by, NULL for none; "" stands in <<.GroupBy>> as well, as in the original. */
static int write_objects(const struct rule_resources *resources, const struct rulequery *query,
                         const struct template *template, const char *container, struct buf *out,
                         struct err *err) {
    cleanup_parts struct parts p;
    const char *group[3] = {"", container, NULL};

    parts_init(&p, query);
    add_selector(&p, query->metric_selector);
    int ret = query->ns ? add_namespace(&p, resources, query, err) : 0;
    if (ret == 0)
        ret = add_objects(&p, resources, query, &group[0], err);
    return ret < 0 ? ret : run(&p, template, str_or_empty(query->series), group, out, err);
}

static int write_external(const struct rulequery *query, struct buf *out, struct err *err) {
    const struct rule *rule = query->rule;
    cleanup_parts struct parts p;
    const char *group[1] = {NULL};

    parts_init(&p, query);
    add_selector(&p, query->metric_selector);
    bool namespaced = query->ns && rule->resources.namespaced;
    int ret = namespaced ? add_namespace(&p, &rule->resources, query, err) : 0;
    return ret < 0 ? ret : run(&p, rule->query, query->series, group, out, err);
}

int rulequery_write(const struct rulequery *query, struct buf *out, struct err *err) {
    if (!query->resource)
        return write_external(query, out, err);
    return write_objects(&query->rule->resources, query, query->rule->query, /* container= */ NULL, out, err);
}

int rulequery_write_resource(const struct resource_rule *rule, const struct rulequery *query, bool node,
                             struct buf *out, struct err *err) {
    if (node)
        return write_objects(&rule->resources, query, rule->node_query, /* container= */ NULL, out, err);
    return write_objects(&rule->resources, query, rule->container_query, str_or_empty(rule->container_label),
                         out, err);
}
