/* Who asks, as an apiserver knows people: name, uid, groups and further values; put together from what a
 * certificate, the headers of a front proxy or a TokenReview say. Pure. */
#ifndef ADAPTER_ACCESS_IDENTITY_H
#define ADAPTER_ACCESS_IDENTITY_H

#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* NULL-terminated lists. */
struct identity_extra {
    const char *key;
    const char *const *values;
};
struct identity {
    const char *user, *uid; /* uid may be "" */
    const char *const *groups;
    const struct identity_extra *extra; /* ended by a NULL key */
};

/* An identity that is kept: immutable and counted. */
struct access_identity {
    struct identity is;
    const char *key; /* equal for equal identities, and only for those */
    uint32_t refs;
    struct arena arena;
};
struct access_identity *access_identity_ref(struct access_identity *identity);
/* NULL is allowed. */
void access_identity_unref(struct access_identity *identity);
static inline void cleanup_access_identity_p(struct access_identity **identity) {
    access_identity_unref(*identity);
}
#define cleanup_access_identity cleanup(cleanup_access_identity_p)

/* Appends text (NULL: empty) to a key. Its length goes before it, so that no text can pass for two. */
void access_key_put(struct buf *key, const char *text);

/* An identity in the making. */
struct identity_draft {
    struct arena arena;
    const char *user, *uid; /* NULL: not given; set with identity_draft_user and _uid */
    struct draft_value *groups, **groups_end;
    struct draft_value *extra, **extra_end;
};
void identity_draft_init(struct identity_draft *draft);
/* For one that is given up. */
void identity_draft_done(struct identity_draft *draft);
/* An empty text changes nothing; nor does any but the first. */
void identity_draft_user(struct identity_draft *draft, const char *user);
void identity_draft_uid(struct identity_draft *draft, const char *uid);
/* One more; an empty one is left out. */
void identity_draft_group(struct identity_draft *draft, const char *group);
/* One more value of a key. */
void identity_draft_extra(struct identity_draft *draft, const char *key, const char *value);
/* The same from what a front proxy's header is called behind the prefix: the key in small letters,
 * percent-decoded; one that cannot be decoded stays as it is. */
void identity_draft_extra_header(struct identity_draft *draft, const char *rest, const char *value);

/* Makes the identity, with one reference, and takes the draft's memory. NULL: no user is given (the draft is
 * given up). system:authenticated is added, as the apiserver's group adder does: but for system:anonymous and
 * who has that group or system:unauthenticated. */
struct access_identity *identity_draft_finish(struct identity_draft *draft);

/* system:anonymous, of the group system:unauthenticated. One reference. */
struct access_identity *access_identity_anonymous(void);
bool identity_in_group(const struct identity *identity, const char *group);

/* The token of "Bearer TOKEN", read as the apiserver does; ret_len: its length. NULL: there is none. Borrowed
 * from header, which may be NULL. */
const char *access_bearer_token(const char *header, size_t *ret_len);

#endif
