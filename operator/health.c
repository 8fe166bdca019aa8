/* The HTTP port: which path is whose. The secure port answers all but the decisions, too, in
 * the same words.
 *
 * /livez asks nothing: whoever gets an answer has a loop that turns. /readyz is not ready for what passes,
 * and what makes answers wrong until then: policies or series that are not read yet. What may last, and
 * leaves the rest in order, is a warning behind its "ok": were the pod taken out of its Service for it, all
 * metrics would be gone, the good ones too. */
#include "operator/health.h"

#include "base/str.h"
#include "operator/decisions.h"

/* Room for eight of the longest messages (ERR_TEXT_MAX); there are six reasons. */
enum { WHY_MAX = 4096 };

/* What cannot be followed decides nothing: with HorizontalPodAutoscalers, for one, no policy sees that
 * another scales its target. The apiserver's words name the right that is missing. */
static void warn_of_informer(void *arg, const struct resource *resource, const struct informer *informer) {
    const struct err *err = informer_error(informer);

    if (err->code)
        buf_printf(arg, "warning: %s%s%s cannot be followed: %s\n", resource->plural,
                   *resource->group ? "." : "", resource->group, err_text(err));
}

static int ready(const struct health *h, struct buf *body) {
    const struct err *err = autoscaler_error(h->autoscaler);
    cleanup_buf struct buf why;

    buf_init(&why, WHY_MAX);
    if (!autoscaler_ready(h->autoscaler))
        buf_printf(&why, "the policies are not in memory yet%s%s\n", err->code ? ": " : "",
                   err->code ? err_text(err) : "");
    serving_ready(h->serving, &why);
    if (why.len == 0) {
        buf_puts(body, "ok\n");
        informers_each(h->informers, warn_of_informer, body);
        serving_warnings(h->serving, body);
        return 200;
    }
    buf_printf(body, "not ready: %s", why.data);
    return 503;
}

bool health_serve_secure(void *arg, const char *path, struct buf *body, int *ret_status) {
    if (str_eq(path, "/readyz")) {
        *ret_status = ready(arg, body);
        return true;
    }
    *ret_status = 200;
    if (str_eq(path, "/metrics"))
        selfmetrics_write(arg, body);
    else if (str_eq(path, "/livez") || str_eq(path, "/healthz"))
        buf_puts(body, "ok\n");
    else
        return false;
    return true;
}

int health_serve(void *arg, const struct httpserver_request *request, struct buf *body,
                 const char **content_type) {
    const struct health *h = arg;

    int status = 404;

    /* Prometheus chooses its parser by the type; version 0.0.4 is the text format. */
    if (str_eq(request->path, "/metrics"))
        *content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (health_serve_secure(arg, request->path, body, &status))
        return status;
    if (decisions_path(request->path))
        return decisions_serve(h->autoscaler, request, clock_wall(), body, content_type);
    buf_puts(body, "not found: try /healthz /livez /readyz /metrics /decisions/NAMESPACE/NAME\n");
    return 404;
}
