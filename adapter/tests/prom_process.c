/* Prometheus as a child: its log says where it listens, and it dies with the test. */
#include "adapter/tests/prom_process.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/tests/cm.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

void prom_process_init(struct prom_process *p) {
    *p = (struct prom_process){.folder = "/tmp/live_prometheus_XXXXXX"};
    assert_non_null(mkdtemp(p->folder));
}

void prom_process_done(struct prom_process *p) {
    pid_t pid = fork();

    if (pid == 0) {
        execlp("rm", "rm", "-rf", p->folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void prom_process_put(const struct prom_process *p, const char *name, const char *text) {
    cleanup_free char *path = xasprintf("%s/%s", p->folder, name);
    cleanup_file FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
}

/* Replaces the child by Prometheus, its log in the pipe. */
static void become_prometheus(const struct prom_process *p, int log_fd) {
    cleanup_free char *listen = xasprintf("--web.listen-address=127.0.0.1:%d", p->port);

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    dup2(log_fd, 2);
    if (chdir(p->folder) == 0)
        execlp("prometheus", "prometheus", "--config.file=prometheus.yml", "--web.config.file=web.yml",
               "--storage.tsdb.path=data", listen, (char *)NULL);
    _exit(127);
}

/* Reads the log until Prometheus is ready and has said where it listens, in either order. */
static int read_port(struct prom_process *p) {
    static const char listening[] = "msg=\"Listening on\" address=127.0.0.1:";
    char text[16384] = "";

    for (size_t n = 0; n < sizeof(text) - 1;) {
        ssize_t got = read(p->log, text + n, sizeof(text) - 1 - n);
        if (got <= 0)
            break;
        text[n += (size_t)got] = '\0';
        const char *at = strstr(text, listening);
        if (at && strchr(at, '\n') && strstr(text, "Server is ready"))
            return (int)strtol(at + strlen(listening), NULL, 10);
    }
    fail_msg("Prometheus does not listen:\n%s", text);
    return 0;
}

void prom_process_start(struct prom_process *p) {
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    p->pid = fork();
    if (p->pid == 0)
        become_prometheus(p, fds[1]);
    close(fds[1]);
    p->log = fds[0];
    p->port = read_port(p);
}

void prom_process_stop(struct prom_process *p) {
    char rest[4096];

    kill(p->pid, SIGTERM);
    while (read(p->log, rest, sizeof(rest)) > 0) /* or it would block on a full pipe */
        ;
    waitpid(p->pid, NULL, 0);
    close(p->log);
}

void prom_process_reload(const struct prom_process *p) {
    assert_int_equal(kill(p->pid, SIGHUP), 0);
}
