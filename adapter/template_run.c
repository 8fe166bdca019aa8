/* Templates: running the tree, by the rules of Go's text/template (exec.go). Bounded by steps and by memory,
 * since a loop in a loop is quickly written.
 *
 * The dot is handed down as an argument: range and with give their body another one, and what is behind the
 * block has its own again without anything being put back. Values borrow their texts from the caller's
 * fields, from the template or from the run's arena, and all of these outlive it. */
#include "adapter/template_internal.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How a list of nodes ended. */
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static int run_pipeline(struct run *r, const struct value *dot, const struct pipeline *pipeline,
                        struct value *ret);
static int run_list(struct run *r, const struct value *dot, const struct node *first, enum flow *ret_flow);

int template_run_refuse(struct run *run, uint32_t at, const char *fmt, ...) {
    char what[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return template_refuse(run->t->text, at, run->err, "%s", what);
}

/* Counts work; -EOVERFLOW past the bound. Every operand and every node comes by here, so no loop escapes it.
 */
static int step(struct run *r) {
    if (++r->steps > TEMPLATE_STEPS_MAX || r->arena->used > TEMPLATE_MEMORY_MAX)
        return err_set(r->err, -EOVERFLOW, "the template takes too many steps or too much memory");
    return 0;
}

static int too_long(struct run *r) {
    return err_set(r->err, -EOVERFLOW, "the template's text is longer than %zu bytes", r->out->max);
}

/* ---- operands ---- */

static int root_field(struct run *r, const char *name, uint32_t at, struct value *ret) {
    for (uint32_t i = 0; i < r->field_count; i++) {
        const struct template_field *f = &r->fields[i];
        if (!str_eq(f->name, name))
            continue;
        if (f->kind == TEMPLATE_STRING)
            *ret = (struct value){.kind = VALUE_STRING, .text = str_or_empty(f->text)};
        else
            *ret = (struct value){.kind = f->kind == TEMPLATE_LIST ? VALUE_LIST : VALUE_MAP, .field = f};
        return 0;
    }
    return template_run_refuse(r, at, "there is no field .%s", name);
}

/* A map's key may be written as a field; one that it does not have is nil then. */
static void map_field(const struct value *map, const char *name, struct value *ret) {
    const struct template_field *field = map->field;

    *ret = (struct value){.kind = VALUE_NONE};
    for (uint32_t i = 0; i < field->count; i++)
        if (str_eq(field->pairs[i].key, name))
            *ret = (struct value){.kind = VALUE_STRING, .text = field->pairs[i].value};
}

static int take_fields(struct run *r, const struct operand *o, struct value *v) {
    for (uint32_t i = 0; i < o->field_count; i++) {
        struct value of = *v;
        int ret = 0;
        if (of.kind == VALUE_ROOT)
            ret = root_field(r, o->fields[i], o->at, v);
        else if (of.kind == VALUE_MAP)
            map_field(&of, o->fields[i], v);
        else if (of.kind != VALUE_NONE) /* nil has every field, and they are nil */
            ret = template_run_refuse(r, o->at, "can't evaluate field %s in type %s", o->fields[i],
                                      value_type(&of));
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* ---- functions ---- */

/* A command under way: its operands but the first are the arguments, and final, the result of the command
 * before the pipe, is one more. */
struct applied {
    const struct command *command; /* NULL: a function that is itself an argument, and gets none */
    const struct value *final;     /* NULL: none */
    const struct value *dot;
};

static int run_operand(struct run *r, const struct value *dot, const struct operand *o, struct value *ret);

static uint32_t argument_count(const struct applied *a) {
    return (a->command ? a->command->count - 1 : 0) + (a->final != NULL);
}

static int argument(struct run *r, const struct applied *a, uint32_t i, struct value *ret) {
    if (a->command && i + 1 < a->command->count)
        return run_operand(r, a->dot, &a->command->operands[i + 1], ret);
    *ret = *a->final;
    return 0;
}

static int call_function(struct run *r, const struct operand *o, const struct applied *a, struct value *ret) {
    const struct function *f = o->function;
    struct value arguments[TEMPLATE_ARGUMENTS_MAX];
    uint32_t count = argument_count(a), given = 0;
    int done = 0;

    if (count < f->least || count > f->most)
        return template_run_refuse(r, o->at, "wrong number of args for %s: want %s%u got %u", f->name,
                                   f->most > f->least ? "at least " : "", f->least, count);
    while (done == 0 && given < count) { /* count <= most: arguments has room */
        done = argument(r, a, given, &arguments[given]);
        given++;
        /* "or" ends at the first that is true, "and" at the first that is not. */
        if (done == 0 && f->lazy && value_is_true(&arguments[given - 1]) == (f->name[0] == 'o'))
            break;
    }
    const struct call call = {f, r, o->at, given, arguments};
    return done < 0 ? done : f->fn(&call, ret);
}

/* The value of an operand, called with what is applied to it. */
static int apply(struct run *r, const struct operand *o, const struct applied *a, struct value *ret) {
    int done = step(r);

    if (done == 0 && argument_count(a) > 0 && (o->kind != OPERAND_FUNCTION || o->field_count > 0))
        done = template_run_refuse(r, o->at, "can't give argument to what is no function");
    if (done < 0)
        return done;
    switch (o->kind) {
    case OPERAND_DOT:
        *ret = *a->dot;
        break;
    case OPERAND_VARIABLE:
        *ret = r->slots[o->slot];
        break;
    case OPERAND_FUNCTION:
        done = call_function(r, o, a, ret);
        break;
    case OPERAND_PIPELINE:
        done = run_pipeline(r, a->dot, o->pipeline, ret);
        break;
    case OPERAND_VALUE:
    default:
        *ret = o->value;
    }
    return done < 0 ? done : take_fields(r, o, ret);
}

static int run_operand(struct run *r, const struct value *dot, const struct operand *o, struct value *ret) {
    const struct applied none = {.dot = dot};

    return apply(r, o, &none, ret);
}

static int run_command(struct run *r, const struct value *dot, const struct command *c,
                       const struct value *final, struct value *ret) {
    const struct operand *first = &c->operands[0];
    const struct applied a = {c, final, dot};

    if (first->kind == OPERAND_VALUE && first->value.kind == VALUE_NONE)
        return template_run_refuse(r, first->at, "nil is not a command");
    return apply(r, first, &a, ret);
}

static int run_pipeline(struct run *r, const struct value *dot, const struct pipeline *pipeline,
                        struct value *ret) {
    struct value result = {0}, before;
    int done = 0;

    for (const struct command *c = pipeline->first; done == 0 && c; c = c->next) {
        before = result;
        done = run_command(r, dot, c, c == pipeline->first ? NULL : &before, &result);
    }
    for (uint32_t i = 0; done == 0 && i < pipeline->slot_count; i++)
        r->slots[pipeline->slots[i]] = result;
    *ret = result;
    return done;
}

/* ---- nodes ---- */

static int run_action(struct run *r, const struct value *dot, const struct node *n) {
    struct value v;
    int ret = run_pipeline(r, dot, n->pipeline, &v);

    if (ret < 0 || n->pipeline->slot_count > 0) /* <<$x := .A>> puts nothing out */
        return ret;
    if (v.kind == VALUE_ROOT)
        return template_run_refuse(r, n->at, "all fields at once cannot be written: name one of them");
    return value_print(&v, r->out) < 0 ? too_long(r) : 0;
}

static int run_condition(struct run *r, const struct value *dot, const struct node *n, enum flow *ret_flow) {
    struct value v;
    int ret = run_pipeline(r, dot, n->pipeline, &v);

    if (ret < 0)
        return ret;
    if (!value_is_true(&v))
        return run_list(r, dot, n->otherwise, ret_flow);
    return run_list(r, n->kind == NODE_WITH ? &v : dot, n->body, ret_flow);
}

/* The i-th round: its key and its item. */
static void range_item(const struct value *over, uint32_t i, struct value *ret_key, struct value *ret_item) {
    const struct template_field *f = over->field;

    *ret_item = (struct value){.kind = VALUE_STRING};
    if (over->kind == VALUE_LIST) {
        *ret_key = (struct value){.kind = VALUE_INT, .number = i};
        ret_item->text = f->list[i];
    } else {
        *ret_key = (struct value){.kind = VALUE_STRING, .text = f->pairs[i].key};
        ret_item->text = f->pairs[i].value;
    }
}

static int run_range(struct run *r, const struct value *dot, const struct node *n, enum flow *ret_flow) {
    const struct pipeline *pipeline = n->pipeline;
    enum flow flow = FLOW_ON;
    struct value over, key, item;

    int ret = run_pipeline(r, dot, pipeline, &over);
    if (ret < 0)
        return ret;
    if (over.kind != VALUE_LIST && over.kind != VALUE_MAP && over.kind != VALUE_NONE)
        return template_run_refuse(r, n->at, "range can't iterate over %s", value_type(&over));
    if (!value_is_true(&over)) {
        ret = run_list(r, dot, n->otherwise, ret_flow);
        if (*ret_flow == FLOW_BREAK) /* ends this range, as in Go, and not the one around it */
            *ret_flow = FLOW_ON;
        return ret;
    }
    for (uint32_t i = 0; ret == 0 && flow != FLOW_BREAK && i < over.field->count; i++) {
        range_item(&over, i, &key, &item);
        if (pipeline->slot_count > 0)
            r->slots[pipeline->slots[pipeline->slot_count - 1]] = item;
        if (pipeline->slot_count > 1)
            r->slots[pipeline->slots[0]] = key;
        ret = run_list(r, &item, n->body, &flow);
    }
    /* flow is not handed on: a break or a continue has been used up by this loop. */
    return ret;
}

static int run_node(struct run *r, const struct value *dot, const struct node *n, enum flow *ret_flow) {
    int ret = step(r);

    if (ret < 0)
        return ret;
    switch (n->kind) {
    case NODE_TEXT:
        return buf_puts(r->out, n->text) < 0 ? too_long(r) : 0;
    case NODE_IF:
    case NODE_WITH:
        return run_condition(r, dot, n, ret_flow);
    case NODE_RANGE:
        return run_range(r, dot, n, ret_flow);
    case NODE_BREAK:
    case NODE_CONTINUE:
        *ret_flow = n->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return 0;
    case NODE_ACTION:
    default:
        return run_action(r, dot, n);
    }
}

/* Up to the end of the list, or a break or continue in it. */
static int run_list(struct run *r, const struct value *dot, const struct node *first, enum flow *ret_flow) {
    int ret = 0;

    *ret_flow = FLOW_ON;
    for (const struct node *n = first; ret == 0 && n && *ret_flow == FLOW_ON; n = n->next)
        ret = run_node(r, dot, n, ret_flow);
    return ret;
}

int template_run(const struct template *t, const struct template_field *fields, uint32_t count,
                 struct buf *out, struct err *err) {
    cleanup_arena struct arena arena;
    struct run r = {.t = t, .arena = &arena, .out = out, .err = err, .fields = fields, .field_count = count};
    const struct value root = {.kind = VALUE_ROOT};
    size_t before = out->len;
    enum flow flow;

    arena_init(&arena, 0);
    r.slots[0] = root;
    int ret = run_list(&r, &root, t->first, &flow);
    if (ret < 0) {
        /* Half a query is none. */
        out->len = before;
        out->data[before] = '\0';
    }
    return ret;
}
