/* spec.behavior: how fast the replicas may change, with the API's defaults (autoscaling/v2 defaults.go: up
 * window 0, 4 pods or 100 % in 15 s; down 100 % in 15 s, the window left to the flag). */
#include "api/types/policy_read.h"
#include "api/types/quantity.h"
#include <string.h>

/* The type, how many of it, and in how many seconds. */
static const struct scaling_policy default_up[] = {{SCALING_PODS, 4, 15}, {SCALING_PERCENT, 100, 15}};
static const struct scaling_policy default_down[] = {{SCALING_PERCENT, 100, 15}};

/* One of policies: value replicas or percent in periodSeconds, within the bounds of autoscaling/v2. */
static int read_policy(struct reader *r, const json_t *item, const struct path *path,
                       struct scaling_policy *ret) {
    static const char *const types[] = {"Pods", "Percent"};
    int type = -1, e;

    if (!json_is_object(item))
        return read_error(r, path, NULL, "must be an object");
    *ret = (struct scaling_policy){0}; /* 0 is "not given": no bound below allows it */
    e = read_word(r, item, path, "type", (struct read_words){types, 2}, &type);
    if (e == 0)
        e = read_int(r, item, path, "value", (struct read_range){1, INT32_MAX}, &ret->value);
    if (e == 0)
        e = read_int(r, item, path, "periodSeconds", (struct read_range){1, 1800}, &ret->period_seconds);
    if (e < 0)
        return e;
    if (type < 0 || ret->value == 0 || ret->period_seconds == 0)
        return read_error(r, path, NULL, "needs type, value and periodSeconds: add what is missing");
    ret->type = (enum scaling_policy_type)type;
    return 0;
}

/* A list that is given replaces the default as a whole, as HPA's does; an empty one would allow nothing and
 * is refused, as there. */
static int read_policies(struct reader *r, const json_t *rules, const struct path *up,
                         struct scaling_rules *ret) {
    struct path path = {up, "policies", 0};
    const json_t *list = json_object_get(rules, "policies");
    size_t count = json_array_size(list);
    struct scaling_policy *policies;

    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list) || count == 0 || count > POLICY_RULES_MAX)
        return read_error(r, &path, NULL, "must be a list of 1 to %d policies; leave it out for the default",
                          POLICY_RULES_MAX);
    ret->policy_count = (uint32_t)count;
    ret->policies = policies = ARENA_ARRAY(r->arena, struct scaling_policy, count);
    for (size_t i = 0; i < count; i++) {
        struct path at = {&path, NULL, i};
        int e = read_policy(r, json_array_get(list, i), &at, &policies[i]);
        if (e < 0)
            return e;
    }
    return 0;
}

/* A number, or a quantity as text ("0.05", "50m"). */
static int read_tolerance(struct reader *r, const json_t *rules, const struct path *path,
                          struct scaling_rules *ret) {
    const json_t *value = json_object_get(rules, "tolerance");
    const char *text = NULL;
    struct err why;
    int e = 0;

    if (!value || json_is_null(value))
        return 0;
    if (json_is_number(value))
        ret->tolerance = json_number_value(value);
    else
        e = read_string(r, rules, path, "tolerance", &text);
    if (e < 0)
        return e;
    if ((text && quantity_parse_double(text, &ret->tolerance, &why) < 0) || !(ret->tolerance >= 0))
        return read_error(r, path, "tolerance", "must be 0 or more, for example 0.05 for 5 %%");
    ret->has_tolerance = true;
    return 0;
}

/* scaleUp or scaleDown; ret has the defaults already, of which only what is given is replaced. An hour for
 * the window, as half an hour for a policy's period above, is what HPA's validation allows. */
static int read_rules(struct reader *r, const json_t *behavior, const struct path *path,
                      struct scaling_rules *ret) {
    static const char *const selects[] = {"Max", "Min", "Disabled"};
    const json_t *rules = NULL;
    int select = SELECT_MAX, e = read_object(r, behavior, path, false, &rules);

    if (e < 0 || !rules)
        return e;
    e = read_int(r, rules, path, "stabilizationWindowSeconds", (struct read_range){0, 3600},
                 &ret->window_seconds);
    if (e == 0)
        e = read_word(r, rules, path, "selectPolicy", (struct read_words){selects, 3}, &select);
    if (e == 0)
        e = read_policies(r, rules, path, ret);
    if (e == 0)
        e = read_tolerance(r, rules, path, ret);
    ret->select = (enum select_policy)select;
    return e;
}

/* A behavior that is there, even empty, switches to HPA's rules with behavior: has_behavior says which. */
int policy_read_behavior(struct reader *r, const json_t *spec, const struct path *up,
                         struct policy_spec *ret) {
    struct path path = {up, "behavior", 0};
    struct path up_path = {&path, "scaleUp", 0}, down_path = {&path, "scaleDown", 0};
    const json_t *behavior = NULL;
    int e;

    ret->up = (struct scaling_rules){.policy_count = 2, .policies = default_up};
    ret->down = (struct scaling_rules){.window_seconds = -1, .policy_count = 1, .policies = default_down};
    e = read_object(r, spec, &path, false, &behavior);
    if (e < 0 || !behavior)
        return e;
    ret->has_behavior = true;
    e = read_rules(r, behavior, &up_path, &ret->up);
    return e < 0 ? e : read_rules(r, behavior, &down_path, &ret->down);
}
