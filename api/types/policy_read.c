/* Reading members of a policy's spec, with errors that name the field and say what to change. What is absent
 * leaves the caller's value, which is the default, unless it is required; what is there is right or an error.
 * A path is a chain of elements on the callers' stacks, which costs nothing as long as all is well. */
#include "api/types/policy_read.h"
#include "api/types/quantity.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static size_t put(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* snprintf that returns what has been written, not what would have been. */
static size_t put(char *out, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return n < 0 ? 0 : (size_t)n >= size ? size - 1 : (size_t)n;
}

/* From the root down, by recursion up: paths are never deeper than the schema. */
static size_t write_path(const struct path *path, char *out, size_t size) {
    size_t n = path->up ? write_path(path->up, out, size) : 0;

    if (!path->name)
        return n + put(out + n, size - n, "[%zu]", path->index);
    return n + put(out + n, size - n, "%s%s", n ? "." : "", path->name);
}

/* The texts are cut, not refused: an error has to be told whatever is in the document. */
int read_error(struct reader *r, const struct path *path, const char *key, const char *fmt, ...) {
    char where[160], what[320];
    size_t n = write_path(path, where, sizeof(where));
    va_list ap;

    if (key)
        put(where + n, sizeof(where) - n, ".%s", key);
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(r->err, -EINVAL, "%s: %s", where, what);
}

/* The member, or NULL where it is absent or null, which is how YAML writes a field with nothing behind its
 * colon: the API server takes it for absent. */
static const json_t *member(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

int read_object(struct reader *r, const json_t *parent, const struct path *path, bool required,
                const json_t **ret_object) {
    const json_t *value = member(parent, path->name);

    if (!value && required)
        return read_error(r, path, NULL, "is missing: add it");
    if (value && !json_is_object(value))
        return read_error(r, path, NULL, "must be an object");
    if (value)
        *ret_object = value;
    return 0;
}

int read_string(struct reader *r, const json_t *object, const struct path *path, const char *key,
                const char **ret_text) {
    const json_t *value = member(object, key);
    /* A query is the only text that may be long. */
    size_t max = strcmp(key, "query") == 0 ? POLICY_QUERY_MAX : POLICY_TEXT_MAX;

    if (!value)
        return 0;
    if (!json_is_string(value))
        return read_error(r, path, key, "must be a string: put it in quotes");
    if (json_string_length(value) > max)
        return read_error(r, path, key, "must not be longer than %zu bytes", max);
    /* JSON has \u0000; C strings would end there, and mean something else. */
    if (strlen(json_string_value(value)) != json_string_length(value))
        return read_error(r, path, key, "must not contain a NUL character: remove it");
    *ret_text = arena_strdup(r->arena, json_string_value(value));
    return 0;
}

/* Empty is as good as missing: none of the required ones means anything when empty. */
int read_required_string(struct reader *r, const json_t *object, const struct path *path, const char *key,
                         const char **ret_text) {
    const char *text = NULL;
    int e = read_string(r, object, path, key, &text);

    if (e < 0)
        return e;
    if (!text || text[0] == '\0')
        return read_error(r, path, key, "is missing: add it");
    *ret_text = text;
    return 0;
}

int read_int(struct reader *r, const json_t *object, const struct path *path, const char *key,
             struct read_range range, int32_t *ret_value) {
    const json_t *value = member(object, key);

    if (!value)
        return 0;
    if (!json_is_integer(value))
        return read_error(r, path, key, "must be a whole number");
    if (json_integer_value(value) < range.min || json_integer_value(value) > range.max)
        return read_error(r, path, key, "is %" JSON_INTEGER_FORMAT ": must be from %" PRId64 " to %" PRId64,
                          json_integer_value(value), range.min, range.max);
    *ret_value = (int32_t)json_integer_value(value);
    return 0;
}

/* The bounds of a duration as it may be written: no days. */
static const char *write_bound(usec_t bound, char *out) {
    if (bound % USEC_PER_HOUR != 0)
        return clock_format_duration(bound, out);
    put(out, CLOCK_TEXT_MAX, "%" PRId64 "h", bound / USEC_PER_HOUR);
    return out;
}

int read_duration(struct reader *r, const json_t *object, const struct path *path, const char *key,
                  struct read_range range, usec_t *ret_duration) {
    char low[CLOCK_TEXT_MAX], high[CLOCK_TEXT_MAX];
    const char *text = NULL;
    usec_t duration;
    int e = read_string(r, object, path, key, &text);

    if (e < 0 || !text)
        return e;
    if (clock_parse_duration(text, &duration) < 0 || duration < range.min || duration > range.max)
        return read_error(r, path, key, "must be a duration from %s to %s, for example 30s",
                          write_bound(range.min, low), write_bound(range.max, high));
    *ret_duration = duration;
    return 0;
}

/* Letters' case counts, as in the schema; the error lists what there is to choose from. */
int read_word(struct reader *r, const json_t *object, const struct path *path, const char *key,
              struct read_words words, int *ret_index) {
    char all[160];
    size_t n = 0;
    const char *text = NULL;
    int e = read_string(r, object, path, key, &text);

    if (e < 0 || !text)
        return e;
    for (int i = 0; i < words.count; i++) {
        if (strcmp(text, words.names[i]) == 0) {
            *ret_index = i;
            return 0;
        }
        n += put(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", words.names[i]);
    }
    return read_error(r, path, key, "is \"%.40s\": must be one of %s", text, all);
}

bool read_has(const json_t *object, const char *key) {
    return member(object, key) != NULL;
}

int read_quantity(struct reader *r, const json_t *object, const struct path *path, const char *key,
                  struct read_quantity *ret_quantity) {
    const json_t *value = member(object, key);
    const int64_t least = ret_quantity->above_zero ? 1 : 0;
    const char *text = NULL;
    char number[QUANTITY_TEXT_MAX];
    struct err why;
    int e = 0;

    ret_quantity->found = value != NULL;
    if (!value)
        return 0;
    if (json_is_number(value))
        text = arena_strdup(r->arena, quantity_write_number(value, number));
    else if (json_is_string(value))
        e = read_string(r, object, path, key, &text);
    if (e < 0)
        return e;
    /* 32: as the schema bounds it. */
    if (!text || strlen(text) > 32 || quantity_parse(text, &ret_quantity->milli, &why) < 0 ||
        ret_quantity->milli < least)
        return read_error(r, path, key, "must be a quantity %s, for example 100, 250m or 1.5Gi",
                          least ? "above 0" : "of 0 or more");
    ret_quantity->text = text;
    return 0;
}
