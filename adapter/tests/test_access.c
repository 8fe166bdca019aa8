/* Who may ask: every way to show who one is, forged headers, verdicts that are kept, asked for once, refused,
 * or not to be had; in simulated time, against an apiserver that is a function. */
#include "adapter/access.h"
#include "adapter/tests/fake_https.h"
#include "api/client/tests/fake_cluster.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SEC USEC_PER_SEC
#define CONFIGMAP "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

static const char configmap[] =
    "{\"metadata\":{\"name\":\"extension-apiserver-authentication\",\"resourceVersion\":\"1\"},\"data\":{"
    "\"client-ca-file\":\"client one\",\"requestheader-client-ca-file\":\"proxy one\","
    "\"requestheader-allowed-names\":\"[\\\"aggregator\\\"]\","
    "\"requestheader-username-headers\":\"[\\\"X-First-User\\\",\\\"X-Remote-User\\\"]\","
    "\"requestheader-group-headers\":\"[\\\"X-Remote-Group\\\"]\","
    "\"requestheader-extra-headers-prefix\":\"[\\\"X-Remote-Extra-\\\"]\"}}";

struct told {
    int count;
    enum access_verdict verdict;
    bool known;
    char user[64], groups[256], extra[256];
    struct err err;
};

struct world {
    struct loop *loop;
    struct kube kube;
    struct httpsserver server;
    struct access *access;
    const char *configmap;                /* NULL: 404 */
    struct cluster_answer token, subject; /* to reviews */
    struct access_action action;
    struct told told;
};

static void serve(void *arg, const struct kube_request *request, struct cluster_answer *ret_answer) {
    const struct world *w = arg;

    if (str_eq(request->path, CONFIGMAP))
        *ret_answer = w->configmap ? (struct cluster_answer){.status = 200, .text = w->configmap}
                                   : (struct cluster_answer){.status = 404};
    else if (str_eq(request->path, "/apis/authentication.k8s.io/v1/tokenreviews"))
        *ret_answer = w->token;
    else if (str_eq(request->path, "/apis/authorization.k8s.io/v1/subjectaccessreviews"))
        *ret_answer = w->subject;
    else
        fail_msg("%s", request->path);
}

static void join(char *out, size_t size, const char *text) {
    size_t len = strlen(out);

    snprintf(out + len, size - len, "%s%s", len ? "," : "", text);
}

static void on_done(void *arg, enum access_verdict verdict, const struct identity *who,
                    const struct err *err) {
    struct told *t = arg;
    int count = t->count + 1;

    *t = (struct told){.count = count, .verdict = verdict, .known = who != NULL, .err = *err};
    if (!who)
        return;
    snprintf(t->user, sizeof(t->user), "%s", who->user);
    for (const char *const *group = who->groups; *group; group++)
        join(t->groups, sizeof(t->groups), *group);
    for (const struct identity_extra *e = who->extra; e->key; e++) {
        join(t->extra, sizeof(t->extra), e->key);
        for (const char *const *value = e->values; *value; value++)
            join(t->extra, sizeof(t->extra), *value);
    }
}

static void start(struct world *w, const struct access_options *options) {
    assert_int_equal(access_new(w->loop, &w->kube, &w->server, options, &w->access, NULL), 0);
}

static int set_up(void **state) {
    static struct world world;
    struct world *w = &world;

    *w = (struct world){
        .loop = fake_loop_new(),
        .configmap = configmap,
        .token = {.status = 201,
                  .text = "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"anna\",\"uid\":\"7\","
                          "\"groups\":[\"dev\"],\"extra\":{\"scope\":[\"a\",\"b\"]}}}}"},
        .subject = {.status = 201, .text = "{\"status\":{\"allowed\":true,\"reason\":\"\"}}"},
        .action = {.verb = "get",
                   .group = "custom.metrics.k8s.io",
                   .version = "v1beta2",
                   .resource = "pods",
                   .subresource = "queue",
                   .name = "x",
                   .ns = "shop"}};
    w->kube = (struct kube){.loop = w->loop, .serve = serve, .arg = w};
    *state = w;
    return 0;
}

/* With the ConfigMap read. */
static int set_up_ready(void **state) {
    set_up(state);
    struct world *w = *state;
    start(w, &(struct access_options){0});
    assert_false(access_ready(w->access));
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_true(access_ready(w->access));
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;

    access_free(w->access);
    cluster_done(&w->kube);
    fake_https_done(&w->server);
    fake_loop_free(w->loop);
    return 0;
}

static const struct https_peer aggregator = {.verified = {[HTTPS_CA_FRONT_PROXY] = true},
                                             .common_name = "aggregator"};

static struct access_check *ask(struct world *w, const struct https_peer *peer, const char *const *lines) {
    const struct https_wire wire = {lines};
    const struct https_request request = {.method = "GET", .peer = peer, .wire = &wire};

    return access_ask(w->access, &request, &w->action, on_done, &w->told);
}

/* Asks and waits; lines end with NULL. */
#define VERDICT(w, peer, ...) verdict(w, peer, (const char *const[]){__VA_ARGS__, NULL})
static enum access_verdict verdict(struct world *w, const struct https_peer *peer, const char *const *lines) {
    int count = w->told.count;

    if (!ask(w, peer, lines))
        assert_int_equal(w->told.count, count + 1);
    fake_loop_run(w->loop, 20 * USEC_PER_MSEC);
    assert_int_equal(w->told.count, count + 1);
    return w->told.verdict;
}

static struct access_stats stats(const struct world *w) {
    struct access_stats s;

    access_stats(w->access, &s);
    return s;
}

static void test_front_proxy(void **state) {
    struct world *w = *state;

    assert_string_equal(w->server.authority[HTTPS_CA_CLIENT], "client one");
    assert_string_equal(w->server.authority[HTTPS_CA_FRONT_PROXY], "proxy one");
    assert_int_equal(VERDICT(w, &aggregator, "x-remote-user: bob", "X-First-User: ", "X-Remote-Group: a, b",
                             "X-Remote-Group: c", "X-Remote-Extra-Example.com%2fKey: 1",
                             "x-remote-extra-EXAMPLE.com%2FKey: 2", "X-Remote-Extra-A%zz: 3"),
                     ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "bob");
    assert_string_equal(w->told.groups, "a, b,c,system:authenticated");
    assert_string_equal(w->told.extra, "a%zz,3,example.com/key,1,2");
    assert_string_equal(
        w->kube.body,
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
        "\"resourceAttributes\":{\"namespace\":\"shop\",\"verb\":\"get\",\"group\":\"custom.metrics.k8s.io\","
        "\"version\":\"v1beta2\",\"resource\":\"pods\",\"subresource\":\"queue\",\"name\":\"x\"},\"user\":"
        "\"bob\",\"groups\":[\"a, b\",\"c\",\"system:authenticated\"],\"extra\":{\"a%zz\":[\"3\"],"
        "\"example.com/key\":[\"1\",\"2\"]}}}");
}

/* Names that a proxy may have are those of the ConfigMap; who is no proxy has no say in who he is. */
static void test_forged_headers(void **state) {
    static const struct https_peer stranger = {.verified = {[HTTPS_CA_FRONT_PROXY] = true},
                                               .common_name = "stranger"};
    static const struct https_peer client = {.verified = {[HTTPS_CA_CLIENT] = true}, .common_name = "carl"};
    static const struct https_peer nameless = {.verified = {[HTTPS_CA_FRONT_PROXY] = true}};
    struct world *w = *state;

    assert_int_equal(VERDICT(w, &stranger, "X-Remote-User: admin", "X-Remote-Group: system:masters"),
                     ACCESS_UNAUTHENTICATED);
    assert_string_equal(w->told.err.text, "Unauthorized");
    assert_int_equal(VERDICT(w, &nameless, "X-Remote-User: admin"), ACCESS_UNAUTHENTICATED);
    assert_int_equal(VERDICT(w, &client, "X-Remote-User: admin", "X-Remote-Group: system:masters"),
                     ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "carl");
    assert_string_equal(w->told.groups, "system:authenticated");
    assert_int_equal(VERDICT(w, NULL, "X-Remote-User: admin", "X-Remote-Group: system:masters"),
                     ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "system:anonymous");
    assert_string_equal(w->told.groups, "system:unauthenticated");
    assert_int_equal(VERDICT(w, NULL, "X-Remote-User: admin", "Authorization: Bearer t"), ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "anna");
    assert_int_equal(stats(w).access_reviews, 3);
    assert_int_equal(stats(w).unauthenticated, 2);
}

static void test_client_certificate(void **state) {
    static const char *const organizations[] = {"team", "system:masters", NULL};
    const struct https_peer peer = {
        .verified = {[HTTPS_CA_CLIENT] = true}, .common_name = "root", .organizations = organizations};
    const struct https_peer empty = {.verified = {[HTTPS_CA_CLIENT] = true}, .common_name = ""};
    struct world *w = *state;

    w->subject = (struct cluster_answer){.status = 503};
    assert_int_equal(VERDICT(w, &peer, "Authorization: Bearer other"), ACCESS_ALLOWED);
    assert_string_equal(w->told.groups, "team,system:masters,system:authenticated");
    assert_int_equal(stats(w).access_reviews + stats(w).token_reviews, 0);
    assert_int_equal(VERDICT(w, &empty, "X: y"), ACCESS_UNAUTHENTICATED);
}

static void test_token(void **state) {
    struct world *w = *state;

    assert_int_equal(VERDICT(w, NULL, "Authorization:   bearer  x"), ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "system:anonymous"); /* two blanks: an empty token */
    assert_int_equal(VERDICT(w, NULL, "Authorization: bEARER secret more"), ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "anna");
    assert_string_equal(w->told.groups, "dev,system:authenticated");
    assert_string_equal(w->told.extra, "scope,a,b");
    assert_non_null(strstr(w->kube.body, "\"uid\":\"7\""));
    assert_int_equal(stats(w).token_reviews, 1);
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer secret"), ACCESS_ALLOWED);
    assert_int_equal(stats(w).token_reviews, 1);
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer secret2"), ACCESS_ALLOWED);
    assert_int_equal(stats(w).token_reviews, 2);
    fake_loop_run(w->loop, 10 * SEC);
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer secret"), ACCESS_ALLOWED);
    assert_int_equal(stats(w).token_reviews, 3);
    /* a proxy that names nobody may bring a token of its own */
    assert_int_equal(VERDICT(w, &aggregator, "Authorization: Bearer secret"), ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "anna");
}

/* 401 only where the apiserver says so; whatever else goes wrong is its or our fault. */
static void test_token_answers(void **state) {
    static const struct {
        const char *text;
        int status;
        enum access_verdict want;
    } cases[] = {
        {"{\"status\":{\"authenticated\":false,\"error\":\"expired\"}}", 201, ACCESS_UNAUTHENTICATED},
        {"{\"status\":{}}", 201, ACCESS_UNAUTHENTICATED},
        {"{}", 201, ACCESS_FAILED},
        {"[]", 201, ACCESS_FAILED},
        {"{\"status\":", 201, ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true}}", 201, ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true,\"error\":\"half\",\"user\":{\"username\":\"a\"}}}", 201,
         ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"\"}}}", 201, ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true,\"user\":{\"username\":5}}}", 201, ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"a\",\"groups\":[1]}}}", 201,
         ACCESS_FAILED},
        {"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"a\",\"extra\":{\"k\":\"v\"}}}}", 201,
         ACCESS_FAILED},
        {"nobody may review", 403, ACCESS_FAILED},
        {"oops", 500, ACCESS_FAILED},
        {"connection refused", 0, ACCESS_FAILED},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "Authorization: Bearer t%zu", i);
        w->token = (struct cluster_answer){.status = cases[i].status, .text = cases[i].text};
        if (VERDICT(w, NULL, line) != cases[i].want)
            fail_msg("%s: %d", cases[i].text, w->told.verdict);
        assert_false(w->told.known);
        uint64_t asked = stats(w).token_reviews;
        VERDICT(w, NULL, line); /* a refusal is kept, a failure is not */
        assert_int_equal(stats(w).token_reviews, asked + (cases[i].want == ACCESS_FAILED));
    }
    assert_string_equal(w->told.err.text,
                        "the apiserver could not be asked whose token this is: connection refused");
    assert_int_equal(stats(w).access_reviews, 0);
    assert_int_equal(stats(w).cache_hits, 2); /* both refusals */
    uint64_t asked = stats(w).token_reviews;
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer \xff"), ACCESS_UNAUTHENTICATED);
    assert_int_equal(stats(w).token_reviews, asked);
}

static void test_subject_answers(void **state) {
    static const struct {
        const char *text;
        int status;
        enum access_verdict want;
    } cases[] = {
        {"{\"status\":{\"allowed\":true}}", 201, ACCESS_ALLOWED},
        {"{\"status\":{\"allowed\":true,\"denied\":false}}", 200, ACCESS_ALLOWED},
        {"{\"status\":{\"allowed\":false}}", 201, ACCESS_FORBIDDEN},
        {"{\"status\":{\"allowed\":false,\"denied\":true}}", 201, ACCESS_FORBIDDEN},
        {"{\"status\":{\"allowed\":true,\"denied\":true}}", 201, ACCESS_FAILED},
        {"{\"status\":{\"allowed\":\"true\"}}", 201, ACCESS_FAILED},
        {"{\"status\":{}}", 201, ACCESS_FAILED},
        {"{}", 201, ACCESS_FAILED},
        {"", 201, ACCESS_FAILED},
        {"nobody may review", 403, ACCESS_FAILED},
        {"connection refused", 0, ACCESS_FAILED},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "X-Remote-User: user%zu", i);
        w->subject = (struct cluster_answer){.status = cases[i].status, .text = cases[i].text};
        if (VERDICT(w, &aggregator, line) != cases[i].want)
            fail_msg("%s: %d", cases[i].text, w->told.verdict);
        uint64_t asked = stats(w).access_reviews;
        VERDICT(w, &aggregator, line);
        assert_int_equal(stats(w).access_reviews, asked + (cases[i].want == ACCESS_FAILED));
    }
    assert_string_equal(w->told.err.text,
                        "the apiserver could not be asked for permission: connection refused");
}

static void test_verdicts_are_kept(void **state) {
    struct world *w = *state;

    VERDICT(w, &aggregator, "X-Remote-User: bob");
    w->subject.text = "{\"status\":{\"allowed\":false,\"reason\":\"no more\"}}";
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob"), ACCESS_ALLOWED);
    assert_null(ask(w, &aggregator, (const char *const[]){"X-Remote-User: bob", NULL}));
    assert_int_equal(stats(w).access_reviews, 1);
    assert_int_equal(stats(w).cache_hits, 2);
    /* another user, group, name or verb is another question */
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bo"), ACCESS_FORBIDDEN);
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob", "X-Remote-Group: g"), ACCESS_FORBIDDEN);
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob", "X-Remote-Extra-g: g"), ACCESS_FORBIDDEN);
    w->action.name = "y";
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob"), ACCESS_FORBIDDEN);
    w->action.name = "x";
    w->action.verb = "list";
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob"), ACCESS_FORBIDDEN);
    w->action.verb = "get";
    assert_int_equal(stats(w).access_reviews, 6);
    fake_loop_run(w->loop, 10 * SEC);
    assert_int_equal(VERDICT(w, &aggregator, "X-Remote-User: bob"), ACCESS_FORBIDDEN);
    assert_string_equal(w->told.err.text,
                        "pods.custom.metrics.k8s.io \"x\" is forbidden: User \"bob\" cannot "
                        "get resource \"pods/queue\" in API group "
                        "\"custom.metrics.k8s.io\" in the namespace \"shop\": no more");
    assert_int_equal(w->told.err.code, -EACCES);
    assert_int_equal(stats(w).denied, 6);
}

static void test_one_review_for_many(void **state) {
    enum { MANY = 50 };
    static const char *const lines[] = {"Authorization: Bearer same", NULL};
    struct world *w = *state;

    for (int i = 0; i < MANY; i++)
        assert_non_null(ask(w, NULL, lines));
    assert_int_equal(w->told.count, 0);
    fake_loop_run(w->loop, 20 * USEC_PER_MSEC);
    assert_int_equal(w->told.count, MANY);
    assert_int_equal(w->told.verdict, ACCESS_ALLOWED);
    assert_int_equal(stats(w).token_reviews, 1);
    assert_int_equal(stats(w).access_reviews, 1);
}

/* Nobody can make us ask without end. */
static void test_reviews_are_bounded(void **state) {
    struct access_check *checks[256];
    struct world *w = *state;
    char line[64];

    for (int i = 0; i < 256; i++) {
        snprintf(line, sizeof(line), "X-Remote-User: u%d", i);
        checks[i] = ask(w, &aggregator, (const char *const[]){line, NULL});
        assert_non_null(checks[i]);
    }
    assert_null(ask(w, &aggregator, (const char *const[]){"X-Remote-User: one too many", NULL}));
    assert_int_equal(w->told.verdict, ACCESS_FAILED);
    assert_non_null(ask(w, &aggregator, (const char *const[]){line, NULL})); /* somebody asks that already */
    for (int i = 0; i < 256; i++)
        access_cancel(checks[i]);
    assert_int_equal(w->kube.in_flight, 1);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->told.count, 2);
}

static void test_cancel(void **state) {
    static const char *const lines[] = {"Authorization: Bearer same", NULL};
    struct world *w = *state;
    struct access_check *one = ask(w, NULL, lines), *two = ask(w, NULL, lines), *three = ask(w, NULL, lines);

    access_cancel(two);
    access_cancel(one);
    access_cancel(three);
    access_cancel(NULL);
    assert_int_equal(w->kube.in_flight, 0);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->told.count, 0);
    ask(w, NULL, lines); /* ended by access_free */
    fake_loop_run(w->loop, 4 * USEC_PER_MSEC);
    assert_int_equal(stats(w).access_reviews, 1);
    ask(w, NULL, (const char *const[]){"Authorization: Bearer other", NULL});
}

/* Whoever is told may cancel the other and ask anew. */
struct meddler {
    struct world *w;
    struct access_check *other;
    struct told told;
};

static void on_meddle(void *arg, enum access_verdict v, const struct identity *who, const struct err *err) {
    struct meddler *m = arg;

    on_done(&m->told, v, who, err);
    access_cancel(m->other);
    m->other = NULL;
    ask(m->w, &aggregator, (const char *const[]){"X-Remote-User: bob", NULL});
}

/* Two ask the same; whichever is told first meddles with the other. */
static void meddle(struct world *w, enum access_verdict want) {
    static const char *const lines[] = {"X-Remote-User: bob", NULL};
    struct meddler one = {.w = w}, two = {.w = w};
    const struct https_wire wire = {lines};
    const struct https_request request = {.method = "GET", .peer = &aggregator, .wire = &wire};

    two.other = access_ask(w->access, &request, &w->action, on_meddle, &one);
    one.other = access_ask(w->access, &request, &w->action, on_meddle, &two);
    w->told = (struct told){0};
    fake_loop_run(w->loop, SEC);
    assert_int_equal(one.told.count + two.told.count, 1);
    assert_int_equal(one.told.count ? one.told.verdict : two.told.verdict, want);
    assert_int_equal(w->told.count, 1);
    assert_int_equal(w->told.verdict, want);
}

static void test_meddling(void **state) {
    struct world *w = *state;

    meddle(w, ACCESS_ALLOWED);
    assert_int_equal(stats(w).access_reviews, 1);
    w->subject = (struct cluster_answer){.status = 500, .text = "later"};
    w->action.name = "y";
    meddle(w, ACCESS_FAILED);
    assert_int_equal(stats(w).access_reviews, 3);
}

static void test_open_paths(void **state) {
    struct world *w = *state;

    w->token = w->subject = (struct cluster_answer){.status = 503};
    w->action = (struct access_action){.verb = "get", .path = "/readyz"};
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer t"), ACCESS_ALLOWED);
    assert_false(w->told.known);
    w->action.path = "/readyz/ping";
    assert_int_equal(VERDICT(w, NULL, "X: y"), ACCESS_FAILED);
    w->subject = (struct cluster_answer){.status = 201, .text = "{\"status\":{\"allowed\":false}}"};
    assert_int_equal(VERDICT(w, NULL, "X: y"), ACCESS_FORBIDDEN);
    assert_string_equal(w->told.err.text,
                        "forbidden: User \"system:anonymous\" cannot get path \"/readyz/ping\"");
    assert_non_null(
        strstr(w->kube.body, "\"nonResourceAttributes\":{\"path\":\"/readyz/ping\",\"verb\":\"get\"}"));
}

static void test_rotation(void **state) {
    struct world *w = *state;
    static const char next[] =
        "{\"metadata\":{\"name\":\"extension-apiserver-authentication\",\"resourceVersion\":\"2\"},\"data\":{"
        "\"requestheader-client-ca-file\":\"proxy two\",\"requestheader-username-headers\":"
        "\"[\\\"X-User\\\"]\"}}";

    cluster_event(&w->kube, "MODIFIED", next);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_string_equal(w->server.authority[HTTPS_CA_FRONT_PROXY], "proxy two");
    assert_null(w->server.authority[HTTPS_CA_CLIENT]);
    const struct https_peer any = {.verified = {[HTTPS_CA_FRONT_PROXY] = true}, .common_name = "any"};
    assert_int_equal(VERDICT(w, &any, "X-User: eve", "X-Remote-Group: ignored"), ACCESS_ALLOWED);
    assert_string_equal(w->told.user, "eve");
    assert_string_equal(w->told.groups, "system:authenticated");
    /* names that cannot be read must not become "any" */
    cluster_event(
        &w->kube, "MODIFIED",
        "{\"metadata\":{\"name\":\"extension-apiserver-authentication\",\"resourceVersion\":\"3\"},"
        "\"data\":{\"requestheader-client-ca-file\":\"proxy three\",\"requestheader-allowed-names\":"
        "\"aggregator\"}}");
    cluster_event(&w->kube, "DELETED", next);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_string_equal(w->server.authority[HTTPS_CA_FRONT_PROXY], "proxy two");
    assert_true(access_ready(w->access));
}

static void test_no_configmap(void **state) {
    struct world *w = *state;

    w->configmap = NULL;
    start(w, &(struct access_options){0});
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_true(access_ready(w->access));
    assert_int_equal(w->server.given, 0);
    assert_int_equal(VERDICT(w, NULL, "Authorization: Bearer t"), ACCESS_ALLOWED);
}

static void test_lookup_fails(void **state) {
    struct world *w = *state;

    start(w, &(struct access_options){0});
    assert_int_equal(access_error(w->access)->code, 0);
    cluster_end(&w->kube, 0, -ECONNREFUSED);
    assert_false(access_ready(w->access));
    assert_int_equal(access_error(w->access)->code, -ECONNREFUSED);
    access_free(w->access);
    start(w, &(struct access_options){.tolerate_lookup_failure = true});
    assert_false(access_ready(w->access));
    cluster_end(&w->kube, 0, -ECONNREFUSED);
    assert_true(access_ready(w->access));
    access_free(w->access);
    start(w, &(struct access_options){.skip_lookup = true});
    assert_true(access_ready(w->access));
    assert_int_equal(access_error(w->access)->code, 0);
    cluster_done(&w->kube);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_files(void **state) {
    static const char *const names[] = {"proxy", NULL}, *const users[] = {"X-U", NULL},
                             *const open[] = {"metrics", "/x/*", NULL};
    struct world *w = *state;
    char path[] = "/tmp/test_access.XXXXXX";
    struct access_options options = {.client_ca_file = path,
                                     .requestheader_client_ca_file = "/nonexistent/ca",
                                     .requestheader_allowed_names = names,
                                     .requestheader_username_headers = users,
                                     .always_allow_paths = open,
                                     .unauthorized_ttl = 30 * SEC};
    struct err err = {0};

    close(mkstemp(path));
    write_file(path, "one");
    assert_int_equal(access_new(w->loop, &w->kube, &w->server, &options, &w->access, &err), -EINVAL);
    assert_non_null(strstr(err.text, "/nonexistent/ca"));
    options.requestheader_client_ca_file = path;
    write_file(path, "bad one");
    assert_int_equal(access_new(w->loop, &w->kube, &w->server, &options, &w->access, &err), -EINVAL);
    assert_non_null(strstr(err.text, path));
    write_file(path, "one");
    start(w, &options);
    cluster_done(&w->kube); /* the ConfigMap is not needed */
    assert_true(access_ready(w->access));
    assert_string_equal(w->server.authority[HTTPS_CA_CLIENT], "one");
    write_file(path, "bad");
    fake_loop_run(w->loop, 11 * SEC);
    assert_string_equal(w->server.authority[HTTPS_CA_CLIENT], "one");
    write_file(path, "another");
    fake_loop_run(w->loop, 11 * SEC);
    assert_string_equal(w->server.authority[HTTPS_CA_FRONT_PROXY], "another");
    unlink(path);
    fake_loop_run(w->loop, 11 * SEC);
    assert_string_equal(w->server.authority[HTTPS_CA_FRONT_PROXY], "another");

    const struct https_peer proxy = {.verified = {[HTTPS_CA_FRONT_PROXY] = true}, .common_name = "proxy"};
    w->subject.text = "{\"status\":{\"allowed\":false}}";
    assert_int_equal(VERDICT(w, &proxy, "X-U: bob", "X-Remote-Group: g"), ACCESS_FORBIDDEN);
    assert_string_equal(w->told.groups, "g,system:authenticated");
    fake_loop_run(w->loop, 29 * SEC);
    VERDICT(w, &proxy, "X-U: bob", "X-Remote-Group: g");
    assert_int_equal(stats(w).access_reviews, 1);
    w->action = (struct access_action){.verb = "get", .path = "/metrics"};
    assert_int_equal(VERDICT(w, NULL, "X: y"), ACCESS_ALLOWED);
    w->action.path = "/x/y/z";
    assert_int_equal(VERDICT(w, NULL, "X: y"), ACCESS_ALLOWED);
    w->action.path = "/healthz";
    assert_int_equal(VERDICT(w, NULL, "X: y"), ACCESS_FORBIDDEN);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define READY(fn) cmocka_unit_test_setup_teardown(fn, set_up_ready, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        READY(test_front_proxy),
        READY(test_forged_headers),
        READY(test_client_certificate),
        READY(test_token),
        READY(test_token_answers),
        READY(test_subject_answers),
        READY(test_verdicts_are_kept),
        READY(test_one_review_for_many),
        READY(test_reviews_are_bounded),
        READY(test_cancel),
        READY(test_meddling),
        READY(test_open_paths),
        READY(test_rotation),
        TEST(test_no_configmap),
        TEST(test_lookup_fails),
        TEST(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
