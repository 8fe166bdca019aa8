/* Inside of the decoder: which fields of an object are wanted, and the notes that are taken of them until the
 * object is complete. */
#ifndef INFORMERS_DECODE_FIELDS_H
#define INFORMERS_DECODE_FIELDS_H

#include "api/types/object.h"
#include "base/arena.h"
#include "base/err.h"

enum {
    DECODE_TEXT_MAX = 1024,   /* of a text that is kept */
    DECODE_TOKEN_MAX = 16384, /* of a continue token */
    DECODE_PAIRS_MAX = 1024,  /* labels of an object, terms of a selector */
    DECODE_CONTAINERS_MAX = 512,
};

struct notes_pair {
    const char *key, *value;
};

/* One term of a selector: key=value (value set), or key op (values). */
struct notes_term {
    const char *key, *op, *value;
    const char **values;
    uint32_t value_count;
};

struct notes_container {
    const char *name;
    int64_t cpu_milli, memory_milli;
    bool always; /* restartPolicy */
    bool init;
};

/* A vector that keeps its memory from object to object. */
struct notes_pairs {
    struct notes_pair *items;
    uint32_t count, cap;
};
struct notes_terms {
    struct notes_term *items;
    uint32_t count, cap;
};
struct notes_containers {
    struct notes_container *items;
    uint32_t count, cap;
};

/* What has been read of the present object; strings live in arena. */
struct notes {
    struct arena arena;
    const char *bad, *bad_field; /* why the object cannot be used, NULL: it can */

    const char *name, *ns, *uid, *version;
    int64_t generation;
    bool deleting, initial_end;
    struct notes_pairs labels;
    struct {
        const char *uid, *kind, *name;
        bool controller;
    } owner, controller; /* the one being read, and the one that counts */

    const char *phase, *start_time, *node;
    uint8_t ready;
    const char *ready_transition;
    struct {
        const char *type, *status, *transition, *address;
    } entry;                         /* of conditions or addresses, while it is read */
    int64_t cpu_milli, memory_milli; /* the pod's own, or what a node offers */
    struct notes_container container;
    struct notes_containers containers;
    const char *addresses[NODE_ADDRESSES], *metrics_path;
    int64_t kubelet_port;

    const char *created;
    struct {
        const char *api_version, *kind, *name;
    } target; /* scaleTargetRef */

    int64_t spec_replicas, status_replicas;
    struct notes_terms terms;
    struct notes_term term;
    const char *pair_key; /* of the map entry being read */

    const char *status_reason, *status_message;
    int64_t status_code, retry_seconds;
};

enum field_type {
    FIELD_MAP,
    FIELD_PAIRS,
    FIELD_LIST,
    FIELD_STRING,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_QUANTITY
};

/* A wanted field: the tree of these is walked along with the document. */
struct field {
    const char *key;
    uint8_t len;
    uint8_t number;         /* in protobuf; 0: the type is read as JSON only */
    uint8_t type;           /* enum field_type */
    uint8_t count;          /* of in */
    bool lenient;           /* another type is passed over; else it spoils the object */
    bool entries;           /* FIELD_MAP: in protobuf a map, whose keys are the fields' names */
    bool time;              /* FIELD_STRING: in protobuf a Time, which is set as text */
    bool object;            /* an API object stands here: in is the type's table */
    const struct field *in; /* FIELD_MAP: its fields; FIELD_LIST: its element; FIELD_PAIRS: each value */
    void (*begin)(struct notes *notes);
    void (*end)(struct notes *notes);
    /* A value as text: numbers as written, "true", "false". */
    void (*set)(struct notes *notes, const char *text, size_t len);
};

/* The root of an object of type. */
const struct field *decode_fields(enum object_type type);
/* The root of a Status in an ERROR event, as protobuf has it. */
const struct field *decode_status_fields(void);

void notes_init(struct notes *notes);
void notes_done(struct notes *notes);
/* Ready for the next object. */
void notes_reset(struct notes *notes);
/* Marks the object as one that cannot be used. */
void notes_spoil(struct notes *notes, const char *field, const char *why);
/* Copies a text that is to be kept; one that is too long or holds a NUL spoils the object and gives "". */
const char *notes_text(struct notes *notes, const char *text, size_t len);

/* Makes an object of the notes, with one reference: 0, or -EINVAL. Not for those that are read whole
 * (OBJECT_POLICY, OBJECT_METRIC_SOURCE). */
int notes_build(struct notes *notes, enum object_type type, struct str_pool *pool, struct object **ret_object,
                struct err *err);
/* The text form of the selector that was read, terms sorted by key, as apimachinery's labels.Selector writes
 * it; owned by the caller. One that cannot be written spoils the object. */
char *notes_selector(struct notes *notes);

#endif
