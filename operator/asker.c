/* Asking from a command: each request turns the loop until its answer is in. The operator's own client, loop
 * and credentials are used, so that a command reaches what `run` reaches, and fails with the same words.
 *
 * A request is begun (begin), sent, and awaited; its callback fills the answer that begin has noted, and
 * stops the loop. Between two requests the loop stands still: no callback can come late and find an answer
 * that is gone from its caller's stack. */
#include "operator/asker.h"

#include "adapter/promrequest.h"
#include "api/client/kube.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/http_curl.h"
#include <errno.h>
#include <string.h>

/* As much as an operator's plain port answers at most (net/httpserver.h). */
enum { ANSWER_MAX = 8 * 1024 * 1024 };
/* Somebody sits before the terminal: less than the 30 s that the operator itself gives the apiserver. */
static const usec_t patience = 20 * USEC_PER_SEC;

struct asker {
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
    struct answer *answer; /* of the request under way */
};

int asker_new(struct asker **ret_asker, struct err *err) {
    struct asker *a = XNEW(struct asker);

    /* One connection is enough for requests that wait for each other. */
    int ret = loop_new(&a->loop, err);
    if (ret == 0)
        ret = http_curl_new(a->loop, /* max_connections= */ 1, &a->http, err);
    if (ret < 0) {
        asker_free(a);
        return ret;
    }
    *ret_asker = a;
    return 0;
}

void asker_free(struct asker *asker) {
    if (!asker)
        return;
    kube_free(asker->kube);
    kubeconfig_free(asker->config);
    http_curl_free(asker->http);
    loop_free(asker->loop);
    free(asker);
}

int asker_use_cluster(struct asker *asker, const char *kubeconfig, const char *context, struct err *err) {
    int ret = kubeconfig_find(kubeconfig, context, &asker->config, err);

    return ret < 0 ? ret : kube_new(asker->loop, asker->http, asker->config, &asker->kube, err);
}

const char *asker_namespace(const struct asker *asker) {
    const char *ns = asker->config ? asker->config->namespace_ : NULL;

    return ns && *ns ? ns : "default";
}

void answer_done(struct answer *answer) {
    buf_done(&answer->body);
}

/* One request at a time: the asker remembers whose answer is to come. */
static void begin(struct asker *a, struct answer *answer, size_t max) {
    *answer = (struct answer){0};
    buf_init(&answer->body, max);
    a->answer = answer;
}

/* The first line of a refusal in plain text is the sentence that the operator says. */
static void take_refusal(struct answer *answer, int code, const char *text) {
    answer->from_operator = true;
    err_set(&answer->err, code, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Turns the loop until the answer is in; none says nothing where all is well. */
static void await(struct asker *a, struct answer *answer) {
    loop_run(a->loop, &answer->err);
    if (!answer->err.code && !answer->body.len)
        err_set(&answer->err, -EPROTO, "the answer is empty: is this an operator?");
}

/* Every status but 2xx becomes -ENOENT: the sentence is what is shown, and nobody tells the codes apart. */
static void on_url(void *arg, const struct http_reply *reply) {
    struct asker *a = arg;

    /* No answer at all, or one that is none of HTTP. */
    if (reply->status == 0)
        a->answer->err = reply->err;
    else if (reply->status < 200 || reply->status > 299)
        take_refusal(a->answer, -ENOENT, *reply->body ? reply->body : "the operator refuses to answer");
    else
        buf_append(&a->answer->body, reply->body, reply->body_len);
    loop_stop(a->loop);
}

void asker_url(struct asker *asker, const char *url, struct answer *ret_answer) {
    begin(asker, ret_answer, ANSWER_MAX);
    http_start(asker->http, &(struct http_request){.method = "GET",
                                                   .url = url,
                                                   .timeout = patience,
                                                   .max_body = ANSWER_MAX,
                                                   .on_done = on_url,
                                                   .arg = asker});
    await(asker, ret_answer);
}

/* Raw, for it may be text: kube.h parses JSON only. */
static int on_piece(void *arg, const char *data, size_t len, struct err *err) {
    struct asker *a = arg;

    if (buf_append(&a->answer->body, data, len) < 0)
        return err_set(err, -E2BIG, "the answer is larger than %d bytes", ANSWER_MAX);
    return 0;
}

/* An apiserver's own refusals are Status objects, which have a body here; plain text comes from behind its
 * proxy. 404 and 400 are the two that an operator gives of its decisions (decisions.h); of any other the
 * apiserver may be the author, as of a 503 where no pod is behind the service. */
static void on_cluster(void *arg, const struct kube_reply *reply) {
    struct asker *a = arg;
    bool refused = reply->status == 404 || reply->status == 400;
    const char *sentence = strstr(reply->err.text, ": ");

    if (refused && !reply->body && str_starts(reply->err.text, "HTTP ") && sentence)
        take_refusal(a->answer, reply->err.code, sentence + 2);
    else
        a->answer->err = reply->err;
    loop_stop(a->loop);
}

static void ask_kube(struct asker *asker, struct kube_request *request, struct answer *ret_answer) {
    begin(asker, ret_answer, ANSWER_MAX);
    request->timeout = patience;
    request->max_body = ANSWER_MAX;
    request->on_body = on_piece;
    request->on_done = on_cluster;
    request->arg = asker;
    kube_start(asker->kube, request);
    await(asker, ret_answer);
}

/* Accepts anything: the operator also answers in text. */
void asker_cluster(struct asker *asker, const char *path, struct answer *ret_answer) {
    ask_kube(asker, &(struct kube_request){.verb = KUBE_GET, .path = path, .accept = "*/*"}, ret_answer);
}

/* What a POST made is read as raw as a GET: who asks wants the object, and parses it. */
void asker_create(struct asker *asker, const char *path, const json_t *body, struct answer *ret_answer) {
    ask_kube(asker, &(struct kube_request){.verb = KUBE_CREATE, .path = path, .body = body}, ret_answer);
}

/* After the first round, whether it went well or not: discovery_failure tells. */
static void on_discovery(void *arg) {
    struct asker *a = arg;

    loop_stop(a->loop);
}

/* The discovery ends with the call: what it would follow from then on is of no use to a command. */
int asker_discover(struct asker *asker, discovery_fn *fn, discovery_broken_fn *broken, void *arg,
                   struct err *err) {
    struct discovery *discovery = discovery_new(asker->kube);

    discovery_on_change(discovery, on_discovery, asker);
    discovery_follow_all(discovery);
    int ret = loop_run(asker->loop, err);
    if (ret == 0)
        ret = discovery_failure(discovery, err);
    if (ret == 0) {
        discovery_each(discovery, fn, arg);
        discovery_each_broken(discovery, broken, arg);
    }
    discovery_free(discovery);
    return ret;
}

/* ---- Prometheus ---- */

/* Its refusals are JSON, whose "error" tells what is wrong with the query. 400 and 422 are Prometheus' own
 * (parameters that are wrong, an expression that cannot be evaluated): asking again would not help. All else
 * may be a proxy's, or pass. */
static void take_prometheus_refusal(struct answer *answer, const struct http_reply *reply) {
    json_t *body = json_loadb(reply->body, reply->body_len, 0, NULL);
    const char *message = json_string_value(json_object_get(body, "error"));

    err_set(&answer->err, reply->status == 400 || reply->status == 422 ? -EINVAL : -EIO, "HTTP %d%s%s",
            reply->status, message ? ": " : "", str_or_empty(message));
    json_decref(body);
}

static void on_prometheus(void *arg, const struct http_reply *reply) {
    struct asker *a = arg;

    if (reply->status == 0)
        a->answer->err = reply->err;
    else if (reply->status < 200 || reply->status > 299)
        take_prometheus_refusal(a->answer, reply);
    else if (buf_append(&a->answer->body, reply->body, reply->body_len) < 0)
        err_set(&a->answer->err, -E2BIG, "the answer is too large");
    loop_stop(a->loop);
}

void asker_prometheus(struct asker *asker, struct prom_endpoint *endpoint, const char *path, const char *form,
                      struct answer *ret_answer) {
    /* Its texts are borrowed until the answer is in. */
    cleanup_prom_request struct prom_request request = {0};

    begin(asker, ret_answer, endpoint->max_response);
    if (prom_request_init(&request, endpoint, path, form, &ret_answer->err) == 0) {
        request.http.on_done = on_prometheus;
        request.http.arg = asker;
        http_start(asker->http, &request.http);
        loop_run(asker->loop, &ret_answer->err);
    }
    if (ret_answer->err.code)
        err_wrap(&ret_answer->err, "%s%s", endpoint->label, path);
}
