/* The schedule of queries, run in simulated time against a simulated server. */
#include "adapter/queryplan.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { QUERIES_MAX = 2000, STARTS_MAX = 200000 };
static const usec_t STEP = USEC_PER_MSEC;

/* A run: the plan, its queries, and every start that it made. */
struct run {
    struct query_plan plan;
    struct plan_query *queries;
    usec_t *ends; /* of those in flight */
    int count;
    usec_t now, took;
    enum plan_outcome (*outcome)(const struct run *run, int query);
    int max_in_flight;
    struct {
        int query;
        usec_t at, due;
    } * starts;
    int start_count, held;
};

static enum plan_outcome always_answered(const struct run *run, int query) {
    (void)run;
    (void)query;
    return PLAN_ANSWERED;
}

static void run_init(struct run *r, int max_concurrent) {
    *r = (struct run){.now = 1000 * USEC_PER_SEC + 123456, .took = 3 * STEP, .outcome = always_answered};
    r->queries = xcalloc(QUERIES_MAX, sizeof(*r->queries));
    r->ends = xcalloc(QUERIES_MAX, sizeof(*r->ends));
    r->starts = xcalloc(STARTS_MAX, sizeof(*r->starts));
    plan_init(&r->plan, max_concurrent, 42);
}

static void run_done(struct run *r) {
    plan_done(&r->plan);
    free(r->queries);
    free(r->ends);
    free(r->starts);
}

static void add(struct run *r, int n, usec_t interval) {
    for (int i = 0; i < n; i++)
        plan_add(&r->plan, &r->queries[r->count++], interval, r->now);
}

static void finish_those_that_end(struct run *r) {
    for (int i = 0; i < r->count; i++)
        if (r->queries[i].in_flight && r->ends[i] <= r->now)
            plan_finish(&r->plan, &r->queries[i], r->outcome(r, i), 0, r->now);
}

static void start_what_is_due(struct run *r) {
    struct plan_query *q;

    while (plan_held(&r->plan, r->now))
        r->held++;
    while ((q = plan_start(&r->plan, r->now))) {
        int i = (int)(q - r->queries);
        r->ends[i] = r->now + r->took;
        assert_true(r->start_count < STARTS_MAX);
        r->starts[r->start_count].query = i;
        r->starts[r->start_count].due = q->due;
        r->starts[r->start_count++].at = r->now;
    }
    if (r->plan.in_flight > r->max_in_flight)
        r->max_in_flight = r->plan.in_flight;
    /* Nothing is left that could have started: a timer by plan_wait would not miss it, nor spin. */
    assert_true(plan_wait(&r->plan, r->now) != 0);
}

static void go(struct run *r, usec_t duration) {
    for (usec_t end = r->now + duration; r->now < end; r->now += STEP) {
        finish_those_that_end(r);
        start_what_is_due(r);
    }
}

static int starts_between(const struct run *r, usec_t from, usec_t to) {
    int n = 0;

    for (int i = 0; i < r->start_count; i++)
        n += r->starts[i].at >= from && r->starts[i].at < to;
    return n;
}

static void test_hundred_queries_a_second(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);
    usec_t begin = r.now;

    add(&r, 100, USEC_PER_SEC);
    go(&r, 20 * USEC_PER_SEC);
    assert_int_equal(starts_between(&r, begin, begin + 150 * USEC_PER_MSEC), 100);
    for (usec_t at = begin; at < r.now - USEC_PER_SEC; at += 10 * STEP)
        assert_in_range(starts_between(&r, at, at + USEC_PER_SEC), 1, 100);
    /* Once the phases are reached, each second has each query and each tenth of it a tenth of them. */
    for (usec_t at = begin + 10 * USEC_PER_SEC; at < r.now - USEC_PER_SEC; at += 50 * STEP) {
        assert_in_range(starts_between(&r, at, at + USEC_PER_SEC), 99, 100);
        assert_in_range(starts_between(&r, at, at + 100 * USEC_PER_MSEC), 7, 13);
    }
    run_done(&r);
}

static void test_never_more_often_than_asked(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 4);
    usec_t last[200] = {0};

    add(&r, 200, 2 * USEC_PER_SEC);
    go(&r, 30 * USEC_PER_SEC);
    for (int i = 0; i < r.start_count; i++) {
        usec_t gap = r.starts[i].due - last[r.starts[i].query];
        assert_true(gap >= 2 * USEC_PER_SEC);
        assert_true(!last[r.starts[i].query] || gap <= 2500 * USEC_PER_MSEC + 2 * STEP);
        last[r.starts[i].query] = r.starts[i].due;
    }
    assert_in_range(r.start_count, 200 * 12, 200 * 16);
    run_done(&r);
}

static void test_concurrency_and_order(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 3);

    r.took = 10 * STEP;
    add(&r, 100, USEC_PER_MIN);
    go(&r, 2 * USEC_PER_SEC);
    assert_int_equal(r.start_count, 100);
    assert_int_equal(r.max_in_flight, 3);
    for (int i = 1; i < r.start_count; i++)
        assert_true(r.starts[i].due >= r.starts[i - 1].due);
    run_done(&r);
}

static void test_overload_stays_fair(void **state) {
    (void)state;
    struct run r;
    int seen[100] = {0};
    run_init(&r, 2);

    r.took = 50 * STEP; /* 40 a second are possible, 100 are wanted */
    add(&r, 100, USEC_PER_SEC);
    go(&r, 25 * USEC_PER_SEC);
    for (int i = 0; i < r.start_count; i++)
        seen[r.starts[i].query]++;
    for (int i = 0; i < 100; i++)
        assert_in_range(seen[i], 8, 12);
    run_done(&r);
}

static void test_interval_of_the_most_eager(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    add(&r, 1, USEC_PER_MIN);
    go(&r, 10 * USEC_PER_SEC);
    assert_int_equal(r.start_count, 1);
    plan_set_interval(&r.plan, &r.queries[0], USEC_PER_SEC, r.now);
    go(&r, 10 * USEC_PER_SEC);
    assert_in_range(r.start_count, 9, 12);
    plan_set_interval(&r.plan, &r.queries[0], USEC_PER_MIN, r.now);
    int before = r.start_count;
    go(&r, 30 * USEC_PER_SEC);
    assert_in_range(r.start_count - before, 0, 1);
    run_done(&r);
}

static enum plan_outcome first_is_bad(const struct run *run, int query) {
    (void)run;
    return query == 0 ? PLAN_QUERY_FAILED : PLAN_ANSWERED;
}

static void test_a_bad_query_is_backed_off_alone(void **state) {
    (void)state;
    struct run r;
    int of_first = 0;
    run_init(&r, 8);

    r.outcome = first_is_bad;
    add(&r, 10, USEC_PER_SEC);
    go(&r, 100 * USEC_PER_SEC);
    for (int i = 0; i < r.start_count; i++)
        of_first += r.starts[i].query == 0;
    assert_in_range(of_first, 11, 20);
    assert_in_range(r.start_count - of_first, 9 * 95, 9 * 100);
    assert_false(r.plan.down);
    r.outcome = always_answered;
    int before = r.start_count;
    go(&r, 15 * USEC_PER_SEC);
    assert_in_range(r.start_count - before, 10 * 13, 10 * 15 + 10);
    run_done(&r);
}

static enum plan_outcome down(const struct run *run, int query) {
    (void)run;
    (void)query;
    return PLAN_SOURCE_FAILED;
}

static void test_a_dead_server_is_tried_by_one_at_a_time(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    add(&r, 100, USEC_PER_MIN);
    go(&r, 5 * USEC_PER_SEC);
    r.outcome = down;
    go(&r, 2 * USEC_PER_MIN);
    assert_true(r.plan.down);
    assert_in_range(r.held, 90, 100); /* each is told once, but those that tried */
    usec_t since = r.now - USEC_PER_MIN;
    assert_in_range(starts_between(&r, since, r.now), 12, 17); /* every 3.75 s to 5 s */
    r.outcome = always_answered;
    usec_t back = r.now;
    go(&r, 6500 * USEC_PER_MSEC); /* noticed within 5 s, all asked again within a second of that */
    assert_false(r.plan.down);
    assert_in_range(starts_between(&r, back, r.now), 100, 130);
    run_done(&r);
}

static void test_an_outage_of_many_counts_once(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    r.took = 100 * STEP;
    r.outcome = down;
    add(&r, 8, USEC_PER_SEC);
    go(&r, 210 * USEC_PER_MSEC);
    assert_true(r.plan.down);
    assert_int_equal(r.plan.failures, 1);
    run_done(&r);
}

static void test_one_lost_among_answers_is_its_own_failure(void **state) {
    (void)state;
    struct query_plan plan;
    struct plan_query q[2];
    plan_init(&plan, 8, 1);

    plan_add(&plan, &q[0], USEC_PER_SEC, 1000);
    plan_add(&plan, &q[1], USEC_PER_SEC, 1000);
    assert_non_null(plan_start(&plan, 20000));
    assert_non_null(plan_start(&plan, 20000));
    assert_int_equal(plan_finish(&plan, &q[0], PLAN_ANSWERED, 0, 30000), PLAN_ANSWERED);
    assert_int_equal(plan_finish(&plan, &q[1], PLAN_SOURCE_FAILED, 0, 40000), PLAN_QUERY_FAILED);
    assert_false(plan.down);
    assert_true(q[1].due >= 40000 + USEC_PER_SEC);
    plan_done(&plan);
}

static void test_retry_after(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    add(&r, 10, USEC_PER_SEC);
    go(&r, 3 * USEC_PER_SEC + 500 * STEP);
    struct plan_query *q = NULL;
    while (!(q = plan_start(&r.plan, r.now)))
        go(&r, STEP);
    usec_t from = r.now;
    plan_finish(&r.plan, q, PLAN_QUERY_FAILED, 7 * USEC_PER_SEC, r.now);
    go(&r, 9 * USEC_PER_SEC);
    assert_int_equal(starts_between(&r, from, from + 7 * USEC_PER_SEC), 0);
    assert_in_range(starts_between(&r, from + 7 * USEC_PER_SEC, from + 8 * USEC_PER_SEC), 9, 20);
    plan_finish(&r.plan, plan_start(&r.plan, r.now + USEC_PER_SEC), PLAN_QUERY_FAILED, USEC_PER_HOUR, r.now);
    assert_true(r.plan.open_at <= r.now + PLAN_HOLD_MAX_MS * USEC_PER_MSEC);
    run_done(&r);
}

static enum plan_outcome not_asked(const struct run *run, int query) {
    (void)run;
    (void)query;
    return PLAN_NOT_ASKED;
}

static void test_what_is_not_sent_says_nothing_of_the_server(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    r.outcome = not_asked;
    add(&r, 5, USEC_PER_SEC);
    go(&r, 30 * USEC_PER_SEC);
    assert_false(r.plan.down);
    assert_in_range(r.start_count, 5 * 4, 5 * 10);
    r.outcome = down;
    go(&r, 20 * USEC_PER_SEC);
    assert_true(r.plan.down);
    r.outcome = not_asked;
    int before = r.start_count;
    go(&r, 60 * USEC_PER_SEC);
    assert_true(r.plan.down);
    assert_in_range(r.start_count - before, 11, 20);
    run_done(&r);
}

static void test_remove_and_again(void **state) {
    (void)state;
    struct run r;
    run_init(&r, 8);

    r.took = USEC_PER_SEC;
    add(&r, 50, USEC_PER_SEC);
    go(&r, 20 * STEP);
    for (int i = 0; i < 50; i += 2) { /* some in flight, some not */
        plan_remove(&r.plan, &r.queries[i]);
        r.ends[i] = INT64_MAX;
    }
    int in_flight = 0;
    for (int i = 0; i < 50; i++)
        in_flight += r.queries[i].in_flight;
    assert_int_equal(r.plan.in_flight, in_flight);
    assert_int_equal(r.plan.len + (size_t)in_flight, 25);
    for (size_t i = 1; i < r.plan.len; i++)
        assert_true(r.plan.heap[(i - 1) / 2]->due <= r.plan.heap[i]->due);
    struct plan_query *q = NULL;
    while (!(q = plan_start(&r.plan, r.now)))
        go(&r, STEP);
    plan_again(&r.plan, q, r.now);
    assert_int_equal(plan_wait(&r.plan, r.now), 0);
    run_done(&r);
}

static void test_an_empty_plan_waits_for_ever(void **state) {
    (void)state;
    struct query_plan plan;
    plan_init(&plan, 8, 1);

    assert_int_equal(plan_wait(&plan, 5), -1);
    assert_null(plan_start(&plan, 5));
    assert_null(plan_held(&plan, 5));
    plan_done(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hundred_queries_a_second),
        cmocka_unit_test(test_never_more_often_than_asked),
        cmocka_unit_test(test_concurrency_and_order),
        cmocka_unit_test(test_overload_stays_fair),
        cmocka_unit_test(test_interval_of_the_most_eager),
        cmocka_unit_test(test_a_bad_query_is_backed_off_alone),
        cmocka_unit_test(test_a_dead_server_is_tried_by_one_at_a_time),
        cmocka_unit_test(test_an_outage_of_many_counts_once),
        cmocka_unit_test(test_one_lost_among_answers_is_its_own_failure),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_what_is_not_sent_says_nothing_of_the_server),
        cmocka_unit_test(test_remove_and_again),
        cmocka_unit_test(test_an_empty_plan_waits_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
