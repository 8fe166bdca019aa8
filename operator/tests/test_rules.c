/* `trimtab rules` without the asking: the recorded cases of prometheus-adapter, whose queries must come out
 * the same, and what is told to people, in data/rules: each case names files of data/rules-files. */
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECTS_MAX = 64 };

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

/* ---- one world ---- */

struct fixture {
    char *complaints;
    size_t complaints_len;
    FILE *complaints_file;
    struct rules *rules;
    struct resource_list resources;
    struct series_list series;
    struct rules_world world;
};

static void complain(void *arg, const struct err *err) {
    struct fixture *x = arg;

    fprintf(x->complaints_file, "%s\n", err_text(err));
}

static void begin(struct fixture *x) {
    *x = (struct fixture){0};
    x->complaints_file = open_memstream(&x->complaints, &x->complaints_len);
    resource_list_init(&x->resources);
    series_list_init(&x->series);
}

/* target: labels of the scrape as an object; resources: a document, or NULL for Kubernetes' own. */
static int build(struct fixture *x, const char *config, const char *series, json_t *target,
                 const json_t *resources) {
    struct series_label labels[8];
    struct series added = {"", 0, labels};
    const char *name;
    const json_t *value;
    struct err err = {0};

    json_object_foreach(target, name, value) labels[added.label_count++] =
        (struct series_label){name, json_string_value(value)};
    int ret = rules_check("config.yaml", config, strlen(config), complain, x, &x->rules);
    if (!resources) {
        resource_list_add_own(&x->resources);
        resource_list_guess(&x->resources, x->rules, "config.yaml", complain, x);
    } else if (resource_list_add(&x->resources, resources, &err) < 0) {
        fail_msg("%s", err.text);
    }
    if (series && series_list_add_scrape(&x->series, "series.prom", series, strlen(series), &added, &err) < 0)
        fail_msg("%s", err.text);
    series_list_sort(&x->series);
    x->world = (struct rules_world){.config = "config.yaml",
                                    .rules = x->rules,
                                    .bad = ret < 0,
                                    .resource_list = &x->resources,
                                    .series = series ? &x->series : NULL,
                                    .source = series ? "series.prom" : NULL};
    ret = rules_world_init(&x->world, complain, x);
    if (ret == 0)
        rules_world_take(&x->world);
    return ret;
}

static void end(struct fixture *x) {
    rules_world_done(&x->world);
    series_list_done(&x->series);
    resource_list_done(&x->resources);
    rules_free(x->rules);
    fclose(x->complaints_file);
    free(x->complaints);
}

/* ---- the recorded cases ---- */

static json_t *cluster;

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of a resource with several versions every object is there once for each. */
static bool is_of(const json_t *object, const struct cluster_resource *resource) {
    const char *version = text_of(object, "groupVersion");
    size_t len = strlen(resource->group);

    if (!str_eq(text_of(object, "resource"), resource->plural) || strncmp(version, resource->group, len) != 0)
        return false;
    version += len + (len > 0 && version[len] == '/');
    return str_eq(version, resource->version);
}

/* The objects that "*" stands for, as an apiserver lists them. */
static uint32_t find_names(const struct fixture *x, const struct metrics_route *route, const char **names) {
    const struct cluster_resource *resource =
        route->resource ? cluster_resource_find(&x->world.resources, NULL, route->resource) : NULL;
    const json_t *object;
    uint32_t count = 0;
    size_t i;

    json_array_foreach(json_object_get(cluster, "objects"), i, object) {
        struct labels *labels = xcalloc(1, sizeof(*labels) + 16 * sizeof(struct label));
        const char *key;
        const json_t *value;
        json_object_foreach(json_object_get(object, "labels"), key, value) labels->items[labels->count++] =
            (struct label){key, json_string_value(value)};
        bool fits = resource && is_of(object, resource) &&
                    (!route->ns || str_eq(route->ns, text_of(object, "namespace"))) &&
                    selector_matches(&route->labels, labels);
        if (fits && count < OBJECTS_MAX)
            names[count++] = text_of(object, "name");
        free(labels);
    }
    qsort(names, count, sizeof(*names), compare_texts);
    return count;
}

/* What is asked for must be what was sent; where nothing was sent, there is no query. */
static void check_answer(const struct fixture *x, const json_t *answer) {
    const json_t *sent = json_object_get(answer, "promql");
    const char *names[OBJECTS_MAX];
    cleanup_arena struct arena arena;
    struct metrics_route route;

    arena_init(&arena, 0);
    if (metrics_route_read(text_of(answer, "path"), &arena, &route, NULL) < 0) {
        assert_int_equal(json_array_size(sent), 0);
        return;
    }
    struct rules_request request = {text_of(answer, "path"), &route, names, find_names(x, &route, names)};
    json_t *value = rules_report_request(&x->world, &request);
    const json_t *queries = json_object_get(value, "queries"), *query;
    size_t i;
    json_array_foreach(queries, i, query) {
        const char *want = str_or_empty(json_string_value(json_array_get(sent, i)));
        if (json_array_size(sent) && !str_eq(text_of(query, "query"), want))
            fail_msg("%s:\n  %s\nnot\n  %s", request.path, text_of(query, "query"), want);
    }
    if (json_array_size(queries) < json_array_size(sent))
        fail_msg("%s: no query: %s", request.path, text_of(value, "problem"));
    json_decref(value);
}

static void check_recorded(const struct test_case *c) {
    json_t *target = json_pack("{s:s, s:s}", "instance", "target", "job", "vec");
    bool starts = json_is_true(json_object_get(c->in, "started"));
    const json_t *answer;
    struct fixture x;
    size_t i;

    begin(&x);
    int ret = build(&x, text_of(c->in, "config"), text_of(c->in, "exposition"), target, cluster);
    fflush(x.complaints_file);
    if (starts == (ret < 0))
        fail_msg("%s", ret < 0 ? x.complaints : "the configuration was taken");
    /* Where it is refused, the file and a line are named. */
    if (ret < 0)
        assert_true(strncmp(x.complaints, "config.yaml:", 12) == 0 && x.complaints[12] >= '1');
    json_array_foreach(json_object_get(c->in, "answers"), i, answer) {
        if (ret == 0)
            check_answer(&x, answer);
    }
    end(&x);
    json_decref(target);
}

static void add_recorded(struct test_cases *cases) {
    DIR *dir = opendir(ADAPTER_CASES);

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        cleanup_free char *path = xasprintf("%s/%s", ADAPTER_CASES, e->d_name);
        if (*e->d_name >= '0' && *e->d_name <= '9')
            cases_add(cases, e->d_name, cases_read(path), NULL);
    }
    closedir(dir);
}

/* ---- what is told ---- */

/* The whole file; owned by the caller. */
static char *read_file(const char *name) {
    cleanup_free char *path = xasprintf("%s/rules-files/%s", TEST_DATA_DIR, name);
    char *text = NULL;
    size_t len;
    struct err err = {0};

    if (documents_read_text(path, &text, &len, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static void print_request(const struct fixture *x, const json_t *in, FILE *out) {
    static const char *const names[] = {"<name>", "…"};
    struct metrics_route route;
    cleanup_arena struct arena arena;
    struct err err = {0};

    arena_init(&arena, 0);
    if (metrics_route_read(text_of(in, "request"), &arena, &route, &err) < 0)
        fail_msg("%s", err.text);
    bool none = json_is_true(json_object_get(in, "noObjects"));
    json_t *value = rules_report_request(
        &x->world, &(struct rules_request){text_of(in, "request"), &route, names, none ? 0 : 2});
    rules_print_request(value, out);
    json_decref(value);
}

static void print_answer(const struct fixture *x, const json_t *in, FILE *out) {
    if (json_object_get(in, "request")) {
        print_request(x, in, out);
        return;
    }
    bool metric = json_object_get(in, "metric") != NULL;
    json_t *value =
        metric ? rules_report_metric(&x->world, text_of(in, "metric")) : rules_report_list(&x->world);
    (metric ? rules_print_metric : rules_print_list)(value, out);
    json_decref(value);
}

/* A text as an array of its lines. */
static json_t *lines_of(const char *text) {
    json_t *lines = json_array();

    while (*text) {
        size_t len = strcspn(text, "\n");
        json_array_append_new(lines, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return lines;
}

static void check_told(const struct test_case *c) {
    cleanup_free char *config = read_file(text_of(c->in, "config"));
    cleanup_free char *series = json_object_get(c->in, "series") ? read_file(text_of(c->in, "series")) : NULL;
    cleanup_free char *out = NULL;
    size_t len;
    FILE *file = open_memstream(&out, &len);
    struct fixture x;

    begin(&x);
    if (build(&x, config, series, json_object_get(c->in, "target"),
              json_is_true(json_object_get(c->in, "cluster")) ? cluster : NULL) == 0)
        print_answer(&x, c->in, file);
    fclose(file);
    fflush(x.complaints_file);
    json_t *got = json_pack("{s:o, s:o}", "out", lines_of(out), "complaints", lines_of(x.complaints));
    assert_json_has(c->want, got);
    json_decref(got);
    end(&x);
}

int main(void) {
    struct test_cases recorded = {0};

    cluster = cases_read(ADAPTER_CASES "/cluster.json");
    add_recorded(&recorded);
    int failed = cases_run("recorded", &recorded, check_recorded);
    failed += cases_run_dir("told", TEST_DATA_DIR "/rules", check_told);
    json_decref(cluster);
    return failed;
}
