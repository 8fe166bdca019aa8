/* Pause: stops changes in one direction or both, or fixes the number. It acts last, so that neither a window
 * of the past nor a bound moves a paused workload; the metrics are read and remembered as ever. */
#include "autoscaler/stages.h"

bool pause_in_force(const struct policy_spec *spec, usec_t now) {
    return spec->has_pause && (spec->pause.until == 0 || now < spec->pause.until);
}

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
