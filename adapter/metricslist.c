/* The streaming reader of metric lists: a stack of places in the document, and the element being read.
 *
 * jsonfeed leads it through the document by the tables below. An element is gathered in item, whose texts and
 * containers go to the table's arena as they come; when it is closed, it is copied there itself and put into
 * the map. Fields come in any order, kind behind items as well, so that a list of the wrong kind may have
 * been read whole before it is known. Memory is bounded by the arena: on_enter and on_key look at it, and
 * what is taken between two of them is small. */
#include "adapter/metricslist.h"

#include "adapter/jsonfeed.h"
#include "api/types/quantity.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

enum { NAME_MAX_LEN = 253, ITEMS_MAX = 200 * 1000 };
/* A namespace of 10,000 pods of four containers takes about 6 MiB; ITEMS_MAX bounds what is not in the arena,
 * the map of items. */
static const size_t TABLE_MAX = (size_t)64 << 20;
/* metricServerDefaultMetricWindow of HPA's metrics/client.go. */
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
static const struct jsonfeed_field fields[] = {
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

/* What may be opened where, and where that leads. */
static const struct jsonfeed_opening openings[] = {
    {AT_TOP, FIELD_OTHER, JSONFEED_MAP, AT_ROOT},
    {AT_ROOT, FIELD_ITEMS, JSONFEED_LIST, AT_ITEMS},
    {AT_ROOT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_ITEMS, FIELD_OTHER, JSONFEED_MAP, AT_ITEM},
    {AT_ITEM, FIELD_NAMES, JSONFEED_MAP, AT_NAMES},
    {AT_ITEM, FIELD_CONTAINERS, JSONFEED_LIST, AT_CONTAINERS},
    {AT_ITEM, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_NAMES, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_CONTAINERS, FIELD_OTHER, JSONFEED_MAP, AT_CONTAINER},
    {AT_CONTAINER, FIELD_USAGE, JSONFEED_MAP, AT_USAGE},
    {AT_CONTAINER, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_SKIPPED, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
};

struct metricslist {
    struct jsonfeed feed;
    enum metricslist_kind kind;
    struct metrics_table *table;
    bool has_items;

    /* The element being read. */
    struct metrics_item item;
    bool has_value, has_window;
    struct metrics_container *container;
    const char *resource; /* the name whose quantity comes next */
};

static const struct {
    const char *name, *what; /* the kind, and as it stands in a sentence */
} kinds[] = {
    [LIST_POD_METRICS] = {"PodMetricsList", "a PodMetricsList"},
    [LIST_METRIC_VALUES] = {"MetricValueList", "a MetricValueList"},
    [LIST_EXTERNAL_VALUES] = {"ExternalMetricValueList", "an ExternalMetricValueList"},
};

static int wrong(struct metricslist *p, const char *what) {
    return jsonfeed_wrong(&p->feed, "%s", what);
}

static int too_many(struct metricslist *p) {
    return jsonfeed_fail(&p->feed, -E2BIG, "the answer has too many elements");
}

/* HPA's sums wrap round: a load past the end would be a negative one, and scale down. */
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
    const char *want = kinds[p->kind].name;

    if (strlen(want) == len && memcmp(want, text, len) == 0)
        return 1;
    return jsonfeed_fail(&p->feed, -EBADMSG, "the answer is a %.*s, not %s", len < 60 ? (int)len : 60, text,
                         kinds[p->kind].what);
}

static int read_time(struct metricslist *p, const char *text) {
    if (clock_parse(text, &p->item.at) < 0)
        return wrong(p, "a timestamp is not of RFC 3339");
    return 1;
}

/* Seconds as a number, or a duration such as "1m0s". 0 counts as given: DEFAULT_WINDOW is for who says
 * nothing. */
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
    struct metricslist_usage *usage = ARENA_NEW(&p->table->arena, struct metricslist_usage);

    *usage = (struct metricslist_usage){.next = p->container->usages, .resource = p->resource};
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

/* Quantities and windows may be strings or numbers; everything else that means something is a string. The
 * copy is for the NUL: a text of yajl's has none. */
static int read_short(struct metricslist *p, const char *text, size_t len, bool number) {
    char copy[QUANTITY_TEXT_MAX * 2];

    if (len >= sizeof(copy))
        return wrong(p, "a field is too long");
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (p->feed.field == FIELD_WINDOW)
        return read_window(p, copy, number);
    if (p->feed.field == FIELD_RESOURCE)
        return read_usage(p, copy);
    if (p->feed.field == FIELD_TIMESTAMP && !number)
        return read_time(p, copy);
    if (p->feed.field != FIELD_VALUE)
        return wrong(p, "a field has the wrong type");
    p->has_value = true;
    return read_quantity(p, copy, &p->item.milli);
}

/* Whether only objects may stand here, or nothing at all. */
static bool takes_no_scalar(int place) {
    return place == AT_TOP || place == AT_ITEMS || place == AT_CONTAINERS;
}

static int on_text(struct metricslist *p, const char *text, size_t len, bool number) {
    if (p->feed.field == FIELD_OTHER)
        return !takes_no_scalar(p->feed.place) || wrong(p, "a text stands where an object should");
    if (p->feed.field == FIELD_KIND && !number)
        return read_kind(p, text, len);
    if (p->feed.field == FIELD_NAME && !number)
        return read_name(p, text, len);
    if (p->feed.field == FIELD_CONTAINER_NAME && !number)
        return read_container_name(p, text, len);
    return read_short(p, text, len, number);
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct metricslist *p = arg;
    bool object_only = takes_no_scalar(p->feed.place);

    switch (token) {
    case JSONFEED_NULL: /* is nothing, as Go decodes it */
        p->has_items |= p->feed.field == FIELD_ITEMS;
        return !object_only || wrong(p, "null stands where an object should");
    case JSONFEED_BOOLEAN:
        return (p->feed.field == FIELD_OTHER && !object_only) || wrong(p, "a field has the wrong type");
    case JSONFEED_NUMBER:
    case JSONFEED_STRING:
    default:
        return on_text(p, text, len, token == JSONFEED_NUMBER);
    }
}

/* Starts what was just opened. */
static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct metricslist *p = arg;

    if (p->table->arena.used > TABLE_MAX)
        return too_many(p);
    if (opening->inside == AT_ITEMS) {
        p->has_items = true;
    } else if (opening->inside == AT_ITEM) {
        p->item = (struct metrics_item){.name = ""};
        p->has_value = p->has_window = false;
    } else if (opening->inside == AT_CONTAINER) {
        p->container = ARENA_NEW(&p->table->arena, struct metrics_container);
        *p->container = (struct metrics_container){.next = p->item.containers, .name = ""};
        p->item.containers = p->container;
    }
    return 1;
}

/* The element is whole: into the table. */
static int item_done(struct metricslist *p) {
    struct metrics_table *t = p->table;

    if (++t->count > ITEMS_MAX)
        return too_many(p);
    t->newest = p->item.at > t->newest ? p->item.at : t->newest;
    if (p->kind != LIST_POD_METRICS && !p->has_value)
        return wrong(p, "an element has no value");
    t->sum = add_saturating(t->sum, p->item.milli);
    /* These have no names: the sum is all that is asked of them. */
    if (p->kind == LIST_EXTERNAL_VALUES)
        return 1;
    if (p->kind == LIST_METRIC_VALUES && !p->has_window)
        p->item.window = DEFAULT_WINDOW;
    struct metrics_item *item = ARENA_NEW(&t->arena, struct metrics_item);
    *item = p->item;
    map_put(&t->items, item->name, item);
    return 1;
}

static int on_leave(void *arg, int place) {
    return place == AT_ITEM ? item_done(arg) : 1;
}

static int on_key(void *arg, const char *name, size_t len) {
    struct metricslist *p = arg;

    /* A container may have any number of usages, and none of them opens anything. */
    if (p->table->arena.used > TABLE_MAX)
        return too_many(p);
    if (p->feed.place != AT_USAGE)
        return 1;
    if (len > NAME_MAX_LEN)
        return wrong(p, "a resource's name is longer than 253 bytes");
    p->feed.field = FIELD_RESOURCE;
    p->resource = word(p->table, name, len);
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

/* The newest is in front: of a name that is there twice the last counts, as Go decodes it. */
static const struct metricslist_usage *find_usage(const struct metrics_container *c, const char *resource) {
    const struct metricslist_usage *u = c->usages;

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
        const struct metricslist_usage *usage = find_usage(c, resource);
        /* HPA leaves out the whole pod then: a part of the sum would look like a pod at rest. */
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
    static const struct jsonfeed_grammar grammar = {JSONFEED_TABLES(fields, openings), on_scalar, on_enter,
                                                    on_leave, on_key};
    struct metricslist *p = XNEW(struct metricslist);

    p->kind = kind;
    p->table = XNEW(struct metrics_table);
    arena_init(&p->table->arena, (size_t)32 << 10);
    map_init(&p->table->items);
    map_init(&p->table->words);
    jsonfeed_init(&p->feed, &grammar, p, kinds[kind].what, max_bytes);
    return p;
}

void metricslist_free(struct metricslist *list) {
    if (!list)
        return;
    jsonfeed_done(&list->feed);
    metrics_table_free(list->table);
    free(list);
}

int metricslist_feed(struct metricslist *list, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&list->feed, data, len, err);
}

int metricslist_finish(struct metricslist *list, struct metrics_table **ret_table, struct err *err) {
    int ret = jsonfeed_finish(&list->feed, err);

    if (ret < 0)
        return ret;
    /* An object of another kind that does not tell its kind, such as {}, must not pass for an empty list. */
    if (!list->has_items) {
        wrong(list, "it has no items");
        return jsonfeed_failure(&list->feed, err);
    }
    *ret_table = steal_ptr(&list->table);
    return 0;
}
