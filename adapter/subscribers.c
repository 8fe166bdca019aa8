/* A doubly linked list with a cursor for the one that is told next: whoever is removed while the list is told
 * moves the cursor, if it is at it. Whoever is added comes before all others, and is not told then. */
#include "adapter/subscribers.h"

#include <stddef.h>

/* While at_least is 0, least means nothing: the list is empty, or is being counted anew. */
static void count_interval(struct subscribers *all, usec_t interval) {
    if (all->at_least && interval > all->least)
        return;
    if (!all->at_least || interval < all->least)
        all->at_least = 0;
    all->least = interval;
    all->at_least++;
}

/* The list is looked through only where the last one of the shortest interval goes: thousands may share it.
 * The one who goes has left the list already. */
static void uncount_interval(struct subscribers *all, usec_t interval) {
    if (interval > all->least || --all->at_least)
        return;
    for (const struct subscriber *s = all->first; s; s = s->next)
        count_interval(all, s->interval);
}

void subscribers_add(struct subscribers *all, struct subscriber *subscriber) {
    subscriber->prev = NULL;
    subscriber->next = all->first;
    if (all->first)
        all->first->prev = subscriber;
    all->first = subscriber;
    count_interval(all, subscriber->interval);
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
    uncount_interval(all, subscriber->interval);
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
    return all->first ? all->least : 0;
}
