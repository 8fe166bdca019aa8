/* What a request does, in the words of a SubjectAccessReview. Pure. */
#ifndef ADAPTER_ACCESSACTION_H
#define ADAPTER_ACCESSACTION_H

/* NULL where it does not apply. */
struct access_action {
    const char *verb, *group, *version, *resource, *subresource, *name, *ns;
    const char *path; /* of a request that is about no resource; then verb and path alone count */
};

#endif
