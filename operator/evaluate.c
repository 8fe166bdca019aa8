/* The command `trimtab evaluate`: its flags, its files, its output. Of what it prints
 * nothing comes from a cluster or from the order of a hash: the same files and --now give the same bytes. */
#include "operator/evaluate.h"
#include "api/types/quantity.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/commands.h"
#include "operator/flags.h"

#include <errno.h>
#include <string.h>

/* Enough for a folder's *.yaml; the list is part of the arguments, which are on the stack. */
enum { FILES_MAX = 1024 };

struct arguments {
    const char *files[FILES_MAX];
    size_t count;
    const char *output;
    struct evaluation e;
};

/* ---- flags ---- */

static bool set_file(const struct flag *flag, void *at, const char *value) {
    struct arguments *a = at;

    (void)flag;
    if (!*value || a->count >= FILES_MAX)
        return false;
    a->files[a->count++] = value;
    return true;
}

/* A pattern after -f is many files once the shell has seen it: those after the first belong to the same -f.
 */
static bool one_more_file(void *arguments, const char *text) {
    struct arguments *a = arguments;

    return a->count > 0 && set_file(NULL, a, text);
}

/* From 1970 on: in the options 0 says that no time was given. */
static bool set_now(const struct flag *flag, void *at, const char *value) {
    usec_t now;

    (void)flag;
    if (clock_parse(value, &now) < 0 || now <= 0)
        return false;
    *(usec_t *)at = now;
    return true;
}

/* A quantity, as behavior's tolerance is one: 100m is 0.1. */
static bool set_tolerance(const struct flag *flag, void *at, const char *value) {
    double tolerance;

    (void)flag;
    if (quantity_parse_double(value, &tolerance, NULL) < 0 || tolerance < 0)
        return false;
    *(double *)at = tolerance;
    return true;
}

#define AT(field) offsetof(struct arguments, field)
#define A_DURATION "a duration such as 30s or 5m"

/* set_file is given the arguments as a whole, hence its 0. Defaults of what a case may bring along are not
 * set here: what was given has to be told from what was not. */
static const struct flag flags[] = {
    {"--filename", "-f", set_file, 0, "FILE",
     "what to decide from; may be repeated, or followed by more files; - is standard input",
     "the name of a file, at most 1024 times,"},
    {"--output", "-o", flag_choice, AT(output), "text|json|yaml", "how to print the results; default text",
     .expected = "text, json or yaml"},
    {"--check", NULL, flag_true, AT(e.check), NULL,
     "compare each recorded case with its expect; exit code 1 on a difference, and where there is nothing "
     "to compare",
     NULL},
    {"--now", NULL, set_now, AT(e.options.now), "TIME",
     "the time of the decision, RFC 3339; default a case's own, else the clock",
     "a time such as 2026-01-01T00:00:00Z"},
    {"--tolerance", NULL, set_tolerance, AT(e.options.tolerance), "NUMBER",
     "how far a metric may be off its target, as a fraction; default a case's own, else 0.1",
     "a number from 0 such as 0.1"},
    {"--cpu-initialization-period", NULL, flag_duration, AT(e.options.cpu_initialization_period), "DURATION",
     "how long after its start a pod's cpu counts only while it is ready; default a case's own, else 5m",
     A_DURATION},
    {"--initial-readiness-delay", NULL, flag_duration, AT(e.options.initial_readiness_delay), "DURATION",
     "a pod that became unready this soon after its start counts as never ready; default a case's own, else "
     "30s",
     A_DURATION},
    {"--downscale-stabilization", NULL, flag_duration, AT(e.options.downscale_stabilization), "DURATION",
     "window of scaleDown where behavior sets none; default a case's own, else 5m", A_DURATION},
};

static const struct flag_command command = {
    .name = "evaluate",
    .usage = "-f FILE... [flags]",
    .about = "Decides offline, from files: Kubernetes objects (YAML or JSON) with an AutoscalingPolicy or\n"
             "a HorizontalPodAutoscaler among them, or recorded cases.",
    .flags = flags,
    .count = sizeof(flags) / sizeof(flags[0]),
    .operand = one_more_file,
    .no_operand = "a file is given with -f, and not as ",
};

/* ---- output ---- */

/* An array where there were several cases. One that failed keeps its place there, as {name, invalid}. */
static void print_results(const struct arguments *a) {
    json_t *value = a->e.cases == 1 ? json_array_get(a->e.results, 0) : a->e.results;

    if (str_eq(a->output, "json")) {
        json_dumpf(value, a->e.out, JSON_INDENT(2) | JSON_ENCODE_ANY | EVALUATE_DIGITS);
        fputs("\n", a->e.out);
    } else {
        evaluate_print_yaml(value, a->e.out);
    }
}

/* The closing line: the one thing that a script reads, so it does not sound well where something is missing.
 */
static void print_check(const struct evaluation *e, unsigned failed) {
    if (e->different)
        fprintf(e->out, "%u of %u differ", e->different, e->compared);
    else if (!e->compared)
        fputs("nothing was compared", e->out);
    else
        fprintf(e->out, "%u case%s agree%s", e->compared, e->compared == 1 ? "" : "s",
                e->compared == 1 ? "s" : "");
    if (failed)
        fprintf(e->out, ", and %u could not be decided", failed);
    fputs("\n", e->out);
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

/* The files outlive the evaluation: places in them are named until the last complaint. */
static int evaluate(struct arguments *a) {
    cleanup_free struct document_file *files = xcalloc(a->count, sizeof(*files));
    struct evaluation *e = &a->e;
    size_t count = 0;

    unsigned failed = read_files(a, files, &count);
    e->results = json_array();
    e->text = str_eq(a->output, "text");
    evaluate_files(e, files, count);
    failed += e->failed;
    if (e->check)
        print_check(e, failed);
    else if (!e->text && e->cases)
        print_results(a);
    json_decref(e->results);
    for (size_t i = 0; i < count; i++)
        documents_done(&files[i]);
    if (fflush(e->out) != 0 || ferror(e->out)) {
        fprintf(stderr, "trimtab: evaluate: the output cannot be written: %s\n", strerror(errno));
        failed++;
    }
    /* A check that compared nothing has not shown that anything agrees. */
    bool unchecked = e->check && !e->compared;
    return failed || e->different || unchecked ? EXIT_REFUSED : EXIT_OK;
}

int command_evaluate(int argc, char **argv) {
    struct arguments a = {.output = "text", .e = {.out = stdout, .complaints = stderr}};

    evaluate_options_init(&a.e.options);
    int code = flags_read(&command, &a, argc, argv);
    if (code >= 0)
        return code;
    return a.count ? evaluate(&a) : flags_wrong(&command, "no file: give one with -f");
}
