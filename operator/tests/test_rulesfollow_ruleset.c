/* A file of rules that changes, with the real reader of rules behind it: what is in force, and by which line
 * a bad one is refused. The cluster's resources are not known here, so no series is asked for. */
#include "operator/rulesfollow.h"

#include "adapter/rules.h"
#include "api/client/tests/fake_discovery.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct sources {
    int unused;
};

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    (void)sources, (void)ns, (void)name;
    err_set(err, -ENOENT, "there is none");
    return NULL;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    (void)sources, (void)fn, (void)arg;
}

#define RULE                                                                                                 \
    "- seriesQuery: queue\n"                                                                                 \
    "  resources: {template: <<.Resource>>}\n"                                                               \
    "  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)\n"

static void put_file(const char *path, const char *text) {
    char other[128];

    snprintf(other, sizeof(other), "%s.new", path);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(other, path), 0);
}

static void test_changes(void **state) {
    struct loop *loop = fake_loop_new();
    struct discovery discovery = {0};
    struct sources sources = {0};
    struct ruleset *ruleset = ruleset_new(loop, &discovery, &sources, &(struct ruleset_options){0});
    char path[] = "/tmp/test_rulesfollow_ruleset.XXXXXX";
    const struct rulesfollow_place place = {.file = path};
    struct rulesfollow *follow;
    struct err err = {0};

    (void)state;
    close(mkstemp(path));
    put_file(path, "rules:\n" RULE);
    if (rulesfollow_new(loop, NULL, ruleset, &place, &follow, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(ruleset_rules(ruleset)->rule_count, 1);
    put_file(path, "rules:\n" RULE "- seriesquery: x\n");
    fake_loop_run(loop, 3 * USEC_PER_SEC);
    assert_int_equal(ruleset_rules(ruleset)->rule_count, 1);
    assert_memory_equal(rulesfollow_error(follow)->text, path, strlen(path));
    assert_memory_equal(rulesfollow_error(follow)->text + strlen(path), ":5: ", 4);
    put_file(path, "rules:\n" RULE RULE);
    fake_loop_run(loop, 3 * USEC_PER_SEC);
    assert_int_equal(rulesfollow_error(follow)->code, 0);
    assert_int_equal(ruleset_rules(ruleset)->rule_count, 2);
    put_file(path, "rules: [");
    fake_loop_run(loop, 3 * USEC_PER_SEC);
    assert_int_equal(ruleset_rules(ruleset)->rule_count, 2);
    assert_int_equal(rulesfollow_error(follow)->code, -EINVAL);
    rulesfollow_free(follow);
    ruleset_free(ruleset);
    fake_loop_free(loop);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
