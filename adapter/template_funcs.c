/* Templates: the functions of Go's text/template (its funcs.go) that rules use. A function gets its arguments
 * evaluated, their number checked against its line of the table; it fails by template_run_refuse, which sets
 * the run's err, and passes that code on. */
#include "adapter/template_internal.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static int refuse(const struct call *call, const char *what) {
    return template_run_refuse(call->run, call->at, "%s: %s", call->function->name, what);
}

static int refuse_type(const struct call *call, const char *what, const struct value *v) {
    return template_run_refuse(call->run, call->at, "%s: %s %s", call->function->name, what, value_type(v));
}

static struct value truth(bool is_true) {
    return (struct value){.kind = VALUE_BOOL, .truth = is_true};
}

static struct value number(int64_t n) {
    return (struct value){.kind = VALUE_INT, .number = n};
}

static struct value text_value(const char *text) {
    return (struct value){.kind = VALUE_STRING, .text = text};
}

/* ---- what is in it ---- */

/* A key that the map does not have is an empty text, as in Go. */
static int index_map(const struct call *call, const struct value *map, const struct value *key,
                     struct value *ret) {
    if (key->kind != VALUE_STRING)
        return refuse_type(call, "a map is asked by a text, not by", key);
    *ret = text_value("");
    for (uint32_t i = 0; i < map->field->count; i++)
        if (str_eq(map->field->pairs[i].key, key->text))
            *ret = text_value(map->field->pairs[i].value);
    return 0;
}

/* An item of a list, or a byte of a text. */
static int index_place(const struct call *call, const struct value *of, const struct value *place,
                       struct value *ret) {
    int64_t count = of->kind == VALUE_LIST ? (int64_t)of->field->count : (int64_t)strlen(of->text);

    if (place->kind != VALUE_INT)
        return refuse_type(call, "a place in a list is a number, not", place);
    if (place->number < 0 || place->number >= count)
        return template_run_refuse(call->run, call->at, "index: index out of range: %lld",
                                   (long long)place->number);
    *ret = of->kind == VALUE_LIST ? text_value(of->field->list[place->number])
                                  : number((unsigned char)of->text[place->number]);
    return 0;
}

static int fn_index(const struct call *call, struct value *ret) {
    struct value v = call->arguments[0];
    int done = 0;

    /* index .A "b" "c" is .A["b"]["c"]: each argument is taken from what the one before it gave. */
    if (v.kind == VALUE_NONE)
        return refuse(call, "index of untyped nil");
    for (uint32_t i = 1; done == 0 && i < call->count; i++) {
        struct value of = v;
        if (of.kind == VALUE_MAP)
            done = index_map(call, &of, &call->arguments[i], &v);
        else if (of.kind == VALUE_LIST || of.kind == VALUE_STRING)
            done = index_place(call, &of, &call->arguments[i], &v);
        else
            done = refuse_type(call, "can't index item of type", &of);
    }
    *ret = v;
    return done;
}

static int fn_len(const struct call *call, struct value *ret) {
    const struct value *v = &call->arguments[0];

    if (v->kind == VALUE_STRING) /* bytes and not characters, as in Go */
        *ret = number((int64_t)strlen(v->text));
    else if (v->kind == VALUE_LIST || v->kind == VALUE_MAP)
        *ret = number((int64_t)v->field->count);
    else
        return refuse_type(call, "len of type", v);
    return 0;
}

/* ---- truth and comparison ---- */

/* The caller has evaluated no further than the argument that decides. */
static int fn_last(const struct call *call, struct value *ret) {
    *ret = call->arguments[call->count - 1];
    return 0;
}

static int fn_not(const struct call *call, struct value *ret) {
    *ret = truth(!value_is_true(&call->arguments[0]));
    return 0;
}

/* Whether two values are equal; what nobody could compare is an error. */
static int equal(const struct call *call, const struct value *a, const struct value *b, bool *ret) {
    bool basic = a->kind <= VALUE_STRING && b->kind <= VALUE_STRING; /* the kinds stand in this order */

    if (a->kind == VALUE_NONE || b->kind == VALUE_NONE) {
        *ret = a->kind == b->kind;
        return 0;
    }
    if (!basic)
        return refuse_type(call, "non-comparable type", a->kind > VALUE_STRING ? a : b);
    if (a->kind != b->kind)
        return refuse(call, "incompatible types for comparison");
    *ret = a->kind == VALUE_STRING ? str_eq(a->text, b->text)
           : a->kind == VALUE_INT  ? a->number == b->number
                                   : a->truth == b->truth;
    return 0;
}

/* Whether the first is one of the others. */
static int fn_eq(const struct call *call, struct value *ret) {
    bool same = false;
    int done = 0;

    if (call->count == 1)
        return refuse(call, "missing argument for comparison");
    for (uint32_t i = 1; done == 0 && !same && i < call->count; i++)
        done = equal(call, &call->arguments[0], &call->arguments[i], &same);
    *ret = truth(same);
    return done;
}

static int fn_ne(const struct call *call, struct value *ret) {
    bool same = false;
    int done = equal(call, &call->arguments[0], &call->arguments[1], &same);

    *ret = truth(!same);
    return done;
}

/* Below, equal or above: -1, 0 or 1 in *ret_order. */
static int order(const struct call *call, int *ret_order) {
    const struct value *a = &call->arguments[0], *b = &call->arguments[1];

    for (uint32_t i = 0; i < 2; i++)
        if (call->arguments[i].kind != VALUE_STRING && call->arguments[i].kind != VALUE_INT)
            return refuse_type(call, "invalid type for comparison:", &call->arguments[i]);
    if (a->kind != b->kind)
        return refuse(call, "incompatible types for comparison");
    *ret_order =
        a->kind == VALUE_INT ? (a->number > b->number) - (a->number < b->number) : strcmp(a->text, b->text);
    return 0;
}

/* lt, le, gt and ge: the first letter of the name says which way, an e behind it that equal ones count too.
 */
static int fn_order(const struct call *call, struct value *ret) {
    const char *name = call->function->name;
    int cmp = 0, done = order(call, &cmp);

    *ret = truth((name[0] == 'l' ? cmp < 0 : cmp > 0) || (name[1] == 'e' && cmp == 0));
    return done;
}

/* ---- texts ---- */

/* The text made in out becomes a value of the run. */
static int made(const struct call *call, int done, struct buf *out, struct value *ret) {
    if (done == -E2BIG)
        return err_set(call->run->err, -EOVERFLOW, "%s makes a text that is too long", call->function->name);
    if (done == 0)
        *ret = text_value(arena_strndup(call->run->arena, out->data, out->len));
    return done;
}

/* Go would write its struct out, with the names of fields that are its own affair; no query is made of that.
 */
static int refuse_root(const struct call *call) {
    for (uint32_t i = 0; i < call->count; i++)
        if (call->arguments[i].kind == VALUE_ROOT)
            return refuse(call, "all fields at once cannot be written: name one of them");
    return 0;
}

static int fn_printf(const struct call *call, struct value *ret) {
    cleanup_buf struct buf out;
    char verb = '\0';

    buf_init(&out, TEMPLATE_VALUE_TEXT_MAX);
    if (call->arguments[0].kind != VALUE_STRING)
        return refuse_type(call, "the format is a text, not", &call->arguments[0]);
    if (refuse_root(call) < 0)
        return -EINVAL;
    int done = template_format(call->arguments[0].text, call->arguments + 1, call->count - 1, &out, &verb);
    if (done == -EINVAL)
        return template_run_refuse(call->run, call->at,
                                   "printf: %%%c is not supported: %%s, %%d, %%v and %%q are", verb);
    return made(call, done, &out, ret);
}

/* With a blank between two that are no texts (print), or between all (println). */
static int fn_print(const struct call *call, struct value *ret) {
    bool line = str_eq(call->function->name, "println");
    cleanup_buf struct buf out;
    int done = refuse_root(call);

    buf_init(&out, TEMPLATE_VALUE_TEXT_MAX);
    for (uint32_t i = 0; done == 0 && i < call->count; i++) {
        const struct value *v = &call->arguments[i];
        if (i > 0 && (line || (v->kind != VALUE_STRING && v[-1].kind != VALUE_STRING)))
            done = buf_puts(&out, " ");
        done = done < 0 ? done : template_format_value(v, 'v', &out);
    }
    if (done == 0 && line)
        done = buf_puts(&out, "\n");
    return made(call, done, &out, ret);
}

/* ---- the table ---- */

/* No more can come: a command has one fewer at most besides its function, and a pipe adds one. */
enum { ANY = TEMPLATE_ARGUMENTS_MAX };

const struct function *template_function(const char *name) {
    static const struct function all[] = {
        {"and", 1, ANY, true, fn_last},       {"eq", 1, ANY, false, fn_eq},
        {"ge", 2, 2, false, fn_order},        {"gt", 2, 2, false, fn_order},
        {"index", 1, ANY, false, fn_index},   {"le", 2, 2, false, fn_order},
        {"len", 1, 1, false, fn_len},         {"lt", 2, 2, false, fn_order},
        {"ne", 2, 2, false, fn_ne},           {"not", 1, 1, false, fn_not},
        {"or", 1, ANY, true, fn_last},        {"print", 0, ANY, false, fn_print},
        {"printf", 1, ANY, false, fn_printf}, {"println", 0, ANY, false, fn_print},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (str_eq(all[i].name, name))
            return &all[i];
    return NULL;
}

/* Told apart from a misspelt name: "not supported" and "not defined" send people to different places. */
bool template_function_is_foreign(const char *name) {
    static const char *const all[] = {"call", "html", "js", "slice", "urlquery"};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (str_eq(all[i], name))
            return true;
    return false;
}
