/* AutoscalingPolicy: from the document to the cached object; its metadata and status. */
#include "api/types/policy.h"

#include "api/types/document.h"
#include <errno.h>
#include <string.h>

/* ---- status: written by us, so that what cannot be read counts as never written ---- */

/* 0 where there is none or it is no time. */
static usec_t status_time(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    usec_t t = 0;

    return text && clock_parse(text, &t) == 0 ? t : 0;
}

/* A number of replicas; out of range counts as 0, as never written. */
static int32_t status_int(const json_t *object, const char *key) {
    json_int_t v = json_integer_value(json_object_get(object, key));

    return v < 0 || v > INT32_MAX ? 0 : (int32_t)v;
}

static const char *status_text(const json_t *object, const char *key, struct arena *arena) {
    const char *text = json_string_value(json_object_get(object, key));

    return text ? arena_strdup(arena, text) : "";
}

/* The largest of metrics[].proposal; -1: none has one. */
static int32_t status_proposed(const json_t *status) {
    const json_t *item, *list = json_object_get(status, "metrics");
    int32_t most = -1;
    size_t i;

    json_array_foreach(list, i, item) {
        if (json_is_integer(json_object_get(item, "proposal")) && status_int(item, "proposal") > most)
            most = status_int(item, "proposal");
    }
    return most;
}

/* Their order is kept: HPA's status has each type where it first appeared. More than anybody could have
 * written are none. An entry without a type is overwritten by the next. */
static void read_conditions(const json_t *list, struct arena *arena, struct policy_status *ret_status) {
    enum { CONDITIONS_MAX = 64 };
    size_t count = json_array_size(list), i;
    const json_t *item;

    if (count == 0 || count > CONDITIONS_MAX)
        return;
    ret_status->conditions = ARENA_ARRAY(arena, struct condition, count);
    json_array_foreach(list, i, item) {
        struct condition *c = &ret_status->conditions[ret_status->condition_count];
        c->type = status_text(item, "type", arena);
        c->status = status_text(item, "status", arena);
        c->reason = status_text(item, "reason", arena);
        c->message = status_text(item, "message", arena);
        c->last_transition = status_time(item, "lastTransitionTime");
        ret_status->condition_count += c->type[0] != '\0';
    }
}

void policy_read_status(const json_t *status, struct arena *arena, struct policy_status *ret_status) {
    const json_t *decision = json_object_get(status, "decision");

    *ret_status = (struct policy_status){
        .observed_generation = json_integer_value(json_object_get(status, "observedGeneration")),
        .current_replicas = status_int(status, "currentReplicas"),
        .desired_replicas = status_int(status, "desiredReplicas"),
        .last_scale_time = status_time(status, "lastScaleTime"),
        .decided_at = status_time(decision, "time"),
        .held_until = status_time(decision, "heldUntil"),
        .proposed = status_proposed(status),
    };
    read_conditions(json_object_get(status, "conditions"), arena, ret_status);
}

/* ---- metadata ---- */

static const char *member_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* One that was emptied is as good as gone. */
static const char *annotation(const json_t *metadata, const char *name, struct arena *arena) {
    const char *text = member_text(json_object_get(metadata, "annotations"), name);

    return text && text[0] ? arena_strdup(arena, text) : NULL;
}

/* A spec that cannot be read does not keep the policy out: it has a status to write the reason to. */
int policy_from_json(const json_t *document, struct str_pool *pool, struct policy_object **ret_policy,
                     struct err *err) {
    const json_t *metadata = json_object_get(document, "metadata");
    json_t *status = json_object_get(document, "status");
    struct object *o;

    if (str_or_empty(member_text(metadata, "namespace"))[0] == '\0' ||
        document_object(document, OBJECT_POLICY, pool, &o, err) < 0)
        return err_set(err, -EINVAL, "an AutoscalingPolicy without metadata.name or metadata.namespace");
    struct policy_object *p = (struct policy_object *)o;
    arena_init(&p->arena, 1024);
    if (policy_read_spec(json_object_get(document, "spec"), &p->arena, &p->spec, &p->invalid) == 0)
        err_clear(&p->invalid);
    policy_read_status(status, &p->arena, &p->status);
    p->created = status_time(metadata, "creationTimestamp");
    p->take_over_from = annotation(metadata, "autoscaling.trimtab.dev/take-over-from", &p->arena);
    p->taken_over_uid = annotation(metadata, "autoscaling.trimtab.dev/taken-over-uid", &p->arena);
    if (json_is_object(status))
        p->status_json = json_incref(status);
    *ret_policy = p;
    return 0;
}
