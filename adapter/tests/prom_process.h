/* A real Prometheus for live tests, in a folder of its own, on a port that the kernel chooses. Whatever goes
 * wrong fails the test. */
#ifndef ADAPTER_TESTS_PROM_PROCESS_H
#define ADAPTER_TESTS_PROM_PROCESS_H

#include <sys/types.h>

struct prom_process {
    char folder[64]; /* its working directory */
    int port;        /* 0: the kernel chooses at the next start */
    pid_t pid;
    int log; /* its stderr */
};

/* Makes the folder. */
void prom_process_init(struct prom_process *p);
/* Removes it; the process must have been stopped. */
void prom_process_done(struct prom_process *p);
/* Writes a file into the folder; prometheus.yml and web.yml must be there before the start. */
void prom_process_put(const struct prom_process *p, const char *name, const char *text);
/* Starts it, at the port of last time where there was one, and waits until it is ready. */
void prom_process_start(struct prom_process *p);
void prom_process_stop(struct prom_process *p);
/* Lets it read its files again. */
void prom_process_reload(const struct prom_process *p);

#endif
