/* The TLS server of the metrics APIs: HTTP/1.1 with keep-alive, TLS 1.2 and 1.3, client certificates asked
 * for but not required, answers at once or on a later turn.
 *
 * Bounded: connections (httpsserver_options; a new one takes the place of one without a request, as
 * httpsserver.c tells), a target of 8 KiB (else 414), headers of 16 KiB and 128 lines (else 431), one request
 * at a time a connection and 16 KiB read ahead, the time of a handshake, of a request from its first byte to
 * its last, of an answer, and of a peer that takes it too slowly. Bodies of requests are not read: the
 * handler answers by the head alone, and then the connection closes, as it does after a request that is
 * refused and after any method but GET and HEAD. Plain HTTP gets a plain 400. SIGPIPE must be ignored. */
#ifndef NET_HTTPSSERVER_H
#define NET_HTTPSSERVER_H

#include "base/buf.h"
#include "net/loop.h"

struct httpsserver;
struct https_exchange; /* one request that waits for its answer */

/* The two authorities that a peer's certificate may come from. */
enum https_ca { HTTPS_CA_FRONT_PROXY, HTTPS_CA_CLIENT, HTTPS_CAS };

/* The certificate that the peer has shown, where it is verified by at least one of the authorities, and holds
 * at the time of the request. */
struct https_peer {
    bool verified[HTTPS_CAS];
    const char *common_name;
    const char *const *organizations; /* NULL-terminated */
};

struct https_request {
    const char *method; /* "GET" */
    const char *target; /* as it was sent: percent-encoded, with its query */
    int refused;        /* 0, or why it cannot be served: 400, 414, 431; then only an answer is asked for */
    const struct https_peer *peer; /* NULL: none that verifies */
    const char *peer_ip;
    const struct https_wire *wire; /* for https_header and https_header_prefix */
};

/* Calls fn for each value of a header (name in any case), in order; one header line may hold several values
 * only where the sender joined them, which is left to fn. */
typedef void https_header_fn(void *arg, const char *name, const char *value);
void https_header(const struct https_request *request, const char *name, https_header_fn *fn, void *arg);
/* The same for each header whose name begins with prefix; name is given as it was sent. */
void https_header_prefix(const struct https_request *request, const char *prefix, https_header_fn *fn,
                         void *arg);
/* The first value, or NULL; borrowed as request. */
const char *https_header_first(const struct https_request *request, const char *name);

/* Everything in request is borrowed for the call. Answers with https_answer inside, or later. */
typedef void https_handler(void *arg, struct https_exchange *exchange, const struct https_request *request);

/* Bytes of memory that the bodies of all answers on their way may take together, and up to how many one is
 * too small to count against that. The former is for a pod of 256 MiB: what is being written comes on top. */
enum { HTTPS_ANSWERS_MAX = 96 * 1024 * 1024, HTTPS_ANSWER_SMALL = 16 * 1024 };
/* Whether there is room for this body beside those on their way. Where there is none, a short answer that
 * says so is to be given in its place; httpsserver does not refuse what it is given. */
bool https_has_room(const struct https_exchange *exchange, const struct buf *body);

struct https_answer {
    int status;
    const char *content_type;
    const char *const *headers; /* further "Name: value" lines, NULL-terminated, or NULL */
    bool close;                 /* the connection ends after it */
};
/* Ends the exchange, once; body's contents are taken and it is left empty. Nothing happens where the peer has
 * gone meanwhile (but then on_gone has been called, and exchange must not be used any more). */
void https_answer(struct https_exchange *exchange, const struct https_answer *answer, struct buf *body);
/* fn is called when the peer goes, or the server, before the answer; exchange is gone then. */
void https_on_gone(struct https_exchange *exchange, loop_fn *fn, void *arg);

struct httpsserver_options {
    const char *address;            /* an IP address; NULL: all */
    int port;                       /* 0: any free one */
    const char *cert_pem, *key_pem; /* chain and key; NULL: none yet, connections are refused until
                                       httpsserver_set_certificate */
    int tls_min_version;            /* 12 or 13; 0: 12 */
    int max_connections;            /* 0: 1024 */
    usec_t idle_timeout;            /* between two requests; 0: 90 s */
    usec_t slow_timeout; /* for a handshake, for the first request behind it, for another one to come in from
                            its first byte on, for 16 KiB of an answer to go out, and for what is less than
                            64 KiB/s of all of it; 0: 10 s */
    usec_t answer_timeout; /* the longest that a handler may take, then 504; 0: 60 s */
    https_handler *handler;
    void *arg;
};

/* Starts listening; owned by the caller. Options are copied. -EADDRINUSE, -EACCES, -EINVAL (certificate and
 * key do not fit, …). */
int httpsserver_new(struct loop *loop, const struct httpsserver_options *options,
                    struct httpsserver **ret_server, struct err *err);
int httpsserver_port(const struct httpsserver *server);
/* For connections from now on; -EINVAL leaves what was there. Those that are open keep theirs. */
int httpsserver_set_certificate(struct httpsserver *server, const char *cert_pem, const char *key_pem,
                                struct err *err);
/* The authorities (PEM, several certificates each; NULL: none); they hold from the next request on, also of
 * connections that are open. */
int httpsserver_set_authority(struct httpsserver *server, enum https_ca which, const char *ca_pem,
                              struct err *err);
/* Stops listening; requests under way are answered, with "connection: close"; done is called once, when
 * the last connection has ended, or after limit. */
void httpsserver_drain(struct httpsserver *server, usec_t limit, loop_fn *done, void *arg);
/* Ends everything; open exchanges get on_gone. NULL is allowed. */
void httpsserver_free(struct httpsserver *server);

struct httpsserver_stats {
    uint64_t accepted, refused, handshakes_failed, requests;
    uint64_t replaced;          /* connections ended for a new one */
    int connections, exchanges; /* open now; waiting for an answer now */
    size_t answer_bytes;        /* memory of the bodies on their way */
};
void httpsserver_stats(const struct httpsserver *server, struct httpsserver_stats *ret_stats);

#endif
