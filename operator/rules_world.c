/* The world of `trimtab rules`: what each rule selects of the series that there are, and the registry of it.
 *
 * Made in two steps: rules_world_init needs the configuration and the resources alone, and tells what is
 * wrong with them; rules_world_take needs the series, which are only fetched when nothing was. The registry
 * is the one that run serves from, so that what is shown here is what is there. It tells which metrics there
 * are; a view tells in addition what it cannot: how many series a rule selects, and which of their names it
 * drops. */
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules.h"

#include <errno.h>
#include <string.h>

enum { NAME_MAX_BYTES = 4096 };

/* ---- rules ---- */

static void add_views(struct rules_world *w, const struct rule *rules, uint32_t count, bool external) {
    for (uint32_t i = 0; i < count; i++)
        w->views[w->view_count++] = (struct rule_view){
            .rule = &rules[i],
            .name = arena_printf(&w->arena, "%s[%u]", external ? "externalRules" : "rules", i),
            .external = external,
            .index = i,
        };
}

/* Ends: every rule of the configuration has a view, and no other rule is asked for. */
const struct rule_view *rules_view_of(const struct rules_world *world, const struct rule *rule) {
    uint32_t i = 0;

    while (world->views[i].rule != rule)
        i++;
    return &world->views[i];
}

void rules_set_place(const struct rules_world *world, const struct rule *rule, json_t *object) {
    const struct rule_view *view = rules_view_of(world, rule);

    json_object_set_new(object, "rule", json_string(view->name));
    json_object_set_new(object, "file", json_string(world->config));
    json_object_set_new(object, "line", json_integer(rule->line));
}

const char *resource_name(const struct cluster_resource *resource, struct arena *arena) {
    if (!*resource->group)
        return resource->plural;
    return ARENA_JOIN(arena, resource->plural, ".", resource->group);
}

/* ---- what is wrong with them ---- */

struct complaints {
    const struct rules_world *world;
    rules_complain_fn *complain;
    void *arg;
    unsigned count;
};

/* "FILE:LINE: rules[2]: …"; a text that begins with a line of its own keeps that one. */
static void complain_at(struct complaints *c, const char *what, uint32_t line, const struct err *why) {
    struct err err = {0};
    const char *text = err_text(why);
    char *end = NULL;
    unsigned long own = str_starts(text, "line ") ? strtoul(text + 5, &end, 10) : 0;

    if (own && str_starts(end, ": "))
        text = end + 2;
    err_set(&err, -EINVAL, "%s:%lu: %s: %s", c->world->config, own ? own : line, what, text);
    c->complain(c->arg, &err);
    c->count++;
}

static void check_labels(struct complaints *c, const char *what, uint32_t line,
                         const struct rule_resources *resources) {
    struct resource_labels *labels = NULL;
    struct err err = {0};

    if (resource_labels_new(resources, &c->world->resources, &labels, &err) < 0)
        complain_at(c, what, line, &err);
    resource_labels_free(labels);
}

/* Prometheus would refuse a bad selector, and with it the whole round of listing. One that is empty was told
 * when the file was read. */
static void check_view(struct complaints *c, struct rule_view *view) {
    struct err err = {0};

    if (*view->rule->series_query &&
        seriesselector_new(view->rule->series_query, &view->selector, &err) < 0) {
        err_wrap(&err, "seriesQuery");
        complain_at(c, view->name, view->rule->line, &err);
    }
    check_labels(c, view->name, view->rule->line, &view->rule->resources);
}

static void check_resource_rule(struct complaints *c, const char *what, const struct resource_rule *rule) {
    if (rule->given)
        check_labels(c, what, rule->line, &rule->resources);
}

/* ---- series ---- */

/* What the rule makes of a name is found once. */
static struct rule_name *new_name(struct rules_world *w, const struct rule *rule, const char *series) {
    struct rule_name *name = ARENA_NEW(&w->arena, struct rule_name);
    const char *why = NULL;
    cleanup_buf struct buf metric;

    buf_init(&metric, NAME_MAX_BYTES);
    name->series = series;
    if (rule_takes_name(rule, series, &why)) {
        rule_metric_name(rule, series, &metric);
        name->metric = arena_strdup(&w->arena, metric.data);
    } else {
        name->why = arena_strdup(&w->arena, str_or_empty(why));
    }
    return name;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct rule_name *)a)->series, ((const struct rule_name *)b)->series);
}

static void keep_names(struct rules_world *w, struct rule_view *view, const struct map *map) {
    struct map_iter it = {0};
    void *name;

    view->names = ARENA_ARRAY(&w->arena, struct rule_name, map->len + 1);
    while (map_next(map, &it, NULL, &name))
        view->names[view->name_count++] = *(struct rule_name *)name;
    qsort(view->names, view->name_count, sizeof(*view->names), compare_names);
}

/* The later series wins, so the order of the list matters. The registry looks at filters and names by itself;
 * the series is given to it in any case. */
static void take_series(struct rules_world *w, struct rule_view *view) {
    cleanup_map struct map map;

    map_init(&map);
    for (uint32_t i = 0; i < w->series->count; i++) {
        const struct series *series = &w->series->items[i];
        if (!seriesselector_matches(view->selector, series, NULL))
            continue;
        struct rule_name *name = map_get(&map, series->name);
        if (!name) {
            name = new_name(w, view->rule, series->name);
            map_put(&map, series->name, name);
        }
        name->count++;
        view->selected++;
        registry_add(w->registry, view->external, view->index, series);
    }
    keep_names(w, view, &map);
}

static void count_entry(void *arg, const struct registry_entry *entry) {
    (void)entry;
    ++*(uint32_t *)arg;
}

static void keep_entry(void *arg, const struct registry_entry *entry) {
    struct rules_world *w = arg;

    w->entries[w->entry_count++] = *entry;
}

/* Counted first: the arena's arrays do not grow. */
static void keep_entries(struct rules_world *w) {
    uint32_t count = 0;

    registry_each(w->registry, /* external= */ false, count_entry, &count);
    registry_each(w->registry, /* external= */ true, count_entry, &count);
    w->entries = ARENA_ARRAY(&w->arena, struct registry_entry, count + 1);
    registry_each(w->registry, /* external= */ false, keep_entry, w);
    registry_each(w->registry, /* external= */ true, keep_entry, w);
}

/* Reads what can be wrong before the registry does, which stops at the first mistake and names no file: after
 * this it has nothing left to refuse. */
static int check_all(struct rules_world *world, rules_complain_fn *complain, void *arg) {
    struct complaints c = {world, complain, arg, 0};

    for (uint32_t i = 0; i < world->view_count; i++)
        check_view(&c, &world->views[i]);
    check_resource_rule(&c, "resourceRules.cpu", &world->rules->cpu);
    check_resource_rule(&c, "resourceRules.memory", &world->rules->memory);
    return c.count ? -EINVAL : 0;
}

int rules_world_init(struct rules_world *world, rules_complain_fn *complain, void *arg) {
    const struct rules *rules = world->rules;
    struct err err = {0};

    arena_init(&world->arena, 0);
    world->resources = (struct cluster_resources){world->resource_list->items, world->resource_list->count};
    world->views =
        ARENA_ARRAY(&world->arena, struct rule_view, rules->rule_count + rules->external_count + 1);
    add_views(world, rules->rules, rules->rule_count, /* external= */ false);
    add_views(world, rules->external, rules->external_count, /* external= */ true);
    int ret = check_all(world, complain, arg);
    if (ret < 0 || world->bad)
        return -EINVAL;
    ret = registry_new(rules, &world->resources, &world->registry, &err);
    if (ret < 0) {
        complain(arg, &err);
        return ret;
    }
    return 0;
}

void rules_world_take(struct rules_world *world) {
    for (uint32_t i = 0; world->series && i < world->view_count; i++)
        take_series(world, &world->views[i]);
    keep_entries(world);
}

void rules_world_done(struct rules_world *world) {
    for (uint32_t i = 0; i < world->view_count; i++)
        seriesselector_free(world->views[i].selector);
    registry_free(world->registry);
    arena_done(&world->arena);
}
