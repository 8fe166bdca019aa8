/* One policy's turn: gather what is known, decide, act on it.
 *
 *   entry_reconcile: not now (a write is under way or has just failed) or not at all (deleted, unusable)
 *   -> entry_bind, gather: not yet (-EAGAIN), something is on its way; looked at again in a second
 *   -> decide -> write_scale, whose answer leads on -> entry_finish: events, record, status, next look
 *
 * From gather to entry_finish everything lives in e->arena. As a rule both happen in one turn, and the arena
 * is lent; where a write is between them it stays with the policy until the answer. What the decision borrows
 * from elsewhere must last as long: the policy by a reference (deciding), the sources' texts as copies. */
#include "autoscaler/entry.h"
#include "autoscaler/owners.h"
#include "autoscaler/status.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

/* How long a new policy waits for its first samples before its status says that it is waiting. */
static const usec_t patience = 3 * USEC_PER_SEC;
static const usec_t recheck = USEC_PER_SEC;
/* Past this many recommendations those that can no longer matter are dropped: with an interval of 1 s and a
 * window of an hour there would be thousands. */
static const uint32_t remembered = 32;
/* Status writes under way at once: a thousand new policies must not fill the apiserver's queues. */
static const unsigned statuses_at_once = 32;
/* A moment of the wall clock is waited for no longer than this without another look: the clock may be set. */
static const usec_t recheck_clock = 5 * USEC_PER_MIN;
static const usec_t recheck_no_scale = 30 * USEC_PER_SEC;

static usec_t now_mono(const struct entry *e) {
    return loop_now(e->autoscaler->world.loop);
}

void entry_set_stored(struct entry *entry, json_t *status, uint64_t version) {
    json_t *old = entry->stored;

    entry->stored = json_incref(status);
    entry->stored_version = version;
    entry->digest = 0;
    arena_reset(&entry->status_arena);
    policy_read_status(status, &entry->status_arena, &entry->status);
    /* A status from before our last rescale does not know of it; no status at all is a new policy's. */
    if (entry->status.last_scale_time > entry->last_scale_time || !status)
        entry->last_scale_time = entry->status.last_scale_time;
    json_decref(old);
}

/* ---- pods ---- */

/* The pods of a decision, gathered in the autoscaler's own list, which keeps its room from one to the next.
 */
static void take_pod(void *arg, const struct object *object) {
    struct pod_list *list = arg;

    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->pods = xrealloc(list->pods, list->cap * sizeof(struct pod *));
    }
    list->pods[list->count++] = (const struct pod *)object;
}

static const struct object *find_replicaset(void *arg, const char *ns, const char *name) {
    const struct autoscaler *as = arg;

    return as->replicasets ? informer_get(as->replicasets, ns, name) : NULL;
}

/* Leaves the target's own pods in the list: a selector may pick those of others as well. */
static void keep_own_pods(struct entry *e, struct pod_list *list) {
    const struct object_reference *ref = &e->bound->spec.target;
    struct owner_target target = {.kind = ref->kind, .name = ref->name, .uid = target_uid(e->target)};

    list->count = owners_filter(list->pods, list->count, &target, find_replicaset, e->autoscaler);
}

static void count_pods(struct decide_input *in, const struct pod_list *list, struct arena *arena) {
    const struct pod **pods = ARENA_ARRAY(arena, const struct pod *, list->count + 1);

    for (uint32_t i = 0; i < list->count; i++) {
        pods[i] = list->pods[i];
        in->ready_pods += pods[i]->phase == POD_RUNNING && pods[i]->ready == CONDITION_TRUE;
    }
    in->pods = list->count;
    in->pod_list = pods;
}

static void gather_pods(struct entry *e) {
    struct decide_input *in = &e->input;
    struct pod_list *list = &e->autoscaler->pod_list;
    struct selector selector;
    struct err err;

    if (!in->scale.known || !*in->scale.selector)
        return; /* decide says so */
    if (selector_parse(in->scale.selector, &e->arena, &selector, &err) < 0) {
        in->selector_error = arena_strdup(&e->arena, err.text);
        return;
    }
    /* The selector is parsed even where no pods are counted: HPA fails for one that cannot be read. */
    if (!e->uses_pods)
        return;
    list->count = 0;
    informer_select(e->autoscaler->pods, e->policy->meta.ns, &selector, take_pod, list);
    keep_own_pods(e, list);
    count_pods(in, list, &e->arena);
}

/* ---- samples ---- */

static const char *no_source(const struct metric_spec *m) {
    return m->type == METRIC_PROMETHEUS ? "no Prometheus is configured: start trimtab with --prometheus-url"
                                        : "there is no source for metrics of this type";
}

/* What each pod measures, joined with the pods of this decision. */
static void gather_pod_values(struct entry *e, struct metric_source *source, uint32_t i, struct sample *s) {
    const struct decide_input *in = &e->input;
    struct pod_value *values = ARENA_ARRAY(&e->arena, struct pod_value, in->pods + 1);
    struct pod_values *joined = ARENA_NEW(&e->arena, struct pod_values);

    /* Of pods that are not the target's nothing is asked: a policy does not count them (pods.c). */
    source->ops->read_pods(source, e->subscriptions[i], in->now, in->pod_list, in->pods, values);
    *joined = (struct pod_values){.of_pods = values};
    s->pods = joined;
}

static void gather_sample(struct entry *e, uint32_t i, struct sample *s) {
    const struct metric_spec *m = &e->bound->spec.metrics[i];
    struct metric_source *source = e->autoscaler->world.sources[m->type];

    if (e->subscriptions[i])
        source->ops->read(source, e->subscriptions[i], e->input.now, s);
    else
        *s = (struct sample){.quality = QUALITY_FAILED, .message = no_source(m)};
    if (e->subscriptions[i] && metric_of_pods(m->type) && source->ops->read_pods)
        gather_pod_values(e, source, i, s);
    /* The source's texts live until its next change; the decision outlives that while a write is under way.
     */
    s->message = arena_strdup(&e->arena, str_or_empty(s->message));
    s->warning = arena_strdup(&e->arena, str_or_empty(s->warning));
    s->origin = arena_strdup(&e->arena, str_or_empty(s->origin));
}

/* Whether a sample is still on its way and worth waiting for. */
static bool gather_samples(struct entry *e) {
    uint32_t n = e->bound->spec.metric_count;
    struct sample *samples = ARENA_ARRAY(&e->arena, struct sample, n + 1);
    bool pending = false;

    for (uint32_t i = 0; i < n; i++) {
        gather_sample(e, i, &samples[i]);
        pending |= samples[i].quality == QUALITY_PENDING;
    }
    e->input.samples = samples;
    return pending;
}

/* The spec that is decided by: with --dry-run every policy is a preview. */
static const struct policy_spec *effective_spec(struct entry *e) {
    if (!e->autoscaler->options.dry_run)
        return &e->bound->spec;
    struct policy_spec *spec = ARENA_NEW(&e->arena, struct policy_spec);
    *spec = e->bound->spec;
    spec->mode = MODE_PREVIEW;
    return spec;
}

/* Only a decision that waits for its scale write keeps an arena of its own. */
static void take_arena(struct entry *e) {
    struct arena own = e->arena;

    e->arena = e->autoscaler->spare;
    e->autoscaler->spare = own;
    arena_reset(&e->arena);
}

static void give_arena_back(struct entry *e) {
    struct arena used = e->arena;

    e->arena = e->autoscaler->spare;
    e->autoscaler->spare = used;
    arena_done(&e->arena);
}

/* Fills input; -EAGAIN where something is not known yet that will be. */
static int gather(struct entry *e) {
    e->input = (struct decide_input){.now = clock_wall(), .flags = &e->autoscaler->options.flags};
    e->input.spec = effective_spec(e);
    e->input.status = &e->status;
    e->input.zones = e->zones;
    int ret = entry_scale(e, &e->arena, &e->input.scale);
    if (ret < 0)
        return ret;
    gather_pods(e);
    /* Longer than that, and the decision itself says what it waits for (PATH_PENDING). */
    if (gather_samples(e) && now_mono(e) - e->born < patience)
        return -EAGAIN;
    return 0;
}

static bool due_for_values(const struct entry *e) {
    return !e->last_status_write ||
           now_mono(e) - e->last_status_write >= e->autoscaler->options.status_interval;
}

/* Writes the status if a person would see a difference, and mere values not too often. */
static void publish(struct entry *e, json_t *wanted, uint64_t digest) {
    enum status_difference difference = status_compare(e->stored, wanted);

    if (difference == STATUS_NUMBERS && !status_moved(e->shown, &e->input, &e->decision))
        difference = STATUS_SAME;
    /* The digest stands for what is stored, which is something else until this has been written. */
    e->digest = difference <= STATUS_NUMBERS ? digest : 0;
    if (e->status_call || difference == STATUS_SAME)
        return; /* the end of the write under way looks again */
    if (difference != STATUS_STATE && !due_for_values(e)) {
        entry_queue(e, e->last_status_write + e->autoscaler->options.status_interval);
        return;
    }
    if (e->autoscaler->statuses_under_way >= statuses_at_once) {
        workqueue_add(e->autoscaler->waiting, e->key, 0);
        return;
    }
    /* Taken for shown as soon as it is sent; a write that fails takes that back. */
    e->shown = xrealloc(e->shown, e->decision.proposal_count * sizeof(*e->shown));
    status_shown(&e->decision, e->shown);
    write_status(e, wanted);
}

static void look_again(struct entry *e) {
    if (!e->target || !e->input.scale.known)
        entry_queue(e, now_mono(e) + recheck_no_scale);
    if (!e->decision.look_again)
        return;
    usec_t wait = e->decision.look_again - clock_wall();
    if (wait > recheck_clock)
        wait = recheck_clock;
    entry_queue(e, now_mono(e) + (wait > 0 ? wait : 0));
}

/* Most decisions change nothing that is shown: those cost no document. */
static void show(struct entry *e) {
    int64_t generation = e->deciding->meta.generation;
    uint64_t digest = status_digest(&e->input, &e->decision, generation, e->last_scale_time);

    if (digest == e->digest && !status_moved(e->shown, &e->input, &e->decision))
        return;
    json_t *wanted = status_build(&e->input, &e->decision, generation, e->last_scale_time);
    publish(e, wanted, digest);
    json_decref(wanted);
}

void entry_finish(struct entry *e) {
    for (uint32_t i = 0; i < e->decision.event_count; i++)
        write_event(e, &e->decision.events[i]);
    recordlog_add(&e->log, &e->input, &e->decision, &e->arena);
    show(e);
    look_again(e);
    give_arena_back(e);
}

/* All but one thing that the status said was about another spec. Who put the workload to 0 is not: without
 * that condition it would count as off by hand once the spec is mended. */
static json_t *invalid_status(const struct entry *e, const char *reason, const char *text) {
    json_t *c, *conditions = json_array();
    char when[CLOCK_TEXT_MAX];
    size_t i;

    json_array_foreach(json_object_get(e->stored, "conditions"), i, c) {
        if (str_eq(json_string_value(json_object_get(c, "type")), "ScaledToZero"))
            json_array_append(conditions, c);
    }
    json_array_append_new(conditions, json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "Ready", "status",
                                                "False", "reason", reason, "message", text,
                                                "lastTransitionTime", clock_format(clock_wall(), when)));
    return json_pack("{s:I, s:o}", "observedGeneration", (json_int_t)e->policy->meta.generation, "conditions",
                     conditions);
}

/* A spec that got past the schema and still cannot be used: said in the status, nothing is done. */
static void publish_invalid(struct entry *e, const struct err *invalid) {
    const char *reason = "InvalidSpec", *text = invalid->text;
    bool known = false;

    for (uint32_t i = 0; i < e->status.condition_count; i++)
        known |=
            str_eq(e->status.conditions[i].reason, reason) && str_eq(e->status.conditions[i].message, text);
    /* The same mistake in another spec is written for its generation: who applied it waits for that. */
    if ((known && e->status.observed_generation == e->policy->meta.generation) || e->status_call)
        return;
    if (e->autoscaler->statuses_under_way >= statuses_at_once) {
        entry_queue(e, now_mono(e) + recheck); /* no sample asks for it again, as it does for the others */
        return;
    }
    json_t *wanted = invalid_status(e, reason, text);
    if (!known)
        write_event(e, &(struct decision_event){.warning = true, .reason = reason, .message = text});
    write_status(e, wanted);
    json_decref(wanted);
}

static void keep_policy(struct entry *e) {
    object_unref(e->deciding ? &e->deciding->meta : NULL);
    e->deciding = (const struct policy_object *)object_ref(&e->bound->meta);
}

void entry_reconcile(struct entry *e) {
    if (e->scale_call)
        return; /* its end asks for another look */
    if (now_mono(e) < e->not_before) {
        entry_queue(e, e->not_before);
        return;
    }
    if (e->policy->meta.deleting)
        return; /* its target is another's by now */
    if (e->policy->invalid.code) {
        entry_unbind(e);
        publish_invalid(e, &e->policy->invalid);
        return;
    }
    int ret = entry_bind(e);
    if (e->zone_err.code) {
        entry_claim(e); /* idle now: it is in nobody's way */
        publish_invalid(e, &e->zone_err);
        return;
    }
    take_arena(e);
    if (ret != -EAGAIN)
        ret = gather(e);
    if (ret == -EAGAIN) {
        give_arena_back(e);
        entry_queue(e, now_mono(e) + recheck);
        return;
    }
    /* In this order: whoever is in conflict has nothing to remember (past.c). */
    entry_find_rival(e);
    entry_remember(e);
    keep_policy(e);
    e->last_decided = now_mono(e);
    if (e->sampled)
        e->last_sampled = e->last_decided;
    e->sampled = false;
    e->autoscaler->stats.decisions++;
    decide(&e->input, &e->history, &e->arena, &e->decision);
    e->input.pod_list = NULL; /* the cache may let go of them while a write is under way */
    if (e->history.recommendations.count > remembered)
        history_compact(&e->history);
    log_debug(e->key, "%s: %s", decision_reason_name(e->decision.reason), e->decision.message);
    if (e->decision.rescale)
        write_scale(e);
    else
        entry_finish(e);
}
