/* `trimtab rules`: all rules, what they select and as what it appears.
 *
 * Of each rule there is what it says and, where there are series, the names of those that it selects. A name
 * is one of three: "dropped", with the filter that did it; a "metric" with the "resources" that have it; or a
 * "metric" of no resource, whose "problem" says why. */
#include "base/str.h"
#include "operator/rules.h"

#include <string.h>

/* ---- what there is ---- */

/* Why a name that the rule takes is nowhere to be asked for; other: the entry that has its metric, or NULL.
 */
static json_t *why_nowhere(const struct rules_world *world, const struct rule_name *name,
                           const struct registry_entry *other) {
    if (!*name->metric)
        return json_string("its name comes out empty");
    if (other)
        return json_sprintf("%s has the name (series %s), and the last one wins",
                            rules_view_of(world, other->rule)->name, other->series);
    return json_string("no label stands for a resource");
}

/* The resources of which a rule's name is a metric, "external" for none. An entry is this name's only if rule
 * and series are the same: the registry has one for each resource and metric, and keeps the last. */
static json_t *holders(const struct rules_world *world, const struct rule_view *view,
                       const struct rule_name *name, const struct registry_entry **ret_other,
                       struct arena *arena) {
    json_t *resources = json_array();

    for (uint32_t i = 0; i < world->entry_count; i++) {
        const struct registry_entry *entry = &world->entries[i];
        if (!entry->resource != view->external || !str_eq(entry->metric, name->metric))
            continue;
        if (entry->rule != view->rule || !str_eq(entry->series, name->series))
            *ret_other = entry;
        else
            json_array_append_new(
                resources, json_string(entry->resource ? resource_name(entry->resource, arena) : "external"));
    }
    return resources;
}

static json_t *name_value(const struct rules_world *world, const struct rule_view *view,
                          const struct rule_name *name, struct arena *arena) {
    json_t *value = json_pack("{s:s, s:I}", "series", name->series, "count", (json_int_t)name->count);
    const struct registry_entry *other = NULL;

    if (!name->metric) {
        json_object_set_new(value, "dropped", json_string(name->why));
        return value;
    }
    json_t *resources = holders(world, view, name, &other, arena);
    json_object_set_new(value, "metric", json_string(name->metric));
    json_object_set_new(value, "resources", resources);
    if (json_array_size(resources) == 0)
        json_object_set_new(value, "problem", why_nowhere(world, name, other));
    return value;
}

/* ---- what a rule says ---- */

static json_t *filters_value(const struct rule *rule) {
    json_t *filters = json_array();

    for (uint32_t i = 0; i < rule->filter_count; i++)
        json_array_append_new(
            filters, json_pack("{s:s}", rule->filters[i].negative ? "isNot" : "is", rule->filters[i].text));
    return filters;
}

static json_t *overrides_value(const struct rule_resources *resources) {
    json_t *overrides = json_object();

    for (uint32_t i = 0; i < resources->override_count; i++) {
        const struct rule_override *o = &resources->overrides[i];
        const char *group = str_or_empty(o->group);
        json_object_set_new(overrides, o->label,
                            json_sprintf("%s%s%s", o->resource, *group ? "." : "", group));
    }
    return overrides;
}

static json_t *rule_value(const struct rules_world *world, const struct rule_view *view,
                          struct arena *arena) {
    const struct rule *rule = view->rule;
    json_t *value = json_object(), *names = json_array();

    rules_set_place(world, rule, value);
    json_object_set_new(value, "seriesQuery", json_string(rule->series_query));
    json_object_set_new(value, "seriesFilters", filters_value(rule));
    json_object_set_new(
        value, "name",
        json_pack("{s:s, s:s}", "matches", rule->matches_text ? rule->matches_text : ".*", "as", rule->as));
    json_object_set_new(value, "resources",
                        json_pack("{s:s?, s:o, s:b}", "template", rule->resources.template_text, "overrides",
                                  overrides_value(&rule->resources), "namespaced",
                                  rule->resources.namespaced));
    json_object_set_new(value, "metricsQuery", json_string(rule->query_text));
    for (uint32_t i = 0; i < view->name_count; i++)
        json_array_append_new(names, name_value(world, view, &view->names[i], arena));
    if (world->series) {
        json_object_set_new(value, "series", json_integer(view->selected));
        json_object_set(value, "names", names);
    }
    json_decref(names);
    return value;
}

json_t *rules_report_list(const struct rules_world *world) {
    struct arena arena;
    json_t *list, *rules = json_array();
    json_int_t custom = 0, external = 0;

    arena_init(&arena, 0);
    for (uint32_t i = 0; i < world->view_count; i++)
        json_array_append_new(rules, rule_value(world, &world->views[i], &arena));
    for (uint32_t i = 0; i < world->entry_count; i++)
        ++*(world->entries[i].resource ? &custom : &external);
    list =
        json_pack("{s:s, s:s?, s:s, s:o, s:b}", "config", world->config, "source", world->source, "resources",
                  world->resource_list->from, "rules", rules, "resourceRules", world->rules->has_resource);
    if (world->series)
        json_object_update_new(list, json_pack("{s:I, s:I, s:I}", "series", (json_int_t)world->series->count,
                                               "metrics", custom, "externalMetrics", external));
    arena_done(&arena);
    return list;
}
