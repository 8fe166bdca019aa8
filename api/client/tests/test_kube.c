/* Requests over a fake transport: what goes out, what comes back, retries, lost and broken replies. */
#include "api/client/auth.h"
#include "api/client/kube.h"
#include "api/client/kubeconfig_internal.h"
#include "api/client/tests/fake_http.h"
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

struct fixture {
    struct loop *loop;
    struct fake_http *fake;
    struct kubeconfig *config;
    struct kube *kube;
    char token_file[64];
};

/* What a request came to. */
struct outcome {
    bool done;
    int calls;
    struct kube_reply reply;
    char reason[64];
    json_t *body;
    char streamed[256];
    struct kube *free_this; /* freed within the callback */
};

static void on_done(void *arg, const struct kube_reply *reply) {
    struct outcome *o = arg;

    o->done = true;
    o->calls++;
    o->reply = *reply;
    snprintf(o->reason, sizeof(o->reason), "%s", reply->reason);
    o->body = reply->body ? json_deep_copy(reply->body) : NULL;
    o->reply.body = o->body;
    o->reply.reason = o->reason;
    kube_free(o->free_this);
}

static void outcome_done(struct outcome *o) {
    json_decref(o->body);
}
#define cleanup_outcome cleanup(outcome_done)

static int set_up(void **state) {
    struct fixture *f = XNEW(struct fixture);

    assert_int_equal(loop_new(&f->loop, NULL), 0);
    f->fake = fake_http_new(f->loop);
    f->config = kubeconfig_alloc();
    f->config->server = "https://kube.example:6443/prefix";
    f->config->token = "secret";
    f->config->source = "test";
    assert_int_equal(kube_new(f->loop, &f->fake->http, f->config, &f->kube, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    kube_free(f->kube);
    fake_http_free(f->fake);
    loop_free(f->loop);
    kubeconfig_free(f->config);
    if (f->token_file[0])
        unlink(f->token_file);
    free(f);
    return 0;
}

/* The client anew, over a changed configuration. */
static void again(struct fixture *f) {
    kube_free(f->kube);
    assert_int_equal(kube_new(f->loop, &f->fake->http, f->config, &f->kube, NULL), 0);
}

static void write_token(struct fixture *f, const char *token) {
    char next[80];

    if (!f->token_file[0]) {
        snprintf(f->token_file, sizeof(f->token_file), "/tmp/test_kube.XXXXXX");
        int fd = mkstemp(f->token_file);
        assert_true(fd >= 0);
        close(fd);
    }
    snprintf(next, sizeof(next), "%s.new", f->token_file);
    FILE *file = fopen(next, "w");
    assert_non_null(file);
    fputs(token, file);
    fclose(file);
    assert_int_equal(rename(next, f->token_file), 0);
}

static void run(struct fixture *f, struct kube_request request, struct outcome *ret_outcome) {
    request.on_done = on_done;
    request.arg = ret_outcome;
    kube_start(f->kube, &request);
    assert_false(ret_outcome->done); /* never inside the call */
    turn_until(f->loop, &ret_outcome->done);
}

static void get(struct fixture *f, struct outcome *ret_outcome) {
    run(f, (struct kube_request){.verb = KUBE_GET, .path = "/version"}, ret_outcome);
}

static void test_get_sends_identity(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{\"gitVersion\":\"v1\"}"});
    get(f, &o);
    assert_int_equal(o.reply.status, 200);
    assert_int_equal(o.reply.err.code, 0);
    assert_string_equal(json_string_value(json_object_get(o.body, "gitVersion")), "v1");
    const struct fake_asked *a = &f->fake->asked[0];
    assert_string_equal(a->method, "GET");
    assert_string_equal(a->url, "https://kube.example:6443/prefix/version");
    assert_null(a->body);
    assert_non_null(strstr(a->headers, "Authorization: Bearer secret\n"));
    assert_non_null(strstr(a->headers, "Accept: application/json\n"));
    assert_non_null(strstr(a->headers, "User-Agent: trimtab/"));
    assert_null(strstr(a->headers, "Content-Type"));
    assert_false(a->tls->insecure);
}

/* What the writing verbs look like on the wire. */
static void test_writes_on_the_wire(void **state) {
    static const struct {
        enum kube_verb verb;
        const char *path, *manager, *method, *url, *type;
    } cases[] = {
        {KUBE_CREATE, "/api/v1/x", NULL, "POST", "/api/v1/x?fieldManager=trimtab", "application/json"},
        {KUBE_MERGE_PATCH, "/api/v1/x/a", NULL, "PATCH", "/api/v1/x/a?fieldManager=trimtab",
         "application/merge-patch+json"},
        {KUBE_MERGE_PATCH, "/a?dryRun=All", "a b&c", "PATCH", "/a?dryRun=All&fieldManager=a%20b%26c",
         "application/merge-patch+json"},
        {KUBE_APPLY, "/api/v1/x/a", "m", "PATCH", "/api/v1/x/a?fieldManager=m&force=true",
         "application/apply-patch+yaml"},
        {KUBE_DELETE, "/api/v1/x/a", NULL, "DELETE", "/api/v1/x/a", "application/json"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_outcome struct outcome o = {0};
        json_t *body = json_pack("{s:i}", "n", (int)i);
        char type[80], text[32];
        fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}"});
        run(f,
            (struct kube_request){.verb = cases[i].verb,
                                  .path = cases[i].path,
                                  .field_manager = cases[i].manager,
                                  .body = body},
            &o);
        json_decref(body);
        const struct fake_asked *a = &f->fake->asked[i];
        snprintf(type, sizeof(type), "Content-Type: %s\n", cases[i].type);
        snprintf(text, sizeof(text), "{\"n\":%zu}", i);
        assert_string_equal(a->method, cases[i].method);
        assert_string_equal(a->url + strlen("https://kube.example:6443/prefix"), cases[i].url);
        assert_non_null(strstr(a->headers, type));
        assert_string_equal(a->body, text);
        assert_int_equal(kube_stats(f->kube)->by_verb[cases[i].verb] > 0, true);
    }
}

#define STATUS(code, reason, message)                                                                        \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message               \
    "\",\"reason\":\"" reason "\",\"code\":" #code "}"

/* Replies and what the caller is told. */
static const struct {
    struct fake_reply reply;
    int status, code;
    const char *reason, *text; /* text: a part of the message */
} replies[] = {
    {{.status = 200, .body = "{}"}, 200, 0, "", NULL},
    {{.status = 200, .body = ""}, 200, 0, "", NULL},
    {{.status = 200, .body = "{}", .content_type = ""}, 200, 0, "", NULL},
    {{.status = 200, .body = "{}", .content_type = "application/json;g=x;v=v2;as=Y"}, 200, 0, "", NULL},
    {{.status = 200, .body = "{\"a\":\"x\\u0000y\"}"}, 200, 0, "", NULL},
    {{.status = 400, .body = STATUS(400, "BadRequest", "bad")}, 400, -EINVAL, "BadRequest", "bad"},
    {{.status = 403, .body = STATUS(403, "Forbidden", "no list")}, 403, -EACCES, "Forbidden", "no list"},
    {{.status = 404, .body = STATUS(404, "NotFound", "x not found")},
     404,
     -ENOENT,
     "NotFound",
     "x not found"},
    {{.status = 409, .body = STATUS(409, "Conflict", "modified")}, 409, -ESTALE, "Conflict", "modified"},
    {{.status = 409, .body = STATUS(409, "AlreadyExists", "is there")},
     409,
     -EEXIST,
     "AlreadyExists",
     "there"},
    {{.status = 410, .body = STATUS(410, "Expired", "too old")}, 410, -ESTALE, "Expired", "too old"},
    {{.status = 415, .body = STATUS(415, "UnsupportedMediaType", "m")},
     415,
     -EOPNOTSUPP,
     "UnsupportedMediaType",
     "m"},
    {{.status = 422, .body = STATUS(422, "Invalid", "replicas")}, 422, -EINVAL, "Invalid", "replicas"},
    {{.status = 429,
      .body = "Too many requests, please try again later.\nmore",
      .content_type = "text/plain"},
     429,
     -EAGAIN,
     "",
     "HTTP 429: Too many requests, please try again later."},
    {{.status = 500, .body = STATUS(500, "InternalError", "etcd")}, 500, -EAGAIN, "InternalError", "etcd"},
    {{.status = 502, .body = "\n<html>\x1b[2J", .content_type = "text/html"},
     502,
     -EAGAIN,
     "",
     "HTTP 502: <html>[2J"},
    {{.status = 500, .body = ""}, 500, -EAGAIN, "", "HTTP 500"},
    {{.status = 500, .body = "{\"message\":7,\"reason\":[]}"}, 500, -EAGAIN, "", "HTTP 500: {"},
    {{.status = 302, .body = ""}, 302, -EPROTO, "", "HTTP 302"},
    {{.status = 200, .body = "{\"items\":[{"}, 200, -EBADMSG, "", "not JSON"},
    {{.status = 200, .body = "{} trailing"}, 200, -EBADMSG, "", "not JSON"},
    {{.status = 200, .body = "<html>login</html>", .content_type = "text/html"},
     200,
     -EPROTO,
     "",
     "text/html"},
    {{.status = 0, .code = -ECONNRESET}, 0, -ECONNRESET, "", "fake failure"},
    {{.status = 0, .code = -ETIMEDOUT}, 0, -ETIMEDOUT, "", "fake failure"},
};

static void test_replies(void **state) {
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        cleanup_outcome struct outcome o = {0};
        fake_http_push(f->fake, replies[i].reply);
        get(f, &o);
        assert_int_equal(o.reply.status, replies[i].status);
        assert_int_equal(o.reply.err.code, replies[i].code);
        assert_string_equal(o.reply.reason, replies[i].reason);
        if (replies[i].text && !strstr(o.reply.err.text, replies[i].text))
            fail_msg("reply %zu: \"%s\" lacks \"%s\"", i, o.reply.err.text, replies[i].text);
    }
}

static void test_oversized(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "[1,2,3,4,5,6,7,8]"});
    run(f, (struct kube_request){.verb = KUBE_GET, .path = "/x", .max_body = 8}, &o);
    assert_int_equal(o.reply.status, 0);
    assert_int_equal(o.reply.err.code, -E2BIG);
}

static int take_piece(void *arg, const char *data, size_t len, struct err *err) {
    struct outcome *o = arg;

    if (memchr(data, '!', len))
        return err_set(err, -EBADMSG, "a piece that is not liked");
    size_t at = strlen(o->streamed);
    assert_true(at + len < sizeof(o->streamed));
    memcpy(o->streamed + at, data, len);
    return 0;
}

static void test_streamed_body(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome good = {0}, bad = {0}, refused = {0};
    const struct kube_request list = {.verb = KUBE_GET, .path = "/x", .on_body = take_piece};

    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{\"items\":[1,2,3]}"});
    run(f, list, &good);
    assert_string_equal(good.streamed, "{\"items\":[1,2,3]}");
    assert_null(good.body);
    assert_int_equal(good.reply.err.code, 0);
    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{\"items\":!"});
    run(f, list, &bad);
    assert_int_equal(bad.reply.err.code, -EBADMSG);
    fake_http_push(f->fake, (struct fake_reply){.status = 410, .body = STATUS(410, "Expired", "old")});
    run(f, list, &refused);
    assert_string_equal(refused.streamed, "");
    assert_string_equal(refused.reply.err.text, "old");
}

/* Whoever asks for another form than JSON, or for JSON as the second best, gets no complaint about it. */
static void test_streamed_protobuf(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};
    const struct kube_request stream = {.verb = KUBE_GET,
                                        .path = "/x",
                                        .accept = "application/vnd.kubernetes.protobuf;stream=watch,"
                                                  "application/json;stream=watch;q=0.5",
                                        .on_body = take_piece};

    fake_http_push(f->fake,
                   (struct fake_reply){.status = 200,
                                       .body = "frames",
                                       .content_type = "application/vnd.kubernetes.protobuf;stream=watch"});
    run(f, stream, &o);
    assert_string_equal(o.streamed, "frames");
    assert_int_equal(o.reply.err.code, 0);
}

/* A plugin that hangs costs a request no more than its own time. */
static void test_slow_plugin(void **state) {
    static const char *const args[] = {"5", NULL};
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};
    usec_t start = clock_mono();

    f->config->token = NULL;
    f->config->exec = (struct kubeconfig_exec){
        .command = "sleep", .args = args, .api_version = "client.authentication.k8s.io/v1"};
    again(f);
    run(f, (struct kube_request){.verb = KUBE_GET, .path = "/x", .timeout = 50 * USEC_PER_MSEC}, &o);
    assert_int_equal(o.reply.err.code, -ETIMEDOUT);
    assert_true(clock_mono() - start < 3 * USEC_PER_SEC);
    assert_int_equal(o.calls, 1);
}

static void test_retry_after(void **state) {
    struct fixture *f = *state;
    const struct fake_reply busy = {.status = 429, .retry_after = USEC_PER_MSEC};
    cleanup_outcome struct outcome o = {0}, spent = {0}, write = {0}, far = {0};

    fake_http_push(f->fake, busy);
    fake_http_push(f->fake, (struct fake_reply){.status = 503, .retry_after = USEC_PER_MSEC});
    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}"});
    get(f, &o);
    assert_int_equal(o.reply.status, 200);
    assert_int_equal(f->fake->asked_count, 3);
    assert_int_equal(o.calls, 1);
    for (int i = 0; i < 5; i++)
        fake_http_push(f->fake, busy);
    get(f, &spent);
    assert_int_equal(spent.reply.status, 429);
    assert_int_equal(spent.reply.retry_after, USEC_PER_MSEC);
    assert_int_equal(f->fake->asked_count, 3 + 4);
    run(f, (struct kube_request){.verb = KUBE_CREATE, .path = "/x"}, &write);
    assert_int_equal(write.reply.status, 429);
    assert_int_equal(f->fake->asked_count, 3 + 4 + 1);
    /* a pause that the request's time does not allow */
    fake_http_push(f->fake, busy);
    f->fake->taken = f->fake->queued;
    fake_http_push(f->fake, (struct fake_reply){.status = 429, .retry_after = USEC_PER_HOUR});
    get(f, &far);
    assert_int_equal(far.reply.status, 429);
    assert_int_equal(f->fake->asked_count, 3 + 4 + 1 + 1);
}

static void test_401_with_rotated_token(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0}, twice = {0};

    f->config->token = NULL;
    write_token(f, "first\n");
    f->config->token_file = f->token_file;
    again(f);
    fake_http_push(f->fake, (struct fake_reply){.status = 401, .body = STATUS(401, "Unauthorized", "no")});
    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}"});
    get(f, &o);
    assert_int_equal(o.reply.status, 200);
    assert_non_null(strstr(f->fake->asked[1].headers, "Bearer first\n"));
    write_token(f, "second");
    for (int i = 0; i < 3; i++)
        fake_http_push(f->fake,
                       (struct fake_reply){.status = 401, .body = STATUS(401, "Unauthorized", "no")});
    run(f, (struct kube_request){.verb = KUBE_MERGE_PATCH, .path = "/x"}, &twice);
    assert_int_equal(twice.reply.err.code, -EACCES);
    assert_int_equal(f->fake->asked_count, 4); /* once more, not for ever */
    assert_non_null(strstr(f->fake->asked[2].headers, "Bearer second\n"));
}

static void test_401_with_nothing_to_renew(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 401, .body = STATUS(401, "Unauthorized", "no")});
    get(f, &o);
    assert_int_equal(o.reply.err.code, -EACCES);
    assert_int_equal(f->fake->asked_count, 1);
}

static void test_no_credentials(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};

    f->config->token = NULL;
    f->config->token_file = "/nonexistent/token";
    again(f);
    get(f, &o);
    assert_int_equal(o.reply.status, 0);
    assert_int_equal(o.reply.err.code, -ENOENT);
    assert_non_null(strstr(o.reply.err.text, "/nonexistent/token"));
    assert_int_equal(f->fake->asked_count, 0);
}

/* For those who ask somebody else as us. */
static void test_lends_credentials(void **state) {
    struct fixture *f = *state;
    struct identity *identity = NULL;
    struct err err = {0};

    assert_int_equal(kube_credentials(f->kube, &identity, &err), 0);
    assert_string_equal(identity->authorization, "Authorization: Bearer secret");
    identity_unref(identity);

    f->config->token = NULL;
    f->config->token_file = "/nonexistent/token";
    again(f);
    assert_int_equal(kube_credentials(f->kube, &identity, &err), -ENOENT);
    assert_true(str_starts(err.text, "test: credentials: "));
}

static void test_bad_paths(void **state) {
    static const char *const paths[] = {"version", "", "/a b", "/a\r\nX: y", "/a#b"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cleanup_outcome struct outcome o = {0};
        run(f, (struct kube_request){.verb = KUBE_GET, .path = paths[i]}, &o);
        assert_int_equal(o.reply.err.code, -EINVAL);
    }
    char *path = xasprintf("/%09000d", 0);
    cleanup_outcome struct outcome o = {0};
    run(f, (struct kube_request){.verb = KUBE_GET, .path = path}, &o);
    free(path);
    assert_int_equal(o.reply.err.code, -E2BIG);
    assert_int_equal(f->fake->asked_count, 0);
}

static void test_cancel(void **state) {
    struct fixture *f = *state;
    struct outcome o = {0};
    const struct kube_request request = {.verb = KUBE_GET, .path = "/x", .on_done = on_done, .arg = &o};

    fake_http_push(f->fake, (struct fake_reply){.never = true});
    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}"});
    fake_http_push(f->fake, (struct fake_reply){.status = 429, .retry_after = USEC_PER_MSEC});
    fake_http_push(f->fake, (struct fake_reply){.never = true});
    kube_cancel(NULL);
    kube_cancel(kube_start(f->kube, &request));
    kube_cancel(kube_start(f->kube, &request));
    struct kube_call *pausing = kube_start(f->kube, &request);
    loop_turn(f->loop, 10 * USEC_PER_MSEC);
    kube_cancel(pausing);
    kube_start(f->kube, &request); /* ended by kube_free */
    for (int i = 0; i < 5; i++)
        loop_turn(f->loop, 2 * USEC_PER_MSEC);
    assert_int_equal(o.calls, 0);
}

static void test_free_within_callback(void **state) {
    struct fixture *f = *state;
    struct outcome o = {.free_this = f->kube};
    const struct kube_request request = {.verb = KUBE_GET, .path = "/x", .on_done = on_done, .arg = &o};

    fake_http_push(f->fake, (struct fake_reply){.status = 200});
    fake_http_push(f->fake, (struct fake_reply){.never = true});
    kube_start(f->kube, &request);
    kube_start(f->kube, &request);
    turn_until(f->loop, &o.done);
    f->kube = NULL;
    assert_int_equal(o.calls, 1);
}

static void test_stats(void **state) {
    struct fixture *f = *state;
    const struct kube_stats *s = kube_stats(f->kube);
    static const int statuses[] = {200, 201, 404, 500, 0};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        cleanup_outcome struct outcome o = {0};
        fake_http_push(f->fake, (struct fake_reply){.status = statuses[i], .code = -EIO});
        get(f, &o);
    }
    assert_int_equal(s->by_verb[KUBE_GET], 5);
    assert_int_equal(s->by_class[2], 2);
    assert_int_equal(s->by_class[4], 1);
    assert_int_equal(s->by_class[5], 1);
    assert_int_equal(s->failed, 1);
    assert_int_equal(s->latency_count[1], 4); /* 3 ms each: above 2, at most 5 */
    assert_true(s->latency_sum > 0.0119 && s->latency_sum < 0.0121);
    assert_string_equal(kube_server(f->kube), "https://kube.example:6443/prefix");
}

static void test_basic_and_proxy(void **state) {
    struct fixture *f = *state;
    cleanup_outcome struct outcome o = {0};

    f->config->token = NULL;
    f->config->username = "u";
    f->config->password = "p:w";
    f->config->proxy_url = "http://proxy:3128";
    again(f);
    fake_http_push(f->fake, (struct fake_reply){.status = 200});
    get(f, &o);
    assert_non_null(strstr(f->fake->asked[0].headers, "Authorization: Basic dTpwOnc=\n"));
    assert_string_equal(f->fake->asked[0].proxy, "http://proxy:3128");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_get_sends_identity),
        TEST(test_writes_on_the_wire),
        TEST(test_replies),
        TEST(test_oversized),
        TEST(test_streamed_body),
        TEST(test_streamed_protobuf),
        TEST(test_slow_plugin),
        TEST(test_retry_after),
        TEST(test_lends_credentials),
        TEST(test_401_with_rotated_token),
        TEST(test_401_with_nothing_to_renew),
        TEST(test_no_credentials),
        TEST(test_bad_paths),
        TEST(test_cancel),
        TEST(test_free_within_callback),
        TEST(test_stats),
        TEST(test_basic_and_proxy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
