/* The inside of the ruleset: the lists of series that the rules need (ruleset_lists.c), and what is made of
 * them (ruleset.c).
 *
 *   rules -> lists, one for each different server and seriesQuery -> forms of each, kept
 *   rules + resources + forms -> registry, made anew where any of them changes */
#ifndef ADAPTER_RULESET_INTERNAL_H
#define ADAPTER_RULESET_INTERNAL_H

#include "adapter/promseries.h"
#include "adapter/ruleset.h"
#include "adapter/seriesforms.h"

/* One list of series. */
struct rulelist {
    struct rulelists *lists;
    char *key;      /* source and selector */
    char *source;   /* NULL: the default server */
    char *selector; /* seriesQuery */
    uint32_t line;  /* of the first rule that needs it */
    bool needed;    /* by the rules that are being taken */

    struct seriesforms *forms; /* of the last good answer; NULL: none yet */
    struct err err;            /* why the last one was none; code 0: it was good, or there was none yet */
    bool wanted;               /* waits to be asked for */
    usec_t pause, due;         /* while it brings nothing: how long to wait, and until when; 0: not at all */

    /* Of the answer under way. */
    struct promclient *client;    /* that was asked last, to be compared alone; NULL: there was none */
    struct promclient_call *call; /* NULL: none is */
    struct promseries *reader;
    struct seriesforms *coming;
};

/* All lists, and when they are asked for: together each interval, and alone, more often, those that have
 * brought nothing yet. */
struct rulelists {
    struct loop *loop;
    struct sources *sources;
    usec_t interval, max_age;
    loop_fn *changed; /* forms of a list have changed, and nothing else is expected soon */
    loop_fn *ended;   /* nothing is under way any more */
    void *arg;

    struct map by_key;
    uint32_t count;
    struct rulelist **all; /* in the order of the rules that need them */
    uint32_t in_flight;
    struct loop_timer *timer;
    struct loop_timer *settle; /* lists that have changed wait for slower ones, but not for long */
    bool dirty;                /* forms have changed since changed was called */

    bool round; /* all are asked for */
    usec_t next_round, round_started, round_ended;
    uint64_t rounds, failed_rounds;
    usec_t took, last_wall; /* of the last round */
};

void rulelists_init(struct rulelists *lists, struct loop *loop, struct sources *sources,
                    const struct ruleset_options *options);
void rulelists_done(struct rulelists *lists);
/* Makes the lists those of rules; what was known of those that stay is kept. All are asked for on a later
 * turn. */
void rulelists_take(struct rulelists *lists, const struct rules *rules);
/* The list of a rule; never NULL for a rule that was taken. */
const struct rulelist *rulelists_of(const struct rulelists *lists, const struct rule *rule);
/* Asks for all, where nobody did within a few seconds (or longer where lists are slow): whether one round is
 * under way now. */
bool rulelists_hurry(struct rulelists *lists);
/* Servers may have come, gone or changed: the lists of those that have are asked for anew. */
void rulelists_restart(struct rulelists *lists);
/* The first list that failed last time; NULL: none. */
const struct rulelist *rulelists_failed(const struct rulelists *lists);

#endif
