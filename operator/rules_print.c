/* What `trimtab rules` has to say, for people: written from the same values as its JSON, so that the
 * two cannot disagree. A member that is not there reads as "" or 0.
 *
 * What is about a rule begins with FILE:LINE:, as compilers have it, which editors and terminals know to
 * open. */
#include "base/str.h"
#include "operator/rules.h"

#include <string.h>

/* More names of one rule than a screen takes are left to -o json. */
enum { NAMES_SHOWN = 20 };

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static json_int_t number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void print_joined(const json_t *texts, FILE *out) {
    const json_t *text;
    size_t i;

    json_array_foreach(texts, i, text) fprintf(out, "%s%s", i ? ", " : "", json_string_value(text));
}

/* ---- the list ---- */

static void print_name(const json_t *name, FILE *out) {
    json_int_t count = number_of(name, "count");
    const json_t *resources = json_object_get(name, "resources");

    fprintf(out, "  %s (%lld series)", text_of(name, "series"), (long long)count);
    if (json_object_get(name, "dropped")) {
        fprintf(out, ": dropped: %s\n", text_of(name, "dropped"));
        return;
    }
    if (!*text_of(name, "metric")) {
        fprintf(out, ": %s\n", text_of(name, "problem"));
        return;
    }
    fprintf(out, " -> %s", text_of(name, "metric"));
    if (str_eq(json_string_value(json_array_get(resources, 0)), "external")) {
        fputs(" (external)", out);
    } else if (json_array_size(resources)) {
        fputs(" of ", out);
        print_joined(resources, out);
    }
    if (json_object_get(name, "problem"))
        fprintf(out, ", but not to be had: %s", text_of(name, "problem"));
    fputs("\n", out);
}

static void print_names(const json_t *rule, FILE *out) {
    const json_t *names = json_object_get(rule, "names"), *name;
    size_t i, count = json_array_size(names);

    if (count == 0)
        fputs("  no series is selected\n", out);
    json_array_foreach(names, i, name) {
        if (i == NAMES_SHOWN) {
            fprintf(out, "  … and %zu names more (-o json shows them)\n", count - i);
            break;
        }
        print_name(name, out);
    }
}

/* What a rule says, where there are no series to show what it does. */
static void print_terms(const json_t *rule, FILE *out) {
    const json_t *resources = json_object_get(rule, "resources");
    const json_t *name = json_object_get(rule, "name");
    json_t *filter, *value;
    const char *key;
    size_t i;

    json_array_foreach(json_object_get(rule, "seriesFilters"), i, filter)
        json_object_foreach(filter, key, value)
            fprintf(out, "  filter     %s: %s\n", key, json_string_value(value));
    fprintf(out, "  name       %s -> %s\n", text_of(name, "matches"), text_of(name, "as"));
    json_object_foreach(json_object_get(resources, "overrides"), key, value)
        fprintf(out, "  label      %s: %s\n", key, json_string_value(value));
    if (*text_of(resources, "template"))
        fprintf(out, "  label      %s\n", text_of(resources, "template"));
    fprintf(out, "  query      %s\n", text_of(rule, "metricsQuery"));
}

void rules_print_list(const json_t *list, FILE *out) {
    const json_t *rules = json_object_get(list, "rules"), *rule;
    bool source = json_object_get(list, "series") != NULL;
    size_t i;

    json_array_foreach(rules, i, rule) {
        fprintf(out, "%s:%lld: %s: %s\n", text_of(rule, "file"), (long long)number_of(rule, "line"),
                text_of(rule, "rule"), text_of(rule, "seriesQuery"));
        if (source)
            print_names(rule, out);
        else
            print_terms(rule, out);
    }
    fprintf(out, "%zu rule%s%s", json_array_size(rules), json_array_size(rules) == 1 ? "" : "s",
            json_is_true(json_object_get(list, "resourceRules")) ? " and resourceRules" : "");
    if (source)
        fprintf(out, ", %lld series (%s); metrics: %lld custom, %lld external",
                (long long)number_of(list, "series"), text_of(list, "source"),
                (long long)number_of(list, "metrics"), (long long)number_of(list, "externalMetrics"));
    fprintf(out, "\nresources: %s\n", text_of(list, "resources"));
}

/* ---- a metric ---- */

static void print_reasons(const json_t *metric, FILE *out) {
    const json_t *reason;
    size_t i;

    json_array_foreach(json_object_get(metric, "reasons"), i, reason)
        fprintf(out, "  %s:%lld: %s: %s\n", text_of(reason, "file"), (long long)number_of(reason, "line"),
                text_of(reason, "rule"), text_of(reason, "message"));
    if (json_object_get(metric, "problem"))
        fprintf(out, "  %s\n", text_of(metric, "problem"));
    if (json_object_get(metric, "similar")) {
        fputs("  series with similar names: ", out);
        print_joined(json_object_get(metric, "similar"), out);
        fputs("\n", out);
    }
}

void rules_print_metric(const json_t *metric, FILE *out) {
    const json_t *place;
    size_t i;

    if (!json_is_true(json_object_get(metric, "found"))) {
        fprintf(out, "%s is not there:\n", text_of(metric, "metric"));
        print_reasons(metric, out);
        return;
    }
    fprintf(out, "%s is there:\n", text_of(metric, "metric"));
    json_array_foreach(json_object_get(metric, "places"), i, place) {
        fprintf(out, "  %s, from %s by %s:%lld: %s\n    %s\n", text_of(place, "resource"),
                text_of(place, "series"), text_of(place, "file"), (long long)number_of(place, "line"),
                text_of(place, "rule"), text_of(place, "path"));
        if (json_object_get(place, "obstacle"))
            fprintf(out, "    but: %s\n", text_of(place, "obstacle"));
        if (json_object_get(place, "unknown"))
            fprintf(out, "    not known: %s\n", text_of(place, "unknown"));
    }
}

/* ---- a request ---- */

/* The query stands alone on its line, without blanks before it, to be taken into Prometheus' own page. */
void rules_print_request(const json_t *request, FILE *out) {
    const json_t *query, *why = json_object_get(request, "why");
    size_t i;

    json_array_foreach(json_object_get(request, "queries"), i, query)
        fprintf(out, "%s\n", text_of(query, "query"));
    if (json_object_get(request, "problem"))
        fprintf(out, "no query: %s\n", text_of(request, "problem"));
    if (json_object_get(request, "rule"))
        fprintf(out, "  from %s by %s:%lld: %s\n", text_of(request, "series"), text_of(request, "file"),
                (long long)number_of(request, "line"), text_of(request, "rule"));
    if (why)
        rules_print_metric(why, out);
}
