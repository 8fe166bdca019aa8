/* Labels and resources: lookups as apimachinery's mapper does them, and the template run backwards.
 *
 * The two ways are not each other's inverse, in the original neither: the way to a label turns dots and
 * dashes of the group into "_", and the way back leaves "_" as it is. A group like apps.example.com is never
 * found back by a template that has <<.Group>> in it; overrides are for that. */
#include "adapter/resourcelabels.h"

#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* What a template may write: a label's name, or the regular expression made of it. */
static const size_t LABEL_MAX = PATTERN_TEXT_MAX;

struct resource_labels {
    const struct rule_resources *rule;
    const struct cluster_resources *all;
    const struct cluster_resource **overrides; /* one for each of the rule's */
    struct pattern *backward;                  /* NULL: there is no template */
    int group, resource;                       /* the groups of it; group -1: the template does not have it */
};

/* Servers that tell no singular mean the kind in lower case. */
static const char *singular(const struct cluster_resource *r) {
    return *r->singular ? r->singular : r->kind;
}

/* Without regard to case: apimachinery's mapper lowers the names that it is asked for. */
static bool is_called(const struct cluster_resource *r, const char *name, size_t len) {
    return (strlen(r->plural) == len && strncasecmp(r->plural, name, len) == 0) ||
           (strlen(singular(r)) == len && strncasecmp(singular(r), name, len) == 0);
}

const struct cluster_resource *cluster_resource_find(const struct cluster_resources *all, const char *group,
                                                     const char *name) {
    const struct cluster_resource *prefixed = NULL;
    size_t len = strlen(name);

    if (!group || !*group) {
        len = strcspn(name, ".");
        group = name[len] ? name + len + 1 : "";
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const struct cluster_resource *r = &all->items[i];
        if (!str_starts(r->group, group) || !is_called(r, name, len))
            continue;
        /* No group means any, and not the core group alone. */
        if (!*group || strcmp(r->group, group) == 0)
            return r;
        prefixed = prefixed ? prefixed : r;
    }
    return prefixed;
}

static bool is_same(const struct cluster_resource *a, const struct cluster_resource *b) {
    return a && strcmp(a->plural, b->plural) == 0 && strcmp(a->group, b->group) == 0;
}

/* The template with the resource's singular and its group, whose dots and dashes no label may have. */
static int run_template(const struct rule_resources *resources, const struct cluster_resource *resource,
                        struct buf *out) {
    cleanup_free char *group = xstrdup(resource->group), *name = xstrdup(singular(resource));
    size_t before = out->len;

    for (char *c = group; *c; c++)
        if (*c == '.' || *c == '-')
            *c = '_';
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const struct template_field fields[] = {{.name = "Group", .kind = TEMPLATE_STRING, .text = group},
                                            {.name = "Resource", .kind = TEMPLATE_STRING, .text = name}};
    int ret = template_run(resources->template, fields, 2, out, NULL);
    return ret == 0 && out->len == before ? -ENOENT : ret;
}

int rule_label(const struct rule_resources *resources, const struct cluster_resources *all,
               const struct cluster_resource *resource, struct buf *out) {
    for (uint32_t i = 0; i < resources->override_count; i++) {
        const struct rule_override *o = &resources->overrides[i];
        if (is_same(cluster_resource_find(all, o->group, o->resource), resource))
            return buf_puts(out, o->label);
    }
    return resources->template ? run_template(resources, resource, out) : -ENOENT;
}

static int find_override(const struct resource_labels *l, uint32_t i, struct err *err) {
    const struct rule_override *o = &l->rule->overrides[i];
    const char *group = str_or_empty(o->group);

    /* Paths have the group behind the name ("deployments.apps"); here the original looks for a resource that
     * is called so, and there is none. */
    if (strchr(o->resource, '.'))
        return err_set(
            err, -EINVAL,
            "line %u: resources.overrides.%s: the cluster has no resource %s: a group is given as group",
            o->line, o->label, o->resource);
    l->overrides[i] = cluster_resource_find(l->all, group, o->resource);
    if (l->overrides[i])
        return 0;
    return err_set(err, -EINVAL, "line %u: resources.overrides.%s: the cluster has no resource %s%s%s",
                   o->line, o->label, o->resource, *group ? " in the group " : "", group);
}

/* Run with groups in the place of its fields, the template becomes the regular expression of its labels. The
 * text around them is part of it as it is: a dot there stands for any character. */
static int compile_backward(struct resource_labels *l, struct err *err) {
    static const struct template_field fields[] = {
        {.name = "Group", .kind = TEMPLATE_STRING, .text = "(?P<group>.+?)"},
        {.name = "Resource", .kind = TEMPLATE_STRING, .text = "(?P<resource>.+?)"}};
    cleanup_buf struct buf text;

    buf_init(&text, LABEL_MAX);
    buf_puts(&text, "^");
    int ret = template_run(l->rule->template, fields, 2, &text, err);
    if (ret == 0 && buf_puts(&text, "$") < 0)
        ret = err_set(err, -EINVAL, "it gives more than %zu bytes", LABEL_MAX);
    if (ret == 0)
        ret = pattern_new(text.data, &l->backward, err);
    if (ret < 0)
        return ret;
    l->group = pattern_group(l->backward, "group");
    l->resource = pattern_group(l->backward, "resource");
    return l->resource < 0 ? err_set(err, -EINVAL, "it does not have <<.Resource>>") : 0;
}

int resource_labels_new(const struct rule_resources *resources, const struct cluster_resources *all,
                        struct resource_labels **ret_labels, struct err *err) {
    struct resource_labels *l = XNEW(struct resource_labels);
    int ret = 0;

    l->rule = resources;
    l->all = all;
    l->overrides = xcalloc(resources->override_count, sizeof(void *));
    for (uint32_t i = 0; i < resources->override_count && ret == 0; i++)
        ret = find_override(l, i, err);
    if (ret == 0 && resources->template && (ret = compile_backward(l, err)) < 0)
        err_wrap(err, "resources.template");
    if (ret < 0)
        resource_labels_free(l);
    else
        *ret_labels = l;
    return ret;
}

void resource_labels_free(struct resource_labels *labels) {
    if (!labels)
        return;
    pattern_free(labels->backward);
    free(labels->overrides);
    free(labels);
}

/* What a group of the match holds, "" where it is not part of it. Owned by the caller. */
static char *matched(const char *label, const struct pattern_match *match, int group) {
    if (group < 0 || match->begin[group] < 0)
        return xstrdup("");
    return xstrndup(label + match->begin[group], (size_t)(match->end[group] - match->begin[group]));
}

static const struct cluster_resource *none(const char *why, const char **ret_why) {
    if (ret_why)
        *ret_why = why;
    return NULL;
}

/* An override has the word even where the template would find another resource in the label. */
const struct cluster_resource *resource_labels_find(const struct resource_labels *labels, const char *label,
                                                    const char **ret_why) {
    struct pattern_match match;

    for (uint32_t i = 0; i < labels->rule->override_count; i++)
        if (strcmp(labels->rule->overrides[i].label, label) == 0)
            return labels->overrides[i];
    if (!labels->backward)
        return none("neither an override nor a template", ret_why);
    if (!pattern_find(labels->backward, label, &match))
        return none("the template does not fit", ret_why);
    cleanup_free char *group = matched(label, &match, labels->group);
    cleanup_free char *resource = matched(label, &match, labels->resource);
    const struct cluster_resource *found = cluster_resource_find(labels->all, group, resource);
    return found ? found : none("no such resource in the cluster", ret_why);
}
