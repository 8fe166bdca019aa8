/* An apiserver that keeps objects, in place of api/client/kube.c and kubeobject.c, in simulated time: what is
 * written is seen by those who follow it, with versions and conflicts. */
#ifndef OPERATOR_TESTS_FAKE_OBJECTS_H
#define OPERATOR_TESTS_FAKE_OBJECTS_H

#include "api/client/kubeobject.h"
#include "net/loop.h"

struct kube {
    struct loop *loop;
    json_t *objects; /* by path */
    int version;
    bool forbidden; /* 403 to everything */
    int refuse;     /* so many writes get 500 */
    bool slow;      /* what was written is seen before the writer has its answer */
    int writes;     /* that were done */
    int started;    /* writes that were asked for */
    struct kubeobject *followed;
    int calls; /* under way */
};

void fake_objects_init(struct kube *kube, struct loop *loop);
/* Nobody follows any more, and no request is under way. */
void fake_objects_done(struct kube *kube);
/* The object at path, or NULL; borrowed. */
json_t *fake_object(struct kube *kube, const char *path);
/* Somebody else writes: merges patch into the object, or makes it; NULL deletes it. Takes patch. */
void fake_object_set(struct kube *kube, const char *path, json_t *patch);

#endif
