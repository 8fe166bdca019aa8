/* Series from a scrape's text or from Prometheus' answers, in one list.
 *
 * A list may be a million series long, so each costs little: its struct, and two pointers a label. Texts are
 * shared, and lie with the labels in one arena that goes as a whole. */
#include "adapter/goquote.h"
#include "adapter/promseries.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules.h"

#include <errno.h>
#include <string.h>

/* Those of a sample, and room for those of its target. */
enum { LABELS_MAX = EXPOSITION_LABELS_MAX * 2 };

void series_list_init(struct series_list *list) {
    *list = (struct series_list){0};
    arena_init(&list->arena, 64 * 1024);
    map_init(&list->texts);
}

void series_list_done(struct series_list *list) {
    map_done(&list->texts);
    arena_done(&list->arena);
    free(list->items);
}

/* A hundred thousand series have few different texts among them: names of metrics, labels and pods come again
 * and again. The map's key is its value. */
static const char *share(struct series_list *list, const char *text) {
    char *shared = map_get(&list->texts, text);

    if (!shared) {
        shared = arena_strdup(&list->arena, text);
        map_put(&list->texts, shared, shared);
    }
    return shared;
}

/* Copies; labels are sorted already. */
static int add(struct series_list *list, const struct series *series, struct err *err) {
    struct series_label *labels;

    if (list->count == RULES_SERIES_MAX)
        return err_set(err, -E2BIG, "more than %d series", RULES_SERIES_MAX);
    labels = ARENA_ARRAY(&list->arena, struct series_label, series->label_count + 1);
    for (uint32_t i = 0; i < series->label_count; i++)
        labels[i] =
            (struct series_label){share(list, series->labels[i].name), share(list, series->labels[i].value)};
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = (struct series){share(list, series->name), series->label_count, labels};
    return 0;
}

static int compare_labels(const void *a, const void *b) {
    return strcmp(((const struct series_label *)a)->name, ((const struct series_label *)b)->name);
}

/* ---- a scrape ---- */

struct scrape {
    struct series_list *list;
    const struct series *target;
    struct err *err;
};

/* The order in which labels were given is gone with the sort, which compare_series relies on. An empty value
 * is no label in Prometheus: there the target's own takes its place. */
static int on_sample(void *arg, const struct exposition_sample *sample) {
    struct scrape *s = arg;
    struct series_label labels[LABELS_MAX];
    struct series series = {sample->series.name, sample->series.label_count, labels};

    if (series.label_count + s->target->label_count > LABELS_MAX)
        return err_set(s->err, -E2BIG, "a series has more than %d labels", LABELS_MAX);
    for (uint32_t i = 0; i < sample->series.label_count; i++)
        labels[i] = sample->series.labels[i];
    for (uint32_t i = 0; i < s->target->label_count; i++)
        if (!*series_label(&sample->series, s->target->labels[i].name))
            labels[series.label_count++] = s->target->labels[i];
    qsort(labels, series.label_count, sizeof(*labels), compare_labels);
    return add(s->list, &series, s->err);
}

int series_list_add_scrape(struct series_list *list, const char *name, const char *text, size_t len,
                           const struct series *target, struct err *err) {
    struct scrape scrape = {list, target, err};

    return exposition_read(text, len, on_sample, &scrape, err) < 0 ? err_wrap(err, "%s", name) : 0;
}

/* ---- Prometheus' answer ---- */

static int on_series(void *arg, const struct series *series, struct err *err) {
    return add(arg, series, err);
}

/* In one piece, as it is in memory already: the reader is the one that run gives the pieces of an answer. */
int series_list_add_answer(struct series_list *list, const char *body, size_t len, struct err *err) {
    struct promseries *reader = promseries_new(len, on_series, list);
    int ret = promseries_feed(reader, body, len, err);

    if (ret == 0)
        ret = promseries_finish(reader, err);
    promseries_free(reader);
    return ret;
}

/* ---- order ---- */

/* The i-th label as Prometheus counts: the name is one of them, sorted among the others. Here it stands
 * apart, and so is put in at its place for each look. */
static struct series_label label_at(const struct series *s, uint32_t i, uint32_t name_at) {
    if (i == name_at)
        return (struct series_label){"__name__", s->name};
    return s->labels[i > name_at ? i - 1 : i];
}

static uint32_t name_position(const struct series *s) {
    uint32_t i = 0;

    while (i < s->label_count && strcmp(s->labels[i].name, "__name__") < 0)
        i++;
    return i;
}

/* As labels.Compare of Prometheus: label by label, the name before the value, and a shorter set first. */
static int compare_series(const void *a, const void *b) {
    const struct series *x = a, *y = b;
    uint32_t x_name = name_position(x), y_name = name_position(y);

    for (uint32_t i = 0; i <= x->label_count && i <= y->label_count; i++) {
        struct series_label l = label_at(x, i, x_name), m = label_at(y, i, y_name);
        int order = strcmp(l.name, m.name);
        if (order == 0)
            order = strcmp(l.value, m.value);
        if (order)
            return order;
    }
    return (x->label_count > y->label_count) - (x->label_count < y->label_count);
}

/* Two selectors may select the same series, which is one to Prometheus; the copies' memory stays in the
 * arena. */
void series_list_sort(struct series_list *list) {
    uint32_t kept = 0;

    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof(*list->items), compare_series);
    for (uint32_t i = 1; i < list->count; i++)
        if (compare_series(&list->items[kept], &list->items[i]) != 0)
            list->items[++kept] = list->items[i];
    list->count = kept + 1;
}

void series_write(const struct series *series, struct buf *out) {
    buf_printf(out, "%s{", series->name);
    for (uint32_t i = 0; i < series->label_count; i++) {
        buf_printf(out, "%s%s=", i ? "," : "", series->labels[i].name);
        go_quote(series->labels[i].value, out);
    }
    buf_puts(out, "}");
}
