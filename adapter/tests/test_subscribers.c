/* The list of subscribers, and what may happen to it while they are told. */
#include "adapter/subscribers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 4 };

struct scene {
    struct subscribers all;
    struct one {
        struct subscriber head;
        struct scene *scene;
        int told;
        unsigned removes; /* bits of those that go when this one is told */
        bool gone;
    } ones[COUNT];
};

static void on_changed(void *arg) {
    struct one *one = arg;
    struct scene *s = one->scene;

    assert_false(one->gone);
    one->told++;
    for (int i = 0; i < COUNT; i++)
        if ((one->removes >> i & 1) && !s->ones[i].gone) {
            s->ones[i].gone = true;
            subscribers_remove(&s->all, &s->ones[i].head);
            memset(&s->ones[i].head, 0xff, sizeof(s->ones[i].head)); /* as if freed */
        }
}

static void set_up(struct scene *s) {
    *s = (struct scene){0};
    for (int i = 0; i < COUNT; i++) {
        s->ones[i].scene = s;
        s->ones[i].head = (struct subscriber){.interval = 10 - i, .changed = on_changed, .arg = &s->ones[i]};
        subscribers_add(&s->all, &s->ones[i].head);
    }
}

/* Whoever is told first may remove any set: the others are told once, those that went never again. */
static void test_any_may_go(void **state) {
    (void)state;
    for (int who = 0; who < COUNT; who++)
        for (unsigned removes = 0; removes < 1u << COUNT; removes++) {
            struct scene s;
            set_up(&s);
            s.ones[who].removes = removes;
            subscribers_tell(&s.all);
            assert_false(s.all.telling);
            assert_int_equal(s.ones[who].told, 1);
            for (int i = 0; i < COUNT; i++)
                assert_true(s.ones[i].told == 1 || s.ones[i].gone);
            subscribers_tell(&s.all);
            for (int i = 0; i < COUNT; i++)
                assert_true(s.ones[i].gone ? s.ones[i].told <= 1 : s.ones[i].told == 2);
        }
}

static usec_t least_of(const struct scene *s) {
    usec_t least = 0;

    for (int i = 0; i < COUNT; i++)
        if (!s->ones[i].gone && (!least || s->ones[i].head.interval < least))
            least = s->ones[i].head.interval;
    return least;
}

/* Every order of coming and going of intervals that are partly equal. */
static void test_shortest_interval(void **state) {
    (void)state;
    for (unsigned order = 0; order < 1u << (4 * COUNT); order++) {
        struct scene s = {0};
        for (unsigned i = 0; i < COUNT; i++) {
            s.ones[i].gone = true;
            s.ones[i].head.interval = 5 + (order >> i & 1) + (order >> (2 * COUNT + i) & 1);
        }
        for (unsigned step = 0; step < 2 * COUNT; step++) {
            struct one *one = &s.ones[order >> step & (COUNT - 1)];
            if (one->gone)
                subscribers_add(&s.all, &one->head);
            else
                subscribers_remove(&s.all, &one->head);
            one->gone = !one->gone;
            assert_int_equal(subscribers_interval(&s.all), least_of(&s));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_may_go),
        cmocka_unit_test(test_shortest_interval),
    };

    return cmocka_run_group_tests_name("subscribers", tests, NULL, NULL);
}
