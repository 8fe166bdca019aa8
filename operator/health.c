/* The HTTP port: which path is whose. */
#include "operator/health.h"

#include "base/str.h"
#include "operator/decisions.h"

static int ready(const struct health *h, struct buf *body) {
    if (autoscaler_ready(h->autoscaler)) {
        buf_puts(body, "ok\n");
        return 200;
    }
    const struct err *err = autoscaler_error(h->autoscaler);
    buf_printf(body, "not ready: the policies are not in memory yet%s%s\n", err->code ? ": " : "",
               err->code ? err_text(err) : "");
    return 503;
}

int health_serve(void *arg, const struct httpserver_request *request, struct buf *body,
                 const char **content_type) {
    const struct health *h = arg;

    if (str_eq(request->path, "/livez") || str_eq(request->path, "/healthz")) {
        buf_puts(body, "ok\n");
        return 200;
    }
    if (str_eq(request->path, "/readyz"))
        return ready(h, body);
    if (str_eq(request->path, "/metrics")) {
        *content_type = "text/plain; version=0.0.4; charset=utf-8";
        selfmetrics_write(h, body);
        return 200;
    }
    if (decisions_path(request->path))
        return decisions_serve(h->autoscaler, request, clock_wall(), body, content_type);
    buf_puts(body, "not found: try /healthz /livez /readyz /metrics /decisions/NAMESPACE/NAME\n");
    return 404;
}
