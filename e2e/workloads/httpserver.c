/* The workload of the demo: a small HTTP server that takes a fixed time for each request and counts them for
 * Prometheus.
 *
 *   /         a short text, after the delay
 *   /healthz  200 while it accepts work, 503 once it was told to end
 *   /metrics  http_requests_total{path,code} and http_requests_in_flight in Prometheus' text form
 *
 * The delay makes a client with N connections offer N / delay requests a second, whatever the machine can do.
 * A connection is closed after some requests, so that clients spread over new pods. At SIGTERM it goes on
 * answering for a moment, each time closing the connection, until the cluster has taken it out of its
 * services. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum path { PATH_ROOT, PATH_HEALTHZ, PATH_METRICS, PATH_OTHER, PATH_COUNT };

static const char *const path_names[PATH_COUNT] = {"/", "/healthz", "/metrics", "other"};

/* A connection is a thread that mostly sleeps: of glibc's 8 MiB of stack each, a thousand clients would
 * ask for 8 GiB of addresses. */
enum { TEXT_MAX = 2048, THREAD_STACK = 128 * 1024 };

struct options {
    unsigned port;
    unsigned metrics_port;
    unsigned delay_ms;
    unsigned drain_ms;
    unsigned per_connection;
    unsigned reuse_port;
};

/* Every connection is a thread of its own, so what they share is atomic. */
struct server {
    struct options options;
    atomic_uint_fast64_t requests[PATH_COUNT];
    atomic_uint_fast64_t refused;
    atomic_int in_flight;
    atomic_bool ending;
};

static const struct {
    const char *flag, *env, *help;
    size_t offset;
    unsigned initial, max;
} option_table[] = {
    {"port", "PORT", "port of everything", offsetof(struct options, port), 8080, 65535},
    {"metrics-port", "METRICS_PORT", "a second port, for scrapes of this very process; 0: none",
     offsetof(struct options, metrics_port), 0, 65535},
    {"delay-ms", "DELAY_MS", "time a request to / takes", offsetof(struct options, delay_ms), 50, 60000},
    {"drain-ms", "DRAIN_MS", "time it goes on serving after SIGTERM", offsetof(struct options, drain_ms),
     1500, 60000},
    {"requests-per-connection", "REQUESTS_PER_CONNECTION", "requests after which a connection is closed",
     offsetof(struct options, per_connection), 50, 1000000},
    {"reuse-port", "REUSE_PORT", "1: several processes may share the port",
     offsetof(struct options, reuse_port), 0, 1},
};

enum { OPTION_COUNT = sizeof(option_table) / sizeof(option_table[0]) };

static enum path path_of(const char *url) {
    int path = PATH_ROOT;

    while (path < PATH_OTHER && strcmp(url, path_names[path]) != 0)
        path++;
    return (enum path)path;
}

/* Where one line after the other of the exposition is put; text beyond its end is left out. */
struct text {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format, ...) {
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text->at, text->left, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= text->left)
        return;
    text->at += n;
    text->left -= (size_t)n;
}

static void write_metrics(struct server *server, char *out, size_t size) {
    struct text text = {out, size};

    text_add(&text, "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n");
    for (int path = PATH_ROOT; path < PATH_OTHER; path++)
        text_add(&text, "http_requests_total{path=\"%s\",code=\"200\"} %" PRIuFAST64 "\n", path_names[path],
                 atomic_load(&server->requests[path]));
    text_add(&text, "http_requests_total{path=\"other\",code=\"404\"} %" PRIuFAST64 "\n",
             atomic_load(&server->requests[PATH_OTHER]));
    text_add(&text, "http_requests_total{path=\"/healthz\",code=\"503\"} %" PRIuFAST64 "\n",
             atomic_load(&server->refused));
    text_add(&text, "# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight %d\n",
             atomic_load(&server->in_flight));
}

static void pause_ms(unsigned ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

static unsigned make_body(struct server *server, enum path path, char *out, size_t size) {
    switch (path) {
    case PATH_ROOT:
        atomic_fetch_add(&server->in_flight, 1);
        pause_ms(server->options.delay_ms);
        atomic_fetch_sub(&server->in_flight, 1);
        snprintf(out, size, "hello\n");
        return MHD_HTTP_OK;
    case PATH_HEALTHZ:
        if (atomic_load(&server->ending)) {
            snprintf(out, size, "ending\n");
            return MHD_HTTP_SERVICE_UNAVAILABLE;
        }
        snprintf(out, size, "ok\n");
        return MHD_HTTP_OK;
    case PATH_METRICS:
        write_metrics(server, out, size);
        return MHD_HTTP_OK;
    case PATH_OTHER:
    case PATH_COUNT:
        break;
    }
    snprintf(out, size, "not found\n");
    return MHD_HTTP_NOT_FOUND;
}

/* Counts the requests of one connection in its socket context. True when this one is its last, also where
 * there was no memory for the count. */
static bool is_last_of_connection(struct server *server, struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    unsigned *count = info ? info->socket_context : NULL;

    return atomic_load(&server->ending) || !count || ++*count >= server->options.per_connection;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    (void)cls;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = calloc(1, sizeof(unsigned));
    } else {
        free(*socket_context);
        *socket_context = NULL;
    }
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context) {
    struct server *server = cls;
    enum path path = path_of(url);
    char body[TEXT_MAX];
    struct MHD_Response *response;
    enum MHD_Result result;
    unsigned code;

    (void)method;
    (void)version;
    (void)upload;
    if (!*context) { /* the headers came; the request is answered at the next call */
        *context = server;
        return MHD_YES;
    }
    if (*upload_size > 0) { /* a body is of no interest, but must be taken for the request to end */
        *upload_size = 0;
        return MHD_YES;
    }
    code = make_body(server, path, body, sizeof(body));
    atomic_fetch_add(code == MHD_HTTP_SERVICE_UNAVAILABLE ? &server->refused : &server->requests[path], 1);
    response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            path == PATH_METRICS ? "text/plain; version=0.0.4" : "text/plain");
    if (is_last_of_connection(server, connection))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static struct MHD_Daemon *listen_on(struct server *server, unsigned port, unsigned reuse) {
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, (uint16_t)port, NULL,
        NULL, on_request, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_LISTENING_ADDRESS_REUSE, reuse,
        MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);

    if (!daemon)
        fprintf(stderr, "httpserver: cannot listen on port %u: %s\n", port, strerror(errno));
    return daemon;
}

static void usage(FILE *to) {
    fprintf(to, "usage: httpserver [--FLAG=NUMBER]...   each flag also as an environment variable\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(to, "  --%-25s %-25s %s (%u)\n", option_table[i].flag, option_table[i].env,
                option_table[i].help, option_table[i].initial);
}

static bool set_option(struct options *options, size_t i, const char *from, const char *text) {
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value > option_table[i].max) {
        fprintf(stderr, "httpserver: %s: \"%s\" is no number from 0 to %u\n", from, text,
                option_table[i].max);
        return false;
    }
    memcpy((char *)options + option_table[i].offset, &(unsigned){(unsigned)value}, sizeof(unsigned));
    return true;
}

/* 0 when the options are set, else the exit code plus one. */
static int read_options(struct options *options, int argc, char **argv) {
    struct option flags[OPTION_COUNT + 2] = {{0}};
    int at = 0, got;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = getenv(option_table[i].env);

        memcpy((char *)options + option_table[i].offset, &option_table[i].initial, sizeof(unsigned));
        if (value && *value && !set_option(options, i, option_table[i].env, value))
            return 3;
        flags[i] = (struct option){option_table[i].flag, required_argument, NULL, 1};
    }
    flags[OPTION_COUNT] = (struct option){"help", no_argument, NULL, 'h'};
    while ((got = getopt_long(argc, argv, "h", flags, &at)) == 1) {
        if (!set_option(options, (size_t)at, option_table[at].flag, optarg))
            return 3;
    }
    if (got == -1 && optind == argc)
        return 0;
    usage(got == 'h' ? stdout : stderr);
    return got == 'h' ? 1 : 3;
}

/* The port for scrapes is not shared: with --reuse-port the kernel would give a scrape to any of the
 * processes, and the counters would jump between them. */
static int serve(struct server *server, const sigset_t *signals) {
    struct MHD_Daemon *main_daemon, *metrics_daemon = NULL;
    int sig, status = EXIT_FAILURE;

    main_daemon = listen_on(server, server->options.port, server->options.reuse_port);
    if (!main_daemon)
        return EXIT_FAILURE;
    if (server->options.metrics_port > 0)
        metrics_daemon = listen_on(server, server->options.metrics_port, 0);
    if (server->options.metrics_port == 0 || metrics_daemon) {
        printf("httpserver: listening on port %u\n", server->options.port);
        fflush(stdout);
        sigwait(signals, &sig);
        atomic_store(&server->ending, true);
        pause_ms(server->options.drain_ms);
        status = EXIT_SUCCESS;
    }
    if (metrics_daemon)
        MHD_stop_daemon(metrics_daemon);
    MHD_stop_daemon(main_daemon);
    return status;
}

int main(int argc, char **argv) {
    static struct server server;
    sigset_t signals;
    int rc = read_options(&server.options, argc, argv);

    if (rc)
        return rc - 1;
    signal(SIGPIPE, SIG_IGN);
    /* Blocked before there are threads, which inherit it: only sigwait in serve takes them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return serve(&server, &signals);
}
