/* The event loop. libwebsockets waits, with poll(2), on its own connections and on one epoll descriptor of
 * ours, which it has adopted as a raw file. Behind that descriptor are a timerfd for all timers, the signalfd
 * and whatever loop_watch_fd was given. Nothing of ours is a libwebsockets timer (see loop_timer.c), and
 * libwebsockets never sees a descriptor that is not its own (it closes what it adopts). */
#include "net/loop.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loop_internal.h"
#include "net/loop_timer.h"
#include "net/lws_library.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

enum {
    FD_LIMIT = 1024,       /* connections and listeners of libwebsockets; curl's sockets are not among them */
    DESCRIPTORS = 10000,   /* of the process: a connection for each of thousands of kubelets */
    SERVICE_BUF = 65536,   /* a TLS record and more at a time */
    EVENTS_PER_TURN = 128, /* the rest is still readable on the next turn */
};

struct loop_fd {
    struct loop *loop;
    struct loop_fd *next_dead;
    int fd;
    uint32_t events;
    loop_fn *fn; /* NULL: no longer watched, freed at the end of the turn */
    void *arg;
};

struct callback {
    loop_fn *fn;
    void *arg;
};

struct callbacks {
    struct callback *items;
    size_t len;
};

struct loop {
    struct lws_context *lws;
    struct loop_timers timers;
    struct callbacks hooks, deferred;
    int epoll, timerfd;
    usec_t timerfd_due; /* what timerfd is set to, -1: off */
    usec_t now;         /* of this turn */
    usec_t lag;
    bool in_turn; /* now has been read */
    bool stop, wake;
    struct loop_fd *dead_watches;
    struct loop_fd *signal_watch;
    int signalfd;
    loop_fn *on_signal;
    void *on_signal_arg;
    void *attachment;
    void (*attachment_free)(void *data);
};

/* One more at a time: hooks are few, and so is what ends in one turn. */
static void callbacks_add(struct callbacks *list, loop_fn *fn, void *arg) {
    list->items = xrealloc(list->items, (list->len + 1) * sizeof(*list->items));
    list->items[list->len++] = (struct callback){.fn = fn, .arg = arg};
}

void loop_mark(struct loop *loop) {
    if (loop->in_turn)
        return;
    loop->in_turn = true;
    loop->now = clock_mono();
}

struct lws_context *loop_lws(struct loop *loop) {
    return loop->lws;
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg) {
    callbacks_add(&loop->deferred, fn, arg);
    loop->wake = true;
}

void loop_set_attachment(struct loop *loop, void *data, void (*free_fn)(void *data)) {
    loop->attachment = data;
    loop->attachment_free = free_fn;
}

void *loop_attachment(struct loop *loop) {
    return loop->attachment;
}

/* A callback may unwatch what a later event of the same array is for: such a watch has no fn, and its memory
 * stays until the end of the turn (dead_watches). */
static void dispatch(struct loop *loop) {
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct loop_fd *watch = events[i].data.ptr; /* NULL: the timerfd, which only ends the wait */
        if (watch && watch->fn)
            watch->fn(watch->arg);
    }
}

static int on_epoll(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    (void)in;
    (void)len;
    if (reason != LWS_CALLBACK_RAW_RX_FILE)
        return 0;
    struct loop *loop = libwebsockets->context_user(libwebsockets->get_context(wsi));
    loop_mark(loop);
    dispatch(loop);
    return 0;
}

static const struct lws_protocols loop_protocols[] = {{.name = "loop", .callback = on_epoll}, {0}};

/* What libwebsockets has to say is about single connections, which we report ourselves in better words. */
static void on_lws_log(int level, const char *line) {
    int len = (int)strcspn(line, "\n");
    if (level == LLL_ERR)
        log_debug("libwebsockets", "error: %.*s", len, line);
    else
        log_debug("libwebsockets", "%.*s", len, line);
}

/* A context without a listener or a vhost of its own making, and one vhost for the epoll descriptor: each
 * server and each set of TLS settings brings its own vhost later. */
static int new_context(struct loop *loop, struct err *err) {
    libwebsockets->set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .fd_limit_per_thread = FD_LIMIT,
        .pt_serv_buf_size = SERVICE_BUF,
        .gid = -1,
        .uid = -1,
        .user = loop,
    };
    loop->lws = libwebsockets->create_context(&info);
    if (!loop->lws)
        return err_set(err, -EIO, "event loop: libwebsockets gives no context");
    info.vhost_name = "loop";
    info.protocols = loop_protocols;
    struct lws_vhost *vhost = libwebsockets->create_vhost(loop->lws, &info);
    if (!vhost)
        return err_set(err, -EIO, "event loop: libwebsockets gives no vhost");
    lws_sock_file_fd_type fd = {.filefd = loop->epoll};
    if (!libwebsockets->adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd, "loop", NULL))
        return err_set(err, -EIO, "event loop: libwebsockets does not take the epoll descriptor");
    return 0;
}

static int open_fds(struct loop *loop, struct err *err) {
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll < 0 || loop->timerfd < 0)
        return err_set(err, -errno, "event loop: %s", strerror(errno));
    /* Edge-triggered, it need not be read: setting it anew is what takes the edge back. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timerfd, &event) < 0)
        return err_set(err, -errno, "event loop: %s", strerror(errno));
    return 0;
}

/* Many systems begin with 1024 descriptors and let a process have more; the small number is there for those
 * who use select, and nothing here does. Before libwebsockets looks: where the limit is no larger than ours
 * for it, it takes descriptors beyond for impossible. */
static void allow_descriptors(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int loop_new(struct loop **ret_loop, struct err *err) {
    struct loop *loop = XNEW(struct loop);
    loop->epoll = loop->timerfd = loop->signalfd = -1;
    loop->timerfd_due = -1;
    loop->now = clock_mono();
    allow_descriptors();
    int r = open_fds(loop, err);
    if (r == 0)
        r = lws_library_load(err);
    if (r == 0)
        r = new_context(loop, err);
    if (r < 0) {
        loop_free(loop);
        return r;
    }
    *ret_loop = loop;
    return 0;
}

static void free_dead_watches(struct loop *loop) {
    while (loop->dead_watches) {
        struct loop_fd *watch = loop->dead_watches;
        loop->dead_watches = watch->next_dead;
        free(watch);
    }
}

/* What these defer is for the next turn. */
static void run_deferred(struct loop *loop) {
    struct callbacks list = loop->deferred;
    loop->deferred = (struct callbacks){0};
    for (size_t i = 0; i < list.len; i++)
        list.items[i].fn(list.items[i].arg);
    free(list.items);
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    /* First what still needs libwebsockets, then its context, then what that still held: attachments are TLS
     * contexts that its connections use up to their end. */
    while (loop->deferred.len)
        run_deferred(loop);
    loop_unwatch_fd(loop->signal_watch);
    free_dead_watches(loop);
    if (loop->lws)
        libwebsockets->context_destroy(loop->lws); /* closes epoll */
    else if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->timerfd >= 0)
        close(loop->timerfd);
    if (loop->signalfd >= 0)
        close(loop->signalfd);
    if (loop->attachment_free)
        loop->attachment_free(loop->attachment);
    while (loop->deferred.len) /* of connections that the context has closed */
        run_deferred(loop);
    loop_timers_done(&loop->timers);
    free(loop->hooks.items);
    free(loop);
}

/* While the same timer is the next one this costs no system call. */
static void set_timerfd(struct loop *loop, usec_t due) {
    if (due == loop->timerfd_due)
        return;
    struct itimerspec spec = {0};
    if (due >= 0)
        spec.it_value = (struct timespec){.tv_sec = due / USEC_PER_SEC, .tv_nsec = due % USEC_PER_SEC * 1000};
    timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->timerfd_due = due;
}

/* Whether the turn need not wait; else the timerfd is set to what it has to wait for. */
static bool prepare_wait(struct loop *loop, usec_t max_wait) {
    if (loop->wake || max_wait == 0)
        return true;
    usec_t due = loop_timers_due(&loop->timers);
    if (due < 0 && max_wait < 0) {
        set_timerfd(loop, -1);
        return false;
    }
    usec_t now = clock_mono();
    if (max_wait > 0 && (due < 0 || now + max_wait < due))
        due = now + max_wait;
    if (due <= now)
        return true;
    set_timerfd(loop, due);
    return false;
}

/* The order is the promise of net/loop.h: read everything, then timers, then the hooks, which decide and
 * write; and at last what could not be freed before. The wait is libwebsockets': it takes a timeout below 0
 * for none at all, and any other for as long as it likes, which the timerfd ends. */
static int turn(struct loop *loop, usec_t max_wait) {
    bool ready = prepare_wait(loop, max_wait);
    loop->wake = false;
    loop->in_turn = false;
    int r = libwebsockets->service(loop->lws, ready ? -1 : 0);
    loop_mark(loop);
    loop_timers_run(&loop->timers, loop->now); /* so that in a callback loop_now() is never before its time */
    for (size_t i = 0; i < loop->hooks.len; i++)
        loop->hooks.items[i].fn(loop->hooks.items[i].arg);
    run_deferred(loop);
    free_dead_watches(loop);
    usec_t spent = clock_mono() - loop->now; /* now was read behind the wait */
    if (spent > loop->lag)
        loop->lag = spent;
    return r < 0 ? -EIO : 0;
}

int loop_turn(struct loop *loop, usec_t max_wait) {
    return turn(loop, max_wait < 0 ? 0 : max_wait);
}

int loop_run(struct loop *loop, struct err *err) {
    loop->stop = false;
    while (!loop->stop)
        if (turn(loop, -1) < 0)
            return err_set(err, -EIO, "event loop: libwebsockets cannot wait any more");
    return 0;
}

void loop_stop(struct loop *loop) {
    loop->stop = true;
}

usec_t loop_now(const struct loop *loop) {
    return loop->now;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg) {
    return loop_timers_add(&loop->timers, fn, arg);
}

void loop_on_turn(struct loop *loop, loop_fn *fn, void *arg) {
    callbacks_add(&loop->hooks, fn, arg);
}

void loop_wake(struct loop *loop) {
    loop->wake = true;
}

int loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *arg, struct loop_fd **ret_watch,
                  struct err *err) {
    /* Level-triggered: what a callback leaves unread is told again on the next turn. */
    struct loop_fd *watch = XNEW(struct loop_fd);
    *watch = (struct loop_fd){.loop = loop, .fd = fd, .events = EPOLLIN, .fn = fn, .arg = arg};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int code = -errno;
        free(watch);
        return err_set(err, code, "cannot watch descriptor %d: %s", fd, strerror(-code));
    }
    *ret_watch = watch;
    return 0;
}

void loop_watch_for(struct loop_fd *watch, bool readable, bool writable) {
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (events != watch->events && epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0)
        watch->events = events;
}

void loop_unwatch_fd(struct loop_fd *watch) {
    if (!watch || !watch->fn)
        return;
    epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fn = NULL;
    watch->next_dead = watch->loop->dead_watches;
    watch->loop->dead_watches = watch;
}

/* One signal a call; where there are two the descriptor stays readable. */
static void on_signal(void *arg) {
    struct loop *loop = arg;
    struct signalfd_siginfo info;
    if (read(loop->signalfd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop->on_signal(loop->on_signal_arg);
}

int loop_on_stop_signal(struct loop *loop, loop_fn *fn, void *arg, struct err *err) {
    loop->on_signal = fn;
    loop->on_signal_arg = arg;
    if (loop->signal_watch)
        return 0;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_set(err, -errno, "cannot block signals: %s", strerror(errno));
    loop->signalfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signalfd < 0)
        return err_set(err, -errno, "signalfd: %s", strerror(errno));
    return loop_watch_fd(loop, loop->signalfd, on_signal, loop, &loop->signal_watch, err);
}

usec_t loop_take_lag(struct loop *loop) {
    usec_t lag = loop->lag;
    loop->lag = 0;
    return lag;
}
