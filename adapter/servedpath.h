/* What a request's path is, and what asking for it means to those who grant rights. Pure. */
#ifndef ADAPTER_SERVEDPATH_H
#define ADAPTER_SERVEDPATH_H

#include "adapter/accessaction.h"
#include "adapter/metricsroute.h"

enum served_path {
    PATH_METRICS,  /* a metric: route tells which */
    PATH_WRONG,    /* within one of the metrics APIs, and wrong; err tells */
    PATH_DOCUMENT, /* anything else: discovery, OpenAPI, version, or nothing at all */
    PATH_HEALTH,   /* /healthz, /livez, /readyz, and checks below them; /metrics, the process's own */
};

struct served {
    enum served_path kind;
    const char *path;           /* target without its query, still encoded */
    struct metrics_route route; /* of METRICS, the query read as well; of WRONG and others zero */
    struct access_action action;
    int wrong; /* of METRICS and WRONG: the code of err (-EINVAL: its query or path is wrong), else 0 */
};

/* Reads a request's target ("/apis/…?labelSelector=…"). Never fails: a target that is wrong is told in
 * ret_served->wrong and err, so that rights can be asked for first. Texts live in arena. */
void served_read(const char *target, struct arena *arena, struct served *ret_served, struct err *err);

#endif
