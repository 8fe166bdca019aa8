/* Which pods are the target's own. */
#include "autoscaler/owners.h"

uint32_t owners_filter(const struct pod **pods, uint32_t count, const struct owner_target *target,
                       owner_find_fn *find, void *arg) {
    (void)pods, (void)target, (void)find, (void)arg;
    return count;
}
