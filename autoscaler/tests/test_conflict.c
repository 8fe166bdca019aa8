/* HPAs and policies that come, go, move and fall idle on a few targets: who acts, and who is told. */
#include "autoscaler/conflict.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct object_reference web = {"apps/v1", "Deployment", "web"};
static const struct object_reference other = {"apps/v1", "Deployment", "other"};

static struct claims all;
static char told[128]; /* names of the policies that were to look again, in order */

static void on_changed(void *arg, struct claim *claim) {
    (void)arg;
    snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s", told[0] ? " " : "", claim->name);
}

static int setup(void **state) {
    (void)state;
    claims_init(&all, on_changed, NULL);
    told[0] = '\0';
    return 0;
}

static int teardown(void **state) {
    (void)state;
    size_t left = all.targets.len;
    claims_done(&all);
    return left ? -1 : 0; /* a target without claims is forgotten */
}

static void set(struct claim *claim, const struct claim *wanted, const struct object_reference *ref) {
    struct claim full = *wanted;

    full.ns = "default";
    claims_set(&all, claim, &full, ref);
}

/* The name of who is ahead, "" where nobody is. */
static const char *ahead(const struct claim *policy) {
    const struct claim *c = claims_ahead(policy, NULL);

    return c ? c->name : "";
}

#define EXPECT_TOLD(names)                                                                                   \
    do {                                                                                                     \
        assert_string_equal(told, names);                                                                    \
        told[0] = '\0';                                                                                      \
    } while (0)

static void test_alone(void **state) {
    struct claim a = {0}, h = {0}, elsewhere = {0};
    (void)state;
    set(&a, &(struct claim){.name = "a", .created = 2}, &web);
    set(&h, &(struct claim){.name = "h", .created = 1, .hpa = true}, &other);
    claims_set(&all, &elsewhere, &(struct claim){.ns = "prod", .name = "e", .created = 1, .hpa = true}, &web);
    assert_string_equal(ahead(&a), "");
    EXPECT_TOLD("");
    claims_clear(&all, &a);
    claims_clear(&all, &h);
    claims_clear(&all, &elsewhere);
}

/* An HPA comes first, however young, and every policy steps back; when it goes the older one begins. */
static void test_hpa_before_policies(void **state) {
    struct claim a = {0}, b = {0}, h = {0};
    (void)state;
    set(&b, &(struct claim){.name = "b", .created = 2}, &web);
    set(&a, &(struct claim){.name = "a", .created = 1}, &web);
    EXPECT_TOLD("b");
    set(&h, &(struct claim){.name = "h", .created = 9, .hpa = true}, &web);
    EXPECT_TOLD("a b");
    assert_string_equal(ahead(&a), "h");
    assert_string_equal(ahead(&b), "h");
    claims_clear(&all, &h);
    EXPECT_TOLD("a b");
    assert_string_equal(ahead(&a), "");
    assert_string_equal(ahead(&b), "a");
    claims_clear(&all, &a);
    EXPECT_TOLD("b");
    assert_string_equal(ahead(&b), "");
    claims_clear(&all, &b);
}

static void test_of_one_age_by_name(void **state) {
    struct claim a = {0}, b = {0};
    (void)state;
    set(&b, &(struct claim){.name = "b", .created = 5}, &web);
    set(&a, &(struct claim){.name = "a", .created = 5}, &web);
    assert_string_equal(ahead(&a), "");
    assert_string_equal(ahead(&b), "a");
    claims_clear(&all, &a);
    claims_clear(&all, &b);
}

/* Versions of one group are one kind of target; another group is another. */
static void test_versions_and_groups(void **state) {
    struct claim a = {0}, h = {0}, v = {0};
    (void)state;
    set(&a, &(struct claim){.name = "a", .created = 1}, &web);
    set(&h, &(struct claim){.name = "h", .hpa = true},
        &(struct object_reference){"x.io/v1", "Deployment", "web"});
    assert_string_equal(ahead(&a), "");
    set(&v, &(struct claim){.name = "v", .hpa = true},
        &(struct object_reference){"apps/v1beta1", "Deployment", "web"});
    assert_string_equal(ahead(&a), "v");
    set(&h, &(struct claim){.name = "h", .hpa = true}, &(struct object_reference){NULL, "Deployment", "web"});
    claims_clear(&all, &v);
    assert_string_equal(ahead(&a), "");
    claims_clear(&all, &h);
    claims_clear(&all, &a);
}

/* What writes nothing is in nobody's way, and nobody in its. */
static void test_idle(void **state) {
    struct claim a = {0}, b = {0};
    (void)state;
    set(&a, &(struct claim){.name = "a", .created = 1, .idle = true}, &web);
    set(&b, &(struct claim){.name = "b", .created = 2}, &web);
    assert_string_equal(ahead(&a), "");
    assert_string_equal(ahead(&b), "");
    told[0] = '\0';
    set(&a, &(struct claim){.name = "a", .created = 1}, &web);
    EXPECT_TOLD("b");
    assert_string_equal(ahead(&b), "a");
    claims_clear(&all, &a);
    claims_clear(&all, &b);
}

static void test_moves(void **state) {
    struct claim a = {0}, b = {0}, h = {0};
    (void)state;
    set(&a, &(struct claim){.name = "a", .created = 1}, &web);
    set(&b, &(struct claim){.name = "b", .created = 2}, &other);
    set(&h, &(struct claim){.name = "h", .hpa = true}, &web);
    told[0] = '\0';
    set(&h, &(struct claim){.name = "h", .hpa = true}, &web); /* its status was written: no news */
    EXPECT_TOLD("");
    set(&h, &(struct claim){.name = "h", .hpa = true}, &other);
    EXPECT_TOLD("a b");
    assert_string_equal(ahead(&a), "");
    assert_string_equal(ahead(&b), "h");
    claims_clear(&all, &h);
    claims_clear(&all, &h); /* a second time: nothing */
    claims_clear(&all, &a);
    claims_clear(&all, &b);
}

static void test_left_out(void **state) {
    struct claim a = {0}, h = {0}, g = {0};
    (void)state;
    set(&a, &(struct claim){.name = "a", .created = 1}, &web);
    set(&h, &(struct claim){.name = "h", .created = 2, .hpa = true}, &web);
    assert_null(claims_ahead(&a, "h"));
    set(&g, &(struct claim){.name = "g", .created = 3, .hpa = true}, &web);
    assert_ptr_equal(claims_ahead(&a, "h"), &g);
    assert_ptr_equal(claims_ahead(&a, NULL), &h);
    claims_clear(&all, &h);
    claims_clear(&all, &g);
    claims_clear(&all, &a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hpa_before_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_one_age_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_and_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
