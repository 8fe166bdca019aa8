/* The questions that the metrics APIs answer, and how they are written. */
#include "adapter/metricsapi_path.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <errno.h>
#include <string.h>

/* 253 is the longest DNS subdomain, which names of objects are at most (RFC 1123); the others are far above
 * what anyone uses, and keep METRICS_PATH_MAX true. */
enum { NAME_LEN_MAX = 253, METRIC_LEN_MAX = 512, SELECTOR_LEN_MAX = 4096 };

const struct metrics_group_info metrics_groups[METRICS_GROUPS] = {
    [GROUP_RESOURCE] = {"metrics.k8s.io",
                        {"v1beta1", NULL},
                        "install metrics-server or another adapter that serves it",
                        "no metrics returned from resource metrics API"},
    [GROUP_CUSTOM] = {"custom.metrics.k8s.io",
                      {"v1beta2", "v1beta1"},
                      "install an adapter that serves it, or use a metric of type Prometheus",
                      "no metrics returned from custom metrics API"},
    [GROUP_EXTERNAL] = {"external.metrics.k8s.io",
                        {"v1beta1", NULL},
                        "install an adapter that serves it, or use a metric of type Prometheus",
                        "no metrics returned from external metrics API"},
};

/* A name that is one part of a path, as the apiserver wants it (IsValidPathSegmentName of apimachinery): with
 * a slash in it, it would lead to something else, with our rights. */
static int check_segment(const char *what, const char *name, size_t max, struct err *err) {
    if (!name || !name[0])
        return err_set(err, -EINVAL, "%s is missing", what);
    if (strlen(name) > max)
        return err_set(err, -EINVAL, "%s is longer than %zu bytes", what, max);
    if (strpbrk(name, "/%") || str_eq(name, ".") || str_eq(name, ".."))
        return err_set(err, -EINVAL,
                       "%s \"%.60s\" cannot be asked for: it must not be \".\" or \"..\" or hold / or %%",
                       what, name);
    return 0;
}

/* The names of an Object's kind are not checked: they are looked up, and never written into a path. */
static int check(const struct metrics_question *q, struct err *err) {
    int ret = check_segment("the namespace", q->ns, NAME_LEN_MAX, err);

    if (ret == 0 && q->type != METRIC_RESOURCE)
        ret = check_segment("the metric's name", q->metric, METRIC_LEN_MAX, err);
    if (ret == 0 && q->type == METRIC_OBJECT)
        ret = check_segment("the described object's name", q->name, NAME_LEN_MAX, err);
    if (ret == 0 && q->selector && strlen(q->selector) > SELECTOR_LEN_MAX)
        ret = err_set(err, -EINVAL, "the metric's selector is longer than %d bytes", SELECTOR_LEN_MAX);
    return ret;
}

static char *copy(const char *text) {
    return text ? xstrdup(text) : NULL;
}

int metrics_question_init(struct metrics_question *q, const struct metric_spec *metric, const char *ns,
                          struct err *err) {
    static const enum metrics_group groups[] = {[METRIC_RESOURCE] = GROUP_RESOURCE,
                                                [METRIC_CONTAINER_RESOURCE] = GROUP_RESOURCE,
                                                [METRIC_PODS] = GROUP_CUSTOM,
                                                [METRIC_OBJECT] = GROUP_CUSTOM,
                                                [METRIC_EXTERNAL] = GROUP_EXTERNAL};

    if (metric->type > METRIC_EXTERNAL)
        return err_set(err, -EINVAL, "this metric is not one of the metrics APIs");
    *q = (struct metrics_question){.type = metric->type, .group = groups[metric->type], .ns = xstrdup(ns)};
    /* A PodMetrics has all containers and resources: whatever is wanted of them, the question is the same. */
    if (q->group == GROUP_RESOURCE) {
        q->type = METRIC_RESOURCE;
    } else {
        q->metric = copy(metric->metric);
        q->selector = copy(metric->selector);
    }
    if (q->type == METRIC_OBJECT) {
        q->api_version = xstrdup(str_or_empty(metric->described.api_version));
        q->kind = xstrdup(str_or_empty(metric->described.kind));
        q->name = copy(metric->described.name);
    }
    /* None of the parts holds a control character: every name is checked by the API or here. */
    q->key = xasprintf("%d\n%s\n%s\n%s\n%s\n%s\n%s", (int)q->type, q->ns, str_or_empty(q->metric),
                       str_or_empty(q->selector), str_or_empty(q->api_version), str_or_empty(q->kind),
                       str_or_empty(q->name));
    int ret = check(q, err);
    if (ret < 0)
        metrics_question_done(q);
    return ret;
}

void metrics_question_done(struct metrics_question *q) {
    free(q->ns);
    free(q->metric);
    free(q->selector);
    free(q->api_version);
    free(q->kind);
    free(q->name);
    free(q->key);
    *q = (struct metrics_question){0};
}

static void put_segment(struct buf *path, const char *name) {
    cleanup_free char *escaped = url_escape(name);

    buf_printf(path, "/%s", escaped);
}

/* "deployments.apps", "services"; a Namespace is asked about under its own path, and is the policy's own,
 * whatever its name says: as HPA does. */
static int put_object(const struct metrics_question *q, struct discovery *discovery, struct buf *path,
                      struct err *err) {
    const struct resource *resource = NULL;

    if (str_eq(q->kind, "Namespace") && !strchr(q->api_version, '/')) {
        buf_puts(path, "/metrics");
        return 0;
    }
    /* The path has the plural, which only discovery knows, and no version: the adapter takes its own. */
    int ret = discovery_find(discovery, q->api_version, q->kind, &resource, err);
    if (ret < 0)
        return ret;
    cleanup_free char *plural =
        xasprintf("%s%s%s", resource->plural, resource->group[0] ? "." : "", resource->group);
    put_segment(path, plural);
    put_segment(path, q->name);
    return 0;
}

int metrics_question_path(const struct metrics_question *q, const char *version, struct discovery *discovery,
                          struct buf *path, struct err *err) {
    int ret = 0;

    buf_printf(path, "/apis/%s/%s/namespaces", metrics_groups[q->group].name, version);
    put_segment(path, q->ns);
    /* HPA adds the selector of its own pods. Without it one answer is good for all policies of the namespace,
     * each of which looks for its pods by their names. */
    if (q->type == METRIC_RESOURCE || q->type == METRIC_PODS)
        buf_puts(path, q->type == METRIC_RESOURCE ? "/pods" : "/pods/*");
    else if (q->type == METRIC_OBJECT)
        ret = put_object(q, discovery, path, err);
    if (ret < 0)
        return ret;
    if (q->metric)
        put_segment(path, q->metric);
    if (q->selector && q->selector[0]) {
        cleanup_free char *escaped = url_escape(q->selector);
        buf_printf(path, "?%s=%s", q->type == METRIC_EXTERNAL ? "labelSelector" : "metricLabelSelector",
                   escaped);
    }
    return 0;
}
