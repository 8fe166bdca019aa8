/* The curl transport: one multi handle on the loop. curl's sockets are in an epoll descriptor of ours, which
 * the loop watches; its timer is a timer of the loop. curl may not be called from within its own callbacks,
 * but ours may call anything: what they ask for then is queued and done as soon as curl has returned.
 *
 * A call is in the list from start to drop_call, and goes: QUEUED, where it has to wait for the kick or
 * cannot be sent, -> RUNNING -> REPORTING -> gone; or -> CANCELLED -> gone, where it is cancelled inside
 * curl. `inside` is the time of curl's own callbacks; `busy` all the time in which somebody further up the
 * stack still holds the transport, its reports included. */
#include "net/http_curl.h"

#include "base/mem.h"
#include "net/curl_library.h"
#include "net/http_call.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    EVENTS_PER_TURN = 64,
    IDLE_CONNECTIONS = 6000, /* kept open for reuse, over all hosts: there may be a kubelet behind each */
    DEFAULT_PER_HOST = 8,
};

struct curl_http {
    struct http http; /* first: what the caller holds */
    struct loop *loop;
    CURLM *multi;
    int epoll;
    struct loop_fd *watch;
    struct loop_timer *timer; /* curl's */
    struct loop_timer *kick;  /* for queued calls */
    struct http_call *calls;
    int busy;    /* depth of what is going on here: nothing may be freed under it */
    bool inside; /* inside curl itself */
    bool freed;  /* by a callback; goes as soon as busy is 0 */
};

static void link_call(struct curl_http *t, struct http_call *call) {
    call->next = t->calls;
    if (t->calls)
        t->calls->prev = call;
    t->calls = call;
}

static void drop_call(struct curl_http *t, struct http_call *call) {
    if (call->prev)
        call->prev->next = call->next;
    else
        t->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    http_call_free(call);
}

static void destroy(struct curl_http *t) {
    while (t->calls) {
        libcurl->multi_remove_handle(t->multi, t->calls->easy);
        drop_call(t, t->calls);
    }
    libcurl->multi_cleanup(t->multi);
    loop_unwatch_fd(t->watch);
    if (t->epoll >= 0)
        close(t->epoll);
    loop_timer_free(t->timer);
    loop_timer_free(t->kick);
    free(t);
}

static void enter(struct curl_http *t) {
    t->busy++;
}

static void leave(struct curl_http *t) {
    if (--t->busy == 0 && t->freed)
        destroy(t);
}

/* --- what curl calls --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    struct curl_http *t = arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    /* A number that was closed and came again is not in the set any more, whatever curl thinks. */
    int first = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(t->epoll, first, fd, &event) < 0 && (errno == ENOENT || errno == EEXIST))
        epoll_ctl(t->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    libcurl->multi_assign(t->multi, fd, t); /* known, from the next call on */
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg) {
    struct curl_http *t = arg;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_cancel(t->timer);
    else
        loop_timer_set(t->timer, timeout_ms * USEC_PER_MSEC);
    return 0;
}

/* --- running curl --- */

/* Out of curl's hands before it is reported, so that on_done may start another call on the same connection.
 */
static void finish(struct curl_http *t, struct http_call *call, CURLcode result) {
    libcurl->multi_remove_handle(t->multi, call->easy);
    if (call->state != HTTP_CALL_CANCELLED)
        http_call_report(call, result, clock_mono());
    drop_call(t, call);
}

/* message is curl's and gone with its handle: finish gets the result by value. */
static void collect(struct curl_http *t) {
    CURLMsg *message;
    int left;
    while (!t->freed && (message = libcurl->multi_info_read(t->multi, &left))) {
        struct http_call *call = NULL;
        libcurl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        if (message->msg == CURLMSG_DONE && call)
            finish(t, call, message->data.result);
    }
}

static void drop_cancelled(struct curl_http *t) {
    for (struct http_call *call = t->calls, *next; call; call = next) {
        next = call->next;
        if (call->state == HTTP_CALL_CANCELLED) {
            libcurl->multi_remove_handle(t->multi, call->easy);
            drop_call(t, call);
        }
    }
}

static void run_curl(struct curl_http *t, curl_socket_t fd, int events) {
    int running;
    t->inside = true;
    libcurl->multi_socket_action(t->multi, fd, events, &running);
    t->inside = false;
    drop_cancelled(t);
    collect(t);
}

static void on_readable(void *arg) {
    struct curl_http *t = arg;
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(t->epoll, events, EVENTS_PER_TURN, 0);
    enter(t);
    /* One of them may close the socket of another that is still to come; curl takes no notice of that one. */
    for (int i = 0; i < n && !t->freed; i++) {
        int what = 0;
        if (events[i].events & EPOLLIN)
            what |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            what |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            what |= CURL_CSELECT_ERR;
        run_curl(t, events[i].data.fd, what);
    }
    leave(t);
}

static void on_timeout(void *arg) {
    struct curl_http *t = arg;
    enter(t);
    run_curl(t, CURL_SOCKET_TIMEOUT, 0);
    leave(t);
}

/* --- starting and cancelling --- */

/* Where curl does not take it, it is queued again with its error, as http_start reports nothing itself. */
static void hand_over(struct curl_http *t, struct http_call *call) {
    CURLMcode r = libcurl->multi_add_handle(t->multi, call->easy);
    call->state = HTTP_CALL_RUNNING;
    if (r != CURLM_OK) {
        err_set(&call->err, -EIO, "%s", libcurl->multi_strerror(r));
        call->state = HTTP_CALL_QUEUED;
        loop_timer_set(t->kick, 0);
    }
}

/* Looked for anew after each report: on_done may start, cancel and so free any of them. */
static struct http_call *first_queued(const struct curl_http *t) {
    struct http_call *call = t->calls;
    while (call && call->state != HTTP_CALL_QUEUED)
        call = call->next;
    return call;
}

/* Hands over what was started inside curl, and reports what could not be started. */
static void on_kick(void *arg) {
    struct curl_http *t = arg;
    struct http_call *call;
    enter(t);
    while (!t->freed && (call = first_queued(t))) {
        if (call->err.code == 0) {
            hand_over(t, call);
        } else {
            http_call_report(call, CURLE_OK, clock_mono());
            drop_call(t, call);
        }
    }
    leave(t);
}

static struct http_call *start(struct http *http, const struct http_request *request) {
    struct curl_http *t = (struct curl_http *)http;
    struct http_call *call = http_call_new(request, clock_mono());
    link_call(t, call);
    if (call->err.code == 0 && !t->inside)
        hand_over(t, call);
    else
        loop_timer_set(t->kick, 0);
    return call;
}

static void cancel(struct http *http, struct http_call *call) {
    struct curl_http *t = (struct curl_http *)http;
    if (call->state == HTTP_CALL_REPORTING)
        return; /* from its own on_done: it goes anyway */
    if (t->inside) {
        call->state = HTTP_CALL_CANCELLED;
        return;
    }
    libcurl->multi_remove_handle(t->multi, call->easy);
    drop_call(t, call);
}

static const struct http_ops curl_ops = {.start = start, .cancel = cancel};

/* What is made halfway is for destroy. */
static int set_up(struct curl_http *t, int max_connections, struct err *err) {
    t->multi = libcurl->multi_init();
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!t->multi || t->epoll < 0)
        return err_set(err, -EIO, "cannot set up the HTTP client");
    libcurl->multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    libcurl->multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    libcurl->multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    libcurl->multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    libcurl->multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          (long)(max_connections > 0 ? max_connections : DEFAULT_PER_HOST));
    libcurl->multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    libcurl->multi_setopt(t->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    return loop_watch_fd(t->loop, t->epoll, on_readable, t, &t->watch, err);
}

int http_curl_new(struct loop *loop, int max_connections, struct http **ret_http, struct err *err) {
    int r = curl_library_load(err);
    if (r < 0)
        return r;
    if (libcurl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, -EIO, "libcurl cannot start");
    struct curl_http *t = XNEW(struct curl_http);
    t->http.ops = &curl_ops;
    t->loop = loop;
    t->timer = loop_timer_new(loop, on_timeout, t);
    t->kick = loop_timer_new(loop, on_kick, t);
    r = set_up(t, max_connections, err);
    if (r < 0) {
        destroy(t);
        return r;
    }
    *ret_http = &t->http;
    return 0;
}

void http_curl_free(struct http *http) {
    struct curl_http *t = (struct curl_http *)http;
    if (!t)
        return;
    t->freed = true;
    for (struct http_call *call = t->calls; call; call = call->next)
        if (call->state != HTTP_CALL_REPORTING)
            call->state = HTTP_CALL_CANCELLED; /* curl may still bring data to them before it returns */
    if (t->busy == 0)
        destroy(t);
}
