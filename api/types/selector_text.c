/* A LabelSelector object (matchLabels, matchExpressions) as the text form of a selector, in the order that
 * apimachinery prints it: terms by key, values sorted. So equal selectors have equal texts, however they were
 * written. */
#include "api/types/selector.h"
#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Terms are sorted by insertion, which is quadratic: hence a bound, where the API has none. */
enum { TERMS_MAX = 256, VALUES_MAX = 256, TEXT_MAX = 65536 };

/* One term, written out, with the key it is sorted by. */
struct term {
    const char *key;
    const char *text;
};

struct terms {
    struct term *items;
    size_t count;
};

/* Insertion keeps terms of equal keys in the order of the document. */
static void add_term(struct terms *terms, const char *key, const char *text) {
    size_t i = terms->count++;

    for (; i > 0 && strcmp(terms->items[i - 1].key, key) > 0; i--)
        terms->items[i] = terms->items[i - 1];
    terms->items[i] = (struct term){key, text};
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int too_long(struct err *err) {
    return err_set(err, -EINVAL, "the label selector is longer than %d bytes", TEXT_MAX);
}

static int write_values(const json_t *list, struct arena *arena, const char **ret_text, struct err *err) {
    cleanup_buf struct buf text;
    const char **values;
    size_t count = json_array_size(list);

    buf_init(&text, TEXT_MAX);
    if (count == 0 || count > VALUES_MAX)
        return err_set(err, -EINVAL, "In and NotIn need 1 to %d values", VALUES_MAX);
    values = ARENA_ARRAY(arena, const char *, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = json_string_value(json_array_get(list, i));
        if (!values[i])
            return err_set(err, -EINVAL, "values must be strings");
    }
    qsort(values, count, sizeof(*values), by_text);
    for (size_t i = 0; i < count; i++)
        if (buf_printf(&text, "%s%s", i ? "," : "", values[i]) < 0)
            return too_long(err);
    *ret_text = arena_strdup(arena, text.data);
    return 0;
}

static bool asks_for_key(const char *op) {
    return strcmp(op, "Exists") == 0 || strcmp(op, "DoesNotExist") == 0;
}

/* One of matchExpressions, as labels.Requirement's String writes it. What labels.NewRequirement refuses is
 * refused: HPA fails the metric of such a selector. */
static int write_expression(const json_t *item, struct arena *arena, struct terms *terms, struct err *err) {
    const char *key = json_string_value(json_object_get(item, "key"));
    const char *op = json_string_value(json_object_get(item, "operator"));
    const char *values = "", *text;
    int r;

    if (!key || !op)
        return err_set(err, -EINVAL, "matchExpressions needs key and operator");
    if (asks_for_key(op) && json_array_size(json_object_get(item, "values")) > 0)
        return err_set(err, -EINVAL, "Exists and DoesNotExist take no values");
    if (strcmp(op, "Exists") == 0) {
        text = arena_strdup(arena, key);
    } else if (strcmp(op, "DoesNotExist") == 0) {
        text = arena_printf(arena, "!%s", key);
    } else if (strcmp(op, "In") == 0 || strcmp(op, "NotIn") == 0) {
        r = write_values(json_object_get(item, "values"), arena, &values, err);
        if (r < 0)
            return r;
        text = arena_printf(arena, "%s %s (%s)", key, op[0] == 'I' ? "in" : "notin", values);
    } else {
        return err_set(err, -EINVAL, "operator is \"%.20s\": must be In, NotIn, Exists or DoesNotExist", op);
    }
    add_term(terms, key, text);
    return 0;
}

/* matchLabels first, then matchExpressions, as LabelSelectorAsSelector adds them. */
static int collect(const json_t *object, struct arena *arena, struct terms *terms, struct err *err) {
    const json_t *labels = json_object_get(object, "matchLabels");
    const json_t *expressions = json_object_get(object, "matchExpressions");
    size_t count = json_object_size(labels) + json_array_size(expressions);

    if (count > TERMS_MAX)
        return err_set(err, -EINVAL, "a label selector may have at most %d terms", TERMS_MAX);
    terms->items = ARENA_ARRAY(arena, struct term, count);
    for (void *it = json_object_iter((json_t *)(uintptr_t)labels); it;
         it = json_object_iter_next((json_t *)(uintptr_t)labels, it)) {
        const char *key = json_object_iter_key(it), *value = json_string_value(json_object_iter_value(it));
        if (!value)
            return err_set(err, -EINVAL, "matchLabels.%.60s must be a string", key);
        add_term(terms, key, arena_printf(arena, "%s=%s", key, value));
    }
    for (size_t i = 0; i < json_array_size(expressions); i++) {
        int r = write_expression(json_array_get(expressions, i), arena, terms, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int selector_write(const json_t *label_selector, struct arena *arena, const char **ret_text,
                   struct err *err) {
    cleanup_buf struct buf text;
    struct terms terms = {0};
    struct selector check;
    int r;

    buf_init(&text, TEXT_MAX);
    if (!json_is_object(label_selector))
        return err_set(err, -EINVAL, "a label selector must be an object");
    r = collect(label_selector, arena, &terms, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < terms.count; i++)
        if (buf_printf(&text, "%s%s", i ? "," : "", terms.items[i].text) < 0)
            return too_long(err);
    /* Whether keys and values are labels only the parser knows; what it refuses must not reach a server. */
    r = selector_parse(text.data, arena, &check, err);
    if (r < 0)
        return r;
    *ret_text = arena_strdup(arena, text.data);
    return 0;
}
