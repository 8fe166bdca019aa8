/* The one event loop of the process. libwebsockets owns the wait; timers, curl's sockets, signals and watches
 * all end up here. One thread: nothing in this interface may be called from another one.
 *
 * A turn: everything that is readable is read (callbacks run), then the turn hooks run once: they decide and
 * write. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>

struct loop;
struct loop_timer;
struct loop_fd;

typedef void loop_fn(void *arg);

/* A loop, owned by the caller. Writes *ret_loop on success; -ENOMEM or -EIO where libwebsockets gives no
 * context. */
int loop_new(struct loop **ret_loop, struct err *err);
/* Frees the loop; everything made on it (timers, connections, clients) must have been freed before. NULL is
 * allowed. */
void loop_free(struct loop *loop);
/* Runs turns until loop_stop. Returns 0, or a negative code where the wait itself failed. */
int loop_run(struct loop *loop, struct err *err);
/* One turn that waits at most max_wait; for tests. */
int loop_turn(struct loop *loop, usec_t max_wait);
/* Lets loop_run return after this turn. */
void loop_stop(struct loop *loop);
/* Monotonic time, read once a turn. */
usec_t loop_now(const struct loop *loop);

/* A one-shot timer, off at first; owned by the caller. fn runs on a later turn, never inside loop_timer_set.
 */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
/* Starts or restarts it: due after delay (less than 1 µs counts as 1 µs). */
void loop_timer_set(struct loop_timer *timer, usec_t delay);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_pending(const struct loop_timer *timer);
/* Cancels and frees; NULL is allowed. Allowed inside its own callback. */
void loop_timer_free(struct loop_timer *timer);

/* Calls fn at the end of every turn, in the order of registration. Hooks stay until the loop is freed. */
void loop_on_turn(struct loop *loop, loop_fn *fn, void *arg);
/* Asks for another turn soon (for a hook that has left work over). */
void loop_wake(struct loop *loop);

/* Calls fn whenever fd is readable. fd stays the caller's, who stops watching before closing it. */
int loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *arg, struct loop_fd **ret_watch,
                  struct err *err);
/* From now on fn is called where fd is readable, writable, either, or (both false) only when the connection
 * is broken on both sides. Errors of the descriptor always call fn. */
void loop_watch_for(struct loop_fd *watch, bool readable, bool writable);
void loop_unwatch_fd(struct loop_fd *watch);
/* Calls fn on SIGINT or SIGTERM (by a signalfd; the signals are blocked from here on). */
int loop_on_stop_signal(struct loop *loop, loop_fn *fn, void *arg, struct err *err);

/* The longest turn since the last call, measured without the wait: the loop's lag. Resets it. */
usec_t loop_take_lag(struct loop *loop);

#endif
