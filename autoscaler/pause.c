/* Pause: stops changes in one direction or both, or fixes the number. It acts last, so that neither a window
 * of the past nor a bound moves a paused workload; the metrics are read and remembered as ever. */
#include "autoscaler/stages.h"

/* until is the first moment at which scaling goes on; without it a pause ends by being removed. */
bool pause_in_force(const struct policy_spec *spec, usec_t now) {
    return spec->has_pause && (spec->pause.until == 0 || now < spec->pause.until);
}

/* A fixed number goes with Both alone (the reader sees to that), and may differ from both other numbers. */
int32_t pause_apply(const struct policy_spec *spec, int32_t current, int32_t desired) {
    switch (spec->pause.direction) {
    case PAUSE_UP:
        return desired > current ? current : desired;
    case PAUSE_DOWN:
        return desired < current ? current : desired;
    case PAUSE_BOTH:
        break;
    }
    return spec->pause.replicas >= 0 ? spec->pause.replicas : current;
}
