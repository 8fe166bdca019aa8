/* Running a credential plugin beside the loop: its output comes through pipes, its end through a pidfd.
 *
 * A run ends in one place, on_exit_of_plugin, also where the time limit has killed it; one that could not be
 * started ends with the timer, so that done is never called inside exec_plugin_run. done comes last in each
 * of the two, since it may free the plugin. */
#include "api/client/exec_plugin.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* Plugins ask a cloud's token service; none of them needs a minute. */
#define DEFAULT_TIMEOUT (60 * USEC_PER_SEC)
/* A credential is a token or a certificate with its key, some KiB; of stderr one line is shown. */
enum { OUTPUT_MAX = 1024 * 1024, STDERR_MAX = 4096, PIECE = 8192 };

/* One end of a pipe from the plugin. */
struct outlet {
    struct exec_plugin *plugin;
    int fd; /* -1: closed */
    struct loop_fd *watch;
    struct buf text;
    bool overflow; /* more came than text takes; the rest is read and dropped, or the plugin would hang */
};

struct exec_plugin {
    struct loop *loop;
    const struct kubeconfig *config;
    exec_done_fn *done;
    void *arg;
    struct loop_timer *timer; /* the time limit; also delivers a start that failed */
    pid_t pid;                /* 0: none */
    int pidfd;
    struct loop_fd *pid_watch;
    struct outlet out, errs;
    bool running, timed_out;
    struct err failure; /* of the start */
};

static void outlet_close(struct outlet *o) {
    if (o->watch)
        loop_unwatch_fd(o->watch);
    o->watch = NULL;
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

/* Takes what is there now; -1 at its end. */
static int outlet_read(struct outlet *o) {
    char piece[PIECE];

    for (;;) {
        ssize_t n = read(o->fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? 0 : -1;
        size_t room = o->text.max - o->text.len;
        buf_append(&o->text, piece, (size_t)n < room ? (size_t)n : room);
        o->overflow = (size_t)n > room;
        if (o->overflow)
            return 0; /* no longer than one piece a turn for somebody who floods us */
    }
}

static void on_output(void *arg) {
    struct outlet *o = arg;

    if (outlet_read(o) < 0)
        outlet_close(o);
}

/* Forgets the process; it has ended or is being killed. */
static void stop(struct exec_plugin *p) {
    if (p->pid_watch)
        loop_unwatch_fd(p->pid_watch);
    p->pid_watch = NULL;
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
    p->pid = 0;
    p->running = false;
    outlet_close(&p->out);
    outlet_close(&p->errs);
    loop_timer_cancel(p->timer);
}

/* The plugin's first line on stderr, for the message: printable alone, since it ends up in logs and status.
 */
static void first_line(const struct buf *text, char *out, size_t size) {
    size_t n = 0;

    for (const char *s = text->data; *s && *s != '\n' && n + 1 < size; s++)
        if (isprint((unsigned char)*s))
            out[n++] = *s;
    out[n] = '\0';
}

/* Fails with what happened, what the plugin said and how to install it. */
static void finish_failed(struct exec_plugin *p, const char *what) {
    const char *hint = p->config->exec.install_hint;
    char line[160];
    struct err err = {0};

    first_line(&p->errs.text, line, sizeof(line));
    err_set(&err, p->failure.code ? p->failure.code : -EACCES, "exec plugin %.80s: %s%s%s%s%.160s",
            p->config->exec.command, what, line[0] ? ": " : "", line, hint ? " - " : "", str_or_empty(hint));
    p->done(p->arg, NULL, &err);
}

/* 127 is what a shell that wraps a plugin returns where it does not find it. */
static void finish(struct exec_plugin *p, int code, int status) {
    struct exec_credential cred = {0};
    struct err why = {0};
    char what[200];

    if (p->timed_out)
        snprintf(what, sizeof(what), "did not end in time and was killed");
    else if (code == CLD_EXITED && status == 127)
        snprintf(what, sizeof(what), "ended with exit code 127 (was it found?)");
    else if (code == CLD_EXITED && status != 0)
        snprintf(what, sizeof(what), "ended with exit code %d", status);
    else if (code != CLD_EXITED)
        snprintf(what, sizeof(what), "was ended by signal %d", status);
    else if (p->out.overflow)
        snprintf(what, sizeof(what), "printed more than %d bytes", OUTPUT_MAX);
    else if (exec_credential_parse(p->out.text.data, p->out.text.len, p->config->exec.api_version, &cred,
                                   &why) < 0)
        snprintf(what, sizeof(what), "%s", why.text);
    else
        what[0] = '\0';
    if (what[0]) {
        finish_failed(p, what);
        return;
    }
    p->done(p->arg, &cred, NULL);
    exec_credential_done(&cred);
}

static void on_exit_of_plugin(void *arg) {
    struct exec_plugin *p = arg;
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    /* what it wrote before its end; a child of its own may still hold the pipe open, which we do not wait for
     */
    if (p->out.fd >= 0)
        outlet_read(&p->out);
    if (p->errs.fd >= 0)
        outlet_read(&p->errs);
    stop(p);
    finish(p, info.si_code, info.si_status);
}

static void on_timer(void *arg) {
    struct exec_plugin *p = arg;

    if (p->pid == 0) {
        p->running = false;
        finish_failed(p, p->failure.text);
        return;
    }
    p->timed_out = true;
    kill(-p->pid, SIGKILL); /* its end comes through the pidfd */
}

struct exec_plugin *exec_plugin_new(struct loop *loop, const struct kubeconfig *config, exec_done_fn *done,
                                    void *arg) {
    struct exec_plugin *p = XNEW(struct exec_plugin);

    p->loop = loop;
    p->config = config;
    p->done = done;
    p->arg = arg;
    p->pidfd = -1;
    p->out = (struct outlet){.plugin = p, .fd = -1};
    p->errs = (struct outlet){.plugin = p, .fd = -1};
    buf_init(&p->out.text, OUTPUT_MAX);
    buf_init(&p->errs.text, STDERR_MAX);
    p->timer = loop_timer_new(loop, on_timer, p);
    return p;
}

void exec_plugin_free(struct exec_plugin *plugin) {
    if (!plugin)
        return;
    /* Waited for, since nobody else would reap it; a killed process needs no time worth mentioning. */
    if (plugin->pid > 0) {
        kill(-plugin->pid, SIGKILL);
        waitpid(plugin->pid, NULL, 0);
    }
    stop(plugin);
    loop_timer_free(plugin->timer);
    buf_done(&plugin->out.text);
    buf_done(&plugin->errs.text);
    free(plugin);
}

bool exec_plugin_running(const struct exec_plugin *plugin) {
    return plugin->running;
}

/* KUBERNETES_EXEC_INFO, as client-go writes it: what is asked for, and about the cluster where the kubeconfig
 * says provideClusterInfo. */
static char *exec_info(const struct kubeconfig *c) {
    json_t *spec = json_pack("{s:b}", "interactive", 0);

    if (c->exec.provide_cluster_info) {
        cleanup_free char *ca = c->ca_pem ? base64_encode(c->ca_pem, strlen(c->ca_pem)) : NULL;
        json_object_set_new(spec, "cluster",
                            json_pack("{s:s,s:s*,s:s*,s:s*}", "server", c->server, "tls-server-name",
                                      c->server_name, "certificate-authority-data", ca, "proxy-url",
                                      c->proxy_url));
    }
    json_t *root =
        json_pack("{s:s,s:s,s:o}", "kind", "ExecCredential", "apiVersion", c->exec.api_version, "spec", spec);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

/* True where list sets the variable of entry ("NAME=value"). */
static bool is_set(const char *const *list, const char *entry) {
    size_t len = strcspn(entry, "=") + 1;

    for (; list && *list; list++)
        if (strncmp(*list, entry, len) == 0)
            return true;
    return false;
}

/* Our environment with the kubeconfig's variables over it, in arena. A name is there once: which of two
 * counts is up to who reads them. */
static char **build_env(struct arena *arena, const struct kubeconfig *c) {
    size_t n = 0, own = 0, out = 0;
    cleanup_free char *info = exec_info(c);

    while (environ[n])
        n++;
    while (c->exec.env && c->exec.env[own])
        own++;
    char **env = ARENA_ARRAY(arena, char *, n + own + 2);
    env[out++] = arena_printf(arena, "KUBERNETES_EXEC_INFO=%s", info);
    for (size_t i = 0; i < own; i++)
        env[out++] = arena_strdup(arena, c->exec.env[i]);
    for (size_t i = 0; i < n; i++)
        if (!is_set(c->exec.env, environ[i]) && !str_starts(environ[i], "KUBERNETES_EXEC_INFO="))
            env[out++] = arena_strdup(arena, environ[i]);
    return env;
}

static char **build_args(struct arena *arena, const struct kubeconfig *c) {
    size_t n = 0;

    while (c->exec.args && c->exec.args[n])
        n++;
    char **args = ARENA_ARRAY(arena, char *, n + 2);
    args[0] = arena_strdup(arena, c->exec.command);
    for (size_t i = 0; i < n; i++)
        args[i + 1] = arena_strdup(arena, c->exec.args[i]);
    return args;
}

/* A process group of its own, so that a timeout ends its children too; the signals we block or ignore are its
 * defaults again. */
static int set_attributes(posix_spawnattr_t *attr) {
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setpgroup(attr, 0);
    return posix_spawnattr_setflags(attr,
                                    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* posix_spawn, since a fork would copy our page tables while the loop stands still. */
static int spawn(struct exec_plugin *p, int out_fd, int err_fd) {
    cleanup_arena struct arena arena;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;

    arena_init(&arena, 0);
    char **args = build_args(&arena, p->config), **env = build_env(&arena, p->config);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, err_fd, STDERR_FILENO);
    set_attributes(&attr);
    int r = posix_spawnp(&p->pid, args[0], &files, &attr, args, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (r != 0)
        p->pid = 0;
    return -r;
}

/* Only our end does not block: the plugin's is its stdout, which it may rely on. Both are closed on exec;
 * what is dup'ed onto the plugin's own descriptors is not. */
static int outlet_open(struct outlet *o, int *ret_far_end) {
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    o->fd = ends[0];
    o->overflow = false;
    buf_reset(&o->text);
    *ret_far_end = ends[1];
    return 0;
}

/* The pidfd tells of its end without SIGCHLD, which belongs to the whole process. */
static int start(struct exec_plugin *p, struct err *err) {
    cleanup_close int out_fd = -1, err_fd = -1;

    int r = outlet_open(&p->out, &out_fd);
    if (r == 0)
        r = outlet_open(&p->errs, &err_fd);
    if (r == 0)
        r = spawn(p, out_fd, err_fd);
    if (r < 0)
        return err_set(err, r, "cannot be started: %s", strerror(-r));
    p->pidfd = pidfd_open(p->pid, 0);
    if (p->pidfd < 0)
        return err_set(err, -errno, "cannot be watched: %s", strerror(errno));
    r = loop_watch_fd(p->loop, p->pidfd, on_exit_of_plugin, p, &p->pid_watch, err);
    if (r == 0)
        r = loop_watch_fd(p->loop, p->out.fd, on_output, &p->out, &p->out.watch, err);
    if (r == 0)
        r = loop_watch_fd(p->loop, p->errs.fd, on_output, &p->errs, &p->errs.watch, err);
    return r;
}

void exec_plugin_run(struct exec_plugin *plugin, usec_t timeout) {
    if (plugin->running)
        return;
    err_clear(&plugin->failure);
    plugin->timed_out = false;
    if (start(plugin, &plugin->failure) < 0) {
        if (plugin->pid > 0) {
            kill(-plugin->pid, SIGKILL);
            waitpid(plugin->pid, NULL, 0);
        }
        stop(plugin);
        timeout = 1; /* the timer delivers the failure */
    }
    plugin->running = true;
    loop_timer_set(plugin->timer, timeout ? timeout : DEFAULT_TIMEOUT);
}
