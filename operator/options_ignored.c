/* Flags of prometheus-adapter 0.12 and metrics-server 0.9 that mean nothing here: of what they do for being
 * apiservers of the generic library, of its audit, and of klog. Their --help has them all. */
#include "operator/options_ignored.h"

#include "base/str.h"
#include <stddef.h>

/* takes_value must be right: with it the next argument is passed over, whatever it looks like, as pflag does;
 * without it that one is read as a flag. */
static const struct {
    const char *name;
    bool takes_value;
} ignored[] = {
    {"advertise-address", true},
    {"alsologtostderr", false},
    {"audit-log-batch-buffer-size", true},
    {"audit-log-batch-max-size", true},
    {"audit-log-batch-max-wait", true},
    {"audit-log-batch-throttle-burst", true},
    {"audit-log-batch-throttle-enable", false},
    {"audit-log-batch-throttle-qps", true},
    {"audit-log-compress", false},
    {"audit-log-format", true},
    {"audit-log-maxage", true},
    {"audit-log-maxbackup", true},
    {"audit-log-maxsize", true},
    {"audit-log-mode", true},
    {"audit-log-path", true},
    {"audit-log-truncate-enabled", false},
    {"audit-log-truncate-max-batch-size", true},
    {"audit-log-truncate-max-event-size", true},
    {"audit-log-version", true},
    {"audit-policy-file", true},
    {"audit-webhook-batch-buffer-size", true},
    {"audit-webhook-batch-max-size", true},
    {"audit-webhook-batch-max-wait", true},
    {"audit-webhook-batch-throttle-burst", true},
    {"audit-webhook-batch-throttle-enable", false},
    {"audit-webhook-batch-throttle-qps", true},
    {"audit-webhook-config-file", true},
    {"audit-webhook-initial-backoff", true},
    {"audit-webhook-mode", true},
    {"audit-webhook-truncate-enabled", false},
    {"audit-webhook-truncate-max-batch-size", true},
    {"audit-webhook-truncate-max-event-size", true},
    {"audit-webhook-version", true},
    {"authentication-kubeconfig", true},
    {"authorization-kubeconfig", true},
    {"client-burst", true},
    {"client-qps", true},
    {"contention-profiling", false},
    {"cors-allowed-origins", true},
    {"debug-socket-path", true},
    {"disable-http2", false},
    {"disable-http2-serving", false},
    {"discovery-interval", true},
    {"emulated-version", true},
    {"emulation-forward-compatible", false},
    {"enable-priority-and-fairness", false},
    {"external-hostname", true},
    {"feature-gates", true},
    {"goaway-chance", true},
    {"http2-max-streams-per-connection", true},
    {"lister-kubeconfig", true},
    {"livez-grace-period", true},
    {"log-flush-frequency", true},
    {"log-json-info-buffer-size", true},
    {"log-json-split-stream", false},
    {"log-text-info-buffer-size", true},
    {"log-text-split-stream", false},
    {"logging-format", true},
    {"logtostderr", false},
    {"max-mutating-requests-inflight", true},
    {"max-requests-inflight", true},
    {"min-compatibility-version", true},
    {"min-request-timeout", true},
    {"permit-address-sharing", false},
    {"permit-port-sharing", false},
    {"profiling", false},
    {"prometheus-auth-incluster", false},
    {"request-timeout", true},
    {"requestheader-uid-headers", true},
    {"runtime-config-emulation-forward-compatible", false},
    {"shutdown-delay-duration", true},
    {"shutdown-send-retry-after", false},
    {"shutdown-watch-termination-grace-period", true},
    {"stderrthreshold", true},
    {"storage-initialization-timeout", true},
    {"strict-transport-security-directives", true},
    {"tls-cipher-suites", true},
    {"tls-curve-preferences", true},
    {"v", true},
    {"vmodule", true},
};

bool options_ignored(const char *name, bool *ret_takes_value) {
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        if (str_eq(ignored[i].name, name)) {
            *ret_takes_value = ignored[i].takes_value;
            return true;
        }
    }
    return false;
}
