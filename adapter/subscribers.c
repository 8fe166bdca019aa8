/* A doubly linked list with a cursor for the one that is told next. */
#include "adapter/subscribers.h"

#include <stddef.h>

void subscribers_add(struct subscribers *all, struct subscriber *subscriber) {
    subscriber->prev = NULL;
    subscriber->next = all->first;
    if (all->first)
        all->first->prev = subscriber;
    all->first = subscriber;
}

void subscribers_remove(struct subscribers *all, struct subscriber *subscriber) {
    if (all->next_told == subscriber)
        all->next_told = subscriber->next;
    if (subscriber->next)
        subscriber->next->prev = subscriber->prev;
    if (subscriber->prev)
        subscriber->prev->next = subscriber->next;
    else
        all->first = subscriber->next;
}

void subscribers_tell(struct subscribers *all) {
    all->telling = true;
    for (struct subscriber *s = all->first; s; s = all->next_told) {
        all->next_told = s->next;
        if (s->changed)
            s->changed(s->arg);
    }
    all->next_told = NULL;
    all->telling = false;
}

usec_t subscribers_interval(const struct subscribers *all) {
    usec_t least = 0;

    for (const struct subscriber *s = all->first; s; s = s->next)
        if (!least || s->interval < least)
            least = s->interval;
    return least;
}
