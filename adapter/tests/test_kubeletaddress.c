/* metrics-server's options and the URLs that they make of nodes. */
#include "adapter/kubeletaddress.h"

#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const ip_first[] = {"InternalIP", "Hostname", NULL};
static const char *const dns_only[] = {"ExternalDNS", NULL};
static const char *const unknown[] = {"InternalIP", "Internalip", NULL};

static const struct refusal {
    struct kubelets_options options;
    const char *want;
} refusals[] = {
    {{.resolution = 9 * USEC_PER_SEC}, "--metric-resolution: should be at least 10s"},
    {{.port = 70000}, "--kubelet-port: 70000 is no port"},
    {{.preferred_types = unknown},
     "--kubelet-preferred-address-types: Internalip is none of Hostname, InternalDNS, InternalIP, "
     "ExternalDNS "
     "and ExternalIP"},
    {{.ca_file = "ca", .insecure_tls = true},
     "cannot use both --kubelet-certificate-authority and --kubelet-insecure-tls"},
    {{.cert_file = "c"}, "need both --kubelet-client-key and --kubelet-client-certificate"},
    {{.key_file = "k"}, "need both --kubelet-client-key and --kubelet-client-certificate"},
    {{.deprecated_completely_insecure = true, .insecure_tls = true},
     "cannot use both --kubelet-insecure-tls and --deprecated-kubelet-completely-insecure"},
    {{.deprecated_completely_insecure = true, .ca_file = "ca"},
     "cannot use both --kubelet-certificate-authority and --deprecated-kubelet-completely-insecure"},
    {{.deprecated_completely_insecure = true, .cert_file = "c", .key_file = "k"},
     "cannot use both --kubelet-client-certificate and --deprecated-kubelet-completely-insecure"},
};

static void refuses_contradictions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct kubelet_address address;
        struct err err = {0};
        assert_int_equal(kubelet_address_read(&refusals[i].options, &address, &err), -EINVAL);
        assert_string_equal(err.text, refusals[i].want);
    }
}

/* What a node tells: its addresses in the order of their types, its port and its path. */
static const struct target {
    struct kubelets_options options;
    const char *addresses[NODE_ADDRESSES];
    uint16_t port;
    const char *path, *want;
} targets[] = {
    {{0},
     {"h1", "h1.int", "10.0.0.1", "h1.ext", "203.0.113.1"},
     0,
     NULL,
     "https://h1:10250/metrics/resource"},
    {{0}, {NULL, NULL, "10.0.0.1", NULL, "203.0.113.1"}, 0, NULL, "https://10.0.0.1:10250/metrics/resource"},
    {{0}, {"", NULL, "fd00::1"}, 0, NULL, "https://[fd00::1]:10250/metrics/resource"},
    {{.preferred_types = ip_first},
     {"h1", NULL, "10.0.0.1"},
     0,
     NULL,
     "https://10.0.0.1:10250/metrics/resource"},
    {{.preferred_types = ip_first}, {"h1"}, 0, NULL, "https://h1:10250/metrics/resource"},
    {{.preferred_types = dns_only}, {"h1"}, 0, NULL, "the node has no address of the preferred types"},
    {{.port = 1234}, {"h1"}, 10255, NULL, "https://h1:1234/metrics/resource"},
    {{.port = 1234, .use_node_status_port = true}, {"h1"}, 10255, NULL, "https://h1:10255/metrics/resource"},
    {{.port = 1234, .use_node_status_port = true}, {"h1"}, 0, NULL, "https://h1:1234/metrics/resource"},
    {{.deprecated_completely_insecure = true}, {"h1"}, 0, "", "http://h1:10250/metrics/resource"},
    {{0}, {"h1"}, 0, "/metrics/other", "https://h1:10250/metrics/other"},
    {{0}, {"h1"}, 0, "other", "https://h1:10250/other"},
    {{0}, {"h1/x@evil"}, 0, NULL, "the node's address \"h1/x@evil\" is none"},
    {{0},
     {"h1"},
     0,
     "/metrics?x=1#y",
     "the node's annotation metrics.k8s.io/resource-metrics-path \"/metrics?x=1#y\" is no path"},
};

static void finds_the_url(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const struct target *t = &targets[i];
        struct node node = {.kubelet_port = t->port, .metrics_path = t->path};
        struct kubelet_address address;
        cleanup_arena struct arena arena;
        struct err err = {0};
        const char *url = NULL;
        arena_init(&arena, 0);
        memcpy(node.addresses, t->addresses, sizeof(node.addresses));
        assert_int_equal(kubelet_address_read(&t->options, &address, &err), 0);
        int ret = kubelet_url(&address, &node, &arena, &url, &err);
        assert_string_equal(ret < 0 ? err.text : url, t->want);
        assert_int_equal(ret < 0, !str_starts(t->want, "http"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_contradictions),
        cmocka_unit_test(finds_the_url),
    };
    return cmocka_run_group_tests_name("kubeletaddress", tests, NULL, NULL);
}
