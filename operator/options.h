/* The options of `trimtab run`: one table for flags, configuration file, help and documentation. */
#ifndef OPERATOR_OPTIONS_H
#define OPERATOR_OPTIONS_H

#include "adapter/prometheus.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Where a value comes from; a later one takes the place of an earlier one's list, and adds to its own. */
enum option_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_FLAG };

struct string_list {
    const char **items; /* NULL-terminated; NULL: not given */
    uint32_t count;
    enum option_origin origin;
};

struct options {
    struct arena arena;         /* of every string below */
    enum option_origin origin;  /* of what is being set */
    struct string_list ignored; /* flags that were given and mean nothing here */
    const char *config;
    const char *kubeconfig, *context;
    struct string_list namespaces;
    const char *own_namespace; /* NULL: not said */
    const char *prometheus_url, *prometheus_verb;
    const char *prometheus_ca_file, *prometheus_cert_file, *prometheus_key_file;
    const char *prometheus_token_file, *prometheus_username, *prometheus_password_file;
    struct string_list prometheus_headers;
    usec_t prometheus_timeout, prometheus_interval;
    int64_t prometheus_max_concurrent;
    double tolerance;
    usec_t cpu_initialization_period, initial_readiness_delay, downscale_stabilization;
    bool dry_run;
    int64_t http_port;
    /* The metrics APIs. */
    const char *rules, *rules_configmap;
    usec_t relist_interval, metrics_max_age, freshness, stale;
    int64_t secure_port;
    const char *bind_address;
    const char *cert_dir, *tls_cert_file, *tls_key_file, *tls_min_version, *cert_secret, *service;
    struct string_list apiservices;
    const char *client_ca_file, *requestheader_ca_file;
    struct string_list requestheader_names, requestheader_users, requestheader_groups, requestheader_extras;
    bool skip_lookup, tolerate_lookup_failure;
    usec_t token_ttl, authorized_ttl, unauthorized_ttl;
    struct string_list always_allow_paths;
    const char *remote_adapter, *remote_ca_file, *remote_cert_file, *remote_key_file;
    /* The kubelets. */
    bool kubelet_metrics;
    usec_t metric_resolution, kubelet_timeout;
    struct string_list kubelet_address_types;
    int64_t kubelet_port;
    bool kubelet_status_port, kubelet_insecure_tls, kubelet_insecure;
    const char *kubelet_ca_file, *kubelet_cert_file, *kubelet_key_file, *node_selector;
    const char *log_level, *log_format;
};

enum option_type { OPTION_STRING, OPTION_LIST, OPTION_DURATION, OPTION_INT, OPTION_NUMBER, OPTION_BOOL };

struct option {
    const char *name; /* the flag without its dashes; the key of the file is the same in camel case */
    enum option_type type;
    size_t offset; /* in struct options */
    const char *fallback;
    const char *values; /* "a|b|c": the only ones allowed; NULL: any of the type */
    /* Of INT, of DURATION in µs, of NUMBER; both 0: any. Of LIST: with min 0 "" is a list of none. */
    int64_t min, max;
    const char *argument, *help;
};

extern const struct option option_table[];
extern const size_t option_count;

/* Sets every option to its default. */
void options_init(struct options *options);
void options_done(struct options *options);
/* Sets one option from text: -EINVAL names the option and what it takes. where goes before the message ("--x"
 * or "file:3: x"). */
int options_set(struct options *options, const struct option *option, const char *value, const char *where,
                struct err *err);
/* Reads flags ("--name value", "--name=value", "--bool", "--no-bool"): -EINVAL for a wrong one. A list flag
 * may be repeated. Flags of prometheus-adapter and metrics-server that mean nothing here are accepted, so
 * that their arguments can be taken over as they are, and noted in options->ignored. */
int options_parse_flags(struct options *options, int argc, char **argv, struct err *err);
/* Reads a YAML file of camel-cased keys: -EINVAL with file, line and key. */
int options_load_file(struct options *options, const char *path, struct err *err);
/* The option of a flag name or of a key, or NULL. */
const struct option *option_by_name(const char *name);
const struct option *option_by_key(const char *key);
/* What the --prometheus-* options say, for whoever asks that server; borrows from options and arena. */
struct prometheus_options options_prometheus(const struct options *options, struct arena *arena);
/* Writes the help of all options, as `run --help` shows it. */
void options_help(FILE *out);

#endif
