/* The loop's timers: a binary heap by due time. libwebsockets has timers too (lws_sul), but cuts its wait to
 * whole milliseconds and spins through the rest; a timerfd wakes once, to the microsecond. */
#include "net/loop_timer.h"

#include "base/mem.h"
#include <stdlib.h>

struct loop_timer {
    struct loop_timers *timers;
    loop_fn *fn;
    void *arg;
    usec_t due;
    uint64_t order; /* among equal times, first set is first run */
    size_t at;      /* position in the heap, from 1; 0: off */
};

/* The heap: no timer is due before its parent. Positions count from 1, so that the children of `at` are 2 at
 * and 2 at + 1; each timer knows its own, and is taken out from the middle without a search. */
static bool before(const struct loop_timer *a, const struct loop_timer *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct loop_timers *timers, struct loop_timer *timer, size_t at) {
    timers->heap[at] = timer;
    timer->at = at;
}

static void sift_up(struct loop_timers *timers, struct loop_timer *timer, size_t at) {
    for (; at > 1 && before(timer, timers->heap[at / 2]); at /= 2)
        put(timers, timers->heap[at / 2], at);
    put(timers, timer, at);
}

static void sift_down(struct loop_timers *timers, struct loop_timer *timer, size_t at) {
    for (size_t child; (child = 2 * at) <= timers->len; at = child) {
        if (child < timers->len && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        put(timers, timers->heap[child], at);
    }
    put(timers, timer, at);
}

static void heap_remove(struct loop_timer *timer) {
    struct loop_timers *timers = timer->timers;
    size_t at = timer->at;
    timer->at = 0;
    struct loop_timer *last = timers->heap[timers->len--];
    if (last == timer)
        return;
    /* It comes from another branch, and so may be due before the parent as well as after the children. */
    if (at > 1 && before(last, timers->heap[at / 2]))
        sift_up(timers, last, at);
    else
        sift_down(timers, last, at);
}

void loop_timers_done(struct loop_timers *timers) {
    free(timers->heap);
    *timers = (struct loop_timers){0};
}

struct loop_timer *loop_timers_add(struct loop_timers *timers, loop_fn *fn, void *arg) {
    struct loop_timer *timer = XNEW(struct loop_timer);
    *timer = (struct loop_timer){.timers = timers, .fn = fn, .arg = arg};
    return timer;
}

usec_t loop_timers_due(const struct loop_timers *timers) {
    return timers->len ? timers->heap[1]->due : -1;
}

void loop_timers_run(struct loop_timers *timers, usec_t now) {
    /* What callbacks set is due after now at the earliest, so this ends. */
    while (timers->len && timers->heap[1]->due <= now) {
        struct loop_timer *timer = timers->heap[1];
        heap_remove(timer);
        timer->fn(timer->arg); /* may free the timer */
    }
}

void loop_timer_set(struct loop_timer *timer, usec_t delay) {
    struct loop_timers *timers = timer->timers;
    loop_timer_cancel(timer);
    /* From this moment and not from loop_now: a long turn would shorten it. Never now, or a timer that sets
     * itself would keep loop_timers_run for ever. */
    timer->due = clock_mono() + (delay < 1 ? 1 : delay);
    timer->order = timers->order++;
    if (timers->len + 2 > timers->cap) { /* one more, and place 0 */
        timers->cap = timers->cap ? 2 * timers->cap : 16;
        timers->heap = xrealloc(timers->heap, timers->cap * sizeof(struct loop_timer *));
    }
    sift_up(timers, timer, ++timers->len);
}

void loop_timer_cancel(struct loop_timer *timer) {
    if (timer->at)
        heap_remove(timer);
}

bool loop_timer_pending(const struct loop_timer *timer) {
    return timer->at != 0;
}

void loop_timer_free(struct loop_timer *timer) {
    if (!timer)
        return;
    loop_timer_cancel(timer);
    free(timer);
}
