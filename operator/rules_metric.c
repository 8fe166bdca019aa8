/* `trimtab rules --metric`: where a metric is, or for each rule how far the series came that should have made
 * it. The steps of that way, as they stand in "step":
 *
 *   otherName    seriesQuery is about series of another name
 *   notSelected  a matcher of seriesQuery on a label does not hold
 *   dropped      seriesFilters, or name.matches, do not take the name
 *   noName       name.as makes an empty text of it
 *   renamed      it becomes a metric, but another one
 *   overwritten, external, noResource, noLabel   it becomes this one, but not of what was asked for
 *
 * Of a name that has nothing to do with the metric no rule is asked: there would be as many reasons as
 * series. A name has to do with it where it is the same, or where a rule would give it the metric's name. */
#include "base/str.h"
#include "operator/rules.h"

#include <string.h>

enum { TEXT_MAX = 64 * 1024, SERIES_TEXT_MAX = 300, SIMILAR_MAX = 3 };

/* What is looked for: the resource may be left open. */
struct wanted {
    const struct rules_world *world;
    const char *metric;
    const char *resource_text; /* as asked; NULL: any */
    const struct cluster_resource *resource;
    bool seen; /* there are series that concern it */
    struct arena arena;
    json_t *answer;
};

/* A label's name has no slash, and a metric's seldom: what stands before the first one is a resource. */
static void wanted_init(struct wanted *w, const struct rules_world *world, const char *metric) {
    const char *slash = strchr(metric, '/');

    *w = (struct wanted){.world = world, .metric = slash ? slash + 1 : metric};
    arena_init(&w->arena, 0);
    if (slash) {
        w->resource_text = arena_strndup(&w->arena, metric, (size_t)(slash - metric));
        w->resource = cluster_resource_find(&world->resources, NULL, w->resource_text);
    }
}

/* ---- where it is ---- */

/* A path that asks for the entry, with <…> for what is open. v1beta2, as the HPA controller asks where both
 * are served. */
static const char *path_of(struct wanted *w, const struct registry_entry *entry) {
    if (!entry->resource)
        return ARENA_JOIN(&w->arena, "/apis/external.metrics.k8s.io/v1beta1/namespaces/<namespace>/",
                          entry->metric);
    const char *resource = resource_name(entry->resource, &w->arena);
    if (str_eq(resource, "namespaces"))
        return ARENA_JOIN(&w->arena, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/<namespace>/metrics/",
                          entry->metric);
    return ARENA_JOIN(&w->arena, "/apis/custom.metrics.k8s.io/v1beta2/",
                      entry->namespaced ? "namespaces/<namespace>/" : "", resource, "/<name>/",
                      entry->metric);
}

static void add_place(struct wanted *w, const struct registry_entry *entry) {
    bool fits = !w->resource_text || (entry->resource && entry->resource == w->resource);

    if (!str_eq(entry->metric, w->metric) || !fits)
        return;
    const char *resource = entry->resource ? resource_name(entry->resource, &w->arena) : "external";
    json_t *place = json_pack("{s:s, s:s, s:s, s:s}", "resource", resource, "metric", entry->metric, "path",
                              path_of(w, entry), "series", entry->series);
    rules_set_place(w->world, entry->rule, place);
    json_array_append_new(json_object_get(w->answer, "places"), place);
}

/* ---- why it is not ---- */

/* A name.as without $ gives every series the same name, which says nothing of this one. */
static bool makes(const struct rule *rule, const char *series, const char *metric) {
    cleanup_buf struct buf name;

    buf_init(&name, TEXT_MAX);
    if (strchr(rule->as, '$') && rule_takes_name(rule, series, NULL))
        rule_metric_name(rule, series, &name);
    return name.len && strcmp(name.data, metric) == 0;
}

bool rules_concerns(const struct rules *rules, const char *metric, const char *series) {
    const char *slash = strchr(metric, '/');
    bool concerns;

    metric = slash ? slash + 1 : metric;
    concerns = str_eq(metric, series);
    for (uint32_t i = 0; !concerns && i < rules->rule_count; i++)
        concerns = makes(&rules->rules[i], series, metric);
    for (uint32_t i = 0; !concerns && i < rules->external_count; i++)
        concerns = makes(&rules->external[i], series, metric);
    return concerns;
}

/* What a rule makes of a series' name; "" where it does not take it. In the arena. */
static const char *name_under(struct wanted *w, const struct rule *rule, const char *series,
                              const char **ret_why) {
    cleanup_buf struct buf name;

    buf_init(&name, TEXT_MAX);
    if (!rule_takes_name(rule, series, ret_why))
        return "";
    rule_metric_name(rule, series, &name);
    return arena_strdup(&w->arena, name.data);
}

/* A series as text, cut where it is long. */
static const char *series_text(struct wanted *w, const struct series *series) {
    cleanup_buf struct buf text;

    buf_init(&text, TEXT_MAX);
    series_write(series, &text);
    if (text.len <= SERIES_TEXT_MAX)
        return arena_strdup(&w->arena, text.data);
    char *cut = arena_strndup(&w->arena, text.data, SERIES_TEXT_MAX);
    str_trim_utf8(cut);
    return ARENA_JOIN(&w->arena, cut, "…");
}

/* "pod: no such resource in the cluster; job: …" of the labels that stand for no resource, or for others. */
static const char *labels_text(struct wanted *w, const struct rule_view *view, const struct series *series) {
    cleanup_buf struct buf text;

    buf_init(&text, TEXT_MAX);
    for (uint32_t i = 0; i < series->label_count; i++) {
        const char *label = series->labels[i].name, *why = "";
        const struct cluster_resource *found =
            registry_label_resource(w->world->registry, view->index, label, &why);
        buf_printf(&text, "%s%s: %s%s", i ? "; " : "", label, found ? "stands for " : "",
                   found ? resource_name(found, &w->arena) : why);
    }
    return text.len ? arena_strdup(&w->arena, text.data) : "it has no labels at all";
}

/* How far a name came under a rule; the series is the one that came farthest. */
struct verdict {
    const char *step;
    const char *text;
};

static struct verdict judge_labels(struct wanted *w, const struct rule_view *view,
                                   const struct series *series) {
    const struct registry_entry *other =
        w->resource_text ? NULL : registry_find_external(w->world->registry, w->metric);

    if (view->external && other)
        return (struct verdict){"overwritten", arena_printf(&w->arena, "%s, which comes later, has the name",
                                                            rules_view_of(w->world, other->rule)->name)};
    if (view->external)
        return (struct verdict){
            "external", arena_printf(&w->arena, "%s is an external metric, and of no resource", w->metric)};
    if (w->resource_text && !w->resource)
        return (struct verdict){
            "noResource", arena_printf(&w->arena, "the cluster has no resource \"%s\"", w->resource_text)};
    return (struct verdict){"noLabel", arena_printf(&w->arena, "no label of %s stands for %s (%s)",
                                                    series_text(w, series),
                                                    w->resource_text ? w->resource_text : "a resource",
                                                    labels_text(w, view, series))};
}

/* series: of the name, selected by the rule where there is such a one; unmet: the matcher that it does not
 * fulfil, else NULL. */
static struct verdict judge(struct wanted *w, const struct rule_view *view, const struct series *series,
                            const char *unmet) {
    const char *why = "";
    const char *name = name_under(w, view->rule, series->name, &why);

    /* In the order of the way: of a name that is neither selected nor let through by the filters, seriesQuery
     * is to be mended first. A matcher without an operator is the selector's name. */
    if (unmet && !strpbrk(unmet, "=~"))
        return (struct verdict){"otherName", arena_printf(&w->arena, "seriesQuery selects %s, and not %s",
                                                          unmet, series_text(w, series))};
    if (unmet)
        return (struct verdict){str_starts(unmet, "__name__") ? "otherName" : "notSelected",
                                arena_printf(&w->arena, "seriesQuery does not select %s: %s does not hold",
                                             series_text(w, series), unmet)};
    if (!*name && *why)
        return (struct verdict){"dropped", arena_printf(&w->arena, "%s is dropped: %s", series->name, why)};
    if (!*name)
        return (struct verdict){"noName",
                                arena_printf(&w->arena, "the name of %s comes out empty", series->name)};
    if (!str_eq(name, w->metric))
        return (struct verdict){"renamed", arena_printf(&w->arena, "%s becomes %s", series->name, name)};
    return judge_labels(w, view, series);
}

/* The series of this name that came farthest, from its first one at. It is looked for to the end of the list:
 * in the order of Prometheus a label before __name__, as one in upper case, keeps series of a name apart. */
static const struct series *best_series(const struct rules_world *world, const struct rule_view *view,
                                        uint32_t at, const char **ret_unmet) {
    const struct series *all = world->series->items, *best = &all[at];
    const char *name = best->name;

    seriesselector_matches(view->selector, best, ret_unmet);
    for (uint32_t i = at; *ret_unmet && i < world->series->count; i++) {
        const char *unmet = NULL;
        if (str_eq(all[i].name, name) && seriesselector_matches(view->selector, &all[i], &unmet)) {
            best = &all[i];
            *ret_unmet = NULL;
        }
    }
    return best;
}

static void add_reason(struct wanted *w, const struct rule_view *view, const char *series,
                       const struct verdict *verdict) {
    json_t *value =
        json_pack("{s:s, s:s, s:s}", "series", series, "step", verdict->step, "message", verdict->text);

    rules_set_place(w->world, view->rule, value);
    json_array_append_new(json_object_get(w->answer, "reasons"), value);
}

/* What each rule has to say of the name whose first series is at; false: it has nothing to do with the
 * metric. */
static bool judge_name(struct wanted *w, uint32_t at) {
    const char *name = w->world->series->items[at].name;
    bool same = str_eq(name, w->metric), concerned = same;

    for (uint32_t i = 0; i < w->world->view_count; i++) {
        const struct rule_view *view = &w->world->views[i];
        const char *why, *unmet = NULL;
        if (!same && !str_eq(name_under(w, view->rule, name, &why), w->metric))
            continue;
        const struct series *series = best_series(w->world, view, at, &unmet);
        struct verdict verdict = judge(w, view, series, unmet);
        /* Where the rule would rename it to what is looked for, it was perhaps meant. */
        bool meant = !same && makes(view->rule, name, w->metric);
        if (str_eq(verdict.step, "otherName") && !meant)
            continue;
        add_reason(w, view, name, &verdict);
        concerned = true;
    }
    w->seen = w->seen || concerned;
    return concerned;
}

/* Names that hold the one looked for, or are held by it. */
static bool is_similar(const char *name, const char *metric) {
    return *name && (strstr(name, metric) || strstr(metric, name));
}

/* Calls judge_name for the first series of each name; similar names are kept for whoever finds nothing. */
static json_t *judge_names(struct wanted *w) {
    const struct series_list *list = w->world->series;
    cleanup_map struct map seen;
    json_t *similar = json_array();

    map_init(&seen);
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name;
        if (map_put(&seen, name, w))
            continue;
        if (!judge_name(w, i) && json_array_size(similar) < SIMILAR_MAX && is_similar(name, w->metric))
            json_array_append_new(similar, json_string(name));
    }
    return similar;
}

static const char *problem_of(const struct wanted *w) {
    if (!w->world->view_count)
        return "the configuration has no rules";
    if (w->seen)
        return "there are series of that name, but no rule's seriesQuery selects any";
    return "there is no series of that name, and none that a rule would give it";
}

static void explain(struct wanted *w) {
    json_t *similar = judge_names(w);

    if (json_array_size(json_object_get(w->answer, "reasons")) == 0)
        json_object_set_new(w->answer, "problem", json_string(problem_of(w)));
    if (json_array_size(similar))
        json_object_set(w->answer, "similar", similar);
    json_decref(similar);
}

json_t *rules_report_metric(const struct rules_world *world, const char *metric) {
    struct wanted w;

    wanted_init(&w, world, metric);
    w.answer = json_pack("{s:s, s:b, s:[], s:[]}", "metric", metric, "found", 0, "places", "reasons");
    for (uint32_t i = 0; i < world->entry_count; i++)
        add_place(&w, &world->entries[i]);
    if (json_array_size(json_object_get(w.answer, "places")))
        json_object_set_new(w.answer, "found", json_true());
    else
        explain(&w);
    arena_done(&w.arena);
    return w.answer;
}
