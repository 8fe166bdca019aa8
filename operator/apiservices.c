/* Each APIService is followed; what was last seen of it, and the caBundle that is wanted, tell what to write.
 * A write that fails is tried again after a while, in case nothing changes that would call us.
 *
 * An item begins as UNKNOWN, and on_object makes it NOBODY's, US or OTHER's; from then on it is one of these
 * three. All that may change something (an object seen, a caBundle set, a write answered, the timer) ends in
 * settle, which compares and writes at most once: while a write is under way nothing else is begun, and its
 * answer settles anew (the timer, where it failed). So no change is lost, and no two writes of ours overtake
 * each other. */
#include "operator/apiservices.h"

#include "api/client/kubeobject.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <errno.h>
#include <string.h>

enum {
    /* As prometheus-adapter's own APIServices have them, so that taking over from it changes nothing in what
     * clients find first. */
    PRIORITY = 100,     /* of the group among others, and of its versions */
    NEW_PRIORITY = 200, /* of the version that clients shall prefer */
};

static const usec_t retry_after = 10 * USEC_PER_SEC;
static const char *const collection = "/apis/apiregistration.k8s.io/v1/apiservices";

/* Those of the metrics APIs, which are followed in any case. */
static const char *const well_known[] = {"v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io",
                                         "v1beta1.external.metrics.k8s.io", "v1beta1.metrics.k8s.io", NULL};

struct apiservice {
    struct apiservices *all;
    char *name; /* VERSION.GROUP */
    bool managed, expected;
    struct kubeobject *object;
    enum apiservice_owner owner; /* as last seen */
    char *ca_bundle;             /* as last seen: base64, or NULL */
    struct kube_call *call;
    char *written;       /* the bundle that call writes: all's may be another when the answer comes; owned */
    bool seen_meanwhile; /* something was seen while call was under way */
    struct err err;      /* of what was seen, or of the last write */
};

struct apiservices {
    struct loop *loop;
    struct kube *kube;
    char *service_ns, *service;
    bool know_ca;    /* set_ca was called */
    char *ca_bundle; /* base64; NULL: the administrator's */
    /* One for all: whoever needs no other try is settled already, and settling it again does nothing. */
    struct loop_timer *retry;
    /* Made once, with room for all: callbacks hold pointers into it. */
    struct apiservice *items;
    size_t len;
};

static void settle(struct apiservice *item);

/* --- writing --- */

/* What we wrote counts as seen until it is, so that it is not written again. But the watch may be ahead of
 * the answer, and then it knows better. */
static void on_written(void *arg, const struct kube_reply *reply) {
    struct apiservice *item = arg;
    item->call = NULL;
    if (reply->err.code == 0 && !item->seen_meanwhile) {
        item->owner = APISERVICE_US;
        free(item->ca_bundle);
        item->ca_bundle = item->written;
        item->written = NULL;
    }
    /* With EEXIST another replica was faster: that will be seen, or has been. */
    if (reply->err.code == 0 || (reply->err.code == -EEXIST && item->seen_meanwhile))
        settle(item);
    /* Whose it is now counts more than why we could not write what is not ours any more. */
    if (reply->err.code == 0 || reply->err.code == -EEXIST || item->owner == APISERVICE_OTHER)
        return;
    item->err = reply->err;
    err_wrap(&item->err, "APIService %s", item->name);
    loop_timer_set(item->all->retry, retry_after);
}

static void write_item(struct apiservice *item, enum kube_verb verb, const char *path, json_t *body) {
    struct kube_request request = {
        .verb = verb, .path = path, .body = body, .on_done = on_written, .arg = item};
    const char *bundle = item->all->ca_bundle;
    free(item->written);
    item->written = bundle ? xstrdup(bundle) : NULL;
    item->seen_meanwhile = false;
    item->call = kube_start(item->all->kube, &request);
    json_decref(body);
}

/* Of one group the version with the higher number is what clients take. */
static int version_priority(const char *name) {
    return str_starts(name, "v1beta2.custom.metrics.") ? NEW_PRIORITY : PRIORITY;
}

/* Group and version are in the name. Of a certificate that the administrator gave we do not know the
 * authority: then no caBundle is written, and settle says that it is missing. */
static void create(struct apiservice *item) {
    const struct apiservices *all = item->all;
    const char *dot = strchr(item->name, '.');
    json_t *spec = json_pack("{s:s, s:s#, s:{s:s, s:s, s:i}, s:i, s:i, s:b}", "group", dot + 1, "version",
                             item->name, (int)(dot - item->name), "service", "namespace", all->service_ns,
                             "name", all->service, "port", 443, "groupPriorityMinimum", PRIORITY,
                             "versionPriority", version_priority(item->name), "insecureSkipTLSVerify", 0);
    if (all->ca_bundle)
        json_object_set_new(spec, "caBundle", json_string(all->ca_bundle));
    write_item(item, KUBE_CREATE, collection,
               json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:o}", "apiVersion", "apiregistration.k8s.io/v1",
                         "kind", "APIService", "metadata", "name", item->name, "labels",
                         "app.kubernetes.io/managed-by", "trimtab", "spec", spec));
}

/* Of no version: whoever patches last wins, but all replicas read their authority from one Secret, and so
 * write the same. What the patch does not name (priorities, labels) stays as somebody has set it. */
static void patch(struct apiservice *item) {
    cleanup_free char *path = xasprintf("%s/%s", collection, item->name);
    /* With insecureSkipTLSVerify no caBundle is allowed. */
    write_item(
        item, KUBE_MERGE_PATCH, path,
        json_pack("{s:{s:s, s:b}}", "spec", "caBundle", item->all->ca_bundle, "insecureSkipTLSVerify", 0));
}

/* Does what is missing between what was seen and what is wanted. What went wrong before stays told while it
 * is tried again. */
static void settle(struct apiservice *item) {
    const struct apiservices *all = item->all;
    if (!item->managed || item->call || !all->know_ca || item->owner == APISERVICE_UNKNOWN ||
        item->owner == APISERVICE_OTHER)
        return;
    if (item->owner == APISERVICE_NOBODY)
        create(item);
    else if (all->ca_bundle && !str_eq(item->ca_bundle, all->ca_bundle))
        patch(item);
    else if (!all->ca_bundle && !item->ca_bundle)
        err_set(&item->err, -EINVAL, "APIService %s has no caBundle: the authority of the certificate given",
                item->name);
    else
        err_clear(&item->err);
}

/* --- following --- */

/* Whose it is tells the Service that it points at; one without a Service is the apiserver's own. */
static enum apiservice_owner judge(struct apiservice *item, const char *ns, const char *name) {
    const struct apiservices *all = item->all;
    if (str_eq(ns, all->service_ns) && str_eq(name, all->service))
        return APISERVICE_US;
    if (name)
        err_set(&item->err, -EEXIST, "APIService %s points at %s/%s", item->name, str_or_empty(ns), name);
    else
        err_set(&item->err, -EEXIST, "APIService %s is served by the apiserver itself", item->name);
    return APISERVICE_OTHER;
}

/* Said once for each change of hands. An API that another adapter serves beside us is no fault, unless it is
 * one that we are set to serve. */
static void say(const struct apiservice *item, enum apiservice_owner before, const char *reason_before) {
    if (item->owner == APISERVICE_US && before == APISERVICE_OTHER)
        log_info(NULL, "APIService %s points at us now", item->name);
    if (item->owner != APISERVICE_OTHER ||
        (before == APISERVICE_OTHER && str_eq(reason_before, item->err.text)))
        return;
    if (item->expected)
        log_warn(NULL, "%s: nobody asks us for these metrics%s", err_text(&item->err),
                 item->managed ? ", and we leave it alone" : "");
    else
        log_info(NULL, "%s", err_text(&item->err));
}

/* Whatever was wrong before is judged anew; a failed write too, which settle begins again if it is still
 * wanted. */
static void on_object(void *arg, const json_t *object) {
    struct apiservice *item = arg;
    const json_t *spec = json_object_get(object, "spec"), *service = json_object_get(spec, "service");
    const char *ca_bundle = json_string_value(json_object_get(spec, "caBundle"));
    enum apiservice_owner before = item->owner;
    struct err err_before = item->err;
    err_clear(&item->err);
    free(item->ca_bundle);
    item->ca_bundle = ca_bundle && *ca_bundle ? xstrdup(ca_bundle) : NULL;
    item->owner = object ? judge(item, json_string_value(json_object_get(service, "namespace")),
                                 json_string_value(json_object_get(service, "name")))
                         : APISERVICE_NOBODY;
    item->seen_meanwhile = true;
    say(item, before, err_before.text);
    settle(item);
}

static void settle_all(void *arg) {
    struct apiservices *services = arg;
    for (size_t i = 0; i < services->len; i++)
        settle(&services->items[i]);
}

static bool contains(const char *const *names, const char *name) {
    while (names && *names && !str_eq(*names, name))
        names++;
    return names && *names;
}

/* A name that is there already is passed over: the managed ones come first, and may be among the well known.
 */
static void follow(struct apiservices *services, const char *name,
                   const struct apiservices_options *options) {
    bool managed = contains(options->managed, name);
    for (size_t i = 0; i < services->len; i++)
        if (str_eq(services->items[i].name, name))
            return;
    struct apiservice *item = &services->items[services->len++];
    *item = (struct apiservice){.all = services,
                                .name = xstrdup(name),
                                .managed = managed,
                                .expected = managed || contains(options->expected, name)};
    item->object = kubeobject_follow(services->loop, services->kube, collection, name, on_object, item);
}

struct apiservices *apiservices_new(struct loop *loop, struct kube *kube,
                                    const struct apiservices_options *options) {
    struct apiservices *services = XNEW(struct apiservices);
    size_t len = sizeof(well_known) / sizeof(well_known[0]);
    *services = (struct apiservices){.loop = loop,
                                     .kube = kube,
                                     .service_ns = xstrdup(options->service_ns),
                                     .service = xstrdup(options->service)};
    services->retry = loop_timer_new(loop, settle_all, services);
    for (size_t i = 0; options->managed && options->managed[i]; i++)
        len++;
    services->items = xcalloc(len, sizeof(*services->items));
    for (size_t i = 0; options->managed && options->managed[i]; i++)
        follow(services, options->managed[i], options);
    for (size_t i = 0; well_known[i]; i++)
        follow(services, well_known[i], options);
    return services;
}

void apiservices_free(struct apiservices *services) {
    if (!services)
        return;
    for (size_t i = 0; i < services->len; i++) {
        struct apiservice *item = &services->items[i];
        kubeobject_free(item->object);
        kube_cancel(item->call);
        free(item->name);
        free(item->ca_bundle);
        free(item->written);
    }
    loop_timer_free(services->retry);
    free(services->items);
    free(services->service_ns);
    free(services->service);
    free(services->ca_bundle);
    free(services);
}

void apiservices_set_ca(struct apiservices *services, const char *ca_pem) {
    free(services->ca_bundle);
    services->ca_bundle = ca_pem ? base64_encode(ca_pem, strlen(ca_pem)) : NULL;
    services->know_ca = true;
    settle_all(services);
}

void apiservices_each(const struct apiservices *services, apiservices_fn *fn, void *arg) {
    for (size_t i = 0; i < services->len; i++) {
        const struct apiservice *item = &services->items[i];
        const struct err *unread = kubeobject_error(item->object);
        /* Where both are set ours says more: it was found in an object that could be read. */
        fn(arg, &(struct apiservice_state){.name = item->name,
                                           .owner = item->owner,
                                           .expected = item->expected,
                                           .err = item->err.code ? &item->err : unread});
    }
}
