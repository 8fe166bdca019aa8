/* Paths of the metrics APIs: split at the slashes, percent-decoded, and told apart by the number of parts.
 *
 * Split first and decode then: an escaped slash is a part of a name, and what rights are asked for is what is
 * looked up. The query is read when the path is known, since the same parameter means another thing in
 * another API. What an apiserver refuses, and how, is followed where people or clients would notice. */
#include "adapter/metricsroute.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* The longest path has eight parts: apis, group, version, namespaces, NAMESPACE, RESOURCE, NAME, METRIC. */
enum { PATH_BYTES_MAX = 64 * 1024, PARTS_MAX = 8 };

/* ---- percent-decoding ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decoded text in the arena; in a query a plus is a blank. */
static int decode(const char *text, size_t len, bool query, struct arena *arena, const char **ret_text,
                  struct err *err) {
    char *out = arena_strndup(arena, text, len);
    size_t n = 0;

    for (size_t i = 0; i < len; i++, n++) {
        out[n] = text[i];
        if (query && text[i] == '+')
            out[n] = ' ';
        if (text[i] != '%')
            continue;
        int high = i + 1 < len ? hex_digit(text[i + 1]) : -1, low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
        /* A NUL would hide what follows it. */
        if (high < 0 || low < 0 || high + low == 0)
            return err_set(err, -EINVAL, "bad percent-encoding at \"%.*s\"", (int)(len - i > 8 ? 8 : len - i),
                           text + i);
        out[n] = (char)(unsigned char)((unsigned)high << 4 | (unsigned)low);
        i += 2;
    }
    out[n] = '\0';
    *ret_text = out;
    return 0;
}

/* ---- the parts of the path ---- */

/* What is not UTF-8 names nothing in a cluster, and rights to it cannot even be asked for: JSON has no place
 * for it. */
static int decode_part(const char *text, size_t len, struct arena *arena, const char **ret_text,
                       struct err *err) {
    const char *part = "";
    int ret = decode(text, len, /* query= */ false, arena, &part, err);

    if (ret == 0 && !str_is_utf8(part))
        ret = err_set(err, -EINVAL, "the path is not UTF-8");
    *ret_text = part;
    return ret;
}

struct parts {
    const char *items[PARTS_MAX];
    size_t count;
};

/* A slash at the end is allowed, as the original's router has it. */
static int split(const char *path, size_t len, struct arena *arena, struct parts *ret_parts,
                 struct err *err) {
    while (len && path[len - 1] == '/')
        len--;
    for (size_t at = 0; at < len;) {
        size_t part = strcspn(path + at + 1, "/?");
        if (path[at] != '/' || part == 0 || ret_parts->count == PARTS_MAX)
            return err_set(err, -ENOENT, "no path of the metrics APIs");
        int ret = decode_part(path + at + 1, part, arena, &ret_parts->items[ret_parts->count++], err);
        if (ret < 0)
            return ret;
        at += part + 1;
    }
    return 0;
}

static int no_such_path(struct err *err) {
    return err_set(err, -ENOENT,
                   "no path of a metric: …/namespaces/NAMESPACE/RESOURCE/NAME/METRIC, "
                   "…/RESOURCE/NAME/METRIC or …/namespaces/NAMESPACE/metrics/METRIC is one");
}

/* parts: what follows the version. */
static int read_custom(const char *const *parts, size_t count, struct metrics_route *route, struct err *err) {
    /* Metrics of a namespace stand behind "metrics" alone: three parts are refused, though they could be read
     * as those of any other cluster-scoped object. */
    bool namespaced = count > 0 && str_eq(parts[0], "namespaces");

    if (namespaced && count == 5) {
        route->ns = parts[1];
        parts += 2;
    } else if (namespaced && count == 4 && str_eq(parts[2], "metrics")) {
        /* About the namespace itself. */
        route->resource = "namespaces";
        route->name = parts[1];
        route->metric = parts[3];
        return 0;
    } else if (namespaced && count == 3) {
        return err_set(err, -EINVAL,
                       "invalid request path: a metric of a namespace is asked for at "
                       "…/namespaces/NAMESPACE/metrics/METRIC");
    } else if (count != 3) {
        return no_such_path(err);
    }
    route->resource = parts[0];
    route->name = parts[1];
    route->metric = parts[2];
    return 0;
}

static int read_external(const char *const *parts, size_t count, struct metrics_route *route,
                         struct err *err) {
    if (count != 3 || !str_eq(parts[0], "namespaces"))
        return err_set(err, -ENOENT, "no path of an external metric: …/namespaces/NAMESPACE/METRIC is one");
    route->ns = parts[1];
    route->metric = parts[2];
    return 0;
}

static int read_resource(const char *const *parts, size_t count, struct metrics_route *route,
                         struct err *err) {
    if (count > 2 && str_eq(parts[0], "namespaces") && str_eq(parts[2], "pods")) {
        route->ns = parts[1];
        parts += 2;
        count -= 2;
    }
    const char *resource = count ? parts[0] : "";
    bool nodes = !route->ns && str_eq(resource, "nodes");
    /* A pod without its namespace is none. */
    bool pods = str_eq(resource, "pods") && (route->ns || count == 1);
    if ((!nodes && !pods) || count > 2)
        return err_set(err, -ENOENT,
                       "no path of resource metrics: …/nodes, …/nodes/NAME, …/pods and "
                       "…/namespaces/NAMESPACE/pods/NAME are");
    route->resource = resource;
    route->name = count == 2 ? parts[1] : NULL;
    return 0;
}

static const struct api {
    const char *group;
    const char *versions[2];
    int (*take)(const char *const *parts, size_t count, struct metrics_route *route, struct err *err);
} apis[] = {
    [ROUTE_CUSTOM] = {"custom.metrics.k8s.io", {"v1beta1", "v1beta2"}, read_custom},
    [ROUTE_EXTERNAL] = {"external.metrics.k8s.io", {"v1beta1"}, read_external},
    [ROUTE_RESOURCE] = {"metrics.k8s.io", {"v1beta1"}, read_resource},
};

static int read_parts(const struct parts *parts, struct metrics_route *route, struct err *err) {
    for (size_t i = 0; parts->count > 2 && i < sizeof(apis) / sizeof(apis[0]); i++) {
        const struct api *api = &apis[i];
        if (!str_eq(parts->items[0], "apis") || !str_eq(parts->items[1], api->group))
            continue;
        route->api = (enum metrics_route_api)i;
        route->version = parts->items[2];
        if (!str_eq(route->version, api->versions[0]) && !str_eq(route->version, api->versions[1]))
            return err_set(err, -ENOENT, "there is no %s of %s", route->version, api->group);
        return api->take(parts->items + 3, parts->count - 3, route, err);
    }
    return err_set(err, -ENOENT,
                   "no path of the metrics APIs: they begin with /apis/custom.metrics.k8s.io/, "
                   "/apis/external.metrics.k8s.io/ and /apis/metrics.k8s.io/");
}

/* ---- the query ---- */

static int read_selector(const char *name, const char *text, struct arena *arena,
                         struct selector *ret_selector, struct err *err) {
    return selector_parse(text, arena, ret_selector, err) < 0 ? err_wrap(err, "%s", name) : 0;
}

/* PromQL cannot compare labels as numbers. The original answers 404 or 500; but the request is wrong. */
static int read_metric_selector(const char *name, const char *text, struct arena *arena,
                                struct selector *ret_selector, struct err *err) {
    int ret = read_selector(name, text, arena, ret_selector, err);

    for (uint32_t i = 0; ret == 0 && i < ret_selector->count; i++)
        if (ret_selector->terms[i].op == SELECTOR_GREATER || ret_selector->terms[i].op == SELECTOR_LESS)
            ret = err_set(err, -EINVAL, "%s: a metric's labels cannot be compared with > and <", name);
    return ret;
}

/* A backslash stands before a comma, an equals sign and itself, which may stand in a value only so
 * (UnescapeValue of apimachinery's fields). */
static int unescape(const char *text, size_t len, struct arena *arena, const char **ret_value,
                    struct err *err) {
    char *out = arena_strndup(arena, text, len);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bool escaped = text[i] == '\\';
        i += escaped;
        bool special = i < len && strchr("\\,=", text[i]);
        if (escaped != special)
            return err_set(err, -EINVAL,
                           "fieldSelector: \"%.*s\" is no value: \\, , and = need a \\ before them",
                           (int)(len > 80 ? 80 : len), text);
        out[n++] = text[i];
    }
    out[n] = '\0';
    *ret_value = out;
    return 0;
}

/* The first operator ends the key; a "!" without "=" behind it is of the key, which then is not known. */
static int read_field(const char *text, size_t len, struct arena *arena, struct selector_term *term,
                      struct err *err) {
    size_t at = 0;

    while (at < len && text[at] != '=' && (text[at] != '!' || at + 1 == len || text[at + 1] != '='))
        at++;
    const char *key = arena_strndup(arena, text, at);
    if (at == len)
        return err_set(err, -EINVAL, "fieldSelector: %s needs one of =, == and !=", key);
    if (!str_eq(key, "metadata.name") && !str_eq(key, "metadata.namespace"))
        return err_set(err, -EINVAL,
                       "\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                       key);
    size_t value = at + 1 + (text[at] == '!' || (at + 1 < len && text[at + 1] == '='));
    *term = (struct selector_term){.key = key,
                                   .op = text[at] == '!' ? SELECTOR_NOT_IN : SELECTOR_IN,
                                   .equality = true,
                                   .count = 1,
                                   .values = ARENA_ARRAY(arena, const char *, 1)};
    return unescape(text + value, len - value, arena, &term->values[0], err);
}

/* The grammar of apimachinery's fields: any bytes may stand in a value, and nothing between two commas. The
 * words are the apiserver's. */
static int read_fields(const char *text, struct arena *arena, struct selector *ret_fields, struct err *err) {
    /* A term takes a character at least, and all but the last a comma. */
    struct selector fields = {.terms = ARENA_ARRAY(arena, struct selector_term, strlen(text) / 2 + 1)};

    for (size_t at = 0, len; text[at]; at += len + (text[at + len] == ',')) {
        for (len = 0; text[at + len] && text[at + len] != ','; len++)
            len += text[at + len] == '\\' && text[at + len + 1];
        int ret = len ? read_field(text + at, len, arena, &fields.terms[fields.count], err) : 0;
        if (ret < 0)
            return ret;
        fields.count += len > 0;
    }
    *ret_fields = fields;
    return 0;
}

/* What a list of the apiserver takes, and this one with it; others are passed over. */
enum parameter { LABELS, METRIC_LABELS, FIELDS, LIMIT, TIMEOUT, WATCH, PARAMETERS };

static const char *const parameter_names[PARAMETERS] = {
    [LABELS] = "labelSelector",   [METRIC_LABELS] = "metricLabelSelector",
    [FIELDS] = "fieldSelector",   [LIMIT] = "limit",
    [TIMEOUT] = "timeoutSeconds", [WATCH] = "watch"};

static int check_number(const char *name, const char *value, struct err *err) {
    int64_t number;

    return str_to_i64(value, &number) < 0 ? err_set(err, -EINVAL, "%s: \"%.80s\" is no number", name, value)
                                          : 0;
}

/* Lists are given whole, at once: limit and timeoutSeconds only have to be numbers, as there. */
static int read_parameter(enum parameter parameter, const char *value, struct arena *arena,
                          struct metrics_route *route, struct err *err) {
    const char *name = parameter_names[parameter];
    /* An external metric has no objects: there the one selector is that of its labels. */
    bool external = route->api == ROUTE_EXTERNAL;

    switch (parameter) {
    case LABELS:
        if (external)
            return read_metric_selector(name, value, arena, &route->metric_labels, err);
        route->labels_text = value;
        return read_selector(name, value, arena, &route->labels, err);
    case METRIC_LABELS:
        return external ? 0 : read_metric_selector(name, value, arena, &route->metric_labels, err);
    case FIELDS:
        return read_fields(value, arena, &route->fields, err);
    case LIMIT:
    case TIMEOUT:
        return check_number(name, value, err);
    case WATCH: /* as Convert_Slice_string_To_bool of apimachinery: also an empty text is true */
        route->watch = strcasecmp(value, "false") != 0 && !str_eq(value, "0");
        return 0;
    case PARAMETERS:
        break;
    }
    return 0;
}

/* Of several of one name the first counts, as for the apiserver; given: a bit for each that has been there.
 */
static int take_parameter(const char *name, const char *value, struct arena *arena, unsigned *given,
                          struct metrics_route *route, struct err *err) {
    for (enum parameter p = 0; p < PARAMETERS; p++) {
        if (!str_eq(name, parameter_names[p]))
            continue;
        bool again = *given & 1U << p;
        *given |= 1U << p;
        return again ? 0 : read_parameter(p, value, arena, route, err);
    }
    return 0;
}

static int read_query(const char *query, struct arena *arena, struct metrics_route *route, struct err *err) {
    unsigned given = 0;
    int ret = 0;

    while (ret == 0 && *query) {
        size_t len = strcspn(query, "&"), name_len = strcspn(query, "=&");
        const char *name = "", *value = "";
        size_t skip = name_len + (query[name_len] == '=');
        ret = decode(query, name_len, /* query= */ true, arena, &name, err);
        if (ret == 0)
            ret = decode(query + skip, len - skip, /* query= */ true, arena, &value, err);
        if (ret == 0)
            ret = take_parameter(name, value, arena, &given, route, err);
        query += len + (query[len] == '&');
    }
    return ret;
}

/* Of a custom metric the path has the name, be it "*", and a field selector may only repeat it; in the words
 * of the apiserver's own handler. */
static int check_name(const struct metrics_route *route, struct err *err) {
    const char *named = NULL;

    if (route->api != ROUTE_CUSTOM || route->fields.count == 0)
        return 0;
    for (uint32_t i = 0; i < route->fields.count; i++) {
        /* It reads its terms in order of their text: of several names the least is the one that counts. */
        const struct selector_term *term = &route->fields.terms[i];
        bool is_name = str_eq(term->key, "metadata.name") && term->op == SELECTOR_IN;
        if (is_name && (!named || strcmp(term->values[0], named) < 0))
            named = term->values[0];
    }
    return str_eq(named, route->name)
               ? 0
               : err_set(err, -EINVAL, "fieldSelector metadata.name doesn't match requested name");
}

/* The original's lists refuse to be watched, but for those of custom metrics, which do not look. */
static int check_watch(const struct metrics_route *route, struct err *err) {
    if (!route->watch || route->api == ROUTE_CUSTOM)
        return 0;
    return err_set(err, -EOPNOTSUPP, "watch is not supported on resources of kind \"%s.%s\"",
                   route->resource ? route->resource : "externalmetrics", apis[route->api].group);
}

int metrics_route_read(const char *path, struct arena *arena, struct metrics_route *ret_route,
                       struct err *err) {
    size_t len = strcspn(path, "?");
    struct metrics_route route = {0};
    struct parts parts = {0};

    if (strlen(path) > PATH_BYTES_MAX)
        return err_set(err, -E2BIG, "the path is longer than %d bytes", PATH_BYTES_MAX);
    int ret = split(path, len, arena, &parts, err);
    if (ret == 0)
        ret = read_parts(&parts, &route, err);
    /* Who asks for one object of RESOURCE by its name gets it: nothing of the query selects, nor is it read.
     */
    bool named = route.api == ROUTE_RESOURCE && route.name;
    if (ret == 0 && path[len] == '?' && !named)
        ret = read_query(path + len + 1, arena, &route, err);
    if (ret == 0)
        ret = check_name(&route, err);
    if (ret == 0)
        ret = check_watch(&route, err);
    if (ret < 0)
        return ret;
    /* Only a custom metric has all objects at a name; elsewhere no object is called so. */
    if (route.api == ROUTE_CUSTOM && str_eq(route.name, "*"))
        route.name = NULL;
    *ret_route = route;
    return 0;
}

static bool field_selects(const struct selector_term *term, const struct object *object) {
    const char *value = str_eq(term->key, "metadata.name") ? object->name : object->ns;
    bool equal = str_eq(term->values[0], str_or_empty(value));

    return equal == (term->op == SELECTOR_IN);
}

bool metrics_route_selects(const struct metrics_route *route, const struct object *object) {
    for (uint32_t i = 0; i < route->fields.count; i++)
        if (!field_selects(&route->fields.terms[i], object))
            return false;
    return selector_matches(&route->labels, object->labels);
}
