/* Certificates of our own: made, read and checked, by OpenSSL. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>

/* A certificate and its key, PEM, owned. */
struct certificate {
    char *cert_pem, *key_pem;
};
void certificate_done(struct certificate *certificate);
#define cleanup_certificate cleanup(certificate_done)

struct certificate_request {
    const char *common_name;
    const char *const
        *names;           /* subject alternative names: hosts and IP addresses, NULL-terminated; NULL: none */
    usec_t now, lifetime; /* wall time; valid from an hour before now */
};

/* A self-signed authority (ECDSA P-256), and a serving certificate that it has signed. 0 or -EIO. */
int certificate_make_ca(const struct certificate_request *request, struct certificate *ret_ca,
                        struct err *err);
int certificate_issue(const struct certificate *ca, const struct certificate_request *request,
                      struct certificate *ret_certificate, struct err *err);

struct certificate_facts {
    usec_t not_before, not_after; /* wall time */
    bool fits_key;                /* where a key was given */
};
/* Reads the first certificate of a PEM text; key_pem may be NULL. -EINVAL where it is none. */
int certificate_read(const char *cert_pem, const char *key_pem, struct certificate_facts *ret_facts,
                     struct err *err);
/* Whether the certificate is for name (host or address), and was signed by ca_pem (NULL: not asked). */
bool certificate_is_for(const char *cert_pem, const char *name);
bool certificate_signed_by(const char *cert_pem, const char *ca_pem);

#endif
