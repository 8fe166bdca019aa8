/* Discovery documents: aggregated discovery (apidiscovery.k8s.io v2 and v2beta1) and the older APIVersions,
 * APIGroupList and APIResourceList. Only names are kept.
 *
 * Nothing is ever taken out. What counts at present is marked: a version that is listed, and in it the kinds
 * that are live. A kind that comes back different (with a scale subresource, say) gets an entry of its own,
 * and the old one stays for those who hold its resource. */
#include "api/client/discovery_table.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* Far above what clusters have; a server that lists more is not believed. */
enum { KINDS_MAX = 20000, VERSIONS_MAX = 4000, NAME_MAX_LEN = 253 };

void discovery_table_init(struct discovery_table *table) {
    *table = (struct discovery_table){0};
    arena_init(&table->arena, 0);
    map_init(&table->by_api_version);
    table->versions_end = &table->versions;
}

void discovery_table_done(struct discovery_table *table) {
    map_done(&table->by_api_version);
    arena_done(&table->arena);
}

void discovery_group_of(const char *api_version, char *out, size_t size) {
    const char *slash = strchr(api_version, '/');
    size_t len = slash ? (size_t)(slash - api_version) : 0;

    if (len >= size)
        len = size - 1;
    memcpy(out, api_version, len);
    out[len] = '\0';
}

static const char *text_of(const json_t *object, const char *field) {
    return str_or_empty(json_string_value(json_object_get(object, field)));
}

/* A name that may become part of a path. */
static bool is_name(const char *s) {
    return s[0] && strlen(s) <= NAME_MAX_LEN && !strpbrk(s, "/%?# ") && !str_eq(s, ".") && !str_eq(s, "..");
}

/* The version's record, made where it is new; listed now and next in rank. NULL where the names are bad.
 * Records are never freed before the table: others keep pointers to the resources in them for as long as they
 * run, and a cluster has but some hundred versions in its life. */
static struct group_version *list_version(struct discovery_table *t, const char *group, const char *version) {
    char key[2 * NAME_MAX_LEN + 2];

    if ((group[0] && !is_name(group)) || !is_name(version))
        return NULL;
    snprintf(key, sizeof(key), "%s%s%s", group, group[0] ? "/" : "", version);
    struct group_version *gv = map_get(&t->by_api_version, key);
    if (!gv) {
        if (t->by_api_version.len >= VERSIONS_MAX)
            return NULL;
        gv = ARENA_NEW(&t->arena, struct group_version);
        gv->api_version = arena_strdup(&t->arena, key);
        gv->group = arena_strdup(&t->arena, group);
        gv->version = arena_strdup(&t->arena, version);
        map_put(&t->by_api_version, gv->api_version, gv);
        *t->versions_end = gv;
        t->versions_end = &gv->next;
    }
    gv->listed = true;
    gv->order = ++t->order;
    return gv;
}

/* What the next document does not list is gone; its record stays, for a CRD may come back. */
static void unlist_half(struct discovery_table *t, enum discovery_half half) {
    for (struct group_version *gv = t->versions; gv; gv = gv->next)
        if ((gv->group[0] == '\0') == (half == HALF_CORE))
            gv->listed = false;
}

/* The new document replaces the old one. */
static void begin_kinds(struct group_version *gv) {
    gv->broken = false;
    for (struct kind_entry *e = gv->kinds; e; e = e->next)
        e->live = false;
}

/* Of one kind. */
static bool says_the_same(const struct resource *a, const struct resource *b) {
    return str_eq(a->plural, b->plural) && str_eq(a->singular, b->singular) &&
           a->namespaced == b->namespaced && a->has_scale == b->has_scale;
}

/* Puts a kind; an entry that says the same is used again, so that its pointer stays. */
static struct kind_entry *put_kind(struct discovery_table *t, struct group_version *gv,
                                   const struct resource *r) {
    struct kind_entry **end = &gv->kinds;

    for (struct kind_entry *e = gv->kinds; e; end = &e->next, e = e->next) {
        if (!str_eq(e->resource.kind, r->kind))
            continue;
        if (e->live)
            return NULL; /* two resources of one kind: the first counts, as in client-go */
        if (!says_the_same(&e->resource, r))
            continue;
        e->live = true;
        return e;
    }
    if (t->kinds >= KINDS_MAX)
        return NULL;
    t->kinds++;
    struct kind_entry *e = ARENA_NEW(&t->arena, struct kind_entry);
    e->resource = (struct resource){.group = gv->group,
                                    .version = gv->version,
                                    .kind = arena_strdup(&t->arena, r->kind),
                                    .plural = arena_strdup(&t->arena, r->plural),
                                    .singular = arena_strdup(&t->arena, r->singular),
                                    .namespaced = r->namespaced,
                                    .has_scale = r->has_scale};
    e->live = true;
    *end = e;
    return e;
}

/* Kinds that cannot be read (SubjectAccessReview, Binding) are actions and no objects. */
static bool has_verb(const json_t *resource, const char *verb) {
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(resource, "verbs"), i, item) {
        if (str_eq(json_string_value(item), verb))
            return true;
    }
    return false;
}

/* One resource of an aggregated document. */
static void read_resource(struct discovery_table *t, struct group_version *gv, const json_t *resource) {
    const json_t *sub;
    size_t i;
    struct resource r = {.kind = text_of(json_object_get(resource, "responseKind"), "kind"),
                         .plural = text_of(resource, "resource"),
                         .singular = text_of(resource, "singularResource"),
                         .namespaced = str_eq(text_of(resource, "scope"), "Namespaced")};

    if (!is_name(r.kind) || !is_name(r.plural) || !has_verb(resource, "get"))
        return;
    json_array_foreach(json_object_get(resource, "subresources"), i, sub) {
        if (str_eq(text_of(sub, "subresource"), "scale"))
            r.has_scale = true;
    }
    put_kind(t, gv, &r);
}

static void read_aggregated(struct discovery_table *t, const json_t *body) {
    const json_t *item, *version, *resource;
    size_t i, j, k;

    json_array_foreach(json_object_get(body, "items"), i, item) {
        const char *group = text_of(json_object_get(item, "metadata"), "name");
        json_array_foreach(json_object_get(item, "versions"), j, version) {
            struct group_version *gv = list_version(t, group, text_of(version, "version"));
            if (!gv)
                continue;
            /* Stale: the aggregated server behind it does not answer; what it said before is kept */
            if (str_eq(text_of(version, "freshness"), "Stale")) {
                gv->broken = true;
                continue;
            }
            begin_kinds(gv);
            json_array_foreach(json_object_get(version, "resources"), k, resource) {
                read_resource(t, gv, resource);
            }
        }
    }
}

static void read_core_versions(struct discovery_table *t, const json_t *body) {
    const json_t *version;
    size_t i;

    json_array_foreach(json_object_get(body, "versions"), i, version) {
        list_version(t, "", str_or_empty(json_string_value(version)));
    }
}

/* The preferred version goes first: where a policy's own version is gone, the best-ranked other one answers.
 */
static void read_groups(struct discovery_table *t, const json_t *body) {
    const json_t *group, *version;
    size_t i, j;

    json_array_foreach(json_object_get(body, "groups"), i, group) {
        const char *name = text_of(group, "name");
        const char *preferred = text_of(json_object_get(group, "preferredVersion"), "version");
        if (name[0] && preferred[0])
            list_version(t, name, preferred);
        json_array_foreach(json_object_get(group, "versions"), j, version) {
            if (name[0] && !str_eq(text_of(version, "version"), preferred))
                list_version(t, name, text_of(version, "version"));
        }
    }
}

int discovery_table_read_root(struct discovery_table *table, enum discovery_half half, const json_t *body,
                              bool *ret_aggregated, struct err *err) {
    const char *kind = text_of(body, "kind");
    bool aggregated = str_eq(kind, "APIGroupDiscoveryList");

    if (!aggregated && !str_eq(kind, half == HALF_CORE ? "APIVersions" : "APIGroupList"))
        return err_set(err, -EBADMSG, "discovery: the server answered with kind \"%.60s\"", kind);
    unlist_half(table, half);
    if (aggregated)
        read_aggregated(table, body);
    else if (half == HALF_CORE)
        read_core_versions(table, body);
    else
        read_groups(table, body);
    *ret_aggregated = aggregated;
    return 0;
}

/* The scale subresource of plural is an item of its own: "deployments/scale". Looked for once for each
 * resource: a group has some dozens at most, and only older servers are read so. */
static bool lists_scale(const json_t *resources, const char *plural) {
    const json_t *item;
    size_t i, len = strlen(plural);

    json_array_foreach(resources, i, item) {
        const char *name = text_of(item, "name");
        if (strncmp(name, plural, len) == 0 && str_eq(name + len, "/scale"))
            return true;
    }
    return false;
}

int discovery_table_read_version(struct discovery_table *table, struct group_version *gv, const json_t *body,
                                 struct err *err) {
    const json_t *resources = json_object_get(body, "resources"), *item;
    size_t i;

    if (!str_eq(text_of(body, "kind"), "APIResourceList") || !json_is_array(resources))
        return err_set(err, -EBADMSG, "discovery of %s: the server answered with kind \"%.60s\"",
                       gv->api_version, text_of(body, "kind"));
    begin_kinds(gv);
    json_array_foreach(resources, i, item) {
        struct resource r = {.kind = text_of(item, "kind"),
                             .plural = text_of(item, "name"),
                             .singular = text_of(item, "singularName"),
                             .namespaced = json_is_true(json_object_get(item, "namespaced"))};
        if (!is_name(r.kind) || !is_name(r.plural) || !has_verb(item, "get"))
            continue;
        r.has_scale = lists_scale(resources, r.plural);
        put_kind(table, gv, &r);
    }
    return 0;
}

static const struct resource *find_in(const struct group_version *gv, const char *kind) {
    if (!gv || !gv->listed)
        return NULL;
    for (const struct kind_entry *e = gv->kinds; e; e = e->next)
        if (e->live && str_eq(e->resource.kind, kind))
            return &e->resource;
    return NULL;
}

/* A version that is gone is answered with another one of its group: the object is the same in all of them,
 * and policies outlive versions. */
const struct resource *discovery_table_find(const struct discovery_table *table, const char *api_version,
                                            const char *kind, bool *ret_broken) {
    const struct resource *found = find_in(map_get(&table->by_api_version, api_version), kind);
    char group[NAME_MAX_LEN + 1];
    unsigned best = 0;

    *ret_broken = false;
    if (found)
        return found;
    discovery_group_of(api_version, group, sizeof(group));
    for (const struct group_version *gv = table->versions; gv; gv = gv->next) {
        if (!gv->listed || !str_eq(gv->group, group))
            continue;
        *ret_broken |= gv->broken;
        const struct resource *other = find_in(gv, kind);
        if (other && (!found || gv->order < best)) {
            found = other;
            best = gv->order;
        }
    }
    return found;
}

/* ---- all of them ---- */

/* These list metrics where others list resources. */
static bool is_metrics(const char *group) {
    return str_eq(group, "custom.metrics.k8s.io") || str_eq(group, "external.metrics.k8s.io");
}

/* order counts on from document to document, so that it ranks versions of the same document alone. */
static int compare_rank(const void *a, const void *b) {
    const struct group_version *x = *(const struct group_version *const *)a;
    const struct group_version *y = *(const struct group_version *const *)b;

    /* The two documents come in any order; the core group goes first. */
    if (!x->group[0] != !y->group[0])
        return x->group[0] ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

/* What discovery lists now, in its order; the caller frees it. */
static const struct group_version **ranked(const struct discovery_table *table, size_t *ret_count) {
    const struct group_version **versions = xcalloc(table->by_api_version.len, sizeof(void *));
    size_t count = 0;

    for (const struct group_version *gv = table->versions; gv; gv = gv->next)
        if (gv->listed && !is_metrics(gv->group))
            versions[count++] = gv;
    qsort(versions, count, sizeof(void *), compare_rank);
    *ret_count = count;
    return versions;
}

/* Whether one of these versions, which are of one group, has the resource. */
static bool had_before(const struct group_version *const *versions, size_t count, const char *plural) {
    for (size_t i = 0; i < count; i++)
        for (const struct kind_entry *e = versions[i]->kinds; e; e = e->next)
            if (e->live && str_eq(e->resource.plural, plural))
                return true;
    return false;
}

void discovery_table_each(const struct discovery_table *table, discovery_fn *fn, void *arg) {
    size_t count, first = 0; /* first: of the group */
    cleanup_free const struct group_version **versions = ranked(table, &count);

    for (size_t i = 0; i < count; i++) {
        if (!str_eq(versions[i]->group, versions[first]->group))
            first = i;
        for (const struct kind_entry *e = versions[i]->kinds; e; e = e->next)
            if (e->live && !had_before(versions + first, i - first, e->resource.plural))
                fn(arg, &e->resource);
    }
}
