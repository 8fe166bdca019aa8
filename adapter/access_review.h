/* Questions to the apiserver and its answers: TokenReview (who is it?) and SubjectAccessReview (may they?),
 * and a refusal in the words of an apiserver. Pure. */
#ifndef ADAPTER_ACCESS_REVIEW_H
#define ADAPTER_ACCESS_REVIEW_H

#include "adapter/access_identity.h"
#include "adapter/accessaction.h"
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>

/* The documents to be sent; new references. NULL: a text is no UTF-8, which no apiserver would take. */
json_t *access_token_question(const char *token, size_t len);
json_t *access_subject_question(const struct identity *identity, const struct access_action *action);

/* Reads an answered TokenReview: *ret_identity with one reference, or NULL where it is not authenticated.
 * -EBADMSG: it is no answer; -EACCES: the apiserver could not tell, in its words. */
int access_token_answer(const json_t *answer, struct access_identity **ret_identity, struct err *err);
/* Reads an answered SubjectAccessReview; *ret_reason is borrowed, "" where none is given. -EBADMSG. */
int access_subject_answer(const json_t *answer, bool *ret_allowed, const char **ret_reason, struct err *err);

/* Appends what tells one question from others: equal keys, equal SubjectAccessReviews. */
void access_question_key(const struct access_identity *identity, const struct access_action *action,
                         struct buf *out);
/* "pods.custom.metrics.k8s.io "x" is forbidden: User "u" cannot get resource "pods/queue" in API group
 * "custom.metrics.k8s.io" in the namespace "ns": REASON", as k8s.io/apiserver words it; -EACCES. */
int access_denial(const struct identity *identity, const struct access_action *action, const char *reason,
                  struct err *err);

#endif
