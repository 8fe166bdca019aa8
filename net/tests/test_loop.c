/* The loop: order and lifetime of timers, watched descriptors, hooks, signals, and that it sleeps when idle.
 */
#include "base/mem.h"
#include "net/loop.h"
#include "net/loop_timer.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct loop_timer *timers[8];
    struct loop_fd *watches[2];
    char order[64];
    int turns;
    int fds[2];
};

static int setup(void **state) {
    struct fixture *f = XNEW(struct fixture);
    struct err err = {0};
    if (loop_new(&f->loop, &err) < 0)
        fail_msg("%s", err.text);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(f->timers) / sizeof(f->timers[0]); i++)
        loop_timer_free(f->timers[i]);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void count_turn(void *arg) {
    struct fixture *f = arg;
    f->turns++;
}

static void stop(void *arg) {
    struct fixture *f = arg;
    loop_stop(f->loop);
}

struct letter {
    struct fixture *f;
    char c;
};

static void put_letter(void *arg) {
    struct letter *l = arg;
    size_t len = strlen(l->f->order);
    l->f->order[len] = l->c;
    if (l->c == '.')
        loop_stop(l->f->loop);
}

static void timers_run_by_due_time_then_by_order(void **state) {
    struct fixture *f = *state;
    struct letter letters[] = {{f, 'a'}, {f, 'b'}, {f, 'c'}, {f, 'd'}, {f, '.'}};
    static const usec_t delays[] = {3000, 1000, 6000, 3000, 20000};
    for (int i = 0; i < 5; i++) {
        f->timers[i] = loop_timer_new(f->loop, put_letter, &letters[i]);
        assert_false(loop_timer_pending(f->timers[i]));
        loop_timer_set(f->timers[i], delays[i]);
    }
    loop_timer_cancel(f->timers[2]);
    assert_false(loop_timer_pending(f->timers[2]));
    loop_timer_set(f->timers[1], 9000); /* restart */
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_string_equal(f->order, "adb.");
}

struct ordered {
    usec_t delay, *last;
};

static void check_order(void *arg) {
    struct ordered *o = arg;
    assert_true(o->delay >= *o->last);
    *o->last = o->delay;
}

/* On the set itself, with hours between the timers, so that a busy machine cannot change their order. */
static void many_timers_stay_in_order(void **state) {
    (void)state;
    enum { N = 500 };
    static struct loop_timer *timers[N];
    static struct ordered ordered[N];
    struct loop_timers set = {0};
    usec_t last = 0;
    for (int i = 0; i < N; i++) {
        ordered[i] = (struct ordered){(i * 7919) % N * USEC_PER_HOUR, &last};
        timers[i] = loop_timers_add(&set, check_order, &ordered[i]);
        loop_timer_set(timers[i], ordered[i].delay);
    }
    for (int i = 0; i < N; i += 3)
        loop_timer_cancel(timers[i]);
    loop_timers_run(&set, clock_mono() + 100 * USEC_PER_HOUR);
    assert_in_range(last, 98 * USEC_PER_HOUR, 100 * USEC_PER_HOUR);
    loop_timers_run(&set, clock_mono() + 2 * N * USEC_PER_HOUR);
    assert_true(last > (N - 4) * USEC_PER_HOUR);
    assert_int_equal(loop_timers_due(&set), -1);
    for (int i = 0; i < N; i++)
        loop_timer_free(timers[i]);
    loop_timers_done(&set);
}

static void free_self_and_next(void *arg) {
    struct fixture *f = arg;
    loop_timer_free(f->timers[0]);
    loop_timer_free(f->timers[1]);
    f->timers[0] = f->timers[1] = NULL;
    loop_timer_set(f->timers[2], 0);
}

static void a_timer_may_free_itself_and_others(void **state) {
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, free_self_and_next, f);
    f->timers[1] = loop_timer_new(f->loop, free_self_and_next, f);
    f->timers[2] = loop_timer_new(f->loop, stop, f);
    loop_timer_set(f->timers[0], 1);
    loop_timer_set(f->timers[1], 1);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_null(f->timers[0]);
}

static void reset_zero(void *arg) {
    struct fixture *f = arg;
    if (f->turns < 10)
        loop_timer_set(f->timers[0], 0);
    else
        loop_stop(f->loop);
}

static void a_timer_of_zero_waits_for_another_turn(void **state) {
    struct fixture *f = *state;
    loop_on_turn(f->loop, count_turn, f);
    f->timers[0] = loop_timer_new(f->loop, reset_zero, f);
    loop_timer_set(f->timers[0], 0);
    assert_true(loop_timer_pending(f->timers[0]));
    assert_int_equal(f->turns, 0);
    loop_run(f->loop, NULL);
    assert_true(f->turns >= 10);
}

static void the_loop_sleeps_between_timers(void **state) {
    struct fixture *f = *state;
    loop_on_turn(f->loop, count_turn, f);
    f->timers[0] = loop_timer_new(f->loop, stop, f);
    loop_timer_set(f->timers[0], 200 * USEC_PER_MSEC + 700);
    loop_run(f->loop, NULL);
    /* One for the timer, and some for what libwebsockets sets up first; not one for each millisecond. */
    assert_in_range(f->turns, 1, 5);
}

static void read_byte(void *arg) {
    struct fixture *f = arg;
    char c;
    assert_int_equal(read(f->fds[0], &c, 1), 1);
    f->order[strlen(f->order)] = c;
    if (c == '.') {
        loop_unwatch_fd(f->watches[0]);
        loop_stop(f->loop);
    }
}

static void a_readable_descriptor_is_reported_until_it_is_read(void **state) {
    struct fixture *f = *state;
    struct err err = {0};
    assert_int_equal(pipe(f->fds), 0);
    assert_int_equal(loop_watch_fd(f->loop, f->fds[0], read_byte, f, &f->watches[0], &err), 0);
    assert_int_equal(write(f->fds[1], "xyz.", 4), 4);
    assert_int_equal(loop_run(f->loop, &err), 0);
    assert_string_equal(f->order, "xyz.");
    assert_int_equal(write(f->fds[1], "more", 4), 4);
    assert_int_equal(loop_turn(f->loop, 1000), 0);
    assert_string_equal(f->order, "xyz."); /* no longer watched */
    close(f->fds[0]);
    close(f->fds[1]);
    assert_int_equal(loop_watch_fd(f->loop, f->fds[0], read_byte, f, &f->watches[0], &err), -EBADF);
    assert_true(strlen(err.text) > 0);
}

static void unwatch_both(void *arg) {
    struct fixture *f = arg;
    f->turns++;
    loop_unwatch_fd(f->watches[0]);
    loop_unwatch_fd(f->watches[1]);
    f->watches[0] = f->watches[1] = NULL;
}

static void a_watch_may_end_another_that_is_ready_too(void **state) {
    struct fixture *f = *state;
    int other[2];
    assert_int_equal(pipe(f->fds), 0);
    assert_int_equal(pipe(other), 0);
    loop_watch_fd(f->loop, f->fds[0], unwatch_both, f, &f->watches[0], NULL);
    loop_watch_fd(f->loop, other[0], unwatch_both, f, &f->watches[1], NULL);
    assert_int_equal(write(f->fds[1], "x", 1), 1);
    assert_int_equal(write(other[1], "x", 1), 1);
    for (int i = 0; i < 5; i++)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->turns, 1);
    close(f->fds[0]);
    close(f->fds[1]);
    close(other[0]);
    close(other[1]);
}

static void hook_wakes_thrice(void *arg) {
    struct fixture *f = arg;
    if (++f->turns < 3)
        loop_wake(f->loop);
    else
        loop_stop(f->loop);
}

static void wake_gives_another_turn(void **state) {
    struct fixture *f = *state;
    loop_on_turn(f->loop, hook_wakes_thrice, f);
    loop_wake(f->loop);
    loop_run(f->loop, NULL);
    assert_int_equal(f->turns, 3);
}

static void stop_signals_are_callbacks(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_on_stop_signal(f->loop, stop, f, NULL), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(loop_run(f->loop, NULL), 0);
}

static void slow(void *arg) {
    usleep(30000);
    stop(arg);
}

static void lag_counts_work_and_not_the_wait(void **state) {
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, stop, f);
    loop_timer_set(f->timers[0], 100 * USEC_PER_MSEC);
    loop_run(f->loop, NULL);
    assert_true(loop_take_lag(f->loop) < 100 * USEC_PER_MSEC);
    loop_timer_free(f->timers[0]);
    f->timers[0] = loop_timer_new(f->loop, slow, f);
    loop_timer_set(f->timers[0], 1);
    loop_run(f->loop, NULL);
    assert_true(loop_take_lag(f->loop) >= 30000);
    assert_int_equal(loop_take_lag(f->loop), 0);
}

static void a_loop_may_have_many_descriptors(void **state) {
    struct rlimit before, after;
    struct loop *loop = NULL;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit small = {.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_max < 10000 ? before.rlim_max : 10000);
    assert_int_equal(after.rlim_max, before.rlim_max);
    loop_free(loop);
    setrlimit(RLIMIT_NOFILE, &before);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(timers_run_by_due_time_then_by_order),
        T(many_timers_stay_in_order),
        T(a_timer_may_free_itself_and_others),
        T(a_timer_of_zero_waits_for_another_turn),
        T(the_loop_sleeps_between_timers),
        T(a_readable_descriptor_is_reported_until_it_is_read),
        T(a_watch_may_end_another_that_is_ready_too),
        T(wake_gives_another_turn),
        T(stop_signals_are_callbacks),
        T(lag_counts_work_and_not_the_wait),
        cmocka_unit_test(a_loop_may_have_many_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
