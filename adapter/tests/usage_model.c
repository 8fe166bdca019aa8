/* The slow model: written after the text of the rules, step by step, with nothing shared with the store. */
#include "adapter/tests/usage_model.h"

static bool complete(const struct model_point *p) {
    return p->cpu_nano > 0 && p->memory > 0;
}

static struct model_point previous(const struct model_point *new_, const struct model_point *last,
                                   const struct model_point *prev, int64_t resolution_s) {
    int64_t age_ms = new_->at_ms - new_->start_s * 1000;

    if (new_->start_s && age_ms >= 10000 && age_ms < resolution_s * 1000)
        return (struct model_point){.there = true, .at_ms = new_->start_s * 1000, .start_s = new_->start_s};
    if (!last->there)
        return (struct model_point){0};
    if (new_->start_s * 1000 >= last->at_ms)
        return (struct model_point){0}; /* it has restarted */
    if (new_->at_ms > last->at_ms)
        return *last;
    if (prev->there && prev->at_ms < new_->at_ms)
        return *prev;
    return (struct model_point){0};
}

static bool pod_is_complete(const struct model_point containers[MODEL_CONTAINERS]) {
    for (int c = 0; c < MODEL_CONTAINERS; c++)
        if (containers[c].there && !complete(&containers[c]))
            return false;
    return true;
}

void model_take(struct model *m, const struct model_answer *answer) {
    struct model_answer last = {0}, prev = {0};

    if (answer->node.there && complete(&answer->node)) {
        last.node = answer->node;
        prev.node = previous(&answer->node, &m->last.node, &m->prev.node, 0);
    }
    for (int p = 0; p < MODEL_PODS; p++) {
        if (!pod_is_complete(answer->containers[p]))
            continue;
        for (int c = 0; c < MODEL_CONTAINERS; c++) {
            if (!answer->containers[p][c].there)
                continue;
            last.containers[p][c] = answer->containers[p][c];
            prev.containers[p][c] = previous(&answer->containers[p][c], &m->last.containers[p][c],
                                             &m->prev.containers[p][c], m->resolution_s);
        }
    }
    m->last = last;
    m->prev = prev;
}

bool model_rate(const struct model_point *last, const struct model_point *prev, int64_t *ret_nano) {
    if (!last->there || !prev->there || last->start_s < prev->start_s || last->cpu_nano < prev->cpu_nano)
        return false;
    *ret_nano =
        (int64_t)((double)(last->cpu_nano - prev->cpu_nano) / ((double)(last->at_ms - prev->at_ms) / 1000));
    return true;
}

bool model_shows(const struct model *m, int pod) {
    bool any = false;

    for (int c = 0; c < MODEL_CONTAINERS; c++) {
        if (!m->last.containers[pod][c].there)
            continue;
        if (!m->prev.containers[pod][c].there)
            return false;
        int64_t nano;
        any = any || model_rate(&m->last.containers[pod][c], &m->prev.containers[pod][c], &nano);
    }
    return any;
}
