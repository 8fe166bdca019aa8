/* URLs: escaping for queries and forms, and the parts of a base URL; libcurl does the work. */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/err.h"

/* text with everything but unreserved characters percent-encoded; owned by the caller. */
char *url_escape(const char *text);

/* A server's address as people write it, taken apart. Owned: url_base_done. */
struct url_base {
    char *url;     /* scheme://host[:port][/prefix] without user, query and a slash at the end */
    char *query;   /* what stood behind "?", or "" */
    char *userpwd; /* "user:password", percent-decoded, or NULL */
};

/* Reads an http or https URL: 0, or -EINVAL that says what is wrong with it and never shows the password. */
int url_base_read(const char *text, struct url_base *ret_base, struct err *err);
void url_base_done(struct url_base *base);

#endif
