/* Templates: pipelines, by the rules of Go's text/template/parse (parse.go). Variables get their slots here,
 * so that running does not search for names.
 *
 *   pipeline = [ $x := | $x = | $i, $x := ] command { | command }
 *   command  = operand { blank operand }
 *   operand  = ( term | "(" pipeline ")" ) { .Field }
 *
 * Each function begins at the first token of what it reads and leaves p->at on the first one behind it. A
 * slot belongs to the variable from the end of its pipeline to the end of its block; then the next variable
 * gets it, so that there are never more of them than can be seen at one place. */
#include "adapter/template_internal.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *template_token_name(const struct parser *p, const struct token *token) {
    static const char *const fixed[] = {
        [TOKEN_END] = "the end of the template",
        [TOKEN_TEXT] = "text",
        [TOKEN_OPEN] = "<<",
        [TOKEN_CLOSE] = ">>",
        [TOKEN_DOT] = "\".\"",
        [TOKEN_NUMBER] = "a number",
        [TOKEN_PIPE] = "\"|\"",
        [TOKEN_COMMA] = "\",\"",
        [TOKEN_DECLARE] = "\":=\"",
        [TOKEN_ASSIGN] = "\"=\"",
        [TOKEN_LEFT_PAREN] = "\"(\"",
        [TOKEN_RIGHT_PAREN] = "\")\"",
    };

    if (token->kind == TOKEN_FIELD)
        return arena_printf(&p->t->arena, "\".%s\"", token->text);
    return fixed[token->kind] ? fixed[token->kind] : arena_printf(&p->t->arena, "\"%s\"", token->text);
}

int template_parse_refuse(const struct parser *p, const struct token *at, const char *fmt, ...) {
    char what[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return template_refuse(p->t->text, at->at, p->err, "%s", what);
}

static int unexpected(const struct parser *p, const char *where) {
    return template_parse_refuse(p, p->at, "unexpected %s in %s", template_token_name(p, p->at), where);
}

/* ---- terms ---- */

static int word_operand(const struct parser *p, struct operand *o) {
    const char *word = p->at->text;

    o->kind = OPERAND_VALUE;
    if (str_eq(word, "true") || str_eq(word, "false"))
        o->value = (struct value){.kind = VALUE_BOOL, .truth = *word == 't'};
    else if (str_eq(word, "nil"))
        o->value = (struct value){.kind = VALUE_NONE};
    else if ((o->function = template_function(word)))
        o->kind = OPERAND_FUNCTION;
    else if (template_function_is_foreign(word))
        return template_parse_refuse(p, p->at, "function \"%s\" is not supported", word);
    else
        return template_parse_refuse(p, p->at, "function \"%s\" not defined", word);
    return 0;
}

/* The latest of that name is meant: an inner one hides an outer one. */
static int variable_operand(const struct parser *p, struct operand *o) {
    o->kind = OPERAND_VARIABLE;
    for (o->slot = p->variable_count; o->slot-- > 0;)
        if (str_eq(p->variables[o->slot], p->at->text))
            return 0;
    return template_parse_refuse(p, p->at, "undefined variable \"%s\"", p->at->text);
}

static int parenthesized(struct parser *p, struct operand *o) {
    struct pipeline *inner = NULL;

    p->at++;
    int ret = template_parse_pipeline(p, "parentheses", TOKEN_RIGHT_PAREN, &inner);
    o->kind = OPERAND_PIPELINE;
    o->pipeline = inner;
    p->at--; /* back on the parenthesis: the caller steps over the term's last token */
    return ret;
}

/* By the order of enum token_kind: WORD, FIELD, DOT, VARIABLE, STRING, NUMBER. */
static bool begins_term(const struct token *token) {
    return token->kind >= TOKEN_WORD && token->kind <= TOKEN_NUMBER;
}

/* One term without its fields. */
static int term(struct parser *p, struct operand *o) {
    const struct token *token = p->at;

    *o = (struct operand){.at = token->at, .kind = OPERAND_VALUE};
    switch ((unsigned)token->kind) {
    case TOKEN_WORD:
        return word_operand(p, o);
    case TOKEN_DOT:
        o->kind = OPERAND_DOT;
        return 0;
    case TOKEN_VARIABLE:
        return variable_operand(p, o);
    case TOKEN_STRING:
        o->value = (struct value){.kind = VALUE_STRING, .text = token->text};
        return 0;
    case TOKEN_NUMBER:
        o->value = (struct value){.kind = VALUE_INT, .number = token->number};
        return 0;
    default:
        return parenthesized(p, o);
    }
}

/* The fields that follow without a blank: .A.B, $x.A, (…).A. */
static void fields(struct parser *p, struct operand *o) {
    const struct token *end = p->at;

    while (end->kind == TOKEN_FIELD && (end == p->at || !end->spaced))
        end++;
    o->field_count = (uint32_t)(end - p->at);
    const char **names = ARENA_ARRAY(&p->t->arena, const char *, o->field_count + 1);
    for (uint32_t i = 0; p->at < end; p->at++, i++)
        names[i] = p->at->text;
    o->fields = names;
}

static int operand(struct parser *p, struct operand *o) {
    int ret = 0;

    /* .A stands for the field A of the dot, which itself is not written then. */
    if (p->at->kind == TOKEN_FIELD) {
        *o = (struct operand){.kind = OPERAND_DOT, .at = p->at->at};
    } else {
        ret = term(p, o);
        p->at++;
        if (ret < 0 || p->at->kind != TOKEN_FIELD || p->at->spaced)
            return ret;
        if (o->kind == OPERAND_VALUE || o->kind == OPERAND_DOT)
            return template_parse_refuse(p, p->at, "a field of what has none");
    }
    fields(p, o);
    return 0;
}

/* ---- commands ---- */

static bool ends_command(const struct token *token) {
    return token->kind == TOKEN_CLOSE || token->kind == TOKEN_RIGHT_PAREN || token->kind == TOKEN_PIPE;
}

/* A format that is written out is looked at now: when it is run, somebody waits for a metric. */
static int check_format(const struct parser *p, const struct token *at, const struct command *c) {
    const struct operand *function = &c->operands[0], *format = &c->operands[1];

    if (function->kind != OPERAND_FUNCTION || !str_eq(function->function->name, "printf") || c->count < 2)
        return 0;
    if (format->kind != OPERAND_VALUE || format->value.kind != VALUE_STRING)
        return 0;
    char verb = template_format_foreign(format->value.text);
    return verb == '\0' ? 0
                        : template_parse_refuse(
                              p, at, "printf: %%%c is not supported: %%s, %%d, %%v and %%q are", verb);
}

/* Operands with blanks between them, up to a pipe, which is stepped over, or the pipeline's end, which is
 * not. */
static int command(struct parser *p, struct command *c) {
    struct operand all[TEMPLATE_ARGUMENTS_MAX];
    const struct token *start = p->at;
    uint32_t count = 0;

    do {
        if (!begins_term(p->at) && p->at->kind != TOKEN_LEFT_PAREN)
            return unexpected(p, "operand");
        if (count == TEMPLATE_ARGUMENTS_MAX)
            return template_parse_refuse(p, p->at, "more than %d arguments", TEMPLATE_ARGUMENTS_MAX - 1);
        int ret = operand(p, &all[count++]);
        if (ret < 0)
            return ret;
        if (!ends_command(p->at) && !p->at->spaced)
            return unexpected(p, "operand");
    } while (!ends_command(p->at));
    if (p->at->kind == TOKEN_PIPE)
        p->at++;
    struct operand *operands = ARENA_ARRAY(&p->t->arena, struct operand, count);
    memcpy(operands, all, count * sizeof(*all));
    c->count = count;
    c->operands = operands;
    return check_format(p, start, c);
}

/* What stands behind a pipe takes the result as an argument, which a constant cannot. */
static bool takes_argument(const struct operand *o) {
    return o->field_count > 0 || (o->kind != OPERAND_VALUE && o->kind != OPERAND_DOT);
}

/* ---- pipelines ---- */

/* The variables that a pipeline sets: "$x :=", "$x =", or two for range. They exist from its end on. */
struct declaration {
    uint32_t count;
    bool assigns;
    const struct token *names[2];
};

static int declaration(struct parser *p, bool of_range, struct declaration *d) {
    const struct token *first = p->at;

    /* A pipeline may begin with a variable that is only read: it takes a look ahead to know. */
    if (first->kind != TOKEN_VARIABLE)
        return 0;
    const struct token *sign = first + 1;
    if (sign->kind == TOKEN_COMMA) {
        if (!of_range)
            return template_parse_refuse(p, sign, "only range sets two variables");
        if (first[2].kind != TOKEN_VARIABLE)
            return template_parse_refuse(p, first + 2, "range can only initialize variables");
        d->names[1] = first + 2;
        sign = first + 3;
        if (sign->kind != TOKEN_DECLARE && sign->kind != TOKEN_ASSIGN)
            return template_parse_refuse(p, sign, "expected := after two variables");
    }
    if (sign->kind != TOKEN_DECLARE && sign->kind != TOKEN_ASSIGN)
        return 0;
    d->names[0] = first;
    d->count = 1 + (d->names[1] != NULL);
    d->assigns = sign->kind == TOKEN_ASSIGN;
    p->at = sign + 1;
    return 0;
}

/* After the commands, so that $x in "$x := f $x" is still the one before. Of two for range, slots[0] is the
 * key's and slots[1] the item's. */
static int set_slots(struct parser *p, const struct declaration *d, struct pipeline *pipeline) {
    pipeline->slot_count = d->count;
    for (uint32_t i = 0; i < d->count; i++) {
        struct operand o;
        struct parser at_name = *p;
        at_name.at = d->names[i];
        if (d->assigns && variable_operand(&at_name, &o) < 0)
            return -EINVAL;
        if (!d->assigns && p->variable_count == TEMPLATE_VARIABLES_MAX)
            return template_parse_refuse(p, d->names[i], "more than %d variables",
                                         TEMPLATE_VARIABLES_MAX - 1);
        pipeline->slots[i] = d->assigns ? o.slot : p->variable_count;
        if (!d->assigns)
            p->variables[p->variable_count++] = d->names[i]->text;
    }
    return 0;
}

static int commands(struct parser *p, const char *context, enum token_kind end, struct pipeline *pipeline) {
    const struct command **last = &pipeline->first;

    for (unsigned stage = 1; p->at->kind != end; stage++) {
        const struct token *start = p->at;
        if (!begins_term(start) && start->kind != TOKEN_LEFT_PAREN)
            return unexpected(p, context);
        struct command *c = ARENA_NEW(&p->t->arena, struct command);
        int ret = command(p, c);
        if (ret < 0)
            return ret;
        if (stage > 1 && !takes_argument(&c->operands[0]))
            return template_parse_refuse(p, start, "non executable command in pipeline stage %u", stage);
        *last = c;
        last = &c->next;
    }
    return 0;
}

int template_parse_pipeline(struct parser *p, const char *context, enum token_kind end,
                            struct pipeline **ret_pipeline) {
    struct pipeline *pipeline = ARENA_NEW(&p->t->arena, struct pipeline);
    struct declaration d = {0};

    if (p->depth == TEMPLATE_DEPTH_MAX)
        return template_parse_refuse(p, p->at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
    p->depth++;
    int ret = declaration(p, str_eq(context, "range"), &d);
    if (ret == 0)
        ret = commands(p, context, end, pipeline);
    if (ret == 0 && !pipeline->first)
        ret = template_parse_refuse(p, p->at, "missing value for %s", context);
    if (ret == 0)
        ret = set_slots(p, &d, pipeline);
    p->depth--;
    p->at += ret == 0;
    *ret_pipeline = pipeline;
    return ret;
}
