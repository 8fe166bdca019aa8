/* The shell around conflict.h: HorizontalPodAutoscalers are followed and claim their targets beside the
 * policies; a policy with another one ahead of it waits, or takes over where an annotation asks for it.
 *
 *   HPA event, policy event ─> claims_set ─> entry_queue of the others on the target
 *   entry_reconcile ─> entry_find_rival ─> takeover_look: read, store, delete ─> rivals_hpa_gone ─> it acts
 */
#ifndef AUTOSCALER_RIVALS_H
#define AUTOSCALER_RIVALS_H

#include "autoscaler/conflict.h"
#include "informers/informers.h"

struct autoscaler;
struct entry;
struct takeover;

struct rivals {
    struct informer *hpas;
    struct map of_hpas; /* "namespace/name" -> struct hpa_claim */
    struct claims claims;
    unsigned takeovers; /* under way */
    bool warned;        /* that the HPAs cannot be followed */
};

/* rivals.c */
void rivals_open(struct autoscaler *as);
/* After the entries are gone. */
void rivals_close(struct autoscaler *as);
/* Whether the HPAs are in memory, or may not be read at all: then policies act without knowing of them. */
bool rivals_settled(const struct autoscaler *as);
/* Claims the target of entry->policy, or lets go of it where the policy cannot be used. */
void entry_claim(struct entry *entry);
void entry_unclaim(struct entry *entry);
/* Fills input.conflict (and conflict_text) of an entry whose input is gathered otherwise; texts in its arena.
 */
void entry_find_rival(struct entry *entry);
/* An HPA of this uid is gone from the cluster, though the watch may not have told so yet. */
void rivals_hpa_gone(struct autoscaler *as, const char *ns, const char *name, const char *uid);

/* takeover.c */
/* Goes on with taking over from hpa (of this uid), which alone stands in the policy's way. Returns how far it
 * is, in words, in the entry's arena. */
const char *takeover_look(struct entry *entry, const char *hpa, const char *uid);
/* After an edit of the policy: ends what was under way for what it said before. */
void takeover_revise(struct entry *entry);
/* Nobody stands in the way any more. As a rule the HPA is gone, and the watch may tell so before the answer
 * to the deletion does: then the policy says that it took over. */
void takeover_gone(struct entry *entry);
/* Forgets it, and ends what is under way. */
void takeover_end(struct entry *entry);

#endif
