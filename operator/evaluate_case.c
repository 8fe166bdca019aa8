/* From objects to the input of a decision.
 *
 * The order of reading is the order in which one needs the other: the case's flags and clock, the policy, the
 * scale of its target (history is rebuilt from its replicas), the pods that its selector picks, and last the
 * samples, which are joined with those pods. What cannot be had from the objects, such as a target that is
 * not among them, is no failure here: the decision has an answer to it. A failure is what cannot be
 * understood.
 *
 * All that a case holds lives in its arena, but for the zones and the history, which case_done frees. */
#include "api/types/selector.h"
#include "autoscaler/owners.h"
#include "autoscaler/rebuild.h"
#include "autoscaler/stages.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <errno.h>
#include <string.h>

/* ---- the target ---- */

static int read_scale_numbers(struct evaluate_case *c, const struct input_object *o, int32_t spec_default,
                              struct err *err) {
    struct scale_view *scale = &c->in.scale;

    scale->spec_replicas = spec_default;
    int ret = case_int(o->place, json_object_get(o->json, "spec"), "replicas", "spec.replicas",
                       &scale->spec_replicas, err);
    if (ret == 0)
        ret = case_int(o->place, json_object_get(o->json, "status"), "replicas", "status.replicas",
                       &scale->status_replicas, err);
    scale->known = ret == 0;
    return ret;
}

/* The replicas of a Scale are left out of its JSON where they are 0; of a workload, where they were never
 * set, which the apiserver takes for 1. Hence the defaults here and in read_other. */
static int read_scale(struct evaluate_case *c, const struct input_object *o, struct err *err) {
    c->in.scale.selector = str_or_empty(json_string_value(json_path2(o->json, "status", "selector")));
    return read_scale_numbers(c, o, 0, err);
}

static void take_workload(struct evaluate_case *c, const struct input_object *o) {
    const struct workload *w = (const struct workload *)o->decoded;

    c->in.scale = (struct scale_view){.known = true,
                                      .spec_replicas = w->spec_replicas,
                                      .status_replicas = w->status_replicas,
                                      .selector = str_or_empty(w->selector)};
}

/* Any other kind: where most of them have what their scale subresource would show. */
static int read_other(struct evaluate_case *c, const struct input_object *o, struct err *err) {
    const json_t *text = json_path2(o->json, "status", "selector");
    const char *written = "";

    /* Some kinds have it as text in their status, others as a LabelSelector in their spec. */
    c->in.scale.selector = json_string_value(text);
    if (!c->in.scale.selector &&
        selector_write(json_path2(o->json, "spec", "selector"), c->arena, &written, err) < 0)
        return place_error(o->place, "spec.selector", err, "%s", arena_strdup(c->arena, err->text));
    if (!c->in.scale.selector)
        c->in.scale.selector = written;
    return read_scale_numbers(c, o, 1, err);
}

static void no_scale(struct evaluate_case *c, const char *error) {
    c->in.scale = (struct scale_view){.selector = "", .error = error};
}

/* A Scale says what the cluster itself would answer, so it goes before the object that it is the scale of.
 * The decoded kinds are told apart by their type: a target may also name a Pod, by mistake, which is no
 * workload.
 */
static int find_scale(struct evaluate_case *c, struct err *err) {
    const struct object_reference *ref = &c->spec.target;
    const struct input_object *o = world_find(c->world, "Scale", c->ns, ref->name);

    if (o)
        return read_scale(c, o, err);
    o = world_find(c->world, ref->kind, c->ns, ref->name);
    if (o && !o->decoded)
        return read_other(c, o, err);
    if (!o)
        no_scale(c, arena_printf(
                        c->arena,
                        "among the objects is neither the %s %s nor a Scale (autoscaling/v1) of that name",
                        ref->kind, ref->name));
    else if (o->decoded->type != OBJECT_WORKLOAD)
        no_scale(c, arena_printf(c->arena, "a %s has no scale", ref->kind));
    else
        take_workload(c, o);
    return 0;
}

/* "group/version" or "version". */
static bool is_api_version(const char *text) {
    const char *slash = strchr(str_or_empty(text), '/');

    return !slash || !strchr(slash + 1, '/');
}

/* As HPA's controller: it looks at the apiVersion before it asks for anything. */
static int read_target(struct evaluate_case *c, struct err *err) {
    const char *fault = json_string_value(json_path2(c->recorded, "faults", "scaleGet"));

    c->bad_reference = !is_api_version(c->spec.target.api_version);
    if (c->bad_reference)
        no_scale(c, ARENA_JOIN(c->arena, "unexpected GroupVersion string: ", c->spec.target.api_version));
    else if (fault)
        no_scale(c, fault);
    else
        return find_scale(c, err);
    return 0;
}

/* ---- pods ---- */

static const struct object *find_replicaset(void *arg, const char *ns, const char *name) {
    const struct evaluate_case *c = arg;
    const struct input_object *o = world_find(c->world, "ReplicaSet", ns, name);

    return o ? o->decoded : NULL;
}

static bool same_namespace(const struct object *o, const char *ns) {
    return o->ns[0] == '\0' || ns[0] == '\0' || str_eq(o->ns, ns);
}

/* A policy looks at the target's own pods, HPA at whatever the selector picks: the pods of another
 * workload too, where labels are alike (kubernetes/kubernetes#124307). */
static void keep_own(struct evaluate_case *c, const struct pod **pods) {
    const struct object_reference *ref = &c->spec.target;
    const struct input_object *o = world_find(c->world, ref->kind, c->ns, ref->name);
    struct owner_target target = {
        .kind = ref->kind, .name = ref->name, .uid = o && o->decoded ? o->decoded->uid : NULL};

    if (target.uid && !*target.uid)
        target.uid = NULL; /* objects written by hand have none */
    if (!c->hpa)
        c->in.pods = owners_filter(pods, c->in.pods, &target, find_replicaset, c);
}

static void gather_pods(struct evaluate_case *c, const struct selector *selector) {
    const struct input_list *list = &c->world->of[INPUT_POD];
    const struct pod **pods = ARENA_ARRAY(c->arena, const struct pod *, list->count + 1);

    for (uint32_t i = 0; i < list->count; i++) {
        const struct object *o = list->items[i].decoded;
        if (same_namespace(o, c->ns) && selector_matches(selector, o->labels))
            pods[c->in.pods++] = (const struct pod *)o;
    }
    keep_own(c, pods);
    for (uint32_t i = 0; i < c->in.pods; i++)
        c->in.ready_pods += pods[i]->phase == POD_RUNNING && pods[i]->ready == CONDITION_TRUE;
    c->in.pod_list = pods;
}

/* HPA's controller remembers the selectors of other HPAs: one that picks a pod of ours makes both stop. */
static bool overlaps(struct evaluate_case *c, const json_t *other) {
    struct selector selector;

    if (!str_eq(json_text(other, "namespace"), c->ns) ||
        selector_parse(str_or_empty(json_text(other, "selector")), c->arena, &selector, NULL) < 0)
        return false;
    for (uint32_t i = 0; i < c->in.pods; i++)
        if (selector_matches(&selector, c->in.pod_list[i]->meta.labels))
            return true;
    return false;
}

/* The names in the text are as Go prints a slice of them: between brackets, with blanks, ours last. */
static void look_for_ambiguity(struct evaluate_case *c) {
    const json_t *others = json_object_get(c->recorded, "otherHPAs"), *other;
    const char *names = "";
    size_t i;

    json_array_foreach(others, i, other) {
        if (overlaps(c, other))
            names = arena_printf(c->arena, "%s%s/%s ", names, c->ns, str_or_empty(json_text(other, "name")));
    }
    if (*names)
        c->in.ambiguous = arena_printf(
            c->arena, "pods by selector %s are controlled by multiple HPAs: [%s%s/%s]", c->in.scale.selector,
            names, c->ns, str_or_empty(json_string_value(json_path2(c->subject->json, "metadata", "name"))));
}

static void read_pods(struct evaluate_case *c) {
    struct selector selector;
    struct err err = {0};

    if (!c->in.scale.known || !*c->in.scale.selector)
        return; /* the decision says so */
    if (selector_parse(c->in.scale.selector, c->arena, &selector, &err) < 0) {
        c->in.selector_error = arena_strdup(c->arena, err_text(&err));
        return;
    }
    gather_pods(c, &selector);
    if (c->hpa)
        look_for_ambiguity(c);
}

/* ---- the policy ---- */

static int check_version(const struct evaluate_case *c, struct err *err) {
    const char *version = str_or_empty(json_text(c->subject->json, "apiVersion"));
    const char *wanted = c->hpa ? "autoscaling/v2" : "autoscaling.trimtab.dev/v1";

    if (str_eq(version, wanted))
        return 0;
    return place_error(
        c->subject->place, "apiVersion", err, "%s is expected, not \"%s\"%s", wanted, version,
        c->hpa && str_starts(version, "autoscaling/") ? ": kubectl get hpa.v2.autoscaling shows it so" : "");
}

static int read_spec(struct evaluate_case *c, struct err *err) {
    const json_t *spec = json_object_get(c->subject->json, "spec");
    int ret = check_version(c, err);

    if (ret < 0)
        return ret;
    if (policy_check_fields(c->subject->json, c->hpa, err) < 0)
        return place_wrap(c->subject->place, err);
    if (!json_is_object(spec))
        return place_error(c->subject->place, "spec", err, "an object is expected");
    ret = c->hpa ? hpa_read_spec(spec, c->arena, &c->spec, err)
                 : policy_read_spec(spec, c->arena, &c->spec, err);
    if (ret < 0)
        return place_wrap(c->subject->place, err);
    policy_read_status(json_object_get(c->subject->json, "status"), c->arena, &c->status);
    return 0;
}

static int load_zones(struct evaluate_case *c, struct err *err) {
    c->zones = ARENA_ARRAY(c->arena, struct tz *, c->spec.schedule_count + 1);
    for (uint32_t i = 0; i < c->spec.schedule_count; i++)
        if (tz_load(c->spec.schedules[i].time_zone, &c->zones[i], err) < 0)
            return place_error(c->subject->place, arena_printf(c->arena, "spec.schedules[%u].timeZone", i),
                               err, "%s", arena_strdup(c->arena, err_text(err)));
    c->in.zones = (const struct tz *const *)c->zones;
    return 0;
}

/* As the operator does when it starts, but from the status alone; HPA's controller begins with nothing. A
 * recorded history, even an empty one, is all that there is: it is what the case is about. */
static void rebuild_history(struct evaluate_case *c) {
    struct rebuild_input in = {.now = c->in.now,
                               .spec = &c->spec,
                               .status = &c->status,
                               .flags = &c->flags,
                               .current = c->in.scale.spec_replicas};

    if (!c->hpa && !json_object_get(c->recorded, "history") && c->in.scale.known)
        history_rebuild(&c->history, &in);
}

static int read_subject(struct evaluate_case *c, struct err *err) {
    int ret = read_spec(c, err);

    if (ret == 0)
        ret = load_zones(c, err);
    if (ret == 0)
        ret = read_target(c, err);
    if (ret < 0)
        return ret;
    rebuild_history(c);
    read_pods(c);
    return case_read_samples(c, err);
}

int case_read(struct evaluate_case *c, const struct evaluate_options *options, struct err *err) {
    const json_t *ns = c->subject ? json_path2(c->subject->json, "metadata", "namespace") : NULL;

    c->hpa = c->subject && str_eq(c->subject->kind, "HorizontalPodAutoscaler");
    c->ns = str_or_empty(json_string_value(ns));
    c->in = (struct decide_input){.spec = &c->spec, .status = &c->status, .flags = &c->flags};
    int ret = case_read_recorded(c, options, err);
    if (ret == 0 && c->subject)
        ret = read_subject(c, err);
    return ret;
}

/* zones may end early, or be NULL, where the reading failed on the way. */
void case_done(struct evaluate_case *c) {
    for (uint32_t i = 0; c->zones && i < c->spec.schedule_count; i++)
        tz_free(c->zones[i]);
    history_done(&c->history);
}

/* ---- deciding ---- */

/* HPA's update of the scale: a conflict is tried again, five times in all (client-go's retry.DefaultRetry);
 * anything else fails at once. The faults are one for each try. */
static struct write_outcome write_scale(const struct evaluate_case *c) {
    enum { TRIES = 5 };
    const json_t *faults = json_path2(c->recorded, "faults", "scaleUpdate");
    struct write_outcome outcome = {.tried = true, .error = ""};

    for (size_t i = 0; i < TRIES; i++) {
        const char *fault = json_string_value(json_array_get(faults, i));
        if (!fault)
            return outcome;
        bool conflict = str_starts(fault, "Conflict: ");
        if (!conflict || i == TRIES - 1) {
            const char *colon = strstr(fault, ": ");
            outcome.failed = true;
            outcome.error = colon ? colon + 2 : fault;
            return outcome;
        }
    }
    return outcome;
}

/* A scale event is remembered only of a write that went through: rates count what was done, not what was
 * wanted. Recommendations are remembered by decide itself. */
void case_decide(struct evaluate_case *c) {
    struct decision *d = &c->decision;

    decide(&c->in, &c->history, c->arena, d);
    if (!d->rescale)
        return;
    c->write = write_scale(c);
    decision_written(d, &c->in, !c->write.failed, c->write.error, c->arena);
    if (!c->write.failed)
        history_store_scale(&c->history, &c->spec, d->current, d->desired, c->in.now);
}
