/* Syncs one resource of the cluster that KUBECONFIG names and prints, as one line of JSON, what it took: for
 * the benches and for a look at a real server.
 * usage: live_informer [pods|nodes|deployments|replicasets [SECONDS]]   (pods; SECONDS: go on following and
 * print again) */
#include "informers/informers.h"

#include "base/log.h"
#include "net/http_curl.h"
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
    struct resource resource;
    enum object_type type;
} kinds[] = {
    {{.group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true}, OBJECT_POD},
    {{.group = "", .version = "v1", .kind = "Node", .plural = "nodes"}, OBJECT_NODE},
    {{.group = "apps", .version = "v1", .kind = "Deployment", .plural = "deployments", .namespaced = true},
     OBJECT_WORKLOAD},
    {{.group = "apps", .version = "v1", .kind = "ReplicaSet", .plural = "replicasets", .namespaced = true},
     OBJECT_WORKLOAD},
};

struct run {
    struct loop *loop;
    struct informers *informers;
    struct informer *informer;
    usec_t started, cpu_started, linger, stop_at;
    usec_t longest;  /* turn until the list was whole */
    size_t base_rss; /* KiB, before the informer was opened */
    uint64_t changes[3];
    bool reported;
};

static usec_t cpu(void) {
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USEC_PER_SEC + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* A figure of /proc/self/status in KiB. */
static size_t status_kib(const char *name) {
    cleanup_file FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    size_t len = strlen(name);

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, len) == 0)
            return strtoul(line + len, NULL, 10);
    return 0;
}

static void report(struct run *run, const char *when) {
    struct informer_stats stats;
    struct mallinfo2 heap = mallinfo2();

    informer_stats(run->informer, &stats);
    double objects = stats.objects ? (double)stats.objects : 1;
    printf("{\"when\":\"%s\",\"objects\":%zu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"peak_rss_mib\":%.1f,"
           "\"rss_mib\":%.1f,\"rss_before_mib\":%.1f,\"cached_bytes_each\":%.0f,\"heap_bytes_each\":%.0f,"
           "\"longest_turn_ms\":%.2f,\"lists\":%llu,\"watches\":%llu,\"events\":%llu,\"errors\":%llu,"
           "\"skipped\":%llu,\"added\":%llu,\"modified\":%llu,\"deleted\":%llu}\n",
           when, stats.objects, (double)(clock_mono() - run->started) / 1e6,
           (double)(cpu() - run->cpu_started) / 1e6, (double)status_kib("VmHWM:") / 1024,
           (double)status_kib("VmRSS:") / 1024, (double)run->base_rss / 1024, (double)stats.bytes / objects,
           (double)heap.uordblks / objects, (double)run->longest / 1e3, (unsigned long long)stats.lists,
           (unsigned long long)stats.watches, (unsigned long long)stats.events,
           (unsigned long long)stats.errors, (unsigned long long)stats.skipped,
           (unsigned long long)run->changes[0], (unsigned long long)run->changes[1],
           (unsigned long long)run->changes[2]);
    fflush(stdout);
}

static void on_change(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct run *run = arg;

    (void)old;
    (void)new_;
    run->changes[change]++;
}

static void on_turn(void *arg) {
    struct run *run = arg;
    usec_t lag = loop_take_lag(run->loop);

    if (lag > run->longest)
        run->longest = lag;
    if (!run->reported && informer_synced(run->informer)) {
        run->reported = true;
        report(run, "synced");
        run->stop_at = clock_mono() + run->linger;
    }
    if (run->reported && clock_mono() >= run->stop_at)
        loop_stop(run->loop);
}

/* Wakes the loop now and then, so that it can see that its time is over. */
static void on_tick(void *arg) {
    loop_timer_set(*(struct loop_timer **)arg, 100 * USEC_PER_MSEC);
}

static void on_signal(void *arg) {
    loop_stop(((struct run *)arg)->loop);
}

static int follow(struct run *run, struct kube *kube, size_t kind) {
    struct loop_timer *tick = NULL;
    struct err err = {0};

    tick = loop_timer_new(run->loop, on_tick, &tick);
    loop_timer_set(tick, 1);
    loop_on_turn(run->loop, on_turn, run);
    run->informers = informers_new(run->loop, kube, NULL);
    run->base_rss = status_kib("VmRSS:");
    run->started = clock_mono();
    run->cpu_started = cpu();
    run->informer = informers_open(run->informers, &kinds[kind].resource, kinds[kind].type, on_change, run);
    int ret = loop_run(run->loop, &err);
    if (run->linger || !run->reported)
        report(run, "end");
    if (ret < 0)
        log_error(NULL, "%s", err_text(&err));
    informers_free(run->informers);
    loop_timer_free(tick);
    return ret;
}

static int run_kind(size_t kind, usec_t linger) {
    struct run run = {.linger = linger};
    struct kubeconfig *config = NULL;
    struct http *http = NULL;
    struct kube *kube = NULL;
    struct err err = {0};
    int ret = loop_new(&run.loop, &err);

    if (ret == 0)
        ret = kubeconfig_find(NULL, NULL, &config, &err);
    if (ret == 0)
        ret = loop_on_stop_signal(run.loop, on_signal, &run, &err);
    if (ret == 0)
        ret = http_curl_new(run.loop, 0, &http, &err);
    if (ret == 0)
        ret = kube_new(run.loop, http, config, &kube, &err);
    if (ret == 0)
        ret = follow(&run, kube, kind);
    else
        log_error(NULL, "%s", err_text(&err));
    kube_free(kube);
    http_curl_free(http);
    kubeconfig_free(config);
    loop_free(run.loop);
    return ret;
}

int main(int argc, char **argv) {
    int64_t seconds = 0;

    if (getenv("LIVE_DEBUG"))
        log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    if (argc > 2 && str_to_i64(argv[2], &seconds) < 0)
        argc = 0;
    if (argc == 1)
        return run_kind(0, 0) < 0;
    for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].resource.plural, argv[1]) == 0)
            return run_kind(i, seconds * USEC_PER_SEC) < 0;
    fprintf(stderr, "usage: live_informer [pods|nodes|deployments|replicasets [SECONDS]]\n");
    return 2;
}
