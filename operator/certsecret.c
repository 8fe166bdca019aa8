/* The Secret is followed; from what was last seen of it, and the time, follows what to write. Writes carry
 * the version that was seen, so of two replicas that renew at once one gets a conflict, and reads the
 * other's.
 *
 * What was seen decides (settle, every time something is seen, written, or due):
 *   NOTHING  not read yet: to wait, for a Secret that is there must not be made anew
 *   MISSING  to create it, with what it held when it was there last, else with a new certificate
 *   OURS     (or empty) to serve what it holds, and to replace it where it is due or no good
 *   OTHERS   to serve what it holds, and never to write: somebody else (cert-manager, a person) sees to it
 * Only what has come back from the apiserver is handed on, also of what we wrote ourselves: so all replicas
 * come to serve the same, and none serves what was refused. */
#include "operator/certsecret.h"

#include "api/client/kubeobject.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <errno.h>
#include <string.h>

static const usec_t retry_after = 30 * USEC_PER_SEC;
static const usec_t look_again = USEC_PER_HOUR; /* the wall clock may jump */
static const char *const label = "app.kubernetes.io/managed-by";

enum seen { SEEN_NOTHING, SEEN_MISSING, SEEN_OURS, SEEN_OTHERS };

struct certsecret {
    struct kube *kube;
    struct certsecret_options options; /* owned texts */
    certsecret_fn *fn;
    void *arg;
    struct kubeobject *object;
    struct kube_call *call;
    bool seen_meanwhile;      /* something was seen while call was under way */
    struct loop_timer *again; /* settles: after a failed write, when it is to be renewed, now and then */
    enum seen seen;
    char *version;       /* of the Secret seen last; a write is for this one only */
    struct owncert cert; /* as seen last, also when it is missing now */
    struct err err;
};

static void settle(void *arg);

/* --- writing --- */

static int wrap(struct certsecret *s) {
    return err_wrap(&s->err, "Secret %s/%s", s->options.ns, s->options.name);
}

/* A conflict is no failure: another replica was faster. What was written, by us or by it, is about to be
 * seen, or has been already: the watch may be ahead of the answer. */
static void on_written(void *arg, const struct kube_reply *reply) {
    struct certsecret *s = arg;
    s->call = NULL;
    if (reply->err.code == 0 || reply->err.code == -EEXIST || reply->err.code == -ESTALE) {
        err_clear(&s->err);
        if (s->seen_meanwhile)
            settle(s);
        return;
    }
    s->err = reply->err;
    wrap(s);
    loop_timer_set(s->again, retry_after);
}

/* The values of a Secret's data are base64 in JSON. */
static void set_base64(json_t *data, const char *key, const char *text) {
    cleanup_free char *encoded = base64_encode(text, strlen(text));
    json_object_set_new(data, key, json_string(encoded));
}

/* The whole object, or a merge patch that holds for the version seen only: with a resourceVersion in its
 * metadata the apiserver answers 409 where the object has changed. A Secret of type kubernetes.io/tls must
 * have tls.crt and tls.key from the start; the type of one that is there cannot be changed, and is left. */
static json_t *to_json(const struct certsecret *s, const struct owncert *cert) {
    json_t *data = json_object();
    set_base64(data, "tls.crt", cert->serving.cert_pem);
    set_base64(data, "tls.key", cert->serving.key_pem);
    set_base64(data, "ca.crt", cert->ca_pem);
    json_t *object = json_pack("{s:{s:{s:s}}, s:o}", "metadata", "labels", label, "trimtab", "data", data);
    json_t *metadata = json_object_get(object, "metadata");
    if (s->seen == SEEN_MISSING) {
        json_object_set_new(object, "apiVersion", json_string("v1"));
        json_object_set_new(object, "kind", json_string("Secret"));
        json_object_set_new(object, "type", json_string("kubernetes.io/tls"));
        json_object_set_new(metadata, "name", json_string(s->options.name));
    } else {
        json_object_set_new(metadata, "resourceVersion", json_string(s->version));
    }
    return object;
}

static void write_secret(struct certsecret *s, const struct owncert *cert) {
    bool create = s->seen == SEEN_MISSING;
    cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/secrets%s%s", s->options.ns, create ? "" : "/",
                                        create ? "" : s->options.name);
    json_t *body = to_json(s, cert);
    struct kube_request request = {.verb = create ? KUBE_CREATE : KUBE_MERGE_PATCH,
                                   .path = path,
                                   .body = body,
                                   .on_done = on_written,
                                   .arg = s};
    s->seen_meanwhile = false;
    s->call = kube_start(s->kube, &request);
    json_decref(body);
    log_info(path, "%s the serving certificate", create ? "putting in" : "replacing");
}

/* A new one; old_ca_pem is what is trusted until all have seen it. Each replica that comes here makes its own
 * and one of them wins: keys are made in milliseconds, an election would take a Lease. */
static void write_new(struct certsecret *s, const char *old_ca_pem) {
    cleanup_owncert struct owncert cert = {0};
    if (owncert_make(s->options.service_ns, s->options.service, old_ca_pem, clock_wall(), &cert, &s->err) ==
        0)
        write_secret(s, &cert);
    else
        loop_timer_set(s->again, retry_after);
}

/* What is missing was never there, or was deleted: then what it held, and everybody trusts, comes back. */
static void make_again(struct certsecret *s, usec_t now) {
    if (owncert_check(&s->cert, s->options.service_ns, s->options.service, now, NULL) == 0 &&
        owncert_due(&s->cert) > now)
        write_secret(s, &s->cert);
    else
        write_new(s, NULL);
}

/* Good ones are served while they last, also past their time of renewal, which may fail for long. fn comes
 * last: nothing is left to do here, whatever it does. It is told the same certificate again and again, which
 * it has to expect. */
static void judge_cert(struct certsecret *s, usec_t now) {
    bool good = owncert_check(&s->cert, s->options.service_ns, s->options.service, now, &s->err) == 0;
    usec_t left = good ? owncert_due(&s->cert) - now : 0;
    if (left <= 0 && s->seen == SEEN_OURS) {
        err_clear(&s->err);
        write_new(s, good ? s->cert.ca_pem : NULL);
    } else if (good) {
        loop_timer_set(s->again, left > 0 && left < look_again ? left : look_again);
    } else {
        wrap(s); /* made by somebody else, who has to see to it */
        loop_timer_set(s->again, look_again);
    }
    if (good)
        s->fn(s->arg, &s->cert);
}

/* Does what is missing between what was seen and what should be. May call fn. The error of before is dropped,
 * for whatever is still wrong is found again here. */
static void settle(void *arg) {
    struct certsecret *s = arg;
    usec_t now = clock_wall();
    if (s->call || s->seen == SEEN_NOTHING)
        return;
    err_clear(&s->err);
    if (s->seen == SEEN_MISSING)
        make_again(s, now);
    else
        judge_cert(s, now);
}

/* --- reading --- */

static char *from_base64(const json_t *data, const char *key) {
    const char *encoded = json_string_value(json_object_get(data, key));
    char *text = NULL;
    if (!encoded || base64_decode(encoded, &text, NULL, NULL) < 0)
        return NULL;
    return text;
}

/* One that holds nothing was put there for us to fill. */
static enum seen judge(const struct certsecret *s, const json_t *metadata) {
    const char *maker = json_string_value(json_object_get(json_object_get(metadata, "labels"), label));
    bool empty = !s->cert.serving.cert_pem || !s->cert.serving.cert_pem[0];
    return empty || str_eq(maker, "trimtab") ? SEEN_OURS : SEEN_OTHERS;
}

static void on_object(void *arg, const json_t *object) {
    struct certsecret *s = arg;
    const json_t *metadata = json_object_get(object, "metadata"), *data = json_object_get(object, "data");
    /* version and cert stay as they were last seen: make_again puts them back. */
    s->seen = SEEN_MISSING;
    if (object) {
        free(s->version);
        s->version = xstrdup(str_or_empty(json_string_value(json_object_get(metadata, "resourceVersion"))));
        owncert_done(&s->cert);
        s->cert = (struct owncert){
            .serving = {.cert_pem = from_base64(data, "tls.crt"), .key_pem = from_base64(data, "tls.key")},
            .ca_pem = from_base64(data, "ca.crt"),
        };
        s->seen = judge(s, metadata);
    }
    s->seen_meanwhile = true;
    settle(s);
}

struct certsecret *certsecret_new(struct loop *loop, struct kube *kube,
                                  const struct certsecret_options *options, certsecret_fn *fn, void *arg) {
    struct certsecret *s = XNEW(struct certsecret);
    *s = (struct certsecret){.kube = kube, .fn = fn, .arg = arg};
    s->options = (struct certsecret_options){
        .ns = xstrdup(options->ns),
        .name = xstrdup(options->name),
        .service_ns = options->service ? xstrdup(options->service_ns) : NULL,
        .service = options->service ? xstrdup(options->service) : NULL,
    };
    s->again = loop_timer_new(loop, settle, s);
    cleanup_free char *collection = xasprintf("/api/v1/namespaces/%s/secrets", options->ns);
    s->object = kubeobject_follow(loop, kube, collection, options->name, on_object, s);
    return s;
}

static void free_text(const char *text) {
    free((void *)(uintptr_t)text);
}

void certsecret_free(struct certsecret *s) {
    if (!s)
        return;
    kubeobject_free(s->object);
    kube_cancel(s->call);
    loop_timer_free(s->again);
    owncert_done(&s->cert);
    free(s->version);
    free_text(s->options.ns);
    free_text(s->options.name);
    free_text(s->options.service_ns);
    free_text(s->options.service);
    free(s);
}

const struct err *certsecret_error(const struct certsecret *s) {
    return s->err.code ? &s->err : kubeobject_error(s->object);
}
