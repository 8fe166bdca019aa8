/* The query of resourceRules for some pods or nodes: widened where that is sound, so that everybody shares
 * it, else with the names spelled out, as prometheus-adapter sends it.
 *
 * There are three forms of a question for pods. Widened to its namespace alone it has no names in it. Widened
 * to all namespaces as well, the cache may ask for all of them at once and give this namespace its part.
 * Where the request itself is about all namespaces, that widest form is the question, and the only one. */
#include "adapter/resourcerules_internal.h"

#include "adapter/widen.h"
#include "base/str.h"
#include <errno.h>

/* Of a query with all names in it: twice what the matchers may have (rulequery.c), which a template may well
 * write more than once. */
static const size_t QUERY_MAX = (size_t)8 << 20;

/* The label that stands for a resource, in arena; -ENOENT. */
static int label_of(const struct rulequery *query, const struct resource_rule *rule, const char *plural,
                    struct arena *arena, const char **ret_label) {
    const struct cluster_resource *resource = cluster_resource_find(query->resources, "", plural);
    cleanup_buf struct buf out;

    buf_init(&out, 4096);
    int ret = resource ? rule_label(&rule->resources, query->resources, resource, &out) : -ENOENT;
    if (ret == 0)
        *ret_label = arena_strdup(arena, out.data ? out.data : "");
    return ret;
}

static int write_text(const struct resource_rule *rule, const struct rulequery *query, struct buf *out,
                      struct err *err) {
    buf_reset(out);
    return rulequery_write_resource(rule, query, /* node= */ query->ns == NULL, out, err);
}

/* Tries a query for the first object alone: what can be widened does not name it any more. */
static int write_widened(const struct resource_rule *rule, const struct rulequery *query, struct arena *arena,
                         struct resource_question *question) {
    const struct widen_labels labels = {.object = question->label, .ns = question->ns_label};
    struct rulequery one = *query;
    cleanup_buf struct buf rendered, objects, namespaces;

    buf_init(&rendered, WIDEN_QUERY_MAX);
    buf_init(&objects, QUERY_MAX);
    buf_init(&namespaces, QUERY_MAX);
    one.name_count = 1;
    int ret = write_text(rule, &one, &rendered, NULL);
    if (ret < 0)
        return ret;
    if (widen_query(rendered.data, &labels, WIDEN_OBJECTS, &objects) != WIDEN_OBJECTS)
        return -ENOTSUP;
    question->query.text = arena_strdup(arena, objects.data);
    if (!query->ns || widen_query(rendered.data, &labels, WIDEN_NAMESPACES, &namespaces) != WIDEN_NAMESPACES)
        return 0;
    question->query.wide = arena_strdup(arena, namespaces.data);
    question->query.ns_label = question->ns_label;
    question->query.ns = query->ns;
    return 0;
}

static int write_named(const struct resource_rule *rule, const struct rulequery *query, struct arena *arena,
                       struct resource_question *question, struct err *err) {
    cleanup_buf struct buf text;

    buf_init(&text, QUERY_MAX);
    int ret = write_text(rule, query, &text, err);
    if (ret == 0)
        question->query.text = arena_strdup(arena, text.data);
    return ret;
}

static int find_labels(const struct resource_rule *rule, const struct rulequery *query, struct arena *arena,
                       struct resource_question *question) {
    bool pods = query->ns;
    int ret = label_of(query, rule, pods ? "pods" : "nodes", arena, &question->label);

    if (ret < 0 || !pods)
        return ret;
    /* "" where the rule has none: all samples of a pod are then one container without a name. */
    question->container_label = arena_strdup(arena, str_or_empty(rule->container_label));
    return label_of(query, rule, "namespaces", arena, &question->ns_label);
}

int resource_question_write(const struct ruleset *ruleset, const struct resource_group *group,
                            enum resource_of of, struct arena *arena, struct resource_question *ret_question,
                            struct err *err) {
    const struct rules *rules = ruleset_rules(ruleset);
    struct rulequery query = {.resources = ruleset_resources(ruleset),
                              .ns = group->ns,
                              .name_count = group->count,
                              .names = group->names};
    struct resource_question question = {.of = of, .ns = group->ns};

    if (!rules || !rules->has_resource)
        return err_set(err, -ENOENT, "the rules in force have no resourceRules");
    const struct resource_rule *rule = of == OF_CPU ? &rules->cpu : &rules->memory;
    query.resource = cluster_resource_find(query.resources, "", group->ns ? "pods" : "nodes");
    if (!rule->given || !query.resource || find_labels(rule, &query, arena, &question) < 0)
        return err_set(err, -ENOENT, "resourceRules: no label stands for what is asked for");
    question.source = rule->source;
    /* Why it could not be widened is no error: written by name, the template fails again and tells. */
    if (write_widened(rule, &query, arena, &question) < 0) {
        int ret = write_named(rule, &query, arena, &question, err);
        if (ret < 0)
            return ret;
    }
    if (group->all && question.query.wide)
        question.query = (struct querycache_query){.text = question.query.wide};
    else
        question.ns_label = NULL; /* all of its answer, or of its part of one, is of this namespace */
    *ret_question = question;
    return 0;
}
