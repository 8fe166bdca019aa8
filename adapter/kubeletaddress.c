/* The options' checks and the URL. What a node says of itself comes from its kubelet: nothing in it may turn
 * one URL into another, for our credentials go with the request. So hosts and paths are checked against the
 * few characters that they need, and not for those that are dangerous. */
#include "adapter/kubeletaddress.h"

#include "base/str.h"
#include <errno.h>
#include <string.h>

enum { DEFAULT_PORT = 10250 };

/* metrics-server's, for kubelets measure no more often than that. */
static const usec_t RESOLUTION_MIN = 10 * USEC_PER_SEC;

static int address_type(const char *name) {
    for (int i = 0; i < NODE_ADDRESSES; i++)
        if (strcmp(name, node_address_names[i]) == 0)
            return i;
    return -1;
}

static int read_types(const char *const *names, struct kubelet_address *address, struct err *err) {
    for (; names && *names; names++) {
        int type = address_type(*names);
        if (type < 0)
            return err_set(err, -EINVAL,
                           "--kubelet-preferred-address-types: %s is none of Hostname, InternalDNS, "
                           "InternalIP, ExternalDNS and ExternalIP",
                           *names);
        if (address->count == NODE_ADDRESSES)
            return err_set(err, -EINVAL, "--kubelet-preferred-address-types: more than %d types",
                           NODE_ADDRESSES);
        address->order[address->count++] = (uint8_t)type;
    }
    /* metrics-server's order, which is the order of the types. */
    for (int i = 0; address->count == 0 && i < NODE_ADDRESSES; i++)
        address->order[i] = (uint8_t)i;
    if (address->count == 0)
        address->count = NODE_ADDRESSES;
    return 0;
}

/* The words are metrics-server's. Of two flags that contradict each other one would be without effect, and
 * whoever set it would believe to be safe. */
static int check_tls(const struct kubelets_options *o, struct err *err) {
    if (o->ca_file && o->insecure_tls)
        return err_set(err, -EINVAL,
                       "cannot use both --kubelet-certificate-authority and --kubelet-insecure-tls");
    if (!o->cert_file != !o->key_file)
        return err_set(err, -EINVAL, "need both --kubelet-client-key and --kubelet-client-certificate");
    if (o->deprecated_completely_insecure && (o->cert_file || o->insecure_tls || o->ca_file))
        return err_set(err, -EINVAL, "cannot use both %s and --deprecated-kubelet-completely-insecure",
                       o->cert_file      ? "--kubelet-client-certificate"
                       : o->insecure_tls ? "--kubelet-insecure-tls"
                                         : "--kubelet-certificate-authority");
    return 0;
}

int kubelet_address_read(const struct kubelets_options *options, struct kubelet_address *ret_address,
                         struct err *err) {
    struct kubelet_address address = {.port = DEFAULT_PORT,
                                      .use_node_port = options->use_node_status_port,
                                      .plain = options->deprecated_completely_insecure};

    if (options->resolution && options->resolution < RESOLUTION_MIN)
        return err_set(err, -EINVAL, "--metric-resolution: should be at least 10s");
    if (options->port < 0 || options->port > UINT16_MAX)
        return err_set(err, -EINVAL, "--kubelet-port: %d is no port", options->port);
    if (options->port)
        address.port = (uint16_t)options->port;
    int ret = read_types(options->preferred_types, &address, err);
    if (ret == 0)
        ret = check_tls(options, err);
    if (ret == 0)
        *ret_address = address;
    return ret;
}

static bool all_of(const char *text, const char *also) {
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(also, *text)))
            return false;
    return true;
}

static const char *preferred(const struct kubelet_address *address, const struct node *node) {
    for (uint32_t i = 0; i < address->count; i++) {
        const char *text = node->addresses[address->order[i]];
        if (text && *text)
            return text;
    }
    return NULL;
}

int kubelet_url(const struct kubelet_address *address, const struct node *node, struct arena *arena,
                const char **ret_url, struct err *err) {
    const char *host = preferred(address, node);
    const char *path = node->metrics_path && *node->metrics_path ? node->metrics_path : "/metrics/resource";
    uint16_t port = address->use_node_port && node->kubelet_port ? node->kubelet_port : address->port;

    if (!host)
        return err_set(err, -EINVAL, "the node has no address of the preferred types");
    if (!all_of(host, ".-_:"))
        return err_set(err, -EINVAL, "the node's address \"%s\" is none", host);
    if (!all_of(path, "/.-_~"))
        return err_set(err, -EINVAL,
                       "the node's annotation metrics.k8s.io/resource-metrics-path \"%s\" is no path", path);
    /* An address of a node has no port: a colon is IPv6's. */
    bool v6 = strchr(host, ':');
    *ret_url = arena_printf(arena, "%s://%s%s%s:%u%s%s", address->plain ? "http" : "https", v6 ? "[" : "",
                            host, v6 ? "]" : "", port, *path == '/' ? "" : "/", path);
    return 0;
}
