/* The flags of the commands beside `run`: one table a command, read and shown as help from here.
 *
 *   --name VALUE   --name=VALUE   -n VALUE   -nVALUE   -n=VALUE
 *
 * `run` has a table of its own (options.h): its options stand in a file too. */
#ifndef OPERATOR_FLAGS_H
#define OPERATOR_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct flag;
/* Puts the value at the flag's place; false where it is none of the flag's. value lives as long as argv; NULL
 * for a flag without an argument. */
typedef bool flag_fn(const struct flag *flag, void *at, const char *value);

struct flag {
    const char *name, *brief; /* with their dashes; brief "-f" or NULL */
    flag_fn *set;
    size_t offset;        /* of `at`, in what the command reads its arguments into */
    const char *argument; /* how help shows the value; NULL: the flag takes none */
    const char *help;
    const char *expected; /* what a wrong value is told ("a number is expected"); NULL: the argument */
};

struct flag_command {
    const char *name;
    const char *usage; /* after "trimtab NAME " */
    const char *about; /* what it does, as lines of help */
    const struct flag *flags;
    size_t count;
    /* Takes what is no flag; NULL or false: it is one too many. */
    bool (*operand)(void *arguments, const char *text);
    const char *no_operand; /* what is said then; the text follows */
};

/* Reads all of argv into arguments, or prints the help where argv asks for it, or says on standard error what
 * is wrong. -1: go on; else the exit code. */
int flags_read(const struct flag_command *command, void *arguments, int argc, char **argv);
/* Says what is wrong, and where help is; returns the exit code. */
int flags_wrong(const struct flag_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Setters: a text (const char *); one of the words of the argument, "text|json" (const char *); true (bool);
 * a duration that is not negative (usec_t). */
bool flag_text(const struct flag *flag, void *at, const char *value);
bool flag_choice(const struct flag *flag, void *at, const char *value);
bool flag_true(const struct flag *flag, void *at, const char *value);
bool flag_duration(const struct flag *flag, void *at, const char *value);

#endif
