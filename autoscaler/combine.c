/* Combine: the largest proposal wins (HPA's computeReplicasForMetrics). Data that is missing never scales
 * down: with a failed metric the others count only where they do not ask for less than there is. */
#include "autoscaler/stages.h"

void combine_max(const struct proposal *proposals, uint32_t count, int32_t current,
                 struct combined *ret_combined) {
    struct combined c = {0};
    uint32_t ignored = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct proposal *p = &proposals[i];
        if (p->ignored) {
            ignored++;
        } else if (!p->valid) {
            c.first_invalid = c.invalid++ == 0 ? i : c.first_invalid;
        } else if (c.replicas == 0 || p->replicas > c.replicas) {
            /* Ties keep the first name, but while the best is 0 a later one replaces it. */
            c.replicas = p->replicas;
            c.best = i;
        }
    }
    /* The raw proposal is compared, before windows and bounds, as in HPA. What is ignored does not stand in
     * the way of the others; with nothing but that there is no answer. */
    c.failed = c.invalid + ignored == count || (c.invalid > 0 && c.replicas < current);
    /* What is negative (from a negative value) asks for none; neither windows nor bounds see it. */
    if (c.replicas < 0)
        c.replicas = 0;
    *ret_combined = c;
}
