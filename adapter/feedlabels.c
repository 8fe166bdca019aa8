/* Labels as they are read. Prometheus writes them in order, so that sorting is the exception.
 *
 * Texts are gathered in one buffer, which moves as it grows: until the series is whole a label is two
 * offsets, and only feedlabels_finish makes pointers of them. names[count] is of the label whose value comes
 * next; count goes up with the value. */
#include "adapter/feedlabels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void feedlabels_init(struct feedlabels *l, struct jsonfeed *feed, const char *what) {
    l->feed = feed;
    l->what = what;
    l->count = 0;
    buf_init(&l->texts, FEEDLABELS_BYTES_MAX);
}

void feedlabels_done(struct feedlabels *l) {
    buf_done(&l->texts);
}

void feedlabels_clear(struct feedlabels *l) {
    l->count = 0;
    buf_reset(&l->texts);
}

static int put_text(struct feedlabels *l, const char *text, size_t len, size_t *ret_at) {
    *ret_at = l->texts.len;
    if (buf_append_text(&l->texts, text, len) < 0)
        return jsonfeed_fail(l->feed, -E2BIG, "%s of the answer is longer than 1 MiB", l->what);
    return 1;
}

int feedlabels_name(struct feedlabels *l, const char *text, size_t len) {
    if (l->count == FEEDLABELS_MAX)
        return jsonfeed_fail(l->feed, -E2BIG, "%s of the answer has more than 256 labels", l->what);
    return put_text(l, text, len, &l->names[l->count]);
}

int feedlabels_value(struct feedlabels *l, enum jsonfeed_token token, const char *text, size_t len) {
    if (token != JSONFEED_STRING)
        return jsonfeed_wrong(l->feed, "a label's value is not a string");
    return put_text(l, text, len, &l->values[l->count++]);
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct series_label *)a)->name, ((const struct series_label *)b)->name);
}

int feedlabels_finish(struct feedlabels *l) {
    bool sorted = true;

    for (uint32_t i = 0; i < l->count; i++) {
        l->labels[i] = (struct series_label){l->texts.data + l->names[i], l->texts.data + l->values[i]};
        sorted &= i == 0 || compare(&l->labels[i - 1], &l->labels[i]) < 0;
    }
    if (sorted)
        return 1;
    /* Equal neighbours count as out of order, so that a name that is there twice always gets here. */
    qsort(l->labels, l->count, sizeof(*l->labels), compare);
    for (uint32_t i = 1; i < l->count; i++)
        if (compare(&l->labels[i - 1], &l->labels[i]) == 0)
            return jsonfeed_wrong(l->feed, "%s has a label twice", l->what);
    return 1;
}
