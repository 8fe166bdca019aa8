/* One source in front of two: where a subscription is, when it moves, and what is read meanwhile. */
#include "adapter/preferred.h"

#include "base/mem.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { FOLLOWERS = 200 };

/* A source whose answers are a test's. */
struct metric_subscription {
    struct metric_subscription *next;
    metric_changed_fn *changed;
    void *arg;
    char *metric; /* as it was asked for */
};
struct plain_source {
    struct metric_source head;
    struct metric_subscription *all;
    enum quality quality;
    int64_t milli;
    int count;
};

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct plain_source *s = (struct plain_source *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);

    *sub = (struct metric_subscription){.next = s->all,
                                        .changed = changed,
                                        .arg = arg,
                                        .metric = xasprintf("%s/%s", request->ns, request->metric->metric)};
    s->all = sub;
    s->count++;
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct plain_source *s = (struct plain_source *)source;
    struct metric_subscription **at = &s->all;

    while (*at != sub)
        at = &(*at)->next;
    *at = sub->next;
    s->count--;
    free(sub->metric);
    free(sub);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct plain_source *s = (const struct plain_source *)source;

    (void)now;
    *ret_sample = (struct sample){.quality = s->quality, .milli = s->milli, .message = sub->metric};
}

static void read_pods(struct metric_source *source, const struct metric_subscription *sub, usec_t now,
                      const struct pod *const *pods, uint32_t count, struct pod_value *ret_values) {
    const struct plain_source *s = (const struct plain_source *)source;

    (void)sub, (void)now, (void)pods;
    for (uint32_t i = 0; i < count; i++)
        ret_values[i] = (struct pod_value){.known = true, .milli = s->milli};
}

static const struct metric_source_ops ops = {"plain", subscribe, unsubscribe, read_sample, read_pods};

struct world {
    struct plain_source first, second;
    bool serves;
    struct metric_source *source;
};

struct follower {
    struct world *w;
    struct metric_subscription *sub;
    int told;
    struct follower *ends; /* when it is told; may be itself */
};

static bool serves(void *arg, const struct metric_spec *metric, const char *ns) {
    const struct world *w = arg;

    assert_string_equal(metric->metric, "depth");
    assert_string_equal(ns, "shop");
    return w->serves;
}

static void world_init(struct world *w) {
    *w = (struct world){.first = {.head = {&ops}, .quality = QUALITY_VALUE, .milli = 1},
                        .second = {.head = {&ops}, .quality = QUALITY_VALUE, .milli = 2}};
    w->source = preferred_new(&(struct preferred_options){
        .first = &w->first.head, .second = &w->second.head, .serves = serves, .arg = w});
}

static void end(struct follower *f) {
    if (f->sub)
        f->w->source->ops->unsubscribe(f->w->source, f->sub);
    f->sub = NULL;
}

static void world_done(struct world *w) {
    assert_int_equal(w->first.count + w->second.count, 0);
    preferred_free(w->source);
    preferred_free(NULL);
}

static void on_changed(void *arg) {
    struct follower *f = arg;

    f->told++;
    if (f->ends)
        end(f->ends);
}

static void follow(struct follower *f, struct world *w) {
    char metric[] = "depth", ns[] = "shop";
    const struct metric_spec spec = {.type = METRIC_PODS, .metric = metric};
    const struct metric_request request = {.metric = &spec, .ns = ns};

    *f = (struct follower){.w = w};
    f->sub = w->source->ops->subscribe(w->source, &request, on_changed, f);
    memset(metric, 'x', sizeof(metric) - 1); /* only borrowed */
    memset(ns, 'x', sizeof(ns) - 1);
}

static int64_t value_of(const struct follower *f) {
    const struct metric_source_ops *o = f->w->source->ops;
    const struct pod *pods[1] = {NULL};
    struct pod_value value;
    struct sample sample;

    o->read(f->w->source, f->sub, 0, &sample);
    o->read_pods(f->w->source, f->sub, 0, pods, 1, &value);
    assert_string_equal(sample.message, "shop/depth");
    assert_int_equal(sample.milli, value.milli);
    return sample.milli;
}

/* Its source has news. */
static void tell(struct plain_source *s) {
    s->all->changed(s->all->arg);
}

static void test_where_it_is(void **state) {
    struct follower f;
    struct world w;

    (void)state;
    world_init(&w);
    follow(&f, &w);
    assert_int_equal(value_of(&f), 2);
    tell(&w.second);
    assert_int_equal(f.told, 1);
    preferred_reconsider(w.source); /* nothing has changed */
    assert_int_equal(f.told, 1);
    end(&f);
    w.serves = true;
    follow(&f, &w);
    assert_int_equal(value_of(&f), 1);
    end(&f);
    world_done(&w);
}

static void test_a_move(void **state) {
    struct follower f;
    struct world w;

    (void)state;
    world_init(&w);
    follow(&f, &w);
    w.serves = true;
    preferred_reconsider(w.source);
    assert_int_equal(f.told, 1);
    assert_int_equal(value_of(&f), 1);
    assert_int_equal(w.second.count, 0);
    w.serves = false;
    preferred_reconsider(w.source);
    assert_int_equal(value_of(&f), 2);
    assert_int_equal(w.first.count, 0);
    end(&f);
    world_done(&w);
}

static void test_the_old_answer_until_there_is_a_new_one(void **state) {
    struct follower f;
    struct world w;

    (void)state;
    world_init(&w);
    w.first.quality = QUALITY_PENDING;
    follow(&f, &w);
    w.serves = true;
    preferred_reconsider(w.source);
    assert_int_equal(value_of(&f), 2);
    tell(&w.second);
    assert_int_equal(value_of(&f), 2);
    /* Back before there was one. */
    w.serves = false;
    preferred_reconsider(w.source);
    assert_int_equal(w.first.count, 0);
    assert_int_equal(w.second.count, 1);
    w.serves = true;
    preferred_reconsider(w.source);
    w.first.quality = QUALITY_ABSENT; /* is an answer, too */
    tell(&w.first);
    assert_int_equal(value_of(&f), 1);
    assert_int_equal(w.second.count, 0);
    w.second.quality = QUALITY_PENDING;
    w.serves = false;
    preferred_reconsider(w.source);
    assert_int_equal(w.first.count + w.second.count, 2);
    end(&f); /* both */
    world_done(&w);
}

/* Of one that has nothing to say, a failure is no reason to tell of one while the other is asked. */
static void test_no_failure_of_the_old_one(void **state) {
    static const enum quality nothing[] = {QUALITY_PENDING, QUALITY_FAILED};
    struct follower f;
    struct world w;

    (void)state;
    for (int i = 0; i < 2; i++) {
        world_init(&w);
        w.first.quality = QUALITY_PENDING;
        w.second.quality = nothing[i];
        follow(&f, &w);
        w.serves = true;
        preferred_reconsider(w.source);
        assert_int_equal(value_of(&f), 1);
        assert_int_equal(w.second.count, 0);
        end(&f);
        world_done(&w);
    }
}

static void test_who_ends_while_all_move(void **state) {
    struct follower f[FOLLOWERS];
    struct world w;

    (void)state;
    world_init(&w);
    for (int i = 0; i < FOLLOWERS; i++)
        follow(&f[i], &w);
    for (int i = 0; i < FOLLOWERS; i++)
        f[i].ends = i % 3 == 0 ? &f[i] : i % 3 == 1 ? &f[(i + 100) % FOLLOWERS] : NULL;
    w.serves = true;
    preferred_reconsider(w.source);
    assert_int_equal(w.second.count, 0);
    int left = 0;
    for (int i = 0; i < FOLLOWERS; i++) {
        left += f[i].sub != NULL;
        assert_true(!f[i].sub || value_of(&f[i]) == 1);
        end(&f[i]);
    }
    assert_in_range(left, 1, FOLLOWERS - 1);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_it_is),
        cmocka_unit_test(test_a_move),
        cmocka_unit_test(test_the_old_answer_until_there_is_a_new_one),
        cmocka_unit_test(test_no_failure_of_the_old_one),
        cmocka_unit_test(test_who_ends_while_all_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
