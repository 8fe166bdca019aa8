/* Making and judging our own certificates.
 *
 * Each has an authority of its own that signs it and nothing else: its key is never kept, so that there is
 * none that could be stolen to sign another with. The price is a new authority at each renewal; that is why
 * there is always the one before beside it (ca_pem), and why servingcert.c tells the authority first and
 * serves later. */
#include "operator/owncert.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* Three names of this machine, four of the Service, and the NULL behind them. */
enum { NAME_MAX_LEN = 256, NAMES = 8 };

/* After two thirds it is renewed: four months are left in which somebody can see that this fails. */
static const usec_t lifetime = 365 * 24 * USEC_PER_HOUR;
static const char *const block_end = "-----END CERTIFICATE-----\n";

void owncert_done(struct owncert *cert) {
    certificate_done(&cert->serving);
    free(cert->ca_pem);
    *cert = (struct owncert){0};
}

bool owncert_equal(const struct owncert *a, const struct owncert *b) {
    return str_eq(a->serving.cert_pem, b->serving.cert_pem) &&
           str_eq(a->serving.key_pem, b->serving.key_pem) && str_eq(a->ca_pem, b->ca_pem);
}

/* The name that the apiserver asks for when it calls a Service. */
static void service_name(const char *ns, const char *service, char *out) {
    if (service)
        snprintf(out, NAME_MAX_LEN, "%s.%s.svc", service, ns);
    else
        snprintf(out, NAME_MAX_LEN, "localhost");
}

/* All names by which clients in the cluster may call the Service, and those of this machine. */
static int sign(const struct certificate *ca, const char *ns, const char *service, usec_t now,
                struct certificate *ret_serving, struct err *err) {
    char in_ns[NAME_MAX_LEN] = "", svc[NAME_MAX_LEN] = "", whole[NAME_MAX_LEN] = "";
    const char *names[NAMES] = {"localhost", "127.0.0.1", "::1"};
    if (service) {
        service_name(ns, service, svc);
        snprintf(in_ns, sizeof(in_ns), "%s.%s", service, ns);
        snprintf(whole, sizeof(whole), "%s.%s.svc.cluster.local", service, ns);
        const char *const more[] = {service, in_ns, svc, whole};
        memcpy(names + 3, more, sizeof(more));
    }
    /* A common name has room for 64 characters only (RFC 5280, appendix A.1: ub-common-name), which a
     * Service's may exceed; nobody looks at it where there are names. */
    struct certificate_request request = {
        .common_name = "trimtab", .names = names, .now = now, .lifetime = lifetime};
    return certificate_issue(ca, &request, ret_serving, err);
}

/* The first certificate of a text of several, which is the newest, or NULL. Owned. */
static char *first_of(const char *pem) {
    const char *end = pem ? strstr(pem, block_end) : NULL;
    return end ? xstrndup(pem, (size_t)(end - pem) + strlen(block_end)) : NULL;
}

/* By the text: the one before is copied into the next bundle as it is. */
bool owncert_trusted(const struct owncert *cert, const struct owncert *bundle) {
    cleanup_free char *ca = first_of(cert->ca_pem);
    return ca && bundle->ca_pem && strstr(bundle->ca_pem, ca);
}

/* The new authority, and behind it the one before, but none that is older: what that signed has ended when
 * the one before is due, and the bundle would grow with each renewal. */
static char *join_authorities(const char *ca_pem, const char *old_ca_pem) {
    cleanup_free char *old = first_of(old_ca_pem);
    return xasprintf("%s%s", ca_pem, str_or_empty(old));
}

int owncert_make(const char *service_ns, const char *service, const char *old_ca_pem, usec_t now,
                 struct owncert *ret_cert, struct err *err) {
    struct certificate_request request = {.common_name = "trimtab CA", .now = now, .lifetime = lifetime};
    cleanup_certificate struct certificate ca = {0};
    struct certificate serving;
    int r = certificate_make_ca(&request, &ca, err);
    if (r == 0)
        r = sign(&ca, service_ns, service, now, &serving, err);
    if (r < 0)
        return r;
    *ret_cert = (struct owncert){.serving = serving, .ca_pem = join_authorities(ca.cert_pem, old_ca_pem)};
    return 0;
}

/* Checked in the order in which the mistakes are made. What is checked may come from a Secret that
 * somebody else has written, or from a folder in which an earlier start has left half of it. */
int owncert_check(const struct owncert *cert, const char *service_ns, const char *service, usec_t now,
                  struct err *err) {
    const struct certificate *serving = &cert->serving;
    struct certificate_facts facts;
    char name[NAME_MAX_LEN], time[CLOCK_TEXT_MAX];
    if (!serving->cert_pem || !serving->key_pem || !cert->ca_pem)
        return err_set(err, -EINVAL, "tls.crt, tls.key or ca.crt is missing");
    int r = certificate_read(serving->cert_pem, serving->key_pem, &facts, err);
    if (r < 0)
        return err_wrap(err, "tls.crt");
    if (!facts.fits_key)
        return err_set(err, -EINVAL, "tls.key is not the key of tls.crt");
    if (facts.not_after <= now)
        return err_set(err, -EINVAL, "tls.crt has ended on %s", clock_format(facts.not_after, time));
    service_name(service_ns, service, name);
    if (!certificate_is_for(serving->cert_pem, name))
        return err_set(err, -EINVAL, "tls.crt is not for %s", name);
    if (!certificate_signed_by(serving->cert_pem, cert->ca_pem))
        return err_set(err, -EINVAL, "tls.crt is not signed by ca.crt");
    return 0;
}

usec_t owncert_due(const struct owncert *cert) {
    struct certificate_facts facts;
    if (!cert->serving.cert_pem || certificate_read(cert->serving.cert_pem, NULL, &facts, NULL) < 0)
        return 0;
    return facts.not_before + (facts.not_after - facts.not_before) / 3 * 2;
}

usec_t owncert_not_after(const struct owncert *cert) {
    struct certificate_facts facts;
    if (!cert->serving.cert_pem || certificate_read(cert->serving.cert_pem, NULL, &facts, NULL) < 0)
        return 0;
    return facts.not_after;
}
