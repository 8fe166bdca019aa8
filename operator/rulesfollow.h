/* The rules that `run` serves, followed while it runs: a file (--rules) or a ConfigMap (--rules-configmap). A
 * bad configuration is refused with its line, the last good one stays. */
#ifndef OPERATOR_RULESFOLLOW_H
#define OPERATOR_RULESFOLLOW_H

#include "adapter/ruleset.h"
#include "api/client/kube.h"

struct rulesfollow;

/* Where the rules are: exactly one of these. */
struct rulesfollow_place {
    const char *file;
    const char *configmap; /* "NS/NAME"; the key config.yaml, or else the only one that there is */
};

/* A file that cannot be read or is wrong at the start is an error (-EINVAL "FILE:LINE: …", as
 * prometheus-adapter refuses to start); a ConfigMap may come later. Copies place, borrows all else; owned. */
int rulesfollow_new(struct loop *loop, struct kube *kube, struct ruleset *ruleset,
                    const struct rulesfollow_place *place, struct rulesfollow **ret_follow, struct err *err);
void rulesfollow_free(struct rulesfollow *follow);
/* Why the newest configuration is not in force; code 0: it is. Borrowed. */
const struct err *rulesfollow_error(const struct rulesfollow *follow);

struct rulesfollow_stats {
    uint64_t loads, refused;
    usec_t last_load; /* wall time of the one in force; 0: none */
};
void rulesfollow_stats(const struct rulesfollow *follow, struct rulesfollow_stats *ret_stats);

#endif
