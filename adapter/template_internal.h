/* The inside of templates: tokens, the tree, and values. The text goes through template_lex.c and
 * template_parse.c once; template_run.c, with the functions of template_funcs.c and the values of
 * template_value.c, runs the tree. */
#ifndef ADAPTER_TEMPLATE_INTERNAL_H
#define ADAPTER_TEMPLATE_INTERNAL_H

#include "adapter/template.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    TEMPLATE_TOKENS_MAX = 20000,
    TEMPLATE_DEPTH_MAX = 64, /* of blocks and parentheses in each other */
    TEMPLATE_VARIABLES_MAX = 32,
    TEMPLATE_ARGUMENTS_MAX = 16,           /* of a command, the function counted */
    TEMPLATE_STEPS_MAX = 200000,           /* of one run */
    TEMPLATE_MEMORY_MAX = 4 * 1024 * 1024, /* for what a run makes on its way */
    TEMPLATE_VALUE_TEXT_MAX = 1024 * 1024, /* of one text that a function makes */
};

/* ---- tokens ---- */

enum token_kind {
    TOKEN_END,
    TOKEN_TEXT, /* between actions */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_WORD, /* a keyword, a function, true, false, nil */
    TOKEN_FIELD,
    TOKEN_DOT,
    TOKEN_VARIABLE,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_DECLARE,
    TOKEN_ASSIGN,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
};

struct token {
    enum token_kind kind;
    bool spaced; /* a blank is before it */
    uint32_t at; /* offset in the text */
    const char *
        text; /* of a TEXT, WORD, FIELD (without the dot), VARIABLE (with the $) or STRING (without quotes) */
    int64_t number;
};

struct tokens {
    struct token *items; /* ends with TOKEN_END */
    size_t count, cap;
};

/* Takes text apart; what tokens need is in arena, the list itself is the caller's to free. */
int template_lex(const char *text, struct arena *arena, struct tokens *ret_tokens, struct err *err);
/* -EINVAL with "line 1, column 5: " before the words. */
int template_refuse(const char *text, uint32_t at, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- values ---- */

enum value_kind {
    VALUE_NONE, /* nil, or a key that a map does not have */
    VALUE_BOOL,
    VALUE_INT,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_ROOT, /* what the template is run with */
};

struct value {
    enum value_kind kind;
    union {
        bool truth;
        int64_t number;
        const char *text;
        const struct template_field *field; /* of a LIST or MAP */
    };
};

/* Go's name of the type, for its messages. */
const char *value_type(const struct value *v);
bool value_is_true(const struct value *v);
/* Appends it as Go prints it: 0, or -E2BIG. */
int value_print(const struct value *v, struct buf *out);

/* ---- the tree; all of it in the template's arena ---- */

enum operand_kind { OPERAND_VALUE, OPERAND_DOT, OPERAND_VARIABLE, OPERAND_FUNCTION, OPERAND_PIPELINE };

struct function;

/* A term, and the fields that are taken of it: .A.B is dot and two names. */
struct operand {
    enum operand_kind kind;
    uint32_t at, field_count;
    const char *const *fields;
    union {
        struct value value;
        uint32_t slot; /* of a variable */
        const struct function *function;
        const struct pipeline *pipeline;
    };
};

struct command {
    const struct command *next;
    uint32_t count;
    const struct operand *operands;
};

struct pipeline {
    const struct command *first;   /* its result is the last argument of the next */
    uint32_t slot_count, slots[2]; /* variables that are set */
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE, NODE_BREAK, NODE_CONTINUE };

struct node {
    struct node *next;
    enum node_kind kind;
    uint32_t at;
    const char *text;
    struct pipeline *pipeline;
    struct node *body, *otherwise;
};

struct template {
    struct arena arena;
    const char *text;
    struct node *first;
};

int template_parse(struct template *t, const struct tokens *tokens, struct err *err);
/* A pipeline up to its end, which is stepped over: TOKEN_CLOSE or TOKEN_RIGHT_PAREN. context is for messages.
 */
struct parser {
    struct template *t;
    const struct token *at;
    struct err *err;
    unsigned depth, ranges;
    uint32_t variable_count;
    const char *variables[TEMPLATE_VARIABLES_MAX]; /* by slot; slot 0 is "$" */
};
int template_parse_pipeline(struct parser *p, const char *context, enum token_kind end,
                            struct pipeline **ret_pipeline);
int template_parse_refuse(const struct parser *p, const struct token *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The words for a token in a message; in the parser's arena, or static. */
const char *template_token_name(const struct parser *p, const struct token *token);

/* ---- running ---- */

struct run {
    const struct template *t;
    struct arena *arena;
    struct buf *out;
    struct err *err;
    unsigned steps;
    const struct template_field *fields;
    uint32_t field_count;
    struct value slots[TEMPLATE_VARIABLES_MAX];
};

struct call {
    const struct function *function;
    struct run *run;
    uint32_t at, count;
    const struct value *arguments;
};

struct function {
    const char *name;
    uint32_t least, most;
    bool lazy; /* and, or: arguments are looked at until one decides */
    int (*fn)(const struct call *call, struct value *ret_value);
};

/* NULL: there is none. */
const struct function *template_function(const char *name);
/* One that Go has and we do not. */
bool template_function_is_foreign(const char *name);
int template_run_refuse(struct run *run, uint32_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends what Go's fmt makes of it: the verb is one of s, d, v and q. */
int template_format_value(const struct value *v, char verb, struct buf *out);
/* Appends what Sprintf makes of a format and count values: 0, -E2BIG, or -EINVAL with the verb in *ret_verb
 * that is not among ours. */
int template_format(const char *format, const struct value *values, uint32_t count, struct buf *out,
                    char *ret_verb);
/* The first verb of a format that is not among ours; '\0': there is none. */
char template_format_foreign(const char *format);

#endif
