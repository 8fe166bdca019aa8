/* One scrape of a kubelet: whom we say we are, and what becomes of the answer. Each kubelet_scrape ends with
 * exactly one kubelet_scraped, at once where it could not even begin, unless kubelet_cancel comes before. The
 * credentials are taken anew for each, since tokens expire, and are held while the request lasts: tls lends
 * their texts to it. */
#include "adapter/kubelets_internal.h"

#include "api/client/auth.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

/* Of one kubelet's answer; a node of 250 pods gives some 200 KB. */
static const size_t BODY_MAX = (size_t)16 << 20;
static const usec_t COMPLAINT_PAUSE = USEC_PER_MIN;

static const char *const hints[KUBELET_FAILURES] = {
    [KUBELET_UNTRUSTED] = " (kubelets that signed their own certificate need --kubelet-insecure-tls, others "
                          "--kubelet-certificate-authority)",
    [KUBELET_FORBIDDEN] = " (our account needs get on nodes/metrics)",
};

/* By what people can do about it. */
static enum kubelet_failure failure_of(int status, int code) {
    if (status == 401 || status == 403)
        return KUBELET_FORBIDDEN;
    if (status)
        return KUBELET_UNREACHABLE;
    if (code == -EKEYREJECTED)
        return KUBELET_UNTRUSTED;
    return code == -ETIMEDOUT ? KUBELET_TIMEOUT : KUBELET_UNREACHABLE;
}

/* A cluster with a thousand nodes behind a wrong certificate is one line a minute. The text that people see
 * in a status is kept for all of them, the latest one: which node fails matters less than why. */
static void complain(struct kubelet *kubelet, enum kubelet_failure why, const char *text) {
    struct kubelets *all = kubelet->all;
    struct complaint *complaint = &all->complaints[why];
    usec_t now = loop_now(all->world.loop);
    const char *hint = hints[why] ? hints[why] : "";

    all->stats.failures++;
    all->stats.malformed += why == KUBELET_MALFORMED;
    free(all->last_failure);
    all->last_failure = xasprintf("kubelet of node %s: %s%s", kubelet->name, text, hint);
    if (complaint->said && now - complaint->said < COMPLAINT_PAUSE) {
        complaint->held++;
        return;
    }
    if (complaint->held)
        log_warn(kubelet->name, "the kubelet: %s%s; %u more like it in the last minute", text, hint,
                 complaint->held);
    else
        log_warn(kubelet->name, "the kubelet: %s%s", text, hint);
    *complaint = (struct complaint){.said = now};
}

static void end_request(struct kubelet *kubelet) {
    identity_unref(kubelet->identity);
    kubelet->identity = NULL;
    kubelet->call = NULL;
}

static void take_answer(struct kubelet *kubelet, const struct http_reply *reply) {
    struct kubelets *all = kubelet->all;
    struct err err = {0};

    all->stats.latency_sum += (double)reply->elapsed / USEC_PER_SEC;
    if (usage_store_take(all->usage, kubelet->name, reply->body, reply->body_len, kubelet->asked, &err) < 0) {
        complain(kubelet, KUBELET_MALFORMED, err.text);
        return;
    }
    /* A malformed answer is none: it leaves these as they are, so that the data grow old. */
    kubelet->answered = all->answered = loop_now(all->world.loop);
    kubelets_source_changed(all, kubelet->name);
}

static void on_done(void *arg, const struct http_reply *reply) {
    struct kubelet *kubelet = arg;
    char text[ERR_TEXT_MAX];

    end_request(kubelet);
    if (reply->status == 200) {
        take_answer(kubelet, reply);
    } else if (reply->status) {
        snprintf(text, sizeof(text), "HTTP status %d", reply->status);
        complain(kubelet, failure_of(reply->status, 0), text);
    } else {
        complain(kubelet, failure_of(0, reply->err.code), reply->err.text);
    }
    kubelet_scraped(kubelet);
}

/* The cluster's authority and our own certificate, where the options name no others; nothing at all where
 * nothing is encrypted. */
static int take_identity(struct kubelet *kubelet, struct err *err) {
    const struct kubelets_options *o = &kubelet->all->options;

    kubelet->tls = (struct http_tls){0};
    if (o->deprecated_completely_insecure)
        return 0;
    int ret = kube_credentials(kubelet->all->world.kube, &kubelet->identity, err);
    if (ret < 0)
        return ret;
    if (kubelet->identity->tls)
        kubelet->tls = *kubelet->identity->tls;
    kubelet->tls.server_name = NULL; /* of the apiserver's certificate */
    kubelet->tls.insecure = o->insecure_tls;
    /* A file takes the place of a text of the same meaning, which else would win. */
    if (o->ca_file) {
        kubelet->tls.ca_pem = NULL;
        kubelet->tls.ca_file = o->ca_file;
    }
    if (o->cert_file) {
        kubelet->tls.cert_pem = kubelet->tls.key_pem = NULL;
        kubelet->tls.cert_file = o->cert_file;
        kubelet->tls.key_file = o->key_file;
    }
    return 0;
}

static void start_request(struct kubelet *kubelet, const char *url) {
    struct kubelets *all = kubelet->all;
    /* Packing the answer would cost the kubelet more than it saves on the wire of a cluster. */
    const char *headers[4] = {"Accept: text/plain", "Accept-Encoding: identity"};

    if (kubelet->identity && kubelet->identity->authorization)
        headers[2] = kubelet->identity->authorization;
    const struct http_request request = {.method = "GET",
                                         .url = url,
                                         .headers = headers,
                                         .tls = &kubelet->tls,
                                         .timeout = all->options.request_timeout,
                                         .connect_timeout = all->options.request_timeout,
                                         .max_body = BODY_MAX,
                                         .http1 = true,
                                         .on_done = on_done,
                                         .arg = kubelet};
    all->stats.scrapes++;
    kubelet->asked = clock_wall();
    kubelet->call = http_start(all->world.http, &request);
}

void kubelet_scrape(struct kubelet *kubelet) {
    struct kubelets *all = kubelet->all;
    const struct object *node = informer_get(all->node_informer, "", kubelet->name);
    cleanup_arena struct arena arena;
    struct err err = {0};
    const char *url = NULL;

    arena_init(&arena, 0);
    int ret = node ? kubelet_url(&all->address, (const struct node *)node, &arena, &url, &err)
                   : err_set(&err, -ENOENT, "the node is gone");
    if (ret == 0)
        ret = take_identity(kubelet, &err);
    if (ret == 0) {
        start_request(kubelet, url);
        return;
    }
    complain(kubelet, KUBELET_UNREACHABLE, err_text(&err));
    kubelet_scraped(kubelet);
}

void kubelet_cancel(struct kubelet *kubelet) {
    http_cancel(kubelet->all->world.http, kubelet->call);
    end_request(kubelet);
}
