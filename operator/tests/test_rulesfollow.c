/* Rules that are followed, in simulated time: what is taken over, what is refused, and what is said of it. A
 * text is good here where it begins with "good"; the real reader is tested elsewhere. */
#include "api/client/tests/fake_cluster.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include "operator/rulesfollow.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEC USEC_PER_SEC
#define FILE_PLACE(path) (&(struct rulesfollow_place){.file = (path)})
#define MAP_PLACE(name) (&(struct rulesfollow_place){.configmap = (name)})

/* In place of adapter/ruleset.c. */
struct ruleset {
    int tried;
    char in_force[64], name[256];
    const char *missing; /* a text that is refused for the moment */
};

int ruleset_load(struct ruleset *ruleset, const char *name, const char *text, size_t len, struct err *err) {
    ruleset->tried++;
    if (len < 4 || !str_starts(text, "good") || str_eq(text, ruleset->missing))
        return err_set(err, -EINVAL, "%s:3: %.*s", name, (int)len, text);
    snprintf(ruleset->in_force, sizeof(ruleset->in_force), "%s", text);
    snprintf(ruleset->name, sizeof(ruleset->name), "%s", name);
    return 0;
}

struct world {
    struct loop *loop;
    struct kube kube;
    struct ruleset ruleset;
    struct rulesfollow *follow;
    const char *object; /* NULL: 404 */
    char folder[64], path[96];
};

static void serve(void *arg, const struct kube_request *request, struct cluster_answer *ret_answer) {
    const struct world *w = arg;

    assert_string_equal(request->path, "/api/v1/namespaces/shop/configmaps/rules");
    *ret_answer = w->object ? (struct cluster_answer){.status = 200, .text = w->object}
                            : (struct cluster_answer){.status = 404};
}

static int set_up(void **state) {
    static struct world world;
    struct world *w = &world;

    *w = (struct world){.loop = fake_loop_new(), .folder = "/tmp/test_rulesfollow.XXXXXX"};
    w->kube = (struct kube){.loop = w->loop, .serve = serve, .arg = w};
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/config.yaml", w->folder);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;

    rulesfollow_free(w->follow);
    cluster_done(&w->kube);
    fake_loop_free(w->loop);
    unlink(w->path);
    rmdir(w->folder);
    return 0;
}

/* As a ConfigMap volume does it: another file takes the place of the one before. */
static void put_file(const struct world *w, const char *text) {
    char other[128];

    snprintf(other, sizeof(other), "%s.new", w->path);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(other, w->path), 0);
}

static struct rulesfollow_stats stats(const struct world *w) {
    struct rulesfollow_stats s;

    rulesfollow_stats(w->follow, &s);
    return s;
}

static void expect(struct world *w, const char *in_force, const char *error) {
    fake_loop_run(w->loop, 2 * SEC);
    assert_string_equal(w->ruleset.in_force, in_force);
    const struct err *err = rulesfollow_error(w->follow);
    assert_string_equal(err->code ? err->text : "", error);
}

static void start_with_file(struct world *w, const char *text) {
    put_file(w, text);
    assert_int_equal(rulesfollow_new(w->loop, &w->kube, &w->ruleset, FILE_PLACE(w->path), &w->follow, NULL),
                     0);
}

static void test_file(void **state) {
    struct world *w = *state;
    char error[256];

    start_with_file(w, "good one");
    assert_string_equal(w->ruleset.in_force, "good one");
    assert_string_equal(w->ruleset.name, w->path);
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_int_equal(w->ruleset.tried, 1);
    put_file(w, "good two");
    expect(w, "good two", "");
    put_file(w, "bad");
    snprintf(error, sizeof(error), "%s:3: bad", w->path);
    expect(w, "good two", error);
    assert_int_equal(stats(w).loads, 2);
    assert_int_equal(stats(w).refused, 1);
    put_file(w, "good two");
    expect(w, "good two", "");
    assert_true(clock_wall() - stats(w).last_load < USEC_PER_MIN);
}

/* One that goes and comes back as it was is in force all the time. */
static void test_file_goes(void **state) {
    struct world *w = *state;
    char aside[128], error[256];

    start_with_file(w, "good one");
    snprintf(aside, sizeof(aside), "%s.aside", w->path);
    assert_int_equal(rename(w->path, aside), 0);
    snprintf(error, sizeof(error), "%s: No such file or directory", w->path);
    expect(w, "good one", error);
    assert_int_equal(rename(aside, w->path), 0);
    expect(w, "good one", "");
    assert_int_equal(w->ruleset.tried, 1);
    put_file(w, "");
    snprintf(error, sizeof(error), "%s:3: ", w->path);
    expect(w, "good one", error);
}

/* What a configuration lacks may come without a change of its own. */
static void test_tried_again(void **state) {
    struct world *w = *state;

    start_with_file(w, "good one");
    w->ruleset.missing = "good two";
    put_file(w, "good two");
    fake_loop_run(w->loop, 29 * SEC);
    assert_int_equal(w->ruleset.tried, 2);
    fake_loop_run(w->loop, 4 * SEC);
    assert_int_equal(w->ruleset.tried, 3);
    assert_int_equal(stats(w).refused, 1);
    w->ruleset.missing = NULL;
    fake_loop_run(w->loop, 30 * SEC);
    expect(w, "good two", "");
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_int_equal(w->ruleset.tried, 4);
}

static void test_bad_start(void **state) {
    struct world *w = *state;
    struct err err = {0};

    assert_int_equal(rulesfollow_new(w->loop, &w->kube, &w->ruleset, FILE_PLACE(w->path), &w->follow, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, w->path));
    put_file(w, "bad");
    assert_int_equal(rulesfollow_new(w->loop, &w->kube, &w->ruleset, FILE_PLACE(w->path), &w->follow, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "config.yaml:3: bad"));
    static const char *const names[] = {"rules", "/rules", "shop/", "a/b/c", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(
            rulesfollow_new(w->loop, &w->kube, &w->ruleset, MAP_PLACE(names[i]), &w->follow, &err), -EINVAL);
}

#define OBJECT(version, data)                                                                                \
    "{\"metadata\":{\"name\":\"rules\",\"resourceVersion\":\"" version "\"},\"data\":" data "}"

static void start_with_configmap(struct world *w, const char *object) {
    w->object = object;
    assert_int_equal(
        rulesfollow_new(w->loop, &w->kube, &w->ruleset, MAP_PLACE("shop/rules"), &w->follow, NULL), 0);
    cluster_accept(&w->kube);
}

static void test_configmap(void **state) {
    struct world *w = *state;

    start_with_configmap(w, OBJECT("1", "{\"config.yaml\":\"good one\",\"other\":\"x\"}"));
    expect(w, "good one", "");
    assert_string_equal(w->ruleset.name, "shop/rules/config.yaml");
    cluster_event(&w->kube, "MODIFIED", OBJECT("2", "{\"config.yaml\":\"bad\"}"));
    expect(w, "good one", "shop/rules/config.yaml:3: bad");
    cluster_event(&w->kube, "MODIFIED", OBJECT("3", "{\"mine\":\"good three\"}"));
    expect(w, "good three", "");
    int tried = w->ruleset.tried;
    cluster_event(&w->kube, "MODIFIED", OBJECT("4", "{\"mine\":\"good three\"}"));
    expect(w, "good three", "");
    assert_int_equal(w->ruleset.tried, tried);
    cluster_event(&w->kube, "MODIFIED", OBJECT("5", "{\"a\":\"good a\",\"b\":\"good b\"}"));
    expect(w, "good three", "shop/rules: has no key config.yaml but several others: which one is meant?");
    cluster_event(&w->kube, "MODIFIED", OBJECT("6", "{}"));
    expect(w, "good three", "shop/rules: has no key config.yaml");
    cluster_event(&w->kube, "DELETED", OBJECT("7", "{}"));
    expect(w, "good three", "shop/rules: there is no such ConfigMap");
    cluster_event(&w->kube, "ADDED", OBJECT("8", "{\"mine\":\"good three\"}"));
    expect(w, "good three", "");
    assert_int_equal(stats(w).loads, 3);
    assert_int_equal(stats(w).refused, 1);
}

static void test_configmap_comes_later(void **state) {
    struct world *w = *state;

    start_with_configmap(w, NULL);
    expect(w, "", "shop/rules: there is no such ConfigMap");
    assert_int_equal(stats(w).last_load, 0);
    cluster_event(&w->kube, "ADDED", OBJECT("8", "{\"mine\":\"good three\"}"));
    expect(w, "good three", "");
}

static void test_configmap_forbidden(void **state) {
    struct world *w = *state;

    start_with_configmap(w, NULL);
    cluster_end(&w->kube, 101, -ETIMEDOUT);
    fake_loop_run(w->loop, 10 * USEC_PER_MSEC);
    assert_int_equal(rulesfollow_error(w->follow)->code, -ETIMEDOUT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_file),
        TEST(test_file_goes),
        TEST(test_tried_again),
        TEST(test_bad_start),
        TEST(test_configmap),
        TEST(test_configmap_comes_later),
        TEST(test_configmap_forbidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
