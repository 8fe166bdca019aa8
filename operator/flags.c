/* Reading a command's flags from its table. */
#include "operator/flags.h"

#include "base/clock.h"
#include "base/str.h"
#include "operator/commands.h"

#include <stdarg.h>
#include <string.h>

/* ---- setters ---- */

bool flag_text(const struct flag *flag, void *at, const char *value) {
    (void)flag;
    *(const char **)at = value;
    return true;
}

/* The words stand in the table once, for help and for this. */
bool flag_choice(const struct flag *flag, void *at, const char *value) {
    size_t len = strlen(value);

    for (const char *word = flag->argument; word; word = strchr(word, '|')) {
        word += *word == '|';
        if (strcspn(word, "|") == len && strncmp(word, value, len) == 0)
            return flag_text(flag, at, value);
    }
    return false;
}

bool flag_true(const struct flag *flag, void *at, const char *value) {
    (void)flag;
    (void)value;
    *(bool *)at = true;
    return true;
}

bool flag_duration(const struct flag *flag, void *at, const char *value) {
    usec_t duration;

    (void)flag;
    if (clock_parse_duration(value, &duration) < 0 || duration < 0)
        return false;
    *(usec_t *)at = duration;
    return true;
}

/* ---- help and complaints ---- */

static void help(const struct flag_command *c, FILE *out) {
    fprintf(out, "Usage: trimtab %s %s\n\n%s\n\nFlags:\n", c->name, c->usage, c->about);
    for (size_t i = 0; i < c->count; i++) {
        const struct flag *f = &c->flags[i];
        fprintf(out, "  %s%s%s%s%s\n      %s\n", str_or_empty(f->brief), f->brief ? ", " : "", f->name,
                f->argument ? " " : "", str_or_empty(f->argument), f->help);
    }
}

int flags_wrong(const struct flag_command *command, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    fprintf(stderr, "trimtab: %s: ", command->name);
    vfprintf(stderr, format, ap);
    fprintf(stderr, ": see trimtab %s --help\n", command->name);
    va_end(ap);
    return EXIT_USAGE;
}

/* ---- reading ---- */

/* The flag that text begins with, and its value where that is part of the same argument. */
static const struct flag *find(const struct flag_command *c, const char *text, const char **ret_value) {
    size_t len = strcspn(text, "=");

    for (size_t i = 0; i < c->count; i++) {
        const struct flag *f = &c->flags[i];
        if (strlen(f->name) == len && strncmp(text, f->name, len) == 0) {
            *ret_value = text[len] ? text + len + 1 : NULL;
            return f;
        }
        /* -f and its value may be one argument. A long flag does not begin like a brief
         * one, behind whose dash there is a letter. */
        if (f->brief && str_starts(text, f->brief)) {
            const char *rest = text + strlen(f->brief);
            *ret_value = *rest ? rest + (*rest == '=') : NULL;
            return f;
        }
    }
    return NULL;
}

/* The flag at argv[*i]; *i is left on the last argument that it took. */
static int read_flag(const struct flag_command *c, void *arguments, int argc, char **argv, int *i) {
    const char *value = NULL;
    const struct flag *flag = find(c, argv[*i], &value);

    if (!flag)
        return flags_wrong(c, "unknown flag %s", argv[*i]);
    if (!flag->argument && value)
        return flags_wrong(c, "%s takes no value, and \"%s\" is given", flag->name, value);
    /* The value may begin with a dash: "-f -" is standard input. */
    if (flag->argument && !value && ++*i >= argc)
        return flags_wrong(c, "%s: a value is missing (%s)", flag->name, flag->argument);
    if (flag->argument && !value)
        value = argv[*i];
    if (flag->set(flag, (char *)arguments + flag->offset, value))
        return -1;
    return flags_wrong(c, "%s: %s is expected, not \"%s\"", flag->name,
                       flag->expected ? flag->expected : flag->argument, value);
}

int flags_read(const struct flag_command *command, void *arguments, int argc, char **argv) {
    int code = -1;

    for (int i = 0; i < argc; i++)
        /* Before the rest: no mistake beside it shall keep help away. */
        if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h")) {
            help(command, stdout);
            return EXIT_OK;
        }
    for (int i = 0; code < 0 && i < argc; i++) {
        if (argv[i][0] == '-')
            code = read_flag(command, arguments, argc, argv, &i);
        else if (!command->operand || !command->operand(arguments, argv[i]))
            code = flags_wrong(command, "%s%s", command->no_operand, argv[i]);
    }
    return code;
}
