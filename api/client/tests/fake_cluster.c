/* Requests answered by timers of the simulated loop, and watches that a test drives. */
#include "api/client/tests/fake_cluster.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <stdio.h>

struct kube_call {
    struct kube *kube;
    struct loop_timer *timer;
    kube_done_fn *on_done;
    void *arg;
    struct cluster_answer answer;
};

struct kube_watch {
    struct kube *kube;
    struct ws_request callbacks;
};

static void call_free(struct kube_call *call) {
    call->kube->in_flight--;
    loop_timer_free(call->timer);
    free(call);
}

static int code_of(int status) {
    return status == 404 ? -ENOENT : status == 403 || status == 401 ? -EACCES : -EAGAIN;
}

static void on_answer(void *arg) {
    struct kube_call *call = arg;
    const struct cluster_answer *a = &call->answer;
    struct kube_reply reply = {
        .status = a->status, .reason = str_or_empty(a->reason), .retry_after = a->retry_after};
    json_t *root = NULL;

    if (a->status >= 200 && a->status < 300) {
        reply.body = root = json_loads(str_or_empty(a->text), 0, NULL);
        if (!root)
            err_set(&reply.err, -EBADMSG, "the reply is not JSON");
    } else {
        err_set(&reply.err, a->code ? a->code : code_of(a->status), "%s", str_or_empty(a->text));
    }
    call->on_done(call->arg, &reply);
    json_decref(root);
    call_free(call);
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *request) {
    struct kube_call *call = XNEW(struct kube_call);
    char *body = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;

    *call = (struct kube_call){.kube = kube, .on_done = request->on_done, .arg = request->arg};
    call->timer = loop_timer_new(kube->loop, on_answer, call);
    snprintf(kube->path, sizeof(kube->path), "%s", request->path);
    snprintf(kube->body, sizeof(kube->body), "%s", str_or_empty(body));
    free(body);
    kube->serve(kube->arg, request, &call->answer);
    kube->started++;
    kube->in_flight++;
    loop_timer_set(call->timer, call->answer.delay ? call->answer.delay : 3 * USEC_PER_MSEC);
    return call;
}

void kube_cancel(struct kube_call *call) {
    if (call)
        call_free(call);
}

struct kube_watch *kube_watch_open(struct kube *kube, const char *path, const struct ws_request *callbacks) {
    struct kube_watch *watch = XNEW(struct kube_watch);
    size_t i = 0;

    *watch = (struct kube_watch){kube, *callbacks};
    while (kube->watches[i])
        i++;
    assert_true(i < CLUSTER_WATCHES - 1);
    kube->watches[i] = watch;
    kube->watches_opened++;
    snprintf(kube->watch_path, sizeof(kube->watch_path), "%s", path);
    return watch;
}

static void forget(struct kube_watch *watch) {
    struct kube_watch **at = watch->kube->watches;

    while (*at != watch)
        at++;
    do
        at[0] = at[1];
    while (*at++);
}

void kube_watch_close(struct kube_watch *watch) {
    if (!watch)
        return;
    forget(watch);
    free(watch);
}

void cluster_done(struct kube *kube) {
    assert_int_equal(kube->in_flight, 0);
    assert_null(kube->watches[0]);
}

static struct kube_watch *only(const struct kube *kube) {
    assert_non_null(kube->watches[0]);
    assert_null(kube->watches[1]);
    return kube->watches[0];
}

void cluster_accept(struct kube *kube) {
    const struct kube_watch *watch = only(kube);

    watch->callbacks.on_open(watch->callbacks.arg);
}

static void end_with(struct kube *kube, const struct ws_end *end) {
    struct kube_watch *watch = only(kube);
    struct ws_request callbacks = watch->callbacks;

    kube_watch_close(watch);
    callbacks.on_end(callbacks.arg, end);
}

void cluster_end(struct kube *kube, int status, int code) {
    struct ws_end end = {.status = status};

    err_set(&end.err, code, "the watch ended");
    end_with(kube, &end);
}

void cluster_bring(struct kube *kube, const char *text) {
    const struct ws_request *callbacks = &only(kube)->callbacks;
    struct ws_end end = {.status = 101};
    size_t len = strlen(text), half = len / 2;

    int ret = callbacks->on_data(callbacks->arg, text, half, false, &end.err);
    if (ret == 0)
        ret = callbacks->on_data(callbacks->arg, text + half, len - half, true, &end.err);
    if (ret < 0)
        end_with(kube, &end);
}

void cluster_event(struct kube *kube, const char *type, const char *object) {
    char *text = xasprintf("{\"type\":\"%s\",\"object\":%s}", type, object);

    cluster_bring(kube, text);
    free(text);
}
