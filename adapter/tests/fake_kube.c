/* Requests answered by timers of the (simulated) loop. */
#include "adapter/tests/fake_kube.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kube_call {
    struct kube *kube;
    struct loop_timer *timer;
    struct kube_request request; /* its callbacks only; the rest is the caller's */
    struct fake_answer answer;
};

static void call_free(struct kube_call *call) {
    call->kube->in_flight--;
    loop_timer_free(call->timer);
    free(call);
}

static int code_of(int status) {
    return status == 404 ? -ENOENT : status == 403 ? -EACCES : -EAGAIN;
}

/* The whole body in pieces of 7 bytes; what on_body says of them. */
static int give_body(struct kube_call *call, struct err *err) {
    const char *body = str_or_empty(call->answer.text);
    size_t len = strlen(body);
    int ret = 0;

    for (size_t at = 0; at < len && ret >= 0; at += 7)
        ret = call->request.on_body(call->request.arg, body + at, len - at < 7 ? len - at : 7, err);
    return ret;
}

static void on_answer(void *arg) {
    struct kube_call *call = arg;
    const struct fake_answer *a = &call->answer;
    struct kube_reply reply = {.status = a->status, .reason = str_or_empty(a->reason)};

    if (a->status >= 200 && a->status < 300) {
        if (give_body(call, &reply.err) < 0)
            reply.status = 0;
    } else {
        err_set(&reply.err, a->code ? a->code : code_of(a->status), "%s", str_or_empty(a->text));
    }
    call->request.on_done(call->request.arg, &reply);
    call_free(call);
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *request) {
    struct kube_call *call = XNEW(struct kube_call);

    *call = (struct kube_call){.kube = kube, .request = *request};
    call->timer = loop_timer_new(kube->loop, on_answer, call);
    snprintf(kube->path, sizeof(kube->path), "%s", request->path);
    kube->serve(kube->arg, request->path, &call->answer);
    kube->started++;
    if (++kube->in_flight > kube->max_in_flight)
        kube->max_in_flight = kube->in_flight;
    loop_timer_set(call->timer, call->answer.delay ? call->answer.delay : 3 * USEC_PER_MSEC);
    return call;
}

void kube_cancel(struct kube_call *call) {
    if (call)
        call_free(call);
}

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    discovery->asked++;
    if (discovery->resource) {
        *ret_resource = discovery->resource;
        return 0;
    }
    return discovery->code
               ? err_set(err, discovery->code, "the server has no kind \"%s\" in \"%s\"", kind, api_version)
               : -EAGAIN;
}

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    discovery->changed = fn;
    discovery->arg = arg;
}

void fake_discovery_round(struct discovery *discovery) {
    discovery->changed(discovery->arg);
}
