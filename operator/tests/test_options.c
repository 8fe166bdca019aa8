/* Options: values by flag and by file, what is refused and with which words. */
#include "operator/options.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int flags(struct options *o, struct err *err, const char *first, ...) {
    char *argv[16];
    int argc = 0;
    va_list ap;

    va_start(ap, first);
    for (const char *a = first; a; a = va_arg(ap, const char *))
        argv[argc++] = xstrdup(a);
    va_end(ap);
    int ret = options_parse_flags(o, argc, argv, err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return ret;
}

static void test_defaults(void **state) {
    struct options o;
    (void)state;

    options_init(&o);
    assert_string_equal(o.prometheus_verb, "POST");
    assert_int_equal(o.prometheus_timeout, 10 * USEC_PER_SEC);
    assert_int_equal(o.http_port, 8080);
    assert_int_equal(o.downscale_stabilization, 5 * USEC_PER_MIN);
    assert_true(o.tolerance == 0.1);
    assert_false(o.dry_run);
    assert_null(o.prometheus_url);
    options_done(&o);
}

/* What another adapter's Deployment says is taken over; a list that is given replaces the default one. */
static void test_arguments_of_other_adapters(void **state) {
    struct options o;
    struct err err = {0};
    (void)state;

    options_init(&o);
    assert_int_equal(o.kubelet_address_types.count, 5);
    assert_int_equal(flags(&o, &err, "--cert-dir=/tmp", "--secure-port=10250", "-v=4", "--v", "2", "-v6",
                           "--kubelet-preferred-address-types=InternalIP,Hostname", "--client-qps=100",
                           "--logtostderr", "--metric-resolution=15s", "--kubelet-insecure-tls",
                           "--logging-format", "json", "--audit-log-compress", NULL),
                     0);
    assert_int_equal(o.secure_port, 10250);
    assert_int_equal(o.kubelet_address_types.count, 2);
    assert_string_equal(o.kubelet_address_types.items[0], "InternalIP");
    assert_true(o.kubelet_insecure_tls);
    assert_int_equal(o.ignored.count, 7);
    assert_string_equal(o.ignored.items[2], "v");
    assert_string_equal(o.ignored.items[3], "client-qps");
    assert_int_equal(flags(&o, &err, "--cilent-qps=100", NULL), -EINVAL);
    assert_int_equal(flags(&o, &err, "--prometheus-auth-config=/kubeconfig", NULL), -EINVAL);
    options_done(&o);
}

/* None is not the same as not given: no path is open then, and any name is allowed. */
static void test_lists_of_none(void **state) {
    struct options o;
    struct err err = {0};
    (void)state;

    options_init(&o);
    assert_int_equal(o.always_allow_paths.count, 3);
    assert_null(o.requestheader_names.items);
    assert_int_equal(
        flags(&o, &err, "--authorization-always-allow-paths=", "--requestheader-allowed-names", "", NULL), 0);
    assert_int_equal(o.always_allow_paths.count, 0);
    assert_non_null(o.always_allow_paths.items);
    assert_null(o.always_allow_paths.items[0]);
    assert_non_null(o.requestheader_names.items);
    assert_null(o.requestheader_names.items[0]);
    assert_int_equal(flags(&o, &err, "--authorization-always-allow-paths=/a,/b", NULL), 0);
    assert_int_equal(o.always_allow_paths.count, 2);
    assert_int_equal(flags(&o, &err, "--namespaces=", NULL), -EINVAL);
    options_done(&o);
}

static void test_flags(void **state) {
    struct options o;
    struct err err = {0};
    (void)state;

    options_init(&o);
    assert_int_equal(flags(&o, &err, "--prometheus-url", "http://p:9090", "--dry-run", "--tolerance=0.05",
                           "--namespaces=a,b", "--namespaces", "c", "--prometheus-header=X-Scope=a=b,c",
                           "--no-dry-run", NULL),
                     0);
    assert_string_equal(o.prometheus_url, "http://p:9090");
    assert_false(o.dry_run);
    assert_true(o.tolerance == 0.05);
    assert_int_equal(o.namespaces.count, 3);
    assert_string_equal(o.namespaces.items[2], "c");
    assert_null(o.namespaces.items[3]);
    assert_int_equal(o.prometheus_headers.count, 1);
    assert_string_equal(o.prometheus_headers.items[0], "X-Scope=a=b,c");
    options_done(&o);
}

static const struct {
    const char *flag, *value, *want;
} refused_flags[] = {
    {"--nonsense", "x", "unknown flag --nonsense"},
    {"--no-http-port", NULL, "unknown flag --no-http-port"},
    {"stray", NULL, "unexpected argument \"stray\""},
    {"--http-port", NULL, "--http-port: a value is missing (PORT)"},
    {"--http-port", "70000", "--http-port: \"70000\" is not a whole number from 0 to 65535"},
    {"--prometheus-verb", "PUT", "--prometheus-verb: \"PUT\" is not one of GET|POST"},
    {"--prometheus-verb", "GET|POST", "is not one of GET|POST"},
    {"--prometheus-timeout", "10", "--prometheus-timeout: \"10\" is not a duration such as 500ms, 1s or 5m"},
    {"--prometheus-interval", "10ms", "--prometheus-interval: 10ms is not between 100ms and 1h"},
    {"--tolerance", "nan", "--tolerance: \"nan\" is not a number from 0 to 10"},
    {"--dry-run=maybe", NULL, "--dry-run: \"maybe\" is not true or false"},
    {"--namespaces", "a,,b", "--namespaces: \"a,,b\" has an empty name in it"},
    {"--prometheus-header", "novalue", "is not of the form NAME=VALUE"},
    {"--log-level", "loud", "is not one of error|warn|info|debug"},
};

static void test_refused_flags(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refused_flags) / sizeof(refused_flags[0]); i++) {
        struct options o;
        struct err err = {0};
        options_init(&o);
        assert_int_equal(flags(&o, &err, refused_flags[i].flag, refused_flags[i].value, NULL), -22);
        if (!strstr(err.text, refused_flags[i].want))
            fail_msg("%s: got \"%s\", want \"%s\"", refused_flags[i].flag, err.text, refused_flags[i].want);
        options_done(&o);
    }
}

static void test_file(void **state) {
    struct options o;
    struct err err = {0};
    (void)state;

    options_init(&o);
    assert_int_equal(options_load_file(&o, TEST_DATA_DIR "/config/good.yaml", &err), 0);
    assert_string_equal(o.prometheus_url, "https://prometheus.example:9090/prefix");
    assert_int_equal(o.namespaces.count, 2);
    assert_int_equal(o.http_port, 0);
    assert_true(o.dry_run);
    assert_string_equal(o.prometheus_cert_file, "/etc/tls/tls.crt");
    options_done(&o);
}

static const struct {
    const char *file, *want;
} refused_files[] = {
    {"missing.yaml", "missing.yaml: No such file or directory"},
    {"unknown-key.yaml", "unknown-key.yaml:2: unknown key \"promUrl\""},
    {"wrong-value.yaml", "wrong-value.yaml:3: logLevel: \"loud\" is not one of error|warn|info|debug"},
    {"wrong-type.yaml", "wrong-type.yaml:1: httpPort: a single value is expected"},
    {"not-yaml.yaml", "not-yaml.yaml:2: not YAML"},
    {"not-a-mapping.yaml", "not-a-mapping.yaml:1: a mapping of options is expected"},
    {"two-documents.yaml", "two-documents.yaml:3: a second document: all options belong into the first"},
    {"config-in-config.yaml", "config-in-config.yaml:1: unknown key \"config\""},
};

static void test_refused_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refused_files) / sizeof(refused_files[0]); i++) {
        struct options o;
        struct err err = {0};
        cleanup_free char *path = xasprintf(TEST_DATA_DIR "/config/%s", refused_files[i].file);
        options_init(&o);
        assert_true(options_load_file(&o, path, &err) < 0);
        if (!strstr(err.text, refused_files[i].want))
            fail_msg("%s: got \"%s\", want \"%s\"", refused_files[i].file, err.text, refused_files[i].want);
        options_done(&o);
    }
}

/* Every option has help and, with a fixed set of values or a range, a default that is in it. */
static void test_table(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *opt = &option_table[i];
        struct options o;
        struct err err = {0};
        assert_non_null(opt->help);
        assert_ptr_equal(option_by_name(opt->name), opt);
        options_init(&o);
        if (opt->fallback && options_set(&o, opt, opt->fallback, opt->name, &err) < 0)
            fail_msg("%s", err.text);
        options_done(&o);
    }
    assert_string_equal(option_by_key("prometheusClientTlsCertFile")->name,
                        "prometheus-client-tls-cert-file");
    assert_null(option_by_key("http-port"));
    assert_null(option_by_key("httpPor"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_flags),
        cmocka_unit_test(test_lists_of_none), cmocka_unit_test(test_arguments_of_other_adapters),
        cmocka_unit_test(test_refused_flags), cmocka_unit_test(test_file),
        cmocka_unit_test(test_refused_files), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
