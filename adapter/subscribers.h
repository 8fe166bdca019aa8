/* Those who follow one thing: a list that stays whole while they are told, whoever comes or goes meanwhile.
 * Pure. */
#ifndef ADAPTER_SUBSCRIBERS_H
#define ADAPTER_SUBSCRIBERS_H

#include "api/types/metric_source.h"

/* Embedded in a subscription; next and prev belong to the list. */
struct subscriber {
    struct subscriber *next, *prev;
    usec_t interval; /* how often it wants to be told; unchanged while in a list */
    metric_changed_fn *changed;
    void *arg;
};

/* Starts as {0}. */
struct subscribers {
    struct subscriber *first;
    struct subscriber *next_told;
    usec_t least;      /* of the intervals */
    uint32_t at_least; /* how many want exactly that */
    bool telling;      /* the list's owner may not go now, but when subscribers_tell has returned */
};

void subscribers_add(struct subscribers *all, struct subscriber *subscriber);
/* Also while they are told. */
void subscribers_remove(struct subscribers *all, struct subscriber *subscriber);
/* Calls changed of each; each may remove its own or any other one, and add, meanwhile. */
void subscribers_tell(struct subscribers *all);
/* The shortest interval asked for; 0: there are none. */
usec_t subscribers_interval(const struct subscribers *all);

#endif
