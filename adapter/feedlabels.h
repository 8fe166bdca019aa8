/* The labels of one series while its JSON object is read: {"__name__":"up","job":"x"}. Their texts stand one
 * behind the other in a buffer that the next series uses again. Bounded and pure. */
#ifndef ADAPTER_FEEDLABELS_H
#define ADAPTER_FEEDLABELS_H

#include "adapter/exposition.h"
#include "adapter/jsonfeed.h"
#include "base/buf.h"

/* A series with more labels, or of more bytes, is none that a server would take in. */
enum { FEEDLABELS_MAX = 256, FEEDLABELS_BYTES_MAX = 1024 * 1024 };

struct feedlabels {
    struct series_label labels[FEEDLABELS_MAX]; /* what feedlabels_finish gives; valid until the next clear */
    uint32_t count;

    struct jsonfeed *feed;
    const char *what; /* "a series", "an element": whose labels these are, for messages */
    struct buf texts;
    size_t names[FEEDLABELS_MAX], values[FEEDLABELS_MAX]; /* as offsets, for the buffer may move */
};

/* Failures are kept in feed. feed and what are borrowed. */
void feedlabels_init(struct feedlabels *labels, struct jsonfeed *feed, const char *what);
void feedlabels_done(struct feedlabels *labels);
/* Begins the next series. */
void feedlabels_clear(struct feedlabels *labels);

/* A label's name, then its value; what an escaped NUL cuts off of a text is lost. Like the functions of
 * jsonfeed_grammar they return 1, or 0 after a failure: past a limit, or a value that is no string. */
int feedlabels_name(struct feedlabels *labels, const char *text, size_t len);
int feedlabels_value(struct feedlabels *labels, enum jsonfeed_token token, const char *text, size_t len);
/* The series is whole: labels are sorted by name. 0 where a name is there twice. */
int feedlabels_finish(struct feedlabels *labels);

#endif
