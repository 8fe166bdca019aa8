/* What `explain` says out of a policy's status. */
#include "operator/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char policy_text[] =
    "{\"status\": {\"reference\": \"Deployment/web\","
    " \"decision\": {\"time\": \"2026-01-01T00:00:00Z\", \"replicas\": 20, \"reason\": \"AtMaximum\","
    "  \"limitedBy\": \"maxReplicas\", \"message\": \"the sentence\"},"
    " \"metrics\": [{\"name\": \"requests\", \"type\": \"Prometheus\", \"quality\": \"Value\", \"value\": "
    "\"500\","
    "   \"sampleTime\": \"2025-12-31T23:59:58Z\", \"proposal\": 25},"
    "  {\"name\": \"queue\", \"type\": \"External\", \"quality\": \"Failed\", \"message\": \"timeout\"}],"
    " \"conditions\": [{\"type\": \"Ready\", \"status\": \"True\", \"reason\": \"AtMaximum\", \"message\": "
    "\"m\"}]}}";

static void assert_says(const char *policy, const char *want) {
    usec_t now;
    json_t *json = json_loads(policy, 0, NULL);
    struct buf out;

    assert_non_null(json);
    assert_int_equal(clock_parse("2026-01-01T00:00:10Z", &now), 0);
    buf_init(&out, 1 << 16);
    explain_status(json, "default/web", now, &out);
    assert_string_equal(out.data, want);
    buf_done(&out);
    json_decref(json);
}

static void the_status_is_told(void **state) {
    (void)state;
    assert_says(policy_text, "default/web  Deployment/web  20 replicas at 2026-01-01T00:00:00Z (10s ago): "
                             "AtMaximum, limited by maxReplicas\n"
                             "  requests    Prometheus  Value 500 (12s ago), asks for 25\n"
                             "  queue       External    Failed: timeout\n"
                             "  Ready=True  AtMaximum: m\n"
                             "  because     the sentence\n");
}

/* A status is whatever is stored: nothing, or not what was expected. */
static void a_status_that_says_little(void **state) {
    (void)state;
    assert_says("{}", "default/web  nothing has been decided yet\n");
    assert_says("{\"status\": {\"decision\": {\"time\": 5, \"replicas\": \"x\"}, \"metrics\": [3], "
                "\"conditions\": {}}}",
                "default/web  0 replicas at \n                          \n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_told),
        cmocka_unit_test(a_status_that_says_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
