/* What the remote adapter lists, read again and again: first whom it is verified by, where that is the
 * cluster's to say, then the list of each API. A round that fails is begun anew; what was read before stays.
 *
 *   AUTHORITY -> CUSTOM -> EXTERNAL -> finish, and the timer of the next round
 *                  | 404      ^
 *                  +-> CUSTOM_V1
 *
 * One thing is under way at a time: the request for APIServices, that for a list, or the timer. Each step
 * begins the next one in its callback, and a failure of any sets the timer. */
#include "adapter/remote.h"

#include "adapter/remote_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_EVERY (30 * USEC_PER_SEC)
#define ROUND_AFTER_FAILURE (5 * USEC_PER_SEC)

/* v1beta2 first: adapters that are older than it answer 404 to that, and list the same in v1beta1. */
static const char *const targets[STEPS] = {
    [STEP_CUSTOM] = "/apis/custom.metrics.k8s.io/v1beta2",
    [STEP_CUSTOM_V1] = "/apis/custom.metrics.k8s.io/v1beta1",
    [STEP_EXTERNAL] = "/apis/external.metrics.k8s.io/v1beta1",
};

static void take_step(struct remote *r, enum remote_step step);

/* ---- the end of a round ---- */

static int by_name(const void *a, const void *b) {
    const struct apidocs_entry *x = a, *y = b;
    int ret = strcmp(x->name, y->name);

    return ret ? ret : (int)x->external - (int)y->external;
}

/* The entries' names are the lists' own: made anew whenever a list is replaced, before anyone can look. */
static void merge(struct remote *r) {
    uint32_t n = 0;

    for (int i = 0; i < REMOTE_APIS; i++)
        n += r->lists[i].count;
    free(r->entries);
    r->entries = xcalloc(n + 1, sizeof(r->entries[0]));
    r->stats.entries = 0;
    for (int i = 0; i < REMOTE_APIS; i++)
        for (uint32_t at = 0; at < r->lists[i].count; at++)
            r->entries[r->stats.entries++] = r->lists[i].entries[at];
    if (n > 1)
        qsort(r->entries, n, sizeof(r->entries[0]), by_name);
}

/* Said when it begins and when the reason changes. */
static void fail(struct remote *r, const char *why) {
    if (strncmp(r->said, why, sizeof(r->said) - 1) != 0)
        log_warn("remote adapter", "its metrics cannot be listed: %s", why);
    snprintf(r->said, sizeof(r->said), "%s", why);
    loop_timer_set(r->round, ROUND_AFTER_FAILURE);
}

static void finish(struct remote *r) {
    if (r->said[0] || !r->stats.last_list)
        log_info("remote adapter", "%s lists %u metrics", r->url, r->stats.entries);
    r->said[0] = '\0';
    r->stats.last_list = clock_wall();
    loop_timer_set(r->round, ROUND_EVERY);
}

/* ---- lists ---- */

static enum remote_api api_of(enum remote_step step) {
    return step == STEP_EXTERNAL ? REMOTE_EXTERNAL : REMOTE_CUSTOM;
}

/* A group that it does not serve is an empty list. */
static int read_list(struct remote *r, const struct remote_answer *answer, struct err *err) {
    enum remote_api api = api_of(r->step);
    struct remote_list list = {.known = true};

    if (answer->status == 200) {
        json_t *document = json_loadb(answer->body->data, answer->body->len, 0, NULL);
        int ret = remote_list_read(document, api == REMOTE_EXTERNAL, &list, err);
        json_decref(document);
        if (ret < 0)
            return ret;
    } else if (answer->status != 404) {
        return err_set(err, -EPROTO, "%s answers %d to %s", r->url, answer->status, targets[r->step]);
    }
    remote_list_done(&r->lists[api]);
    r->lists[api] = list;
    merge(r);
    return 0;
}

static void on_list(void *arg, const struct remote_answer *answer, const struct err *err) {
    struct remote *r = arg;
    struct err why = *err;

    r->list = NULL; /* the handle has ended with this call */
    if (why.code == 0 && answer->status == 404 && r->step == STEP_CUSTOM) {
        take_step(r, STEP_CUSTOM_V1);
        return;
    }
    if (why.code == -EAGAIN)
        loop_timer_set(r->round, ROUND_AFTER_FAILURE); /* it is down, which has been said */
    else if (why.code || read_list(r, answer, &why) < 0)
        fail(r, err_text(&why));
    else if (r->step == STEP_EXTERNAL)
        finish(r);
    else
        take_step(r, STEP_EXTERNAL);
}

/* ---- whom it is verified by ---- */

/* The caBundle of an APIService that points at the Service, decoded; NULL: this is none. It is what the
 * apiserver itself verifies the remote by. */
static char *bundle_of(const struct remote *r, const json_t *apiservice) {
    const json_t *spec = json_object_get(apiservice, "spec");
    const json_t *service = json_object_get(spec, "service");
    const char *bundle = json_string_value(json_object_get(spec, "caBundle"));
    char *pem = NULL;

    if (!bundle || !bundle[0] || !str_eq(json_string_value(json_object_get(service, "namespace")), r->ns) ||
        !str_eq(json_string_value(json_object_get(service, "name")), r->service))
        return NULL;
    return base64_decode(bundle, &pem, NULL, NULL) == 0 ? pem : NULL;
}

static void on_apiservices(void *arg, const struct kube_reply *reply) {
    struct remote *r = arg;
    const json_t *items = json_object_get(reply->body, "items");
    char *pem = NULL;

    r->find = NULL;
    /* Known from before, it is good enough until the next round. */
    if (reply->err.code && !r->tls) {
        struct err why = reply->err;
        err_wrap(&why, "APIServices cannot be read for its CA");
        fail(r, err_text(&why));
        return;
    }
    for (size_t i = 0; i < json_array_size(items) && !pem; i++)
        pem = bundle_of(r, json_array_get(items, i));
    if (pem)
        remote_set_authority(r, pem);
    /* Where there has never been one, the next step cannot ask, and says so. */
    take_step(r, STEP_CUSTOM);
}

/* ---- rounds ---- */

static void find_authority(struct remote *r) {
    bool changed = false;

    if (r->ca_path && file_follow(&r->ca, /* force= */ false, &changed, NULL) == 0 && changed)
        remote_set_authority(r, xstrdup(r->ca.text));
    if (r->ca_path || !r->ns) {
        take_step(r, STEP_CUSTOM);
        return;
    }
    r->find =
        kube_start(r->kube, &(struct kube_request){.verb = KUBE_GET,
                                                   .path = "/apis/apiregistration.k8s.io/v1/apiservices",
                                                   .on_done = on_apiservices,
                                                   .arg = r});
}

static void take_step(struct remote *r, enum remote_step step) {
    r->step = step;
    if (step == STEP_AUTHORITY)
        find_authority(r);
    else
        r->list = remote_get(r, targets[step], NULL, /* identity= */ NULL, on_list, r);
}

static void on_round(void *arg) {
    take_step(arg, STEP_AUTHORITY);
}

void remote_lists_start(struct remote *r) {
    r->round = loop_timer_new(r->loop, on_round, r);
    loop_timer_set(r->round, 0);
}

void remote_lists_stop(struct remote *r) {
    loop_timer_free(r->round);
    kube_cancel(r->find);
    remote_cancel(r->list);
    for (int i = 0; i < REMOTE_APIS; i++)
        remote_list_done(&r->lists[i]);
    free(r->entries);
}

/* ---- what is known ---- */

const struct apidocs_entry *remote_entries(const struct remote *r, uint32_t *ret_count) {
    *ret_count = r->stats.entries;
    return r->entries;
}

bool remote_has(const struct remote *r, const struct metrics_route *route) {
    if (route->api == ROUTE_RESOURCE)
        return false;
    return remote_list_has(&r->lists[route->api == ROUTE_EXTERNAL ? REMOTE_EXTERNAL : REMOTE_CUSTOM], route);
}
