/* Groups of equal labels, postings from a label to groups, lists by owner. */
#include "informers/index.h"

#include "base/mem.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Objects of one namespace with the same labels: a ReplicaSet's pods, most often. */
struct group {
    struct index_hashed hashed; /* first */
    struct index_link members;  /* of entries, by their by_group */
    const char *ns;             /* (pool) */
    struct labels *labels;      /* one reference, or NULL */
    struct str_pool *pool;
    uint32_t ns_at; /* where it stands in the namespace's posting … */
    uint32_t at[];  /* … and in each label's */
};

/* The groups of a namespace that have a label; key NULL: all of the namespace. */
struct posting {
    struct index_hashed hashed;   /* first */
    const char *ns, *key, *value; /* borrowed: every group in it holds the same pooled strings */
    struct group **groups;
    uint32_t count, cap;
};

/* Objects with the same controller. */
struct owner {
    struct index_link members; /* of entries, by their by_owner */
    char uid[];
};

#define CONTAINER_OF(p, T, member) ((T *)((uintptr_t)(p)-offsetof(T, member)))

static void link_init(struct index_link *head) {
    head->next = head->prev = head;
}

static void link_add(struct index_link *head, struct index_link *link) {
    *link = (struct index_link){.next = head, .prev = head->prev};
    head->prev->next = link;
    head->prev = link;
}

/* Takes a link out; returns the head where it was the last one, else NULL: a list of one link beside its head
 * has that head on both sides. So an entry finds the group that it leaves empty without a pointer to it. */
static struct index_link *link_remove(struct index_link *link) {
    struct index_link *next = link->next;

    next->prev = link->prev;
    link->prev->next = next;
    *link = (struct index_link){0};
    return next->next == next ? next : NULL;
}

/* Chains are on average no longer than one; a table never shrinks, as clusters seldom do. */
static void table_grow(struct index_table *table) {
    uint32_t cap = table->cap ? table->cap * 2 : 16;
    struct index_hashed **buckets = xcalloc(cap, sizeof(struct index_hashed *));

    for (uint32_t i = 0; i < table->cap; i++)
        for (struct index_hashed *h = table->buckets[i], *next; h; h = next) {
            next = h->chain;
            h->chain = buckets[h->hash & (cap - 1)];
            buckets[h->hash & (cap - 1)] = h;
        }
    free(table->buckets);
    table->buckets = buckets;
    table->cap = cap;
}

static void table_add(struct index_table *table, struct index_hashed *h) {
    if (table->len >= table->cap)
        table_grow(table);
    h->chain = table->buckets[h->hash & (table->cap - 1)];
    table->buckets[h->hash & (table->cap - 1)] = h;
    table->len++;
}

static void table_remove(struct index_table *table, struct index_hashed *h) {
    struct index_hashed **at = &table->buckets[h->hash & (table->cap - 1)];

    while (*at != h)
        at = &(*at)->chain;
    *at = h->chain;
    table->len--;
}

static struct index_hashed *table_first(const struct index_table *table, uint32_t hash) {
    return table->cap ? table->buckets[hash & (table->cap - 1)] : NULL;
}

/* Mixes in one more text; the factor is Knuth's, 2^32 divided by the golden ratio. */
static uint32_t hash_text(uint32_t hash, const char *text) {
    return text ? (hash ^ map_hash(text, strlen(text))) * 2654435761u : hash;
}

static uint32_t posting_hash(const char *ns, const char *key, const char *value) {
    return hash_text(hash_text(hash_text(1, ns), key), value);
}

static uint32_t group_hash(const struct object *o) {
    uint32_t hash = hash_text(2, o->ns);

    for (uint32_t i = 0; o->labels && i < o->labels->count; i++)
        hash = hash_text(hash_text(hash, o->labels->items[i].key), o->labels->items[i].value);
    return hash;
}

static struct posting *find_posting(const struct index *index, const char *ns, const char *key,
                                    const char *value) {
    uint32_t hash = posting_hash(ns, key, value);

    for (struct index_hashed *h = table_first(&index->postings, hash); h; h = h->chain) {
        struct posting *p = (struct posting *)h;
        if (h->hash == hash && str_eq(p->ns, ns) && str_eq(p->key, key) && str_eq(p->value, value))
            return p;
    }
    return NULL;
}

/* Adds a group to a posting; returns where it stands. */
static uint32_t posting_add(struct index *index, struct group *group, const char *key, const char *value) {
    struct posting *p = find_posting(index, group->ns, key, value);

    if (!p) {
        p = XNEW(struct posting);
        *p = (struct posting){.ns = group->ns, .key = key, .value = value};
        p->hashed.hash = posting_hash(group->ns, key, value);
        table_add(&index->postings, &p->hashed);
        index->bytes += malloc_usable_size(p);
    }
    if (p->count == p->cap) {
        uint32_t cap = p->cap ? p->cap + p->cap / 2 + 1 : 1;
        p->groups = xrealloc(p->groups, cap * sizeof(struct group *));
        index->bytes += (cap - p->cap) * sizeof(struct group *);
        p->cap = cap;
    }
    p->groups[p->count] = group;
    return p->count++;
}

/* Where a group keeps its place in the posting of key (NULL: of its namespace). Keys are distinct. */
static uint32_t *place_of(struct group *group, const char *key) {
    if (!key)
        return &group->ns_at;
    uint32_t i = 0;
    while (!str_eq(group->labels->items[i].key, key))
        i++;
    return &group->at[i];
}

/* The last group takes the place of the one that leaves: the order in a posting means nothing, and each group
 * knows where it stands, so that nothing is searched. */
static void posting_remove(struct index *index, struct group *group, const char *key, const char *value) {
    struct posting *p = find_posting(index, group->ns, key, value);
    uint32_t at = *place_of(group, key);

    p->groups[at] = p->groups[--p->count];
    *place_of(p->groups[at], key) = at;
    if (p->count)
        return;
    table_remove(&index->postings, &p->hashed);
    index->bytes -= malloc_usable_size(p) + p->cap * sizeof(struct group *);
    free(p->groups);
    free(p);
}

static struct group *find_group(const struct index *index, const struct object *o, uint32_t hash) {
    for (struct index_hashed *h = table_first(&index->groups, hash); h; h = h->chain) {
        struct group *g = (struct group *)h;
        if (h->hash == hash && str_eq(g->ns, o->ns) && labels_equal(g->labels, o->labels))
            return g;
    }
    return NULL;
}

/* The group's own labels count here, once, and not with its objects. */
static size_t group_bytes(const struct group *g) {
    size_t labels = g->labels ? sizeof(*g->labels) + g->labels->count * sizeof(struct label) : 0;
    return sizeof(*g) + (g->labels ? g->labels->count : 0) * sizeof(uint32_t) + labels;
}

/* The first object's own labels become the group's; those that come later give theirs up for them. */
static struct group *new_group(struct index *index, const struct object *o, uint32_t hash) {
    uint32_t count = o->labels ? o->labels->count : 0;
    struct group *g = xcalloc(1, sizeof(*g) + count * sizeof(uint32_t));

    g->hashed.hash = hash;
    g->ns = str_retain(o->ns);
    g->pool = o->pool;
    g->labels = labels_ref(o->labels);
    link_init(&g->members);
    table_add(&index->groups, &g->hashed);
    g->ns_at = posting_add(index, g, NULL, NULL);
    for (uint32_t i = 0; i < count; i++)
        g->at[i] = posting_add(index, g, g->labels->items[i].key, g->labels->items[i].value);
    index->bytes += group_bytes(g);
    return g;
}

static void free_group(struct index *index, struct group *g) {
    for (uint32_t i = 0; g->labels && i < g->labels->count; i++)
        posting_remove(index, g, g->labels->items[i].key, g->labels->items[i].value);
    posting_remove(index, g, NULL, NULL);
    table_remove(&index->groups, &g->hashed);
    index->bytes -= group_bytes(g);
    labels_unref(g->labels, g->pool);
    str_release(g->pool, g->ns);
    free(g);
}

/* Lets a new pod use the containers of one of its group, which most often are equal. */
static void share_containers(struct pod *pod, const struct object *other) {
    const struct pod *peer = (const struct pod *)other;

    if (!pod->containers || other->type != OBJECT_POD || !other->packed || !pod_containers_equal(pod, peer))
        return;
    pod_containers_unref(pod->containers, pod->meta.pool);
    pod->containers = pod_containers_ref(peer->containers);
}

/* The object gives up its own labels for the group's, which are equal. Its containers are compared with those
 * of the newest member: pods of one template follow each other. */
static void add_to_group(struct index *index, struct index_entry *entry, struct object *o) {
    uint32_t hash = group_hash(o);
    struct group *g = find_group(index, o, hash);

    if (!g) {
        g = new_group(index, o, hash);
    } else {
        labels_unref(o->labels, o->pool);
        o->labels = labels_ref(g->labels);
        const struct index_entry *last = CONTAINER_OF(g->members.prev, struct index_entry, by_group);
        if (o->type == OBJECT_POD && o->packed)
            share_containers((struct pod *)o, last->object);
    }
    link_add(&g->members, &entry->by_group);
}

/* The uid is copied: the object it came with may go before the others of its owner do. */
static void add_to_owner(struct index *index, struct index_entry *entry) {
    const char *uid = entry->object->owner_uid;

    entry->by_owner = (struct index_link){0};
    if (!uid)
        return;
    struct owner *owner = map_get(&index->owners, uid);
    if (!owner) {
        size_t size = strlen(uid) + 1;
        owner = xmalloc(sizeof(*owner) + size);
        memcpy(owner->uid, uid, size);
        link_init(&owner->members);
        map_put(&index->owners, owner->uid, owner);
        index->bytes += sizeof(*owner) + size;
    }
    link_add(&owner->members, &entry->by_owner);
}

void index_add(struct index *index, struct index_entry *entry, struct object *object) {
    entry->object = object;
    add_to_group(index, entry, object);
    add_to_owner(index, entry);
}

void index_remove(struct index *index, struct index_entry *entry) {
    struct index_link *empty = link_remove(&entry->by_group);

    if (empty)
        free_group(index, CONTAINER_OF(empty, struct group, members));
    empty = entry->by_owner.next ? link_remove(&entry->by_owner) : NULL;
    if (!empty)
        return;
    struct owner *owner = CONTAINER_OF(empty, struct owner, members);
    map_remove(&index->owners, owner->uid);
    index->bytes -= sizeof(*owner) + strlen(owner->uid) + 1;
    free(owner);
}

static void each_member(const struct group *g, index_fn *fn, void *arg) {
    for (const struct index_link *l = g->members.next; l != &g->members; l = l->next)
        fn(arg, CONTAINER_OF(l, struct index_entry, by_group)->object);
}

static void each_match(const struct posting *p, const struct selector *selector, index_fn *fn, void *arg) {
    for (uint32_t i = 0; p && i < p->count; i++)
        if (selector_matches(selector, p->groups[i]->labels))
            each_member(p->groups[i], fn, arg);
}

/* How many groups a term leaves to look at. */
static size_t term_cost(const struct index *index, const char *ns, const struct selector_term *term) {
    size_t cost = 0;

    for (uint32_t i = 0; i < term->count; i++) {
        const struct posting *p = find_posting(index, ns, term->key, term->values[i]);
        cost += p ? p->count : 0;
    }
    return cost;
}

/* "app in (a, a)" must not find an object twice. selector_parse leaves such values out; a selector that was
 * put together otherwise may have them. */
static bool repeated(const struct selector_term *term, uint32_t at) {
    for (uint32_t i = 0; i < at; i++)
        if (str_eq(term->values[i], term->values[at]))
            return true;
    return false;
}

/* The equality that leaves the fewest groups leads; the whole selector is then asked for each group, not for
 * each object. Without an equality all groups of the namespace are asked. */
void index_select(const struct index *index, const char *ns, const struct selector *selector, index_fn *fn,
                  void *arg) {
    const struct selector_term *best = NULL;
    size_t best_cost = SIZE_MAX;

    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_term *term = &selector->terms[i];
        size_t cost = term->op == SELECTOR_IN ? term_cost(index, ns, term) : SIZE_MAX;
        if (cost < best_cost) {
            best = term;
            best_cost = cost;
        }
    }
    if (!best)
        each_match(find_posting(index, ns, NULL, NULL), selector, fn, arg);
    for (uint32_t i = 0; best && i < best->count; i++)
        if (!repeated(best, i))
            each_match(find_posting(index, ns, best->key, best->values[i]), selector, fn, arg);
}

void index_owned(const struct index *index, const char *owner_uid, index_fn *fn, void *arg) {
    const struct owner *owner = map_get(&index->owners, owner_uid);

    if (!owner)
        return;
    for (const struct index_link *l = owner->members.next; l != &owner->members; l = l->next)
        fn(arg, CONTAINER_OF(l, struct index_entry, by_owner)->object);
}

void index_init(struct index *index) {
    *index = (struct index){0};
}

void index_done(struct index *index) {
    free(index->groups.buckets);
    free(index->postings.buckets);
    map_done(&index->owners);
}
