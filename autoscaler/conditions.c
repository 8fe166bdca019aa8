/* Conditions and events of a decision: HPA's bookkeeping, one slot a type in order of first appearance. */
#include "autoscaler/stages.h"
#include <string.h>

/* At least as many as there are types that a decision sets: AbleToScale, ScalingActive, ScalingLimited,
 * ScaledToZero, Fallback, Active, Conflict, Paused, Ready. slot() checks nothing. */
enum { CONDITIONS_ADDED = 10 };

void conditions_begin(struct decision *d, const struct policy_status *status, struct arena *arena) {
    d->conditions = ARENA_ARRAY(arena, struct condition, status->condition_count + CONDITIONS_ADDED);
    d->condition_count = status->condition_count;
    for (uint32_t i = 0; i < status->condition_count; i++) {
        const struct condition *c = &status->conditions[i];
        /* Copied: the decision may outlive the status it started from, while a write is under way. */
        d->conditions[i] = (struct condition){
            .type = arena_strdup(arena, c->type),
            .status = arena_strdup(arena, c->status),
            .reason = arena_strdup(arena, c->reason),
            .message = arena_strdup(arena, c->message),
            .last_transition = c->last_transition,
        };
    }
}

/* A new one has no status yet, so that the first one set is a transition. */
static struct condition *slot(struct decision *d, const char *type) {
    for (uint32_t i = 0; i < d->condition_count; i++)
        if (strcmp(d->conditions[i].type, type) == 0)
            return &d->conditions[i];
    d->conditions[d->condition_count] = (struct condition){.type = type, .status = ""};
    return &d->conditions[d->condition_count++];
}

void condition_set(struct decision *d, usec_t now, const char *type, const char *status, const char *reason,
                   const char *message) {
    struct condition *c = slot(d, type);

    /* Not with the reason or the message: Kubernetes' API conventions want it so. */
    if (strcmp(c->status, status) != 0)
        c->last_transition = now;
    c->status = status;
    c->reason = reason;
    c->message = message;
}

void condition_remove(struct decision *d, const char *type) {
    uint32_t kept = 0;

    /* The others keep their order, which HPA's status shows. */
    for (uint32_t i = 0; i < d->condition_count; i++)
        if (strcmp(d->conditions[i].type, type) != 0)
            d->conditions[kept++] = d->conditions[i];
    d->condition_count = kept;
}

const struct condition *condition_find(const struct condition *conditions, uint32_t count, const char *type) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(conditions[i].type, type) == 0)
            return &conditions[i];
    return NULL;
}

bool condition_true(const struct policy_status *status, const char *type) {
    const struct condition *c = condition_find(status->conditions, status->condition_count, type);

    return c && strcmp(c->status, "True") == 0;
}

void events_begin(struct decision *d, uint32_t max, struct arena *arena) {
    d->events = ARENA_ARRAY(arena, struct decision_event, max);
}

/* Within the room of events_begin: whoever adds one more event to a path counts it there. */
void event_add(struct decision *d, bool warning, const char *reason, const char *message) {
    d->events[d->event_count++] = (struct decision_event){warning, reason, message};
}
