/* How a kubelet is reached: metrics-server's options, checked, and the URL of a node's metrics. Pure. */
#ifndef ADAPTER_KUBELETADDRESS_H
#define ADAPTER_KUBELETADDRESS_H

#include "api/types/object.h"
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

/* metrics-server's flags, with its meanings and defaults. */
struct kubelets_options {
    usec_t resolution;                  /* --metric-resolution; 0: 15 s */
    const char *const *preferred_types; /* --kubelet-preferred-address-types; NULL: its default order */
    int port;                           /* --kubelet-port; 0: 10250 */
    bool use_node_status_port;          /* --kubelet-use-node-status-port */
    bool insecure_tls;                  /* --kubelet-insecure-tls */
    const char *ca_file, *cert_file,
        *key_file;                       /* --kubelet-certificate-authority, -client-certificate, -key */
    usec_t request_timeout;              /* --kubelet-request-timeout; 0: 10 s */
    const char *node_selector;           /* --node-selector; NULL: all */
    bool deprecated_completely_insecure; /* --deprecated-kubelet-completely-insecure: plain HTTP */
};

/* What the URL is made of. */
struct kubelet_address {
    uint8_t order[NODE_ADDRESSES]; /* enum node_address, the preferred one first */
    uint32_t count;
    uint16_t port;
    bool use_node_port; /* the node's own port, where it tells one, goes first */
    bool plain;         /* HTTP */
};

/* -EINVAL names the flag and what is wrong with it; as metrics-server refuses combinations that contradict
 * each other. */
int kubelet_address_read(const struct kubelets_options *options, struct kubelet_address *ret_address,
                         struct err *err);
/* "https://10.0.0.7:10250/metrics/resource", in arena. -EINVAL: the node has no address of a type that is
 * preferred, or what it tells is none. */
int kubelet_url(const struct kubelet_address *address, const struct node *node, struct arena *arena,
                const char **ret_url, struct err *err);

#endif
