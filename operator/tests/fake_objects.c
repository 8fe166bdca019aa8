/* Objects in a table; whoever follows one is told on a later turn. */
#include "operator/tests/fake_objects.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

enum { TAKES = 3000 /* µs, everything */ };

struct kubeobject {
    struct kube *kube;
    struct kubeobject *next;
    struct loop_timer *tell;
    char *path;
    kubeobject_fn *fn;
    void *arg;
    struct err err;
};

struct kube_call {
    struct kube *kube;
    struct loop_timer *timer;
    bool served;
    int result;
    enum kube_verb verb;
    char *path;
    json_t *body;
    kube_done_fn *on_done;
    void *arg;
};

void fake_objects_init(struct kube *kube, struct loop *loop) {
    *kube = (struct kube){.loop = loop, .objects = json_object()};
}

void fake_objects_done(struct kube *kube) {
    assert_null(kube->followed);
    assert_int_equal(kube->calls, 0);
    json_decref(kube->objects);
}

json_t *fake_object(struct kube *kube, const char *path) {
    return json_object_get(kube->objects, path);
}

static void merge(json_t *target, const json_t *patch) {
    const char *key;
    json_t *value, *old;
    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        old = json_object_get(target, key);
        if (json_is_null(value))
            json_object_del(target, key);
        else if (json_is_object(value) && json_is_object(old))
            merge(old, value);
        else
            json_object_set_new(target, key, json_deep_copy(value));
    }
}

void fake_object_set(struct kube *kube, const char *path, json_t *patch) {
    if (!patch) {
        json_object_del(kube->objects, path);
    } else {
        char version[16];
        if (!fake_object(kube, path))
            json_object_set_new(kube->objects, path, json_pack("{s:{}}", "metadata"));
        json_t *object = fake_object(kube, path);
        merge(object, patch);
        snprintf(version, sizeof(version), "%d", ++kube->version);
        json_object_set_new(json_object_get(object, "metadata"), "resourceVersion", json_string(version));
        json_decref(patch);
    }
    for (struct kubeobject *o = kube->followed; o; o = o->next)
        if (str_eq(o->path, path))
            loop_timer_set(o->tell, TAKES);
}

/* --- following --- */

static void on_tell(void *arg) {
    struct kubeobject *o = arg;
    err_clear(&o->err);
    if (o->kube->forbidden) {
        err_set(&o->err, -EACCES, "%s: forbidden", o->path);
        loop_timer_set(o->tell, 30 * USEC_PER_SEC);
        return;
    }
    json_t *object = json_deep_copy(fake_object(o->kube, o->path));
    o->fn(o->arg, object);
    json_decref(object);
}

struct kubeobject *kubeobject_follow(struct loop *loop, struct kube *kube, const char *collection,
                                     const char *name, kubeobject_fn *fn, void *arg) {
    struct kubeobject *o = XNEW(struct kubeobject);
    *o = (struct kubeobject){.kube = kube,
                             .path = xasprintf("%s/%s", collection, name),
                             .fn = fn,
                             .arg = arg,
                             .next = kube->followed};
    kube->followed = o;
    o->tell = loop_timer_new(loop, on_tell, o);
    loop_timer_set(o->tell, TAKES);
    return o;
}

void kubeobject_free(struct kubeobject *object) {
    if (!object)
        return;
    struct kubeobject **at = &object->kube->followed;
    while (*at != object)
        at = &(*at)->next;
    *at = object->next;
    loop_timer_free(object->tell);
    free(object->path);
    free(object);
}

const struct err *kubeobject_error(const struct kubeobject *object) {
    return &object->err;
}

/* --- writing --- */

static const char *version_of(const json_t *object) {
    return json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
}

static int serve(struct kube_call *call) {
    struct kube *kube = call->kube;
    const char *name = json_string_value(json_object_get(json_object_get(call->body, "metadata"), "name"));
    bool create = call->verb == KUBE_CREATE;
    cleanup_free char *path = xasprintf("%s%s%s", call->path, create ? "/" : "", create ? name : "");
    json_t *old = fake_object(kube, path);
    if (kube->forbidden)
        return -EACCES;
    if (kube->refuse > 0) {
        kube->refuse--;
        return -EAGAIN;
    }
    if (create && old)
        return -EEXIST;
    if (!create && !old)
        return -ENOENT;
    if (!create && version_of(call->body) && !str_eq(version_of(call->body), version_of(old)))
        return -ESTALE;
    kube->writes++;
    fake_object_set(kube, path, json_incref(call->body));
    return 0;
}

static void call_free(struct kube_call *call) {
    call->kube->calls--;
    loop_timer_free(call->timer);
    json_decref(call->body);
    free(call->path);
    free(call);
}

static void on_answer(void *arg) {
    struct kube_call *call = arg;
    struct kube_reply reply = {.reason = ""};
    int r = call->result = call->served ? call->result : serve(call);
    if (call->kube->slow && !call->served) {
        call->served = true;
        loop_timer_set(call->timer, 3 * TAKES);
        return;
    }
    reply.status = r < 0 ? 500 : 200;
    if (r < 0)
        err_set(&reply.err, r, "no: %d", -r);
    call->on_done(call->arg, &reply);
    call_free(call);
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *request) {
    struct kube_call *call = XNEW(struct kube_call);
    assert_true(request->verb == KUBE_CREATE || request->verb == KUBE_MERGE_PATCH);
    *call = (struct kube_call){.kube = kube,
                               .verb = request->verb,
                               .path = xstrdup(request->path),
                               .body = json_deep_copy(request->body),
                               .on_done = request->on_done,
                               .arg = request->arg};
    call->timer = loop_timer_new(kube->loop, on_answer, call);
    kube->calls++;
    kube->started++;
    loop_timer_set(call->timer, TAKES);
    return call;
}

void kube_cancel(struct kube_call *call) {
    if (call)
        call_free(call);
}
