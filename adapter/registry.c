/* The registry: for each rule what it has made of names and of sets of labels, so that one more series of a
 * known form costs two lookups and no memory; and the metrics, each with an entry for every resource.
 *
 *   name of a series -> its metric           by filters, name.matches and name.as
 *   names of its labels -> the resources     by overrides and template
 *   metric x resource -> entry: the series and the rule that come last
 *
 * Nothing is ever taken out: what is gone from Prometheus goes with the registry, when the ruleset makes the
 * next one. So one arena has it all, and entries may be borrowed. */
#include "adapter/registry.h"

#include "adapter/seriesforms.h"
#include "base/map.h"
#include "base/mem.h"
#include <string.h>

/* Label names of one series; Prometheus' own limit is far below. A series with more is left out. */
static const size_t SHAPE_MAX = (size_t)256 << 10;
static const size_t METRIC_NAME_MAX = 4096;

/* In its metric's list, where a resource stands at most once. */
struct entry {
    struct registry_entry entry;
    struct entry *next;
};

struct metric {
    const char *name;
    struct entry *entries; /* of different resources; seldom more than five */
};

/* What a rule makes of a series' name. */
struct name {
    const char *series;
    struct metric *metric; /* NULL: the rule does not take it */
};

/* What a rule makes of a set of labels. */
struct shape {
    uint32_t count;
    const struct cluster_resource **resources;
};

struct rule_state {
    const struct rule *rule;
    struct resource_labels *labels; /* NULL: the rule cannot be used, and gets no metrics */
    struct map names;               /* series name -> struct name */
    struct map shapes;              /* label names -> struct shape */
};

/* The custom metrics, or the external ones. */
struct section {
    struct rule_state *states;
    uint32_t count;
    const char *name;   /* in the file */
    struct map metrics; /* name -> struct metric */
};

/* To whom rules that cannot be used are told. */
struct complaint {
    rules_error_fn *fn;
    void *arg;
};

struct registry {
    const struct cluster_resources *resources;
    struct arena arena;
    struct buf scratch;
    struct section custom, external;
};

static void open_section(struct registry *r, struct section *s, const struct rule *rules, uint32_t count,
                         struct complaint *complaint) {
    s->states = xcalloc(count, sizeof(*s->states));
    s->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct rule_state *state = &s->states[i];
        struct err err = {0};
        state->rule = &rules[i];
        if (resource_labels_new(&state->rule->resources, r->resources, &state->labels, &err) == 0)
            continue;
        err_wrap(&err, "%s[%u]", s->name, i);
        complaint->fn(complaint->arg, &err);
    }
}

static void close_section(struct section *s) {
    for (uint32_t i = 0; i < s->count; i++) {
        resource_labels_free(s->states[i].labels);
        map_done(&s->states[i].names);
        map_done(&s->states[i].shapes);
    }
    free(s->states);
    map_done(&s->metrics);
}

/* resourceRules name no series, but their labels must be good as well. */
static void check_resource_rule(const struct registry *r, const struct resource_rule *rule, const char *name,
                                struct complaint *complaint) {
    struct resource_labels *labels = NULL;
    struct err err = {0};

    if (rule->given && resource_labels_new(&rule->resources, r->resources, &labels, &err) < 0) {
        err_wrap(&err, "resourceRules.%s", name);
        complaint->fn(complaint->arg, &err);
    }
    resource_labels_free(labels);
}

struct registry *registry_new_partial(const struct rules *rules, const struct cluster_resources *resources,
                                      rules_error_fn *fn, void *arg) {
    struct registry *r = XNEW(struct registry);
    struct complaint complaint = {fn, arg};

    r->resources = resources;
    r->custom.name = "rules";
    r->external.name = "externalRules";
    arena_init(&r->arena, 0);
    buf_init(&r->scratch, SHAPE_MAX);
    open_section(r, &r->custom, rules->rules, rules->rule_count, &complaint);
    open_section(r, &r->external, rules->external, rules->external_count, &complaint);
    check_resource_rule(r, &rules->cpu, "cpu", &complaint);
    check_resource_rule(r, &rules->memory, "memory", &complaint);
    return r;
}

static void keep_first(void *arg, const struct err *err) {
    struct err *first = arg;

    if (!first->code)
        *first = *err;
}

int registry_new(const struct rules *rules, const struct cluster_resources *resources,
                 struct registry **ret_registry, struct err *err) {
    struct err first = {0};
    struct registry *r = registry_new_partial(rules, resources, keep_first, &first);

    if (first.code) {
        registry_free(r);
        return err_set(err, first.code, "%s", first.text);
    }
    *ret_registry = r;
    return 0;
}

void registry_free(struct registry *registry) {
    if (!registry)
        return;
    close_section(&registry->custom);
    close_section(&registry->external);
    buf_done(&registry->scratch);
    arena_done(&registry->arena);
    free(registry);
}

/* Several names of series, and several rules, may come to one metric. */
static struct metric *metric_named(struct registry *r, struct section *s, const char *name) {
    struct metric *metric = map_get(&s->metrics, name);

    if (metric)
        return metric;
    metric = ARENA_NEW(&r->arena, struct metric);
    metric->name = arena_strdup(&r->arena, name);
    map_put(&s->metrics, metric->name, metric);
    return metric;
}

/* The metric that a series of this name belongs to, which the rule decides once for each name. */
static const struct name *name_of(struct registry *r, struct section *s, struct rule_state *state,
                                  const char *series) {
    struct name *name = map_get(&state->names, series);
    cleanup_buf struct buf metric = {0};

    if (name)
        return name;
    buf_init(&metric, METRIC_NAME_MAX);
    name = ARENA_NEW(&r->arena, struct name);
    name->series = arena_strdup(&r->arena, series);
    if (rule_takes_name(state->rule, series, NULL))
        rule_metric_name(state->rule, series, &metric);
    /* Names that the rule does not take are kept too: to match them again costs more than to know them. */
    if (metric.len)
        name->metric = metric_named(r, s, metric.data);
    map_put(&state->names, name->series, name);
    return name;
}

static struct shape *new_shape(struct registry *r, const struct rule_state *state,
                               const struct series *series) {
    struct shape *shape = ARENA_NEW(&r->arena, struct shape);

    shape->resources = ARENA_ARRAY(&r->arena, const struct cluster_resource *, series->label_count);
    for (uint32_t i = 0; i < series->label_count; i++) {
        const struct cluster_resource *found =
            resource_labels_find(state->labels, series->labels[i].name, NULL);
        if (found)
            shape->resources[shape->count++] = found;
    }
    return shape;
}

/* The resources that the labels of a series stand for; only the labels' names count. Where two labels stand
 * for one, it is there twice, which does no harm. NULL: too many labels. */
static const struct shape *shape_of(struct registry *r, struct rule_state *state,
                                    const struct series *series) {
    struct buf *key = &r->scratch;

    buf_reset(key);
    if (series_label_names(series, key) < 0)
        return NULL;
    struct shape *shape = map_get_n(&state->shapes, key->data, key->len);
    if (!shape) {
        shape = new_shape(r, state, series);
        map_put(&state->shapes, arena_strndup(&r->arena, key->data, key->len), shape);
    }
    return shape;
}

const struct cluster_resource *registry_label_resource(const struct registry *registry, uint32_t index,
                                                       const char *label, const char **ret_why) {
    return resource_labels_find(registry->custom.states[index].labels, label, ret_why);
}

/* The original counts a series as namespaced unless all of its labels stand for these three. A label of any
 * other resource is none of them, so that for its entry nothing more needs to be known of the series. */
static bool is_root_scoped(const struct cluster_resource *resource) {
    return !*resource->group &&
           (strcmp(resource->plural, "namespaces") == 0 || strcmp(resource->plural, "nodes") == 0 ||
            strcmp(resource->plural, "persistentvolumes") == 0);
}

/* Resources are told apart by their addresses: cluster_resource_find gives one for each, whatever it is
 * called. */
static struct entry *find_entry(const struct metric *metric, const struct cluster_resource *resource) {
    struct entry *entry = metric->entries;

    while (entry && entry->entry.resource != resource)
        entry = entry->next;
    return entry;
}

/* The one before is written over, as the original's map is: by a later series, and by a later rule, for the
 * ruleset adds rule by rule. */
static void put_entry(struct registry *r, const struct name *name, const struct rule *rule,
                      const struct cluster_resource *resource) {
    struct entry *entry = find_entry(name->metric, resource);

    if (!entry) {
        entry = ARENA_NEW(&r->arena, struct entry);
        entry->next = name->metric->entries;
        name->metric->entries = entry;
    }
    entry->entry = (struct registry_entry){
        .resource = resource,
        .namespaced = !resource || !is_root_scoped(resource),
        .metric = name->metric->name,
        .series = name->series,
        .rule = rule,
    };
}

void registry_add(struct registry *registry, bool external, uint32_t index, const struct series *series) {
    struct section *s = external ? &registry->external : &registry->custom;
    struct rule_state *state = &s->states[index];

    if (!state->labels) /* it was complained of */
        return;
    const struct name *name = name_of(registry, s, state, series->name);
    if (!name->metric)
        return;
    if (external) {
        put_entry(registry, name, state->rule, NULL);
        return;
    }
    const struct shape *shape = shape_of(registry, state, series);
    for (uint32_t i = 0; shape && i < shape->count; i++)
        put_entry(registry, name, state->rule, shape->resources[i]);
}

/* Of one section: its entries all have a resource, or none has. */
static int compare(const void *a, const void *b) {
    const struct registry_entry *x = a, *y = b;
    int order = 0;

    if (x->resource) {
        order = strcmp(x->resource->plural, y->resource->plural);
        order = order ? order : strcmp(x->resource->group, y->resource->group);
    }
    return order ? order : strcmp(x->metric, y->metric);
}

uint32_t registry_count(const struct registry *registry, bool external) {
    const struct section *s = external ? &registry->external : &registry->custom;
    struct map_iter it = {0};
    uint32_t count = 0;
    void *metric;

    while (map_next(&s->metrics, &it, NULL, &metric))
        for (const struct entry *e = ((struct metric *)metric)->entries; e; e = e->next)
            count++;
    return count;
}

void registry_each(const struct registry *registry, bool external, registry_fn *fn, void *arg) {
    const struct section *s = external ? &registry->external : &registry->custom;
    size_t count = 0;
    cleanup_free struct registry_entry *entries =
        xcalloc(registry_count(registry, external), sizeof(*entries));
    struct map_iter it = {0};
    void *metric;

    while (map_next(&s->metrics, &it, NULL, &metric))
        for (const struct entry *e = ((struct metric *)metric)->entries; e; e = e->next)
            entries[count++] = e->entry;
    qsort(entries, count, sizeof(*entries), compare);
    for (size_t i = 0; i < count; i++)
        fn(arg, &entries[i]);
}

const struct registry_entry *registry_find(const struct registry *registry, const char *resource,
                                           bool namespaced, const char *metric) {
    const struct cluster_resource *r = cluster_resource_find(registry->resources, NULL, resource);
    const struct metric *m = map_get(&registry->custom.metrics, metric);
    const struct entry *e = r && m ? find_entry(m, r) : NULL;

    /* In its own scope alone, but for one exception: a cluster-scoped custom resource, which the original
     * lists as namespaced, is found without a namespace too, where it belongs. */
    if (!e || (namespaced != e->entry.namespaced && (namespaced || r->namespaced)))
        return NULL;
    return &e->entry;
}

const struct registry_entry *registry_find_external(const struct registry *registry, const char *metric) {
    const struct metric *m = map_get(&registry->external.metrics, metric);

    return m && m->entries ? &m->entries->entry : NULL;
}
