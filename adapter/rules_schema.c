/* The schema of prometheus-adapter's configuration: each part is read, compiled and, where it cannot work,
 * told with what to change.
 *
 * Each read_* takes the place of its part, a chain of such places on the stacks of its callers, and its node,
 * NULL where the file does not have it. None of them fails: a mistake is noted in the reader, and reading
 * goes on with something that is safe to go on with ("", NULL, the default), so that one run tells all
 * mistakes of a file. Whether the outcome may be used is for who reads the whole to say. */
#include "adapter/rules_internal.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { RULES_MAX = 10000, FILTERS_MAX = 100, LABEL_MAX = 4096 };
/* So long that nobody means it, and so short that the sum of all seven units is far from an overflow. */
#define DURATION_MAX (100 * 365 * 24 * USEC_PER_HOUR)

/* Both are over in a moment for people: a mistake is told, and its place is NULL. */
static struct pattern *compile_pattern(struct rules_reader *r, const struct rules_place *at,
                                       const yaml_node_t *node, const char *text) {
    struct pattern *pattern = NULL;
    struct err err = {0};

    if (text && pattern_new(text, &pattern, &err) < 0)
        rules_wrong(r, at, node, "no regular expression of RE2: \"%s\" %s", rules_brief(r, text), err.text);
    return pattern;
}

static struct template *compile_template(struct rules_reader *r, const struct rules_place *at,
                                         const yaml_node_t *node, const char *text) {
    struct template *template = NULL;
    struct err err = {0};

    if (text && template_new(text, &template, &err) < 0)
        rules_wrong(r, at, node, "%s", err.text);
    return template;
}

/* ---- seriesFilters ---- */

static void read_filter(struct rules_reader *r, const struct rules_place *at, yaml_node_t *node,
                        struct rule_filter *filter) {
    static const char *const keys[] = {"is", "isNot", NULL};
    yaml_node_t *value[2] = {NULL, NULL};
    struct rules_place here[2] = {{.up = at, .name = "is"}, {.up = at, .name = "isNot"}};

    rules_fields(r, at, node, keys, value);
    const char *is = rules_text(r, &here[0], value[0]), *is_not = rules_text(r, &here[1], value[1]);
    if (is && is_not)
        rules_wrong(r, at, node, "both is and isNot are given: put one of them into an entry of its own");
    else if (!is && !is_not)
        rules_wrong(r, at, node, "neither is nor isNot is given: add one, or take the entry out");
    filter->negative = !is;
    filter->text = is ? is : str_or_empty(is_not);
    filter->pattern = compile_pattern(r, &here[filter->negative], value[filter->negative], is ? is : is_not);
    filter->words =
        arena_printf(r->arena, "seriesFilters[%zu].%s: %s", at->index, keys[filter->negative], filter->text);
}

static void read_filters(struct rules_reader *r, const struct rules_place *up, yaml_node_t *node,
                         struct rule *rule) {
    const struct rules_place at = {.up = up, .name = "seriesFilters"};
    size_t count = rules_list(r, &at, node, FILTERS_MAX);
    struct rule_filter *filters = count ? ARENA_ARRAY(r->arena, struct rule_filter, count) : NULL;

    rule->filters = filters;
    rule->filter_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const struct rules_place here = {.up = &at, .index = i};
        read_filter(r, &here, yaml_item(&r->doc, node, i), &filters[i]);
    }
}

/* ---- name ---- */

/* The original refuses several groups without an "as", too: it cannot know which one is meant. */
static const char *default_as(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node,
                              const struct rule *rule) {
    unsigned groups = rule->matches ? pattern_groups(rule->matches) : 0;

    if (groups > 1)
        rules_wrong(
            r, at, node,
            "missing: name.matches has %u groups, so say what the name is made of, such as as: \"$1\"",
            groups);
    return groups == 1 ? "$1" : "$0";
}

static void read_name(struct rules_reader *r, const struct rules_place *up, yaml_node_t *node,
                      struct rule *rule) {
    static const char *const keys[] = {"matches", "as", NULL};
    const struct rules_place at = {.up = up, .name = "name"}, matches = {.up = &at, .name = "matches"},
                             as = {.up = &at, .name = "as"};
    yaml_node_t *value[2] = {NULL, NULL};

    rules_fields(r, &at, node, keys, value);
    rule->matches_text = rules_text(r, &matches, value[0]);
    rule->matches = compile_pattern(r, &matches, value[0], rule->matches_text);
    if (rule->matches_text)
        rule->matches_words = ARENA_JOIN(r->arena, "name.matches: ", rule->matches_text);
    rule->as = rules_text(r, &as, value[1]);
    if (!rule->as)
        rule->as = default_as(r, &as, value[0], rule);
}

/* ---- resources ---- */

/* The template is run backwards, too: with groups in the place of its fields it is the expression that finds
 * the resource in a label. resource_labels_new makes it again when the cluster's resources are known; here it
 * is only tried, while there is a line to name. Whether it is good. */
static bool check_label_template(struct rules_reader *r, const struct rules_place *at,
                                 const yaml_node_t *node, const struct template *template) {
    static const struct template_field fields[] = {
        {.name = "Group", .kind = TEMPLATE_STRING, .text = "(?P<group>.+?)"},
        {.name = "Resource", .kind = TEMPLATE_STRING, .text = "(?P<resource>.+?)"},
    };
    struct pattern *pattern = NULL;
    cleanup_buf struct buf text;
    struct err err = {0};
    unsigned before = r->mistake_count;

    buf_init(&text, LABEL_MAX);
    if (template_run(template, fields, 2, &text, &err) < 0)
        rules_wrong(r, at, node, "%s (.Group and .Resource are the fields)", err.text);
    else if (pattern_new(text.data, &pattern, &err) < 0)
        rules_wrong(r, at, node, "labels are found by the regular expression \"%s\", which is none: %s",
                    rules_brief(r, text.data), err.text);
    else if (pattern_group(pattern, "resource") < 0)
        rules_wrong(r, at, node, "<<.Resource>> is not in it, so no label tells a resource");
    pattern_free(pattern);
    return r->mistake_count == before;
}

/* Whether there is such a resource only the cluster can tell, and later: the line is kept for that message,
 * for by then the tree is gone. */
static void read_override(struct rules_reader *r, const struct rules_place *at,
                          const struct rules_entry *entry, struct rule_override *override) {
    static const char *const keys[] = {"group", "resource", NULL};
    const struct rules_place group = {.up = at, .name = "group"}, resource = {.up = at, .name = "resource"};
    yaml_node_t *value[2] = {NULL, NULL};

    rules_fields(r, at, entry->value, keys, value);
    override->label = arena_strdup(r->arena, entry->key);
    override->line = (uint32_t)yaml_line(entry->at);
    override->group = str_or_empty(rules_text(r, &group, value[0]));
    override->resource = rules_text(r, &resource, value[1]);
    /* What is no mapping has been told of by rules_fields. */
    if (!override->resource && (!entry->value || entry->value->type == YAML_MAPPING_NODE))
        rules_wrong(r, &resource, entry->at, "missing: the resource that the label names, such as pod");
    override->resource = str_or_empty(override->resource);
}

static void read_overrides(struct rules_reader *r, const struct rules_place *up, yaml_node_t *node,
                           struct rule_resources *resources) {
    const struct rules_place at = {.up = up, .name = "overrides"};
    const struct rules_entry *entries;
    size_t count = rules_entries(r, &at, node, &entries);
    struct rule_override *overrides = count ? ARENA_ARRAY(r->arena, struct rule_override, count) : NULL;

    for (size_t i = 0; i < count; i++) {
        const struct rules_place here = {.up = &at, .name = entries[i].key};
        read_override(r, &here, &entries[i], &overrides[i]);
    }
    resources->overrides = overrides;
    resources->override_count = (uint32_t)count;
}

static void read_resources(struct rules_reader *r, const struct rules_place *up, yaml_node_t *node,
                           struct rule_resources *resources) {
    static const char *const keys[] = {"template", "overrides", "namespaced", NULL};
    const struct rules_place at = {.up = up, .name = "resources"}, template = {.up = &at, .name = "template"},
                             namespaced = {.up = &at, .name = "namespaced"};
    yaml_node_t *value[3] = {NULL, NULL, NULL};

    rules_fields(r, &at, node, keys, value);
    resources->template_text = rules_text(r, &template, value[0]);
    resources->template = compile_template(r, &template, value[0], resources->template_text);
    if (resources->template && !check_label_template(r, &template, value[0], resources->template)) {
        template_free(resources->template);
        resources->template = NULL;
    }
    read_overrides(r, &at, value[1], resources);
    resources->namespaced = rules_bool(r, &namespaced, value[2], /* preset= */ true);
}

/* ---- rules ---- */

/* A query that must be there. One that is there, and is no scalar, has been told of by rules_text, and is not
 * missing as well. */
static struct template *read_query(struct rules_reader *r, const struct rules_place *at,
                                   const yaml_node_t *node, const yaml_node_t *parent,
                                   const char **ret_text) {
    const char *text = rules_text(r, at, node);

    if (!text && (!node || yaml_text(node)))
        rules_wrong(r, at, node ? node : parent,
                    "missing: the query, such as sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)");
    *ret_text = text;
    return compile_template(r, at, node, text);
}

/* Ours alone: which of several servers has the series. Whether it exists may change any time. */
static const char *read_source(struct rules_reader *r, const struct rules_place *up,
                               const yaml_node_t *node) {
    const struct rules_place at = {.up = up, .name = "source"};

    return rules_text(r, &at, node);
}

static void read_rule(struct rules_reader *r, const struct rules_place *at, yaml_node_t *node,
                      struct rule *rule) {
    enum { SERIES_QUERY, FILTERS, RESOURCES, NAME, QUERY, SOURCE, KEYS };
    static const char *const keys[] = {"seriesQuery",  "seriesFilters", "resources", "name",
                                       "metricsQuery", "source",        NULL};
    const struct rules_place series = {.up = at, .name = "seriesQuery"},
                             query = {.up = at, .name = "metricsQuery"};
    yaml_node_t *value[KEYS] = {NULL};

    rule->line = (uint32_t)yaml_line(node);
    rules_fields(r, at, node, keys, value);
    rule->series_query = rules_text(r, &series, value[SERIES_QUERY]);
    if (!rule->series_query && (!value[SERIES_QUERY] || yaml_text(value[SERIES_QUERY])))
        rules_wrong(r, &series, node,
                    "missing: the series that the rule is for, such as {__name__=~\"^http_.*\"}");
    rule->series_query = str_or_empty(rule->series_query);
    read_filters(r, at, value[FILTERS], rule);
    read_resources(r, at, value[RESOURCES], &rule->resources);
    read_name(r, at, value[NAME], rule);
    rule->query = read_query(r, &query, value[QUERY], node, &rule->query_text);
    rule->source = read_source(r, at, value[SOURCE]);
}

static struct rule *read_rules(struct rules_reader *r, const char *name, yaml_node_t *node,
                               uint32_t *ret_count) {
    const struct rules_place at = {.name = name};
    size_t count = rules_list(r, &at, node, RULES_MAX);
    struct rule *rules = count ? ARENA_ARRAY(r->arena, struct rule, count) : NULL;

    /* Aliases can make each of many rules a large one: what the file as a whole may have ends the list. */
    for (*ret_count = 0; *ret_count < count && r->entries < RULES_ENTRIES_MAX; (*ret_count)++) {
        const struct rules_place here = {.up = &at, .index = *ret_count};
        read_rule(r, &here, yaml_item(&r->doc, node, *ret_count), &rules[*ret_count]);
    }
    return rules;
}

/* ---- resourceRules ---- */

/* The form and the order of units are those of Prometheus' model.ParseDuration, which the original reads
 * window with. */
int rules_parse_duration(const char *text, usec_t *ret_duration) {
    static const struct {
        const char *name;
        usec_t length;
    } units[] = {{"y", 365 * 24 * USEC_PER_HOUR},
                 {"w", 7 * 24 * USEC_PER_HOUR},
                 {"d", 24 * USEC_PER_HOUR},
                 {"h", USEC_PER_HOUR},
                 {"m", USEC_PER_MIN},
                 {"s", USEC_PER_SEC},
                 {"ms", USEC_PER_MSEC}};
    enum { UNITS = sizeof(units) / sizeof(units[0]) };
    bool more = true;
    usec_t sum = 0;

    if (str_eq(text, "0")) {
        *ret_duration = 0;
        return 0;
    }
    /* Each unit at most once, so the next one is searched for behind the last. */
    for (size_t unit = 0; more; unit++) {
        char digits[16] = "", name[3] = "";
        size_t n = strspn(text, "0123456789"), letters = strspn(text + n, "ywdhms");
        int64_t value;
        if (n == 0 || n >= sizeof(digits) || letters == 0 || letters >= sizeof(name))
            return -EINVAL;
        memcpy(digits, text, n);
        memcpy(name, text + n, letters);
        while (unit < UNITS && !str_eq(units[unit].name, name))
            unit++;
        if (unit == UNITS || str_to_i64(digits, &value) < 0 || value > DURATION_MAX / units[unit].length)
            return -EINVAL;
        sum += value * units[unit].length;
        text += n + letters;
        more = *text != '\0';
    }
    *ret_duration = sum;
    return 0;
}

static void read_window(struct rules_reader *r, const struct rules_place *up, const yaml_node_t *node,
                        usec_t *ret_window) {
    const struct rules_place at = {.up = up, .name = "window"};
    const char *text = rules_text(r, &at, node);

    if (node && yaml_text(node) && rules_parse_duration(str_or_empty(text), ret_window) < 0)
        rules_wrong(r, &at, node, "\"%s\" is no duration: write it as Prometheus does, such as 5m or 1h30m",
                    rules_brief(r, str_or_empty(text)));
}

static void read_resource_rule(struct rules_reader *r, const struct rules_place *up, const char *name,
                               yaml_node_t *node, struct resource_rule *rule) {
    enum { CONTAINER_QUERY, NODE_QUERY, RESOURCES, LABEL, SOURCE, KEYS };
    static const char *const keys[] = {"containerQuery", "nodeQuery", "resources",
                                       "containerLabel", "source",    NULL};
    const struct rules_place at = {.up = up, .name = name}, container = {.up = &at, .name = "containerQuery"},
                             per_node = {.up = &at, .name = "nodeQuery"},
                             label = {.up = &at, .name = "containerLabel"};
    yaml_node_t *value[KEYS] = {NULL};
    const char *text;

    rule->given = true;
    rule->line = (uint32_t)yaml_line(node);
    rules_fields(r, &at, node, keys, value);
    rule->container_query = read_query(r, &container, value[CONTAINER_QUERY], node, &text);
    rule->node_query = read_query(r, &per_node, value[NODE_QUERY], node, &text);
    read_resources(r, &at, value[RESOURCES], &rule->resources);
    rule->container_label = str_or_empty(rules_text(r, &label, value[LABEL]));
    rule->source = read_source(r, &at, value[SOURCE]);
}

/* Both parts or none: a pod or node is shown only when both of its values are known. */
static void read_resource_rules(struct rules_reader *r, yaml_node_t *node, struct rules *rules) {
    enum { CPU, MEMORY, WINDOW, KEYS };
    static const char *const keys[] = {"cpu", "memory", "window", NULL};
    const struct rules_place at = {.name = "resourceRules"};
    struct resource_rule *parts[] = {&rules->cpu, &rules->memory};
    yaml_node_t *value[KEYS] = {NULL};

    if (!node)
        return;
    rules->has_resource = true;
    rules_fields(r, &at, node, keys, value);
    for (size_t i = CPU; i <= MEMORY; i++) {
        const struct rules_place part = {.up = &at, .name = keys[i]};
        if (value[i])
            read_resource_rule(r, &at, keys[i], value[i], parts[i]);
        else
            rules_wrong(r, &part, node, "missing: a pod's or node's metrics are cpu and memory, both");
    }
    read_window(r, &at, value[WINDOW], &rules->window);
}

/* What an installation has is a ConfigMap with the configuration in it: that is told, instead of its keys.
 * The pairs are looked at as they are: rules_entries would tell its mistakes here, and again when the keys
 * are read. */
static bool told_configmap(struct rules_reader *r) {
    yaml_node_t *root = yaml_doc_root(&r->doc), *key, *value;

    for (size_t i = 0; yaml_pair(&r->doc, root, i, &key, &value); i++)
        if (str_eq(yaml_text(key), "kind") && str_eq(yaml_text(value), "ConfigMap")) {
            rules_wrong(r, NULL, key,
                        "is a ConfigMap: the configuration is what it has under data, as kubectl get "
                        "configmap NAME -o jsonpath='{.data.config\\.yaml}' prints it");
            return true;
        }
    return false;
}

void rules_read_document(struct rules_reader *r, struct rules *rules) {
    enum { RULES, EXTERNAL, RESOURCE, KEYS };
    static const char *const keys[] = {"rules", "externalRules", "resourceRules", NULL};
    yaml_node_t *value[KEYS] = {NULL};

    if (told_configmap(r))
        return;
    rules_fields(r, NULL, yaml_doc_root(&r->doc), keys, value);
    rules->rules = read_rules(r, keys[RULES], value[RULES], &rules->rule_count);
    rules->external = read_rules(r, keys[EXTERNAL], value[EXTERNAL], &rules->external_count);
    rules->has_rules = rules->rule_count > 0;
    rules->has_external = rules->external_count > 0;
    read_resource_rules(r, value[RESOURCE], rules);
}
