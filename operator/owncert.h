/* A serving certificate of our own: an authority made for it alone, whose key is thrown away at once, and the
 * certificate that it has signed for the Service's names. */
#ifndef OPERATOR_OWNCERT_H
#define OPERATOR_OWNCERT_H

#include "base/cleanup.h"
#include "net/certificate.h"

struct owncert {
    struct certificate serving;
    char *ca_pem; /* the authority's certificate; behind it the one before, so that both are trusted for a
                     while */
};
void owncert_done(struct owncert *cert);
#define cleanup_owncert cleanup(owncert_done)
/* Whether both are the same certificate and authorities. */
bool owncert_equal(const struct owncert *a, const struct owncert *b);

/* Whether who trusts bundle's authorities trusts cert too, for it being by one of them. */
bool owncert_trusted(const struct owncert *cert, const struct owncert *bundle);

/* For a Service (both NULL: for localhost only), valid for a year from now (wall time). old_ca_pem: what is
 * trusted today, or NULL. 0 or -EIO. */
int owncert_make(const char *service_ns, const char *service, const char *old_ca_pem, usec_t now,
                 struct owncert *ret_cert, struct err *err);
/* 0 where it can be served now: it fits its key, is signed by its authority, is for the Service, and has not
 * ended. Else -EINVAL with what is wrong. */
int owncert_check(const struct owncert *cert, const char *service_ns, const char *service, usec_t now,
                  struct err *err);
/* When it is to be renewed: after two thirds of its life; and when it ends. Wall time; 0 where it cannot be
 * read. */
usec_t owncert_due(const struct owncert *cert);
usec_t owncert_not_after(const struct owncert *cert);

#endif
