/* One object followed by its name, in simulated time: what its owner is told, and when it is asked for again.
 */
#include "api/client/kubeobject.h"
#include "api/client/tests/fake_cluster.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define OBJECT(version) "{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"" version "\"}}"
#define SEC USEC_PER_SEC

struct world {
    struct loop *loop;
    struct kube kube;
    struct kubeobject *object;
    struct cluster_answer answer; /* to every read */
    int told;
    char version[16]; /* what was told last; "none" */
    bool free_when_told;
};

static void serve(void *arg, const struct kube_request *request, struct cluster_answer *ret_answer) {
    const struct world *w = arg;

    assert_int_equal(request->verb, KUBE_GET);
    assert_string_equal(request->path, "/api/v1/namespaces/x/configmaps/one");
    *ret_answer = w->answer;
}

static void on_object(void *arg, const json_t *object) {
    struct world *w = arg;
    const json_t *version = json_object_get(json_object_get(object, "metadata"), "resourceVersion");

    w->told++;
    snprintf(w->version, sizeof(w->version), "%s", object ? json_string_value(version) : "none");
    if (w->free_when_told) {
        kubeobject_free(w->object);
        w->object = NULL;
    }
}

static int set_up(void **state) {
    static struct world world;
    struct world *w = &world;

    *w = (struct world){.loop = fake_loop_new(), .answer = {.status = 200, .text = OBJECT("5")}};
    w->kube = (struct kube){.loop = w->loop, .serve = serve, .arg = w};
    w->object = kubeobject_follow(w->loop, &w->kube, "/api/v1/namespaces/x/configmaps", "one", on_object, w);
    assert_int_equal(w->told, 0);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;

    kubeobject_free(w->object);
    cluster_done(&w->kube);
    fake_loop_free(w->loop);
    return 0;
}

static void expect(struct world *w, int told, const char *version) {
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_int_equal(w->told, told);
    assert_string_equal(w->version, version);
}

static void test_read_and_watched(void **state) {
    struct world *w = *state;

    assert_string_equal(w->kube.watch_path,
                        "/api/v1/namespaces/x/configmaps?watch=1&fieldSelector=metadata.name%3Done");
    assert_int_equal(w->kube.started, 0); /* not before the server watches: nothing is missed between */
    cluster_accept(&w->kube);
    expect(w, 1, "5");
    assert_int_equal(kubeobject_error(w->object)->code, 0);
    cluster_event(&w->kube, "ADDED", OBJECT("5"));
    expect(w, 1, "5");
    cluster_event(&w->kube, "MODIFIED", OBJECT("6"));
    expect(w, 2, "6");
    cluster_event(&w->kube, "BOOKMARK", OBJECT("7"));
    cluster_event(&w->kube, "MODIFIED", "{\"metadata\":{\"name\":\"two\",\"resourceVersion\":\"8\"}}");
    expect(w, 2, "6");
    cluster_event(&w->kube, "DELETED", OBJECT("9"));
    expect(w, 3, "none");
    cluster_event(&w->kube, "ADDED", OBJECT("10"));
    expect(w, 4, "10");
    assert_int_equal(w->kube.started, 1);
}

static void test_absent(void **state) {
    struct world *w = *state;

    w->answer = (struct cluster_answer){.status = 404};
    cluster_accept(&w->kube);
    expect(w, 1, "none");
    assert_int_equal(kubeobject_error(w->object)->code, 0);
    cluster_event(&w->kube, "ADDED", OBJECT("7"));
    expect(w, 2, "7");
}

/* What the watch brings while the read is under way is newer than what that finds. */
static void test_event_beats_read(void **state) {
    struct world *w = *state;

    w->answer = (struct cluster_answer){.status = 404};
    cluster_accept(&w->kube);
    cluster_event(&w->kube, "ADDED", OBJECT("7"));
    expect(w, 1, "7");
    cluster_end(&w->kube, 101, -ESHUTDOWN);
    fake_loop_run(w->loop, SEC);
    w->answer = (struct cluster_answer){.status = 200, .text = OBJECT("7")};
    cluster_accept(&w->kube);
    cluster_event(&w->kube, "ADDED", OBJECT("7"));
    cluster_event(&w->kube, "DELETED", OBJECT("8"));
    expect(w, 2, "none");
}

static void test_several_changes_are_told_once(void **state) {
    struct world *w = *state;

    cluster_accept(&w->kube);
    cluster_event(&w->kube, "ADDED", OBJECT("7"));
    cluster_event(&w->kube, "MODIFIED", OBJECT("8"));
    expect(w, 1, "8");
}

/* A deletion while nobody watched is found by the next read. */
static void test_watch_ends(void **state) {
    struct world *w = *state;

    cluster_accept(&w->kube);
    expect(w, 1, "5");
    fake_loop_run(w->loop, USEC_PER_HOUR);
    cluster_end(&w->kube, 101, -ESHUTDOWN);
    assert_int_equal(kubeobject_error(w->object)->code, 0);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.watches_opened, 2);
    w->answer = (struct cluster_answer){.status = 404};
    cluster_accept(&w->kube);
    expect(w, 2, "none");
}

static void test_error_event(void **state) {
    struct world *w = *state;

    cluster_accept(&w->kube);
    expect(w, 1, "5");
    cluster_event(&w->kube, "ERROR", "{\"code\":410,\"message\":\"too old resource version\"}");
    assert_string_equal(kubeobject_error(w->object)->text, "too old resource version");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.watches_opened, 2);
    w->answer.text = OBJECT("6");
    cluster_accept(&w->kube);
    expect(w, 2, "6");
    assert_int_equal(kubeobject_error(w->object)->code, 0);
}

static void test_garbage(void **state) {
    struct world *w = *state;

    cluster_accept(&w->kube);
    expect(w, 1, "5");
    cluster_bring(&w->kube, "{\"type\":");
    assert_int_equal(kubeobject_error(w->object)->code, -EBADMSG);
    fake_loop_run(w->loop, SEC);
    cluster_accept(&w->kube);
    cluster_bring(&w->kube, "[1, 2]");
    cluster_bring(&w->kube, "{\"type\": 5, \"object\": \"x\"}");
    expect(w, 1, "5");
    assert_int_equal(kubeobject_error(w->object)->code, 0);
}

/* Twice as long from one to the next, up to a minute; a watch that lasts ends it. */
static void test_back_off(void **state) {
    static const int at_most[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(at_most) / sizeof(at_most[0]); i++) {
        int opened = w->kube.watches_opened;
        cluster_end(&w->kube, 0, -ECONNREFUSED);
        assert_int_equal(kubeobject_error(w->object)->code, -ECONNREFUSED);
        fake_loop_run(w->loop, at_most[i] * SEC / 2 - 1);
        assert_int_equal(w->kube.watches_opened, opened);
        fake_loop_run(w->loop, at_most[i] * SEC / 2 + 2);
        assert_int_equal(w->kube.watches_opened, opened + 1);
    }
    assert_int_equal(w->kube.started, 0);
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 11 * SEC);
    cluster_end(&w->kube, 101, -ETIMEDOUT);
    fake_loop_run(w->loop, SEC);
    assert_non_null(w->kube.watches[0]);
}

/* How many lines are logged while the watch is refused with each of these codes. */
static int lines_logged(struct world *w, const int *codes, size_t count) {
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO), lines = 0, c;

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    for (size_t i = 0; i < count; i++) {
        cluster_end(&w->kube, 0, codes[i]);
        fake_loop_run(w->loop, USEC_PER_MIN);
    }
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* Once for each reason, and anew after all was well. */
static void test_log(void **state) {
    static const int same[] = {-EIO, -EIO, -EIO, -EIO, -EIO, -EIO, -EIO, -EIO},
                     another[] = {-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED};
    struct world *w = *state;

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_int_equal(lines_logged(w, same, 8), 1);
    assert_int_equal(lines_logged(w, another, 3), 1);
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 11 * SEC);
    assert_int_equal(lines_logged(w, another, 3), 1);
}

static void test_failed_read(void **state) {
    struct world *w = *state;

    w->answer = (struct cluster_answer){.status = 503, .text = "busy", .retry_after = 7 * SEC};
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 6 * SEC);
    assert_string_equal(kubeobject_error(w->object)->text, "busy");
    assert_int_equal(w->kube.watches_opened, 1);
    w->answer = (struct cluster_answer){.status = 200, .text = "[]"};
    fake_loop_run(w->loop, 2 * SEC);
    cluster_accept(&w->kube);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_int_equal(kubeobject_error(w->object)->code, -EPROTO);
    assert_int_equal(w->told, 0);
}

/* Nobody may watch: read at once, and again each half a minute. */
static void test_watch_is_forbidden(void **state) {
    struct world *w = *state;

    cluster_end(&w->kube, 403, -ECONNREFUSED);
    expect(w, 1, "5");
    assert_int_equal(kubeobject_error(w->object)->code, 0);
    for (int i = 0; i < 3; i++) {
        w->answer.text = i == 2 ? OBJECT("6") : OBJECT("5");
        fake_loop_run(w->loop, 30 * SEC);
        cluster_end(&w->kube, 403, -ECONNREFUSED);
    }
    expect(w, 2, "6");
    assert_int_equal(w->kube.started, 4);
    /* a proxy lets no websocket through */
    fake_loop_run(w->loop, 30 * SEC);
    cluster_end(&w->kube, 0, -EOPNOTSUPP);
    w->answer = (struct cluster_answer){.status = 403};
    fake_loop_run(w->loop, 30 * SEC);
    cluster_end(&w->kube, 0, -EOPNOTSUPP);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_int_equal(kubeobject_error(w->object)->code, -EACCES);
    assert_int_equal(w->told, 2);
}

static void test_freed_by_its_owner(void **state) {
    struct world *w = *state;

    w->free_when_told = true;
    cluster_accept(&w->kube);
    expect(w, 1, "5");
    assert_null(w->object);
}

static void test_freed_at_every_stage(void **state) {
    struct world *w = *state;

    cluster_accept(&w->kube); /* a read under way */
    kubeobject_free(w->object);
    cluster_done(&w->kube);
    w->object = kubeobject_follow(w->loop, &w->kube, "/api/v1/namespaces/x/configmaps", "one", on_object, w);
    cluster_end(&w->kube, 0, -ECONNREFUSED); /* waiting */
    kubeobject_free(w->object);
    kubeobject_free(NULL);
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_int_equal(w->told, 0);
    w->object = NULL;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_read_and_watched),
        TEST(test_absent),
        TEST(test_event_beats_read),
        TEST(test_several_changes_are_told_once),
        TEST(test_watch_ends),
        TEST(test_error_event),
        TEST(test_garbage),
        TEST(test_back_off),
        TEST(test_log),
        TEST(test_failed_read),
        TEST(test_watch_is_forbidden),
        TEST(test_freed_by_its_owner),
        TEST(test_freed_at_every_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
