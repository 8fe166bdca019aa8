/* What a credential plugin prints: an ExecCredential, of which status counts alone. What is refused is what
 * client-go refuses (plugin/pkg/client/auth/exec), so that a plugin that works with kubectl works here. */
#include "api/client/exec_plugin.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>

static void cleanup_json_p(json_t **j) {
    json_decref(*j);
}

/* Not memset, which a compiler may leave out in front of a free. */
static void wipe(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void exec_credential_done(struct exec_credential *credential) {
    wipe(credential->token);
    wipe(credential->cert_pem);
    wipe(credential->key_pem);
    *credential = (struct exec_credential){0};
}

/* The version is the one that the plugin was told in KUBERNETES_EXEC_INFO; another one may mean another thing
 * by the same fields. */
static int check_head(const json_t *root, const char *api_version, struct err *err) {
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const char *version = json_string_value(json_object_get(root, "apiVersion"));

    if (!str_eq(kind, "ExecCredential"))
        return err_set(err, -EBADMSG, "it printed kind \"%.60s\", not ExecCredential", str_or_empty(kind));
    if (!str_eq(version, api_version))
        return err_set(err, -EBADMSG, "it printed apiVersion \"%.60s\" where the kubeconfig says %s",
                       str_or_empty(version), api_version);
    if (!json_is_object(json_object_get(root, "status")))
        return err_set(err, -EBADMSG, "what it printed has no status");
    return 0;
}

/* A text field of status, NULL where it is absent or empty. */
static char *take(const json_t *status, const char *field) {
    const char *text = json_string_value(json_object_get(status, field));

    return text && text[0] ? xstrdup(text) : NULL;
}

static int take_expiry(const json_t *status, usec_t *ret_expires, struct err *err) {
    const json_t *field = json_object_get(status, "expirationTimestamp");

    if (!field || json_is_null(field))
        return 0;
    if (!json_is_string(field) || clock_parse(json_string_value(field), ret_expires) < 0)
        return err_set(err, -EBADMSG, "status.expirationTimestamp is not a time in RFC 3339");
    return 0;
}

/* Both kinds may come together: then the token goes into the header, and the certificate into the handshake.
 * What was taken before a failure is freed by the caller. */
static int take_status(const json_t *status, struct exec_credential *cred, struct err *err) {
    cred->token = take(status, "token");
    cred->cert_pem = take(status, "clientCertificateData");
    cred->key_pem = take(status, "clientKeyData");
    if (!cred->token && !cred->cert_pem)
        return err_set(err, -EBADMSG, "status has neither token nor clientCertificateData");
    if (!cred->cert_pem != !cred->key_pem)
        return err_set(err, -EBADMSG, "status has only one of clientCertificateData and clientKeyData");
    return take_expiry(status, &cred->expires, err);
}

int exec_credential_parse(const char *text, size_t len, const char *api_version,
                          struct exec_credential *ret_credential, struct err *err) {
    struct exec_credential cred = {0};
    json_error_t problem;
    /* Without JSON_ALLOW_NUL: a token with one in it is refused and not cut. */
    cleanup(cleanup_json_p) json_t *root = json_loadb(text, len, 0, &problem);

    if (!root)
        return err_set(err, -EBADMSG, "what it printed is not JSON: %s (line %d)", problem.text,
                       problem.line);
    int r = check_head(root, api_version, err);
    if (r == 0)
        r = take_status(json_object_get(root, "status"), &cred, err);
    if (r == 0)
        *ret_credential = cred;
    else
        exec_credential_done(&cred);
    return r;
}
