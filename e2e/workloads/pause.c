/* The first process of every pod of the local cluster: it holds the pod's namespaces, reaps what is left
 * behind, and ends when it is told to. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void) {
    sigset_t set;
    int sig;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    /* As process 1 of its namespace it gets no signal that it has no handler for; a blocked one waits for
     * sigwait, SIGCHLD too, which would else be dropped as nobody handles it. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (sigwait(&set, &sig) == 0) {
        if (sig != SIGCHLD)
            return EXIT_SUCCESS;
        /* Signals of one kind do not queue: one may stand for several children. */
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
    return EXIT_FAILURE;
}
