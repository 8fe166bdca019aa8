/* Credentials over time: rotating files, and credential plugins as small shell scripts that are really run.
 */
#include "api/client/auth.h"
#include "api/client/exec_plugin.h"
#include "api/client/kubeconfig_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define V1 "client.authentication.k8s.io/v1"
#define HEAD "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"

struct fixture {
    struct loop *loop;
    struct kubeconfig *config;
    struct auth *auth;
    char folder[64];
    int woken;
    bool flag;
};

static int set_up(void **state) {
    struct fixture *f = XNEW(struct fixture);

    assert_int_equal(loop_new(&f->loop, NULL), 0);
    f->config = kubeconfig_alloc();
    f->config->source = "test";
    f->config->server = "https://kube.example:6443";
    snprintf(f->folder, sizeof(f->folder), "/tmp/test_auth.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

/* "folder/name", good until the test ends. */
static const char *at(struct fixture *f, const char *name) {
    return arena_printf(&f->config->arena, "%s/%s", f->folder, name);
}

static int tear_down(void **state) {
    static const char *const names[] = {"token", "ca",   "cert",  "key", "plugin", "runs",
                                        "out",   "pids", ".next", "env", ""};
    struct fixture *f = *state;

    auth_free(f->auth);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(at(f, names[i]));
    loop_free(f->loop);
    kubeconfig_free(f->config);
    free(f);
    return 0;
}

/* Writes a file as tools do: beside it, then over it. */
static const char *write_file(struct fixture *f, const char *name, const char *text) {
    const char *path = at(f, name), *next = at(f, ".next");
    FILE *file = fopen(next, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(next, path), 0);
    return path;
}

/* How often the plugin has run: it appends a character to "runs". */
static int runs(struct fixture *f) {
    struct stat st;

    return stat(at(f, "runs"), &st) == 0 ? (int)st.st_size : 0;
}

/* Makes body the plugin. It runs in the fixture's folder. */
static void use_plugin(struct fixture *f, const char *body) {
    cleanup_free char *text = xasprintf("#!/bin/sh\ncd '%s'\nprintf x >>runs\n%s\n", f->folder, body);

    f->config->exec.command = write_file(f, "plugin", text);
    f->config->exec.api_version = V1;
    chmod(f->config->exec.command, 0700);
}

static void begin(struct fixture *f) {
    auth_free(f->auth);
    f->auth = auth_new(f->loop, f->config);
}

static void on_woken(void *arg) {
    struct fixture *f = arg;

    f->woken++;
    f->flag = true;
}

static void wait_for(struct fixture *f, const bool *flag) {
    usec_t end = clock_mono() + 20 * USEC_PER_SEC;

    while (!*flag && clock_mono() < end)
        loop_turn(f->loop, 50 * USEC_PER_MSEC);
    assert_true(*flag);
}

/* auth_get, once more after each run of the plugin. */
static int get(struct fixture *f, struct identity **ret_identity, struct err *err) {
    int r = -EAGAIN;

    for (int i = 0; i < 3 && r == -EAGAIN; i++) {
        r = auth_get(f->auth, ret_identity, err);
        if (r != -EAGAIN)
            break;
        struct auth_waiter waiter = {.fn = on_woken, .arg = f};
        f->flag = false;
        auth_wait(f->auth, &waiter);
        wait_for(f, &f->flag);
    }
    return r;
}

static void expect_header(struct fixture *f, const char *want) {
    struct identity *identity = NULL;
    struct err err = {0};

    if (get(f, &identity, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(str_or_empty(identity->authorization), want);
    identity_unref(identity);
}

static void expect_failure(struct fixture *f, int code, const char *part) {
    struct identity *identity = NULL;
    struct err err = {0};

    assert_int_equal(get(f, &identity, &err), code);
    assert_null(identity);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static void test_token_file_is_followed(void **state) {
    struct fixture *f = *state;

    f->config->token_file = write_file(f, "token", "one\n");
    f->config->token = "inline";
    begin(f);
    expect_header(f, "Authorization: Bearer one");
    write_file(f, "token", "two");
    expect_header(f, "Authorization: Bearer two");
    /* what was read stays good while the file is gone or empty */
    write_file(f, "token", "  \n");
    expect_header(f, "Authorization: Bearer two");
    unlink(f->config->token_file);
    expect_header(f, "Authorization: Bearer two");
    write_file(f, "token", "three");
    expect_header(f, "Authorization: Bearer three");
}

static void test_token_file_missing(void **state) {
    struct fixture *f = *state;

    f->config->token_file = at(f, "token");
    begin(f);
    expect_failure(f, -ENOENT, "tokenFile: ");
    write_file(f, "token", "a\r\nX-Injected: 1");
    expect_failure(f, -EINVAL, "other than printable ASCII");
    write_file(f, "token", "good");
    expect_header(f, "Authorization: Bearer good");
    unlink(f->config->token_file);
    f->config->token = "inline";
    begin(f);
    expect_header(f, "Authorization: Bearer inline");
}

static void test_token_file_too_large(void **state) {
    struct fixture *f = *state;
    cleanup_free char *text = xasprintf("%01100000d", 0);

    f->config->token_file = write_file(f, "token", text);
    begin(f);
    expect_failure(f, -E2BIG, "larger than 1048576 bytes");
}

static void test_certificates_are_followed(void **state) {
    struct fixture *f = *state;
    struct identity *one = NULL, *same = NULL, *two = NULL;

    f->config->ca_pem = f->config->cert_pem = f->config->key_pem = "read at the start";
    f->config->ca_file = write_file(f, "ca", "ca 1");
    f->config->cert_file = write_file(f, "cert", "cert 1");
    f->config->key_file = write_file(f, "key", "key 1");
    f->config->token_file = write_file(f, "token", "t1");
    f->config->server_name = "name";
    begin(f);
    assert_int_equal(get(f, &one, NULL), 0);
    assert_string_equal(one->tls->ca_pem, "ca 1");
    assert_string_equal(one->tls->cert_pem, "cert 1");
    assert_string_equal(one->tls->key_pem, "key 1");
    assert_string_equal(one->tls->server_name, "name");
    assert_null(one->tls->cert_file);
    /* another token, the same TLS settings: the same object */
    write_file(f, "token", "t2");
    assert_int_equal(get(f, &same, NULL), 0);
    assert_ptr_equal(same->tls, one->tls);
    assert_string_equal(same->authorization, "Authorization: Bearer t2");
    write_file(f, "cert", "cert 2");
    assert_int_equal(get(f, &two, NULL), 0);
    assert_string_equal(two->tls->cert_pem, "cert 2");
    assert_string_equal(one->tls->cert_pem, "cert 1"); /* who began with it keeps it */
    identity_unref(one);
    identity_unref(same);
    identity_unref(two);
}

static void test_refused_reads_again(void **state) {
    struct fixture *f = *state;
    struct identity *identity = NULL;

    f->config->token = "inline";
    begin(f);
    assert_int_equal(get(f, &identity, NULL), 0);
    assert_false(auth_refused(f->auth, identity)); /* nothing to read anew */
    identity_unref(identity);
    f->config->token_file = write_file(f, "token", "one");
    begin(f);
    assert_int_equal(get(f, &identity, NULL), 0);
    assert_true(auth_refused(f->auth, identity));
    identity_unref(identity);
    expect_header(f, "Authorization: Bearer one");
}

static void test_plugin_token(void **state) {
    struct fixture *f = *state;

    use_plugin(f, "echo '" HEAD "{\"token\":\"from-plugin\"}}'");
    begin(f);
    expect_header(f, "Authorization: Bearer from-plugin");
    expect_header(f, "Authorization: Bearer from-plugin");
    assert_int_equal(runs(f), 1);
}

static void test_plugin_certificate(void **state) {
    struct fixture *f = *state;
    struct identity *identity = NULL;

    use_plugin(f, "echo '" HEAD "{\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\"}}'");
    begin(f);
    assert_int_equal(get(f, &identity, NULL), 0);
    assert_null(identity->authorization);
    assert_string_equal(identity->tls->cert_pem, "C");
    assert_string_equal(identity->tls->key_pem, "K");
    identity_unref(identity);
}

static void test_inline_token_goes_before_plugin(void **state) {
    struct fixture *f = *state;

    use_plugin(f, "exit 1");
    f->config->token = "inline";
    begin(f);
    expect_header(f, "Authorization: Bearer inline");
    assert_int_equal(runs(f), 0);
}

/* Prints t1, t2, ... by the number of its runs. */
#define COUNTING(expiry) "echo '" HEAD "{\"token\":\"t'$(wc -c <runs | tr -d ' ')'\"" expiry "}}'"

static void test_plugin_expiry(void **state) {
    struct fixture *f = *state;
    bool over = false;

    use_plugin(f, COUNTING(",\"expirationTimestamp\":\"2099-01-01T00:00:00Z\""));
    begin(f);
    expect_header(f, "Authorization: Bearer t1");
    expect_header(f, "Authorization: Bearer t1");
    /* expired as it arrives: used all the same for a second, then the plugin is run again */
    use_plugin(f, COUNTING(",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\""));
    begin(f);
    expect_header(f, "Authorization: Bearer t2");
    for (usec_t end = clock_mono() + 1100 * USEC_PER_MSEC; !over; over = clock_mono() > end)
        loop_turn(f->loop, 50 * USEC_PER_MSEC);
    expect_header(f, "Authorization: Bearer t3");
}

static void test_plugin_runs_again_after_401(void **state) {
    struct fixture *f = *state;
    struct identity *first = NULL, *second = NULL;

    use_plugin(f, COUNTING(""));
    begin(f);
    assert_int_equal(get(f, &first, NULL), 0);
    assert_true(auth_refused(f->auth, first));
    assert_int_equal(get(f, &second, NULL), 0);
    assert_string_equal(second->authorization, "Authorization: Bearer t2");
    /* a late 401 to the old one only means: take the new one */
    assert_true(auth_refused(f->auth, first));
    expect_header(f, "Authorization: Bearer t2");
    /* refused at once again: not in a circle */
    assert_false(auth_refused(f->auth, second));
    expect_header(f, "Authorization: Bearer t2");
    assert_int_equal(runs(f), 2);
    identity_unref(first);
    identity_unref(second);
}

static void test_plugin_waiters(void **state) {
    struct fixture *f = *state;
    struct auth_waiter a = {.fn = on_woken, .arg = f}, b = a, c = a;
    struct identity *identity = NULL;

    use_plugin(f, "echo '" HEAD "{\"token\":\"t\"}}'");
    begin(f);
    assert_int_equal(auth_get(f->auth, &identity, NULL), -EAGAIN);
    assert_int_equal(auth_get(f->auth, &identity, NULL), -EAGAIN);
    auth_wait(f->auth, &a);
    auth_wait(f->auth, &b);
    auth_wait(f->auth, &c);
    auth_unwait(&b);
    auth_unwait(&b);
    assert_int_equal(f->woken, 0);
    wait_for(f, &f->flag);
    assert_int_equal(f->woken, 2);
    assert_int_equal(runs(f), 1);
}

/* Plugins that fail: the script, and what the message must hold. */
static const struct {
    const char *body, *hint, *part;
} failures[] = {
    {"echo 'you are not logged in' >&2; echo more >&2; exit 3", NULL,
     "ended with exit code 3: you are not logged in"},
    {"exit 3", "get it from its vendor", "ended with exit code 3 - get it from its vendor"},
    {"kill -9 $$", NULL, "was ended by signal 9"},
    {":", NULL, "not JSON"},
    {"echo '{\"kind\":\"Other\"}'", NULL, "kind \"Other\", not ExecCredential"},
    {"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'", NULL,
     "apiVersion \"client.authentication.k8s.io/v1beta1\" where the kubeconfig says " V1},
    {"echo '" HEAD "null}'", NULL, "has no status"},
    {"echo '" HEAD "{}}'", NULL, "neither token nor clientCertificateData"},
    {"echo '" HEAD "{\"clientCertificateData\":\"C\"}}'", NULL, "only one of"},
    {"echo '" HEAD "{\"token\":\"t\",\"expirationTimestamp\":\"soon\"}}'", NULL, "expirationTimestamp"},
    {"head -c 2000000 /dev/zero", NULL, "printed more than 1048576 bytes"},
    {"head -c 2000000 /dev/zero >&2; exit 1", NULL, "exit code 1"},
};

static void test_plugin_failures(void **state) {
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        use_plugin(f, failures[i].body);
        f->config->exec.install_hint = failures[i].hint;
        begin(f);
        expect_failure(f, -EACCES, failures[i].part);
        expect_failure(f, -EACCES, f->config->exec.command);
        /* a failure counts for a while: the second question has not run it again */
        assert_int_equal(runs(f), (int)i + 1);
    }
}

static void test_plugin_that_is_not_there(void **state) {
    struct fixture *f = *state;

    f->config->exec.command = at(f, "plugin");
    f->config->exec.api_version = V1;
    f->config->exec.install_hint = "try our package";
    begin(f);
    expect_failure(f, -ENOENT, "No such file or directory - try our package");
}

static void test_plugin_environment(void **state) {
    static const char *const env[] = {"HOME=/elsewhere", "EXTRA=a=b", NULL};
    static const char *const args[] = {"one", "two words", NULL};
    struct fixture *f = *state;
    char text[4096];

    setenv("HOME", "/home/of/test", 1);
    setenv("KEPT", "kept", 1);
    setenv("KUBERNETES_EXEC_INFO", "from the caller", 1);
    f->config->exec.env = env;
    f->config->exec.args = args;
    f->config->exec.provide_cluster_info = true;
    f->config->ca_pem = "pem";
    use_plugin(f, "env >env; printf '%s|' \"$@\" >>env; cat >>env; echo '" HEAD "{\"token\":\"t\"}}'");
    begin(f);
    expect_header(f, "Authorization: Bearer t");
    FILE *file = fopen(at(f, "env"), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unsetenv("KUBERNETES_EXEC_INFO");
    static const char *const parts[] = {
        "HOME=/elsewhere\n", "EXTRA=a=b\n", "KEPT=kept\n", "one|two words|",
        "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
        "\",\"spec\":{\"interactive\":"
        "false,\"cluster\":{\"server\":\"https://"
        "kube.example:6443\",\"certificate-authority-data\":\"cGVt\"}}}\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(text, parts[i]))
            fail_msg("\"%s\" is not in: %s", parts[i], text);
    assert_null(strstr(text, "/home/of/test"));
    assert_null(strstr(text, "from the caller"));
}

/* Signals that we block or ignore are at their defaults in the plugin. */
static void test_plugin_signals(void **state) {
    struct fixture *f = *state;
    sigset_t term, before;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    signal(SIGPIPE, SIG_IGN);
    use_plugin(f, "for mask in $(sed -n 's/^Sig[BI][lg][kn]://p' /proc/$$/status); do\n"
                  "[ $((0x$mask & 0x5000)) = 0 ] || exit 1; done\n"
                  "echo '" HEAD "{\"token\":\"t\"}}'");
    begin(f);
    expect_header(f, "Authorization: Bearer t");
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* The end of the plugin counts, not the end of a child that holds its output open. */
static void test_plugin_leaves_a_child(void **state) {
    struct fixture *f = *state;

    use_plugin(f, "sleep 300 & echo $! >pids; echo '" HEAD "{\"token\":\"t\"}}'");
    begin(f);
    expect_header(f, "Authorization: Bearer t");
    FILE *file = fopen(at(f, "pids"), "r");
    char line[32] = "";
    int64_t pid = 0;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    assert_int_equal(str_to_i64(line, &pid), 0);
    kill((pid_t)pid, SIGKILL);
}

static void on_plugin_done(void *arg, struct exec_credential *credential, const struct err *err) {
    struct fixture *f = arg;

    assert_null(credential);
    assert_non_null(strstr(err->text, "did not end in time and was killed: waiting"));
    f->flag = true;
}

static void test_plugin_timeout(void **state) {
    struct fixture *f = *state;

    use_plugin(f, "echo waiting >&2; sleep 300");
    struct exec_plugin *plugin = exec_plugin_new(f->loop, f->config, on_plugin_done, f);
    exec_plugin_run(plugin, 300 * USEC_PER_MSEC);
    exec_plugin_run(plugin, 0); /* it runs already */
    assert_true(exec_plugin_running(plugin));
    wait_for(f, &f->flag);
    assert_false(exec_plugin_running(plugin));
    assert_int_equal(runs(f), 1);
    exec_plugin_free(plugin);
}

static void test_free_while_plugin_runs(void **state) {
    struct fixture *f = *state;
    struct auth_waiter waiter = {.fn = on_woken, .arg = f};
    struct identity *identity = NULL;

    use_plugin(f, "sleep 300");
    begin(f);
    assert_int_equal(auth_get(f->auth, &identity, NULL), -EAGAIN);
    auth_wait(f->auth, &waiter);
    auth_free(f->auth);
    f->auth = NULL;
    loop_turn(f->loop, USEC_PER_MSEC);
    assert_int_equal(f->woken, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_token_file_is_followed),
        TEST(test_token_file_missing),
        TEST(test_token_file_too_large),
        TEST(test_certificates_are_followed),
        TEST(test_refused_reads_again),
        TEST(test_plugin_token),
        TEST(test_plugin_certificate),
        TEST(test_inline_token_goes_before_plugin),
        TEST(test_plugin_expiry),
        TEST(test_plugin_runs_again_after_401),
        TEST(test_plugin_waiters),
        TEST(test_plugin_failures),
        TEST(test_plugin_that_is_not_there),
        TEST(test_plugin_environment),
        TEST(test_plugin_signals),
        TEST(test_plugin_leaves_a_child),
        TEST(test_plugin_timeout),
        TEST(test_free_while_plugin_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
