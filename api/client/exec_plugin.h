/* Credential plugins as client-go runs them (client.authentication.k8s.io/v1 and v1beta1): a command that
 * prints an ExecCredential. */
#ifndef API_CLIENT_EXEC_PLUGIN_H
#define API_CLIENT_EXEC_PLUGIN_H

#include "api/client/kubeconfig.h"
#include "net/loop.h"

struct exec_credential {
    char *token;              /* or NULL */
    char *cert_pem, *key_pem; /* both or none */
    usec_t expires;           /* wall clock; 0: not said */
};

void exec_credential_done(struct exec_credential *credential);
/* Reads what a plugin printed: 0, or -EBADMSG with what is wrong. Pure. */
int exec_credential_parse(const char *text, size_t len, const char *api_version,
                          struct exec_credential *ret_credential, struct err *err);

struct exec_plugin;

/* err is NULL where it went well; then credential's contents may be taken over (fields set to NULL), else
 * what is left is freed after the call. */
typedef void exec_done_fn(void *arg, struct exec_credential *credential, const struct err *err);

/* Borrows loop and config; owned by the caller. */
struct exec_plugin *exec_plugin_new(struct loop *loop, const struct kubeconfig *config, exec_done_fn *done,
                                    void *arg);
/* Kills what is running. NULL is allowed. */
void exec_plugin_free(struct exec_plugin *plugin);
/* Starts the command unless it runs already; done is called once for it, on a later turn. Output is taken up
 * to 1 MiB; after 60 s (or timeout, where it is not 0) it is killed with all of its process group. */
void exec_plugin_run(struct exec_plugin *plugin, usec_t timeout);
bool exec_plugin_running(const struct exec_plugin *plugin);

#endif
