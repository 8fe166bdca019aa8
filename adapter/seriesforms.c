/* Forms: label sets are numbered, and a form is known by the number of its set and its name, so that one more
 * series of a known form costs two lookups and no memory.
 *
 * The registry needs no more of a series: its name decides the metric, the names of its labels decide the
 * resources. A hundred thousand series may be a few dozen forms, and this is the only thing of a
 * listing that is kept from one round to the next. */
#include "adapter/seriesforms.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

/* Of a key: all label names of one series, or a name. More than a reader of series lets through. */
enum { KEY_MAX = 2 * 1024 * 1024 };

/* Kept once, however many names it goes with. Immutable. */
struct label_set {
    uint32_t number; /* in the order of their coming; stands for the set in the keys of forms */
    uint32_t count;
    const struct series_label *labels;
};

struct form {
    const char *name;
    const struct label_set *set;
    uint64_t seen; /* the number of the last series that had it */
};

struct seriesforms {
    struct arena arena;
    struct map sets;   /* label names -> struct label_set */
    struct map by_key; /* number and name -> struct form */
    struct buf key;    /* scratch, of the one series that is being added */
    uint64_t series;   /* added so far */
    uint32_t count, cap;
    struct form **forms; /* those of by_key, in the order of their coming until they are sorted */
};

struct seriesforms *seriesforms_new(void) {
    struct seriesforms *f = XNEW(struct seriesforms);

    arena_init(&f->arena, (size_t)32 << 10);
    map_init(&f->sets);
    map_init(&f->by_key);
    buf_init(&f->key, KEY_MAX);
    return f;
}

void seriesforms_free(struct seriesforms *forms) {
    if (!forms)
        return;
    map_done(&forms->sets);
    map_done(&forms->by_key);
    buf_done(&forms->key);
    arena_done(&forms->arena);
    free(forms->forms);
    free(forms);
}

/* Labels with empty values: seriesforms_each hands them out as those of a series. */
static struct label_set *new_set(struct seriesforms *f, const struct series *series) {
    struct label_set *set = ARENA_NEW(&f->arena, struct label_set);
    struct series_label *labels = ARENA_ARRAY(&f->arena, struct series_label, series->label_count);

    for (uint32_t i = 0; i < series->label_count; i++)
        labels[i] = (struct series_label){arena_strdup(&f->arena, series->labels[i].name), ""};
    set->number = (uint32_t)f->sets.len;
    set->count = series->label_count;
    set->labels = labels;
    return set;
}

int series_label_names(const struct series *series, struct buf *out) {
    int ret = 0;

    for (uint32_t i = 0; i < series->label_count && ret == 0; i++) {
        ret = buf_puts(out, series->labels[i].name);
        if (ret == 0)
            ret = buf_append(out, "\x1f", 1);
    }
    return ret;
}

/* The set of label names that the series has; NULL: they are too long. */
static const struct label_set *set_of(struct seriesforms *f, const struct series *series) {
    struct buf *key = &f->key;

    buf_reset(key);
    if (series_label_names(series, key) < 0)
        return NULL;
    struct label_set *set = map_get_n(&f->sets, key->data, key->len);
    if (!set) {
        set = new_set(f, series);
        map_put(&f->sets, arena_strndup(&f->arena, key->data, key->len), set);
    }
    return set;
}

/* The name is part of the key that the buffer holds, from at on: stored once, it serves as both. */
static struct form *add_form(struct seriesforms *f, const struct label_set *set, size_t at) {
    struct form *form = ARENA_NEW(&f->arena, struct form);
    const char *key = arena_strndup(&f->arena, f->key.data, f->key.len);

    form->name = key + at;
    form->set = set;
    map_put(&f->by_key, key, form);
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->forms = xrealloc(f->forms, f->cap * sizeof(struct form *));
    }
    f->forms[f->count++] = form;
    return form;
}

int seriesforms_add(struct seriesforms *forms, const struct series *series, struct err *err) {
    const struct label_set *set = set_of(forms, series);
    struct buf *key = &forms->key;

    if (!set)
        return err_set(err, -E2BIG, "the labels of a series have names of more than %d bytes", KEY_MAX);
    /* The set is found, and its key in the buffer is not needed any more. */
    buf_reset(key);
    buf_printf(key, "%x/", set->number);
    size_t at = key->len;
    if (buf_puts(key, series->name) < 0)
        return err_set(err, -E2BIG, "a series has a name of more than %d bytes", KEY_MAX);
    struct form *form = map_get_n(&forms->by_key, key->data, key->len);
    if (!form && forms->count == SERIESFORMS_MAX)
        return err_set(err, -E2BIG, "more than %d different names and sets of labels", SERIESFORMS_MAX);
    if (!form)
        form = add_form(forms, set, at);
    form->seen = ++forms->series;
    return 0;
}

/* By the last series of each, which no two forms share: the order is a total one. */
static int compare_seen(const void *a, const void *b) {
    const struct form *x = *(const struct form *const *)a, *y = *(const struct form *const *)b;

    return (x->seen > y->seen) - (x->seen < y->seen);
}

void seriesforms_sort(struct seriesforms *forms) {
    if (forms->count)
        qsort(forms->forms, forms->count, sizeof(struct form *), compare_seen);
}

static bool same_set(const struct label_set *a, const struct label_set *b) {
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->labels[i].name, b->labels[i].name) != 0)
            return false;
    return true;
}

/* Sets are compared by their names: their numbers belong to one listing each. */
bool seriesforms_equal(const struct seriesforms *a, const struct seriesforms *b) {
    if (seriesforms_count(a) != seriesforms_count(b))
        return false;
    for (uint32_t i = 0; i < seriesforms_count(a); i++)
        if (strcmp(a->forms[i]->name, b->forms[i]->name) != 0 ||
            !same_set(a->forms[i]->set, b->forms[i]->set))
            return false;
    return true;
}

void seriesforms_each(const struct seriesforms *forms, seriesforms_fn *fn, void *arg) {
    for (uint32_t i = 0; i < seriesforms_count(forms); i++) {
        const struct form *form = forms->forms[i];
        const struct series series = {form->name, form->set->count, form->set->labels};
        fn(arg, &series);
    }
}

uint64_t seriesforms_series(const struct seriesforms *forms) {
    return forms ? forms->series : 0;
}

uint32_t seriesforms_count(const struct seriesforms *forms) {
    return forms ? forms->count : 0;
}
