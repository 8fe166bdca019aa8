/* Flags from a table: each way of writing one, and what a wrong one is told. */
#include "base/clock.h"
#include "operator/commands.h"
#include "operator/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct arguments {
    const char *text, *choice, *operand;
    bool yes;
    usec_t duration;
};

#define AT(field) offsetof(struct arguments, field)

static const struct flag flags[] = {
    {"--text", "-t", flag_text, AT(text), "TEXT", "a text", NULL},
    {"--choice", "-c", flag_choice, AT(choice), "one|two", "a choice", "one or two"},
    {"--yes", NULL, flag_true, AT(yes), NULL, "yes", NULL},
    {"--duration", NULL, flag_duration, AT(duration), "DURATION", "a duration", NULL},
};

static bool take_operand(void *arguments, const char *text) {
    struct arguments *a = arguments;

    if (a->operand)
        return false;
    a->operand = text;
    return true;
}

static const struct flag_command command = {
    .name = "try",
    .usage = "THING [flags]",
    .about = "Tries.",
    .flags = flags,
    .count = sizeof(flags) / sizeof(flags[0]),
    .operand = take_operand,
    .no_operand = "one thing, and not also ",
};

/* Reads a line of words; what is printed goes to ret_said. */
static int read_words(const char *line, struct arguments *ret_arguments, char **ret_said) {
    static char words[256];
    char *argv[16], *at = words, *word;
    FILE *out = stdout, *err = stderr;
    size_t len;
    int argc = 0;

    *ret_arguments = (struct arguments){0};
    snprintf(words, sizeof(words), "%s", line);
    while (argc < 16 && (word = strsep(&at, " ")))
        argv[argc++] = word;
    stdout = stderr = open_memstream(ret_said, &len);
    int code = flags_read(&command, ret_arguments, argc, argv);
    fclose(stderr);
    stdout = out;
    stderr = err;
    return code;
}

static void ways_of_writing(void **state) {
    static const char *const lines[] = {
        "--text a --choice two --yes --duration 5m x", "--text=a --choice=two --duration=5m --yes x",
        "x -t a -c two --yes --duration 300s", "-ta -ctwo x --yes --duration 300s",
        "-t=a -c=two --yes x --duration 5m"};
    struct arguments a;
    char *said;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(read_words(lines[i], &a, &said), -1);
        assert_string_equal(said, "");
        assert_string_equal(a.text, "a");
        assert_string_equal(a.choice, "two");
        assert_string_equal(a.operand, "x");
        assert_true(a.yes);
        assert_int_equal(a.duration, 5 * USEC_PER_MIN);
        free(said);
    }
}

static void wrong_ones_are_told(void **state) {
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"--nope", "unknown flag --nope"},
        {"--tex a", "unknown flag --tex"},
        {"--texts a", "unknown flag --texts"},
        {"-", "unknown flag -"},
        {"--text", "--text: a value is missing (TEXT)"},
        {"--yes=1", "--yes takes no value, and \"1\" is given"},
        {"--choice three", "--choice: one or two is expected, not \"three\""},
        {"--choice on", "--choice: one or two is expected, not \"on\""},
        {"-c one|two", "--choice: one or two is expected, not \"one|two\""},
        {"--choice=", "--choice: one or two is expected, not \"\""},
        {"--duration -5m", "--duration: DURATION is expected, not \"-5m\""},
        {"--duration 5", "--duration: DURATION is expected, not \"5\""},
        {"x y", "one thing, and not also y"},
    };
    struct arguments a;
    char *said, want[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_words(cases[i].line, &a, &said), EXIT_USAGE);
        snprintf(want, sizeof(want), "trimtab: try: %s: see trimtab try --help\n", cases[i].said);
        assert_string_equal(said, want);
        free(said);
    }
}

static void help_is_the_table(void **state) {
    struct arguments a;
    char *said;

    (void)state;
    assert_int_equal(read_words("x --nope -h", &a, &said), EXIT_OK);
    assert_string_equal(said, "Usage: trimtab try THING [flags]\n\nTries.\n\nFlags:\n"
                              "  -t, --text TEXT\n      a text\n"
                              "  -c, --choice one|two\n      a choice\n"
                              "  --yes\n      yes\n"
                              "  --duration DURATION\n      a duration\n");
    free(said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_of_writing),
        cmocka_unit_test(wrong_ones_are_told),
        cmocka_unit_test(help_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
