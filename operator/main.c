/* trimtab: one binary, a command as its first argument. Exit codes: 0 done; 1 the input or the cluster says
 * no; 2 wrong usage. */
#include "base/str.h"
#include "operator/app.h"
#include "operator/commands.h"
#include "operator/version.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

/* Looked for before anything is read: help is to be had with wrong arguments too, and most of all then. */
static bool wants_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
            return true;
    return false;
}

static int complain(const struct err *err, int code) {
    fprintf(stderr, "trimtab: %s\n", err_text(err));
    return code;
}

/* Flags win over the file, so they are read twice: to find the file, and after it. The first time into
 * options of their own: a list adds to what the same origin gave, so that each of its items would be there
 * twice. */
static int read_options(struct options *options, int argc, char **argv, struct err *err) {
    struct options flags;

    options_init(&flags);
    int ret = options_parse_flags(&flags, argc, argv, err);
    if (ret < 0) {
        options_done(&flags);
        return EXIT_USAGE;
    }
    ret = flags.config ? options_load_file(options, flags.config, err) : 0;
    options_done(&flags);
    if (ret < 0)
        return EXIT_REFUSED;
    return options_parse_flags(options, argc, argv, err) < 0 ? EXIT_USAGE : EXIT_OK;
}

static int run_with(struct options *options, int argc, char **argv) {
    enum log_level level;
    enum log_format format;
    struct err err = {0};

    int code = read_options(options, argc, argv, &err);
    if (code)
        return complain(&err, code);
    if (log_parse_level(options->log_level, &level) == 0 &&
        log_parse_format(options->log_format, &format) == 0)
        log_setup(level, format);
    /* Up to here nothing is logged: who gave a wrong option is told so on standard error, as by any
     * command. */
    log_info(NULL, "trimtab %s", TRIMTAB_VERSION);
    for (uint32_t i = 0; i < options->ignored.count; i++)
        log_warn(NULL, "--%s means nothing here and is ignored", options->ignored.items[i]);
    if (app_run(options, &err) < 0)
        return complain(&err, EXIT_REFUSED);
    return EXIT_OK;
}

static int command_run(int argc, char **argv) {
    struct options options;

    if (wants_help(argc, argv)) {
        printf("Usage: trimtab run [flags]\n\nRuns the operator: follows policies and scales their "
               "targets.\n\nFlags:\n");
        options_help(stdout);
        return EXIT_OK;
    }
    options_init(&options);
    int code = run_with(&options, argc, argv);
    options_done(&options);
    return code;
}

static int command_version(int argc, char **argv) {
    if (wants_help(argc, argv)) {
        printf("Usage: trimtab version [-o json]\n\nPrints the version.\n");
        return EXIT_OK;
    }
    if (argc == 2 && str_eq(argv[0], "-o") && str_eq(argv[1], "json")) {
        printf("{\"version\":\"%s\"}\n", TRIMTAB_VERSION);
        return EXIT_OK;
    }
    if (argc) {
        fprintf(stderr, "trimtab: version takes nothing or -o json\n");
        return EXIT_USAGE;
    }
    printf("trimtab %s\n", TRIMTAB_VERSION);
    return EXIT_OK;
}

/* In the order of help: what most people need first. */
static const struct command commands[] = {
    {"run", "run the operator", command_run},
    {"evaluate", "decide offline, from files", command_evaluate},
    {"explain", "show why a policy scaled, or did not", command_explain},
    {"rules", "show what prometheus-adapter's rules make of a Prometheus' series", command_rules},
    {"version", "print the version (-o json for machines)", command_version},
};

static void usage(FILE *out) {
    fprintf(out, "trimtab keeps Kubernetes workloads at the size their load asks for.\n\nUsage: trimtab "
                 "COMMAND [flags]\n\nCommands:\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\ntrimtab COMMAND --help tells more.\n");
}

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_eq(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name) {
    fprintf(stderr, "trimtab: unknown command \"%s\": see trimtab --help\n", name);
    return EXIT_USAGE;
}

/* "help NAME" is "NAME --help". */
static int help(const char *name) {
    const struct command *command = find_command(name);
    char flag[] = "--help", *argv[] = {flag, NULL};

    if (!name) {
        usage(stdout);
        return EXIT_OK;
    }
    return command ? command->run(1, argv) : unknown_command(name);
}

int main(int argc, char **argv) {
    /* A peer may close its end while an answer is on its way: whoever sends it is then told by EPIPE. The
     * signal would end the process. */
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 1); /* curl looks names up in threads; a heap for each is memory for nothing */
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find_command(argv[1]);
    if (command)
        return command->run(argc - 2, argv + 2);
    if (wants_help(1, argv + 1))
        return help(NULL);
    return str_eq(argv[1], "help") ? help(argv[2]) : unknown_command(argv[1]);
}
