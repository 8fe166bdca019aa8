/* Simulated timers. */
#include "net/tests/fake_loop.h"

#include "base/mem.h"
#include <stdlib.h>

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    loop_fn *fn;
    void *arg;
    usec_t at; /* -1: off */
};

enum { HOOKS_MAX = 4 };

struct loop {
    usec_t now;
    struct loop_timer *timers;
    struct {
        loop_fn *fn;
        void *arg;
    } hooks[HOOKS_MAX];
    size_t hook_count;
};

struct loop *fake_loop_new(void) {
    struct loop *loop = XNEW(struct loop);
    loop->now = 77 * USEC_PER_SEC + 123;
    return loop;
}

void fake_loop_free(struct loop *loop) {
    if (loop->timers)
        abort();
    free(loop);
}

static struct loop_timer *first_due(const struct loop *loop) {
    struct loop_timer *first = NULL;

    for (struct loop_timer *t = loop->timers; t; t = t->next)
        if (t->at >= 0 && (!first || t->at < first->at))
            first = t;
    return first;
}

void fake_loop_run(struct loop *loop, usec_t duration) {
    usec_t end = loop->now + duration;

    for (struct loop_timer *t; (t = first_due(loop)) && t->at <= end;) {
        loop->now = t->at > loop->now ? t->at : loop->now;
        t->at = -1;
        t->fn(t->arg);
    }
    loop->now = end;
}

usec_t loop_now(const struct loop *loop) {
    return loop->now;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg) {
    struct loop_timer *t = XNEW(struct loop_timer);

    *t = (struct loop_timer){.loop = loop, .next = loop->timers, .fn = fn, .arg = arg, .at = -1};
    return loop->timers = t;
}

void loop_timer_set(struct loop_timer *timer, usec_t delay) {
    timer->at = timer->loop->now + (delay < 1 ? 1 : delay);
}

void loop_timer_cancel(struct loop_timer *timer) {
    timer->at = -1;
}

bool loop_timer_pending(const struct loop_timer *timer) {
    return timer->at >= 0;
}

void loop_timer_free(struct loop_timer *timer) {
    if (!timer)
        return;
    struct loop_timer **at = &timer->loop->timers;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    free(timer);
}

void loop_on_turn(struct loop *loop, loop_fn *fn, void *arg) {
    if (loop->hook_count == HOOKS_MAX)
        abort();
    loop->hooks[loop->hook_count].fn = fn;
    loop->hooks[loop->hook_count++].arg = arg;
}

void loop_wake(struct loop *loop) {
    (void)loop;
}

void fake_loop_end_turn(struct loop *loop) {
    for (size_t i = 0; i < loop->hook_count; i++)
        loop->hooks[i].fn(loop->hooks[i].arg);
}

void fake_loop_turn(struct loop *loop, usec_t timeout) {
    const struct loop_timer *t = first_due(loop);
    usec_t wait = t ? t->at - loop->now : timeout;

    fake_loop_run(loop, wait < 0 ? 0 : wait < timeout ? wait : timeout);
    fake_loop_end_turn(loop);
}
