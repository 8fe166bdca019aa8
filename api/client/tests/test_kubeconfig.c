/* Kubeconfig files by data/kubeconfig/CASE: config.yaml (and files beside it), and want.json: the fields that
 * come out of it, or the whole text of the error; DIR stands for the case's folder. Then service accounts,
 * and where a configuration is looked for. */
#include "api/client/kubeconfig.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define DATA TEST_DATA_DIR "/kubeconfig/"
#define PEM "-----BEGIN THING-----\nYWJj\n-----END THING-----\n"

/* Puts text as a member, with every mention of folder as "DIR"; nothing for NULL. */
static void put(json_t *object, const char *field, const char *text, const char *folder) {
    cleanup_buf struct buf out;

    buf_init(&out, 65536);
    if (!text)
        return;
    for (const char *at; (at = strstr(text, folder)); text = at + strlen(folder)) {
        buf_append(&out, text, (size_t)(at - text));
        buf_puts(&out, "DIR");
    }
    buf_puts(&out, text);
    json_object_set_new(object, field, json_string(out.data));
}

static json_t *list_of(const char *const *texts) {
    json_t *list = json_array();

    for (; *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

static json_t *describe_exec(const struct kubeconfig_exec *x, const char *folder) {
    json_t *out = json_object();

    put(out, "command", x->command, folder);
    put(out, "apiVersion", x->api_version, folder);
    put(out, "installHint", x->install_hint, folder);
    json_object_set_new(out, "args", list_of(x->args));
    json_object_set_new(out, "env", list_of(x->env));
    json_object_set_new(out, "provideClusterInfo", json_boolean(x->provide_cluster_info));
    return out;
}

static json_t *describe(const struct kubeconfig *c, const char *folder) {
    const struct {
        const char *name, *value;
    } fields[] = {
        {"server", c->server},       {"server_name", c->server_name},
        {"proxy_url", c->proxy_url}, {"namespace", c->namespace_},
        {"ca_pem", c->ca_pem},       {"cert_pem", c->cert_pem},
        {"key_pem", c->key_pem},     {"ca_file", c->ca_file},
        {"cert_file", c->cert_file}, {"key_file", c->key_file},
        {"token", c->token},         {"token_file", c->token_file},
        {"username", c->username},   {"password", c->password},
    };
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        put(out, fields[i].name, fields[i].value, folder);
    if (c->exec.command)
        json_object_set_new(out, "exec", describe_exec(&c->exec, folder));
    return out;
}

/* True where the case comes out as wanted; prints the difference else. */
static bool run_case(const char *name) {
    cleanup_free char *folder = xasprintf(DATA "%s", name);
    cleanup_free char *path = xasprintf("%s/config.yaml", folder),
                      *want_path = xasprintf("%s/want.json", folder);
    json_t *want = json_load_file(want_path, 0, NULL), *got = json_object();
    struct kubeconfig *config = NULL;
    struct err err = {0};

    assert_non_null(want);
    const char *context = json_string_value(json_object_get(want, "context"));
    int r = kubeconfig_load(path, context, &config, &err);
    assert_int_equal(r, err.code);
    if (r < 0) {
        assert_null(config);
        put(got, "error", err.text, folder);
    } else {
        json_decref(got);
        got = describe(config, folder);
        assert_string_equal(config->source, path);
    }
    json_object_del(want, "context");
    bool equal = json_equal(got, want);
    if (!equal) {
        cleanup_free char *a = json_dumps(got, JSON_INDENT(1)), *b = json_dumps(want, JSON_INDENT(1));
        print_error("%s: got %s\nwant %s\n", name, a, b);
    }
    kubeconfig_free(config);
    json_decref(got);
    json_decref(want);
    return equal;
}

static void test_cases(void **state) {
    DIR *dir = opendir(DATA);
    int cases = 0, wrong = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        wrong += !run_case(entry->d_name);
        cases++;
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_true(cases >= 50);
}

/* A folder of its own for a test, and what lies in it. */
struct scratch {
    char root[64];
};

static int set_up(void **state) {
    struct scratch *s = XNEW(struct scratch);

    snprintf(s->root, sizeof(s->root), "/tmp/test_kubeconfig.XXXXXX");
    assert_non_null(mkdtemp(s->root));
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    unsetenv("KUBECONFIG");
    setenv("HOME", s->root, 1);
    *state = s;
    return 0;
}

/* Makes a file below the scratch folder with the folders that lead to it; returns its path, owned by the
 * caller. */
static char *make(const struct scratch *s, const char *name, const char *text) {
    char *path = xasprintf("%s/%s", s->root, name);

    for (char *p = path + strlen(s->root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static int tear_down(void **state) {
    static const char *const names[] = {"var/run/secrets/kubernetes.io/serviceaccount/token",
                                        "var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
                                        "var/run/secrets/kubernetes.io/serviceaccount/namespace",
                                        "var/run/secrets/kubernetes.io/serviceaccount",
                                        "var/run/secrets/kubernetes.io",
                                        "var/run/secrets",
                                        "var/run",
                                        "var",
                                        ".kube/config",
                                        ".kube",
                                        "a",
                                        "b",
                                        ""};
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *path = xasprintf("%s/%s", s->root, names[i]);
        remove(path);
    }
    free(s);
    return 0;
}

#define ACCOUNT "var/run/secrets/kubernetes.io/serviceaccount/"

static void test_in_cluster(void **state) {
    const struct scratch *s = *state;
    cleanup_free char *token = make(s, ACCOUNT "token", "tok"), *ca = make(s, ACCOUNT "ca.crt", PEM);
    cleanup_free char *ns = make(s, ACCOUNT "namespace", "ops\n");
    struct kubeconfig *c = NULL;

    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(kubeconfig_in_cluster(s->root, &c, NULL), 0);
    assert_string_equal(c->server, "https://10.0.0.1:443");
    assert_string_equal(c->token_file, token);
    assert_string_equal(c->ca_file, ca);
    assert_string_equal(c->ca_pem, PEM);
    assert_string_equal(c->namespace_, "ops");
    assert_string_equal(c->source, "in-cluster");
    assert_null(c->token);
    kubeconfig_free(c);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    unlink(ns);
    assert_int_equal(kubeconfig_in_cluster(s->root, &c, NULL), 0);
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->namespace_, "default");
    kubeconfig_free(c);
}

static void expect_in_cluster(const struct scratch *s, int code, const char *part) {
    struct kubeconfig *c = NULL;
    struct err err = {0};

    assert_int_equal(kubeconfig_in_cluster(s->root, &c, &err), code);
    assert_null(c);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static void test_in_cluster_errors(void **state) {
    const struct scratch *s = *state;

    expect_in_cluster(s, -ENOENT, "KUBERNETES_SERVICE_HOST is not set");
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    expect_in_cluster(s, -EINVAL, "KUBERNETES_SERVICE_PORT is \"\"");
    setenv("KUBERNETES_SERVICE_PORT", "tcp://x", 1);
    expect_in_cluster(s, -EINVAL, "KUBERNETES_SERVICE_PORT is \"tcp://x\"");
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    expect_in_cluster(s, -ENOENT, "automountServiceAccountToken");
    free(make(s, ACCOUNT "token", "tok"));
    expect_in_cluster(s, -ENOENT, "ca.crt");
    free(make(s, ACCOUNT "ca.crt", "rubbish"));
    expect_in_cluster(s, -EINVAL, "no PEM text");
    setenv("KUBERNETES_SERVICE_HOST", "a b", 1);
    expect_in_cluster(s, -EINVAL, "KUBERNETES_SERVICE_HOST: ");
}

#define CONFIG(context, server)                                                                              \
    "current-context: " context "\ncontexts: [{name: " context ", context: {cluster: " context               \
    ", user: u}}]\nclusters: [{name: " context ", cluster: {server: \"" server                               \
    "\"}}]\nusers: [{name: u, user: {token: " context "}}]\n"

static void expect_found(const char *path, const char *context, const char *server, const char *token) {
    struct kubeconfig *c = NULL;
    struct err err = {0};

    if (kubeconfig_find(path, context, &c, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(c->server, server);
    assert_string_equal(c->token, token);
    kubeconfig_free(c);
}

static void test_find(void **state) {
    const struct scratch *s = *state;
    cleanup_free char *a = make(s, "a", CONFIG("a", "https://a")),
                      *b = make(s, "b", CONFIG("b", "https://b"));
    cleanup_free char *home = make(s, ".kube/config", CONFIG("home", "https://home"));
    cleanup_free char *list = xasprintf("/nonexistent::%s:%s", a, b);

    expect_found(NULL, NULL, "https://home", "home");
    setenv("KUBECONFIG", list, 1);
    expect_found(NULL, NULL, "https://a", "a");
    /* from the second file; its user is the first file's, who has the name first */
    expect_found(NULL, "b", "https://b", "a");
    expect_found(b, NULL, "https://b", "b");
    /* a variable alone makes no pod */
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    expect_found(NULL, NULL, "https://a", "a");
}

static void test_find_nothing(void **state) {
    const struct scratch *s = *state;
    struct kubeconfig *c = NULL;
    struct err err = {0};

    assert_int_equal(kubeconfig_find(NULL, NULL, &c, &err), -ENOENT);
    assert_non_null(strstr(err.text, "--kubeconfig FILE"));
    assert_non_null(strstr(err.text, s->root));
    setenv("KUBECONFIG", "/nonexistent/a:/nonexistent/b", 1);
    assert_int_equal(kubeconfig_find(NULL, NULL, &c, &err), -ENOENT);
    assert_string_equal(err.text, "KUBECONFIG is \"/nonexistent/a:/nonexistent/b\": there is no such file");
    assert_int_equal(kubeconfig_find("/nonexistent/x", NULL, &c, &err), -ENOENT);
    assert_string_equal(err.text, "/nonexistent/x: No such file or directory");
    kubeconfig_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test_setup_teardown(test_in_cluster, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_cluster_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
