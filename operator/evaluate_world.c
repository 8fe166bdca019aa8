/* The objects of an input, sorted by kind; pods, nodes and workloads are read by the same decoder as the
 * operator's watches, so that nothing is understood in two ways.
 *
 * A world is made in two steps. First objects are added, and their lists grow and move; then world_decode
 * remembers their names and decodes them, after which nothing is added any more and pointers into the lists
 * hold. The JSON belongs to the files, what was decoded to the world. */
#include "api/types/quantity.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "informers/decode.h"
#include "operator/evaluate.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { PLACE_TEXT_MAX = 1024 };

const char *json_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

const json_t *json_path2(const json_t *object, const char *key, const char *then) {
    return json_object_get(json_object_get(object, key), then);
}

/* ---- places ---- */

const struct place *place_in(const struct place *up, const char *key, size_t index, struct arena *arena) {
    struct place *p = ARENA_NEW(arena, struct place);

    *p = (struct place){.up = up, .key = key, .index = index, .file = up->file, .document = up->document};
    return p;
}

/* The path from the document to the place: a place knows what it is in, so the way up is gone first. */
static void write_path(const struct place *place, struct buf *out) {
    if (!place->up)
        return;
    write_path(place->up, out);
    buf_printf(out, "%s%s[%zu]", out->len && *place->key ? "." : "", place->key, place->index);
}

/* The text is formatted before err is touched, so that err's own may be among the arguments. */
int place_error(const struct place *place, const char *field, struct err *err, const char *fmt, ...) {
    char text[ERR_TEXT_MAX];
    cleanup_buf struct buf path;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_init(&path, PLACE_TEXT_MAX);
    write_path(place, &path);
    buf_printf(&path, "%s%s", path.len && *field ? "." : "", field);
    size_t line = documents_line(place->file, place->document, path.data);
    if (*field)
        err_set(err, -EINVAL, "%s: %s", field, text);
    else
        err_set(err, -EINVAL, "%s", text);
    return line ? err_wrap(err, "%s:%zu", place->file->name, line) : err_wrap(err, "%s", place->file->name);
}

/* No path that the readers make has ": " in it, so the first one ends it. */
int place_wrap(const struct place *place, struct err *err) {
    char text[ERR_TEXT_MAX];
    char *colon;

    snprintf(text, sizeof(text), "%s", err->text);
    colon = strstr(text, ": ");
    if (!colon)
        return place_error(place, "", err, "%s", text);
    *colon = '\0';
    return place_error(place, text, err, "%s", colon + 2);
}

/* ---- sorting ---- */

/* By kind alone, as `kubectl get` prints them in one list; groups are not told apart. A kind that ends in
 * List and is not here is a list of objects. */
static const struct {
    const char *kind;
    enum input_kind input;
} kinds[] = {
    {"AutoscalingPolicy", INPUT_POLICY},
    {"HorizontalPodAutoscaler", INPUT_HPA},
    {"Scale", INPUT_SCALE},
    {"Pod", INPUT_POD},
    {"Node", INPUT_NODE},
    {"Deployment", INPUT_WORKLOAD},
    {"StatefulSet", INPUT_WORKLOAD},
    {"ReplicaSet", INPUT_WORKLOAD},
    {"ReplicationController", INPUT_WORKLOAD},
    {"PodMetrics", INPUT_POD_METRICS},
    {"MetricValueList", INPUT_CUSTOM},
    {"ExternalMetricValueList", INPUT_EXTERNAL},
};

static enum input_kind kind_of(const char *kind) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (str_eq(kinds[i].kind, kind))
            return kinds[i].input;
    return INPUT_OTHER;
}

void world_init(struct world *world) {
    *world = (struct world){0};
    arena_init(&world->arena, 0);
    str_pool_init(&world->pool);
}

/* The pool last of what objects need: they give their strings back to it. */
void world_done(struct world *world) {
    for (int k = 0; k < INPUT_KINDS; k++) {
        for (uint32_t i = 0; i < world->of[k].count; i++)
            object_unref(world->of[k].items[i].decoded);
        free(world->of[k].items);
    }
    map_done(&world->names);
    str_pool_done(&world->pool);
    arena_done(&world->arena);
}

/* The list may move: nothing points into it before world_decode. */
static void put(struct input_list *list, struct input_object object) {
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 16;
        list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = object;
}

/* One step of adding: how deep in lists it is, and the kind of the elements of a typed list (PodList: Pod),
 * which do not say their own: the apiserver leaves it out there, kubectl's plain List has it. */
struct adding {
    struct world *world;
    const char *element_kind;
    unsigned depth;
    struct err *err;
};

static int add(const struct adding *a, const json_t *object, const struct place *place);

static int add_items(const struct adding *a, const json_t *list, const char *kind,
                     const struct place *place) {
    struct adding inner = {.world = a->world, .depth = a->depth + 1, .err = a->err};
    const json_t *items = json_object_get(list, "items"), *item;
    size_t i;

    if (!str_eq(kind, "List"))
        inner.element_kind = arena_strndup(&a->world->arena, kind, strlen(kind) - strlen("List"));
    if (!json_is_array(items))
        return place_error(place, "items", a->err, "a list of objects is expected");
    json_array_foreach(items, i, item) {
        int ret = add(&inner, item, place_in(place, "items", i, &a->world->arena));
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int add(const struct adding *a, const json_t *object, const struct place *place) {
    const char *kind = json_text(object, "kind");

    if (!kind)
        kind = a->element_kind;
    if (!json_is_object(object) || !kind)
        return place_error(place, json_is_object(object) ? "kind" : "", a->err,
                           "a Kubernetes object with a kind is expected");
    enum input_kind input = kind_of(kind);
    if (input == INPUT_OTHER && str_ends(kind, "List"))
        return a->depth < LISTS_IN_LISTS_MAX
                   ? add_items(a, object, kind, place)
                   : place_error(place, "", a->err, "lists may stand in lists %d deep", LISTS_IN_LISTS_MAX);
    put(&a->world->of[input], (struct input_object){.json = object, .kind = kind, .place = place});
    return 0;
}

int world_add(struct world *world, const json_t *object, const struct place *place, struct err *err) {
    return add(&(struct adding){.world = world, .err = err}, object, place);
}

/* ---- names ---- */

/* A namespace has at most 63 bytes, a name 253, a kind 63: there is room to spare. */
enum { KEY_MAX = 768 };

/* The key of an object, into out; false where it is too long to be anything's. */
static bool write_key(char *out, const char *kind, const char *ns, const char *name) {
    int n = snprintf(out, KEY_MAX, "%s/%s/%s", kind, ns, name);

    return n > 0 && n < KEY_MAX;
}

/* What is counted may be there once: a file given twice would double the pods, and with PodMetrics of pods
 * that are not given themselves, weigh one of them twice. */
static bool is_counted(enum input_kind kind) {
    return kind == INPUT_POD || kind == INPUT_NODE || kind == INPUT_WORKLOAD || kind == INPUT_POD_METRICS;
}

/* -EEXIST where an object of the same kind and name is there already. Lists of metrics have no name. The name
 * is that of the JSON: it is looked up before anything has been decoded. */
static int remember_name(struct world *world, struct input_object *o) {
    const json_t *metadata = json_object_get(o->json, "metadata");
    const char *name = json_text(metadata, "name");
    char key[KEY_MAX];

    if (!name || !write_key(key, o->kind, str_or_empty(json_text(metadata, "namespace")), name))
        return 0;
    if (map_get(&world->names, key))
        return -EEXIST;
    map_put(&world->names, arena_strdup(&world->arena, key), o);
    return 0;
}

/* Pods and owners are looked up by name, thousands of times: the lists are searched once. All kinds are in
 * one map, for a scale target may be of any. */
static int remember_names(struct world *world, complain_fn *complain, void *arg) {
    struct err err = {0};

    for (int k = 0; k < INPUT_KINDS; k++)
        for (uint32_t i = 0; i < world->of[k].count; i++) {
            struct input_object *o = &world->of[k].items[i];
            if (remember_name(world, o) == 0 || !is_counted((enum input_kind)k))
                continue;
            place_error(o->place, "metadata.name", &err, "the %s %s is there twice: give it once", o->kind,
                        str_or_empty(json_string_value(json_path2(o->json, "metadata", "name"))));
            complain(arg, &err);
        }
    return err.code;
}

/* First by the whole name: an object without a namespace gives way to one that is in it. */
const struct input_object *world_find(const struct world *world, const char *kind, const char *ns,
                                      const char *name) {
    const struct input_object *found = NULL;
    char key[KEY_MAX];

    if (write_key(key, kind, ns, str_or_empty(name)))
        found = map_get(&world->names, key);
    if (!found && *ns && write_key(key, kind, "", str_or_empty(name)))
        found = map_get(&world->names, key);
    return found;
}

/* ---- decoding ---- */

struct decoding {
    struct input_list *list;
    uint32_t at; /* objects are answered in the order in which they are fed */
    complain_fn *complain;
    void *arg;
    int ret;
};

/* For each item that is fed either this is called or on_skipped, once: at is whose turn it is. */
static void on_object(void *arg, enum decode_event event, struct object *object) {
    struct decoding *d = arg;

    (void)event;
    d->list->items[d->at++].decoded = object;
}

/* The path of the first quantity among requests that cannot be read, or "". The decoder says that there is
 * one; on a cluster, where the apiserver lets none through, nobody would need to know which. */
static const char *bad_request(const json_t *resources, const char *path, struct arena *arena) {
    json_t *requests = json_object_get(resources, "requests"), *value;
    const char *key;
    int64_t milli;

    json_object_foreach(requests, key, value) {
        if (json_is_string(value) && quantity_parse(json_string_value(value), &milli, NULL) < 0)
            return arena_printf(arena, "%s.resources.requests.%s", path, key);
    }
    return "";
}

static const char *bad_quantity(const json_t *object, struct arena *arena) {
    static const char *const lists[] = {"containers", "initContainers"};
    const json_t *spec = json_object_get(object, "spec"), *item;
    const char *found = bad_request(json_object_get(spec, "resources"), "spec", arena);
    size_t i;

    for (int l = 0; l < 2 && !*found; l++) {
        json_array_foreach(json_object_get(spec, lists[l]), i, item) {
            if (!*found)
                found = bad_request(json_object_get(item, "resources"),
                                    arena_printf(arena, "spec.%s[%zu]", lists[l], i), arena);
        }
    }
    return found;
}

static void on_skipped(void *arg, const char *name, const char *why) {
    struct decoding *d = arg;
    const struct input_object *o = &d->list->items[d->at++];
    cleanup_arena struct arena arena;
    struct err err = {0};

    arena_init(&arena, 0);
    const char *field = bad_quantity(o->json, &arena);
    if (*field)
        place_error(o->place, field, &err, "a quantity is expected, such as 250m or 128Mi");
    else
        place_error(o->place, "", &err, "%s %s: %s", o->kind, name, why);
    d->complain(d->arg, &err);
    d->ret = -EINVAL;
}

static int feed(struct decoder *decoder, const char *text, struct err *err) {
    return decoder_feed(decoder, text, strlen(text), err);
}

/* All objects of a kind as one list, an item at a time: the text of all at once would double the memory. */
static int feed_list(struct decoder *decoder, const struct input_list *list, struct err *err) {
    int ret = feed(decoder, "{\"items\":[", err);

    for (uint32_t i = 0; ret == 0 && i < list->count; i++) {
        cleanup_free char *text = json_dumps(list->items[i].json, JSON_COMPACT);
        ret = i > 0 ? feed(decoder, ",", err) : 0;
        if (ret == 0)
            ret = text ? feed(decoder, text, err) : err_set(err, -EINVAL, "cannot be written as JSON");
    }
    if (ret == 0)
        ret = feed(decoder, "]}", err);
    return ret < 0 ? ret : decoder_finish(decoder, err);
}

/* One decoder for all objects of a kind. What it cannot go on after spoils the object it stopped at; those
 * behind it stay undecoded, which nobody sees, as nothing is decided in a world that was complained of. */
static int decode(struct world *world, enum input_kind input, enum object_type type, complain_fn *complain,
                  void *arg) {
    struct decoding d = {.list = &world->of[input], .complain = complain, .arg = arg};
    struct decode_handler handler = {.on_object = on_object, .on_skipped = on_skipped, .arg = &d};
    struct err err = {0};

    if (!d.list->count)
        return 0;
    struct decoder *decoder = decoder_new(DECODE_LIST, type, &world->pool, &handler);
    if (feed_list(decoder, d.list, &err) < 0 && d.at < d.list->count)
        on_skipped(&d, "", err_text(&err));
    decoder_free(decoder);
    return d.ret;
}

/* All are tried, whatever was wrong before: who mends a file wants all complaints at once. */
int world_decode(struct world *world, complain_fn *complain, void *arg) {
    int names = remember_names(world, complain, arg);
    int pods = decode(world, INPUT_POD, OBJECT_POD, complain, arg);
    int nodes = decode(world, INPUT_NODE, OBJECT_NODE, complain, arg);
    int workloads = decode(world, INPUT_WORKLOAD, OBJECT_WORKLOAD, complain, arg);

    return names < 0 ? names : pods < 0 ? pods : nodes < 0 ? nodes : workloads;
}
