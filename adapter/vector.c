/* The samples lie in one array, that of a part in its whole's, their texts in an arena, and each pair of
 * labels that is looked up by has an open-addressing table of sample numbers.
 *
 * A vector is filled (vector_word, vector_add), sealed, perhaps grouped, and from then on only read and
 * parted. It is counted: each part holds its whole, so that the cache may drop the whole while a namespace's
 * part is still in use. Indexes are made when they are first asked for, also of one that is const: they are
 * no part of what it says, and there is one thread. */
#include "adapter/vector.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <string.h>

enum { BLOCK = 1024 }; /* of the arena: most answers are small */

/* A slot is free where its sample is 0; samples are numbered from 1 here. */
struct slot {
    uint32_t hash, sample;
};

struct vector_index {
    struct vector_index *next;
    const char *ns_label, *label; /* ns_label NULL: by label alone */
    uint32_t mask;
    struct slot *slots;
};

/* Where the samples of one group stand. */
struct vector_group {
    struct vector_group *next;
    const char *value;
    uint32_t first, count;
};

struct vector_store {
    uint32_t refs; /* the vector itself, and its parts */
    struct arena arena;
    struct map words;              /* empty once sealed */
    struct vector_sample *samples; /* NULL: they are whole's */
    uint32_t cap;
    struct vector_index *indexes;
    struct map groups; /* by value */
    struct vector_group *first_group;
    struct vector *whole; /* of which this is a part: a reference */
};

struct vector *vector_new(void) {
    struct vector *v = XNEW(struct vector);

    v->store = XNEW(struct vector_store);
    v->store->refs = 1;
    arena_init(&v->store->arena, BLOCK);
    map_init(&v->store->words);
    map_init(&v->store->groups);
    return v;
}

void vector_free(struct vector *vector) {
    if (!vector || --vector->store->refs)
        return;
    struct vector_store *store = vector->store;
    for (struct vector_index *i = store->indexes; i; i = i->next)
        free(i->slots);
    map_done(&store->words);
    map_done(&store->groups);
    vector_free(store->whole);
    arena_done(&store->arena);
    free(store->samples);
    free(store);
    free(vector);
}

const char *vector_word(struct vector *vector, const char *text, size_t len) {
    struct vector_store *store = vector->store;
    char *known = map_get_n(&store->words, text, len);

    if (known)
        return known;
    known = arena_strndup(&store->arena, text, len);
    map_put(&store->words, known, known);
    return known;
}

void vector_add(struct vector *vector, const struct vector_sample *sample) {
    struct vector_store *store = vector->store;
    uint32_t n = sample->label_count;
    struct series_label *labels = NULL;

    if (vector->count == store->cap) {
        store->cap = store->cap ? store->cap * 2 : 16;
        store->samples = xrealloc(store->samples, store->cap * sizeof(*store->samples));
        vector->samples = store->samples;
    }
    if (n) {
        labels = ARENA_ARRAY(&store->arena, struct series_label, n);
        memcpy(labels, sample->labels, n * sizeof(*labels));
    }
    store->samples[vector->count] = *sample;
    store->samples[vector->count++].labels = labels; /* the caller's array is its own */
}

/* The words themselves stay, in the arena; only the table that finds them again goes. */
void vector_seal(struct vector *vector, usec_t fetched) {
    struct vector_store *store = vector->store;

    map_done(&store->words);
    map_init(&store->words);
    store->cap = vector->count;
    store->samples = xrealloc(store->samples, store->cap * sizeof(*store->samples));
    vector->samples = store->samples;
    vector->fetched = fetched;
}

/* By text: what is interned here need not be the same pointer as in the question that vector_part asks. */
static struct vector_group *group_of(struct vector_store *store, const char *value) {
    struct vector_group *group = map_get(&store->groups, value);

    if (group)
        return group;
    group = ARENA_NEW(&store->arena, struct vector_group);
    *group = (struct vector_group){.next = store->first_group, .value = value};
    store->first_group = group;
    map_put(&store->groups, value, group);
    return group;
}

/* Counts first, so that each sample is moved once: there may be as many groups as samples. */
void vector_group(struct vector *vector, const char *label) {
    struct vector_store *store = vector->store;
    struct vector_group **of = xcalloc(vector->count + 1, sizeof(struct vector_group *));
    struct vector_sample *samples = xcalloc(vector->count + 1, sizeof(*samples));
    struct vector_group *group = NULL;
    uint32_t first = 0;

    for (uint32_t i = 0; i < vector->count; i++) {
        const char *value = str_or_empty(vector_label(&vector->samples[i], label));
        if (!group || group->value != value) /* texts are interned; neighbours are often of one group */
            group = group_of(store, value);
        group->count++;
        of[i] = group;
    }
    for (group = store->first_group; group; group = group->next) {
        group->first = first;
        first += group->count;
        group->count = 0;
    }
    for (uint32_t i = 0; i < vector->count; i++)
        samples[of[i]->first + of[i]->count++] = vector->samples[i];
    free(of);
    free(store->samples);
    store->cap = vector->count;
    vector->samples = store->samples = samples;
}

struct vector *vector_part(struct vector *grouped, const char *value) {
    const struct vector_group *group = map_get(&grouped->store->groups, value);
    struct vector *part = vector_new(); /* for its counter and its indexes; it owns no samples */

    part->fetched = grouped->fetched;
    part->count = group ? group->count : 0;
    part->samples = group ? grouped->samples + group->first : NULL;
    part->store->whole = grouped;
    grouped->store->refs++;
    return part;
}

const char *vector_label(const struct vector_sample *sample, const char *name) {
    for (uint32_t i = 0; i < sample->label_count; i++)
        if (strcmp(sample->labels[i].name, name) == 0)
            return sample->labels[i].value;
    return NULL;
}

/* Values of labels come from whoever is scraped, so the hash is the keyed one. The factor keeps the same two
 * texts in the other order apart. */
static uint32_t hash_of(const char *ns, const char *value) {
    return map_hash(value, strlen(value)) + (ns ? 31U * map_hash(ns, strlen(ns)) : 0);
}

static bool is(const struct vector_sample *s, const char *label, const char *value) {
    return !label || str_eq(vector_label(s, label), value);
}

/* The slot of these values, or the free one where they would go. ns counts where the index has its label. */
static struct slot *find_slot(const struct vector *v, const struct vector_index *index, const char *ns,
                              const char *value, uint32_t hash) {
    for (uint32_t at = hash & index->mask;; at = (at + 1) & index->mask) {
        struct slot *slot = &index->slots[at];
        if (!slot->sample)
            return slot;
        const struct vector_sample *s = &v->samples[slot->sample - 1];
        if (slot->hash == hash && is(s, index->ns_label, ns) && is(s, index->label, value))
            return slot;
    }
}

/* A later sample takes the place of an earlier one; one without the labels is not found by them. */
static void index_sample(const struct vector *v, struct vector_index *index, uint32_t i) {
    const char *ns = index->ns_label ? vector_label(&v->samples[i], index->ns_label) : NULL;
    const char *value = vector_label(&v->samples[i], index->label);

    if (!value || (index->ns_label && !ns))
        return;
    uint32_t hash = hash_of(ns, value);
    *find_slot(v, index, ns, value, hash) = (struct slot){.hash = hash, .sample = i + 1};
}

static struct vector_index *index_new(const struct vector *v, const char *ns_label, const char *label) {
    struct vector_index *index = ARENA_NEW(&v->store->arena, struct vector_index);
    uint32_t cap = 16;

    /* Half of the slots stay free at least: searches are short, and there is one to end each. */
    while (cap < 2 * v->count)
        cap *= 2;
    index->mask = cap - 1;
    index->slots = xcalloc(cap, sizeof(*index->slots));
    index->ns_label = ns_label ? arena_strdup(&v->store->arena, ns_label) : NULL;
    index->label = arena_strdup(&v->store->arena, label);
    for (uint32_t i = 0; i < v->count; i++)
        index_sample(v, index, i);
    index->next = v->store->indexes;
    v->store->indexes = index;
    return index;
}

const struct vector_sample *vector_find2(const struct vector *vector, const char *ns_label, const char *ns,
                                         const char *label, const char *value) {
    const struct vector_index *index = vector->store->indexes;

    if (!label)
        return ns_label ? vector_find2(vector, NULL, NULL, ns_label, ns) : NULL;
    while (index && !(str_eq(index->label, label) && str_eq(index->ns_label, ns_label)))
        index = index->next;
    if (!index)
        index = index_new(vector, ns_label, label);
    uint32_t found = find_slot(vector, index, ns, value, hash_of(ns_label ? ns : NULL, value))->sample;
    return found ? &vector->samples[found - 1] : NULL;
}

const struct vector_sample *vector_find(const struct vector *vector, const char *label, const char *value) {
    return vector_find2(vector, NULL, NULL, label, value);
}

/* An index has two to four slots a sample: three are counted, whether it has been made or not, so that the
 * cache's sums do not change behind its back. */
size_t vector_size(const struct vector *vector) {
    const struct vector_store *store = vector->store;

    return sizeof(*vector) + sizeof(*store) + BLOCK + store->arena.used +
           store->cap * sizeof(*store->samples) + (size_t)3 * vector->count * sizeof(struct slot);
}
