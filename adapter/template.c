/* Templates from the outside; see template.h. A template is read once, when the rules are, and run for every
 * request, when it is too late to complain: what is wrong with its text is refused at the reading. One arena
 * holds the text, the tree and the strings in it, and goes as a whole. */
#include "adapter/template.h"

#include "adapter/template_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

int template_new(const char *text, struct template **ret_template, struct err *err) {
    struct tokens tokens = {0};

    if (strlen(text) > TEMPLATE_TEXT_MAX)
        return err_set(err, -EINVAL, "longer than %d bytes", TEMPLATE_TEXT_MAX);
    struct template *t = XNEW(struct template);
    arena_init(&t->arena, 0);
    /* Its own copy: the places in the messages of a run are counted in it, long after the rules were read. */
    t->text = arena_strdup(&t->arena, text);
    int ret = template_lex(t->text, &t->arena, &tokens, err);
    if (ret == 0)
        ret = template_parse(t, &tokens, err);
    free(tokens.items);
    if (ret == 0)
        *ret_template = t;
    else
        template_free(t);
    return ret;
}

void template_free(struct template *t) {
    if (!t)
        return;
    arena_done(&t->arena);
    free(t);
}

/* ---- what is made of a field ---- */

static bool is_among(const char *const *names, const char *name) {
    while (*names && !str_eq(*names, name))
        names++;
    return *names != NULL;
}

static bool pipeline_is_free(const struct pipeline *pipeline, const char *const *free_fields);

/* Within a block the dot may be anything, but one of the root's fields is then an error and never another
 * value: a text that depends on the field is not made. */
static bool operand_is_free(const struct operand *o, const char *const *free_fields) {
    switch (o->kind) {
    case OPERAND_VALUE:
    case OPERAND_FUNCTION:
        return true;
    case OPERAND_DOT:
        return o->field_count == 1 && is_among(free_fields, o->fields[0]);
    case OPERAND_VARIABLE: /* also "$", which is everything */
        return false;
    case OPERAND_PIPELINE:
        return o->field_count == 0 && pipeline_is_free(o->pipeline, free_fields);
    }
    return false;
}

static bool pipeline_is_free(const struct pipeline *pipeline, const char *const *free_fields) {
    if (pipeline->slot_count)
        return false;
    for (const struct command *c = pipeline->first; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++)
            if (!operand_is_free(&c->operands[i], free_fields))
                return false;
    return true;
}

/* <<.Field>> and nothing else: no function, no pipe, no variable. A printf around it could cut or pad. */
static bool shows(const struct pipeline *pipeline, const char *field) {
    const struct command *c = pipeline->first;
    const struct operand *o = c->operands;

    return !pipeline->slot_count && !c->next && c->count == 1 && o->kind == OPERAND_DOT &&
           o->field_count == 1 && str_eq(o->fields[0], field);
}

/* What decides a block (n->pipeline of an if, a with or a range) must not depend on the field either: else
 * the texts for two values could differ in more than the value. */
static bool nodes_only_show(const struct node *first, const char *field, const char *const *free_fields) {
    for (const struct node *n = first; n; n = n->next) {
        if (n->kind == NODE_ACTION && shows(n->pipeline, field))
            continue;
        if (n->pipeline && !pipeline_is_free(n->pipeline, free_fields))
            return false;
        if (!nodes_only_show(n->body, field, free_fields) ||
            !nodes_only_show(n->otherwise, field, free_fields))
            return false;
    }
    return true;
}

bool template_only_shows(const struct template *t, const char *field, const char *const *free_fields) {
    return nodes_only_show(t->first, field, free_fields);
}
