/* Templates: the values of a run, and how Go writes them: as text/template puts a result out, and as its
 * printf formats one (package fmt). A verb that does not fit is not an error there but a text
 * ("%!d(string=x)"), and here too: what comes of it is Prometheus's to judge, as with prometheus-adapter. */
#include "adapter/goquote.h"
#include "adapter/template_internal.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *value_type(const struct value *v) {
    static const char *const names[] = {
        [VALUE_NONE] = "nil",
        [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int",
        [VALUE_STRING] = "string",
        [VALUE_LIST] = "[]string",
        [VALUE_MAP] = "map[string]string",
        [VALUE_ROOT] = "the fields of the request",
    };

    return names[v->kind];
}

/* As Go's IsTrue: what is empty, zero or nil is not. */
bool value_is_true(const struct value *v) {
    switch (v->kind) {
    case VALUE_BOOL:
        return v->truth;
    case VALUE_INT:
        return v->number != 0;
    case VALUE_STRING:
        return v->text[0] != '\0';
    case VALUE_LIST:
    case VALUE_MAP:
        return v->field->count > 0;
    case VALUE_ROOT:
        return true;
    case VALUE_NONE:
    default:
        return false;
    }
}

/* ---- fmt ---- */

/* A verb that does not fit the value: "%!d(string=x)". */
static int misfit(const struct value *v, char verb, struct buf *out) {
    if (v->kind == VALUE_NONE)
        return buf_printf(out, "%%!%c(<nil>)", verb);
    if (buf_printf(out, "%%!%c(%s=", verb, value_type(v)) < 0)
        return -E2BIG;
    int ret = template_format_value(v, 'v', out);
    return ret < 0 ? ret : buf_puts(out, ")");
}

static int format_text(const char *text, char verb, struct buf *out) {
    const struct value v = {.kind = VALUE_STRING, .text = text};

    if (verb == 'q')
        return go_quote(text, out);
    return verb == 'd' ? misfit(&v, verb, out) : buf_puts(out, text);
}

/* fmt applies the verb to each item: %q of a list is ["a" "b"]. */
static int format_list(const struct template_field *list, char verb, struct buf *out) {
    int ret = buf_puts(out, "[");

    for (uint32_t i = 0; ret == 0 && i < list->count; i++) {
        ret = i > 0 ? buf_puts(out, " ") : 0;
        ret = ret < 0 ? ret : format_text(list->list[i], verb, out);
    }
    return ret < 0 ? ret : buf_puts(out, "]");
}

/* In the order of the keys, which is that of pairs: fmt sorts maps, so that the same map is the same text. */
static int format_map(const struct template_field *map, char verb, struct buf *out) {
    int ret = buf_puts(out, "map[");

    for (uint32_t i = 0; ret == 0 && i < map->count; i++) {
        ret = i > 0 ? buf_puts(out, " ") : 0;
        ret = ret < 0 ? ret : format_text(map->pairs[i].key, verb, out);
        ret = ret < 0 ? ret : buf_puts(out, ":");
        ret = ret < 0 ? ret : format_text(map->pairs[i].value, verb, out);
    }
    return ret < 0 ? ret : buf_puts(out, "]");
}

int template_format_value(const struct value *v, char verb, struct buf *out) {
    switch (v->kind) {
    case VALUE_STRING:
        return format_text(v->text, verb, out);
    case VALUE_LIST:
        return format_list(v->field, verb, out);
    case VALUE_MAP:
        return format_map(v->field, verb, out);
    case VALUE_BOOL:
        return verb == 'v' ? buf_puts(out, v->truth ? "true" : "false") : misfit(v, verb, out);
    case VALUE_INT:
        return verb == 'v' || verb == 'd' ? buf_printf(out, "%" PRId64, v->number) : misfit(v, verb, out);
    case VALUE_NONE:
        return verb == 'v' ? buf_puts(out, "<nil>") : misfit(v, verb, out);
    case VALUE_ROOT:
    default:
        return -EINVAL;
    }
}

/* What text/template itself puts out for a value that is not there; printf writes <nil>. */
int value_print(const struct value *v, struct buf *out) {
    return v->kind == VALUE_NONE ? buf_puts(out, "<no value>") : template_format_value(v, 'v', out);
}

/* What is left over behind the last verb: "%!(EXTRA string=x, int=1)". nil has no type to be named. */
static int format_extra(const struct value *values, uint32_t count, struct buf *out) {
    int ret = buf_puts(out, "%!(EXTRA ");

    for (uint32_t i = 0; ret == 0 && i < count; i++) {
        ret = i > 0 ? buf_puts(out, ", ") : 0;
        if (ret == 0 && values[i].kind != VALUE_NONE)
            ret = buf_printf(out, "%s=", value_type(&values[i]));
        ret = ret < 0 ? ret : template_format_value(&values[i], 'v', out);
    }
    return ret < 0 ? ret : buf_puts(out, ")");
}

static bool is_verb(char c) {
    return strchr("sdvq%", c) != NULL; /* the NUL, too: a lone % at the end is written out */
}

char template_format_foreign(const char *format) {
    /* Flags and widths (%5d, %-s) are not read: their first character is taken for a verb, and refused. */
    for (const char *p = strchr(format, '%'); p; p = strchr(p + 1 + (p[1] != '\0'), '%'))
        if (!is_verb(p[1]))
            return p[1];
    return '\0';
}

/* One verb; *i is the next of count values. A number for %q would be a character, which nobody means. */
static int format_verb(char verb, const struct value *values, uint32_t count, uint32_t *i, struct buf *out) {
    if (verb == '%')
        return buf_puts(out, "%");
    if (verb == '\0')
        return buf_puts(out, "%!(NOVERB)");
    if (!is_verb(verb))
        return -EINVAL;
    if (*i == count)
        return buf_printf(out, "%%!%c(MISSING)", verb);
    const struct value *v = &values[(*i)++];
    return verb == 'q' && v->kind == VALUE_INT ? -EINVAL : template_format_value(v, verb, out);
}

int template_format(const char *format, const struct value *values, uint32_t count, struct buf *out,
                    char *ret_verb) {
    uint32_t i = 0;

    while (*format != '\0') {
        const char *percent = strchrnul(format, '%');
        if (buf_append(out, format, (size_t)(percent - format)) < 0)
            return -E2BIG;
        if (*percent == '\0')
            break;
        int ret = format_verb(percent[1], values, count, &i, out);
        *ret_verb = percent[1];
        if (ret < 0)
            return ret;
        format = percent + 1 + (percent[1] != '\0');
    }
    return i < count ? format_extra(values + i, count - i, out) : 0;
}
