/* `trimtab rules --request`: the queries that a path of the metrics APIs comes to, in prometheus-adapter's
 * words. What `run` sends may be wider (one query for all objects of a namespace), with the same answer for
 * each object.
 *
 * A path comes to one query for custom and external metrics, to two for usage (cpu, memory), or to none: then
 * "problem" has the reason, and where the metric is not there at all "why" has what --metric says of it. */
#include "adapter/rulequery.h"
#include "base/str.h"
#include "operator/rules.h"

#include <errno.h>
#include <string.h>

/* As much as the matchers may be in rulequery.c; one that has them several times is told to be too long. */
enum { QUERY_MAX = 4 * 1024 * 1024 };

static const char some_namespace[] = "<namespace>";

static const char no_object[] = "there is no such object, and so no query";

static void set_problem(json_t *answer, const char *text) {
    json_object_set_new(answer, "problem", json_string(text));
}

static void add_query(json_t *answer, const char *name, const struct buf *query) {
    json_t *queries = json_object_get(answer, "queries");

    json_array_append_new(queries, json_pack("{s:s, s:s}", "metric", name, "query", query->data));
}

/* The names of the objects: the path's one, or those that are known for "*". */
static void set_names(struct rulequery *query, const struct rules_request *request) {
    bool one = request->route->name != NULL;

    query->names = one ? &request->route->name : request->names;
    query->name_count = one ? 1 : request->name_count;
}

/* Custom or external, as entry->resource tells. */
static void write_entry(const struct rules_world *world, const struct rules_request *request,
                        const struct registry_entry *entry, json_t *answer) {
    struct rulequery query = {.rule = entry->rule,
                              .series = entry->series,
                              .resources = &world->resources,
                              .ns = request->route->ns,
                              .resource = entry->resource,
                              .metric_selector = &request->route->metric_labels};
    struct err err = {0};
    cleanup_buf struct buf text;

    buf_init(&text, QUERY_MAX);
    set_names(&query, request);
    rules_set_place(world, entry->rule, answer);
    json_object_set_new(answer, "series", json_string(entry->series));
    if (query.resource && query.name_count == 0)
        set_problem(answer, no_object);
    else if (rulequery_write(&query, &text, &err) < 0)
        set_problem(answer, err_text(&err));
    else
        add_query(answer, request->route->metric, &text);
}

static void answer_custom(const struct rules_world *world, const struct rules_request *request,
                          json_t *answer) {
    const struct metrics_route *route = request->route;
    const struct registry_entry *entry =
        registry_find(world->registry, route->resource, route->ns != NULL, route->metric);

    if (entry) {
        write_entry(world, request, entry, answer);
        return;
    }
    /* The resource as in the path: --metric finds it in singular and plural, with and without its group. */
    json_t *name = json_sprintf("%s/%s", route->resource, route->metric);
    json_t *problem = json_sprintf("there is no metric %s %s: the answer is 404", json_string_value(name),
                                   route->ns ? "in namespaces" : "outside of namespaces");
    json_object_set_new(answer, "problem", problem);
    json_object_set_new(answer, "why", rules_report_metric(world, json_string_value(name)));
    json_decref(name);
}

static void answer_external(const struct rules_world *world, const struct rules_request *request,
                            json_t *answer) {
    const struct registry_entry *entry = registry_find_external(world->registry, request->route->metric);

    if (entry) {
        write_entry(world, request, entry, answer);
        return;
    }
    set_problem(answer, "there is no external metric of that name: the answer is 404");
    json_object_set_new(answer, "why", rules_report_metric(world, request->route->metric));
}

/* ---- resourceRules ---- */

static void write_resource(const struct rules_world *world, const struct rules_request *request,
                           const struct resource_rule *rule, const char *name, json_t *answer) {
    bool node = str_eq(request->route->resource, "nodes");
    /* Pods of all namespaces are asked for namespace by namespace. */
    struct rulequery query = {.resources = &world->resources,
                              .ns = node                 ? NULL
                                    : request->route->ns ? request->route->ns
                                                         : some_namespace,
                              .resource =
                                  cluster_resource_find(&world->resources, "", node ? "nodes" : "pods")};
    struct err err = {0};
    cleanup_buf struct buf text;

    buf_init(&text, QUERY_MAX);
    /* resourceRules may have one of the two only. */
    if (!rule->given)
        return;
    set_names(&query, request);
    if (query.name_count == 0)
        set_problem(answer, no_object);
    else if (rulequery_write_resource(rule, &query, node, &text, &err) < 0)
        set_problem(answer, err_text(&err));
    else
        add_query(answer, name, &text);
}

static void answer_resource(const struct rules_world *world, const struct rules_request *request,
                            json_t *answer) {
    if (!world->rules->has_resource) {
        set_problem(answer, "there are no resourceRules: metrics.k8s.io is not answered from Prometheus");
        return;
    }
    write_resource(world, request, &world->rules->cpu, "cpu", answer);
    write_resource(world, request, &world->rules->memory, "memory", answer);
}

json_t *rules_report_request(const struct rules_world *world, const struct rules_request *request) {
    json_t *answer = json_pack("{s:s, s:[]}", "request", request->path, "queries");

    switch (request->route->api) {
    case ROUTE_CUSTOM:
        answer_custom(world, request, answer);
        break;
    case ROUTE_EXTERNAL:
        answer_external(world, request, answer);
        break;
    case ROUTE_RESOURCE:
        answer_resource(world, request, answer);
        break;
    }
    return answer;
}
