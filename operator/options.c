/* The options of `trimtab run`. The table is all that there is of an option: flags are read from it here, the
 * keys of the configuration file in config.c, help and docs/reference/flags.md are written from it, and its
 * fallbacks are read like any other value (a test refuses a wrong one).
 *
 * Values come in three rounds, each over the one before: the fallbacks, the file, the flags. A plain value is
 * simply replaced; a list has to know from which round it is (see list_add).
 *
 * Where prometheus-adapter, metrics-server, kube-apiserver or the HPA controller has an option of the
 * meaning, it has its name here. */
#include "operator/options.h"

#include "base/mem.h"
#include "base/str.h"
#include "operator/options_ignored.h"
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(struct options, field)

const struct option option_table[] = {
    {"config", OPTION_STRING, AT(config), NULL, .argument = "FILE",
     .help = "a YAML file with any of these options as camel-cased keys; a flag wins over the file"},
    {"kubeconfig", OPTION_STRING, AT(kubeconfig), NULL, .argument = "FILE",
     .help =
         "how to reach the cluster; else the pod's service account, then $KUBECONFIG, then ~/.kube/config"},
    {"context", OPTION_STRING, AT(context), NULL, .argument = "NAME",
     .help = "context of the kubeconfig; else its current one"},
    {"namespaces", OPTION_LIST, AT(namespaces), NULL, .min = 1, .argument = "NAME,…",
     .help = "follow only these namespaces; else all"},
    {"namespace", OPTION_STRING, AT(own_namespace), NULL, .argument = "NAME",
     .help = "the operator's own, where Secrets of ClusterMetricSources are; else what $POD_NAMESPACE says"},
    {"prometheus-url", OPTION_STRING, AT(prometheus_url), NULL, .argument = "URL",
     .help = "the Prometheus-compatible server that Prometheus metrics are asked of"},
    /* The original asks by GET. A query that spells out hundreds of pods is too long for a URL: servers
     * and the proxies before them answer 414. */
    {"prometheus-verb", OPTION_STRING, AT(prometheus_verb), "POST", .values = "GET|POST", .argument = "VERB",
     .help = "HTTP method of queries"},
    {"prometheus-ca-file", OPTION_STRING, AT(prometheus_ca_file), NULL, .argument = "FILE",
     .help = "PEM file with the CA of its certificate; else the system's"},
    {"prometheus-client-tls-cert-file", OPTION_STRING, AT(prometheus_cert_file), NULL, .argument = "FILE",
     .help = "client certificate (PEM)"},
    {"prometheus-client-tls-key-file", OPTION_STRING, AT(prometheus_key_file), NULL, .argument = "FILE",
     .help = "key of the client certificate (PEM)"},
    {"prometheus-token-file", OPTION_STRING, AT(prometheus_token_file), NULL, .argument = "FILE",
     .help = "bearer token, read again when the file changes"},
    {"prometheus-username", OPTION_STRING, AT(prometheus_username), NULL, .argument = "NAME",
     .help = "user of basic authentication"},
    {"prometheus-password-file", OPTION_STRING, AT(prometheus_password_file), NULL, .argument = "FILE",
     .help = "password of basic authentication, read again when the file changes"},
    {"prometheus-header", OPTION_LIST, AT(prometheus_headers), NULL, .min = 1, .argument = "NAME=VALUE",
     .help = "a header of every query, such as a tenant's; may be repeated"},
    {"prometheus-timeout", OPTION_DURATION, AT(prometheus_timeout), "10s", .min = USEC_PER_MSEC,
     .max = 10 * USEC_PER_MIN, .argument = "DURATION", .help = "how long a query may take"},
    {"prometheus-interval", OPTION_DURATION, AT(prometheus_interval), "1s", .min = 100 * USEC_PER_MSEC,
     .max = USEC_PER_HOUR, .argument = "DURATION",
     .help = "how often a query is asked where its policies set no interval"},
    {"prometheus-max-concurrent", OPTION_INT, AT(prometheus_max_concurrent), "8", .min = 1, .max = 100,
     .argument = "N", .help = "queries under way at once"},
    /* Of kube-controller-manager, without its prefix horizontal-pod-autoscaler-. */
    {"tolerance", OPTION_NUMBER, AT(tolerance), "0.1", .min = 0, .max = 10, .argument = "RATIO",
     .help = "how far a metric may be from its target without scaling, where behavior sets no tolerance"},
    {"cpu-initialization-period", OPTION_DURATION, AT(cpu_initialization_period), "5m", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION",
     .help = "how long after its start a pod's cpu counts only while it is ready"},
    {"initial-readiness-delay", OPTION_DURATION, AT(initial_readiness_delay), "30s", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION",
     .help = "a pod that became unready this soon after its start counts as never ready"},
    {"downscale-stabilization", OPTION_DURATION, AT(downscale_stabilization), "5m", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION", .help = "window of scaleDown where behavior sets none"},
    {"dry-run", OPTION_BOOL, AT(dry_run), "false",
     .help = "decide and show, but scale nothing: every policy is a preview"},
    {"http-port", OPTION_INT, AT(http_port), "8080", .min = 0, .max = 65535, .argument = "PORT",
     .help = "/healthz /livez /readyz /metrics /decisions over plain HTTP; 0: off"},
    {"rules", OPTION_STRING, AT(rules), NULL, .argument = "FILE",
     .help = "a configuration of prometheus-adapter, whose metrics are served; followed while running"},
    {"rules-configmap", OPTION_STRING, AT(rules_configmap), NULL, .argument = "NAMESPACE/NAME",
     .help = "the same from a ConfigMap, its key config.yaml or the only one that there is"},
    /* 10m in the original, for which a round is expensive; here most of one is recognized and dropped
     * again. */
    {"metrics-relist-interval", OPTION_DURATION, AT(relist_interval), "1m", .min = USEC_PER_SEC,
     .max = 24 * USEC_PER_HOUR, .argument = "DURATION",
     .help = "how often the series of the rules are listed again"},
    {"metrics-max-age", OPTION_DURATION, AT(metrics_max_age), "0s", .min = 0, .max = 24 * USEC_PER_HOUR,
     .argument = "DURATION",
     .help = "how long ago a series may have ended and still counts; 0s: as metrics-relist-interval"},
    {"metrics-freshness", OPTION_DURATION, AT(freshness), "10s", .min = USEC_PER_SEC, .max = USEC_PER_HOUR,
     .argument = "DURATION",
     .help = "how old a value may be that a metrics API answers from memory (a twentieth more while it is "
             "fetched anew)"},
    {"metrics-max-stale", OPTION_DURATION, AT(stale), "2m", .min = 0, .max = USEC_PER_HOUR,
     .argument = "DURATION", .help = "how long the last good value stands in while Prometheus fails"},
    /* 443 in the original, which only root, or who has CAP_NET_BIND_SERVICE, may listen on. */
    {"secure-port", OPTION_INT, AT(secure_port), "6443", .min = 0, .max = 65535, .argument = "PORT",
     .help = "the metrics APIs over TLS; 0: off"},
    {"bind-address", OPTION_STRING, AT(bind_address), NULL, .argument = "ADDRESS",
     .help = "IP address of the secure port; else all"},
    {"tls-cert-file", OPTION_STRING, AT(tls_cert_file), NULL, .argument = "FILE",
     .help = "serving certificate with its chain (PEM), read again when it changes; else one is made"},
    {"tls-private-key-file", OPTION_STRING, AT(tls_key_file), NULL, .argument = "FILE",
     .help = "key of the serving certificate (PEM)"},
    {"tls-min-version", OPTION_STRING, AT(tls_min_version), "VersionTLS12",
     .values = "VersionTLS12|VersionTLS13", .argument = "VERSION", .help = "lowest TLS version"},
    {"cert-dir", OPTION_STRING, AT(cert_dir), NULL, .argument = "DIRECTORY",
     .help = "where a certificate that was made is kept when there is no Secret for it"},
    {"cert-secret", OPTION_STRING, AT(cert_secret), NULL, .argument = "NAMESPACE/NAME",
     .help = "the Secret that a certificate that was made is kept in, for all replicas"},
    {"service", OPTION_STRING, AT(service), NULL, .argument = "NAMESPACE/NAME",
     .help = "our own Service: its names are in the certificate that is made, and APIServices point at it"},
    {"manage-apiservices", OPTION_LIST, AT(apiservices), NULL, .min = 1, .argument = "VERSION.GROUP,…",
     .help = "APIServices of the metrics APIs to create where they are missing, and to keep the caBundle of"},
    {"client-ca-file", OPTION_STRING, AT(client_ca_file), NULL, .argument = "FILE",
     .help = "CA of client certificates; else the cluster's own, from extension-apiserver-authentication"},
    {"requestheader-client-ca-file", OPTION_STRING, AT(requestheader_ca_file), NULL, .argument = "FILE",
     .help = "CA of the front proxy; else the cluster's own"},
    {"requestheader-allowed-names", OPTION_LIST, AT(requestheader_names), NULL, .argument = "NAME,…",
     .help = "common names of the front proxy; else the cluster's own; none: any"},
    {"requestheader-username-headers", OPTION_LIST, AT(requestheader_users), NULL, .min = 1,
     .argument = "NAME,…", .help = "headers with the user's name; else the cluster's own"},
    {"requestheader-group-headers", OPTION_LIST, AT(requestheader_groups), NULL, .min = 1,
     .argument = "NAME,…", .help = "headers with the user's groups; else the cluster's own"},
    {"requestheader-extra-headers-prefix", OPTION_LIST, AT(requestheader_extras), NULL, .min = 1,
     .argument = "NAME,…", .help = "prefixes of headers with more about the user; else the cluster's own"},
    {"authentication-skip-lookup", OPTION_BOOL, AT(skip_lookup), "false",
     .help = "do not read extension-apiserver-authentication: only what flags say is trusted"},
    {"authentication-tolerate-lookup-failure", OPTION_BOOL, AT(tolerate_lookup_failure), "false",
     .help = "serve without it while it cannot be read"},
    /* These three and the paths that anybody may read: k8s.io/apiserver's defaults for a server that
     * delegates. */
    {"authentication-token-webhook-cache-ttl", OPTION_DURATION, AT(token_ttl), "10s", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION", .help = "how long a TokenReview counts"},
    {"authorization-webhook-cache-authorized-ttl", OPTION_DURATION, AT(authorized_ttl), "10s", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION",
     .help = "how long a SubjectAccessReview that allows counts"},
    {"authorization-webhook-cache-unauthorized-ttl", OPTION_DURATION, AT(unauthorized_ttl), "10s", .min = 0,
     .max = USEC_PER_HOUR, .argument = "DURATION", .help = "how long one that denies counts"},
    {"authorization-always-allow-paths", OPTION_LIST, AT(always_allow_paths), "/healthz,/readyz,/livez",
     .argument = "PATH,…", .help = "paths that anybody may read; one that ends in * is a prefix"},
    {"remote-adapter", OPTION_STRING, AT(remote_adapter), NULL, .argument = "NAMESPACE/SERVICE:PORT",
     .help = "another adapter, which is asked for metrics that no rule of ours defines"},
    {"remote-adapter-ca-file", OPTION_STRING, AT(remote_ca_file), NULL, .argument = "FILE",
     .help = "CA of its certificate; else the caBundle of an APIService that points at it"},
    {"remote-adapter-client-cert-file", OPTION_STRING, AT(remote_cert_file), NULL, .argument = "FILE",
     .help = "client certificate that it trusts as a front proxy: the user's identity is then passed on"},
    {"remote-adapter-client-key-file", OPTION_STRING, AT(remote_key_file), NULL, .argument = "FILE",
     .help = "key of that certificate"},
    {"kubelet-metrics", OPTION_BOOL, AT(kubelet_metrics), "true",
     .help = "read cpu and memory from the kubelets, and serve metrics.k8s.io from it"},
    /* metrics-server's default is 60s, but its manifests say 15s. It refuses less than 10s as well: a
     * kubelet measures its containers about that often, and there would be nothing new to read. */
    {"metric-resolution", OPTION_DURATION, AT(metric_resolution), "15s", .min = 10 * USEC_PER_SEC,
     .max = USEC_PER_HOUR, .argument = "DURATION", .help = "how often each kubelet is read"},
    {"kubelet-request-timeout", OPTION_DURATION, AT(kubelet_timeout), "10s", .min = 100 * USEC_PER_MSEC,
     .max = 10 * USEC_PER_MIN, .argument = "DURATION", .help = "how long a kubelet may take to answer"},
    {"kubelet-preferred-address-types", OPTION_LIST, AT(kubelet_address_types),
     "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP", .min = 1, .argument = "TYPE,…",
     .help = "which of a node's addresses is asked, the first that it has"},
    {"kubelet-port", OPTION_INT, AT(kubelet_port), "10250", .min = 1, .max = 65535, .argument = "PORT",
     .help = "port of the kubelets"},
    {"kubelet-use-node-status-port", OPTION_BOOL, AT(kubelet_status_port), "false",
     .help = "the port that a node's status names wins over kubelet-port"},
    {"kubelet-insecure-tls", OPTION_BOOL, AT(kubelet_insecure_tls), "false",
     .help = "do not verify the kubelets' certificates; for tests"},
    {"kubelet-certificate-authority", OPTION_STRING, AT(kubelet_ca_file), NULL, .argument = "FILE",
     .help = "CA of the kubelets' certificates; else the cluster's"},
    {"kubelet-client-certificate", OPTION_STRING, AT(kubelet_cert_file), NULL, .argument = "FILE",
     .help = "client certificate for the kubelets; else our own identity in the cluster"},
    {"kubelet-client-key", OPTION_STRING, AT(kubelet_key_file), NULL, .argument = "FILE",
     .help = "key of that certificate"},
    {"deprecated-kubelet-completely-insecure", OPTION_BOOL, AT(kubelet_insecure), "false",
     .help = "ask the kubelets over plain HTTP; for tests"},
    {"node-selector", OPTION_STRING, AT(node_selector), NULL, .argument = "SELECTOR",
     .help = "read only the kubelets of nodes with these labels"},
    {"log-level", OPTION_STRING, AT(log_level), "info", .values = "error|warn|info|debug",
     .argument = "LEVEL", .help = "what is logged"},
    {"log-format", OPTION_STRING, AT(log_format), "text", .values = "text|json", .argument = "FORMAT",
     .help = "how a line of the log looks"},
};
const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

static void *field(struct options *o, const struct option *opt) {
    return (char *)o + opt->offset;
}

void options_init(struct options *options) {
    /* The fallbacks are of the round ORIGIN_DEFAULT, which is 0. */
    *options = (struct options){0};
    arena_init(&options->arena, 0);
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].fallback)
            (void)options_set(options, &option_table[i], option_table[i].fallback, option_table[i].name,
                              NULL);
}

void options_done(struct options *options) {
    arena_done(&options->arena);
}

/* "a|b|c" holds value as one of its words. */
static bool allowed(const char *values, const char *value) {
    size_t n = strcspn(value, "|");

    if (value[n])
        return false;

    for (const char *p = values; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strncmp(p, value, n) == 0 && (p[n] == '|' || !p[n]))
            return true;
    return false;
}

static int set_string(struct options *o, const struct option *opt, const char *value, const char *where,
                      struct err *err) {
    if (opt->values && !allowed(opt->values, value))
        return err_set(err, -EINVAL, "%s: \"%s\" is not one of %s", where, value, opt->values);
    *(const char **)field(o, opt) = arena_strdup(&o->arena, value);
    return 0;
}

/* The first item of a round starts the list anew, the others add to it. One of none is not one that was not
 * given: its items are there, and end at once. */
static void list_begin(struct options *o, struct string_list *list) {
    if (list->origin == o->origin && list->items)
        return;
    *list = (struct string_list){.items = ARENA_ARRAY(&o->arena, const char *, 1), .origin = o->origin};
}

/* items end with a NULL (the arena gives zeroed memory), since those who take a list of options take it
 * without its count. It is copied for each item: lists are short, and given once. */
static void list_add(struct options *o, struct string_list *list, const char *item, size_t len) {
    list_begin(o, list);
    const char **items = ARENA_ARRAY(&o->arena, const char *, list->count + 2);

    if (list->count)
        memcpy(items, list->items, list->count * sizeof(*items));
    items[list->count++] = arena_strndup(&o->arena, item, len);
    list->items = items;
}

/* Names are separated by commas; headers hold commas of their own and come one at a time. Where no names at
 * all mean something, an empty text is that, as it is to pflag; elsewhere it is a variable that nobody has
 * set. */
static int set_list(struct options *o, const struct option *opt, const char *value, const char *where,
                    struct err *err) {
    struct string_list *list = field(o, opt);
    bool header = str_eq(opt->argument, "NAME=VALUE");

    if (opt->min == 0 && !*value) {
        list_begin(o, list);
        return 0;
    }
    if (header && (!strchr(value, '=') || value[0] == '='))
        return err_set(err, -EINVAL, "%s: \"%s\" is not of the form NAME=VALUE", where, value);
    for (const char *p = value;;) {
        size_t n = header ? strlen(p) : strcspn(p, ",");
        if (!n)
            return err_set(err, -EINVAL, "%s: \"%s\" has an empty name in it", where, value);
        list_add(o, list, p, n);
        if (!p[n])
            return 0;
        p += n + 1;
    }
}

static int set_duration(struct options *o, const struct option *opt, const char *value, const char *where,
                        struct err *err) {
    char min[CLOCK_TEXT_MAX], max[CLOCK_TEXT_MAX];
    usec_t d;

    if (clock_parse_duration(value, &d) < 0)
        return err_set(err, -EINVAL, "%s: \"%s\" is not a duration such as 500ms, 1s or 5m", where, value);
    if (d < opt->min || d > opt->max)
        return err_set(err, -EINVAL, "%s: %s is not between %s and %s", where, value,
                       clock_format_duration(opt->min, min), clock_format_duration(opt->max, max));
    *(usec_t *)field(o, opt) = d;
    return 0;
}

static int set_int(struct options *o, const struct option *opt, const char *value, const char *where,
                   struct err *err) {
    int64_t v;

    if (str_to_i64(value, &v) < 0 || v < opt->min || v > opt->max)
        return err_set(err, -EINVAL, "%s: \"%s\" is not a whole number from %lld to %lld", where, value,
                       (long long)opt->min, (long long)opt->max);
    *(int64_t *)field(o, opt) = v;
    return 0;
}

static int set_number(struct options *o, const struct option *opt, const char *value, const char *where,
                      struct err *err) {
    double v;

    /* Not "v < min || v > max": NaN is neither. */
    if (str_to_double(value, &v) < 0 || !(v >= (double)opt->min && v <= (double)opt->max))
        return err_set(err, -EINVAL, "%s: \"%s\" is not a number from %lld to %lld", where, value,
                       (long long)opt->min, (long long)opt->max);
    *(double *)field(o, opt) = v;
    return 0;
}

static int set_bool(struct options *o, const struct option *opt, const char *value, const char *where,
                    struct err *err) {
    bool yes = str_eq(value, "true");

    if (!yes && !str_eq(value, "false"))
        return err_set(err, -EINVAL, "%s: \"%s\" is not true or false", where, value);
    *(bool *)field(o, opt) = yes;
    return 0;
}

int options_set(struct options *options, const struct option *option, const char *value, const char *where,
                struct err *err) {
    switch (option->type) {
    case OPTION_STRING:
        return set_string(options, option, value, where, err);
    case OPTION_LIST:
        return set_list(options, option, value, where, err);
    case OPTION_DURATION:
        return set_duration(options, option, value, where, err);
    case OPTION_INT:
        return set_int(options, option, value, where, err);
    case OPTION_NUMBER:
        return set_number(options, option, value, where, err);
    case OPTION_BOOL:
        return set_bool(options, option, value, where, err);
    }
    return err_set(err, -EINVAL, "%s: unknown type", where);
}

const struct option *option_by_name(const char *name) {
    for (size_t i = 0; i < option_count; i++)
        if (str_eq(option_table[i].name, name))
            return &option_table[i];
    return NULL;
}

/* Whether key is name in camel case: "httpPort" of "http-port". */
static bool is_camel_of(const char *key, const char *name) {
    for (; *name; name++, key++) {
        char want = *name;
        if (want == '-' && name[1])
            want = (char)(*++name - 'a' + 'A');
        if (*key != want)
            return false;
    }
    return *key == '\0';
}

const struct option *option_by_key(const char *key) {
    for (size_t i = 0; i < option_count; i++)
        if (is_camel_of(key, option_table[i].name))
            return &option_table[i];
    return NULL;
}

/* Splits "--name=value"; value is NULL where there is none. */
static int split_flag(struct options *o, const char *arg, const char **ret_name, const char **ret_value,
                      struct err *err) {
    /* klog's only short flag, in the three ways in which pflag takes one: -v 2, -v=2, -v2. */
    if (str_starts(arg, "-v") && (!arg[2] || arg[2] == '=' || isdigit((unsigned char)arg[2])))
        arg = arena_printf(&o->arena, "--v%s%s", isdigit((unsigned char)arg[2]) ? "=" : "", arg + 2);
    if (!str_starts(arg, "--") || !arg[2])
        return err_set(err, -EINVAL,
                       "unexpected argument \"%s\": flags begin with --; see trimtab run --help", arg);
    const char *equals = strchr(arg, '=');
    *ret_value = equals ? equals + 1 : NULL;
    *ret_name = equals ? arena_strndup(&o->arena, arg + 2, (size_t)(equals - arg - 2)) : arg + 2;
    return 0;
}

/* The option of a flag; of "no-x" it is x, and *value is then "false". NULL where there is none. */
static const struct option *find_flag(const char *name, const char **value) {
    const struct option *opt = option_by_name(name);

    /* "--no-x=true" would be a riddle: it is unknown. */
    if (opt || *value || !str_starts(name, "no-"))
        return opt;
    opt = option_by_name(name + 3);
    if (!opt || opt->type != OPTION_BOOL)
        return NULL;
    *value = "false";
    return opt;
}

/* One flag at argv[*i]; *i is left on the last argument it took. */
static int parse_flag(struct options *o, int argc, char **argv, int *i, struct err *err) {
    const char *name = argv[*i], *value = NULL;
    int ret = split_flag(o, argv[*i], &name, &value, err);
    if (ret < 0)
        return ret;
    const struct option *opt = find_flag(name, &value);
    bool takes_value = false;
    if (!opt && options_ignored(name, &takes_value)) {
        list_add(o, &o->ignored, name, strlen(name));
        *i += takes_value && !value;
        return 0;
    }
    if (!opt)
        return err_set(err, -EINVAL, "unknown flag --%s: see trimtab run --help", name);
    if (!value && opt->type == OPTION_BOOL)
        value = "true";
    if (!value && *i + 1 >= argc)
        return err_set(err, -EINVAL, "--%s: a value is missing (%s)", name, opt->argument);
    if (!value)
        value = argv[++*i];
    return options_set(o, opt, value, arena_printf(&o->arena, "--%s", opt->name), err);
}

int options_parse_flags(struct options *options, int argc, char **argv, struct err *err) {
    options->origin = ORIGIN_FLAG;
    for (int i = 0; i < argc; i++) {
        int ret = parse_flag(options, argc, argv, &i, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

void options_help(FILE *out) {
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        fprintf(out, "  --%s%s%s\n      %s", o->name, o->argument ? " " : "", str_or_empty(o->argument),
                o->help);
        if (o->values)
            fprintf(out, " (%s)", o->values);
        if (o->fallback)
            fprintf(out, "; default %s", o->fallback);
        fputc('\n', out);
    }
}

/* "NAME=VALUE" as given becomes "NAME: VALUE" as sent; NULL-terminated. */
static const char *const *header_lines(const struct string_list *headers, struct arena *arena) {
    const char **lines = ARENA_ARRAY(arena, const char *, headers->count + 1);

    for (uint32_t i = 0; i < headers->count; i++) {
        const char *item = headers->items[i];
        size_t name = strcspn(item, "=");
        lines[i] = arena_printf(arena, "%.*s: %s", (int)name, item, item[name] ? item + name + 1 : "");
    }
    return lines;
}

struct prometheus_options options_prometheus(const struct options *options, struct arena *arena) {
    const struct options *o = options;

    return (struct prometheus_options){
        .url = o->prometheus_url,
        .ca_file = o->prometheus_ca_file,
        .cert_file = o->prometheus_cert_file,
        .key_file = o->prometheus_key_file,
        .token_file = o->prometheus_token_file,
        .username = o->prometheus_username,
        .password_file = o->prometheus_password_file,
        .headers = header_lines(&o->prometheus_headers, arena),
        .use_get = str_eq(o->prometheus_verb, "GET"),
        .timeout = o->prometheus_timeout,
        .interval = o->prometheus_interval,
        .max_concurrent = (int)o->prometheus_max_concurrent,
    };
}
