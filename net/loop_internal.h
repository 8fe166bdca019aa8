/* What the other files of net/ need of the loop; nobody outside includes this. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include "net/loop.h"
#include <libwebsockets.h>

/* The context all connections and listeners of this loop live in; borrowed. */
struct lws_context *loop_lws(struct loop *loop);
/* To be called first by whatever libwebsockets calls back: reads the clock once a turn, where the work
 * starts. */
void loop_mark(struct loop *loop);
/* Calls fn(arg) after the hooks of this turn: for what must not be freed while libwebsockets is still in it.
 */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);
/* The caches that live as long as the loop (TLS contexts): at most one owner, freed just after the context.
 */
void loop_set_attachment(struct loop *loop, void *data, void (*free_fn)(void *data));
void *loop_attachment(struct loop *loop);

#endif
