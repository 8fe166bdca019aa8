/* The reflector by tables: data/reflector/NAME.json has the events and, for each, the state and actions that
 * must follow (and where given: the delay's bounds, the version to resume from, the page's token, the error).
 */
#include "informers/reflector.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static enum reflector_event_type type_of(const char *name) {
    static const char *const names[] = {"start",  "stop",     "timer", "opened", "page",
                                        "object", "bookmark", "error", "failed", "closed"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum reflector_event_type)i;
    fail_msg("no event %s", name);
    return REFLECT_START;
}

static int64_t number(const json_t *step, const char *name, int64_t otherwise) {
    const json_t *value = json_object_get(step, name);
    return value ? json_integer_value(value) : otherwise;
}

static struct reflector_event read_event(const json_t *step) {
    return (struct reflector_event){
        .type = type_of(json_string_value(json_object_get(step, "event"))),
        .version = json_string_value(json_object_get(step, "version")),
        .token = json_string_value(json_object_get(step, "token")),
        .initial_end = json_is_true(json_object_get(step, "end")),
        .status = (int)number(step, "status", 0),
        .code = (int)number(step, "code", 0),
        .reason = json_string_value(json_object_get(step, "reason")),
        .text = json_string_value(json_object_get(step, "text")),
        .retry_after = number(step, "retry_after", 0),
        .random = (uint32_t)number(step, "random", 0x70000000),
    };
}

static void write_outcome(struct buf *out, const struct reflector *r, const struct reflector_step *step) {
    static const char *const names[] = {"close", "begin", "sync", "list", "watch", "sweep", "wait"};

    buf_puts(out, reflector_state_name(r->state));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (step->actions & (1u << i))
            buf_printf(out, " %s", names[i]);
}

static void check_rest(const json_t *want, const struct reflector *r, const struct reflector_step *step) {
    const json_t *delay = json_object_get(want, "delay");
    const char *resume = json_string_value(json_object_get(want, "resume"));
    const char *token = json_string_value(json_object_get(want, "want_token"));

    if (delay) {
        assert_in_range(step->delay, json_integer_value(json_array_get(delay, 0)),
                        json_integer_value(json_array_get(delay, 1)));
    }
    if (resume)
        assert_string_equal(r->version, resume);
    if (token)
        assert_string_equal(str_or_empty(r->token), token);
    if (json_object_get(want, "error"))
        assert_int_equal(r->error.code, number(want, "error", 0));
}

static void run_file(const char *name) {
    cleanup_free char *path = xasprintf(TEST_DATA_DIR "/reflector/%s", name);
    json_error_t error;
    json_t *in = json_load_file(path, 0, &error);
    struct reflector r;
    size_t i;
    json_t *entry;

    if (!in)
        fail_msg("%s: %s", path, error.text);
    reflector_init(&r, "pods", 500 * USEC_PER_MSEC, number(in, "max", 30 * USEC_PER_SEC));
    json_array_foreach(json_object_get(in, "steps"), i, entry) {
        cleanup_buf struct buf out;
        const struct reflector_event event = read_event(entry);
        const char *want = json_string_value(json_object_get(entry, "want"));
        buf_init(&out, 1024);
        struct reflector_step step = reflector_next(&r, &event);
        write_outcome(&out, &r, &step);
        if (strcmp(out.data, want) != 0)
            fail_msg("%s, step %zu: got %s, want %s", name, i, out.data, want);
        check_rest(entry, &r, &step);
    }
    assert_true(i > 0);
    reflector_done(&r);
    json_decref(in);
}

static void test_tables(void **state) {
    DIR *dir = opendir(TEST_DATA_DIR "/reflector");
    int cases = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));)
        if (str_ends(e->d_name, ".json")) {
            run_file(e->d_name);
            cases++;
        }
    closedir(dir);
    assert_true(cases >= 15);
}

/* Whatever comes, in whatever order: a wait always has a delay within bounds, and only BACKOFF waits. */
static void test_any_order(void **state) {
    const char *const texts[] = {NULL, "x", "RequestWatchProgress"};
    const int statuses[] = {0, 400, 401, 403, 404, 410, 422, 429, 500, 503};
    struct reflector r;
    unsigned seed = 3;
    unsigned waits = 0;

    (void)state;
    reflector_init(&r, "pods", 500 * USEC_PER_MSEC, 30 * USEC_PER_SEC);
    for (int i = 0; i < 200000; i++) {
        const struct reflector_event event = {
            .type = (enum reflector_event_type)(rand_r(&seed) % 10),
            .version = rand_r(&seed) % 3 ? "5" : NULL,
            .token = rand_r(&seed) % 2 ? "t" : NULL,
            .initial_end = rand_r(&seed) % 2,
            .status = statuses[rand_r(&seed) % 10],
            .text = texts[rand_r(&seed) % 3],
            .random = (uint32_t)rand_r(&seed) * 2u,
        };
        struct reflector_step step = reflector_next(&r, &event);
        bool wait = step.actions & REFLECT_DO_WAIT;
        assert_true(!wait || r.state == REFLECTOR_BACKOFF);
        assert_true(!wait || (step.delay >= 250 * USEC_PER_MSEC && step.delay <= 30 * USEC_PER_SEC));
        assert_true(!(step.actions & REFLECT_DO_WATCH) || r.version[0]);
        waits += wait;
        if (i % 1000 == 0)
            r.no_streaming = false;
    }
    assert_true(waits > 1000);
    reflector_done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
