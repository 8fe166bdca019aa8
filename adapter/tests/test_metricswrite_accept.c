/* Which form of a document an Accept header asks for. */
#include "adapter/metricswrite.h"

#include "base/tests/cm.h"

enum {
    JSON = 1 << ACCEPT_JSON,
    TABLES = JSON | 1 << ACCEPT_TABLE,
    DISCOVERY = JSON | 1 << ACCEPT_DISCOVERY_V2 | 1 << ACCEPT_DISCOVERY_V2BETA1,
};

#define V2 "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
#define V2BETA1 "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io"

static const struct {
    const char *header;
    unsigned offered;
    enum accepted want;
} CASES[] = {
    {NULL, TABLES, ACCEPT_JSON},
    {"", TABLES, ACCEPT_JSON},
    {"application/json", TABLES, ACCEPT_JSON},
    {"application/json, */*", TABLES, ACCEPT_JSON},
    {"*/*", JSON, ACCEPT_JSON},
    {"application/*", JSON, ACCEPT_JSON},
    {"Application/JSON; charset=utf-8", JSON, ACCEPT_JSON},
    {"text/html", JSON, ACCEPT_NOTHING},
    {"text/html, application/xml;q=0.9, */*;q=0.8", JSON, ACCEPT_JSON},
    {"application/vnd.kubernetes.protobuf", JSON, ACCEPT_NOTHING},
    {"application/vnd.kubernetes.protobuf,application/json", JSON, ACCEPT_JSON},
    /* kubectl get */
    {TABLE ",application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", TABLES, ACCEPT_TABLE},
    {TABLE, JSON, ACCEPT_NOTHING},
    {TABLE ",application/json", JSON, ACCEPT_JSON},
    {"application/json;as=Table;v=v1beta1;g=meta.k8s.io", TABLES, ACCEPT_NOTHING},
    {"application/json;as=Table", TABLES, ACCEPT_NOTHING},
    {"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", TABLES, ACCEPT_JSON},
    /* kubectl and the aggregator, discovery */
    {V2 "," V2BETA1 ",application/json", DISCOVERY, ACCEPT_DISCOVERY_V2},
    {V2BETA1 "," V2, DISCOVERY, ACCEPT_DISCOVERY_V2BETA1},
    {V2BETA1 ";q=0.5," V2 " ; q=0.75", DISCOVERY, ACCEPT_DISCOVERY_V2},
    {V2 "," V2BETA1 ",application/json", JSON, ACCEPT_JSON},
    {V2 ";profile=nopeer", DISCOVERY, ACCEPT_DISCOVERY_V2},
    /* q */
    {"application/json;q=0", JSON, ACCEPT_NOTHING},
    {"application/json;q=0.1," TABLE ";q=0.2", TABLES, ACCEPT_TABLE},
    {"application/json;q=0.0009", JSON, ACCEPT_NOTHING},
    {"application/json;q=0.001", JSON, ACCEPT_JSON},
    {"application/json;q=x", JSON, ACCEPT_JSON},
    {"application/json;q=," TABLE, TABLES, ACCEPT_JSON},
    /* odd ones */
    {",,;,=;;", JSON, ACCEPT_NOTHING},
    {" \t ", JSON, ACCEPT_NOTHING},
    {"application/json;as", JSON, ACCEPT_JSON},
};

static void reads_the_header(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        if (accept_read(CASES[i].header, CASES[i].offered) != CASES[i].want)
            fail_msg("%s", CASES[i].header ? CASES[i].header : "(none)");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
