/* The command `trimtab rules`: its flags, where it takes series and resources from, and what it answers.
 *
 * One run goes from what costs nothing to what costs most, and stops at the first thing that is wrong there:
 * the flags; the file, read whole, so that all its mistakes are told at once; the resources, which overrides
 * and templates are held against; then the series, which may be a million; and last the question. What
 * belongs to a run is in struct session and freed at its end, however far it has come: what was not made is
 * zero.
 *
 * Standard output has the answer alone. What is wrong, and what is only noted, goes to standard error. */
#include "operator/rules.h"

#include "base/mem.h"
#include "base/str.h"
#include "operator/commands.h"
#include "operator/evaluate.h"
#include "operator/flags.h"
#include "operator/options.h"
#include "operator/rules_ask.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* A command is run by hand against servers of any size: its bounds are wider than the operator's. A hundred
 * thousand series of ten labels are 23 MB of JSON. */
enum { LABELS_MAX = 64, NAMES_MAX = 5000, RESPONSE_MAX = 64 * 1024 * 1024 };

/* Stands for the objects' names where nothing tells them. There are two, since a request for "*" nearly
 * always finds several: then the matcher is =~ and not =. */
static const char *const some_names[] = {"<name>", "…"};

struct arguments {
    const char *config, *exposition, *resources, *output, *request, *metric;
    bool cluster;
    usec_t max_age;
    struct series target; /* --label */
    struct series_label labels[LABELS_MAX];
    const char **names; /* --names; NULL: not given */
    uint32_t name_count;
    struct arena arena;
    struct options options; /* for what it has in common with run */
};

/* ---- the flags ---- */

/* Once: prometheus-adapter takes one file, and two would be two sets of rules. */
static bool set_config(const struct flag *flag, void *at, const char *value) {
    struct arguments *a = at;
    bool first = !a->config;

    (void)flag;
    a->config = value;
    return first;
}

static bool set_label(const struct flag *flag, void *at, const char *value) {
    struct arguments *a = at;
    const char *equals = strchr(value, '=');

    (void)flag;
    if (!equals || equals == value || a->target.label_count == LABELS_MAX)
        return false;
    a->labels[a->target.label_count++] =
        (struct series_label){arena_strndup(&a->arena, value, (size_t)(equals - value)), equals + 1};
    return true;
}

/* "NAME" or "RESOURCE/NAME"; a name that is empty would be that of every series that a rule drops. */
static bool set_metric(const struct flag *flag, void *at, const char *value) {
    const char *slash = strchr(value, '/');
    const char *name = slash ? slash + 1 : value;

    return *name && slash != value && flag_text(flag, at, value);
}

/* "a,b,c" */
static bool set_names(const struct flag *flag, void *at, const char *value) {
    struct arguments *a = at;

    (void)flag;
    a->names = ARENA_ARRAY(&a->arena, const char *, NAMES_MAX);
    a->name_count = 0;
    while (*value && a->name_count < NAMES_MAX) {
        size_t len = strcspn(value, ",");
        a->names[a->name_count++] = arena_strndup(&a->arena, value, len);
        value += len + (value[len] == ',');
    }
    return *value == '\0';
}

/* No time at all would be a list of no series. */
static bool set_max_age(const struct flag *flag, void *at, const char *value) {
    return flag_duration(flag, at, value) && *(usec_t *)at > 0;
}

/* A flag of run, by its own table. The message is dropped: flags_read tells what is expected. */
static bool set_shared(const struct flag *flag, void *at, const char *value) {
    struct arguments *a = at;

    return options_set(&a->options, option_by_name(flag->name + 2), value, flag->name, NULL) == 0;
}

#define AT(field) offsetof(struct arguments, field)

static const struct flag own_flags[] = {
    {"--filename", "-f", set_config, 0, "CONFIG",
     "the configuration of prometheus-adapter; - is standard input", "one file"},
    {"--exposition", NULL, flag_text, AT(exposition), "FILE",
     "take the series from a scrape's text (curl http://TARGET/metrics)", NULL},
    {"--label", NULL, set_label, 0, "NAME=VALUE",
     "a label that Prometheus gives the series of that scrape, such as namespace=shop; may be repeated",
     NULL},
    {"--metrics-max-age", NULL, set_max_age, AT(max_age), "DURATION",
     "with --prometheus-url: count series that were there within this time; default 10m",
     "a duration such as 10m"},
    {"--resources", NULL, flag_text, AT(resources), "FILE",
     "custom resources, as kubectl get --raw /apis/GROUP/VERSION prints them", NULL},
    {"--cluster", NULL, flag_true, AT(cluster), NULL,
     "ask the cluster of the kubeconfig's context for resources, and for the objects of a request", NULL},
    {"--request", NULL, flag_text, AT(request), "PATH",
     "show the query of this path, /apis/custom.metrics.k8s.io/…", NULL},
    {"--names", NULL, set_names, 0, "A,B", "the objects that * stands for in --request", NULL},
    {"--metric", NULL, set_metric, AT(metric), "NAME",
     "tell where this metric is (http_requests, pods/http_requests), or why it is not there", NULL},
    {"--output", "-o", flag_choice, AT(output), "text|json|yaml", "how to print the answer; default text",
     "text, json or yaml"},
};
enum { OWN_FLAGS = sizeof(own_flags) / sizeof(own_flags[0]) };

/* Those of run that ask a Prometheus or find a cluster. How often, and how many at once, is not asked here:
 * one request follows the other. */
static bool is_shared(const char *name) {
    return str_eq(name, "kubeconfig") || str_eq(name, "context") ||
           (str_starts(name, "prometheus-") && !str_eq(name, "prometheus-interval") &&
            !str_eq(name, "prometheus-max-concurrent"));
}

/* Its own flags, and behind them those that it has in common with run. */
static struct flag_command command_of(struct arena *arena) {
    struct flag *all = ARENA_ARRAY(arena, struct flag, OWN_FLAGS + option_count);
    size_t count = OWN_FLAGS;

    memcpy(all, own_flags, sizeof(own_flags));
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (is_shared(o->name))
            all[count++] = (struct flag){.name = arena_printf(arena, "--%s", o->name),
                                         .set = set_shared,
                                         .argument = o->argument ? o->argument : o->values,
                                         .help = o->help};
    }
    return (struct flag_command){
        .name = "rules",
        .usage = "-f CONFIG [flags]",
        .about =
            "Checks a configuration of prometheus-adapter and shows which series become which metrics,\n"
            "the query of a request, and why a metric is not there. Without series it only checks the file.",
        .flags = all,
        .count = count,
        .no_operand = "a configuration is given with -f, and not as "};
}

/* A question about series cannot be answered without any; of resourceRules nothing depends on them. */
static bool needs_series(const struct arguments *a) {
    return a->metric || (a->request && !str_starts(a->request, "/apis/metrics.k8s.io/"));
}

static const char *misused(const struct arguments *a) {
    bool prometheus = a->options.prometheus_url != NULL;

    if (!a->config)
        return "no configuration: give one with -f";
    if (a->exposition && prometheus)
        return "--exposition and --prometheus-url: give one of the two";
    if (a->request && a->metric)
        return "--request and --metric: give one of the two";
    return needs_series(a) && !a->exposition && !prometheus
               ? "no series: give --exposition or --prometheus-url"
               : NULL;
}

/* -1: go on; else the exit code. */
static int read_flags(struct arguments *a, int argc, char **argv) {
    struct flag_command command = command_of(&a->arena);
    int code = flags_read(&command, a, argc, argv);
    const char *wrong = code < 0 ? misused(a) : NULL;

    return wrong ? flags_wrong(&command, "%s", wrong) : code;
}

/* ---- what is asked ---- */

/* number is the place in the order in which they were found: qsort keeps none. */
struct mistake {
    size_t number;
    unsigned long line;
    char *text;
};

/* One run of the command. */
struct session {
    struct arguments *a;
    struct mistake *mistakes; /* in the file, until they are told */
    size_t mistake_count;
    struct rules *rules;
    struct resource_list resources;
    struct series_list series;
    struct rules_world world;
    struct asker *asker; /* NULL until something is asked */
};

/* Everything that is wrong goes to standard error, one line each. */
static void complain(void *arg, const struct err *err) {
    (void)arg;
    fprintf(stderr, "%s\n", err_text(err));
}

static int refuse(const struct err *err) {
    complain(NULL, err);
    return EXIT_REFUSED;
}

/* What is wrong with the file is found in several rounds (its keys, its overrides, its selectors and labels),
 * and told in the order of its lines. One without "FILE:LINE: " would come first. */
static void note_mistake(void *arg, const struct err *err) {
    struct session *s = arg;
    const char *text = err_text(err);
    size_t name = strlen(s->world.config);
    bool placed = strncmp(text, s->world.config, name) == 0 && text[name] == ':';

    s->mistakes = xrealloc(s->mistakes, (s->mistake_count + 1) * sizeof(*s->mistakes));
    s->mistakes[s->mistake_count] =
        (struct mistake){s->mistake_count, placed ? strtoul(text + name + 1, NULL, 10) : 0, xstrdup(text)};
    s->mistake_count++;
}

static int compare_mistakes(const void *a, const void *b) {
    const struct mistake *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static void tell_mistakes(struct session *s) {
    if (s->mistake_count)
        qsort(s->mistakes, s->mistake_count, sizeof(*s->mistakes), compare_mistakes);
    for (size_t i = 0; i < s->mistake_count; i++) {
        fprintf(stderr, "%s\n", s->mistakes[i].text);
        free(s->mistakes[i].text);
    }
    free(s->mistakes);
    s->mistakes = NULL;
    s->mistake_count = 0;
}

/* The loop and its sockets, when something is asked of a server first: a mere check of a file needs none. */
static int need_asker(struct session *s, struct err *err) {
    return s->asker ? 0 : asker_new(&s->asker, err);
}

static bool wants_cluster(const struct arguments *a) {
    return a->cluster || a->options.kubeconfig || a->options.context;
}

static int read_config(struct session *s) {
    cleanup_free char *text = NULL;
    size_t len;
    struct err err = {0};

    if (documents_read_text(s->a->config, &text, &len, &err) < 0)
        return refuse(&err);
    /* A bad file goes on all the same: what has been read is enough to look for more that is wrong. */
    s->world.bad = rules_check(s->world.config, text, len, note_mistake, s, &s->rules) < 0;
    s->world.rules = s->rules;
    return EXIT_OK;
}

static int read_resource_file(struct session *s, struct err *err) {
    struct document_file file;
    const json_t *document;
    size_t i;

    int ret = documents_read(s->a->resources, &file, err);
    if (ret < 0)
        return ret;
    resource_list_add_own(&s->resources);
    s->resources.from = arena_printf(&s->a->arena, "Kubernetes' own and those of %s", s->a->resources);
    json_array_foreach(file.documents, i, document) {
        if (ret == 0)
            ret = resource_list_add(&s->resources, document, err);
    }
    if (ret < 0)
        ret = err_wrap(err, "%s", s->a->resources);
    documents_done(&file);
    return ret;
}

/* The cluster is found first even where a file tells the resources: a request's objects are asked of it, and
 * a wrong context should be told before anything long is done. */
static int find_resources(struct session *s, struct err *err) {
    const struct options *o = &s->a->options;
    int ret = 0;

    if (wants_cluster(s->a)) {
        ret = need_asker(s, err);
        if (ret == 0)
            ret = asker_use_cluster(s->asker, o->kubeconfig, o->context, err);
    }
    if (ret < 0)
        return ret;
    if (s->a->resources)
        return read_resource_file(s, err);
    if (wants_cluster(s->a))
        return rules_ask_resources(s->asker, &s->resources, complain, NULL, err);
    resource_list_add_own(&s->resources);
    resource_list_guess(&s->resources, s->rules, s->world.config, note_mistake, s);
    return 0;
}

/* ---- series ---- */

static int read_exposition(struct session *s, struct err *err) {
    cleanup_free char *text = NULL;
    size_t len;

    int ret = documents_read_text(s->a->exposition, &text, &len, err);
    if (ret < 0)
        return ret;
    return series_list_add_scrape(&s->series, s->a->exposition, text, len, &s->a->target, err);
}

/* The operator reads a list of series as it arrives; here an answer is kept whole until it is read. */
static int open_endpoint(struct session *s, struct prom_endpoint *endpoint, struct err *err) {
    struct prometheus_options p = options_prometheus(&s->a->options, &s->a->arena);

    p.max_response = RESPONSE_MAX;
    return prom_endpoint_init(endpoint, &p, err);
}

/* One server is asked for all rules, whatever "source" says in them: the addresses of others are in the
 * cluster. The documentation says so. */
static int ask_prometheus(struct session *s, struct err *err) {
    struct prom_endpoint endpoint = {0};
    struct rules_prometheus p = {.endpoint = &endpoint, .start = clock_wall() - s->a->max_age};

    int ret = need_asker(s, err);
    if (ret == 0)
        ret = open_endpoint(s, &endpoint, err);
    if (ret < 0)
        return ret;
    p.asker = s->asker;
    s->world.source = arena_strdup(&s->a->arena, endpoint.base.url); /* without its password */
    ret = rules_ask_series(&p, s->rules, s->world.config, &s->series, err);
    /* Why a metric is not there is often to be seen in series that no rule asks for. */
    if (ret == 0 && s->a->metric)
        ret = rules_ask_concerned(&p, s->rules, s->a->metric, &s->series, err);
    prom_endpoint_done(&endpoint);
    return ret;
}

static int find_series(struct session *s, struct err *err) {
    struct rules_world *w = &s->world;
    int ret = 0;

    w->source = s->a->exposition;
    if (s->a->exposition)
        ret = read_exposition(s, err);
    else if (s->a->options.prometheus_url)
        ret = ask_prometheus(s, err);
    else
        return 0;
    /* Of two series that make one metric the later one wins, in the original too. Neither a scrape nor the
     * answers to several selectors come in the order of one answer of Prometheus. */
    series_list_sort(&s->series);
    w->series = &s->series;
    return ret;
}

/* ---- answers ---- */

/* The pods of all namespaces are asked for namespace by namespace: the names of all belong into no query. */
static bool is_of_all_pods(const struct metrics_route *route) {
    return route->api == ROUTE_RESOURCE && !route->ns && str_eq(route->resource, "pods");
}

/* The objects behind "*": as given, of the cluster, or a placeholder. */
static int find_names(struct session *s, struct rules_request *request, struct err *err) {
    const struct metrics_route *route = request->route;
    const struct cluster_resource *resource =
        route->resource ? cluster_resource_find(&s->world.resources, NULL, route->resource) : NULL;

    request->names = some_names;
    request->name_count = sizeof(some_names) / sizeof(some_names[0]);
    if (s->a->names) {
        request->names = s->a->names;
        request->name_count = s->a->name_count;
    } else if (!route->name && resource && wants_cluster(s->a) && !is_of_all_pods(route)) {
        return rules_ask_names(s->asker, resource, request, &s->a->arena, err);
    }
    return 0;
}

static int answer_request(struct session *s, json_t **ret_answer, struct err *err) {
    struct metrics_route route;
    struct rules_request request = {.path = s->a->request, .route = &route};

    int ret = metrics_route_read(s->a->request, &s->a->arena, &route, err);
    if (ret == 0)
        ret = find_names(s, &request, err);
    if (ret == 0)
        *ret_answer = rules_report_request(&s->world, &request);
    return ret < 0 ? err_wrap(err, "%s", s->a->request) : 0;
}

/* A metric that is there, but not to be had in the cluster. */
static bool has_obstacle(const json_t *answer) {
    const json_t *place;
    size_t i;

    json_array_foreach(json_object_get(answer, "places"), i, place) {
        if (json_object_get(place, "obstacle"))
            return true;
    }
    return false;
}

/* The exit code is for scripts, which ask whether a metric is there: "no" is 1, as for grep. */
static int print(const struct arguments *a, json_t *answer) {
    bool bad = json_object_get(answer, "problem") || json_is_false(json_object_get(answer, "found")) ||
               has_obstacle(answer);

    if (str_eq(a->output, "json")) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        fputs("\n", stdout);
    } else if (str_eq(a->output, "yaml")) {
        evaluate_print_yaml(answer, stdout);
    } else if (a->request) {
        rules_print_request(answer, stdout);
    } else if (a->metric) {
        rules_print_metric(answer, stdout);
    } else {
        rules_print_list(answer, stdout);
    }
    return bad ? EXIT_REFUSED : EXIT_OK;
}

static int answer(struct session *s) {
    struct err err = {0};
    json_t *value = NULL;

    if (find_resources(s, &err) < 0)
        return refuse(&err);
    int ret = rules_world_init(&s->world, note_mistake, s);
    tell_mistakes(s); /* before servers are waited for */
    if (ret < 0)
        return EXIT_REFUSED;
    if (find_series(s, &err) < 0)
        return refuse(&err);
    rules_world_take(&s->world);
    if (s->a->request && answer_request(s, &value, &err) < 0)
        return refuse(&err);
    if (!value)
        value = s->a->metric ? rules_report_metric(&s->world, s->a->metric) : rules_report_list(&s->world);
    if (s->a->metric && wants_cluster(s->a))
        rules_ask_access(s->asker, value);
    int code = print(s->a, value);
    json_decref(value);
    return code;
}

static int run(struct arguments *a) {
    struct session s = {.a = a};

    resource_list_init(&s.resources);
    series_list_init(&s.series);
    s.world.config = str_eq(a->config, "-") ? "stdin" : a->config;
    s.world.resource_list = &s.resources;
    int code = read_config(&s);
    if (code == EXIT_OK)
        code = answer(&s);
    tell_mistakes(&s);
    rules_world_done(&s.world);
    series_list_done(&s.series);
    resource_list_done(&s.resources);
    rules_free(s.rules);
    asker_free(s.asker);
    return code;
}

int command_rules(int argc, char **argv) {
    /* 10m: how long prometheus-adapter counts a series that has ended, if its flags do not say another
     * time (its --metrics-max-age is its --metrics-relist-interval, which is 10m). run lists more often,
     * but here the question is mostly what that one makes of it. */
    struct arguments a = {.output = "text", .max_age = 10 * USEC_PER_MIN};

    arena_init(&a.arena, 0);
    options_init(&a.options);
    a.target = (struct series){"", 0, a.labels};
    int code = read_flags(&a, argc, argv);
    if (code < 0)
        code = run(&a);
    options_done(&a.options);
    arena_done(&a.arena);
    return code;
}
