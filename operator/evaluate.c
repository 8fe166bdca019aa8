/* The command `trimtab evaluate`: its flags, its files, its output. */
#include "operator/evaluate.h"
#include "api/types/quantity.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/commands.h"

#include <string.h>

enum { FILES_MAX = 1024 };

struct arguments {
    const char *files[FILES_MAX];
    size_t count;
    const char *output;
    struct evaluation e;
};

/* Each sets one flag from its value; false: that is none. */
typedef bool set_fn(struct arguments *a, const char *value);

static bool set_file(struct arguments *a, const char *value) {
    if (a->count >= FILES_MAX)
        return false;
    a->files[a->count++] = value;
    return true;
}

static bool set_output(struct arguments *a, const char *value) {
    a->output = value;
    return str_eq(value, "text") || str_eq(value, "json") || str_eq(value, "yaml");
}

/* A flag that is given wins over what a case brings along, so it is noted that it was. */
static bool set_now(struct arguments *a, const char *value) {
    return clock_parse(value, &a->e.options.now) == 0;
}

static bool set_tolerance(struct arguments *a, const char *value) {
    a->e.options.given_tolerance = true;
    return quantity_parse_double(value, &a->e.options.flags.tolerance, NULL) == 0 &&
           a->e.options.flags.tolerance >= 0;
}

static bool set_duration(const char *value, usec_t *ret_duration, bool *given) {
    *given = true;
    return clock_parse_duration(value, ret_duration) == 0 && *ret_duration >= 0;
}

static bool set_downscale(struct arguments *a, const char *value) {
    struct evaluate_options *o = &a->e.options;

    return set_duration(value, &o->flags.downscale_stabilization, &o->given_downscale);
}

static bool set_initialization(struct arguments *a, const char *value) {
    struct evaluate_options *o = &a->e.options;

    return set_duration(value, &o->flags.cpu_initialization_period, &o->given_initialization);
}

static bool set_readiness(struct arguments *a, const char *value) {
    struct evaluate_options *o = &a->e.options;

    return set_duration(value, &o->flags.initial_readiness_delay, &o->given_readiness);
}

static bool set_check(struct arguments *a, const char *value) {
    a->e.check = true;
    return value == NULL;
}

static const struct flag {
    const char *name, *brief; /* with their dashes */
    set_fn *set;
    const char *argument, *help; /* argument NULL: takes none */
} flags[] = {
    {"--filename", "-f", set_file, "FILE", "what to decide from; may be repeated; - is standard input"},
    {"--output", "-o", set_output, "text|json|yaml", "how to print the results; default text"},
    {"--check", NULL, set_check, NULL,
     "compare each recorded case with its expect; exit code 1 on a difference"},
    {"--now", NULL, set_now, "TIME",
     "the time of the decision, RFC 3339; default a case's own, else the clock"},
    {"--tolerance", NULL, set_tolerance, "NUMBER",
     "how far a metric may be off its target, as a fraction; default a case's own, else 0.1"},
    {"--cpu-initialization-period", NULL, set_initialization, "DURATION",
     "how long a pod's first cpu samples may not count; default a case's own, else 5m"},
    {"--initial-readiness-delay", NULL, set_readiness, "DURATION",
     "how long after its start a pod may become ready for the first time; default a case's own, else 30s"},
    {"--downscale-stabilization", NULL, set_downscale, "DURATION",
     "how long the highest recommendation holds; default a case's own, else 5m"},
};

static void help(FILE *out) {
    fprintf(out, "Usage: trimtab evaluate -f FILE... [flags]\n\nDecides offline, from files: Kubernetes "
                 "objects (YAML or JSON) with an AutoscalingPolicy or\na HorizontalPodAutoscaler among them, "
                 "or recorded cases.\n\nFlags:\n");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        fprintf(out, "  %s%s%s%s%s\n      %s\n", flags[i].brief ? flags[i].brief : "",
                flags[i].brief ? ", " : "", flags[i].name, flags[i].argument ? " " : "",
                str_or_empty(flags[i].argument), flags[i].help);
}

/* ---- reading the flags ---- */

/* The flag that text is, with or without "=value". */
static const struct flag *find_flag(const char *text, const char **ret_value) {
    size_t len = strcspn(text, "=");

    *ret_value = text[len] == '=' ? text + len + 1 : NULL;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if ((strlen(flags[i].name) == len && strncmp(text, flags[i].name, len) == 0) ||
            str_eq(text, flags[i].brief))
            return &flags[i];
    return NULL;
}

static int wrong_usage(const char *what, const char *which) {
    fprintf(stderr, "trimtab: evaluate: %s%s: see trimtab evaluate --help\n", what, which);
    return EXIT_USAGE;
}

static int read_flag(struct arguments *a, int argc, char **argv, int *i) {
    const char *value;
    const struct flag *flag = find_flag(argv[*i], &value);

    if (!flag)
        return wrong_usage("unknown argument ", argv[*i]);
    if (flag->argument && !value && ++*i >= argc)
        return wrong_usage("no value for ", flag->name);
    if (flag->argument && !value)
        value = argv[*i];
    if (flag->set(a, value))
        return EXIT_OK;
    fprintf(stderr, "trimtab: evaluate: %s: %s is expected, not \"%s\"\n", flag->name,
            flag->argument ? flag->argument : "no value", value);
    return EXIT_USAGE;
}

static int read_flags(struct arguments *a, int argc, char **argv) {
    int code = EXIT_OK;

    for (int i = 0; code == EXIT_OK && i < argc; i++)
        code = read_flag(a, argc, argv, &i);
    if (code == EXIT_OK && a->count == 0)
        return wrong_usage("no file: give one with -f", "");
    return code;
}

/* ---- output ---- */

/* An array where there were several cases. */
static void print_results(const struct arguments *a) {
    json_t *value = a->e.cases == 1 ? json_array_get(a->e.results, 0) : a->e.results;

    if (str_eq(a->output, "json")) {
        json_dumpf(value, a->e.out, JSON_INDENT(2) | JSON_ENCODE_ANY);
        fputs("\n", a->e.out);
    } else {
        evaluate_print_yaml(value, a->e.out);
    }
}

/* The closing line: the one thing that a script reads. */
static void print_check(const struct evaluation *e) {
    if (e->different)
        fprintf(e->out, "%u of %u differ\n", e->different, e->compared);
    else
        fprintf(e->out, "%u case%s agree%s\n", e->compared, e->compared == 1 ? "" : "s",
                e->compared == 1 ? "s" : "");
}

/* A file that cannot be read does not keep the others from being done. */
static unsigned read_files(const struct arguments *a, struct document_file *ret_files, size_t *ret_count) {
    unsigned failed = 0;

    for (size_t i = 0; i < a->count; i++) {
        struct err err = {0};
        if (documents_read(a->files[i], &ret_files[*ret_count], &err) == 0) {
            (*ret_count)++;
        } else {
            fprintf(stderr, "%s\n", err_text(&err));
            failed++;
        }
    }
    return failed;
}

static int evaluate(struct arguments *a) {
    cleanup_free struct document_file *files = xcalloc(a->count, sizeof(*files));
    struct evaluation *e = &a->e;
    size_t count = 0;

    unsigned failed = read_files(a, files, &count);
    e->results = json_array();
    e->text = str_eq(a->output, "text");
    evaluate_files(e, files, count);
    if (e->check)
        print_check(e);
    else if (!e->text && e->cases)
        print_results(a);
    json_decref(e->results);
    for (size_t i = 0; i < count; i++)
        documents_done(&files[i]);
    return failed || e->failed || e->different ? EXIT_REFUSED : EXIT_OK;
}

int command_evaluate(int argc, char **argv) {
    struct arguments a = {.output = "text"};

    for (int i = 0; i < argc; i++)
        if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h")) {
            help(stdout);
            return EXIT_OK;
        }
    a.e = (struct evaluation){.out = stdout, .complaints = stderr};
    a.e.options.flags = (struct decide_flags){.tolerance = 0.1,
                                              .downscale_stabilization = 5 * USEC_PER_MIN,
                                              .cpu_initialization_period = 5 * USEC_PER_MIN,
                                              .initial_readiness_delay = 30 * USEC_PER_SEC};
    /* The defaults are those of HPA's controller. */
    int code = read_flags(&a, argc, argv);
    return code == EXIT_OK ? evaluate(&a) : code;
}
