/* From apiVersion and kind to the resource behind them, by the server's own (aggregated, where it has it)
 * discovery. */
#ifndef API_CLIENT_DISCOVERY_H
#define API_CLIENT_DISCOVERY_H

#include "api/client/kube.h"
#include "base/buf.h"

struct resource {
    const char *group, *version, *kind; /* group "" for core */
    const char *plural;
    bool namespaced;
    bool has_scale;       /* a scale subresource is there */
    const char *singular; /* NULL or "": not told, which means the kind in lower case */
};

struct discovery;

/* Borrows kube; owned by the caller. Nothing is asked yet. */
struct discovery *discovery_new(struct kube *kube);
void discovery_free(struct discovery *discovery);

/* Looks a kind up. Found in memory: 0 and *ret_resource (borrowed until discovery_free; equal kinds give the
 * same pointer). Else -EAGAIN: it is being asked for and changed (see below) is called when the answer is in;
 * -ENOENT: the server does not know it (asked again at most every 30 s, so that a new CRD is found without a
 * restart); other codes: the last attempt failed, and is repeated with back-off. */
int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err);
/* Asks anew: at once, or a second after the last round. For somebody to whom a found kind answered 404. */
void discovery_refresh(struct discovery *discovery);
/* Somebody asked for a resource by a name that no kind has: asks anew where the last round is older than
 * 30 s. */
void discovery_missed(struct discovery *discovery);
/* fn is called after every completed round of discovery, failed ones too; at most 16 of them. */
void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg);

/* Follows everything that the server serves, not the groups alone that are looked up: asks at once, and again
 * every 10 minutes. */
void discovery_follow_all(struct discovery *discovery);
/* Whether a round of discovery_follow_all has been answered; once true it stays so. */
bool discovery_loaded(const struct discovery *discovery);
/* Why the last round failed: 0, or its code and text. */
int discovery_failure(const struct discovery *discovery, struct err *err);
/* Calls fn for each resource that can be got, subresources left out, in the order of the server's discovery:
 * the core group first, of each group the preferred version first. One that several versions have is told
 * once, of the first. The groups of the custom and external metrics APIs are left out: what they list are
 * metrics. Resources are borrowed until discovery_free, and equal ones give the same pointer. */
typedef void discovery_fn(void *arg, const struct resource *resource);
void discovery_each(const struct discovery *discovery, discovery_fn *fn, void *arg);
/* Calls fn for each "group/version" that the server lists and could not tell about, for another server behind
 * it does not answer; what it had before counts on. */
typedef void discovery_broken_fn(void *arg, const char *api_version);
void discovery_each_broken(const struct discovery *discovery, discovery_broken_fn *fn, void *arg);

/* "/apis/apps/v1/namespaces/ns/deployments" (name NULL), ".../name" or ".../name/sub"; "/api/v1/…" for core.
 * ns NULL: all namespaces. Written into buf (the caller's). */
int resource_path(const struct resource *resource, const char *ns, const char *name, const char *subresource,
                  struct buf *buf);

#endif
