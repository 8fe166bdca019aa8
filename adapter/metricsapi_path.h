/* What is asked of the metrics APIs, and the paths that ask for it, as HPA's clients write them. */
#ifndef ADAPTER_METRICSAPI_PATH_H
#define ADAPTER_METRICSAPI_PATH_H

#include "api/client/discovery.h"
#include "api/types/policy.h"

enum metrics_group { GROUP_RESOURCE, GROUP_CUSTOM, GROUP_EXTERNAL, METRICS_GROUPS };

struct metrics_group_info {
    const char *name;
    const char *versions[2]; /* the preferred one first; NULL: there is only one */
    const char *remedy;      /* what to do where the cluster does not serve it */
    const char *empty;       /* HPA's words for an empty list */
};
extern const struct metrics_group_info metrics_groups[METRICS_GROUPS];

/* One thing to ask for, shared by all who want the same. Texts are owned. */
struct metrics_question {
    enum metric_type type; /* METRIC_RESOURCE stands for METRIC_CONTAINER_RESOURCE, too */
    enum metrics_group group;
    char *ns;
    char *metric, *selector;         /* not of a Resource: its list holds everything */
    char *api_version, *kind, *name; /* of an Object */
    char *key;                       /* equal for equal questions */
};

/* Reads what metric asks for. -EINVAL says why it cannot be asked for at all. */
int metrics_question_init(struct metrics_question *q, const struct metric_spec *metric, const char *ns,
                          struct err *err);
void metrics_question_done(struct metrics_question *q);

/* More than any path can take: every part of it is bounded, and three bytes stand for one at most. */
enum { METRICS_PATH_MAX = 32 * 1024 };
/* Appends path and query, in this version of the group, to path (of METRICS_PATH_MAX bytes). Fails as
 * discovery_find does of an Object's kind: -EAGAIN, -ENOENT, others. */
int metrics_question_path(const struct metrics_question *q, const char *version, struct discovery *discovery,
                          struct buf *path, struct err *err);

#endif
