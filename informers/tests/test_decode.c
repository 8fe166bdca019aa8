/* The decoder by cases: data/decode/NAME.json has the type, the messages and what must come out. Each case is
 * read whole, and again cut in two at every byte: the result must be the same. */
#include "informers/decode.h"

#include "api/types/policy.h"
#include "api/types/promsource.h"
#include "base/buf.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* The trace of a run: one line for everything that came out. */
static void put_text(struct buf *out, const char *name, const char *text) {
    if (text)
        assert_int_equal(buf_printf(out, " %s=%s", name, text), 0);
}

static void put_number(struct buf *out, const char *name, int64_t n, int64_t absent) {
    if (n != absent)
        assert_int_equal(buf_printf(out, " %s=%lld", name, (long long)n), 0);
}

static void put_time(struct buf *out, const char *name, usec_t t) {
    char text[CLOCK_TEXT_MAX];

    if (t)
        put_text(out, name, clock_format(t, text));
}

static void put_pod(struct buf *out, const struct pod *pod) {
    put_number(out, "phase", pod->phase, -1);
    put_number(out, "ready", pod->ready, CONDITION_ABSENT);
    put_time(out, "since", pod->ready_transition);
    put_time(out, "start", pod->start_time);
    put_text(out, "node", pod->node);
    put_number(out, "cpu", pod->pod_cpu_milli, -1);
    put_number(out, "memory", pod->pod_memory_milli, -1);
    for (uint32_t i = 0; i < pod->container_count; i++) {
        const struct pod_container *c = &pod->containers[i];
        put_text(out, c->sidecar ? "sidecar" : "container", c->name);
        put_number(out, "cpu", c->cpu_milli, -1);
        put_number(out, "memory", c->memory_milli, -1);
    }
}

static void put_node(struct buf *out, const struct node *node) {
    put_number(out, "ready", node->ready, CONDITION_ABSENT);
    put_text(out, "ip", node->addresses[NODE_INTERNAL_IP]);
    put_text(out, "hostname", node->addresses[NODE_HOSTNAME]);
    put_text(out, "internal-dns", node->addresses[NODE_INTERNAL_DNS]);
    put_text(out, "external-ip", node->addresses[NODE_EXTERNAL_IP]);
    put_text(out, "external-dns", node->addresses[NODE_EXTERNAL_DNS]);
    put_number(out, "port", node->kubelet_port, 0);
    put_text(out, "path", node->metrics_path);
    put_number(out, "cpu", node->cpu_milli, -1);
    put_number(out, "memory", node->memory_milli, -1);
}

static void put_workload(struct buf *out, const struct workload *w) {
    put_number(out, "replicas", w->spec_replicas, -1);
    put_number(out, "status", w->status_replicas, 0);
    put_text(out, "selector", w->selector);
}

static void put_hpa(struct buf *out, const struct hpa_object *hpa) {
    put_time(out, "created", hpa->created);
    put_text(out, "scales", hpa->api_version);
    put_text(out, "", hpa->target_kind);
    put_text(out, "", hpa->target_name);
}

static void put_typed(struct buf *out, const struct object *o) {
    if (o->type == OBJECT_POD)
        put_pod(out, (const struct pod *)o);
    if (o->type == OBJECT_NODE)
        put_node(out, (const struct node *)o);
    if (o->type == OBJECT_WORKLOAD)
        put_workload(out, (const struct workload *)o);
    if (o->type == OBJECT_HPA)
        put_hpa(out, (const struct hpa_object *)o);
    if (o->type == OBJECT_POLICY)
        put_number(out, "max", ((const struct policy_object *)o)->spec.max_replicas, -1);
    if (o->type == OBJECT_METRIC_SOURCE)
        put_text(out, "url", ((const struct promsource_object *)o)->spec.url);
}

static void put_object(struct buf *out, const struct object *o) {
    put_text(out, "key", o->key);
    put_text(out, "ns", *o->ns ? o->ns : NULL);
    assert_string_equal(o->name, strrchr(o->key, '/') ? strrchr(o->key, '/') + 1 : o->key);
    put_text(out, "uid", *o->uid ? o->uid : NULL);
    put_text(out, "rv", *o->resource_version ? o->resource_version : NULL);
    put_number(out, "generation", o->generation, 0);
    put_text(out, "deleting", o->deleting ? "yes" : NULL);
    for (uint32_t i = 0; o->labels && i < o->labels->count; i++)
        put_text(out, o->labels->items[i].key, o->labels->items[i].value);
    put_text(out, "owner", o->owner_name);
    put_text(out, "kind", o->owner_kind);
    put_text(out, "ouid", o->owner_uid);
    put_typed(out, o);
}

static void on_object(void *arg, enum decode_event event, struct object *object) {
    static const char *const names[] = {"added", "modified", "deleted", "listed"};
    struct buf *out = arg;

    buf_puts(out, names[event]);
    put_object(out, object);
    buf_puts(out, "\n");
    object_unref(object);
}

static void on_bookmark(void *arg, const char *resource_version, bool initial_end) {
    buf_printf(arg, "bookmark rv=%s%s\n", resource_version, initial_end ? " end" : "");
}

static void on_error(void *arg, const struct decode_status *status) {
    buf_printf(arg, "error %d %s %s %llds\n", status->code, status->reason, status->message,
               (long long)(status->retry_after / USEC_PER_SEC));
}

static void on_skipped(void *arg, const char *name, const char *why) {
    buf_printf(arg, "skipped %s: %s\n", name, why);
}

struct run {
    struct str_pool pool;
    struct buf out;
    struct decoder *decoder;
    enum decode_form form;
};

static void run_init(struct run *run, enum decode_form form, enum object_type type) {
    str_pool_init(&run->pool);
    buf_init(&run->out, (size_t)1 << 20);
    run->form = form;
    run->decoder = decoder_new(form, type, &run->pool,
                               &(struct decode_handler){.on_object = on_object,
                                                        .on_bookmark = on_bookmark,
                                                        .on_error = on_error,
                                                        .on_skipped = on_skipped,
                                                        .arg = &run->out});
}

static void run_done(struct run *run) {
    decoder_free(run->decoder);
    assert_int_equal(run->pool.strings.len, 0); /* every shared string went back */
    str_pool_done(&run->pool);
    buf_done(&run->out);
}

/* One message in two pieces. */
static void run_message(struct run *run, const char *text, size_t len, size_t cut) {
    struct err err = {0};
    int ret = decoder_feed(run->decoder, text, cut, &err);

    if (ret == 0)
        ret = decoder_feed(run->decoder, text + cut, len - cut, &err);
    if (ret == 0)
        ret = decoder_finish(run->decoder, &err);
    if (ret < 0) {
        buf_printf(&run->out, "failed %s\n", err.text);
        decoder_reset(run->decoder);
    } else if (run->form == DECODE_LIST) {
        buf_printf(&run->out, "list rv=%s continue=%s\n", decoder_list_version(run->decoder),
                   decoder_list_continue(run->decoder));
    }
}

static enum object_type type_of(const char *name) {
    static const char *const names[] = {"pod", "node", "workload", "meta", "policy", "hpa", "source"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum object_type)i;
    fail_msg("no type %s", name);
    return OBJECT_META;
}

/* A message as text: a JSON string is taken as it is (for what is not JSON), all else is written out. */
static char *message_text(const json_t *message) {
    if (json_is_string(message))
        return xstrdup(json_string_value(message));
    return json_dumps(message, JSON_COMPACT);
}

/* cmocka's own message is cut after a kilobyte. */
static void expect_trace(const char *got, const char *want, size_t cut) {
    if (strcmp(got, want) == 0)
        return;
    print_error("cut at %zu\n--- got\n", cut);
    print_error("%s", got);
    print_error("--- want\n");
    print_error("%s", want);
    fail();
}

static void run_case(const json_t *in, struct buf *want) {
    const char *form = json_string_value(json_object_get(in, "form"));
    enum decode_form f = form && strcmp(form, "list") == 0 ? DECODE_LIST : DECODE_WATCH;
    enum object_type type = type_of(json_string_value(json_object_get(in, "type")));
    const json_t *messages = json_object_get(in, "messages");
    size_t longest = 1;

    for (size_t cut = 0; cut <= longest; cut++) {
        struct run run;
        run_init(&run, f, type);
        for (size_t i = 0; i < json_array_size(messages); i++) {
            cleanup_free char *text = message_text(json_array_get(messages, i));
            size_t len = strlen(text);
            longest = len > longest ? len : longest;
            run_message(&run, text, len, cut < len ? cut : len);
        }
        expect_trace(run.out.data, want->data, cut);
        run_done(&run);
    }
}

static void run_file(const char *folder, const char *name) {
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    json_error_t error;
    json_t *in = json_load_file(path, 0, &error);
    struct buf want;

    if (!in)
        fail_msg("%s: %s", path, error.text);
    buf_init(&want, (size_t)1 << 20);
    const json_t *lines = json_object_get(in, "want");
    assert_true(json_array_size(lines) > 0);
    for (size_t i = 0; i < json_array_size(lines); i++)
        buf_printf(&want, "%s\n", json_string_value(json_array_get(lines, i)));
    print_message("%s\n", name);
    run_case(in, &want);
    buf_done(&want);
    json_decref(in);
}

static void test_cases(void **state) {
    DIR *dir = opendir(TEST_DATA_DIR "/decode");
    int cases = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));)
        if (str_ends(e->d_name, ".json")) {
            run_file(TEST_DATA_DIR "/decode", e->d_name);
            cases++;
        }
    closedir(dir);
    assert_true(cases >= 10);
}

/* A file of bytes; owned by the caller. */
static char *load(const char *name, size_t *ret_len) {
    cleanup_free char *path = xasprintf(TEST_DATA_DIR "/streams/%s", name);
    cleanup_file FILE *file = fopen(path, "rb");
    char *data = xmalloc((size_t)1 << 20);

    assert_non_null(file);
    *ret_len = fread(data, 1, (size_t)1 << 20, file);
    assert_true(*ret_len > 1000);
    return data;
}

/* What comes out of a stream that is cut in two. */
static char *trace_stream(const char *data, size_t len, enum object_type type, size_t cut) {
    struct run run;

    run_init(&run, DECODE_STREAM, type);
    run_message(&run, data, len, cut);
    char *trace = buf_detach(&run.out);
    run_done(&run);
    return trace;
}

/* One answer of a real apiserver in both encodings: it must come to the same. */
static void check_stream(const char *name, enum object_type type, size_t events) {
    cleanup_free char *json_name = xasprintf("%s.json", name);
    cleanup_free char *proto_name = xasprintf("%s.pb", name);
    size_t json_len = 0, proto_len = 0, lines = 0;
    cleanup_free char *json = load(json_name, &json_len);
    cleanup_free char *proto = load(proto_name, &proto_len);
    cleanup_free char *want = trace_stream(json, json_len, type, 0);

    for (const char *c = want; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, events);
    for (size_t cut = 0; cut <= proto_len; cut += 5) {
        cleanup_free char *got = trace_stream(proto, proto_len, type, cut);
        expect_trace(got, want, cut);
    }
    for (size_t cut = 0; cut <= json_len; cut += 37) {
        cleanup_free char *got = trace_stream(json, json_len, type, cut);
        expect_trace(got, want, cut);
    }
}

static void test_streams(void **state) {
    (void)state;
    check_stream("pods", OBJECT_POD, 5);
    check_stream("nodes", OBJECT_NODE, 5);
    check_stream("addresses", OBJECT_NODE, 5);
}

/* Protobuf that is cut off, or changed in one byte, or for a type whose numbers are not known. */
static void test_bad_protobuf(void **state) {
    size_t len = 0;
    cleanup_free char *proto = load("pods.pb", &len);

    (void)state;
    cleanup_free char *cut = trace_stream(proto, len - 1, OBJECT_POD, 10);
    assert_non_null(strstr(cut, "failed an answer that ends in the middle"));
    cleanup_free char *other = trace_stream(proto, len, OBJECT_WORKLOAD, 10);
    assert_string_equal(other, "failed malformed answer: it is not JSON\n");
    for (size_t i = 0; i < len; i += 3) { /* anything may come out, but nothing may break or leak */
        char was = proto[i];
        proto[i] = (char)(was ^ (1 << i % 8));
        free(trace_stream(proto, len, OBJECT_POD, i));
        proto[i] = was;
    }
}

/* What is too large is refused before it fills the memory. */
static void test_long_text(void **state) {
    enum { PIECE = 65536 };
    static char piece[PIECE];
    struct err err = {0};
    struct run run;
    int ret = 0, pieces = 0;

    (void)state;
    run_init(&run, DECODE_WATCH, OBJECT_POD);
    memset(piece, 'x', sizeof(piece));
    assert_int_equal(decoder_feed(run.decoder, "{\"a\":\"", 6, &err), 0);
    while (ret == 0 && pieces++ < 1000)
        ret = decoder_feed(run.decoder, piece, sizeof(piece), &err);
    assert_int_equal(ret, -E2BIG);
    assert_true(pieces <= 50);
    decoder_reset(run.decoder);
    run_message(&run, "{\"type\":\"BOOKMARK\",\"object\":{}}", 31, 5);
    assert_string_equal(run.out.data, "bookmark rv=\n");
    run_done(&run);
}

static void test_deep(void **state) {
    struct err err = {0};
    struct run run;
    int ret = 0, depth = 0;

    (void)state;
    run_init(&run, DECODE_LIST, OBJECT_META);
    while (ret == 0 && depth++ < 100000)
        ret = decoder_feed(run.decoder, "{\"a\":[", 6, &err);
    assert_int_equal(ret, -EPROTO);
    assert_true(depth < 1000);
    run_done(&run);
}

/* A policy is built as a document, within limits. */
static void test_large_policy(void **state) {
    struct err err = {0};
    struct run run;

    (void)state;
    run_init(&run, DECODE_WATCH, OBJECT_POLICY);
    assert_int_equal(decoder_feed(run.decoder, "{\"type\":\"ADDED\",\"object\":{\"a\":[0", 32, &err), 0);
    for (int i = 0; i < 200000; i++)
        assert_int_equal(decoder_feed(run.decoder, ",1", 2, &err), 0);
    assert_int_equal(decoder_feed(run.decoder, "],\"metadata\":{\"name\":\"p\"}}}", 27, &err), 0);
    assert_int_equal(decoder_finish(run.decoder, &err), 0);
    assert_non_null(strstr(run.out.data, "skipped p: it is larger"));
    run_done(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_streams), cmocka_unit_test(test_bad_protobuf),
        cmocka_unit_test(test_long_text), cmocka_unit_test(test_deep),    cmocka_unit_test(test_large_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
