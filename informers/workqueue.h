/* The keys that want a decision: each at most once, in order of arrival, some only from a given time on. Pure
 * (time is an argument). As controller-runtime's: a request carries a key, never the event. */
#ifndef INFORMERS_WORKQUEUE_H
#define INFORMERS_WORKQUEUE_H

#include "base/clock.h"
#include <stdbool.h>
#include <stddef.h>

struct workqueue;

struct workqueue *workqueue_new(void);
void workqueue_free(struct workqueue *queue);
/* Adds a key (copied) that is due at when (0: at once); where it is already in, the earlier time counts. */
void workqueue_add(struct workqueue *queue, const char *key, usec_t when);
/* Forgets a key. */
void workqueue_remove(struct workqueue *queue, const char *key);
/* Takes the next key that is due at now: owned by the caller (free), or NULL. */
char *workqueue_take(struct workqueue *queue, usec_t now);
/* When the next one is due: false where the queue is empty. */
bool workqueue_next(const struct workqueue *queue, usec_t *ret_when);
size_t workqueue_length(const struct workqueue *queue);

#endif
