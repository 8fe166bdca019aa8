/* The streaming reader of metric lists: a stack of places in the document, and the element being read. */
#include "adapter/metricslist.h"

#include "api/types/quantity.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum { DEPTH_MAX = 32, NAME_MAX_LEN = 253, ITEMS_MAX = 200 * 1000 };
/* A namespace of 10,000 pods of four containers takes about 6 MiB. */
static const size_t TABLE_MAX = (size_t)64 << 20;
static const usec_t DEFAULT_WINDOW = USEC_PER_MIN;

/* Where in the document the reader is. */
enum place {
    AT_TOP,
    AT_ROOT,
    AT_ITEMS,
    AT_ITEM,
    AT_NAMES, /* metadata of a pod, describedObject of a value */
    AT_CONTAINERS,
    AT_CONTAINER,
    AT_USAGE,
    AT_SKIPPED, /* somewhere below a field that does not matter */
};

enum field {
    FIELD_OTHER,
    FIELD_KIND,
    FIELD_ITEMS,
    FIELD_NAMES,
    FIELD_NAME,
    FIELD_TIMESTAMP,
    FIELD_WINDOW,
    FIELD_VALUE,
    FIELD_CONTAINERS,
    FIELD_CONTAINER_NAME,
    FIELD_USAGE,
    FIELD_RESOURCE, /* any name in usage */
};

/* Which fields mean something where. v1beta1 calls windowSeconds window, and in PodMetrics that is a duration
 * in words. */
static const struct {
    const char *name;
    enum place place;
    enum field field;
} fields[] = {
    {"kind", AT_ROOT, FIELD_KIND},
    {"items", AT_ROOT, FIELD_ITEMS},
    {"metadata", AT_ITEM, FIELD_NAMES},
    {"describedObject", AT_ITEM, FIELD_NAMES},
    {"name", AT_NAMES, FIELD_NAME},
    {"timestamp", AT_ITEM, FIELD_TIMESTAMP},
    {"window", AT_ITEM, FIELD_WINDOW},
    {"windowSeconds", AT_ITEM, FIELD_WINDOW},
    {"value", AT_ITEM, FIELD_VALUE},
    {"containers", AT_ITEM, FIELD_CONTAINERS},
    {"name", AT_CONTAINER, FIELD_CONTAINER_NAME},
    {"usage", AT_CONTAINER, FIELD_USAGE},
};

/* What may be opened where, and where that leads; what is not here leads to AT_SKIPPED where the field means
 * nothing, and is an error where it does. */
static const struct {
    enum place place;
    enum field field;
    bool map;
    enum place inside;
} openings[] = {
    {AT_TOP, FIELD_OTHER, true, AT_ROOT},
    {AT_ROOT, FIELD_ITEMS, false, AT_ITEMS},
    {AT_ITEMS, FIELD_OTHER, true, AT_ITEM},
    {AT_ITEM, FIELD_NAMES, true, AT_NAMES},
    {AT_ITEM, FIELD_CONTAINERS, false, AT_CONTAINERS},
    {AT_CONTAINERS, FIELD_OTHER, true, AT_CONTAINER},
    {AT_CONTAINER, FIELD_USAGE, true, AT_USAGE},
};

struct metricslist {
    yajl_handle yajl;
    enum metricslist_kind kind;
    size_t bytes, max_bytes;
    struct err failure; /* the first one; nothing is read after it */
    struct metrics_table *table;

    enum place places[DEPTH_MAX];
    int depth;        /* places[depth] is where we are */
    enum field field; /* of the innermost object */
    bool has_items;

    /* The element being read. */
    struct metrics_item item;
    bool has_value, has_window;
    struct metrics_container *container;
    const char *resource; /* the name whose quantity comes next */
};

static const char *kind_name(enum metricslist_kind kind) {
    static const char *const names[] = {"PodMetricsList", "MetricValueList", "ExternalMetricValueList"};
    return names[kind];
}

/* Keeps the first failure and gives yajl's "stop". */
static int fail(struct metricslist *p, int code, const char *text) {
    if (!p->failure.code)
        err_set(&p->failure, code, "%s", text);
    return 0;
}

static int wrong(struct metricslist *p, const char *what) {
    if (!p->failure.code)
        err_set(&p->failure, -EBADMSG, "the answer is not a %s: %s", kind_name(p->kind), what);
    return 0;
}

static int64_t add_saturating(int64_t a, int64_t b) {
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return a > 0 ? INT64_MAX : INT64_MIN;
}

/* Names of containers and resources repeat from pod to pod. */
static const char *word(struct metrics_table *t, const char *text, size_t len) {
    char *known = map_get_n(&t->words, text, len);

    if (known)
        return known;
    known = arena_strndup(&t->arena, text, len);
    map_put(&t->words, known, known);
    return known;
}

static int read_kind(struct metricslist *p, const char *text, size_t len) {
    const char *want = kind_name(p->kind);

    if (strlen(want) == len && memcmp(want, text, len) == 0)
        return 1;
    if (!p->failure.code)
        err_set(&p->failure, -EBADMSG, "the answer is a %.*s, not a %s", len < 60 ? (int)len : 60, text,
                want);
    return 0;
}

static int read_time(struct metricslist *p, const char *text) {
    if (clock_parse(text, &p->item.at) < 0)
        return wrong(p, "a timestamp is not of RFC 3339");
    return 1;
}

/* Seconds as a number, or a duration such as "1m0s". */
static int read_window(struct metricslist *p, const char *text, bool number) {
    int64_t seconds = 0;

    p->has_window = true;
    if (!number) {
        if (clock_parse_duration(text, &p->item.window) < 0)
            return wrong(p, "a window is not a duration");
    } else if (str_to_i64(text, &seconds) < 0 || seconds < 0 || seconds > INT32_MAX) {
        return wrong(p, "a window is not a number of seconds");
    } else {
        p->item.window = seconds * USEC_PER_SEC;
    }
    return 1;
}

static int read_quantity(struct metricslist *p, const char *text, int64_t *ret_milli) {
    struct err err = {0};

    if (quantity_parse(text, ret_milli, &err) < 0)
        return wrong(p, err.text);
    return 1;
}

static int read_usage(struct metricslist *p, const char *text) {
    struct metrics_usage *usage = ARENA_NEW(&p->table->arena, struct metrics_usage);

    *usage = (struct metrics_usage){.next = p->container->usages, .resource = p->resource};
    p->container->usages = usage;
    return read_quantity(p, text, &usage->milli);
}

static int read_name(struct metricslist *p, const char *text, size_t len) {
    if (len > NAME_MAX_LEN)
        return wrong(p, "a name is longer than 253 bytes");
    p->item.name = arena_strndup(&p->table->arena, text, len);
    return 1;
}

static int read_container_name(struct metricslist *p, const char *text, size_t len) {
    if (len > NAME_MAX_LEN)
        return wrong(p, "a container's name is longer than 253 bytes");
    p->container->name = word(p->table, text, len);
    return 1;
}

/* Quantities and windows may be strings or numbers; everything else that means something is a string. */
static int read_short(struct metricslist *p, const char *text, size_t len, bool number) {
    char copy[QUANTITY_TEXT_MAX * 2];

    if (len >= sizeof(copy))
        return wrong(p, "a field is too long");
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (p->field == FIELD_WINDOW)
        return read_window(p, copy, number);
    if (p->field == FIELD_RESOURCE)
        return read_usage(p, copy);
    if (p->field == FIELD_TIMESTAMP && !number)
        return read_time(p, copy);
    if (p->field != FIELD_VALUE)
        return wrong(p, "a field has the wrong type");
    p->has_value = true;
    return read_quantity(p, copy, &p->item.milli);
}

/* Whether only objects may stand here, or nothing at all. */
static bool takes_no_scalar(enum place place) {
    return place == AT_TOP || place == AT_ITEMS || place == AT_CONTAINERS;
}

static int on_text(struct metricslist *p, const char *text, size_t len, bool number) {
    if (p->field == FIELD_OTHER)
        return !takes_no_scalar(p->places[p->depth]) || wrong(p, "a text stands where an object should");
    if (p->field == FIELD_KIND && !number)
        return read_kind(p, text, len);
    if (p->field == FIELD_NAME && !number)
        return read_name(p, text, len);
    if (p->field == FIELD_CONTAINER_NAME && !number)
        return read_container_name(p, text, len);
    return read_short(p, text, len, number);
}

/* null is nothing, as Go decodes it. */
static int on_null(void *ctx) {
    struct metricslist *p = ctx;

    p->has_items |= p->field == FIELD_ITEMS;
    return !takes_no_scalar(p->places[p->depth]) || wrong(p, "null stands where an object should");
}
static int on_boolean(void *ctx, int value) {
    struct metricslist *p = ctx;

    (void)value;
    return (p->field == FIELD_OTHER && !takes_no_scalar(p->places[p->depth])) ||
           wrong(p, "a field has the wrong type");
}
static int on_number(void *ctx, const char *text, size_t len) {
    return on_text(ctx, text, len, true);
}
static int on_string(void *ctx, const unsigned char *text, size_t len) {
    return on_text(ctx, (const char *)text, len, false);
}

/* Starts what was just opened. */
static int enter(struct metricslist *p, enum place place) {
    if (place == AT_ITEMS) {
        p->has_items = true;
    } else if (place == AT_ITEM) {
        p->item = (struct metrics_item){.name = ""};
        p->has_value = p->has_window = false;
    } else if (place == AT_CONTAINER) {
        p->container = ARENA_NEW(&p->table->arena, struct metrics_container);
        *p->container = (struct metrics_container){.next = p->item.containers, .name = ""};
        p->item.containers = p->container;
    }
    return 1;
}

static int on_open(struct metricslist *p, bool map) {
    enum place here = p->places[p->depth];
    enum field field = p->field;

    if (p->depth + 1 >= DEPTH_MAX)
        return fail(p, -E2BIG, "the answer is nested too deeply");
    if (p->table->arena.used > TABLE_MAX)
        return fail(p, -E2BIG, "the answer has too many elements");
    p->field = FIELD_OTHER;
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++)
        if (openings[i].place == here && openings[i].field == field && openings[i].map == map) {
            p->places[++p->depth] = openings[i].inside;
            return enter(p, openings[i].inside);
        }
    if (field != FIELD_OTHER || here == AT_TOP || here == AT_ITEMS || here == AT_CONTAINERS)
        return wrong(p, "an object or a list stands where there should be none");
    p->places[++p->depth] = AT_SKIPPED;
    return 1;
}

static int on_start_map(void *ctx) {
    return on_open(ctx, true);
}
static int on_start_array(void *ctx) {
    return on_open(ctx, false);
}

/* The element is whole: into the table. */
static int item_done(struct metricslist *p) {
    struct metrics_table *t = p->table;

    if (++t->count > ITEMS_MAX)
        return fail(p, -E2BIG, "the answer has too many elements");
    t->newest = p->item.at > t->newest ? p->item.at : t->newest;
    if (p->kind != LIST_POD_METRICS && !p->has_value)
        return wrong(p, "an element has no value");
    t->sum = add_saturating(t->sum, p->item.milli);
    if (p->kind == LIST_EXTERNAL_VALUES)
        return 1;
    if (p->kind == LIST_METRIC_VALUES && !p->has_window)
        p->item.window = DEFAULT_WINDOW;
    struct metrics_item *item = ARENA_NEW(&t->arena, struct metrics_item);
    *item = p->item;
    map_put(&t->items, item->name, item);
    return 1;
}

static int on_close(void *ctx) {
    struct metricslist *p = ctx;
    enum place left = p->places[p->depth--];

    p->field = FIELD_OTHER;
    return left == AT_ITEM ? item_done(p) : 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t len) {
    struct metricslist *p = ctx;
    enum place here = p->places[p->depth];
    const char *name = (const char *)key;

    p->field = FIELD_OTHER;
    if (len > NAME_MAX_LEN && here == AT_USAGE)
        return wrong(p, "a resource's name is longer than 253 bytes");
    if (p->table->arena.used > TABLE_MAX)
        return fail(p, -E2BIG, "the answer has too many elements");
    if (here == AT_USAGE) {
        p->field = FIELD_RESOURCE;
        p->resource = word(p->table, name, len);
        return 1;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].place == here && strlen(fields[i].name) == len &&
            memcmp(fields[i].name, name, len) == 0)
            p->field = fields[i].field;
    return 1;
}

void metrics_table_free(struct metrics_table *table) {
    if (!table)
        return;
    map_done(&table->items);
    map_done(&table->words);
    arena_done(&table->arena);
    free(table);
}

static const struct metrics_usage *find_usage(const struct metrics_container *c, const char *resource) {
    const struct metrics_usage *u = c->usages;

    while (u && strcmp(u->resource, resource) != 0)
        u = u->next;
    return u;
}

bool metrics_item_usage(const struct metrics_item *item, const char *resource, const char *container,
                        int64_t *ret_milli) {
    int64_t sum = 0;
    bool any = false;

    for (const struct metrics_container *c = item->containers; c; c = c->next) {
        if (container && strcmp(c->name, container) != 0)
            continue;
        const struct metrics_usage *usage = find_usage(c, resource);
        if (!usage)
            return false;
        sum = add_saturating(sum, usage->milli);
        any = true;
    }
    if (any)
        *ret_milli = sum;
    return any;
}

struct metricslist *metricslist_new(enum metricslist_kind kind, size_t max_bytes) {
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_close,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_close,
    };
    struct metricslist *p = XNEW(struct metricslist);

    p->kind = kind;
    p->max_bytes = max_bytes;
    p->table = XNEW(struct metrics_table);
    arena_init(&p->table->arena, (size_t)32 << 10);
    map_init(&p->table->items);
    map_init(&p->table->words);
    p->yajl = yajl_alloc(&callbacks, NULL, p);
    if (!p->yajl)
        fail(p, -ENOMEM, "no memory for the JSON parser");
    return p;
}

void metricslist_free(struct metricslist *list) {
    if (!list)
        return;
    if (list->yajl)
        yajl_free(list->yajl);
    metrics_table_free(list->table);
    free(list);
}

int metricslist_feed(struct metricslist *list, const char *data, size_t len, struct err *err) {
    struct metricslist *p = list;
    size_t room = p->max_bytes - p->bytes;
    size_t taken = len < room ? len : room;

    p->bytes += taken;
    if (!p->failure.code && yajl_parse(p->yajl, (const unsigned char *)data, taken) != yajl_status_ok)
        fail(p, -EBADMSG, "the answer is not JSON");
    if (!p->failure.code && taken < len)
        err_set(&p->failure, -E2BIG, "the answer is larger than %zu bytes", p->max_bytes);
    return p->failure.code ? err_set(err, p->failure.code, "%s", p->failure.text) : 0;
}

int metricslist_finish(struct metricslist *list, struct metrics_table **ret_table, struct err *err) {
    struct metricslist *p = list;

    if (!p->failure.code && yajl_complete_parse(p->yajl) != yajl_status_ok)
        fail(p, -EBADMSG, p->bytes ? "the answer is not JSON, or cut short" : "the answer is empty");
    if (!p->failure.code && !p->has_items)
        wrong(p, "it has no items");
    if (p->failure.code)
        return err_set(err, p->failure.code, "%s", p->failure.text);
    *ret_table = steal_ptr(&p->table);
    return 0;
}
