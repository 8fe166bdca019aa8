/* The tables of wanted fields and what is noted of each.
 *
 * A document is walked along its type's table (decode_fields), by the keys of JSON or by the numbers of
 * protobuf; what no table names is passed over. A value that is wanted goes to its setter as text. Maps in
 * lists (containers, conditions, owners) are noted in one place while they are open: begin empties it, end
 * decides what is kept of it. Nothing is an object before decode_build.c makes one of the notes.
 *
 * For one more field: a member of struct notes, a setter, and a line in a table with the number that
 * generated.proto has for it. */
#include "informers/decode_fields.h"

#include "api/types/quantity.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

void notes_init(struct notes *notes) {
    *notes = (struct notes){0};
    arena_init(&notes->arena, 16384);
    notes_reset(notes);
}

void notes_done(struct notes *notes) {
    arena_done(&notes->arena);
    free(notes->labels.items);
    free(notes->containers.items);
    free(notes->terms.items);
}

/* The vectors keep their memory, since the next object is most often as large; texts go with the arena. What
 * is not 0 is what an absent field means: one replica, as the API defaults it, and -1 for no request. */
void notes_reset(struct notes *notes) {
    struct notes old = *notes;

    arena_reset(&old.arena);
    *notes = (struct notes){
        .arena = old.arena,
        .labels = {old.labels.items, 0, old.labels.cap},
        .containers = {old.containers.items, 0, old.containers.cap},
        .terms = {old.terms.items, 0, old.terms.cap},
        .spec_replicas = 1,
        .cpu_milli = -1,
        .memory_milli = -1,
    };
}

/* The first reason counts: later ones are often its consequence. */
void notes_spoil(struct notes *notes, const char *field, const char *why) {
    if (notes->bad)
        return;
    notes->bad = why;
    notes->bad_field = field;
}

const char *notes_text(struct notes *notes, const char *text, size_t len) {
    if (len > DECODE_TEXT_MAX || memchr(text, '\0', len)) {
        notes_spoil(notes, "a text", "is too long or holds a NUL");
        return "";
    }
    return arena_strndup(&notes->arena, text, len);
}

/* Texts of the parser have a length and no NUL. */
static bool same(const char *text, size_t len, const char *word) {
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int64_t number(struct notes *notes, const char *text, size_t len) {
    int64_t value = 0;

    if (str_to_i64(notes_text(notes, text, len), &value) < 0)
        notes_spoil(notes, "a number", "is not a whole one or out of range");
    return value;
}

/* In milli-units; -1 stands for "not given", which a quantity that cannot be read must not pass for. */
static int64_t quantity(struct notes *notes, const char *text, size_t len) {
    int64_t milli = -1;

    if (quantity_parse(notes_text(notes, text, len), &milli, NULL) < 0)
        notes_spoil(notes, "a quantity", "cannot be read");
    return milli;
}

/* The vector with room for one more, or NULL at its maximum, which spoils the object. */
static void *room(struct notes *notes, void *items, uint32_t count, uint32_t *cap, size_t size,
                  uint32_t max) {
    if (count >= max) {
        notes_spoil(notes, "a list", "has too many entries");
        return NULL;
    }
    if (count < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 8;
    return xrealloc(items, *cap * size);
}

/* Whether vector v has room for one more. One rule for vectors of three types: hence a macro. */
#define MORE(n, v, max)                                                                                      \
    ({                                                                                                       \
        void *room_ = room((n), (v)->items, (v)->count, &(v)->cap, sizeof(*(v)->items), (max));              \
        if (room_)                                                                                           \
            (v)->items = room_;                                                                              \
        room_ != NULL;                                                                                       \
    })

/* A setter for a text that is kept as it is. */
#define TEXT_SETTER(name, member)                                                                            \
    static void name(struct notes *n, const char *text, size_t len) {                                        \
        n->member = notes_text(n, text, len);                                                                \
    }
#define NUMBER_SETTER(name, member)                                                                          \
    static void name(struct notes *n, const char *text, size_t len) {                                        \
        n->member = number(n, text, len);                                                                    \
    }
#define QUANTITY_SETTER(name, member)                                                                        \
    static void name(struct notes *n, const char *text, size_t len) {                                        \
        n->member = quantity(n, text, len);                                                                  \
    }

TEXT_SETTER(set_name, name)
TEXT_SETTER(set_ns, ns)
TEXT_SETTER(set_uid, uid)
TEXT_SETTER(set_version, version)
TEXT_SETTER(set_phase, phase)
TEXT_SETTER(set_start_time, start_time)
TEXT_SETTER(set_node, node)
TEXT_SETTER(set_owner_uid, owner.uid)
TEXT_SETTER(set_owner_kind, owner.kind)
TEXT_SETTER(set_owner_name, owner.name)
TEXT_SETTER(set_entry_type, entry.type)
TEXT_SETTER(set_entry_status, entry.status)
TEXT_SETTER(set_entry_transition, entry.transition)
TEXT_SETTER(set_entry_address, entry.address)
TEXT_SETTER(set_container_name, container.name)
TEXT_SETTER(set_metrics_path, metrics_path)
TEXT_SETTER(set_term_key, term.key)
TEXT_SETTER(set_term_op, term.op)
TEXT_SETTER(set_reason, status_reason)
TEXT_SETTER(set_created, created)
TEXT_SETTER(set_target_version, target.api_version)
TEXT_SETTER(set_target_kind, target.kind)
TEXT_SETTER(set_target_name, target.name)
NUMBER_SETTER(set_generation, generation)
NUMBER_SETTER(set_spec_replicas, spec_replicas)
NUMBER_SETTER(set_status_replicas, status_replicas)
NUMBER_SETTER(set_kubelet_port, kubelet_port)
NUMBER_SETTER(set_retry_seconds, retry_seconds)
NUMBER_SETTER(set_code, status_code)
QUANTITY_SETTER(set_cpu, cpu_milli)
QUANTITY_SETTER(set_memory, memory_milli)
QUANTITY_SETTER(set_container_cpu, container.cpu_milli)
QUANTITY_SETTER(set_container_memory, container.memory_milli)

/* Cut, not refused: it is shown to people only. */
static void set_message(struct notes *n, const char *text, size_t len) {
    size_t cut = len < 400 ? len : 400;
    n->status_message = memchr(text, '\0', cut) ? "" : arena_strndup(&n->arena, text, cut);
}

/* That it is being deleted counts, not since when. */
static void set_deleting(struct notes *n, const char *text, size_t len) {
    (void)text;
    n->deleting = len > 0;
}

static void set_initial_end(struct notes *n, const char *text, size_t len) {
    n->initial_end = same(text, len, "true");
}

static void set_controller(struct notes *n, const char *text, size_t len) {
    n->owner.controller = same(text, len, "true");
}

static void set_restart_policy(struct notes *n, const char *text, size_t len) {
    n->container.always = same(text, len, "Always");
}

/* As in any JSON map, the last of equal keys counts; the index relies on distinct ones. */
static void add_label(struct notes *n, const char *text, size_t len) {
    for (uint32_t i = 0; i < n->labels.count; i++)
        if (strcmp(n->labels.items[i].key, n->pair_key) == 0) {
            n->labels.items[i].value = notes_text(n, text, len);
            return;
        }
    if (MORE(n, &n->labels, DECODE_PAIRS_MAX))
        n->labels.items[n->labels.count++] = (struct notes_pair){n->pair_key, notes_text(n, text, len)};
}

/* A key that comes twice in JSON: the last one counts, whole. Protobuf has no such begin; its entries come
 * one by one. */
static void begin_labels(struct notes *n) {
    n->labels.count = 0;
}

static void begin_owner(struct notes *n) {
    memset(&n->owner, 0, sizeof(n->owner));
}

/* Owners without controller: true keep an object from being collected, but do not run it. */
static void end_owner(struct notes *n) {
    if (n->owner.controller)
        memcpy(&n->controller, &n->owner, sizeof(n->controller));
}

static void begin_entry(struct notes *n) {
    memset(&n->entry, 0, sizeof(n->entry));
}

/* Of all conditions only Ready is looked at, a pod's or a node's. */
static void end_condition(struct notes *n) {
    const char *status = str_or_empty(n->entry.status);

    if (!str_eq(n->entry.type, "Ready"))
        return;
    n->ready = strcmp(status, "True") == 0    ? CONDITION_TRUE
               : strcmp(status, "False") == 0 ? CONDITION_FALSE
                                              : CONDITION_UNKNOWN;
    n->ready_transition = n->entry.transition;
}

/* The first of each type, as the API server takes it to reach a kubelet. */
static void end_address(struct notes *n) {
    for (int i = 0; i < NODE_ADDRESSES; i++)
        if (str_eq(n->entry.type, node_address_names[i]) && !n->addresses[i])
            n->addresses[i] = n->entry.address;
}

static void begin_container(struct notes *n) {
    n->container = (struct notes_container){.cpu_milli = -1, .memory_milli = -1};
}

static void begin_init_container(struct notes *n) {
    begin_container(n);
    n->container.init = true;
}

/* Init containers are gone when a pod runs, but for those that always restart: the sidecars, whose requests
 * count as the others' do, for HPA as well. */
static void end_container(struct notes *n) {
    if (n->container.init && !n->container.always)
        return;
    if (!n->container.name)
        notes_spoil(n, "a container", "has no name");
    else if (MORE(n, &n->containers, DECODE_CONTAINERS_MAX))
        n->containers.items[n->containers.count++] = n->container;
}

static void add_term(struct notes *n) {
    if (!n->term.key)
        notes_spoil(n, "a selector's term", "has no key");
    else if (MORE(n, &n->terms, DECODE_PAIRS_MAX))
        n->terms.items[n->terms.count++] = n->term;
}

static void begin_term(struct notes *n) {
    n->term = (struct notes_term){0};
}

/* matchLabels' pairs are terms without an operator; in the text form they are sorted in with the others. */
static void add_match_label(struct notes *n, const char *text, size_t len) {
    n->term = (struct notes_term){.key = n->pair_key, .value = notes_text(n, text, len)};
    add_term(n);
}

static void add_term_value(struct notes *n, const char *text, size_t len) {
    struct notes_term *term = &n->term;

    if (term->value_count >= DECODE_PAIRS_MAX) {
        notes_spoil(n, "a selector's values", "are too many");
        return;
    }
    if ((term->value_count & (term->value_count - 1)) == 0) { /* at 0, 1, 2, 4, …: twice the room */
        const char **values = ARENA_ARRAY(&n->arena, const char *, term->value_count * 2 + 1);
        if (term->value_count)
            memcpy(values, term->values, term->value_count * sizeof(*values));
        term->values = values;
    }
    term->values[term->value_count++] = notes_text(n, text, len);
}

#define LEN(a) ((uint8_t)(sizeof(a) / sizeof((a)[0])))
#define KEY(k) .key = (k), .len = sizeof(k) - 1
/* A key, and its number in the API's generated.proto (0: protobuf is not read). No field of a message
 * has the number 0, so that such an entry is never found there. */
#define FIELD(k, n, t) KEY(k), .number = (n), .type = (t)
#define STRING(k, n, f)                                                                                      \
    { FIELD(k, n, FIELD_STRING), .set = (f) }
#define TIME(k, n, f)                                                                                        \
    { FIELD(k, n, FIELD_STRING), .time = true, .set = (f) }
#define NUMBER(k, n, f)                                                                                      \
    { FIELD(k, n, FIELD_NUMBER), .set = (f) }
#define BOOL(k, n, f)                                                                                        \
    { FIELD(k, n, FIELD_BOOL), .set = (f) }
/* Quantities stand in maps from resource to quantity, whose entries protobuf finds by their name. */
#define QUANTITY(k, f)                                                                                       \
    { FIELD(k, 0, FIELD_QUANTITY), .set = (f) }
#define MAP(k, n, table)                                                                                     \
    { FIELD(k, n, FIELD_MAP), .in = (table), .count = LEN(table) }
#define ENTRIES(k, n, table)                                                                                 \
    { FIELD(k, n, FIELD_MAP), .in = (table), .count = LEN(table), .entries = true }
#define LIST(k, n, element)                                                                                  \
    { FIELD(k, n, FIELD_LIST), .in = &(element), .count = 1 }

static const struct field label = STRING("", 2, add_label);
/* Tables only from here on; the numbers are those of generated.proto in k8s.io/api and apimachinery. */
static const struct field owner_fields[] = {
    STRING("uid", 4, set_owner_uid),
    STRING("kind", 1, set_owner_kind),
    STRING("name", 3, set_owner_name),
    BOOL("controller", 6, set_controller),
};
static const struct field owner = {.type = FIELD_MAP,
                                   .in = owner_fields,
                                   .count = LEN(owner_fields),
                                   .begin = begin_owner,
                                   .end = end_owner};
#define INITIAL_EVENTS_END STRING("k8s.io/initial-events-end", 2, set_initial_end)
static const struct field annotations[] = {INITIAL_EVENTS_END};
static const struct field node_annotations[] = {
    INITIAL_EVENTS_END,
    STRING("metrics.k8s.io/resource-metrics-path", 2, set_metrics_path),
};
#define METADATA_FIELDS(annotations)                                                                         \
    STRING("name", 1, set_name), STRING("namespace", 3, set_ns), STRING("uid", 5, set_uid),                  \
        STRING("resourceVersion", 6, set_version), NUMBER("generation", 7, set_generation),                  \
        TIME("deletionTimestamp", 9, set_deleting),                                                          \
        {KEY("labels"), .number = 11, .type = FIELD_PAIRS, .in = &label, .count = 1, .begin = begin_labels}, \
        ENTRIES("annotations", 12, annotations), LIST("ownerReferences", 13, owner)
static const struct field metadata[] = {METADATA_FIELDS(annotations)};
static const struct field node_metadata[] = {METADATA_FIELDS(node_annotations)};

/* A Status in an ERROR event; an ordinary object may have fields of these names and any type. */
static const struct field details[] = {
    {KEY("retryAfterSeconds"), .type = FIELD_NUMBER, .set = set_retry_seconds, .lenient = true}};
#define STATUS_FIELDS                                                                                        \
    {KEY("code"), .type = FIELD_NUMBER, .set = set_code, .lenient = true},                                   \
        {KEY("reason"), .type = FIELD_STRING, .set = set_reason, .lenient = true},                           \
        {KEY("message"), .type = FIELD_STRING, .set = set_message, .lenient = true}, {                       \
        KEY("details"), .type = FIELD_MAP, .in = details, .count = LEN(details), .lenient = true             \
    }

static const struct field condition_fields[] = {
    STRING("type", 1, set_entry_type),
    STRING("status", 2, set_entry_status),
    TIME("lastTransitionTime", 4, set_entry_transition),
};
static const struct field condition = {.type = FIELD_MAP,
                                       .in = condition_fields,
                                       .count = LEN(condition_fields),
                                       .begin = begin_entry,
                                       .end = end_condition};

static const struct field container_requests[] = {
    QUANTITY("cpu", set_container_cpu),
    QUANTITY("memory", set_container_memory),
};
static const struct field container_resources[] = {ENTRIES("requests", 2, container_requests)};
static const struct field container_fields[] = {
    STRING("name", 1, set_container_name),
    MAP("resources", 8, container_resources),
    STRING("restartPolicy", 24, set_restart_policy),
};
static const struct field container = {.type = FIELD_MAP,
                                       .in = container_fields,
                                       .count = LEN(container_fields),
                                       .begin = begin_container,
                                       .end = end_container};
static const struct field init_container = {.type = FIELD_MAP,
                                            .in = container_fields,
                                            .count = LEN(container_fields),
                                            .begin = begin_init_container,
                                            .end = end_container};
static const struct field requests[] = {QUANTITY("cpu", set_cpu), QUANTITY("memory", set_memory)};
static const struct field pod_resources[] = {ENTRIES("requests", 2, requests)};
static const struct field pod_spec[] = {
    STRING("nodeName", 10, set_node),
    LIST("containers", 2, container),
    LIST("initContainers", 20, init_container),
    MAP("resources", 40, pod_resources),
};
static const struct field pod_status[] = {
    STRING("phase", 1, set_phase),
    TIME("startTime", 7, set_start_time),
    LIST("conditions", 2, condition),
};

static const struct field address_fields[] = {
    STRING("type", 1, set_entry_type),
    STRING("address", 2, set_entry_address),
};
static const struct field address = {.type = FIELD_MAP,
                                     .in = address_fields,
                                     .count = LEN(address_fields),
                                     .begin = begin_entry,
                                     .end = end_address};
/* A capital letter indeed: v1.DaemonEndpoint has it so. */
static const struct field kubelet_endpoint[] = {NUMBER("Port", 1, set_kubelet_port)};
static const struct field daemon_endpoints[] = {MAP("kubeletEndpoint", 1, kubelet_endpoint)};
static const struct field node_status[] = {
    LIST("conditions", 4, condition),
    LIST("addresses", 5, address),
    MAP("daemonEndpoints", 6, daemon_endpoints),
    ENTRIES("allocatable", 2, requests),
};

static const struct field match_label = STRING("", 0, add_match_label);
static const struct field term_value = STRING("", 0, add_term_value);
static const struct field term_fields[] = {
    STRING("key", 0, set_term_key),
    STRING("operator", 0, set_term_op),
    LIST("values", 0, term_value),
};
static const struct field term = {
    .type = FIELD_MAP, .in = term_fields, .count = LEN(term_fields), .begin = begin_term, .end = add_term};
static const struct field selector_fields[] = {
    {KEY("matchLabels"), .type = FIELD_PAIRS, .in = &match_label, .count = 1},
    {KEY("matchExpressions"), .type = FIELD_LIST, .in = &term, .count = 1},
    /* any other key: a ReplicationController's plain pair */
    {KEY(""), .type = FIELD_STRING, .set = add_match_label, .lenient = true},
};
static const struct field workload_spec[] = {
    NUMBER("replicas", 0, set_spec_replicas),
    MAP("selector", 0, selector_fields),
};
static const struct field workload_status[] = {NUMBER("replicas", 0, set_status_replicas)};

/* creationTimestamp: of two autoscalers on one target the older one counts. */
static const struct field hpa_metadata[] = {METADATA_FIELDS(annotations),
                                            STRING("creationTimestamp", 0, set_created)};
static const struct field target_fields[] = {
    STRING("apiVersion", 0, set_target_version),
    STRING("kind", 0, set_target_kind),
    STRING("name", 0, set_target_name),
};
static const struct field hpa_spec[] = {MAP("scaleTargetRef", 0, target_fields)};

static const struct field pod_root[] = {MAP("metadata", 1, metadata), MAP("spec", 2, pod_spec),
                                        MAP("status", 3, pod_status), STATUS_FIELDS};
static const struct field node_root[] = {MAP("metadata", 1, node_metadata), MAP("status", 3, node_status),
                                         STATUS_FIELDS};
static const struct field workload_root[] = {MAP("metadata", 1, metadata), MAP("spec", 0, workload_spec),
                                             MAP("status", 0, workload_status), STATUS_FIELDS};
static const struct field meta_root[] = {MAP("metadata", 1, metadata), STATUS_FIELDS};
static const struct field hpa_root[] = {MAP("metadata", 0, hpa_metadata), MAP("spec", 0, hpa_spec),
                                        STATUS_FIELDS};

/* Protobuf tells by its envelope that a Status comes (decode_proto.c), and has a table of its own for it; in
 * JSON it stands where an object would, so that every root has STATUS_FIELDS too. */
static const struct field proto_details[] = {NUMBER("retryAfterSeconds", 5, set_retry_seconds)};
static const struct field proto_status[] = {
    STRING("message", 3, set_message),
    STRING("reason", 4, set_reason),
    MAP("details", 5, proto_details),
    NUMBER("code", 6, set_code),
};

const struct field *decode_status_fields(void) {
    static const struct field root = MAP("status", 0, proto_status);

    return &root;
}

/* Those that are read whole need the notes for their names alone, in case they are left out. */
const struct field *decode_fields(enum object_type type) {
    static const struct field roots[] = {
        [OBJECT_POD] = MAP("object", 0, pod_root),
        [OBJECT_NODE] = MAP("object", 0, node_root),
        [OBJECT_WORKLOAD] = MAP("object", 0, workload_root),
        [OBJECT_META] = MAP("object", 0, meta_root),
        [OBJECT_POLICY] = MAP("object", 0, meta_root),
        [OBJECT_HPA] = MAP("object", 0, hpa_root),
        [OBJECT_METRIC_SOURCE] = MAP("object", 0, meta_root),
    };
    return &roots[type];
}
